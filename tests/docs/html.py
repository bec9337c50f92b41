"""HTML as a tree, and what a reader sees of it: blocks of text, each with the lists, tables and quotes around it."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from xml.etree import ElementTree as Xml

_VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
_BLOCKS = {"p", "li", "ol", "ul", "pre", "table", "th", "td", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote"}
_SHOWN_OTHERWISE = {"headerlink", "md-content__button", "admonition-title", "diagram", "language-mermaid"}
"""Classes of what only the site shows, or shows as a drawing."""

Block = tuple[tuple[str, ...], str]
"""The tags around a text, from the outside, and the text."""


class _Tree(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self._builder = Xml.TreeBuilder()
        self._open: list[str] = []
        self._builder.start("document", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._builder.start(tag, {name: value or "" for name, value in attrs})
        if tag in _VOID:
            self._builder.end(tag)
        else:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._builder.start(tag, {name: value or "" for name, value in attrs})
        self._builder.end(tag)

    def handle_endtag(self, tag: str) -> None:
        while tag in self._open:
            last = self._open.pop()
            self._builder.end(last)
            if last == tag:
                break

    def handle_data(self, data: str) -> None:
        self._builder.data(data)

    def tree(self) -> Xml.Element:
        while self._open:
            self._builder.end(self._open.pop())
        self._builder.end("document")
        return self._builder.close()


def parse(html: str) -> Xml.Element:
    """Return the tree of a document."""
    parser = _Tree()
    parser.feed(html)
    parser.close()
    return parser.tree()


def article(html: str) -> Xml.Element:
    """Return the part of a page of the site that its Markdown became."""
    (found,) = (each for each in parse(html).iter("article"))
    return found


def blocks(tree: Xml.Element) -> list[Block]:
    """Return what a reader sees, without what only the site adds."""
    return [(path, text) for path, text in _joined(_pieces(tree, ())) if text]


def _joined(pieces: Iterator[tuple[tuple[str, ...], int, str]]) -> Iterator[Block]:
    last: tuple[tuple[str, ...], int] = ((), 0)
    text = ""
    for path, block, piece in pieces:
        if (path, block) != last:
            yield last[0], _tidy(text)
            last, text = (path, block), ""
        text += piece
    yield last[0], _tidy(text)


def _pieces(element: Xml.Element, path: tuple[str, ...], block: int = 0) -> Iterator[tuple[tuple[str, ...], int, str]]:
    """Yield each text with its path, and with the block that it belongs to."""
    classes = set(element.get("class", "").split())
    if classes & _SHOWN_OTHERWISE:
        return
    tag = "blockquote" if "admonition" in classes else element.tag
    if tag in _BLOCKS:
        block = id(element)
        tag += element.get("start", "")  # of a list that goes on after something else
        # Whether the text of a list's item is a paragraph is a matter of blank lines, and hardly to be seen.
        path = path if tag == "p" else (*path, tag)
    if element.text:
        yield path, block, element.text
    for child in element:
        yield from _pieces(child, path, block)
        if child.tail:
            yield path, block, child.tail


def _tidy(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"^\s*\[!\w+\]", "", text)).strip()
