"""What an error of the API means for a resource: reason, whether a person must act, and what to do."""

import pytest

from fireworks_operator.api.conditions import Reason
from fireworks_operator.core.actions import (
    Action,
    Adopt,
    Create,
    Delete,
    LoadAddon,
    SetDeployedModel,
    Undelete,
    UnloadAddon,
    Update,
    UpdateAddon,
)
from fireworks_operator.core.diagnosis import diagnose
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from testkit.builders import NAME, an_error

CREATE = Create(NAME, {}, {}, ())
SHAPELESS = Create(NAME, {"acceleratorType": "NVIDIA_H100_80GB"}, {}, ("acceleratorType",))
SHAPED = Create(NAME, {"deploymentShape": "fast"}, {}, ("deploymentShape",))
DEFAULTED = Create(NAME, {"deploymentShape": "default"}, {}, ())
UPDATE = Update(NAME, {}, ("display_name",), ("displayName",))
FORMER = Delete(NAME, of_two=True)
FAILED_ONE = Delete(NAME, hard=True)
ADDONS = (LoadAddon(NAME, "m", {}), UpdateAddon(NAME, "d", {}, ()), UnloadAddon(NAME, "m", "d"))
ACTIONS: tuple[Action | None, ...] = (
    None,
    CREATE,
    UPDATE,
    Adopt(NAME, {}),
    Undelete(NAME),
    Delete(NAME),
    Delete(NAME, hard=True),
    *ADDONS,
)

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
    diagnosis = diagnose(an_error(kind), action)
    assert (diagnosis.reason, diagnosis.needs_user) == expected


@pytest.mark.parametrize("kind", OTHERS)
def test_a_refusal_is_explained_by_what_was_tried(kind: ErrorKind) -> None:
    refused = Reason.MODEL_NOT_FOUND if kind is ErrorKind.NOT_FOUND else Reason.REJECTED_BY_FIREWORKS
    for action in (CREATE, UPDATE):
        assert diagnose(an_error(kind), action).reason is refused
    assert diagnose(an_error(kind), Delete(NAME)).reason is Reason.DELETION_BLOCKED
    assert {diagnose(an_error(kind), action).reason for action in ADDONS} == {Reason.ADDON_FAILED}
    assert all(diagnose(an_error(kind), action).needs_user for action in ACTIONS if action is not None)


@pytest.mark.parametrize("kind", OTHERS)
def test_a_look_that_is_refused_is_no_mistake_of_any_spec(kind: ErrorKind) -> None:
    diagnosis = diagnose(an_error(kind, "the model is not found"))
    assert (diagnosis.reason, diagnosis.needs_user) == (Reason.API_UNAVAILABLE, False)
    assert "the model is not found" in diagnosis.message
    assert "spec" not in diagnosis.message


@pytest.mark.parametrize("kind", sorted(set(ErrorKind) - {ErrorKind.RATE_LIMITED}))
@pytest.mark.parametrize("action", [CREATE, UPDATE, *ADDONS], ids=str)
def test_the_servers_words_are_passed_on(kind: ErrorKind, action: Action) -> None:
    assert "the server's words." in diagnose(an_error(kind), action).message


