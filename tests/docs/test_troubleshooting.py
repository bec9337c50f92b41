"""docs/troubleshooting.md: every reason has its section, and every message stands in the code as it is quoted."""

import re
from collections.abc import Iterable, Iterator

import pytest

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.crd import crd
from fireworks_operator.api.kinds import DEPLOYMENTS, KINDS, Kind
from testkit.documentation.pages import DOCS, blocks, headings
from tests.docs.messages import GAP, endings, logged, sentences

PAGE = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
QUOTES = [line.rstrip(GAP + " .") for block in blocks(PAGE, "text") for line in block.splitlines()]
TOLD = ("core/**/*.py", "controller/accounts/*.py")
"""Where the messages of conditions, events and notices are made."""
PARTS = {
    'To remove the resource without deleting the deployment, set the annotation …: "true".',
    "still running … x … …",
    "no running replica is known",
    "delete this resource, or set spec.managementPolicy to Manage to have it created",
    "spec.… (is …, wanted …)",
    "… Model identifier: …",
    "… is not an object",
    "… is not about a loaded model",
    "… (fallback … of …)",
    "Correct the value, or contact Fireworks support.",
    "spec.replacePolicy.type is no longer BlueGreen",
    "So does …, by which it was being replaced.",
    "It drops a shape that is not validated for the model and its addons: set another spec.deploymentShape, replace it "
    "by spec.acceleratorType, or contact Fireworks support.",
    '… is "…": set it to 5m to 168h, in whole seconds.',
    "… The operator retries automatically.",
    "It is not known what was set at Fireworks before, as the status does not tell:",
}
"""Ends of messages, never said alone, and a beginning as earlier versions worded it."""


def is_sentence(text: str) -> bool:
    """Tell a message from a pattern, a name or a part of one: it begins like a sentence and has several words."""
    return re.match(rf"([A-Z]|spec\.|{GAP} )", text) is not None and len(text.split()) >= 4 and "%" not in text


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_section(reason: Reason) -> None:
    assert reason.value in headings(PAGE)


def without_a_quote(texts: Iterable[str]) -> list[str]:
    """Return the texts that no quote of the page is the beginning of."""
    return [text for text in sorted(texts) if not text.startswith(tuple(QUOTES))]


def test_every_quoted_message_is_one_of_the_operators() -> None:
    everything = {*sentences("**/*.py"), *logged()}
    assert len(QUOTES) > 200
    unknown = [quote for quote in QUOTES if not any(text.startswith(quote) for text in everything)]
    assert unknown == [], "no text in the code begins like this"


def test_every_message_of_the_operator_is_quoted() -> None:
    messages = {text for text in sentences(*TOLD) if is_sentence(text)} - PARTS
    assert len(messages) > 150
    assert without_a_quote(messages) == [], "quote their beginnings in docs/troubleshooting.md"


def test_every_warning_of_the_log_is_quoted() -> None:
    assert len(logged()) > 20
    assert without_a_quote(logged()) == [], "quote their beginnings in docs/troubleshooting.md"


def test_every_reason_to_end_is_quoted() -> None:
    assert len(endings()) > 10
    assert without_a_quote(endings()) == [], "quote their beginnings in docs/troubleshooting.md"


def rules(schema: object) -> Iterator[str]:
    """Yield the messages of all rules in a schema."""
    if isinstance(schema, dict):
        yield from (each["message"] for each in schema.get("x-kubernetes-validations", ()))
    children = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    for each in children:
        yield from rules(each)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_rule_of_the_crd_is_in_the_reference(kind: Kind) -> None:
    """So the API server's answer to a manifest is found there, under Rules."""
    reference = (DOCS / f"reference/{kind.singular}.md").read_text()
    found = set(rules(crd(kind)))
    assert len(found) > (30 if kind is DEPLOYMENTS else 3)
    assert [each for each in found if each not in reference] == []
