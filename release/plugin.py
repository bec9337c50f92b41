"""`kubectl fireworks` as a program that needs no Python, and its manifest for krew.

krew unpacks one archive per platform and runs what is in it; it cannot install a Python wheel. The plugin has
compiled dependencies, so a zipapp would be bound to one platform and one version of Python. PyInstaller therefore puts
the interpreter beside the program. It cannot build for another platform: the workflow runs this once on each.
"""

import hashlib
import platform
import re
import tarfile
import tempfile
import venv
from pathlib import Path
from typing import Final

from release.errors import ReleaseError, run
from release.plan import ROOT, Plan

NAME: Final = "kubectl-fireworks"
_SYSTEMS: Final = {"Linux": "linux", "Darwin": "darwin"}
_MACHINES: Final = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_ARCHIVE = re.compile(rf"{NAME}-(?P<os>[a-z]+)-(?P<arch>[a-z0-9]+)\.tar\.gz")
_PROGRAM = "from fireworks_operator.plugin.__main__ import main\n\nmain()\n"
# Beside what is imported by name: commands that are loaded when they are used, data files, and the version.
_DATA = (
    "--collect-submodules=fireworks_operator.plugin",
    "--collect-data=fireworks_operator",
    "--collect-data=certifi",
    "--copy-metadata=fireworks-operator",
)


def this_platform() -> str:
    """Return what krew calls this machine, for example `linux-amd64`.

    Raises:
        ReleaseError: There is no plugin for it.
    """
    system, machine = platform.system(), platform.machine().lower()
    if system not in _SYSTEMS or machine not in _MACHINES:
        raise ReleaseError(f"the plugin is not built for {system} on {machine}")
    return f"{_SYSTEMS[system]}-{_MACHINES[machine]}"


def build(folder: Path) -> Path:
    """Build the plugin for this platform, and return its archive.

    Raises:
        ReleaseError: A package could not be installed, or PyInstaller failed.
    """
    archive = folder.absolute() / f"{NAME}-{this_platform()}.tar.gz"
    with tempfile.TemporaryDirectory(prefix="plugin-") as home:
        bundle = _bundle(Path(home))
        with tarfile.open(archive, "w:gz") as files:
            for path in sorted(bundle.iterdir()):
                files.add(path, arcname=path.name, filter=_owned_by_nobody)
            files.add(ROOT / "LICENSE", arcname="LICENSE", filter=_owned_by_nobody)
    return archive


def _bundle(home: Path) -> Path:
    """Install the plugin and PyInstaller into an environment of their own, and return the folder that it makes."""
    venv.create(home / "environment", with_pip=True)
    python = str(home / "environment/bin/python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--require-hashes", "--requirement", str(ROOT / "requirements/plugin.txt")])
    run([*pip, "--no-deps", "--no-build-isolation", str(ROOT)])
    program = home / f"{NAME}.py"
    program.write_text(_PROGRAM)
    options = ["--noconfirm", "--log-level=WARN", "--onedir", f"--name={NAME}", *_DATA]
    run([python, "-m", "PyInstaller", *options, str(program)], folder=home)
    return home / "dist" / NAME


def _owned_by_nobody(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def krew_manifest(plan: Plan, folder: Path) -> str:
    """Return the manifest with which krew installs the archives that lie in a folder.

    Raises:
        ReleaseError: There are none.
    """
    archives = [(path, found) for path in sorted(folder.iterdir()) if (found := _ARCHIVE.fullmatch(path.name))]
    if not archives:
        raise ReleaseError(f"there is no {NAME}-OS-ARCH.tar.gz in {folder}")
    platforms = "".join(_platform(plan, path, found["os"], found["arch"]) for path, found in archives)
    return f"""\
apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: fireworks
spec:
  version: {plan.tag}
  homepage: {plan.source}
  shortDescription: Show dedicated LLM deployments on Fireworks AI
  description: |
    Shows the FireworksDeployments of fireworks-operator together with their state
    at Fireworks: progress, endpoint and model identifier, orphaned deployments,
    and whether everything that a deployment needs is in place.
  platforms:
{platforms}"""


def _platform(plan: Plan, archive: Path, system: str, architecture: str) -> str:
    return f"""\
    - selector:
        matchLabels:
          os: {system}
          arch: {architecture}
      uri: {plan.asset_url(archive.name)}
      sha256: {hashlib.sha256(archive.read_bytes()).hexdigest()}
      bin: {NAME}
"""
