"""`decide_both()`: whose turn it is while a resource has two deployments, phase by phase."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from fireworks_operator.api.conditions import Reason
from fireworks_operator.core.actions import (
    Action,
    Claim,
    Create,
    Delete,
    HandBack,
    Pending,
    Progress,
    Refuse,
    RemoveFinalizer,
    Rest,
    SetDeployedModel,
    SetReplacement,
    Switch,
    Update,
)
from fireworks_operator.core.decisions.decide import decide
from fireworks_operator.core.identity import deployment_id, deployment_name
from fireworks_operator.core.observed.observation import Absent, Observed, Unknown
from fireworks_operator.core.replacing.handover import decide_both, is_due
from fireworks_operator.core.situation import Situation, assess
from fireworks_operator.core.successor import second
from testkit.builders import (
    ACCOUNT,
    BASE_MODEL,
    CREATED,
    MADE_HERE,
    NAME,
    NOW,
    OWNER,
    a_context,
    a_resource,
    an_addon,
    an_attempt,
    present,
)

H100, H200, B200 = "NVIDIA_H100_80GB", "NVIDIA_H200_141GB", "NVIDIA_B200_180GB"
OTHER = deployment_name(ACCOUNT, deployment_id(replace(OWNER, revision=2)))
GONE = Absent(confirmed=True)
MAIN = present(annotations=MADE_HERE, acceleratorType=H100)
READY_OTHER = present(name=OTHER, annotations=MADE_HERE, acceleratorType=H200)
CREATING = present(name=OTHER, annotations=MADE_HERE, acceleratorType=H200, state="CREATING", replicaStats={})
FAILED = present(name=OTHER, annotations=MADE_HERE, acceleratorType=H200, state="FAILED", replicaStats={})
FAILED_MAIN = present(annotations=MADE_HERE, acceleratorType=H100, state="FAILED", replicaStats={})
FAILED_BUT_SERVING = present(annotations=MADE_HERE, acceleratorType=H100, state="FAILED")
DELETING_OTHER = present(name=OTHER, annotations=MADE_HERE, acceleratorType=H200, state="DELETING")
ANEW = present(name=OTHER, annotations=MADE_HERE, acceleratorType=H200, createTime=NOW.isoformat())
BY_DEFAULT = an_addon(BASE_MODEL, default=True)
PREPARING: Mapping[str, Any] = {
    "phase": "Preparing",
    "startTime": NOW,
    "revision": 2,
    "fields": ["acceleratorType"],
    "deploymentName": OTHER,
    "appliedFields": ["acceleratorType", "baseModel"],
}
UNCLAIMED = {name: value for name, value in PREPARING.items() if name not in ("deploymentName", "appliedFields")}
SOON, PAST = NOW + timedelta(minutes=5), NOW - timedelta(seconds=1)
DRAINING = {**PREPARING, "phase": "Draining", "until": PAST}
DISCARDING = {**PREPARING, "phase": "Discarding"}
HANDED_BACK = {
    **PREPARING,
    "handBacks": 1,
    "lastAttempt": {**an_attempt("Replace", "DeploymentFailed", generation=2), "target": OTHER},
}
PAUSE_OVER = {
    "startTime": NOW - timedelta(seconds=301),
    "lastAttempt": {**an_attempt("Replace", "DeploymentFailed", generation=2, ago=301), "target": OTHER},
}


@dataclass(frozen=True, slots=True)
class Row:
    """Two deployments, and the step that follows; the status names MAIN's, `second` is in `status.replacement`."""

    reason: str
    replacement: Mapping[str, Any]
    first: Observed
    second: Observed
    expected: type[Action]
    wants: str = H200
    spec: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    says: str = ""
    about_second: bool = False


