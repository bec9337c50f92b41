"""Prometheus' own tool for rules: on the PATH, where `$FIREWORKS_PROMTOOL` says, or built by `make promtool`."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from cluster.build import binaries_root

MODULE = "github.com/prometheus/prometheus/cmd/promtool"
VERSION = "v0.305.0"
"""Of the module; Prometheus itself calls it 3.5.0."""


def built() -> Path:
    """Return where `make promtool` puts it."""
    return binaries_root() / f"promtool-{VERSION}" / "promtool"


def find() -> Path | None:
    """Return the program, None if it is not there."""
    named = os.environ.get("FIREWORKS_PROMTOOL") or shutil.which("promtool")
    program = Path(named) if named else built()
    return program if program.exists() else None


def check(program: Path, folder: Path, rules: list[dict[str, Any]]) -> str:
    """Have rules parsed, and return what is wrong with them; empty: nothing."""
    return _run(program, "check", "rules", str(_write(folder, rules)))


def test(program: Path, folder: Path, rules: list[dict[str, Any]], case: dict[str, Any]) -> str:
    """Run one test of rules, and return how it failed; empty: it did not."""
    content = {"rule_files": [str(_write(folder, rules))], "evaluation_interval": "1m", "tests": [case]}
    file = folder / "test.yaml"
    file.write_text(json.dumps(content))
    return _run(program, "test", "rules", str(file))


def _write(folder: Path, rules: list[dict[str, Any]]) -> Path:
    path = folder / "rules.yaml"
    path.write_text(json.dumps({"groups": [{"name": "fireworks-operator", "rules": rules}]}))
    return path


def _run(program: Path, *arguments: str) -> str:
    done = subprocess.run([str(program), *arguments], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr
