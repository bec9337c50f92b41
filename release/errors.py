"""The one error of this package, and commands that raise it."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class ReleaseError(Exception):
    """A release cannot be made; the text says why and what to do."""


def run(
    command: Sequence[str], *, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command and return what it printed.

    Raises:
        ReleaseError: It is not installed, or it failed; the text ends with what it said.
    """
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise ReleaseError(f"`{name}` is not installed") from None
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise ReleaseError(f"`{name} {command[1]}` failed with exit code {done.returncode}:\n{said}")
    return done
