"""What the workers of a run share: one simulator, and within a worker one operator."""

from pathlib import Path
from typing import cast

import pytest

from testkit.kubernetes.processes import Processes
from testkit.processes import Operator, SharedOperator
from testkit.shared import FOLDER, simulator_of_the_run


def test_whoever_asks_gets_the_same_simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    try:
        first = simulator_of_the_run()
        first.add_world("team-1", "fw_team_1")
        assert simulator_of_the_run().url == first.url
        assert "team-1" not in str(first.state()), "a world is apart"
    finally:
        Processes(tmp_path).stop("simulator", 10.0)


class _Operator:
    """Only that it runs."""

    def __init__(self) -> None:
        self.running, self.starts = False, 0
        self.tolerated: str | None = "something"

    def start(self) -> None:
        self.running = True
        self.starts += 1

    def stop(self) -> None:
        self.running = False

    def begin_log(self) -> None:
        """Nothing is logged."""


def test_the_shared_operator_runs_on_for_the_next_module_and_rests_beside_another_one() -> None:
    shared, operator = SharedOperator(), _Operator()
    seen: list[bool] = []
    shared.rest()
    for _ in range(2):
        with shared.held(cast("Operator", operator)):
            assert operator.tolerated is None, "what one module tolerates, the next does not"
            shared.rest()
            seen.append(operator.running)
    assert (seen, operator.starts) == ([True, True], 1), "a test of the module that looks on does not end it"
    shared.rest()
    seen.append(operator.running)
    with shared.held(cast("Operator", operator)):
        seen.append(operator.running)
    assert (seen[2:], operator.starts) == ([False, True], 2)


def test_a_log_begins_anew_for_each_module(tmp_path: Path) -> None:
    log = tmp_path / "operator.log"
    operator = Operator(tmp_path, "http://127.0.0.1:1", log, api_key=None, settings={})
    log.write_text('{"level": "error", "message": "of another module"}\n')
    with pytest.raises(AssertionError, match="of another module"):
        operator.check_log()
    operator.begin_log()
    operator.check_log()
    assert operator.log() == ""
    with log.open("a") as more:
        more.write("Traceback\n")
    with pytest.raises(AssertionError, match="Traceback"):
        operator.check_log()
