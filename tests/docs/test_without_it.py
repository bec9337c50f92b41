"""docs/without-it.md has the figures that its days come to, and every story saves what it says."""

import re
from decimal import Decimal

import pytest

from tests.docs.without_it import PAGE, STORIES, Row, Story, written
from tests.virtual.bill import Bill


@pytest.fixture(scope="module")
def stories() -> tuple[Story, ...]:
    """The stories, told again."""
    return tuple(each() for each in STORIES)


@pytest.mark.proof
@pytest.mark.timeout(1800)
def test_the_page_has_the_figures_that_come_of_it(stories: tuple[Story, ...]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page, stories), "python -m tests.docs.without_it"
    marks = re.findall(r"<!-- (\w+): begin", page)
    assert marks == ["summary", *(each.name for each in stories)]


@pytest.mark.proof
def test_each_story_costs_more_without_the_operator(stories: tuple[Story, ...]) -> None:
    for each in stories:
        first, last = each.rows[0].bill, each.rows[-1].bill
        assert first.dollars > 2 * last.dollars > 0, each.name
        assert first.gpu_seconds > 2 * last.gpu_seconds, each.name


def test_figures_that_change_are_written_anew_and_the_rest_stays() -> None:
    bill = Bill(3600.0 * 1234, Decimal("9876.5"))
    story = Story("raised", "Raised", (Row("by hand", bill), Row("with it", Bill(0.0, Decimal(0)))))
    page = PAGE.read_text(encoding="utf-8")
    once = written(page, (story,))
    assert "| by hand | 1,234.0 | 9,876.50 |\n| with it | 0.0 | 0.00 |" in once
    assert "| Raised | 9,876.50 | 0.00 |" in once
    assert written(once, (story,)) == once
    assert once.partition("<!-- raised: begin")[0].endswith(page.partition("<!-- raised: begin")[0][-200:])


def test_a_page_without_the_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks the marks of other"):
        written(PAGE.read_text(encoding="utf-8"), (Story("other", "", (Row("", Bill(0.0, Decimal(0))),)),))
