"""The command itself: how it starts, and what a shell makes of what it prints."""

import importlib
import json
import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from fireworks_operator.plugin.cli import main
from fireworks_operator.plugin.endpoint import curl, export_lines
from testkit.builders import a_resource


def test_without_its_extra_it_says_what_to_install(tmp_path: Path) -> None:
    blocked = "import sys; sys.modules['rich'] = None; from fireworks_operator.plugin.__main__ import main; main()"
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(json.dumps({"current-context": "a", "contexts": [{"name": "a"}]}))
    ended = subprocess.run(
        [sys.executable, "-c", blocked, "list"],
        env=os.environ | {"KUBECONFIG": str(kubeconfig)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr == (
        "kubectl fireworks requires the Python package rich, which comes with the extra cli: install "
        "'fireworks-operator[cli]', for example with pipx or uv tool\n"
    )


@pytest.mark.parametrize("name", ["kubectl-fireworks", "kubectl_complete-fireworks"])
def test_the_package_installs_the_commands_under_the_names_that_kubectl_looks_for(name: str) -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    module, _, function = project["scripts"][name].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_the_help_lists_all_commands_each_in_a_full_sentence() -> None:
    text = CliRunner().invoke(main, ["--help"]).output
    for command in ("doctor", "endpoint", "import", "list", "orphans", "query", "shapes", "status"):
        line = next(each for each in text.splitlines() if each.split()[:1] == [command])
        assert line.endswith("."), line
        assert "..." not in line
    assert "__complete" not in text


@pytest.mark.parametrize("name", [name for name, command in main.commands.items() if not command.hidden])
def test_the_help_has_examples_on_lines_of_their_own_that_the_command_accepts(name: str) -> None:
    text = CliRunner().invoke(main, [name, "--help"], terminal_width=78).output
    assert "\\b" not in text
    examples = [
        each for each in text.splitlines() if f"kubectl fireworks {name}" in each and not each.startswith("Usage:")
    ]
    assert len(examples) >= 2
    for each in examples:
        _, _, words = each.partition(f"kubectl fireworks {name}")
        words = words.partition(" > ")[0].removesuffix(')"')
        main.commands[name].make_context(name, shlex.split(words))


def test_the_page_about_the_plugin_has_every_command() -> None:
    page = (Path(__file__).parents[2] / "docs/kubectl-plugin.md").read_text()
    for name, command in main.commands.items():
        assert command.hidden or f"| `{name}" in page


def test_a_shell_reads_names_of_others_as_mere_text() -> None:
    evil = "m'; touch $(pwned) `pwned`#accounts/a/deployments/d"
    addons = [{"model": "lora", "modelIdentifier": "x\npwned #y"}]
    lines = export_lines(a_resource(status={"addons": addons}), "https://x/v1", evil)
    script = "\n".join(["set -u; FIREWORKS_API_KEY=k", *lines, 'printf %s "$OPENAI_MODEL"'])
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, evil, "")
    words = subprocess.run(
        ["sh", "-c", f"curl() {{ printf '%s\\n' \"$@\"; }}; FIREWORKS_API_KEY=k; {curl('https://x/v1', evil)}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert words.stderr == ""
    assert words.stdout.splitlines()[0] == "https://x/v1/chat/completions"
    assert "Authorization: Bearer k" in words.stdout.splitlines()
