"""`make test` as its user meets it: what failed once is told, even if it passes when it is run again."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from testkit import suites
from testkit.suites import SUITES, Suite

pytestmark = pytest.mark.slow

FLAKY = """
from pathlib import Path

def test_it():
    mark = Path(__file__).with_name("mark")
    first = not mark.exists()
    mark.touch()
    assert not first, "the answer came late"

def test_fine():
    pass
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a suite `small` of its own."""
    config = '[tool.pytest.ini_options]\naddopts = ["-p", "testkit.durations", "--import-mode=importlib"]\n'
    markers = 'markers = ["proof: long"]\n'
    (tmp_path / "pyproject.toml").write_text(f"{config}{markers}[tool.testkit.budgets]\nsmall = 60\n")
    monkeypatch.setattr(suites, "ROOT", tmp_path)
    monkeypatch.setattr(suites, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(suites, "_LAST_FAILED", tmp_path / ".pytest_cache/v/cache/lastfailed")
    monkeypatch.setattr(suites, "SUITES", {"small": Suite(1, lint=False, cluster=False, workers=1)})
    for name in ("CI", "GITHUB_ACTIONS", "WORKERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    (tmp_path / "tests/small").mkdir(parents=True)
    return tmp_path


def _write(project: Path, text: str) -> None:
    (project / "tests/small/test_small.py").write_text(text)


def test_what_passes_only_when_run_again_is_reported_as_a_defect(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _write(project, FLAKY)
    assert suites.run("small", []) == 0
    shown = capfd.readouterr().out
    assert "1 passed only when run once more: each is a DEFECT" in shown
    assert "tests/small/test_small.py::test_it\n    AssertionError: the answer came late" in shown
    assert "make small passed after" in shown
    assert "small" in (project / "results/small.xml").read_text()
    assert json.loads((project / ".pytest_cache/v/cache/lastfailed").read_text() or "{}") == {}


@pytest.fixture
def play(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs a suite in which the tests named fail in each of its runs, without a pytest."""

    def run(*runs: tuple[str, ...]) -> int:
        coming = iter(runs)

        def pytest_of(*arguments: str) -> int:
            failed = next(coming)
            cases = "".join(f'<testcase name="{each}"><failure message="too late"/></testcase>' for each in failed)
            if not suites.RESULTS.exists():
                suites.RESULTS.mkdir()
                (suites.RESULTS / "small.xml").write_text(f"<testsuites>{cases}</testsuites>")
            suites._LAST_FAILED.parent.mkdir(parents=True, exist_ok=True)
            suites._LAST_FAILED.write_text(json.dumps({f"tests/small/test_small.py::{each}": True for each in failed}))
            return suites.FAILED if failed else 0

        monkeypatch.setattr(suites, "_pytest", pytest_of)
        code = suites.run("small", [])
        assert list(coming) == [], "all of these runs are needed"
        return code

    return run


def test_where_nobody_watches_such_a_test_fails_the_run(
    play: Callable[..., int], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert play(("test_it",), ()) == 1
    shown = capfd.readouterr().out
    assert "::error title=Passed only when run once more::tests/small/test_small.py::test_it: too late" in shown
    assert "make small FAILED after" in shown


def test_what_fails_twice_fails_the_run_and_is_called_nothing_else(
    play: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert play(("test_it", "test_late"), ("test_it",)) == 1
    shown = capfd.readouterr().out
    assert "1 passed only when run once more" in shown
    assert "tests/small/test_small.py::test_late\n    too late" in shown
    assert "test_it\n" not in shown


def test_what_passes_at_once_is_run_once(play: Callable[..., int]) -> None:
    assert play(()) == 0


def test_where_everything_fails_nothing_is_run_once_more(play: Callable[..., int]) -> None:
    assert play(tuple(f"test_{number}" for number in range(suites.MOST_AGAIN + 1))) == 1


def test_every_suite_is_a_target_of_make() -> None:
    makefile = (Path(__file__).parents[2] / "Makefile").read_text()
    assert [name for name in SUITES if f"\n{name}: " not in makefile] == []


def test_what_is_compiled_is_kept_even_where_the_environment_says_otherwise(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    _write(project, "def test_fine():\n    pass\n")
    assert suites.run("small", []) == 0
    assert len(list((project / "tests/small/__pycache__").glob("test_small.*.pyc"))) == 1
