"""docs/specification.md: no statement without an answer, and no answer that does not exist."""

import ast
from functools import cache

import pytest

from fireworks_simulator.catalogue import FIREWORKS
from testkit.documentation.pages import DOCS, ROOT
from tests.docs.specification import HEAD, PAGE, Statement, statements

STATEMENTS = statements()
each_statement = pytest.mark.parametrize("statement", STATEMENTS, ids=lambda each: f"line {each.line}")


@cache
def functions(file: str) -> frozenset[str]:
    """The tests of a file below tests/; none if it does not exist."""
    path = ROOT / "tests" / file
    if not path.is_file():
        return frozenset()
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.parse(path.read_text()).body if isinstance(node, kinds))


def test_every_table_has_the_columns_that_are_looked_at() -> None:
    heads = [line for line in PAGE.read_text().splitlines() if line.startswith("| Statement")]
    assert set(heads) == {HEAD}
    assert len(STATEMENTS) >= 60


@each_statement
def test_every_statement_has_a_manifest_and_a_test(statement: Statement) -> None:
    assert len(statement.cells) == 3
    assert all(statement.cells)
    assert statement.tests


@each_statement
def test_every_test_that_is_named_exists(statement: Statement) -> None:
    for test in statement.tests:
        file, _, function = test.partition("::")
        assert function in functions(file), test


def test_a_row_is_read_with_its_specs_and_tests() -> None:
    text = f"{HEAD}\n|---|---|---|\n| S | `{{precision: FP8}}` or `x` | `a/b.py::t` |\n\n| no | row | here |\n"
    (row,) = statements(text)
    assert (row.line, row.tests) == (3, ["a/b.py::t"])
    assert [each["precision"] for each in row.specs()] == ["FP8"]


def test_the_page_about_speculation_has_the_draft_models_that_the_simulator_has() -> None:
    page = (DOCS / "how-to/speculative-decoding.md").read_text()
    drafters = {
        "llama-v3p2-1b-instruct": 4,
        "qwen2p5-0p5b-instruct": 4,
        "eagle-llama-v3-3b-instruct-v2": 3,
        "eagle-qwen-v2p5-3b-instruct-v2": 3,
        "eagle-llama-v3-8b-instruct-v2": 3,
        "eagle-qwen-v2p5-7b-instruct-v2": 3,
    }
    rows = {line.split("`")[1]: line for line in page.splitlines() if line.startswith(f"| `{FIREWORKS}")}
    assert {name.removeprefix(FIREWORKS): int(row.split("|")[-2]) for name, row in rows.items()} == drafters
