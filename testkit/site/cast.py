"""What a terminal showed, and when: a recording in the format of asciinema (version 2)."""

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

_FRAMES_PER_SECOND: Final = 4
"""How often a line that is written again and again, such as a clock, is kept."""
_AT_ONCE: Final = 0.05
"""Seconds within which a line that is written in pieces is one."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a program wrote at a moment; `seconds` since the recording began."""

    seconds: float
    text: str


@dataclass(frozen=True, slots=True)
class Recording:
    """A terminal of a size, and all that was written to it."""

    columns: int
    rows: int
    title: str
    outputs: tuple[Output, ...]

    def to_cast(self) -> str:
        """Return it as a file for `asciinema play`."""
        header = {"version": 2, "width": self.columns, "height": self.rows, "title": self.title}
        events = ([round(each.seconds, 2), "o", each.text] for each in self.outputs)
        return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in (header, *events))

    @classmethod
    def from_cast(cls, text: str) -> "Recording":
        """Read such a file."""
        header, *events = (json.loads(line) for line in text.splitlines())
        outputs = tuple(Output(seconds, shown) for seconds, _, shown in events)
        return cls(header["width"], header["height"], header["title"], outputs)


@dataclass(frozen=True, slots=True)
class Line:
    """What a line showed from a moment on; the last one of a row stays."""

    seconds: float
    row: int
    text: str


def outputs(chunks: Iterable[tuple[float, str]]) -> Iterator[Output]:
    """Yield what a program wrote, without most of the times at which it wrote the same line again."""
    kept = -1.0
    for (seconds, text), (_, after) in itertools.pairwise([*chunks, (0.0, "")]):
        again = text.startswith("\r") and "\n" not in text and after.startswith("\r")
        if again and seconds - kept < 1 / _FRAMES_PER_SECOND:
            continue
        kept = seconds
        yield Output(seconds, text)


def lines(recording: Recording) -> list[Line]:
    """Return what each row showed and when, in the order of time.

    Rows count from the first line ever written, and a carriage return begins the current one anew: programs that move
    the cursor in other ways are not understood.
    """
    shown: list[Line] = []

    def show(line: Line) -> None:
        if shown and shown[-1].row == line.row and line.seconds - shown[-1].seconds < _AT_ONCE:
            line = replace(line, seconds=shown.pop().seconds)
        shown.append(line)

    row, current = 0, ""
    for output in recording.outputs:
        *ended, rest = (current + output.text).replace("\r\n", "\n").split("\n")
        for text in ended:
            show(Line(output.seconds, row, _last(text)))
            row += 1
        current = _last(rest)
        if current:
            show(Line(output.seconds, row, current))
    return shown


def _last(text: str) -> str:
    return text.rstrip("\r").rpartition("\r")[2]


def without_waiting(shown: Iterable[Line], most: float, frames: int) -> list[Line]:
    """Return the same, begun with the first line, and quicker where nothing happens for more than `most` seconds.

    A row that only shows how time goes by is such a wait, too, and has at most so many frames.
    """
    result: list[Line] = []
    shown = list(shown)
    clock, before = 0.0, shown[0].seconds
    for _, same_row in itertools.groupby(shown, key=lambda line: line.row):
        versions = list(same_row)
        took = versions[-1].seconds - before
        factor = min(1.0, most / took) if took else 1.0
        step = -(-len(versions) // frames)
        result += [replace(each, seconds=clock + (each.seconds - before) * factor) for each in versions[::-step][::-1]]
        clock += took * factor
        before = versions[-1].seconds
    return result
