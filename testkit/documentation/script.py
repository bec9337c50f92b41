"""A page of the documentation as a script: its blocks of commands are run one after the other, none left out."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from testkit.documentation.commands import Block, Step, shell_blocks
from testkit.documentation.pages import ROOT, blocks
from testkit.documentation.terminal import Background, Terminal
from testkit.waiting import eventually

_CHANGING = (
    (re.compile(r"(deployments/[a-z0-9-]+)-[a-z2-7]{8}\b"), r"\1-HASH"),
    (re.compile(r"\bv\d+\.\d+\.\d+\b"), "VERSION"),
    (re.compile(r"\b(\d+[smhd])+$"), "AGE"),
    (re.compile(r"\s+"), " "),
)
"""What differs from one run to the next: hashes in ids, versions of Kubernetes, ages, widths of columns."""


class Started:
    """A block of commands that goes on, its last command with it."""

    def __init__(self, steps: Sequence[Step], background: Background) -> None:
        self._steps = steps
        self._background = background

    def output(self) -> str:
        """Return what its commands have printed."""
        return "".join(self._background.output())

    def until(self, text: str, *, within: float = 60) -> None:
        """Wait until something is printed."""
        eventually(lambda: text in self.output(), f"{text!r} is printed", within=within, explain=self.output)

    def compare(self) -> None:
        """Compare what the page shows with what has been printed so far."""
        for step, printed in zip(self._steps, self._background.output(), strict=True):
            _assert_shown(step, printed)

    def end_by_itself(self, *, within: float = 60) -> None:
        """Wait for the end, which is a success, and compare what the page shows."""
        assert self._background.wait(within) == 0, self.output()
        self.compare()

    def end(self) -> None:
        """End it."""
        self._background.end()
        assert "Traceback" not in self.output(), self.output()


class Script:
    """A page that is gone through from top to bottom.

    Args:
        name: path of the page.
        terminal: where its commands are typed.
        table: what to write instead of placeholders, and of what is somewhere else here.
        elsewhere: take the blocks that this make target runs, instead of those of `make test`.
    """

    def __init__(self, name: str, terminal: Terminal, table: Mapping[str, str], elsewhere: str = "") -> None:
        self.page = ROOT / name
        self.terminal = terminal
        self._table = table
        self._left = [each for each in shell_blocks(self.page) if not each.excuse and each.elsewhere == elsewhere]
        self._running: list[Background] = []

    def __enter__(self) -> "Script":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in self._running:
            each.end()
        assert error is not None or not self._left, f"not run: {', '.join(map(str, self._left))}"

    def run(self, begins: str, *, code: int = 0, terminal: Terminal | None = None) -> str:
        """Run the next block, which begins like this, compare what the page shows, and return what it printed."""
        steps = self._steps(begins)
        said = (terminal or self.terminal).run(*(each.command for each in steps), code=code)
        for step, printed in zip(steps, said, strict=True):
            _assert_shown(step, printed)
        return "".join(said)

    def start(self, begins: str, *, terminal: Terminal | None = None) -> Started:
        """Start the next block, which goes on; it is ended with the page."""
        steps = self._steps(begins)
        background = (terminal or self.terminal).start(*(each.command for each in steps))
        self._running.append(background)
        return Started(steps, background)

    def write(self, begins: str, path: Path) -> None:
        """Write the next block into a file, as a program."""
        path.write_text(self._next(begins).text)
        path.chmod(0o755)

    def same_as(self, name: str) -> None:
        """Pass over the next block, since another page has the very same."""
        block = self._left.pop(0)
        assert block.text in [each.text for each in shell_blocks(ROOT / name)], f"{block} is not the one in {name}"

    def manifests(self) -> Iterator[str]:
        """Yield the YAML blocks of the page."""
        yield from blocks(self.page.read_text(encoding="utf-8"), "yaml")

    def _steps(self, begins: str) -> list[Step]:
        fill = self._filled_in
        return [Step(fill(each.command), tuple(map(fill, each.shows))) for each in self._next(begins).steps()]

    def _next(self, begins: str) -> Block:
        assert self._left, f"{self.page.name} has no further block"
        block = self._left.pop(0)
        first = self._filled_in(block.text.removeprefix("$ "))
        assert first.startswith(begins), f"{block} begins with {first.splitlines()[0]!r}"
        return block

    def _filled_in(self, text: str) -> str:
        for placeholder, value in self._table.items():
            text = text.replace(placeholder, value)
        return text


def _assert_shown(step: Step, printed: str) -> None:
    """Assert that the lines of the page are among those that were printed, in this order."""
    lines = iter([_settled(line) for line in printed.splitlines()])
    for line in step.shows:
        found = any(_settled(line) == each for each in lines)
        assert found, f"`{step.command}` did not print {line!r}, but:\n{printed}"


def _settled(line: str) -> str:
    line = line.strip()
    for pattern, value in _CHANGING:
        line = pattern.sub(value, line)
    return line
