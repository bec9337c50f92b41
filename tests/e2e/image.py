"""Builds the project's two images from its Dockerfile: by Docker, or else by buildah on a base made of Debian packages.

    python -m tests.e2e.image [operator|simulator]...     default: both

Each lies afterwards as an archive, as `docker save` writes it, in ~/.cache/fireworks-operator/images (or in
$FIREWORKS_IMAGES). With Docker it is in Docker, too, as fireworks-operator:dev and fireworks-simulator:dev.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from testkit.kubernetes import ClusterError
from testkit.kubernetes.errors import last_lines
from testkit.kubernetes.files import locked
from testkit.kubernetes.progress import Progress

ROOT = Path(__file__).resolve().parents[2]
TARGETS = ("operator", "simulator")
TAG = "dev"

_SUITE = "trixie"  # the Debian release that python:3.13-slim is made of, too
_PATHS = ("doc", "info", "locale", "man")
# What the base of each stage of the Dockerfile holds beside the essentials.
_PACKAGES = {
    "python": ("python3", "python3-venv", "ca-certificates"),
    "runtime": ("python3", "ca-certificates"),
}


class ImageError(ClusterError):
    """An image could not be built; the text says what to do, or ends with what the builder said last."""


def name_of(target: str) -> str:
    """Returns the name of an image with its tag."""
    return f"fireworks-{target}:{TAG}"


def build(target: str, progress: Progress, labels: Mapping[str, str] | None = None) -> Path:
    """Builds an image, or finds that it is up to date, and returns its archive.

    Args:
        target: A stage of the Dockerfile.
        progress: Where it says how far it is.
        labels: The build arguments that end in labels; None: those of an image that is not released.

    Raises:
        ImageError: There is nothing to build with, or the build failed.
    """
    folder = _folder()
    archive = folder / f"{target}.tar"
    arguments = _arguments(labels or {"REVISION": _revision()})
    with locked(folder):
        if _docker_runs():
            progress.say(f"building {name_of(target)} with Docker")
            _run(["docker", "build", *arguments, "--target", target, "--tag", name_of(target), str(ROOT)])
            _run(["docker", "save", "--output", str(archive), name_of(target)])
        else:
            _build_without_docker(target, folder, archive, arguments, progress)
    progress.say(f"{name_of(target)}: {_megabytes(archive)} in {archive}")
    return archive


def problem() -> str | None:
    """Returns why no image can be built here and what to do about it, or None if one can."""
    if _docker_runs():
        return None
    missing = [command for command in ("buildah", "mmdebstrap") if shutil.which(command) is None]
    if missing:
        return f"there is no Docker; without it: apt-get install {' '.join(missing)}"
    return None if os.geteuid() == 0 else "without Docker, building an image needs root"


def _folder() -> Path:
    named = os.environ.get("FIREWORKS_IMAGES")
    return Path(named).absolute() if named else Path.home() / ".cache/fireworks-operator/images"


def _docker_runs() -> bool:
    return bool(shutil.which("docker")) and subprocess.run(["docker", "info"], capture_output=True).returncode == 0


def _arguments(labels: Mapping[str, str]) -> list[str]:
    """Returns the build arguments for labels, and those that the environment asks for."""
    given = {**labels, "PIP_INDEX_URL": os.environ.get("PIP_INDEX_URL")}
    return [word for name, value in given.items() if value for word in ("--build-arg", f"{name}={value}")]


def _dockerfile(arguments: Sequence[str], folder: Path) -> Path:
    """Writes the Dockerfile with the arguments filled in: buildah does not notice when those of a LABEL change."""
    text = (ROOT / "Dockerfile").read_text()
    for name, value in (word.split("=", 1) for word in arguments if "=" in word):
        text = text.replace(f"${{{name}}}", value)
    written = folder / "Dockerfile"
    written.write_text(text)
    return written


def _revision() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _build_without_docker(
    target: str, folder: Path, archive: Path, arguments: Sequence[str], progress: Progress
) -> None:
    trouble = problem()
    if trouble is not None:
        raise ImageError(trouble)
    buildah = ["buildah", "--root", str(folder / "store"), "--runroot", str(folder / "store-run")]
    bases = [
        word
        for stage in _PACKAGES
        for word in ("--build-arg", f"{stage.upper()}_IMAGE={_base(stage, buildah, folder, progress)}")
    ]
    progress.say(f"building {name_of(target)} with buildah (minutes the first time)")
    certificates = os.environ.get("PIP_CERT")
    if certificates:
        bases += ["--volume", f"{certificates}:{certificates}:ro", "--build-arg", f"PIP_CERT={certificates}"]
    # Not in a container of its own: that would take control groups that not every machine lets one make.
    file = ("--file", str(_dockerfile(arguments, folder)))
    options = ["--isolation", "chroot", "--layers", "--format", "docker", "--target", target]
    _run([*buildah, "build", *options, *bases, *arguments, "--tag", name_of(target), *file, str(ROOT)])
    unfinished = archive.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    _run([*buildah, "push", name_of(target), f"docker-archive:{unfinished}:{name_of(target)}"])
    unfinished.replace(archive)


def _base(stage: str, buildah: Sequence[str], folder: Path, progress: Progress) -> str:
    """Returns the name of a base image, made of Debian packages unless it is there already."""
    packages = ",".join(_PACKAGES[stage])
    key = hashlib.sha256(f"{_SUITE} {packages} {_PATHS}".encode()).hexdigest()[:8]
    name = f"localhost/fireworks-base-{stage}:{key}"
    if subprocess.run([*buildah, "inspect", "--type", "image", name], capture_output=True, check=False).returncode == 0:
        return name
    progress.say(f"making a base image of Debian packages: {packages} (a minute, then kept in {folder})")
    context = folder / f"base-{stage}"
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir()
    excluded = [f"--dpkgopt=path-exclude=/usr/share/{path}/*" for path in _PATHS]
    link = '--customize-hook=ln -s python3 "$1/usr/bin/python"'
    filesystem = str(context / "filesystem.tar")
    _run(["mmdebstrap", "--variant=minbase", f"--include={packages}", *excluded, link, _SUITE, filesystem])
    (context / "Dockerfile").write_text("FROM scratch\nADD filesystem.tar /\n")
    _run([*buildah, "build", "--isolation", "chroot", "--tag", name, str(context)])
    shutil.rmtree(context)
    return name


def _megabytes(archive: Path) -> str:
    """Returns the size of an image's content, in words."""
    with tarfile.open(archive) as files:
        manifest = files.extractfile("manifest.json")
        assert manifest is not None
        layers = json.load(manifest)[0]["Layers"]
        total = sum(files.getmember(layer).size for layer in layers)
    return f"{total / 1e6:.0f} MB"


def image_config(archive: Path) -> tuple[str, dict[str, Any]]:
    """Returns the hash of an image's configuration, by which container runtimes name the image, and what it says."""
    with tarfile.open(archive) as files:
        manifest = files.extractfile("manifest.json")
        assert manifest is not None
        config = files.extractfile(json.load(manifest)[0]["Config"])
        assert config is not None
        content = config.read()
    return hashlib.sha256(content).hexdigest(), json.loads(content)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = last_lines(done.stdout + done.stderr)
        raise ImageError(f"`{command[0]}` failed with exit code {done.returncode}:\n{said}")


def main() -> int:
    """Runs the command and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="operator, simulator; default: both")
    progress = Progress()
    try:
        for target in parser.parse_args().targets or TARGETS:
            build(target, progress)
    except ClusterError as error:
        print(f"image: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
