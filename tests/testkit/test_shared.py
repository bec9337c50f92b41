"""What the workers of a run share: one simulator, and within a worker one operator."""

import os
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from fireworks_simulator.testing import SimulatorClient
from testkit.kubernetes.processes import Processes
from testkit.processes import Operator, SharedOperator
from testkit.shared import FOLDER, simulator_of_the_run
from testkit.waiting import eventually


def test_whoever_asks_gets_the_same_simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    try:
        first = simulator_of_the_run()
        first.add_world("team-1", "fw_team_1")
        assert simulator_of_the_run().url == first.url
        assert "team-1" not in str(first.state()), "a world is apart"
    finally:
        Processes(tmp_path).stop("simulator", 10.0)


def test_a_run_that_is_cancelled_ends_what_it_has_started(tmp_path: Path) -> None:
    test, told = tmp_path / "test_long.py", tmp_path / "told"
    test.write_text(_LONG_TEST.format(told=str(told)))
    kept = {name: value for name, value in os.environ.items() if name != FOLDER}
    command = (sys.executable, "-m", "pytest", "-p", "testkit.run", "--rootdir", str(tmp_path), str(test))
    with subprocess.Popen(command, env=kept, cwd=tmp_path, stdout=subprocess.DEVNULL) as run:
        try:
            eventually(told.exists, "the simulator runs", within=30)
            run.terminate()
            assert run.wait(timeout=30) == pytest.ExitCode.INTERRUPTED
        finally:
            run.kill()
    url, folder = told.read_text().split()
    assert not Path(folder).exists()
    with pytest.raises(ConnectionError):
        SimulatorClient(url).state()


_LONG_TEST = """
import os, pathlib, time
from testkit.shared import FOLDER, simulator_of_the_run

def test_long():
    told, url = pathlib.Path({told!r}), simulator_of_the_run().url
    told.with_suffix(".part").write_text(url + " " + os.environ[FOLDER])
    told.with_suffix(".part").rename(told)
    time.sleep(60)
"""


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
