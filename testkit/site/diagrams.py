"""Diagrams of the documentation: drawn once, so that neither the build nor the reader's browser needs a library.

A Mermaid block of a page is shown as the drawing that `docs/diagrams/` has for exactly this text. `make docs` draws
those that are missing (with node and npm), and removes those that no page shows any more.
"""

import hashlib
import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from testkit.documentation.pages import DOCS, blocks

DRAWINGS: Final = DOCS / "diagrams"
_TOOL: Final = Path(__file__).with_name("drawing")
_STYLE = re.compile(r"<style>.*?</style>\s*", re.DOTALL)
_SIZE = re.compile(r' (width="[\d.]+") height="[\d.]+" style="[^"]*"')
_NUMBER = re.compile(r"\d+\.\d{2,}")


class DiagramError(Exception):
    """A diagram has no drawing, or cannot be drawn; the text says what to do."""


def name_of(source: str) -> str:
    """Return the name of a diagram, which is that of its text."""
    return hashlib.sha256(source.strip().encode()).hexdigest()[:12]


def drawing(source: str, _language: str, _class: str, _options: object, _markdown: object, **_others: object) -> str:
    """Return the HTML of a Mermaid block (mkdocs.yml names this function).

    Raises:
        DiagramError: the diagram was changed, and not drawn since.
    """
    file = DRAWINGS / f"{name_of(source)}.svg"
    if not file.exists():
        raise DiagramError(f"there is no drawing of this diagram, run `make docs`:\n{source}")
    return f'<div class="diagram" data-search-exclude>{file.read_text(encoding="utf-8")}</div>'


def draw(sources: Iterable[str]) -> list[str]:
    """Return the drawings of Mermaid sources.

    Raises:
        DiagramError: node or npm is missing, or cannot do it.
    """
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(_TOOL, folder, dirs_exist_ok=True)
        _run(folder, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
        drawn = json.loads(_run(folder, "node", "draw.js", given=json.dumps(list(sources))))
    return [str(each) for each in drawn]


def for_page(svg: str, source: str) -> str:
    """Return a drawing that takes its colours from the page (stylesheets/extra.css), and at most its own width.

    The name of the diagram goes into its ids, since a page may have several.
    """
    name = name_of(source)
    svg = _SIZE.sub(rf' \1 role="img" aria-label="{html.escape(_label(source))}"', _STYLE.sub("", svg), count=1)
    svg = re.sub(r'(?<= )id="|url\(#', lambda found: f"{found[0]}{name}-", svg)
    svg = _NUMBER.sub(lambda found: f"{float(found[0]):.1f}", svg)
    # A blank line would end the block of HTML.
    return "".join(f"{line.strip()}\n" for line in svg.splitlines() if line.strip())


def _label(source: str) -> str:
    kinds = {"flowchart": "Flow chart", "sequenceDiagram": "Sequence diagram", "stateDiagram-v2": "State diagram"}
    kind = source.split(maxsplit=1)[0]
    return f"{kinds.get(kind, 'Diagram')}; its text is in the source of this page"


def _run(folder: str, *command: str, given: str | None = None) -> str:
    try:
        done = subprocess.run(command, cwd=folder, input=given, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise DiagramError(f"{command[0]} is missing: install Node.js 20 or newer") from error
    except subprocess.CalledProcessError as error:
        raise DiagramError(f"`{' '.join(command)}` failed:\n{error.stderr}") from error
    return done.stdout


def main() -> int:
    """Draw what is missing and remove what is not shown any more."""
    wanted = {name_of(source): source for page in sorted(DOCS.rglob("*.md")) for source in _sources(page)}
    there = {file.stem: file for file in DRAWINGS.glob("*.svg")}
    for name in there.keys() - wanted.keys():
        there[name].unlink()
    missing = {name: source for name, source in wanted.items() if name not in there}
    if missing:
        DRAWINGS.mkdir(exist_ok=True)
        for (name, source), svg in zip(missing.items(), draw(missing.values()), strict=True):
            (DRAWINGS / f"{name}.svg").write_text(for_page(svg, source), encoding="utf-8")
    return 0


def _sources(page: Path) -> Iterable[str]:
    return blocks(page.read_text(encoding="utf-8"), "mermaid")


if __name__ == "__main__":
    sys.exit(main())
