"""The files of a release, as they are attached to it."""

import hashlib
import re
import sys
from pathlib import Path
from typing import Final

from release import chart, plugin
from release.check import changes, crds
from release.errors import ReleaseError, run
from release.plan import ROOT, TARGETS, Plan

INSTALL: Final = "install.yaml"
CRDS: Final = "crds.yaml"
KREW: Final = "krew.yaml"
IMAGES: Final = "images.txt"
SUMS: Final = "SHA256SUMS"
_BASE = ROOT / "deploy/base/install.yaml"


def note_digest(folder: Path, target: str, digest: str) -> None:
    """Write down the digest of an image that has been pushed, for write_assets()."""
    _digest_file(folder, target).write_text(f"{digest}\n")


def write_assets(plan: Plan, folder: Path) -> list[Path]:
    """Write all files of a release beside the plugin's archives and the SBOMs that are in the folder already.

    The notes of the images' digests go: they are in images.txt then.

    Returns:
        All files of the folder, their checksums last.

    Raises:
        ReleaseError: A file cannot be made.
    """
    digests = {target: _noted_digest(folder, target) for target in TARGETS}
    chart.package(plan, digests["operator"], folder)
    wheel(folder)
    (folder / INSTALL).write_text(install_yaml(plan, digests["operator"]))
    (folder / CRDS).write_text(crds())
    (folder / KREW).write_text(plugin.krew_manifest(plan, folder))
    images = (f"{plan.image(target)}@{digest}\n" for target, digest in digests.items())
    (folder / IMAGES).write_text("".join(images))
    for target in TARGETS:
        _digest_file(folder, target).unlink()
    return [*_files(folder), write_sums(folder)]


def install_yaml(plan: Plan, digest: str) -> str:
    """Return the plain manifests with the image of the release.

    Raises:
        ReleaseError: They do not ask for the image of this version.
    """
    unreleased = re.compile(rf"^(\s+image: )fireworks-operator:{re.escape(plan.version)}$", re.MULTILINE)
    text, count = unreleased.subn(rf"\g<1>{plan.image('operator')}@{digest}", _BASE.read_text())
    if count != 1:
        raise ReleaseError(
            f"{_BASE.relative_to(ROOT)} must ask for fireworks-operator:{plan.version} once: `make chart`"
        )
    return text


def wheel(folder: Path) -> None:
    """Build the project's wheel, with the build backend that this environment has (requirements/dev.txt)."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    run([*command, "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)])


def write_sums(folder: Path) -> Path:
    """Write the checksums of all files, as `sha256sum --check` reads them."""
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in _files(folder)]
    (folder / SUMS).write_text("".join(lines))
    return folder / SUMS


def notes(plan: Plan) -> str:
    """Return the text of the release: what has changed, how to install it and how to verify it.

    Raises:
        ReleaseError: The changelog does not have the version.
    """
    section = changes(plan.version)
    if section is None:
        raise ReleaseError(f"CHANGELOG.md: there is no section {plan.version}")
    below = f"{plan.source}/blob/{plan.tag}"
    section = re.sub(r"\]\((?!https?://|#)", f"]({below}/", section)
    return f"""\
```console
helm install fireworks-operator oci://{plan.chart} --version {plan.version} \\
  --namespace fireworks-system --create-namespace
```

[Installation]({below}/docs/installation.md) · [Upgrade]({below}/docs/upgrade.md) · \
[Verify this release]({below}/docs/verify.md)

{section}
"""


def _digest_file(folder: Path, target: str) -> Path:
    return folder / f"{target}.digest"


def _noted_digest(folder: Path, target: str) -> str:
    try:
        return _digest_file(folder, target).read_text().strip()
    except FileNotFoundError:
        raise ReleaseError(f"the image {target} has not been published: there is no {target}.digest") from None


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith(SUMS))
