"""When a model is prepared before its deployment is claimed, how long that is waited for, and what status keeps."""

from datetime import timedelta
from typing import Any

import pytest

from fireworks_operator.api.conditions import Reason
from fireworks_operator.core.actions import Claim, Pending, PrepareModel, Progress, Refuse
from fireworks_operator.core.decisions.preparation import preparing
from fireworks_operator.core.diagnosis import diagnose
from fireworks_operator.core.observed.observation import Absent, Unknown
from fireworks_operator.fireworks.errors import ErrorKind
from fireworks_operator.fireworks.models import Model
from testkit.builders import ACCOUNT, NAME, NOW, a_context, a_resource, an_attempt, an_error, present
from testkit.report_steps import after
from tests.unit.core.decide_rows import NEW_SPEC, Row, check, claimed, refuses

MINE = f"accounts/{ACCOUNT}/models/mine"
SPEC: dict[str, Any] = {"baseModel": "mine", "precision": "FP8", "prepareModel": True}
REQUEST: dict[str, object] = {"target": NAME, "model": MINE, "precision": "FP8"}


def records(*precisions: str) -> dict[str, Any]:
    """Build surroundings in which the model's record says what it supports."""
    return {"models": {MINE: Model(MINE, supported_precisions=("FP16", *precisions))}}


def begun(*, ago: float, precision: str = "FP8", reason: str = "PreparingModel") -> dict[str, Any]:
    """Build a status that remembers an accepted request for the first revision of the spec."""
    attempt = an_attempt("PrepareModel", reason, ago=ago)
    return {"lastAttempt": {**attempt, "message": preparing(MINE, precision)}}


@pytest.mark.parametrize(
    "row",
    [
        Row("Not supported: prepared.", a_resource(SPEC), Absent(), PrepareModel, REQUEST, records()),
        Row("By its full name, too.", a_resource({**SPEC, "baseModel": MINE}), Absent(), PrepareModel, {}, records()),
        Row("Before the finalizer.", a_resource(SPEC, finalizers=[]), Absent(), PrepareModel, {}, records()),
        Row("Supported: nothing to prepare.", a_resource(SPEC), Absent(), Claim, {}, records("FP8")),
        Row("Nothing asks for it.", a_resource({**SPEC, "prepareModel": False}), Absent(), Claim, {}, records()),
        Row("No record: the create request tells what is wrong.", a_resource(SPEC), Absent(), Claim),
        Row("Nothing is known yet.", a_resource(SPEC), Unknown(), Pending, {}, records()),
        Row("It exists and is adopted.", a_resource(SPEC), present(), Claim, {}, records()),
        Row(
            "Paused.",
            a_resource({**SPEC, "paused": True}),
            Absent(),
            Refuse,
            refuses(Reason.PAUSED),
            records(),
        ),
        Row(
            "Another account's.",
            a_resource({**SPEC, "baseModel": "accounts/other/models/theirs"}),
            Absent(),
            Refuse,
            refuses(Reason.INVALID_SPEC),
            records(),
        ),
        Row(
            "Under way.",
            a_resource(SPEC, begun(ago=1799)),
            Absent(),
            Progress,
            {"reason": Reason.PREPARING_MODEL, "until": NOW + timedelta(seconds=30)},
            records(),
        ),
        Row("Also for a new spec.", a_resource(SPEC, begun(ago=9), **NEW_SPEC), Absent(), Progress, {}, records()),
        Row("Also while there is no record.", a_resource(SPEC, begun(ago=9)), Absent(), Progress),
        Row(
            "Another precision is another request.",
            a_resource(SPEC, begun(ago=9, precision="FP4"), **NEW_SPEC),
            Absent(),
            PrepareModel,
            REQUEST,
            records(),
        ),
        Row(
            "Not done in half an hour.",
            a_resource(SPEC, begun(ago=1800)),
            Absent(),
            Refuse,
            refuses(Reason.PREPARING_MODEL, until=NOW + timedelta(minutes=5)),
            records(),
        ),
        Row(
            "Then a person's word sends it again.",
            a_resource(SPEC, begun(ago=1800)),
            Absent(),
            PrepareModel,
            REQUEST,
            {**records(), "skip_pauses": True},
        ),
        Row("Late, but done.", a_resource(SPEC, begun(ago=9000)), Absent(), Claim, {}, records("FP8")),
        Row(
            "Refused: after a pause.",
            a_resource(SPEC, begun(ago=59, reason="RejectedByFireworks")),
            Absent(),
            Refuse,
            refuses(Reason.REJECTED_BY_FIREWORKS, until=NOW + timedelta(seconds=1)),
            records(),
        ),
        Row(
            "After that it is tried again.",
            a_resource(SPEC, begun(ago=60, reason="RejectedByFireworks")),
            Absent(),
            PrepareModel,
            REQUEST,
            records(),
        ),
    ],
    ids=lambda row: row.reason,
)
def test_what_comes_before_the_claim(row: Row) -> None:
    check(row)


def test_what_is_claimed_is_created_without_a_look_at_the_model() -> None:
    resource = after(claimed(SPEC), Absent(), context=a_context(**records()), begun=True)
    attempt = resource.status.last_attempt
    assert attempt is not None
    assert attempt.action == "Create"


def test_a_request_that_was_accepted_is_remembered_once_and_forgotten_by_the_claim() -> None:
    context = a_context(**records())
    sent = after(a_resource(SPEC), Absent(), context=context)
    attempt = sent.status.last_attempt
    assert attempt is not None
    assert (attempt.action, attempt.reason, attempt.time) == ("PrepareModel", Reason.PREPARING_MODEL, NOW)
    assert attempt.message == preparing(MINE, "FP8")
    assert after(sent, Absent(), context=context).status == sent.status, "what waits writes nothing"
    done = after(sent, Absent(), context=a_context(**records("FP8"))).status
    assert done.deployment_name == NAME
    assert done.last_attempt is not None
    assert done.last_attempt.action == "Create"


def test_a_request_without_an_answer_is_not_remembered_and_a_refused_one_is() -> None:
    resource, context, action = a_resource(SPEC), a_context(**records()), PrepareModel(NAME, MINE, "FP8")
    lost = after(resource, Absent(), action, error=an_error(ErrorKind.NO_ANSWER), context=context)
    assert lost.status.last_attempt is None
    refused = after(resource, Absent(), action, error=an_error(ErrorKind.INVALID, "no FP8"), context=context)
    attempt = refused.status.last_attempt
    assert attempt is not None
    assert (attempt.action, attempt.reason) == ("PrepareModel", Reason.REJECTED_BY_FIREWORKS)


@pytest.mark.parametrize(
    ("kind", "reason", "words"),
    [
        (ErrorKind.INVALID, Reason.REJECTED_BY_FIREWORKS, f"refuses to prepare {MINE} for FP8: no. Correct"),
        (ErrorKind.NOT_FOUND, Reason.MODEL_NOT_FOUND, "cannot find a model that the spec refers to"),
        (ErrorKind.PERMISSION_DENIED, Reason.PERMISSION_DENIED, "not allowed to do this"),
    ],
)
def test_a_refusal_names_the_model_and_the_way_out(kind: ErrorKind, reason: Reason, words: str) -> None:
    diagnosis = diagnose(an_error(kind, "no"), PrepareModel(NAME, MINE, "FP8"))
    assert (diagnosis.reason, diagnosis.needs_user) == (reason, True)
    assert words in diagnosis.message
