"""What must agree before a release is built."""

import re
from collections.abc import Iterator
from pathlib import Path

from release.plan import ROOT, project_version

_CHART = ROOT / "charts/fireworks-operator/Chart.yaml"
_IMAGE = re.compile(r"fireworks-(?:operator|simulator):(\d+\.\d+\.\d+[\w.-]*)")
_TAG = re.compile(r"^[\s-]*newTag: (\S+)$", re.MULTILINE)
_FOLDERS = ("charts", "deploy", "docs", "examples")
_SUFFIXES = (".md", ".yaml", ".yml")


def disagreements(tag: str | None = None) -> Iterator[str]:
    """Yield what does not fit the version in pyproject.toml, each with the file to correct.

    Args:
        tag: The tag in Git; None: there is none yet.
    """
    version = project_version()
    if tag is not None and tag != f"v{version}":
        yield f"the tag is {tag}; pyproject.toml says {version}, whose tag is v{version}"
    chart = _CHART.read_text()
    for field in ("version", "appVersion"):
        if not re.search(rf'^{field}: "?{re.escape(version)}"?$', chart, re.MULTILINE):
            yield f"charts/fireworks-operator/Chart.yaml: {field} is not {version}"
    if changes(version) is None:
        yield f"CHANGELOG.md: there is no section {version}"
    released = ROOT / f"tests/crd/released/{version}.yaml"
    if not released.exists() or released.read_text() != crds():
        yield f"tests/crd/released/{version}.yaml is not what `cat crds/*.yaml` prints"
    yield from other_versions(version)


def other_versions(version: str) -> Iterator[str]:
    """Yield where an example asks for an image of another version, and thus not for the tag that is pushed."""
    for path in _texts():
        text = path.read_text()
        for found in (*_IMAGE.finditer(text), *_TAG.finditer(text)):
            if found[1] != version:
                line = text.count("\n", 0, found.start()) + 1
                yield f"{path.relative_to(ROOT)}:{line}: asks for version {found[1]} of the image"


def crds() -> str:
    """Return the CRDs of all kinds as one text; each begins a document of its own."""
    return "".join(path.read_text() for path in sorted((ROOT / "crds").glob("*.yaml")))


def changes(version: str) -> str | None:
    """Return the section of the changelog about a version, without its heading; None if there is none."""
    text = (ROOT / "CHANGELOG.md").read_text()
    section = re.search(rf"^## \[?{re.escape(version)}\b[^\n]*\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    return section[1].strip() if section else None


def _texts() -> Iterator[Path]:
    yield ROOT / "README.md"
    for folder in _FOLDERS:
        yield from sorted(path for path in (ROOT / folder).rglob("*") if path.suffix in _SUFFIXES)
