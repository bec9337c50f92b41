"""What an error of the API means for a resource: reason, whether a person must act, and what to do."""

import pytest

from fireworks_operator.api.conditions import Reason
from fireworks_operator.core.actions import (
    Action,
    Adopt,
    Create,
    Delete,
    LoadAddon,
    Undelete,
    UnloadAddon,
    Update,
    UpdateAddon,
)
from fireworks_operator.core.explain import explain
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from unit.builders import an_error

CREATE = Create({}, {}, ())
UPDATE = Update({}, ("display_name",), ("displayName",))
ADDONS = (LoadAddon("m", {}), UpdateAddon("d", {}, ()), UnloadAddon("m", "d"))
ACTIONS: tuple[Action | None, ...] = (None, CREATE, UPDATE, Adopt({}), Undelete(), Delete(), Delete(hard=True), *ADDONS)

ALIKE = {
    ErrorKind.UNREACHABLE: (Reason.API_UNAVAILABLE, False),
    ErrorKind.NO_ANSWER: (Reason.API_UNAVAILABLE, False),
    ErrorKind.PROTOCOL: (Reason.API_UNAVAILABLE, False),
    ErrorKind.WRONG_ENDPOINT: (Reason.API_UNAVAILABLE, False),
    ErrorKind.ABORTED: (Reason.API_UNAVAILABLE, False),
    ErrorKind.RATE_LIMITED: (Reason.RATE_LIMITED, False),
    ErrorKind.UNAUTHENTICATED: (Reason.CREDENTIALS_INVALID, True),
    ErrorKind.PERMISSION_DENIED: (Reason.PERMISSION_DENIED, True),
    ErrorKind.SUSPENDED: (Reason.ACCOUNT_SUSPENDED, True),
    ErrorKind.QUOTA_EXCEEDED: (Reason.QUOTA_EXCEEDED, True),
}
"""Kinds that mean the same whatever was tried."""
OTHERS = [kind for kind in ErrorKind if kind not in ALIKE]


@pytest.mark.parametrize("action", ACTIONS, ids=str)
@pytest.mark.parametrize(("kind", "expected"), ALIKE.items())
def test_what_means_the_same_whatever_was_tried(
    kind: ErrorKind, expected: tuple[Reason, bool], action: Action | None
) -> None:
    explanation = explain(an_error(kind), action)
    assert (explanation.reason, explanation.final) == expected


@pytest.mark.parametrize("kind", OTHERS)
def test_a_refusal_is_explained_by_what_was_tried(kind: ErrorKind) -> None:
    refused = Reason.MODEL_NOT_FOUND if kind is ErrorKind.NOT_FOUND else Reason.REJECTED_BY_FIREWORKS
    for action in (CREATE, UPDATE):
        assert explain(an_error(kind), action).reason is refused
    assert explain(an_error(kind), Delete()).reason is Reason.DELETION_BLOCKED
    assert {explain(an_error(kind), action).reason for action in ADDONS} == {Reason.ADDON_FAILED}
    assert all(explain(an_error(kind), action).final for action in ACTIONS)


@pytest.mark.parametrize("kind", sorted(set(ErrorKind) - {ErrorKind.RATE_LIMITED}))
@pytest.mark.parametrize("action", [CREATE, UPDATE, *ADDONS], ids=str)
def test_the_servers_words_are_passed_on(kind: ErrorKind, action: Action) -> None:
    assert "the server's words." in explain(an_error(kind), action).message


@pytest.mark.parametrize(
    ("message", "action", "reason", "way_out"),
    [
        ("Model accounts/x/models/y not found", CREATE, Reason.MODEL_NOT_FOUND, "Check spec.baseModel"),
        ("You do not have access to model z: no access", CREATE, Reason.MODEL_NOT_FOUND, "account may read"),
        ("accelerator_type must be specified", CREATE, Reason.REJECTED_BY_FIREWORKS, "Set spec.acceleratorType"),
        ("shapeless deployments are risky", CREATE, Reason.REJECTED_BY_FIREWORKS, "Set spec.deploymentShape"),
        ("max_context_length is too large", UPDATE, Reason.REJECTED_BY_FIREWORKS, "Correct the spec"),
        (
            "deployment has received inference requests in the last hour",
            Delete(),
            Reason.DELETION_BLOCKED,
            "fireworks.ai/ignore-checks=true",
        ),
        ("set ignore_checks to delete", Delete(), Reason.DELETION_BLOCKED, "fireworks.ai/ignore-checks=true"),
        ("it is the default deployment of its model", Delete(), Reason.DELETION_BLOCKED, "another deployment"),
        ("something else", Delete(), Reason.DELETION_BLOCKED, "fireworks.ai/abandon"),
        ("something else", Delete(hard=True), Reason.DEPLOYMENT_FAILED, "Delete it in the Fireworks console"),
        ("inference requests in the last hour", Delete(hard=True), Reason.DEPLOYMENT_FAILED, "Stop the traffic"),
        ("no", Delete(hard=True, ignore_checks=True), Reason.DELETION_BLOCKED, "in the Fireworks console"),
    ],
)
def test_every_known_refusal_has_its_own_way_out(message: str, action: Action, reason: Reason, way_out: str) -> None:
    explanation = explain(an_error(ErrorKind.INVALID, message), action)
    assert explanation.reason is reason
    assert way_out in explanation.message
    assert explanation.final


@pytest.mark.parametrize("kind", list(ErrorKind))
@pytest.mark.parametrize("action", [CREATE, UPDATE, Delete()], ids=str)
def test_a_message_says_what_to_do_or_that_nothing_need_be_done(kind: ErrorKind, action: Action) -> None:
    message = explain(an_error(kind), action).message
    advice = ("Check ", "by itself", "Put ", "Use ", "Settle ", "Ask ", "Set ", "Correct ")
    assert any(words in message for words in advice), message
    assert len(message) < 600


def test_an_error_without_words_still_makes_a_sentence() -> None:
    error = FireworksError(ErrorKind.INVALID, "Bad request!", status=400)
    assert "Bad request! Correct" in explain(error, UPDATE).message