@pytest.mark.parametrize(
    ("message", "action", "reason", "way_out"),
    [
        ("Model accounts/x/models/y not found", CREATE, Reason.MODEL_NOT_FOUND, "Check spec.baseModel"),
        ("You do not have access to model z: no access", CREATE, Reason.MODEL_NOT_FOUND, "account has access"),
        ("accelerator_type must be specified", CREATE, Reason.REJECTED_BY_FIREWORKS, "Set spec.acceleratorType"),
        ("accelerator_type must be specified", CREATE, Reason.REJECTED_BY_FIREWORKS, "setting defaultShape"),
        ("shapeless deployments are risky", SHAPELESS, Reason.REJECTED_BY_FIREWORKS, "Set spec.deploymentShape"),
        ("deployment_shape must be specified", SHAPELESS, Reason.REJECTED_BY_FIREWORKS, "setting acceptShapelessRisk"),
        ("A deployment shape is required.", SHAPELESS, Reason.REJECTED_BY_FIREWORKS, "Set spec.deploymentShape"),
        ("no validated shape", DEFAULTED, Reason.REJECTED_BY_FIREWORKS, "spec.deploymentShape or spec.acceleratorType"),
        ("the deployment shape conflicts with: precision", DEFAULTED, Reason.REJECTED_BY_FIREWORKS, "remove what"),
        (
            "the shape version does not exist",
            SHAPED,
            Reason.REJECTED_BY_FIREWORKS,
            "replace it by spec.acceleratorType",
        ),
        ("choose a deployment shape that has it", UPDATE, Reason.REJECTED_BY_FIREWORKS, "Set spec.deploymentShape"),
        ("model accounts/x/models/shape-3 not found", SHAPED, Reason.MODEL_NOT_FOUND, "Check spec.baseModel"),
        ("invalid value of shape-3", UPDATE, Reason.REJECTED_BY_FIREWORKS, "Fix the spec"),
        ("max_context_length is too large", UPDATE, Reason.REJECTED_BY_FIREWORKS, "Fix the spec"),
        (
            "deployment has received inference requests in the last hour",
            Delete(NAME),
            Reason.DELETION_BLOCKED,
            "fireworks.ai/ignore-checks=true",
        ),
        ("set ignore_checks to delete", Delete(NAME), Reason.DELETION_BLOCKED, "fireworks.ai/ignore-checks=true"),
        ("it is the default deployment of its model", Delete(NAME), Reason.DELETION_BLOCKED, "another deployment"),
        ("something else", Delete(NAME), Reason.DELETION_BLOCKED, "fireworks.ai/abandon"),
        ("something else", Delete(NAME, hard=True), Reason.DEPLOYMENT_FAILED, "Delete it in the Fireworks console"),
        ("inference requests in the last hour", Delete(NAME, hard=True), Reason.DEPLOYMENT_FAILED, "Stop the traffic"),
        ("it is the default deployment of its model", FAILED_ONE, Reason.DEPLOYMENT_FAILED, "Make another deployment"),
        ("inference requests in the last hour", FORMER, Reason.DELETION_BLOCKED, "spec.replacePolicy.ignoreChecks"),
        ("it is the default deployment of its model", FORMER, Reason.DELETION_BLOCKED, "Make another deployment"),
        ("it has 2 loaded addons", FORMER, Reason.DELETION_BLOCKED, "spec.replacePolicy.ignoreChecks"),
        ("something else", FORMER, Reason.DELETION_BLOCKED, "Delete it in the Fireworks console"),
        ("no", Delete(NAME, hard=True, ignore_checks=True), Reason.DELETION_BLOCKED, "in the Fireworks console"),
    ],
)
def test_every_known_refusal_has_its_own_way_out(message: str, action: Action, reason: Reason, way_out: str) -> None:
    diagnosis = diagnose(an_error(ErrorKind.INVALID, message), action)
    assert diagnosis.reason is reason
    assert way_out in diagnosis.message
    assert diagnosis.needs_user


@pytest.mark.parametrize("kind", [ErrorKind.INVALID, ErrorKind.PERMISSION_DENIED])
def test_a_default_that_is_taken_over_and_refused_does_not_blame_a_field_that_nobody_set(kind: ErrorKind) -> None:
    action = SetDeployedModel(NAME, None, {"default": True}, ("deployedModel.default",), inherited=True)
    diagnosis = diagnose(an_error(kind, "no"), action)
    assert diagnosis.needs_user
    assert "spec.deployedModel" not in diagnosis.message
    assert "make it the default yourself" in diagnosis.message
    assert NAME in diagnosis.message


@pytest.mark.parametrize("words", ["inference requests in the last hour", "it has 2 loaded addons", "something else"])
def test_one_of_two_that_stays_names_no_annotation_which_acts_only_on_a_deleted_resource(words: str) -> None:
    assert "fireworks.ai/" not in diagnose(an_error(ErrorKind.INVALID, words), FORMER).message


def test_a_shape_that_does_not_exist_is_no_missing_model() -> None:
    error = an_error(ErrorKind.NOT_FOUND, "the deployment shape version does not exist or you do not have access to it")
    assert diagnose(error, SHAPED).reason is Reason.REJECTED_BY_FIREWORKS


@pytest.mark.parametrize("kind", list(ErrorKind))
@pytest.mark.parametrize("action", [None, CREATE, UPDATE, Delete(NAME)], ids=str)
def test_a_message_says_what_to_do_or_that_nothing_need_be_done(kind: ErrorKind, action: Action | None) -> None:
    message = diagnose(an_error(kind), action).message
    advice = ("Check ", "automatically", "Put ", "Use ", "Resolve ", "Request ", "Set ", "Correct ", "Fix ")
    assert any(words in message for words in advice), message
    assert len(message) < 600


def test_an_error_without_words_still_makes_a_sentence() -> None:
    error = FireworksError(ErrorKind.INVALID, "Bad request!", status=400)
    assert "Bad request! Fix" in diagnose(error, UPDATE).message
