"""docs/troubleshooting.md: every reason has its section, and every message stands in the code as it is quoted."""

import re

import pytest

from docs.messages import GAP, sentences
from docs.pages import DOCS, blocks, headings
from fireworks_operator.api.conditions import Reason

PAGE = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
QUOTES = [line.rstrip(GAP + " .") for block in blocks(PAGE, "text") for line in block.splitlines()]
EVERYTHING = sentences("**/*.py")
TOLD = ("core/*.py", "controller/accounts.py", "controller/account.py")
"""Where the messages of conditions, events and notices are made."""
PARTS = {
    'To let the resource go without deleting the deployment, set the annotation …: "true".',
    "still running … x … …",
    "nothing is known to run",
    "delete this resource, or set spec.managementPolicy to Manage to have it created",
    "spec.… (is …, wanted …)",
    "… Model identifier: …",
    "… is not an object",
}
"""Ends of messages, never said alone."""


def is_sentence(text: str) -> bool:
    """Tell a message from a pattern, a name or a part of one: it begins like a sentence and has several words."""
    return re.match(rf"([A-Z]|spec\.|{GAP} )", text) is not None and len(text.split()) >= 4 and "%" not in text


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_section(reason: Reason) -> None:
    assert reason.value in headings(PAGE)


@pytest.mark.parametrize("quote", QUOTES)
def test_every_quoted_message_is_one_of_the_operators(quote: str) -> None:
    assert any(text.startswith(quote) for text in EVERYTHING), "no text in the code begins like this"


@pytest.mark.parametrize("message", [text for text in sentences(*TOLD) if is_sentence(text) and text not in PARTS])
def test_every_message_of_the_operator_is_quoted(message: str) -> None:
    assert any(message.startswith(quote) for quote in QUOTES), "quote its beginning in docs/troubleshooting.md"
