"""The API keys of a direct route: sent when their Secret is another version, and no route is opened without them."""

from typing import Any

import pytest
from pydantic import JsonValue

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import DirectRouteSecret, FireworksDeployment
from fireworks_operator.core.actions import (
    Action,
    AddFinalizer,
    Adopt,
    Claim,
    Create,
    Delete,
    KeyChange,
    Progress,
    Refuse,
    Rest,
    Undelete,
    Update,
)
from fireworks_operator.core.context import Unusable
from fireworks_operator.core.decisions.decide import decide
from fireworks_operator.core.observed.observation import Absent, Observed
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.situation import assess
from fireworks_operator.core.status.report import report
from fireworks_operator.fireworks.errors import ErrorKind
from testkit.builders import (
    BASE_MODEL,
    CLAIMED,
    CREATED,
    MADE_HERE,
    NAME,
    a_context,
    a_resource,
    an_attempt,
    an_error,
    present,
)
from testkit.report_steps import after, serving, summary

FIRST = DirectRouteSecret(name="route", keys=["apiKey"], uid="uid-1", resource_version="1")
SECOND = FIRST.model_copy(update={"resource_version": "2"})
MISSING = Unusable(Reason.CREDENTIALS_MISSING, "Create the Secret.")
ROUTE: dict[str, Any] = {
    "placement": {"region": "US_IOWA_1"},
    "directRoute": {"type": "INTERNET", "apiKeysSecretRef": {"name": "route"}},
}
PRIVATE: dict[str, Any] = {**ROUTE, "directRoute": {"type": "AWS_PRIVATELINK"}}
THERE: dict[str, JsonValue] = {"directRouteType": "INTERNET", "placement": {"region": "US_IOWA_1"}}
CLOSED: dict[str, JsonValue] = {"placement": {"region": "US_IOWA_1"}}
SENT = {"directRouteSecret": FIRST.to_wire(), "appliedFields": ["baseModel", "directRoute.type", "placement"]}
KEYS = ("directRoute.apiKeysSecretRef",)
Secret = DirectRouteSecret | Unusable | None


def with_route(spec: dict[str, Any] = ROUTE, **status: object) -> FireworksDeployment:
    """Build a resource whose deployment was created with a direct route, and with the keys of FIRST."""
    return a_resource(spec, {**CREATED, **SENT, **status})


def next_step(resource: FireworksDeployment, observed: Observed, secret: Secret, **context: Any) -> Action:  # noqa: ANN401
    return decide(assess(resource, observed, a_context(route_secret=secret, **context)))


# --- creation ---------------------------------------------------------------------------------------------------------


def test_a_create_request_names_the_version_of_the_keys_and_has_none_of_them() -> None:
    action = next_step(a_resource(ROUTE, CLAIMED), Absent(), FIRST)
    assert isinstance(action, Create)
    assert (action.route_secret, action.body["directRouteType"]) == (FIRST, "INTERNET")
    assert "directRouteApiKeys" not in action.body
    assert "directRoute.type" in action.fields


@pytest.mark.parametrize("status", [{}, CLAIMED, CREATED], ids=["unclaimed", "claimed", "lost"])
def test_nothing_is_created_without_the_keys(status: dict[str, Any]) -> None:
    observed = Absent(confirmed=True)
    refused = next_step(a_resource(ROUTE, status), observed, MISSING)
    assert refused == Refuse(Reason.CREDENTIALS_MISSING, "Create the Secret.")
    assert isinstance(next_step(a_resource(ROUTE, status), observed, None), Progress), "not read yet"


def test_what_needs_no_keys_is_created_without_any() -> None:
    for spec in ({}, PRIVATE):
        action = next_step(a_resource(spec, CLAIMED), Absent(), None)
        assert isinstance(action, Create)
        assert action.route_secret is None


def test_a_claim_waits_for_the_keys_and_so_the_spec_can_still_be_corrected() -> None:
    resource = a_resource(ROUTE, finalizers=[])
    assert isinstance(next_step(resource, Absent(), MISSING), Refuse)
    assert isinstance(next_step(resource, Absent(), FIRST), AddFinalizer)
    assert isinstance(next_step(a_resource(ROUTE), Absent(), FIRST), Claim)


# --- changes ----------------------------------------------------------------------------------------------------------


