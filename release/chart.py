"""The chart as it is released: it names the registry, and the image with its digest."""

import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from release.errors import ReleaseError, run
from release.plan import REGISTRY_PLACEHOLDER, ROOT, SOURCE_PLACEHOLDER, Plan

CHART: Final = ROOT / "charts/fireworks-operator"
_REPOSITORY = re.compile(r"^(image:\n(?:  .*\n)*?  repository: )\S+$", re.MULTILINE)
_ANNOTATIONS = "annotations:\n"


def package(plan: Plan, digest: str, folder: Path) -> Path:
    """Pack the chart of a release into a folder, and return the archive.

    Args:
        plan: The release.
        digest: Of the operator's image, `sha256:...`.
        folder: Where the archive goes.

    Raises:
        ReleaseError: The chart does not have the lines that a release changes, or Helm failed.
    """
    with tempfile.TemporaryDirectory(prefix="chart-") as home:
        copy = Path(home) / CHART.name
        shutil.copytree(CHART, copy)
        _rewrite(copy / "values.yaml", lambda text: _with_repository(text, plan))
        _rewrite(copy / "Chart.yaml", lambda text: _with_image(_with_addresses(text, plan), plan, digest))
        _rewrite(copy / "README.md", lambda text: _with_addresses(text, plan))
        run(["helm", "package", str(copy), "--destination", str(folder)])
    return folder / f"{CHART.name}-{plan.version}.tgz"


def _rewrite(path: Path, change: Callable[[str], str]) -> None:
    path.write_text(change(path.read_text()))


def _with_repository(values: str, plan: Plan) -> str:
    text, count = _REPOSITORY.subn(rf"\g<1>{plan.repository('operator')}", values)
    if count != 1:
        raise ReleaseError("values.yaml: there is no image.repository to write the registry into")
    return text


def _with_image(chart: str, plan: Plan, digest: str) -> str:
    """Name the image with its digest where Artifact Hub looks for it, and the template, too (`_release.tpl`)."""
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise ReleaseError(f"{digest!r} is not the digest of an image")
    head, found, rest = chart.partition(_ANNOTATIONS)
    if not found:
        raise ReleaseError("Chart.yaml: there are no annotations to write the image into")
    image = f"{plan.image('operator')}@{digest}"
    lines = f"  artifacthub.io/images: |\n    - name: operator\n      image: {image}\n"
    return f"{head}{found}{lines}{rest}"


def _with_addresses(text: str, plan: Plan) -> str:
    return text.replace(SOURCE_PLACEHOLDER, plan.source).replace(REGISTRY_PLACEHOLDER, plan.registry)
