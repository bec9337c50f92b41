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


def evaluate(program: Path, folder: Path, rule: dict[str, Any], case: dict[str, Any]) -> str:
    """Run a test of one rule, and return how it failed; empty: it did not."""
    rules, tests = folder / "rules.yaml", folder / "tests.yaml"
    rules.write_text(json.dumps({"groups": [{"name": "fireworks-operator", "rules": [rule]}]}))
    tests.write_text(json.dumps({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": [case]}))
    command = [str(program), "test", "rules", str(tests)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr
