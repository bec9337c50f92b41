"""The table of docs/specification.md: what the specification states, how a manifest says it, which test proves it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from fireworks_operator.api.v1alpha1 import GROUP, KIND, VERSION
from testkit.documentation.pages import DOCS

PAGE = DOCS / "specification.md"
HEAD = "| Statement | Manifest | Test |"
_CODE = re.compile(r"`([^`]+)`")
_DEFAULT = "accounts/fireworks/models/llama-v3p1-8b-instruct"


@dataclass(frozen=True, slots=True)
class Statement:
    """One row."""

    line: int
    cells: tuple[str, ...]

    @property
    def tests(self) -> list[str]:
        """What proves it, each as FILE::FUNCTION below tests/."""
        return _CODE.findall(self.cells[2])

    def specs(self) -> Iterator[dict[str, Any]]:
        """Yield the specs in braces, with a base model."""
        for code in _CODE.findall(self.cells[1]):
            if code.startswith("{"):
                yield {"baseModel": _DEFAULT, **yaml.safe_load(code)}

    def manifests(self) -> Iterator[dict[str, Any]]:
        """Yield a resource for each spec."""
        for spec in self.specs():
            metadata = {"name": f"line-{self.line}"}
            yield {"apiVersion": f"{GROUP}/{VERSION}", "kind": KIND, "metadata": metadata, "spec": spec}


def statements(text: str | None = None) -> list[Statement]:
    """Return all rows of all tables with these columns."""
    found, within = [], False
    for number, line in enumerate((PAGE.read_text() if text is None else text).splitlines(), start=1):
        if line == HEAD:
            within = True
        elif not line.startswith("|"):
            within = False
        elif within and not line.startswith("|---"):
            cells = tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
            found.append(Statement(number, cells))
    return found
