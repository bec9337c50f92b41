"""The command itself: how it starts, and what a shell makes of what it prints."""

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

from click.testing import CliRunner

from fireworks_operator.plugin.cli import main
from fireworks_operator.plugin.endpoint import curl, export_lines
from testkit.builders import a_resource
from testkit.kubectl_plugin import COMPLETION


def test_without_its_extra_it_says_what_to_install() -> None:
    blocked = "import sys; sys.modules['rich'] = None; from fireworks_operator.plugin.__main__ import main; main()"
    ended = subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("kubectl fireworks requires the Python package rich")
    assert "pip install 'fireworks-operator[cli]'" in ended.stderr


def test_the_package_installs_the_command_under_the_name_that_kubectl_looks_for() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    module, _, function = project["scripts"]["kubectl-fireworks"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_the_help_lists_all_commands_each_in_a_full_sentence() -> None:
    text = CliRunner().invoke(main, ["--help"]).output
    for command in ("doctor", "endpoint", "import", "list", "orphans", "query", "shapes", "status"):
        line = next(each for each in text.splitlines() if each.split()[:1] == [command])
        assert line.endswith("."), line
        assert "..." not in line
    assert "__complete" not in text


def test_examples_in_the_help_stand_on_lines_of_their_own() -> None:
    shown = 0
    for name in main.commands:
        text = CliRunner().invoke(main, [name, "--help"], terminal_width=78).output
        assert "\\b" not in text
        examples = [each for each in text.splitlines() if f"kubectl fireworks {name} " in each]
        shown += len([each for each in examples if not each.startswith("Usage:")])
        assert all(each.count("kubectl fireworks ") == 1 for each in examples)
    assert shown >= 8


def test_the_page_about_the_plugin_has_every_command_and_the_script_for_completion() -> None:
    page = (Path(__file__).parents[2] / "docs/kubectl-plugin.md").read_text()
    assert f"```sh\n#!/bin/sh\n{COMPLETION}\n```" in page
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
