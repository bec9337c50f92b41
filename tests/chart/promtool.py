"""Prometheus' own tool for rules: on the PATH, where `$FIREWORKS_PROMTOOL` says, or built from its published module.

make promtool        10 minutes on 2 cores, once; without it the tests of alerts are skipped
"""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from testkit.kubernetes import ClusterError, toolchain
from testkit.kubernetes.build import binaries_root
from testkit.kubernetes.errors import last_lines
from testkit.kubernetes.files import locked

MODULE = Path(__file__).parent / "prometheus"
PACKAGE = "github.com/prometheus/prometheus/cmd/promtool"


def find() -> Path | None:
    """Return the program, None if it is not there."""
    named = os.environ.get("FIREWORKS_PROMTOOL") or shutil.which("promtool")
    program = Path(named) if named else _built()
    return program if program.exists() else None


def build() -> Path:
    """Return the program, built if need be.

    Raises:
        ClusterError: There is no compiler, or it failed.
    """
    program = _built()
    with locked(program.parent):
        if not program.exists():
            _compile(program)
    return program


def evaluate(program: Path, folder: Path, rule: dict[str, Any], case: dict[str, Any]) -> str:
    """Run a test of one rule, and return how it failed; empty: it did not."""
    rules, tests = folder / "rules.yaml", folder / "tests.yaml"
    rules.write_text(json.dumps({"groups": [{"name": "fireworks-operator", "rules": [rule]}]}))
    tests.write_text(json.dumps({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": [case]}))
    command = [str(program), "test", "rules", str(tests)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def _built() -> Path:
    version = (MODULE / "go.mod").read_text().split()[-1]
    return binaries_root() / f"promtool-{version}" / "promtool"


def _compile(program: Path) -> None:
    go = toolchain.find(MODULE, binaries_root())
    # A copy, since the compiler completes go.mod; what it downloads must be what go.sum says.
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(MODULE, folder, dirs_exist_ok=True)
        command = [str(go.program), "build", "-mod=mod", "-trimpath", "-ldflags=-s -w", "-o", str(program), PACKAGE]
        done = subprocess.run(
            command, cwd=folder, env=toolchain.environment(), capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        raise ClusterError(f"promtool could not be built:\n{last_lines(done.stderr)}")


if __name__ == "__main__":
    print(build())
