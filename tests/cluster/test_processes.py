"""Background processes: never one lost, never a foreign one hit."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from testkit.kubernetes import ClusterError, processes
from testkit.kubernetes.files import locked, write_private
from testkit.kubernetes.parts import free_ports
from testkit.kubernetes.processes import Processes


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Processes]:
    found = Processes(tmp_path)
    yield found
    for name in found.names():
        found.stop(name, patience=0)


def test_a_process_is_found_and_stopped_by_another_command(parts: Processes, tmp_path: Path) -> None:
    parts.start("sleeper", ["sleep", "1000"])
    other = Processes(tmp_path)
    assert other.names() == ["sleeper"]
    assert other.alive("sleeper")
    other.stop("sleeper", patience=10)
    assert not parts.alive("sleeper")


def test_a_process_that_ignores_the_polite_signal_is_killed(parts: Processes) -> None:
    parts.start("stubborn", ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"])
    wait_for(lambda: "ready" in parts.log("stubborn").read_text())
    parts.stop("stubborn", patience=0.2)
    assert not parts.alive("stubborn")


def test_a_foreign_process_that_got_the_recorded_id_is_left_alone(parts: Processes, tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "1000"]) as foreign:
        try:
            stale = {"pid": foreign.pid, "started": "long ago", "command": ["etcd"]}
            (tmp_path / "etcd.json").write_text(json.dumps(stale))
            assert not parts.alive("etcd")
            parts.stop("etcd", patience=1)
            assert foreign.poll() is None
        finally:
            foreign.kill()
        assert foreign.wait() == -signal.SIGKILL, "it lived until the test itself ended it"


def test_a_process_that_died_unseen_does_not_count_as_alive(parts: Processes) -> None:
    parts.start("short", ["true"])
    wait_for(lambda: not parts.alive("short"))
    parts.stop("short", patience=1)


def test_a_process_that_is_not_on_record_never_runs(
    parts: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids: list[int] = []

    def full_disk(_: Path, text: str) -> None:
        pids.append(json.loads(text)["pid"])
        raise OSError("no space left on device")

    monkeypatch.setattr(processes, "write_private", full_disk)
    with pytest.raises(OSError, match="no space left"):
        parts.start("lost", ["touch", str(tmp_path / "it-ran")])
    _, status = os.waitpid(pids[0], 0)
    assert os.waitstatus_to_exitcode(status) != 0
    assert not (tmp_path / "it-ran").exists()


def test_a_process_gets_no_secret_of_the_environment(parts: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREWORKS_API_KEY", "fw_hidden")
    monkeypatch.setenv("KUBECONFIG", "/home/somebody/.kube/config")
    parts.start("env", ["env"])
    wait_for(lambda: not parts.alive("env"))
    seen = parts.log("env").read_text()
    assert "PATH=" in seen
    assert "fw_hidden" not in seen
    assert "KUBECONFIG" not in seen


def test_a_process_starts_again_with_the_command_it_had(parts: Processes) -> None:
    parts.start("echo", ["echo", "two words"])
    wait_for(lambda: not parts.alive("echo"))
    parts.start_again("echo")
    wait_for(lambda: not parts.alive("echo"))
    assert parts.log("echo").read_text() == "two words\ntwo words\n"


def test_a_lock_waits_for_its_holder_even_if_that_deletes_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    failures: list[str] = []
    holders = 0

    def hold() -> None:
        nonlocal holders
        for _ in range(50):
            with locked(folder):
                holders += 1
                if holders != 1 or not folder.exists():
                    failures.append(f"{holders} holders, folder exists: {folder.exists()}")
                holders -= 1
                folder.rmdir()

    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(hold) for _ in range(3)]:
            done.result(timeout=30)
    assert failures == []
    assert not folder.exists()


def test_a_lock_cannot_be_had_on_what_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(ClusterError, match="state cannot be made"), locked(tmp_path / "state"):
        pass


def test_a_private_file_is_never_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "tokens.csv"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_ports_are_different_and_out_of_the_range_that_connections_take(tmp_path: Path) -> None:
    ports = free_ports(50)
    assert len(set(ports)) == 50
    assert all(20000 <= port < 30000 for port in ports)


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
