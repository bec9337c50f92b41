"""`kubectl-fireworks` as a process of its own, found on the PATH as kubectl finds it."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from testkit.forked import Forked

NONE: Mapping[str, str] = {}
_PATIENCE = 90.0
_START = "import sys; from fireworks_operator.plugin.__main__ import {0}; sys.exit({0}())"
"""As the programs begin that the package installs."""
_LAUNCHERS = {
    "kubectl-fireworks": f'exec {sys.executable} -c "{_START.format("main")}" "$@"',
    "kubectl_complete-fireworks": f'exec {sys.executable} -c "{_START.format("complete")}" "$@"',
}


class Plugin:
    """Runs the plugin and checks what holds for every run: no traceback, and no API key in what it says.

    Args:
        folder: where its launchers and the home folder of its user lie.
        kubeconfig: KUBECONFIG, one or several files.
        variables: further environment variables.
    """

    def __init__(self, folder: Path, kubeconfig: Path, **variables: str) -> None:
        self._folder = folder / "bin"
        self._folder.mkdir(parents=True, exist_ok=True)
        for name, line in _LAUNCHERS.items():
            launcher = self._folder / name
            launcher.write_text(f"#!/bin/sh\n{line}\n")
            launcher.chmod(0o755)
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        path = f"{self._folder}{os.pathsep}{os.environ['PATH']}"
        own = {"PATH": path, "HOME": str(folder), "KUBECONFIG": str(kubeconfig)}
        self.environment: Mapping[str, str] = kept | own | variables

    def __call__(self, *words: str, code: int = 0, env: Mapping[str, str] = NONE) -> str:
        """Run it to the end and return what stands on standard output."""
        return self.tell(*words, code=code, env=env).stdout

    def refuse(self, *words: str, code: int = 1, env: Mapping[str, str] = NONE) -> str:
        """Run it in vain and return what it says to that: one message."""
        done = self.tell(*words, code=code, env=env)
        assert done.stdout == ""
        return done.stderr

    def tell(self, *words: str, code: int = 0, env: Mapping[str, str] = NONE) -> subprocess.CompletedProcess[str]:
        """Run it to the end and return all that it says."""
        environment = {**self.environment, **env}
        with tempfile.TemporaryDirectory() as folder:
            output, errors = Path(folder, "output"), Path(folder, "errors")
            command = ("kubectl-fireworks", *words)
            returned = Forked(command, environment, output, errors).wait(_PATIENCE)
            done = subprocess.CompletedProcess(command, returned, output.read_text(), errors.read_text())
        return _checked(done, code, environment)

    def run(self, *command: str, code: int = 0, env: Mapping[str, str] = NONE) -> subprocess.CompletedProcess[str]:
        """Run any command where the plugin is on the PATH."""
        environment = {**self.environment, **env}
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=_PATIENCE,
        )
        return _checked(done, code, environment)

    def start(self, log: Path, *words: str) -> subprocess.Popen[bytes]:
        """Start it in the background, its output in a file."""
        with log.open("wb") as output:
            return subprocess.Popen(
                ("kubectl-fireworks", *words),
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Where the tests run in the background of a shell, SIGINT is ignored, and children inherit that.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )


def _checked(
    done: subprocess.CompletedProcess[str], code: int, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert "Traceback" not in said, said
    key = environment.get("FIREWORKS_API_KEY")
    assert not key or key not in said, "an API key is shown"
    return done
