"""The budgets of folders: a folder that takes too long fails a run, a busy neighbour does not."""

import tomllib
from pathlib import Path

import pytest

from testkit.durations import OVER_BUDGET, Spent, folder_of, judge

ROOT = Path(__file__).parents[2]
BUDGETS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["testkit"]["budgets"]
CONFIG = """
[tool.pytest.ini_options]
asyncio_default_fixture_loop_scope = "function"
[tool.testkit.budgets]
quick = 60
slow = 0.01
"""
WAITS = "import time\n\ndef test_it():\n    time.sleep({seconds})\n"


@pytest.mark.parametrize(
    ("seconds", "stretched", "over", "reason"),
    [
        (9.0, 9.0, False, "within its budget"),
        (11.0, 11.0, True, "beyond it on an idle machine"),
        (25.0, 75.0, False, "beyond it, but everything took three times as long"),
        (31.0, 93.0, True, "beyond even that"),
        (11.0, 5.5, True, "a machine that is faster has the same budget"),
        (0.0, 0.0, False, "nothing ran"),
    ],
)
def test_a_budget_is_stretched_as_the_machine_is(seconds: float, stretched: float, over: bool, reason: str) -> None:
    (verdict,) = judge({"unit": Spent(1, seconds, stretched)}, {"unit": 10.0})
    assert verdict.over is over, reason


def test_a_folder_that_nobody_gave_a_budget_is_told() -> None:
    long, new = judge({"new": Spent(1, 1.0, 1.0), "unit": Spent(1, 2.0, 2.0)}, {"unit": 10.0})
    assert (long.folder, long.over) == ("unit", False)
    assert (new.folder, new.over) == ("new", True)


@pytest.mark.parametrize(
    ("nodeid", "proof", "folder"),
    [
        ("tests/unit/core/test_drift.py::test_x[a/b::c]", False, "unit"),
        ("tests/integration/test_faults.py::test_x", True, "integration-proof"),
        ("test_here.py::test_x", False, "elsewhere"),
    ],
)
def test_a_test_belongs_to_a_line_of_the_table(nodeid: str, proof: bool, folder: str) -> None:
    assert folder_of(nodeid, proof=proof) == folder


def test_every_folder_of_tests_has_a_budget() -> None:
    folders = {path.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").rglob("test_*.py")}
    assert folders <= BUDGETS.keys()
    assert {name.removesuffix("-proof") for name in BUDGETS} == folders


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """Two folders of tests: one within its budget, one that sleeps beyond it."""
    pytester.makepyprojecttoml(CONFIG)
    for folder, seconds in (("quick", 0), ("slow", 0.5)):
        (pytester.path / "tests" / folder).mkdir(parents=True)
        (pytester.path / "tests" / folder / f"test_{folder}.py").write_text(WAITS.format(seconds=seconds))
    return pytester


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--budgets",), OVER_BUDGET),
        (("--budgets", "-n", "1"), OVER_BUDGET),
        (("--budgets", "tests/quick"), 0),
        ((), 0),
    ],
    ids=["over", "over, told by a worker", "within", "not judged"],
)
def test_a_folder_that_takes_too_long_fails_a_run_in_which_all_tests_pass(
    project: pytest.Pytester, arguments: tuple[str, ...], code: int
) -> None:
    done = project.runpytest_inprocess("-p", "testkit.durations", "-p", "no:cacheprovider", *arguments)
    shown = done.stdout.str()
    assert done.ret == code, shown
    assert ("tests/slow is over its budget" in shown) is bool(code)
    assert "tests/quick is over" not in shown
