"""The Markdown of the documentation, as far as tests look into it."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, language: str) -> Iterator[str]:
    """Yield the code blocks of a language."""
    yield from (found[2] for found in _FENCE.finditer(page) if found[1] == language)


def headings(page: str) -> list[str]:
    """Return the headings of a page, without those inside code blocks."""
    return [line.lstrip("# ") for line in _FENCE.sub("", page).splitlines() if line.startswith("#")]


def anchors(page: str) -> set[str]:
    """Return the anchors that GitHub gives to the headings."""
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings(page)}
