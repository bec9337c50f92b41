"""How things are shown: tables for people, plain columns for pipes, JSON and YAML for programs."""

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import click
import yaml
from pydantic import JsonValue
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fireworks_operator.api.base import MESSAGE_LENGTH
from fireworks_operator.text import one_line

from .form import Form


def new_console() -> Console:
    """Return a console for standard output; colours and boxes only in a terminal."""
    return Console(highlight=False, emoji=False, markup=False)


def clean(text: str) -> str:
    """Return text of others as one line that cannot steer a terminal."""
    return one_line(text, MESSAGE_LENGTH)


def printable(text: str) -> str:
    """Return text of several lines that cannot steer a terminal: of control characters, line breaks and tabs stay."""
    return "".join(" " if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" else c for c in text)


def print_data(value: JsonValue, form: Form) -> None:
    """Print for programs."""
    if form is Form.JSON:
        click.echo(json.dumps(value, indent=2))
    else:
        click.echo(to_yaml(value), nl=False)


def to_yaml(value: JsonValue) -> str:
    """Return YAML in the order given, each text on one line as far as it goes."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1000)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: its cells, a style for the first cells, and what stands below them in a terminal."""

    cells: Sequence[str]
    style: str = ""
    below: str = ""


def print_columns(head: Sequence[str], rows: Sequence[Row], below: str) -> None:
    """Print one line per row for pipes, `below` being the last column; no cell is empty."""
    lines = [[*head, below], *([cell or "-" for cell in (*row.cells, row.below)] for row in rows)]
    for line in _aligned(lines):
        click.echo(line)


def print_table(console: Console, head: Sequence[str], rows: Sequence[Row], *, names: int = 0) -> None:
    """Print rows for a terminal, each with its long text below, where it can be copied in one piece.

    Args:
        console: the terminal.
        head: of the columns.
        rows: have as many cells.
        names: how many of the first cells may be long; where the table is too wide they stand on a line of their own.
    """
    cells = [head, *(row.cells for row in rows)]
    lines = _aligned(cells)
    if names and max(map(len, lines)) > console.width:
        titles = _aligned([each[:names] for each in cells])
        rest = _aligned([each[names:] for each in cells])
        lines = [f"{title}\n  {facts}" for title, facts in zip(titles, rest, strict=True)]
    console.print(Text(lines[0], style="bold"), soft_wrap=True)
    for row, line in zip(rows, lines[1:], strict=True):
        console.print(Text(line, style=row.style), soft_wrap=True)
        if row.below:
            console.print(Text(f"  {clean(row.below)}", style="dim"), soft_wrap=True)


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Return lines whose columns are as wide as their longest cells."""
    cells = [[clean(cell) for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]


def new_table(*head: str) -> Table:
    """Return a table for terminals; long words are broken rather than cut."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for name in head:
        table.add_column(name, overflow="fold")
    return table


def identifier_text(identifier: str) -> Text:
    """Return a model identifier for a terminal, where it seldom fits one line: broken before the deployment."""
    return Text(clean(identifier).replace("#", "\n#", 1))
