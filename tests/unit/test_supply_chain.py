"""What is installed and run on the way to a release is what was chosen once: by version, hash or commit."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((*(ROOT / ".github/workflows").glob("*.yml"), *(ROOT / "examples/github").glob("*.yml")))
REQUIREMENTS = ["operator", "simulator", "dev", "plugin"]
MAY_WRITE = {("release.yml", "publish")}
"""Jobs that may write to the repository: the one that makes the release."""
BUILDS_THE_PLUGIN = {
    *("altgraph", "macholib", "packaging", "pefile", "pyinstaller", "pyinstaller-hooks-contrib", "pywin32-ctypes"),
    "setuptools",
}
"""Packages that put the plugin into a program, and that are tried when it is built."""


def pins(name: str) -> dict[str, str]:
    """Return the versions of a requirements file, after a look that each has hashes and none a place of its own."""
    text = (ROOT / f"requirements/{name}.txt").read_text()
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=[^\s#])", "\n".join(line for line in text.splitlines() if not line.startswith("#"))):
        first, *more = entry.strip().replace("\\\n", "\n").splitlines()
        pinned = re.fullmatch(r"([A-Za-z0-9._-]+(?:\[[a-z,]+\])?)==([A-Za-z0-9.+!]+)( ; .*)?", first.strip())
        assert pinned is not None, f"{name}: {first} is not pinned to one version"
        assert more, f"{name}: {first} has no hash"
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line.strip()) for line in more if line.strip()), entry
        found[pinned[1] + (pinned[3] or "")] = pinned[2]
    return found


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_requirement_has_one_version_and_its_hashes(name: str) -> None:
    assert len(pins(name)) >= 10


def test_what_is_tested_is_what_is_shipped() -> None:
    operator, simulator, dev, plugin = map(pins, REQUIREMENTS)
    assert operator.items() <= simulator.items()
    tested = {name.partition(" ;")[0]: version for name, version in dev.items()}
    for shipped in (simulator, plugin):
        versions = {name.partition(" ;")[0]: version for name, version in shipped.items()}
        versions = {name: version for name, version in versions.items() if name not in BUILDS_THE_PLUGIN}
        assert {name: tested.get(name) for name in versions} == versions


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_to_a_commit_and_says_which_version_that_is(workflow: Path) -> None:
    lines = [line for line in workflow.read_text().splitlines() if "uses:" in line]
    assert lines
    for line in lines:
        assert re.search(r"uses: [\w-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_read_the_repository_and_nothing_else_unless_a_job_says_so(workflow: Path) -> None:
    content = yaml.safe_load(workflow.read_text())
    assert content["permissions"] == {"contents": "read"}
    for name, job in content["jobs"].items():
        assert (job.get("permissions", {}).get("contents", "read") == "write") == ((workflow.name, name) in MAY_WRITE)
        checkouts = [step for step in job["steps"] if "actions/checkout" in step.get("uses", "")]
        assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_an_image_is_scanned_before_it_is_signed_and_the_requirements_are_audited() -> None:
    release = (ROOT / ".github/workflows/release.yml").read_text()
    assert release.index("trivy-action") < release.index("python -m release publish-image")
    assert re.search(r"pip-audit==[\d.]+ pip-audit .*--require-hashes", (ROOT / ".github/workflows/ci.yml").read_text())


def test_the_security_rules_of_the_linter_hold_for_all_that_is_shipped() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "S" in lint["select"]
    assert not [rule for rule in lint["ignore"] if re.match(r"S\d", rule)]
    assert not [where for where in lint["per-file-ignores"] if where.startswith(("operator", "*", "fireworks"))]