def test_what_has_the_keys_of_the_version_of_now_is_left_alone() -> None:
    assert isinstance(next_step(with_route(), present(**THERE), FIRST), Rest)


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        (SECOND, "another version"),
        (FIRST.model_copy(update={"uid": "uid-2"}), "deleted and created again"),
        (FIRST.model_copy(update={"keys": ["next"]}), "other keys of the same Secret"),
        (FIRST.model_copy(update={"name": "other"}), "another Secret"),
    ],
)
def test_keys_of_another_version_are_sent_and_nothing_else_is(secret: DirectRouteSecret, reason: str) -> None:
    action = next_step(with_route(), present(**THERE), secret)
    expected = Update(NAME, {"baseModel": BASE_MODEL}, ("direct_route_api_keys",), KEYS, KeyChange(secret))
    assert action == expected, reason


def test_keys_go_along_with_other_changes() -> None:
    action = next_step(with_route({**ROUTE, "displayName": "blue"}), present(**THERE), SECOND)
    assert isinstance(action, Update)
    assert (set(action.mask), action.route_keys) == ({"display_name", "direct_route_api_keys"}, KeyChange(SECOND))


@pytest.mark.parametrize("secret", [MISSING, None], ids=["missing", "not read"])
def test_no_route_is_opened_without_its_keys_and_other_changes_do_not_wait_for_them(secret: Secret) -> None:
    spec = {**ROUTE, "displayName": "blue"}
    action = next_step(a_resource(spec, CREATED), present(**CLOSED), secret)
    assert isinstance(action, Update)
    assert action.mask == ("display_name",)
    then = next_step(a_resource(spec, CREATED), present(**CLOSED, displayName="blue"), secret)
    assert isinstance(then, Refuse if secret is MISSING else Progress)


def test_a_route_that_is_opened_gets_its_keys_in_the_same_request_whatever_was_sent_before() -> None:
    action = next_step(with_route(), present(**CLOSED), FIRST)
    assert isinstance(action, Update)
    assert (action.mask, action.route_keys) == (("direct_route_type", "direct_route_api_keys"), KeyChange(FIRST))
    assert action.body["directRouteType"] == "INTERNET"


def test_a_secret_that_vanishes_changes_nothing_and_is_told() -> None:
    assert next_step(with_route(), present(**THERE), MISSING) == Refuse(
        Reason.CREDENTIALS_MISSING, "Create the Secret."
    )


@pytest.mark.parametrize(
    ("spec", "observed", "mask"),
    [
        ({"placement": ROUTE["placement"]}, THERE, ("direct_route_type", "direct_route_api_keys")),
        ({"placement": ROUTE["placement"]}, CLOSED, ("direct_route_api_keys",)),
        (PRIVATE, {**THERE, "directRouteType": "AWS_PRIVATELINK"}, ("direct_route_api_keys",)),
    ],
    ids=["the route", "the rest of it", "only its keys"],
)
def test_what_leaves_the_spec_is_removed(spec: dict[str, Any], observed: dict[str, JsonValue], mask: object) -> None:
    action = next_step(with_route(spec), present(**observed), None)
    assert isinstance(action, Update)
    assert (action.mask, action.route_keys, action.body["directRouteApiKeys"]) == (mask, KeyChange(None), [])


def test_a_route_that_others_have_opened_is_left_alone_where_the_spec_names_none() -> None:
    adopted = a_resource({}, {**CREATED, "appliedFields": []})
    assert isinstance(next_step(adopted, present(**THERE), None), Rest)
    private = a_resource(PRIVATE, {**CREATED, "appliedFields": []})
    there = {**THERE, "directRouteType": "AWS_PRIVATELINK"}
    assert isinstance(next_step(private, present(**there), None), Rest), "nor are keys that the spec does not name"


def test_keys_are_sent_to_what_is_adopted_with_a_route_of_the_same_type() -> None:
    adopted = a_resource(ROUTE, {**CREATED, "appliedFields": []})
    action = next_step(adopted, present(**THERE), FIRST)
    assert isinstance(action, Update)
    assert (action.mask, action.route_keys) == (("direct_route_api_keys",), KeyChange(FIRST))


def test_another_key_does_not_wait_for_a_field_that_fireworks_does_not_change() -> None:
    attempt = an_attempt("Update", "Updating", ago=40, count=3)
    resource = with_route({**ROUTE, "displayName": "blue"}, lastAttempt=attempt)
    stuck = next_step(resource, present(**THERE, displayName="red"), FIRST)
    assert isinstance(stuck, Refuse)
    assert stuck.reason is Reason.NOT_CONVERGING
    action = next_step(resource, present(**THERE, displayName="red"), SECOND)
    assert isinstance(action, Update)
    assert action.fields == KEYS


