"""The commands in the documentation: each fenced block of them, and what its author says about running it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from testkit.documentation.pages import ROOT

SHELL = {"console", "sh", "bash", "shell"}
"""Languages of blocks that readers type."""
_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- (?:not run: (?P<excuse>.+?)|run by (?P<elsewhere>make \w+)) -->\Z")
_INLINE = re.compile(r"(?<!`)`(kubectl [^`\n]+)`(?!`)")


@dataclass(frozen=True, slots=True)
class Step:
    """One command, and the lines that a page shows as its output."""

    command: str
    shows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of commands.

    Attributes:
        page: path of its page in the project.
        line: where its fence begins.
        text: what stands in it.
        excuse: why no test runs it; empty: one does.
        elsewhere: the make target whose tests run it; empty: those of `make test` do.
    """

    page: str
    line: int
    text: str
    excuse: str = ""
    elsewhere: str = ""

    @property
    def here(self) -> bool:
        """Whether it is run beside these tests."""
        return not self.excuse and not self.elsewhere

    def steps(self) -> list[Step]:
        """Return its commands. Where some lines begin with `$ `, the others are what these commands print."""
        if not re.search(r"^\$ ", self.text, re.MULTILINE):
            return [Step(self.text.rstrip())]
        parts = re.split(r"^\$ ", self.text, flags=re.MULTILINE)
        if parts[0].strip():
            raise ValueError(f"{self}: output above the first command")
        return [_step(part) for part in parts[1:]]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def shell_blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of commands of a page, in order."""
    text = page.read_text(encoding="utf-8")
    name = page.relative_to(ROOT).as_posix() if page.is_relative_to(ROOT) else page.name
    for found in _FENCE.finditer(text):
        if found["language"] not in SHELL:
            continue
        before = text[: found.start()]
        mark = _MARK.search(before.rstrip())
        lines = [line.removeprefix(found["indent"]) for line in found["text"].splitlines()]
        yield Block(
            page=name,
            line=before.count("\n") + 1,
            text="\n".join(lines) + "\n",
            excuse=(mark["excuse"] or "") if mark else "",
            elsewhere=(mark["elsewhere"] or "") if mark else "",
        )


def inline_commands(page: Path) -> Iterator[str]:
    """Yield the kubectl commands in a page's running text that are whole: they say what they are about."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    for command in _INLINE.findall(text):
        if re.search(r"[A-Z]{4,}|/| -[of] |--namespace", command):
            yield command


def _step(text: str) -> Step:
    lines = text.rstrip("\n").splitlines()
    end = next(number for number, line in enumerate(lines, start=1) if not line.endswith("\\"))
    return Step("\n".join(lines[:end]), tuple(lines[end:]))
