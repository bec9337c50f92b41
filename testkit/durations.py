"""A plugin of pytest, `--budgets`: how long each folder of tests took, and a failure where that is more than it may.

What is judged is duration, the sum over the tests of a folder, and not processor time: a test that sleeps or polls
costs people as much as one that computes. But what else the machine does must not fail a run. So each worker does a
fixed piece of work between its tests, every few seconds, and how much longer that takes than on an idle machine is the
folder's pace. Budgets are seconds on an idle machine; a folder may take as many times longer as its pace says. Own
workers count as neighbours, too: four on two cores halve the pace of each. A computer that is slower needs no other
table, and a faster one gets no tighter budgets.

`[tool.testkit.budgets]` in pyproject.toml has a line for every folder below tests/, and one for its tests that are
marked as proof (`integration-proof`), if there are any.
"""

import time
import tomllib
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

import pytest

OVER_BUDGET: Final = 7
"""pytest's exit code where all tests have passed, but a folder took too long."""
IDLE: Final = 0.010
"""Seconds that the piece of work takes on an idle machine, one of two cores at 2 to 3 GHz."""
EVERY: Final = 3.0
"""Seconds between two measurements: a third of a per cent of the time."""
_PACE, _FOLDER = "pace", "folder"


@dataclass(slots=True)
class Spent:
    """What the tests of a folder took.

    Attributes:
        tests: how many.
        seconds: sum of their durations, with setup and teardown.
        stretched: sum of the durations, each times the pace in which it passed.
    """

    tests: int = 0
    seconds: float = 0.0
    stretched: float = 0.0

    @property
    def pace(self) -> float:
        """How many times longer things took than on an idle machine; never below 1."""
        return max(self.stretched / self.seconds, 1.0) if self.seconds else 1.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """A folder, and what is to be said of its time.

    Attributes:
        folder: below tests/.
        spent: what its tests took.
        budget: seconds on an idle machine; None: there is none, which is wrong as well.
    """

    folder: str
    spent: Spent
    budget: float | None

    @property
    def over(self) -> bool:
        """Whether it took more than it may."""
        return self.budget is None or self.spent.seconds > self.budget * self.spent.pace

    def __str__(self) -> str:
        spent, budget = self.spent, "no budget" if self.budget is None else f"of {self.budget:.0f} s"
        pace = f"x {spent.pace:.1f}" if spent.pace >= 1.05 else ""
        return f"{self.folder:<22}{spent.tests:>6} tests{spent.seconds:>9.1f} s {budget:<12}{pace}".rstrip()


def work() -> float:
    """Do the piece of work, and return how many times longer than on an idle machine it took."""
    begun = time.perf_counter()
    total = 0
    for number in range(150_000):
        total += number * number
    assert total > 0
    return (time.perf_counter() - begun) / IDLE


def judge(spent: Mapping[str, Spent], budgets: Mapping[str, float]) -> list[Verdict]:
    """Compare what each folder took with what it may take, the longest first."""
    longest = sorted(spent, key=lambda folder: -spent[folder].seconds)
    return [Verdict(folder, spent[folder], budgets.get(folder)) for folder in longest]


def folder_of(nodeid: str, *, proof: bool) -> str:
    """Return the line of the table that a test belongs to."""
    parts = PurePosixPath(nodeid.partition("::")[0]).parts
    folder = parts[1] if len(parts) > 2 and parts[0] == "tests" else "elsewhere"
    return f"{folder}-proof" if proof else folder


class Worker:
    """Where tests run: notes on each report in which pace it passed."""

    def __init__(self) -> None:
        self._pace = work()
        self._measured = time.monotonic()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note folder and pace; a report takes them along from a worker to the one that collects."""
        report = yield
        if report.when == "teardown" and time.monotonic() - self._measured > EVERY:
            self._pace, self._measured = work(), time.monotonic()
        setattr(report, _PACE, self._pace)
        setattr(report, _FOLDER, folder_of(item.nodeid, proof=item.get_closest_marker("proof") is not None))
        return report


class Collector:
    """Where reports come together: adds up, prints, and decides the exit code."""

    def __init__(self, budgets: Mapping[str, float]) -> None:
        self._budgets = budgets
        self._spent: dict[str, Spent] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add one phase of one test."""
        spent = self._spent.setdefault(getattr(report, _FOLDER, "elsewhere"), Spent())
        spent.tests += report.when == "setup"
        spent.seconds += report.duration
        spent.stretched += report.duration * max(getattr(report, _PACE, 1.0), 1.0)

    def verdicts(self) -> list[Verdict]:
        """Return how each folder did."""
        return judge(self._spent, self._budgets)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run if a folder took too long and nothing else is wrong."""
        if session.exitstatus == pytest.ExitCode.OK and any(each.over for each in self.verdicts()):
            session.exitstatus = OVER_BUDGET

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table."""
        terminalreporter.section("time of each folder, all its tests added up")
        for each in self.verdicts():
            terminalreporter.write_line(str(each), red=each.over)
        for line in _complaints(self.verdicts()):
            terminalreporter.write_line(line, red=True, bold=True)


def _complaints(verdicts: Iterable[Verdict]) -> Iterable[str]:
    for each in verdicts:
        if each.budget is None:
            yield f"tests/{each.folder} has no budget: give it one in pyproject.toml, [tool.testkit.budgets]"
        elif each.over:
            allowed = each.budget * each.spent.pace
            yield (
                f"tests/{each.folder} is over its budget: {each.spent.seconds:.0f} s, and {allowed:.0f} s are allowed. "
                "Make its slowest tests faster (see above), or say in pyproject.toml why it needs more."
            )


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--budgets`."""
    parser.addoption("--budgets", action="store_true", help="show the time of each folder, judge it")


def pytest_configure(config: pytest.Config) -> None:
    """Take part if asked to, as a worker, as the one that collects, or as both."""
    if not config.getoption("budgets"):
        return
    config.pluginmanager.register(Worker(), "testkit-pace")
    if not hasattr(config, "workerinput"):
        table = tomllib.loads((config.rootpath / "pyproject.toml").read_text(encoding="utf-8"))
        config.pluginmanager.register(Collector(table["tool"]["testkit"]["budgets"]), "testkit-budgets")
