"""A recording of a terminal as an animated picture, in the colours of a light or a dark page.

It needs no script, so that it also moves where a page may have none, such as a README on GitHub. Whoever prefers no
motion sees the last screen.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape

from rich.ansi import AnsiDecoder
from rich.console import Console
from rich.style import Style

from testkit.site.cast import Line, Recording, lines, without_waiting

_LONGEST_WAIT: Final = 1.6
"""Seconds that a wait takes in the picture."""
_FRAMES_OF_A_WAIT: Final = 6
_HOLD: Final = 8.0
"""Seconds that the last screen stays before it begins anew."""
_CELL: Final = (8.4, 20)
"""Width and height of a character, for a font of 14 pixels."""
_MARGIN: Final = 16
_TOP: Final = 44
_WORDS: Final = re.compile(r"\S+(?: \S+)*")
_COLOURS: Final = {1: "red", 2: "green", 6: "cyan"}

_STYLE: Final = """
  :root { --bg: #f6f8fa; --edge: #d0d7de; --fg: #24292f; --dim: #656d76 }
  :root { --red: #b3261e; --green: #1a7f37; --cyan: #0b6b80 }
  @media (prefers-color-scheme: dark) {
    :root { --bg: #161b22; --edge: #30363d; --fg: #e6edf3; --dim: #8d96a0 }
    :root { --red: #ff7b72; --green: #56d364; --cyan: #76d4e6 }
  }
  text { fill: var(--fg); font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace }
  .window { fill: var(--bg); stroke: var(--edge) }
  .curtain { fill: var(--bg) }
  .button { fill: var(--edge) }
  .bold { font-weight: bold }
  .dim { fill: var(--dim) }
  .red { fill: var(--red) }
  .green { fill: var(--green) }
  .cyan { fill: var(--cyan) }
  .past { visibility: hidden }
"""


def picture(recording: Recording) -> str:
    """Return the recording as an SVG document."""
    shown = without_waiting(lines(recording), _LONGEST_WAIT, _FRAMES_OF_A_WAIT)
    animation = _Animation(recording.rows, shown)
    screen, height = round(recording.columns * _CELL[0]), recording.rows * _CELL[1]
    width = screen + 2 * _MARGIN
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height + _TOP + _MARGIN}" role="img">
<title>{escape(recording.title)}</title>
<style>{_STYLE}{animation.style()}</style>
<clipPath id="screen"><rect width="{screen}" height="{height}"/></clipPath>
<rect class="window" x="0.5" y="0.5" width="{width - 1}" height="{height + _TOP + _MARGIN - 1}" rx="8"/>
{"".join(f'<circle class="button" cx="{_MARGIN + 6 + 20 * each}" cy="20" r="6"/>' for each in range(3))}
<g transform="translate({_MARGIN} {_TOP})"><g clip-path="url(#screen)">
<g class="scroll">
{animation.rows()}</g>
<rect class="curtain" width="{screen}" height="{height}"/>
</g></g>
</svg>
"""


class _Animation:
    """What moves: the rows scroll, a curtain below hides what is not written yet, and clocks run.

    Args:
        height: rows of the screen.
        shown: what each row shows from when on.
    """

    def __init__(self, height: int, shown: Sequence[Line]) -> None:
        self._height = height
        self._end = shown[-1].seconds + _HOLD
        self._versions: dict[int, list[Line]] = {}
        for line in shown:
            self._versions.setdefault(line.row, []).append(line)

    def style(self) -> str:
        """Return the rules of everything that moves; without motion, the last screen stands."""
        count = len(self._versions)
        begins = [(versions[0].seconds, row + 1) for row, versions in sorted(self._versions.items())]
        # Of rows that appear at the same moment only the last counts.
        heights = {0.0: 0, **dict(begins)}
        scroll = {at: self._scroll(rows) for at, rows in heights.items()}
        curtain = {at: f"translateY({min(rows, self._height) * _CELL[1]}px)" for at, rows in heights.items()}
        clocks = "".join(self._clock(row, versions) for row, versions in self._versions.items() if len(versions) > 1)
        return (
            f"  .scroll {{ transform: {self._scroll(count)} }}\n"
            f"  .curtain {{ transform: translateY({min(count, self._height) * _CELL[1]}px) }}\n"
            "  @media (prefers-reduced-motion: no-preference) {\n"
            f"  .scroll, .curtain, .clock {{ animation: {self._end:.2f}s step-end infinite }}\n"
            "  .scroll { animation-name: scroll }\n  .curtain { animation-name: curtain }\n"
            f"{self._keyframes('scroll', {at: f'transform: {move}' for at, move in scroll.items()})}"
            f"{self._keyframes('curtain', {at: f'transform: {move}' for at, move in curtain.items()})}"
            f"{clocks}  }}\n"
        )

    def rows(self) -> str:
        """Return every row in all its versions, the last one in front."""
        decoder = AnsiDecoder()  # a colour may go on in the next line
        return "".join(
            _text(decoder, line.text, (line.row + 1) * _CELL[1] - 6, self._class(line, number, len(versions)))
            for versions in self._versions.values()
            for number, line in enumerate(versions)
        )

    def _scroll(self, rows: int) -> str:
        return f"translateY({-max(rows - self._height, 0) * _CELL[1]}px)"

    def _clock(self, row: int, versions: Sequence[Line]) -> str:
        rules = []
        ends = [each.seconds for each in versions[1:]] + [self._end]
        for number, (line, end) in enumerate(zip(versions, ends, strict=True)):
            name = f"v{row}-{number}"
            steps = {0.0: "visibility: hidden", line.seconds: "visibility: visible"}
            if number + 1 < len(versions):
                steps[end] = "visibility: hidden"
            rules.append(f"  .{name} {{ animation-name: {name} }}\n{self._keyframes(name, steps)}")
        return "".join(rules)

    def _keyframes(self, name: str, steps: Mapping[float, str]) -> str:
        frames = " ".join(f"{at / self._end:.3%} {{ {what} }}" for at, what in steps.items())
        return f"  @keyframes {name} {{ {frames} }}\n"

    def _class(self, line: Line, number: int, versions: int) -> str:
        if versions == 1:
            return ""
        past = " past" if number + 1 < versions else ""
        return f' class="clock v{line.row}-{number}{past}"'


def _text(decoder: AnsiDecoder, line: str, y: int, name: str) -> str:
    """Return one line; each part of it stands where it does in a terminal, whatever the font."""
    wide = _CELL[0]
    spans = "".join(
        f'<tspan x="{column * wide:.1f}" textLength="{len(part) * wide:.1f}"{_class(style)}>{escape(part)}</tspan>'
        for column, part, style in _parts(decoder, line)
    )
    return f'<text y="{y}"{name}>{spans}</text>\n' if spans else ""


def _parts(decoder: AnsiDecoder, line: str) -> Iterable[tuple[int, str, Style | None]]:
    """Yield the words of a line with their columns and styles; several blanks in a row are only room between them."""
    column = 0
    for part, style, _ in decoder.decode_line(line).render(Console()):
        for words in _WORDS.finditer(part):
            yield column + words.start(), words[0], style
        column += len(part)


def _class(style: Style | None) -> str:
    if style is None:
        return ""
    number = style.color.number if style.color else None
    names = [name for name, is_so in (("bold", style.bold), ("dim", style.dim)) if is_so]
    if number in _COLOURS:
        names.append(_COLOURS[number])
    return f' class="{" ".join(names)}"' if names else ""
