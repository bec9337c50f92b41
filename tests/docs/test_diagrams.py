"""Diagrams of the documentation are drawings that were made from their text."""

import pytest

from testkit.documentation.pages import DOCS, blocks
from testkit.site.diagrams import DRAWINGS, DiagramError, drawing, for_page, name_of

SOURCES = [source for page in sorted(DOCS.rglob("*.md")) for source in blocks(page.read_text(), "mermaid")]
DRAWN = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" width="9.123" height="9" style="--bg:#FFF">
<style>
  @import url('https://fonts.example.com/a.css');
  svg { --_text: var(--fg) }
</style>

<marker id="arrow"/><line data-id="a" x1="1.26999" marker-end="url(#arrow)" />
</svg>"""


def test_each_diagram_has_a_drawing_and_each_drawing_a_diagram() -> None:
    assert sorted(map(name_of, SOURCES)) == sorted(each.stem for each in DRAWINGS.glob("*.svg")), "run `make docs`"


def test_a_diagram_that_was_changed_is_not_shown_as_it_was() -> None:
    assert "<svg" in drawing(SOURCES[0], "mermaid", "mermaid", {}, None)
    with pytest.raises(DiagramError, match="make docs"):
        drawing(f"{SOURCES[0]}  more --> boxes\n", "mermaid", "mermaid", {}, None)


def test_a_drawing_takes_its_colours_and_its_size_from_the_page() -> None:
    name = name_of("flowchart LR")
    assert for_page(DRAWN, "flowchart LR").splitlines() == [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" width="9.1" role="img"'
        ' aria-label="Flow chart; its text is in the source of this page">',
        f'<marker id="{name}-arrow"/><line data-id="a" x1="1.3" marker-end="url(#{name}-arrow)" />',
        "</svg>",
    ]
