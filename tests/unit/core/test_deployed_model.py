"""The base model's own DeployedModel: what is sent for it, when, and what is told of it."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import JsonValue

from fireworks_operator.api.conditions import Reason
from fireworks_operator.core.actions import LoadAddon, Progress, Refuse, Rest, SetDeployedModel
from fireworks_operator.core.decisions.addons import uses_addons
from fireworks_operator.core.diagnosis import diagnose
from fireworks_operator.core.observed.observation import Present
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.situation import assess
from fireworks_operator.core.status.report import report
from fireworks_operator.fireworks.errors import ErrorKind
from testkit.builders import (
    ACCOUNT,
    ADDON,
    BASE_MODEL,
    CREATED,
    NAME,
    NOW,
    a_context,
    a_resource,
    an_addon,
    an_error,
    present,
)
from testkit.report_steps import after
from tests.unit.core.decide_rows import Row, check, created, refuses, tried

ENTRY = f"accounts/{ACCOUNT}/deployedModels/base"
REMEMBERED = SetDeployedModel(NAME, None, {}, ()).remembered_as
DEFAULT = {"deployedModel": {"default": True}}


def entry(**wire: JsonValue) -> Any:  # noqa: ANN401 - as `present` takes them
    """Build the base model's DeployedModel, as Fireworks makes it."""
    state = str(wire.pop("state", "DEPLOYED"))
    return an_addon(BASE_MODEL, state, **{"name": ENTRY, **wire})


def sets(body: dict[str, JsonValue], *fields: str, to: str | None = ENTRY) -> dict[str, object]:
    return {"target": NAME, "deployed_model": to, "body": body, "fields": tuple(f"deployedModel.{f}" for f in fields)}


def sent(*, ago: float) -> dict[str, Any]:
    return {"addon_updates": {REMEMBERED: NOW - timedelta(seconds=ago)}}


@pytest.mark.parametrize(
    "row",
    [
        Row("It differs.", created(DEFAULT), present(entry()), SetDeployedModel, sets({"default": True}, "default")),
        Row("It is so.", created(DEFAULT), present(entry(default=True)), Rest),
        Row("What is left out is false.", created({"deployedModel": {"public": False}}), present(entry()), Rest),
        Row("Nothing is asked for.", created({"deployedModel": {}}), present(entry(public=True)), Rest),
        Row(
            "Only what differs is sent, zeros too.",
            created({"deployedModel": {"default": True, "public": False}}),
            present(entry(default=True, public=True)),
            SetDeployedModel,
            sets({"public": False}, "public"),
        ),
        Row(
            "A later deployment of a model has none yet.",
            created(DEFAULT),
            present(an_addon()),
            SetDeployedModel,
            sets({"model": BASE_MODEL, "deployment": NAME, "default": True}, "default", to=None),
        ),
        Row("Nor needs one to be no default.", created({"deployedModel": {"default": False}}), present(), Rest),
        Row("It is going: its successor is made then.", created(DEFAULT), present(entry(state="UNDEPLOYING")), Rest),
        Row("Nothing is known of it.", created(DEFAULT), Present(present().deployment), Rest),
        Row("It does not serve yet.", created(DEFAULT), present(entry(), state="CREATING"), Rest),
        Row("A moment ago: lists lag.", created(DEFAULT), present(entry()), Progress, {}, sent(ago=119)),
        Row(
            "It did not last.",
            created(DEFAULT),
            present(entry()),
            Refuse,
            refuses(Reason.NOT_CONVERGING),
            sent(ago=120),
        ),
        Row(
            "After five minutes it is set again.",
            created(DEFAULT),
            present(entry()),
            SetDeployedModel,
            {},
            sent(ago=300),
        ),
        Row(
            "Or upon a person's word.",
            created(DEFAULT),
            present(entry()),
            SetDeployedModel,
            {},
            {**sent(ago=1), "skip_pauses": True},
        ),
        Row(
            "Refused: after a pause.",
            created(DEFAULT, tried("SetDeployedModel", "RejectedByFireworks", ago=59)),
            present(entry()),
            Refuse,
            refuses(Reason.REJECTED_BY_FIREWORKS),
        ),
        Row(
            "Then again.",
            created(DEFAULT, tried("SetDeployedModel", "RejectedByFireworks", ago=60)),
            present(entry()),
            SetDeployedModel,
        ),
        Row(
            "Addons come first.",
            created({**DEFAULT, "addons": [{"model": ADDON}]}),
            present(entry(), enableAddons=True),
            LoadAddon,
        ),
        Row("Paused.", created({**DEFAULT, "paused": True}), present(entry()), Refuse, refuses(Reason.PAUSED)),
        Row(
            "Only observed.", created({**DEFAULT, "managementPolicy": "Observe"}, finalizers=[]), present(entry()), Rest
        ),
    ],
    ids=lambda row: row.reason,
)
def test_what_is_sent_and_when(row: Row) -> None:
    check(row)


def test_only_who_asks_for_it_has_the_account_list_what_is_loaded() -> None:
    assert uses_addons(a_resource(DEFAULT))
    assert not uses_addons(a_resource())


def test_the_base_model_never_becomes_an_addon_of_status_which_would_be_unloaded() -> None:
    told = after(created(DEFAULT), present(entry()))
    assert told.status.addons is None
    attempt = told.status.last_attempt
    assert attempt is not None
    assert (attempt.action, attempt.reason) == ("SetDeployedModel", Reason.UPDATING)
    assert after(told, present(entry(default=True))).status.last_attempt is None


def test_a_refusal_is_told_and_the_deployment_counts_as_serving() -> None:
    action = SetDeployedModel(NAME, ENTRY, {"default": False}, ("deployedModel.default",))
    error = an_error(ErrorKind.FAILED_PRECONDITION, "set another default first")
    diagnosis = diagnose(error, action)
    assert diagnosis.reason is Reason.REJECTED_BY_FIREWORKS
    assert "set another default first. Correct spec.deployedModel" in diagnosis.message
    resource = a_resource({"deployedModel": {"default": False}}, CREATED)
    status = report(assess(resource, present(entry(default=True)), a_context()), Outcome(action, error))
    found = {each.type: each.status for each in status.conditions}
    assert (found["Available"], found["Stalled"]) == ("True", "True")
