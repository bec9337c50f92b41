"""`python -m testkit.suites NAME [arguments for pytest]`: what `make unit`, `check`, `test` and `proof` run.

Tests that fail are run once more, one after the other: those of real processes have deadlines, and a machine may be too
busy for a moment. One that passes only then is a defect all the same and is reported as one; on GitHub it fails the
run.
"""

import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as Xml
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = ROOT / "build/test-results"
"""Where each run leaves its durations and failures, as JUnit's XML."""
FAILED: Final = 1
"""pytest's exit code where tests have failed, and nothing worse has happened."""
MOST_AGAIN: Final = 30
"""With more failures than that it is no matter of time, and nothing is run once more."""
_LAST_FAILED = ROOT / ".pytest_cache/v/cache/lastfailed"
_TEXT = (
    "test_built_site",
    "test_commands",
    "test_diagrams",
    "test_names",
    "test_recording",
    "test_site",
    "test_specification",
    "test_support",
    "test_troubleshooting",
)
_UNIT = ("tests/unit", "tests/plugin", "tests/testkit", *(f"tests/docs/{name}.py" for name in _TEXT))


@dataclass(frozen=True, slots=True)
class Suite:
    """A set of tests.

    Attributes:
        minutes: how long it takes at most, on two cores and with the parts of Kubernetes at hand.
        paths: where its tests are.
        marks: which of them, by their marks.
        workers: how many run at a time.
        spread: how they are given to workers: one by one, or (`loadfile`) those of a file to one worker.
        lint: style, types and layers come first.
        cluster: some of its tests need a Kubernetes.
        environment: variables that its tests see.
    """

    minutes: int
    paths: Sequence[str] = ("tests",)
    marks: str = "not proof"
    workers: int = 2
    spread: str = "worksteal"
    lint: bool = True
    cluster: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)


SUITES: Final[Mapping[str, Suite]] = {
    "unit": Suite(2, _UNIT, "not proof and not slow", workers=3, lint=False, cluster=False),
    "check": Suite(4, (*_UNIT, "tests/model", "tests/crd", "tests/chart"), "not proof and not slow", workers=4),
    "test": Suite(15, workers=4),
    "proof": Suite(60, marks="proof", spread="loadfile", lint=False),  # many stories are told side by side in a file
    "properties": Suite(
        8, ("tests/unit", "tests/plugin"), "hypothesis", lint=False, cluster=False, environment={"THOROUGH": "1"}
    ),
}


def run(name: str, more: Sequence[str]) -> int:
    """Run a suite, say how long it took, and return its exit code."""
    suite = SUITES[name]
    os.environ.update(suite.environment)
    if suite.cluster:  # minutes, but only once on a machine
        subprocess.run((sys.executable, "-m", "testkit.kubernetes", "build"), cwd=ROOT, check=True)
    begun = time.monotonic()
    code = _lint() if suite.lint else 0
    code = code or _tests(name, suite, more)
    outcome, seconds = "passed" if code == 0 else "FAILED", time.monotonic() - begun
    times = os.times()
    used = times.children_user + times.children_system
    print(f"make {name} {outcome} after {_spelt(seconds)}, with {_spelt(used)} of processor time.")
    print(f"On two cores that are idle it takes {_spelt(suite.minutes * 60)} at most.", flush=True)
    return code


def _lint() -> int:
    return subprocess.run(("make", "--no-print-directory", "lint"), cwd=ROOT, check=False).returncode


def _tests(name: str, suite: Suite, more: Sequence[str]) -> int:
    report = RESULTS / f"{name}.xml"
    workers = os.environ.get("WORKERS") or str(suite.workers)
    spread = ("--numprocesses", workers, "--dist", suite.spread)
    _LAST_FAILED.unlink(missing_ok=True)
    code = _pytest("-m", suite.marks, *spread, "--budgets", f"--junitxml={report}", *suite.paths, *more)
    failed = _failed()
    if code != FAILED or not 0 < len(failed) <= MOST_AGAIN:
        return code
    print("once more, one after the other: tests that may have failed for want of time", flush=True)
    again = RESULTS / f"{name}-again.xml"
    # Without workers, pytest refuses properties of tests in a report of its usual form.
    report_form = ("--override-ini", "junit_family=xunit1", f"--junitxml={again}")
    code = _pytest("--last-failed", "--last-failed-no-failures", "none", *report_form, *more)
    late = sorted(failed - _failed()) if code in (0, FAILED) else []
    if late:
        _report(late, report)
    return code or (FAILED if late and os.environ.get("GITHUB_ACTIONS") else 0)


def _pytest(*arguments: str) -> int:
    shown = ("--durations=30", "--durations-min=0.5")
    # Each worker would compile all tests anew, for a quarter of a minute of processor time.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = (sys.executable, "-m", "pytest", *shown, *arguments)
    return subprocess.run(command, cwd=ROOT, env=kept, check=False).returncode


def _failed() -> set[str]:
    return set(json.loads(_LAST_FAILED.read_text(encoding="utf-8"))) if _LAST_FAILED.exists() else set()


def _report(late: Sequence[str], report: Path) -> None:
    """Say which tests have passed only when they were run once more, and what they had failed with."""
    messages = _messages(report)
    print(f"\n{'=' * 20} {len(late)} passed only when run once more: each is a DEFECT {'=' * 20}")
    for test in late:
        message = messages.get(test.rpartition("::")[2], "its failure is above")
        print(f"{test}\n    {message}")
        if os.environ.get("GITHUB_ACTIONS"):
            print(f"::error title=Passed only when run once more::{test}: {message}")
    print("Of the test if it was only late, of the operator if anything else.\n", flush=True)


def _messages(report: Path) -> dict[str, str]:
    """Return the first line of each failure, by the name of the test within its file."""
    found: dict[str, str] = {}
    for case in Xml.parse(report).iter("testcase"):  # noqa: S314 - the file is our own
        for failure in (*case.iter("failure"), *case.iter("error")):
            found.setdefault(str(case.get("name")), str(failure.get("message")).splitlines()[0])
    return found


def _spelt(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def main() -> int:
    """Run the suite that is named."""
    name, *more = sys.argv[1:] or [""]
    if name not in SUITES:
        print(f"which suite? {', '.join(SUITES)}", file=sys.stderr)
        return 2
    return run(name, more)


if __name__ == "__main__":
    sys.exit(main())
