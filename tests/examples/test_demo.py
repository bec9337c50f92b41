"""`make demo` as its user meets it: what is on the screen, the exit code, and that nothing is left behind.

One that is kept, talked to and stopped is what README shows: tests/docs runs that.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testkit.kubernetes.parts import find_binaries

DEMO = Path(__file__).parents[2] / "examples/demo.py"
SECONDS = 200
"""A machine that runs other tests at the same time is slow; alone the demo takes 40 s."""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the demo, with the folder for temporary files under the test's own; kills it if the test fails."""
    find_binaries(controllers=False)  # not part of what is timed
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(DEMO), *arguments],
            cwd=tmp_path,
            env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONIOENCODING": "utf-8", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Where the tests run in the background of a shell, SIGINT is ignored, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)


@pytest.mark.timeout(SECONDS + 30)
def test_the_demo_goes_from_manifest_to_answer_to_clean_deletion(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    demo = start()
    shown, _ = demo.communicate(timeout=SECONDS)
    assert demo.returncode == 0, shown
    assert_in_order(
        shown,
        "✓ the operator runs and is ready",
        "$ kubectl apply -f examples/",
        "fireworksdeployment.fireworks.ai/chat created",
        "✓ all of them are READY",
        "✓ the addons of support are loaded",
        "NAME         READY   STATE",
        "A model and nothing else",
        "accounts/fireworks/deploymentShapes/gpt-oss-120b-",
        "✓ a completion is answered by this deployment",
        "| ",
        "✓ a chat completion is answered by it, too",
        "llama-v3p1-8b-instruct#accounts/acme/deployments/default-chat-",
        "✓ a chat completion with this model identifier",
        "| This is accounts/fireworks/models/llama-v3p1-8b-instruct on",
        "accounts/acme/deployments/default-chat-",
        "$ kubectl patch fireworksdeployment chat",
        "✓ the change is applied at Fireworks",
        "✓ the second replica serves",
        "draftTokenCount of chat-large: 16 instead of the 4 in Git.",
        "✓ the operator has put it back to 4",
        "$ kubectl delete fireworksdeployment --all",
        "DeletionBlocked",
        "Fireworks refuses to delete the deployment because it has received inference requests",
        "$ kubectl annotate fireworksdeployment chat minimal fireworks.ai/reconcile-at=",
        "✓ chat and minimal are gone, too",
        "✓ Fireworks lists no deployment",
        "✓ all processes have ended and everything is cleaned up",
    )
    assert_tidy(shown)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: str(number.name))
def test_an_interrupted_demo_cleans_up(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, number: signal.Signals
) -> None:
    demo = start()
    log = wait_for(lambda: next(tmp_path.glob("fireworks-demo-*/kubernetes/run/kube-apiserver.log"), None))
    pids = [json.loads(path.read_text())["pid"] for path in log.parent.glob("*.json")]
    demo.send_signal(number)
    shown, _ = demo.communicate(timeout=60)
    assert demo.returncode == 130, shown
    assert_in_order(shown, "interrupted", "✓ all processes have ended")
    assert list(tmp_path.iterdir()) == []
    assert pids
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_a_demo_that_fails_says_what_it_expected_and_cleans_up(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    empty = tmp_path / "assets"
    empty.mkdir()
    demo = start(KUBEBUILDER_ASSETS=str(empty))
    shown, _ = demo.communicate(timeout=60)
    assert demo.returncode == 1, shown
    assert_in_order(
        shown,
        "The demo failed.",
        "expected  the parts of Kubernetes are here",
        f"instead   KUBEBUILDER_ASSETS={empty} holds no etcd",
        "✓ all processes have ended",
    )
    assert list(tmp_path.iterdir()) == [empty]


def test_without_a_demo_there_is_no_way_to_one(start: Callable[..., subprocess.Popen[str]]) -> None:
    asked = start("--env")
    shown, _ = asked.communicate(timeout=60)
    assert asked.returncode == 1
    assert shown.strip() == "No demo is left running. Start one: make demo KEEP=1"


def test_what_is_not_a_demo_is_not_stopped(start: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    stop = start("--stop", str(tmp_path / "mine"))
    shown, _ = stop.communicate(timeout=60)
    assert stop.returncode == 1
    assert "is not the folder of a demo" in " ".join(shown.split()), "lines break where the terminal ends"
    assert (tmp_path / "mine").exists()


def assert_in_order(shown: str, *parts: str) -> None:
    position = 0
    for part in parts:
        found = shown.find(part, position)
        assert found >= 0, f"no {part!r} from there on:\n{shown[position:]}"
        position = found + len(part)


def assert_tidy(shown: str) -> None:
    """Durations end in one column, nothing failed, and no control characters get into a file."""
    steps = [line for line in shown.splitlines() if line.startswith("  ✓")]
    assert {len(line) for line in steps} == {100}
    assert all(re.search(r" \d+\.\d s$", line) for line in steps)
    assert "✗" not in shown
    assert "\x1b" not in shown
    assert "\r" not in shown


def wait_for(look: Callable[[], Path | None]) -> Path:
    deadline = time.monotonic() + 60
    while (found := look()) is None:
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return found