def test_keys_alone_never_count_as_not_converging() -> None:
    attempt = an_attempt("Update", "Updating", ago=40, count=7)
    assert isinstance(next_step(with_route(lastAttempt=attempt), present(**THERE), SECOND), Update)


def test_keys_that_fireworks_refuses_are_not_sent_again_at_once_unless_somebody_asks() -> None:
    attempt = an_attempt("Update", "RejectedByFireworks", ago=10)
    resource = with_route(lastAttempt=attempt)
    assert isinstance(next_step(resource, present(**THERE), SECOND), Refuse)
    assert isinstance(next_step(resource, present(**THERE), SECOND, skip_pauses=True), Update)


# --- what is remembered -----------------------------------------------------------------------------------------------


def recorded(
    resource: FireworksDeployment, action: Action, *, begun: bool = False, refused: bool = False, **wire: JsonValue
) -> DirectRouteSecret | None:
    """Return which keys count as sent after a step."""
    error = an_error(ErrorKind.INVALID) if refused else None
    situation = assess(resource, present(**{**THERE, **wire}), a_context(route_secret=SECOND))
    return report(situation, Outcome(action, error, begun)).direct_route_secret


CREATE = Create(NAME, {}, {}, ("baseModel",), SECOND)
ROTATE = Update(NAME, {}, ("direct_route_api_keys",), KEYS, KeyChange(SECOND))
CLEAR = Update(NAME, {}, ("direct_route_api_keys",), KEYS, KeyChange(None))
OTHER = Update(NAME, {}, ("display_name",), ("displayName",))


@pytest.mark.parametrize(
    ("action", "step", "expected", "reason"),
    [
        (CREATE, {"begun": True}, None, "its answer may be lost"),
        (CREATE, {}, SECOND, "they went along"),
        (ROTATE, {}, SECOND, "they were accepted"),
        (ROTATE, {"refused": True}, FIRST, "Fireworks has the ones of before"),
        (CLEAR, {}, None, "there are none"),
        (CLEAR, {"refused": True}, FIRST, "they are still there"),
        (OTHER, {}, FIRST, "it was about something else"),
        (Rest(), {}, FIRST, "nothing was done"),
        (Undelete(NAME), {"begun": True}, None, "nobody knows whether a deleted one keeps them"),
        (Undelete(NAME), {}, None, "so it is once it is back"),
        (Delete(NAME, hard=True), {}, None, "there is no deployment"),
        (Delete(NAME), {}, FIRST, "a refusal may leave it as it is"),
        (Adopt(NAME, {}, by_request=True), {}, None, "somebody else's keys are there"),
        (Adopt(NAME, {}), {}, FIRST, "only its marker was lost"),
    ],
)
def test_the_status_remembers_which_keys_fireworks_has(
    action: Action, step: dict[str, bool], expected: DirectRouteSecret | None, reason: str
) -> None:
    assert recorded(with_route(), action, **step) == expected, reason


def test_what_is_only_observed_from_now_on_counts_as_without_keys_of_ours() -> None:
    assert recorded(with_route({**ROUTE, "managementPolicy": "Observe"}), Rest()) is None


def test_ready_stays_true_while_only_the_keys_are_exchanged() -> None:
    context = a_context(route_secret=SECOND)
    before = serving(ROUTE)
    known = before.model_copy(update={"status": before.status.model_copy(update={"direct_route_secret": FIRST})})
    rotated = after(known, present(**THERE, annotations=MADE_HERE), ROTATE, context=context)
    assert summary(rotated.status)[:2] == ("TT", "FF")
    assert rotated.status.last_attempt is None
    assert rotated.status.direct_route_secret == SECOND


def test_the_handle_is_in_the_status_while_there_is_one() -> None:
    there = after(
        with_route(), present(**THERE, directRouteHandle="acme-chat.direct"), context=a_context(route_secret=FIRST)
    )
    assert there.status.direct_route_handle == "acme-chat.direct"
    assert after(there, present(**THERE), context=a_context(route_secret=FIRST)).status.direct_route_handle is None


def test_a_missing_secret_leaves_available_as_it_is() -> None:
    stalled = after(with_route(), present(**THERE), context=a_context(route_secret=MISSING))
    assert summary(stalled.status)[:3] == ("FT", "FT", "CredentialsMissing")
