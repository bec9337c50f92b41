"""The code stays in pieces that one can read: short modules, functions with few branches, no circles of imports."""

from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from textwrap import indent

import grimp
import pytest

from tests.unit.complexity import complexities

ROOT = Path(__file__).parents[2]
FOLDERS = ("operator", "testkit", "benchmarks", "examples", "release")
MODULES = {str(path.relative_to(ROOT)): path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))}
PACKAGES = ("fireworks_operator", "fireworks_simulator", "testkit", "benchmarks", "release")
LONGEST = 400
"""Lines of a module."""
MOST_COMPLEX = 15
"""Cyclomatic complexity of a function."""


def test_no_module_is_too_long() -> None:
    lines = {name: len(path.read_text().splitlines()) for name, path in MODULES.items()}
    assert {name: count for name, count in lines.items() if count > LONGEST} == {}, "find what has a subject of its own"


def test_no_function_has_too_many_branches() -> None:
    above = {
        (name, function): complexity
        for name, path in MODULES.items()
        for function, complexity in complexities(path.read_text())
        if complexity > MOST_COMPLEX
    }
    assert above == {}, "give a part of it a name"


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    assert len(graph.modules) > 250
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    circle = None
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        circle = error.args[1]
    assert circle is None


@pytest.mark.parametrize(
    ("body", "complexity", "reason"),
    [
        ("pass", 1, "there is one way through"),
        ("if a: pass\nelif b: pass\nelse: pass", 3, "each condition is a branch, what is left is none"),
        ("return a if b else c", 2, "a conditional expression is one, too"),
        ("return a and b and c or d", 4, "each operator may end the evaluation"),
        ("return a < b < c", 1, "a chain of comparisons counts as one"),
        ("for a in b:\n  while a: pass\n  else: pass", 4, "a loop, and what follows one that was not broken off"),
        ("try: pass\nexcept A: pass\nexcept B: pass\nelse: pass\nfinally: pass", 4, "handlers, and what follows none"),
        ("return {a for a in b if a if c}", 4, "a comprehension is a loop with conditions"),
        ("match a:\n  case 1 | 2: pass\n  case [b] if b: pass\n  case _: pass", 3, "the case for all else is none"),
        ("assert a or b", 2, "an assertion is one, whatever it asserts"),
        ("with a: pass\nreturn lambda: b or c", 2, "a lambda belongs to its function"),
        ("def inner():\n  if a: pass", 1, "another function is counted by itself"),
        ("class Inner:\n  if a: pass", 1, "and so is a class"),
    ],
)
def test_branches_are_counted(body: str, complexity: int, reason: str) -> None:
    source = f"async def outer():\n{indent(body, '  ')}"
    assert dict(complexities(source))["outer"] == complexity, reason
