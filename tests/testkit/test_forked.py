"""A program that is forked behaves as its command does."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from testkit.forked import Forked
from testkit.processes import environment
from testkit.waiting import eventually

pytestmark = pytest.mark.slow
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    ("command", "variables"),
    [
        (("fireworks-operator", "run"), {"FIREWORKS_OPERATOR_POLL_INTERVAL_IDLE": "-1"}),
        (("fireworks-operator", "run"), {"KUBECONFIG": "/nowhere", "FIREWORKS_OPERATOR_HEALTH_PORT": "0"}),
        (("fireworks-operator", "version"), {}),
        (("kubectl-fireworks", "list"), {"KUBECONFIG": "/nowhere"}),
        (("kubectl-fireworks", "lst"), {}),
    ],
    ids=str,
)
def test_it_says_the_same_and_ends_with_the_same_code(
    command: tuple[str, ...], variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, output, errors = environment(**variables), tmp_path / "output", tmp_path / "errors"
    monkeypatch.setenv("FIREWORKS_OPERATOR_HEALTH_PORT", "of the test, not of the program")
    code = Forked(command, given, output, errors).wait(60)
    program, *arguments = command
    real = subprocess.run((BIN / program, *arguments), env=given, capture_output=True, text=True, check=False)
    said = [re.sub(r'"time": "[^"]*"|on port \d+', "", each) for each in (errors.read_text(), real.stderr)]
    assert (code, output.read_text(), said[0]) == (real.returncode, real.stdout, said[1])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A kubeconfig of a cluster that does not answer, so that an operator waits for it."""
    contexts = [{"name": "a", "context": {"cluster": "a", "user": "a"}}]
    clusters = [{"name": "a", "cluster": {"server": "http://127.0.0.1:1"}}]
    path = tmp_path / "config"
    path.write_text(
        json.dumps({"current-context": "a", "contexts": contexts, "clusters": clusters, "users": [{"name": "a"}]})
    )
    return path


def test_it_runs_until_a_signal_ends_it(config: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = Forked(("fireworks-operator", "run"), environment(KUBECONFIG=str(config)), log)
    eventually(lambda: log.exists() and log.read_text(), "it has begun")
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    process.send_signal(signal.SIGKILL)
    assert (process.wait(30), process.poll()) == (-signal.SIGKILL, -signal.SIGKILL)
    process.send_signal(signal.SIGKILL)  # as with a Popen, what has ended gets none


LEAVES_ONE = """
import sys
from pathlib import Path
from testkit.forked import Forked
from testkit.processes import environment
print(Forked(("fireworks-operator", "run"), environment(KUBECONFIG=sys.argv[1]), Path(sys.argv[2])).pid)
"""


def test_it_does_not_outlive_whoever_started_it_and_its_processor_time_counts(config: Path, tmp_path: Path) -> None:
    before = os.times()
    command = (sys.executable, "-c", LEAVES_ONE, str(config), str(tmp_path / "log"))
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)
    used = os.times().children_user - before.children_user
    assert used > 0.5, "importing the code alone takes that"
