"""What the book of budgets takes in, and where it says that something has changed."""

import logging
from typing import Any

import pytest

from fireworks_operator.controller.budgets.book import BudgetBook
from fireworks_operator.controller.store import Versions

Raw = dict[str, Any]


def a_budget(version: int, name: str = "team", namespace: str = "team-a", **changes: Any) -> Raw:  # noqa: ANN401
    metadata = {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}", "generation": 1}
    metadata |= {"resourceVersion": str(version), **changes.pop("metadata", {})}
    return {"metadata": metadata, "spec": {"limits": {"gpus": 8}}, **changes}


class Book(BudgetBook):
    """One that remembers what it told."""

    def __init__(self) -> None:
        self.changes: list[str] = []
        super().__init__(self.changes.append)


@pytest.fixture
def book() -> Book:
    """With one budget, of which it has told."""
    book = Book()
    book.on_object(a_budget(10), False)
    assert book.changes == ["team-a"]
    book.changes.clear()
    return book


@pytest.mark.parametrize(
    ("raw", "told", "reason"),
    [
        (a_budget(10), [], "The same again."),
        (a_budget(9, metadata={"generation": 2}), [], "Older than what is known."),
        (a_budget(11, status={"waiting": 1}), [], "A write of the operator's own."),
        (a_budget(11, metadata={"generation": 2}), ["team-a"], "Another limit."),
        (a_budget(11, metadata={"deletionTimestamp": "2026-03-01T12:00:00Z"}), ["team-a"], "It is being deleted."),
        (a_budget(11, metadata={"uid": "uid-2"}), ["team-a"], "Another one of the same name."),
        (a_budget(11, namespace="team-b"), ["team-b"], "Another one elsewhere."),
        (a_budget(11, spec={"limits": {"gpus": "many"}}), ["team-a"], "It cannot be read any more."),
    ],
)
def test_what_an_object_changes(book: Book, raw: Raw, told: list[str], reason: str) -> None:
    book.on_object(raw, False)
    assert book.changes == told, reason


def test_only_the_budget_that_is_known_goes(book: Book) -> None:
    book.on_object(a_budget(12, metadata={"uid": "uid-0"}), True)
    assert book.changes == []
    book.on_object(a_budget(12), True)
    assert (book.changes, list(book)) == (["team-a"], [])
    book.on_object(a_budget(12), True)
    assert book.changes == ["team-a"]


def test_budgets_of_a_namespace_come_by_name(book: Book) -> None:
    book.on_object(a_budget(11, "all"), False)
    book.on_object(a_budget(12, "other", "team-b"), False)
    assert [each.metadata.name for each in book.of_namespace("team-a")] == ["all", "team"]
    assert [each.ref for each in book.of_namespace("team-b")] == ["team-b/other"]
    assert book.of_namespace("team-c") == []


def test_a_list_tells_of_what_it_lacks_and_of_what_is_new(book: Book) -> None:
    book.on_object(a_budget(11, "other", "team-b"), False)
    book.changes.clear()
    book.replace_all([a_budget(10), a_budget(15, "new", "team-c")], 20, book.versions())
    assert book.changes == ["team-b", "team-c"]
    assert not book.sweep_wanted.is_set()


def test_a_list_of_an_earlier_state_is_believed_and_asked_for_again(book: Book) -> None:
    book.replace_all([a_budget(5, metadata={"generation": 3})], 6, book.versions())
    assert book.sweep_wanted.is_set()
    assert [each.metadata.generation for each in book] == [3]
    assert book.changes == ["team-a"]


def test_a_word_that_comes_late_asks_for_a_list(book: Book) -> None:
    book.on_object(a_budget(12), False)
    book.on_object(a_budget(11), False)
    assert book.sweep_wanted.is_set()


def test_what_is_no_longer_served_is_forgotten_until_it_comes_again(book: Book) -> None:
    book.on_object(a_budget(11, "broken", "team-b", spec={}), False)
    book.changes.clear()
    book.clear()
    assert (sorted(book.changes), list(book)) == (["team-a", "team-b"], [])
    book.changes.clear()
    book.clear()
    assert book.changes == []
    book.replace_all([a_budget(30)], 31, Versions())
    assert book.changes == ["team-a"]


def test_a_budget_that_cannot_be_read_is_reported(book: Book, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        book.on_object(a_budget(11, spec={"limits": {"hourlyCost": True}}), False)
    assert "FireworksBudget team-a/team cannot be parsed and is not enforced: spec.limits.hourlyCost: " in caplog.text
    assert list(book) == []