DELETED = {"deletionTimestamp": NOW}
ROWS = [
    Row("The successor has a name before it exists.", UNCLAIMED, MAIN, GONE, Claim, about_second=True),
    Row("It is created once it is known to be absent.", PREPARING, MAIN, GONE, Create, about_second=True),
    Row("Nobody knows whether it exists.", PREPARING, MAIN, Unknown(), Pending, about_second=True),
    Row("It is on its way.", PREPARING, MAIN, CREATING, Rest, about_second=True),
    Row("It serves, and is all that is asked for.", PREPARING, MAIN, READY_OTHER, Switch, about_second=True),
    Row("It serves, and nobody may change anything.", PREPARING, MAIN, READY_OTHER, Refuse, spec={"paused": True}),
    Row("It failed, and has its pause.", PREPARING, MAIN, FAILED, Refuse, about_second=True),
    Row("The old value is back.", PREPARING, MAIN, READY_OTHER, SetReplacement, wants=H100, says="Discarding"),
    Row("The old value is back before anything was.", UNCLAIMED, MAIN, GONE, SetReplacement, wants=H100, says="none"),
    Row("Something else is asked for.", PREPARING, MAIN, CREATING, SetReplacement, wants=B200, says="Discarding"),
    Row("The policy has changed.", PREPARING, MAIN, CREATING, SetReplacement, spec={"replacePolicy": None},
        says="Discarding"),
    Row("The resource is deleted.", PREPARING, MAIN, CREATING, SetReplacement, metadata=DELETED, says="Discarding"),
    Row("The former one drains.", {**DRAINING, "until": SOON}, MAIN, READY_OTHER, Rest, wants=H100),
    Row("It has drained.", DRAINING, MAIN, READY_OTHER, Delete, wants=H100, about_second=True),
    Row("Nothing is said of the present one.", DRAINING, Unknown(), READY_OTHER, Pending, wants=H100),
    Row("A change of the present one comes first.", DRAINING, MAIN, READY_OTHER, Update, wants=H100,
        spec={"displayName": "Chat"}),
    Row("It is what the spec asks for again.", {**DRAINING, "until": SOON}, MAIN, READY_OTHER, SetReplacement,
        says="Preparing"),
    Row("It is gone.", DRAINING, MAIN, GONE, SetReplacement, wants=H100, says="none",
        about_second=True),
    Row("It is gone before it has drained.", {**DRAINING, "until": SOON}, MAIN, GONE, Rest, wants=H100),
    Row("The successor goes.", DISCARDING, MAIN, READY_OTHER, Delete, wants=H100, about_second=True),
    Row("It is gone, and the old one is as asked.", DISCARDING, MAIN, GONE, SetReplacement, wants=H100, says="none",
        about_second=True),
    Row("Nobody knows whether it is gone.", DISCARDING, MAIN, Unknown(), Pending, wants=H100, about_second=True),
    Row("Another one begins only once it is gone.", DISCARDING, MAIN, READY_OTHER, Delete, wants=B200,
        about_second=True),
    Row("It has failed, and the former one serves.", DRAINING, FAILED_MAIN, READY_OTHER, HandBack, wants=H100),
    Row("It has failed, and the former one is deleted.", DRAINING, FAILED_MAIN, DELETING_OTHER, Refuse, wants=H100),
    Row("It has failed, and nothing is known of the former one.", DRAINING, FAILED_MAIN, Unknown(), Refuse, wants=H100),
    Row("It has failed, and so has the former one.", DRAINING, FAILED_MAIN, FAILED, Refuse, wants=H100),
    Row("It has failed, and a replica of it still answers.", DRAINING, FAILED_BUT_SERVING, READY_OTHER, Refuse,
        wants=H100),
    Row("It has failed, and is not replaced by BlueGreen any more.", DRAINING, FAILED_MAIN, READY_OTHER, Refuse,
        wants=H100, spec={"replacePolicy": None}),
    Row("It has failed, and nobody may change anything.", DRAINING, FAILED_MAIN, READY_OTHER, Refuse, wants=H100,
        spec={"paused": True}),
    Row("It has failed, and the former one is what the spec asks for again.", DRAINING, FAILED_MAIN, READY_OTHER,
        SetReplacement, says="Preparing"),
    Row("It has failed, and something else is asked for.", DRAINING, FAILED_MAIN, READY_OTHER, HandBack, wants=B200),
    Row("Handed back, it has its pause.", HANDED_BACK, MAIN, FAILED, Refuse, about_second=True),
    Row("Handed back, and its pause is over.", {**HANDED_BACK, **PAUSE_OVER}, MAIN, FAILED, Delete, about_second=True),
    Row("Handed back, and the default of the model is not known.", {**HANDED_BACK, **PAUSE_OVER},
        replace(MAIN, addons=None), FAILED, Progress),
    Row("Handed back, and the failed one is still the default of its model.", {**HANDED_BACK, **PAUSE_OVER}, MAIN,
        replace(FAILED, addons=(BY_DEFAULT,)), SetDeployedModel),
    Row("Handed back, and mended by Fireworks within its pause.", HANDED_BACK, MAIN, READY_OTHER, Rest,
        about_second=True),
    Row("Handed back, and created anew within its pause.", HANDED_BACK, MAIN, ANEW, Switch, about_second=True),
    Row("Handed back, and mended by Fireworks.", {**HANDED_BACK, **PAUSE_OVER}, MAIN, READY_OTHER, Switch,
        about_second=True),
    Row("Handed back, and the old value is back.", HANDED_BACK, MAIN, FAILED, SetReplacement, wants=H100,
        says="Discarding"),
    Row("Abandoned: both stay.", DRAINING, MAIN, READY_OTHER, RemoveFinalizer, wants=H100,
        metadata={**DELETED, "annotations": {"fireworks.ai/abandon": "true"}}),
]  # fmt: skip


def both(row: Row) -> tuple[Situation, Action]:
    spec = {
        "acceleratorType": row.wants,
        "replacePolicy": {"type": "BlueGreen"},
        **row.spec,
    }
    status = {**CREATED, "appliedFields": ["acceleratorType", "baseModel"], "replacement": row.replacement}
    resource = a_resource(
        {key: value for key, value in spec.items() if value is not None}, status, **{"generation": 2, **row.metadata}
    )
    replacement = resource.status.replacement
    assert replacement is not None
    context = a_context()
    main = assess(resource, row.first, context, row.second)
    view = assess(second(resource, replacement), row.second, replace(context, revision=2), row.first)
    action = decide(main)
    due = replacement.phase == "Preparing" or is_due(main, action, replacement)
    return decide_both(main, action, view, decide(view) if due else Rest(replacement.until))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.reason)
def test_whose_turn_it_is(row: Row) -> None:
    situation, action = both(row)
    assert isinstance(action, row.expected), action
    assert (situation.beside is not None) == row.about_second
    if isinstance(action, SetReplacement):
        assert (str(action.replacement.phase) if action.replacement else "none") == row.says
    if isinstance(action, Delete | Create | Switch):
        assert action.target == OTHER


def test_a_successor_of_which_nothing_is_known_yet_is_waited_for() -> None:
    situation, _ = both(Row("", PREPARING, MAIN, Unknown(), Pending))
    assert situation.beside is not None
    waits = situation.beside.action
    assert isinstance(waits, Progress)
    assert waits.reason is Reason.REPLACING
    assert NAME in waits.message
