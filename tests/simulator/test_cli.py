"""The command: one line when it is ready, settings from options and environment, and a clean end."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import httpx
import pytest
from click.testing import CliRunner

from fireworks_simulator.cli import main
from fireworks_simulator.testing import SimulatorClient, SimulatorError

COMMAND = [sys.executable, "-m", "fireworks_simulator"]
Start = Callable[..., tuple[subprocess.Popen[str], SimulatorClient]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts the command on a free port: `start("--seed", "1", FIREWORKS_SIMULATOR_SPEED="2")`."""
    processes: list[subprocess.Popen[str]] = []

    def run(*options: str, **environment: str) -> tuple[subprocess.Popen[str], SimulatorClient]:
        process = subprocess.Popen(
            [*COMMAND, "--port", "0", *options],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        processes.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.fullmatch(r"fireworks-simulator listening on http://(\S+):([0-9]+) \(accounts? (.+)\)\n", line)
        assert match, line
        return process, SimulatorClient(f"http://127.0.0.1:{match[2]}", account=match[3].split(", ")[0])

    yield run
    for process in processes:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_announces_itself_and_ends_when_told(start: Start, number: signal.Signals) -> None:
    process, client = start()
    answer = httpx.get(client.url + "/v1/accounts", headers={"Authorization": "Bearer fw_simulator"})
    assert answer.json()["accounts"][0]["name"] == "accounts/acme"
    process.send_signal(number)
    assert process.wait(10) == 0
    assert process.stdout is not None
    assert process.stdout.read() == ""


def test_options_and_environment(start: Start) -> None:
    options = [
        "--account",
        "one",
        "--api-key",
        "k1",
        "--account",
        "two",
        "--api-key",
        "k2",
        "--no-accelerator-required",
        "--price",
        "NVIDIA_A100_80GB=2.90",
    ]
    _, client = start(*options, FIREWORKS_SIMULATOR_SPEED="50", FIREWORKS_SIMULATOR_DOWNLOADING="7")
    assert client.call("GET", "/clock")["speed"] == 50
    assert client.call("GET", "/timing")["downloading"] == 7
    assert client.call("GET", "/assumptions")["accelerator_required"] is False
    assert client.call("GET", "/prices") == {"prices": {"NVIDIA_A100_80GB": "2.90"}}
    accounts = client.state()["accounts"]
    assert isinstance(accounts, dict)
    assert list(accounts) == ["one", "two"]


def test_beyond_loopback_there_is_no_admin_api_unless_asked_for(start: Start) -> None:
    _, closed = start("--host", "0.0.0.0")
    with pytest.raises(SimulatorError, match="fault filter abort"):
        closed.state()
    _, opened = start("--host", "0.0.0.0", "--admin")
    assert opened.deployments() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--account", "a", "--account", "b", "--api-key", "k"], "give as many --api-key as --account"),
        (["--account", "a/b"], "'a/b' is not an account id"),
        (["--account", "a", "--account", "b", "--api-key", "k", "--api-key", "k"], "one account only"),
        (["--account", "a", "--account", "a", "--api-key", "k", "--api-key", "l"], "give each --account once"),
        (["--speed", "0"], "--speed"),
        (["--speed", "nan"], "--speed: Input should be"),
        (["--speed", "inf"], "--speed: Input should be a finite number"),
        (["--deleting", "-1"], "--deleting: Input should be greater than or equal to 0"),
        (["--list-lag-seconds", "1e400"], "--list-lag-seconds: Input should be a finite number"),
        (["--host", "192.0.2.1"], "cannot listen on 192.0.2.1"),
        (["--price", "H100=7"], "--price H100=7: give an accelerator type and dollars"),
        (["--price", "NVIDIA_H100_80GB=-7"], "--price NVIDIA_H100_80GB=-7: give an accelerator type and dollars"),
    ],
)
def test_mistakes_are_explained(options: list[str], message: str) -> None:
    result = CliRunner().invoke(main, options)
    assert result.exit_code != 0
    assert message in result.output


def test_the_address_of_a_service_beside_it_is_not_taken_for_a_port() -> None:
    """Kubernetes puts it into every pod of a namespace that has a Service named fireworks-simulator."""
    links = {"FIREWORKS_SIMULATOR_PORT": "tcp://10.96.1.2:8090", "FIREWORKS_SIMULATOR_PORT_8090_TCP_PORT": "8090"}
    result = CliRunner().invoke(main, ["--host", "192.0.2.1"], env=links)
    assert "cannot listen on 192.0.2.1:8090" in result.output
    assert "The variable of --port is not read: it holds the address of a Service." in result.stderr


@pytest.mark.parametrize("empty", ["", " \n"])
def test_a_variable_that_is_set_to_nothing_counts_as_unset(empty: str) -> None:
    names = [str(each.name).upper() for each in main.params if each.name not in {"host", "help"}]
    names += ["ACCOUNT", "API_KEY"]
    result = CliRunner().invoke(
        main, ["--host", "192.0.2.1"], env={f"FIREWORKS_SIMULATOR_{name}": empty for name in names}
    )
    assert "cannot listen on 192.0.2.1:8090" in result.output


def test_every_switch_is_explained_in_the_help() -> None:
    text = CliRunner().invoke(main, ["--help"]).output
    assert "--accelerator-required / --no-accelerator-required" in text
    assert "--quota-status [429|403|400]" in text


def test_without_its_extra_it_says_what_to_install() -> None:
    blocked = "import sys; sys.modules['starlette'] = None; from fireworks_simulator.__main__ import main; main()"
    ended = subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr == (
        "fireworks-simulator needs the Python package starlette, which comes with the extra simulator: install "
        "'fireworks-operator[simulator]', for example with pipx or uv tool\n"
    )


def test_a_port_that_is_taken_is_told_with_the_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(main, ["--port", port])
    assert result.exit_code == 1
    assert result.output == (
        f"Error: cannot listen on 127.0.0.1:{port}: Address already in use; choose another port with --port (0: any "
        f"free one), or end the process that uses {port}.\n"
    )
