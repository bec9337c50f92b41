"""What happens to the deployment of a resource that is being deleted: one row per rule."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import JsonValue

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import ANNOTATION_ABANDON, ANNOTATION_IGNORE_CHECKS
from fireworks_operator.core.actions import (
    Claim,
    Delete,
    Pending,
    Progress,
    Refuse,
    RemoveFinalizer,
    Rest,
    Trouble,
    UnloadAddon,
)
from fireworks_operator.core.context import Usable
from fireworks_operator.core.decisions.decide import decide
from fireworks_operator.core.identity import TAG_RELEASED, deployment_id
from fireworks_operator.core.observed.observation import Absent, Present, Unknown
from fireworks_operator.core.situation import assess
from fireworks_operator.fireworks.models import DeployedModel
from testkit.builders import (
    ADDON,
    BORN,
    CLAIMED,
    CREATED,
    NAME,
    NOW,
    OWNER,
    a_context,
    a_deleted_resource,
    a_deployment,
    an_addon,
    an_attempt,
    present,
)
from tests.unit.core.decide_rows import (
    BY_HAND,
    DOUBT,
    GONE,
    HAND_MADE,
    NO_KEY,
    ODD,
    OTHERS,
    SHAKY_KEY,
    UNMANAGED_ID,
    Row,
    check,
)

RECORDED = {**CREATED, "addons": [{"model": ADDON}]}
ABANDONED = {"annotations": {ANNOTATION_ABANDON: "true"}}
FORCED_THROUGH = {"annotations": {ANNOTATION_IGNORE_CHECKS: "true"}}
IDLE: dict[str, Any] = {"state": "DELETING", "replicaCount": 0, "replicaStats": {}}


def looked_at(*addons: DeployedModel, **wire: JsonValue) -> Present:
    """What a GET in the same pass says."""
    return replace(present(*addons, **wire), fresh=True)


def minutes_ago(minutes: int) -> str:
    return (NOW - timedelta(minutes=minutes)).isoformat()


def tried(action: str, reason: str, *, ago: float, count: int = 1) -> dict[str, Any]:
    return {**CREATED, "lastAttempt": an_attempt(action, reason, ago=ago, count=count)}


UNCLAIMED = a_deleted_resource(status={})
REFUSED = a_deleted_resource(status={"lastAttempt": an_attempt("Create", "QuotaExceeded", ago=600)})
TWINS: dict[str, JsonValue] = {**replace(OWNER, uid="kube-system/2").marker()}
OUT: dict[str, Any] = {"unreachable_since": NOW, "unreachable": "No answer."}
LET_GO: dict[str, JsonValue] = {**a_context().owner(UNCLAIMED).marker(), TAG_RELEASED: "true"}

LETTING_GO = [
    Row("Another's finalizer is not our business.", a_deleted_resource(finalizers=["x/y"]), looked_at(), Rest),
    Row("Never claimed: nothing to delete.", a_deleted_resource(status={}), GONE, RemoveFinalizer, {"left": None}),
    Row("Which a LIST does not say.", a_deleted_resource(status={}), Absent(), Pending),
    Row("Unless the first LIST is on its way: a backup may have lost the claim.", UNCLAIMED, Unknown(), Pending),
    Row(
        "Nor may an outage hide it.",
        UNCLAIMED,
        Unknown(),
        Trouble,
        {"reason": Reason.API_UNAVAILABLE},
        {"unreachable_since": NOW},
    ),
    Row(
        "What is refused has nothing there, in an outage too.", REFUSED, Unknown(), RemoveFinalizer, {"left": None}, OUT
    ),
    Row("And without a key.", REFUSED, Unknown(), RemoveFinalizer, {"left": None}, {"credential": NO_KEY}),
    Row("The claim was lost: it is found again.", UNCLAIMED, looked_at(), Claim, {"deployment_name": NAME}),
    Row("As of now, not of a while ago.", UNCLAIMED, present(), Pending),
    Row("Lost, and deleted elsewhere.", UNCLAIMED, looked_at(state="DELETED"), RemoveFinalizer),
    Row("Let go of in a former life.", UNCLAIMED, looked_at(annotations=LET_GO), RemoveFinalizer),
    Row("Another's was in the way.", UNCLAIMED, looked_at(annotations=OTHERS), RemoveFinalizer),
    Row(
        "The claim was lost, and it is abandoned.",
        a_deleted_resource(status={}, **ABANDONED),
        present(),
        RemoveFinalizer,
        {"left": NAME, "cause": "Abandon"},
    ),
    Row(
        "The claim was lost, and the key is gone: not known is not nothing.",
        UNCLAIMED,
        Unknown(),
        Refuse,
        {"reason": Reason.CREDENTIALS_MISSING},
        {"credential": NO_KEY},
    ),
    *(
        Row(
            "The claim was lost, and nothing is to be deleted: the warning names what may be left.",
            a_deleted_resource(spec, {}, **metadata),
            Unknown(),
            RemoveFinalizer,
            {"left": deployment_id(OWNER), "cause": cause},
            context,
        )
        for spec, metadata, cause in (
            ({}, ABANDONED, "Abandon"),
            ({"deletionPolicy": "Retain"}, {}, "Retain"),
            ({"managementPolicy": "Observe"}, {}, "Observe"),
        )
        for context in ({"credential": NO_KEY}, OUT)
    ),
    Row(
        "Abandoned before the first LIST.",
        a_deleted_resource(status={}, **ABANDONED),
        Unknown(),
        RemoveFinalizer,
        {"left": deployment_id(OWNER)},
    ),
    Row("Retain.", a_deleted_resource({"deletionPolicy": "Retain"}), Unknown(), RemoveFinalizer, {"left": NAME}),
    Row("Observe.", a_deleted_resource({"managementPolicy": "Observe"}), Unknown(), RemoveFinalizer, {"left": NAME}),
    *(
        Row(
            f"{policy}, and there is nothing left to keep, nor to warn of.",
            a_deleted_resource(policy),
            observed,
            RemoveFinalizer,
            {"left": None},
        )
        for policy in ({"deletionPolicy": "Retain"}, {"managementPolicy": "Observe"})
        for observed in (GONE, looked_at(state="DELETED"))
    ),
    Row(
        "A create request without an answer may yet leave something.",
        a_deleted_resource({"deletionPolicy": "Retain"}, tried("Create", "ApiUnavailable", ago=20)),
        GONE,
        RemoveFinalizer,
        {"left": NAME},
    ),
    Row(
        "Not in a LIST is no proof.",
        a_deleted_resource({"deletionPolicy": "Retain"}),
        Absent(),
        RemoveFinalizer,
        {"left": NAME},
    ),
    Row("Abandoned.", a_deleted_resource(**ABANDONED), Unknown(), RemoveFinalizer, {"left": NAME}),
    Row(
        "Abandoned without a key: every resource can be deleted.",
        a_deleted_resource(**ABANDONED),
        Unknown(),
        RemoveFinalizer,
        {"left": NAME},
        {"credential": NO_KEY},
    ),
    *(
        Row(
            f"abandon: {value!r} is not understood, so it does nothing.",
            a_deleted_resource(annotations={ANNOTATION_ABANDON: value}),
            Unknown(),
            Pending,
        )
        for value in ("True", "yes", "1", "", "false", " true")
    ),
    Row(
        "The CRD is being deleted: that must not tear down every deployment.",
        a_deleted_resource(),
        looked_at(),
        RemoveFinalizer,
        {"left": NAME},
        {"crd_deleting": True},
    ),
    *(
        Row(
            f"{why}: left, and told as a warning.",
            a_deleted_resource(),
            looked_at(**wire),
            RemoveFinalizer,
            {"left": NAME, "cause": "NotOurs"},
            {"cluster_uid": "kube-system/1"},
        )
        for why, wire in (
            ("Somebody made it again, with a copy of the marker", {"createTime": NOW.isoformat()}),
            ("Somebody made it again, without a marker", {"createTime": NOW.isoformat(), "annotations": {}}),
            ("Another cluster's with the same id", {"annotations": TWINS}),
        )
    ),
    Row("Gone.", a_deleted_resource(), GONE, RemoveFinalizer, {"left": None}),
    Row("Deleted.", a_deleted_resource(), looked_at(state="DELETED"), RemoveFinalizer, {"left": None}),
    Row(
        "Deleted a while ago, and perhaps brought back since.", a_deleted_resource(), present(state="DELETED"), Pending
    ),
    Row(
        "Retained, and deleted a while ago: perhaps it was brought back.",
        a_deleted_resource({"deletionPolicy": "Retain"}),
        present(state="DELETED"),
        RemoveFinalizer,
        {"left": NAME},
    ),
    Row("Somebody else's a while ago.", a_deleted_resource(), present(annotations=OTHERS), Pending),
    Row("Stuck a while ago.", a_deleted_resource(), present(**IDLE, deleteTime=minutes_ago(31)), Progress),
    Row(
        "Somebody else's: left untouched.",
        a_deleted_resource(status=CLAIMED),
        looked_at(annotations=OTHERS),
        RemoveFinalizer,
        {"left": None},
    ),
    Row(
        "Ours until somebody gave it another's marker: left, and told as a warning.",
        a_deleted_resource(),
        looked_at(annotations=OTHERS),
        RemoveFinalizer,
        {"left": NAME, "cause": "NotOurs"},
    ),
    Row(
        "The same with nothing left.",
        a_deleted_resource(),
        looked_at(annotations=OTHERS, state="DELETED"),
        RemoveFinalizer,
        {"left": None},
    ),
    Row(
        "Made by hand and never adopted: left untouched.",
        a_deleted_resource(UNMANAGED_ID, {**CLAIMED, **HAND_MADE}),
        looked_at(name=BY_HAND, annotations={}),
        RemoveFinalizer,
        {"left": None},
    ),
    Row(
        "The adoption was begun and its request never took effect: left untouched.",
        a_deleted_resource(
            UNMANAGED_ID,
            {
                **HAND_MADE,
                "createTime": BORN,
                "appliedFields": [],
                "lastAttempt": an_attempt("Adopt", "Creating", ago=200),
            },
        ),
        looked_at(name=BY_HAND, annotations={}),
        RemoveFinalizer,
        {"left": BY_HAND, "cause": "NotOurs"},
    ),
    Row(
        "Only observed so far: left untouched.",
        a_deleted_resource(UNMANAGED_ID, {**HAND_MADE, "createTime": BORN}),
        looked_at(name=BY_HAND, annotations={}),
        RemoveFinalizer,
        {"left": None},
    ),
    Row(
        "Released by another resource: not ours either.",
        a_deleted_resource(status=CLAIMED),
        looked_at(annotations={**OTHERS, TAG_RELEASED: "true"}),
        RemoveFinalizer,
    ),
    Row(
        "DELETING for over 30 minutes without a replica.",
        a_deleted_resource(),
        looked_at(**IDLE, deleteTime=minutes_ago(31)),
        RemoveFinalizer,
        {"left": NAME},
    ),
]

HOLDING_ON = [
    Row("Paused resources can be deleted.", a_deleted_resource({"paused": True}), present(), Delete),
    Row(
        "Softly, with Fireworks' checks.",
        a_deleted_resource(),
        present(),
        Delete,
        {"hard": False, "ignore_checks": False},
    ),
    Row(
        "Made again by a request of ours whose answer was lost.",
        a_deleted_resource(status={**CREATED, "lastAttempt": an_attempt("Recreate", "ApiUnavailable", ago=9)}),
        present(createTime=NOW.isoformat()),
        Delete,
    ),
    Row("A failed one too.", a_deleted_resource(), present(state="FAILED"), Delete, {"hard": False}),
    Row("Our marker was removed.", a_deleted_resource(), present(annotations={}), Delete),
    Row("By force.", a_deleted_resource(**FORCED_THROUGH), present(), Delete, {"hard": False, "ignore_checks": True}),
    *(
        Row(
            f"ignore-checks: {value!r} is not understood, so the checks stay.",
            a_deleted_resource(annotations={ANNOTATION_IGNORE_CHECKS: value}),
            present(),
            Delete,
            {"ignore_checks": False},
        )
        for value in ("True", "yes", "")
    ),
    Row(
        "Listed in a form that is not understood.",
        a_deleted_resource(),
        ODD,
        Trouble,
        {"reason": Reason.API_UNAVAILABLE},
    ),
    Row("The same where the claim was lost.", UNCLAIMED, ODD, Trouble, {"reason": Reason.API_UNAVAILABLE}),
    Row("Listed and denied.", a_deleted_resource(), DOUBT, Trouble, {"reason": Reason.API_UNAVAILABLE}),
    Row("The same where the claim was lost.", UNCLAIMED, DOUBT, Trouble, {"reason": Reason.API_UNAVAILABLE}),
    Row(
        "The same where a create was refused before.",
        a_deleted_resource(status={"lastAttempt": an_attempt("Create", "RejectedByFireworks", ago=600)}),
        DOUBT,
        Trouble,
        {"reason": Reason.API_UNAVAILABLE},
    ),
    Row("Nothing is known yet.", a_deleted_resource(), Unknown(), Pending),
    Row("A LIST does not say that it is gone.", a_deleted_resource(), Absent(), Pending),
    Row(
        "A create without an answer may still take effect.",
        a_deleted_resource(status={**CLAIMED, "lastAttempt": an_attempt("Create", "ApiUnavailable", ago=67)}),
        GONE,
        Progress,
        {"reason": Reason.DELETING, "until": NOW + timedelta(seconds=1)},
    ),
    Row(
        "Also one that a restart cut off.",
        a_deleted_resource(status={**CLAIMED, "lastAttempt": an_attempt("Replace", "Creating", ago=5)}),
        GONE,
        Progress,
        {"reason": Reason.DELETING},
    ),
    Row(
        "A minute later it may not.",
        a_deleted_resource(status={**CLAIMED, "lastAttempt": an_attempt("Create", "ApiUnavailable", ago=68)}),
        GONE,
        RemoveFinalizer,
    ),
    *(
        Row(
            f"{action} without an answer may yet bring it back, or take it over.",
            a_deleted_resource(status={**CREATED, "lastAttempt": an_attempt(action, reason, ago=67)}),
            observed,
            Progress,
            {"reason": Reason.DELETING, "until": NOW + timedelta(seconds=1)},
        )
        for action, reason in (
            ("Undelete", "ApiUnavailable"),
            ("Undelete", "Creating"),
            ("Replace", "Creating"),
            ("Delete", "ApiUnavailable"),
            ("DeleteIgnoringChecks", "ApiUnavailable"),
            ("Adopt", "Creating"),
        )
        for observed in (looked_at(state="DELETED"), GONE, looked_at(annotations=OTHERS))
    ),
    Row(
        "What has had its answer is settled.",
        a_deleted_resource(status={**CREATED, "lastAttempt": an_attempt("Replace", "AsDesired", ago=1)}),
        GONE,
        RemoveFinalizer,
    ),
    Row("Under way.", a_deleted_resource(), present(state="DELETING"), Progress, {"reason": Reason.DELETING}),
    Row(
        "Still with replicas, which cost money.",
        a_deleted_resource(),
        present(state="DELETING", deleteTime=minutes_ago(99)),
        Progress,
    ),
    Row(
        "Idle, but not for long enough.",
        a_deleted_resource(),
        present(**IDLE, deleteTime=minutes_ago(29)),
        Progress,
        {"until": NOW + timedelta(minutes=1)},
    ),
    Row(
        "Another account's key.",
        a_deleted_resource(),
        Unknown(),
        Refuse,
        {"reason": Reason.ACCOUNT_MISMATCH},
        {"credential": Usable("other")},
    ),
    Row(
        "Another account's key, by the claimed name alone.",
        a_deleted_resource(status={**CREATED, "account": None}),
        GONE,
        Refuse,
        {"reason": Reason.ACCOUNT_MISMATCH},
        {"credential": Usable("other")},
    ),
    Row(
        "No key.",
        a_deleted_resource(),
        Unknown(),
        Refuse,
        {"reason": Reason.CREDENTIALS_MISSING},
        {"credential": NO_KEY},
    ),
    Row(
        "A key that may heal.",
        a_deleted_resource(),
        Unknown(),
        Trouble,
        {"reason": Reason.API_UNAVAILABLE},
        {"credential": SHAKY_KEY},
    ),
    Row(
        "Refused a minute ago.",
        a_deleted_resource(status=tried("Delete", "DeletionBlocked", ago=59)),
        present(),
        Refuse,
        {"reason": Reason.DELETION_BLOCKED, "until": NOW + timedelta(seconds=1)},
    ),
    Row("Tried again.", a_deleted_resource(status=tried("Delete", "DeletionBlocked", ago=60)), present(), Delete),
    Row(
        "Tried at once when the Secret or the spec has changed.",
        a_deleted_resource(status=tried("Delete", "DeletionBlocked", ago=1)),
        present(),
        Delete,
        {"ignore_checks": False},
        {"skip_pauses": True},
    ),
    Row(
        "At once when forced.",
        a_deleted_resource(status=tried("Delete", "DeletionBlocked", ago=1), **FORCED_THROUGH),
        present(),
        Delete,
        {"ignore_checks": True},
    ),
    Row(
        "A LIST behind our DELETE is no reason to call for a person.",
        a_deleted_resource(status=tried("Delete", "Deleting", ago=1)),
        present(),
        Progress,
        {"reason": Reason.DELETING},
    ),
]

UNLOADING = [
    Row("Our addons first.", a_deleted_resource(status=RECORDED), present(an_addon()), UnloadAddon, {"model": ADDON}),
    Row("Others' addons are not ours to unload.", a_deleted_resource(), present(an_addon()), Delete),
    Row(
        "What is loaded is not known.",
        a_deleted_resource(status=RECORDED),
        Present(a_deployment()),
        Pending,
    ),
    Row(
        "Under way.",
        a_deleted_resource(status=RECORDED),
        present(an_addon(state="UNDEPLOYING")),
        Progress,
        {"reason": Reason.DELETING},
    ),
    Row("Unloaded.", a_deleted_resource(status=RECORDED), present(), Delete),
    Row(
        "A refused unload has its pause.",
        a_deleted_resource(status={**RECORDED, "lastAttempt": an_attempt("UnloadAddon", "AddonFailed", ago=59)}),
        present(an_addon()),
        Refuse,
        {"reason": Reason.DELETION_BLOCKED, "until": NOW + timedelta(seconds=1)},
    ),
    Row(
        "Tried at once when somebody asks for it.",
        a_deleted_resource(status={**RECORDED, "lastAttempt": an_attempt("UnloadAddon", "AddonFailed", ago=59)}),
        present(an_addon()),
        UnloadAddon,
        {"model": ADDON},
        {"skip_pauses": True},
    ),
    Row(
        "And is tried again.",
        a_deleted_resource(status={**RECORDED, "lastAttempt": an_attempt("UnloadAddon", "AddonFailed", ago=60)}),
        present(an_addon()),
        UnloadAddon,
    ),
    Row(
        "By force, the deployment goes along with what cannot be unloaded.",
        a_deleted_resource(
            status={**RECORDED, "lastAttempt": an_attempt("UnloadAddon", "AddonFailed", ago=1)}, **FORCED_THROUGH
        ),
        present(an_addon()),
        Delete,
        {"ignore_checks": True},
    ),
]


@pytest.mark.parametrize("row", [*LETTING_GO, *HOLDING_ON, *UNLOADING], ids=lambda row: row.reason)
def test_the_next_step(row: Row) -> None:
    check(row)


@pytest.mark.parametrize("annotation", [ANNOTATION_ABANDON, ANNOTATION_IGNORE_CHECKS])
def test_the_annotations_do_nothing_before_the_deletion(annotation: str) -> None:
    resource = a_deleted_resource(deletionTimestamp=None, annotations={annotation: "true"})
    assert decide(assess(resource, present(), a_context())) == Rest()


@pytest.mark.parametrize("policy", [{}, {"deletionPolicy": "Retain"}, {"managementPolicy": "Observe"}])
def test_what_is_left_behind_is_named_in_the_event(policy: dict[str, str]) -> None:
    metadata = {} if policy else ABANDONED
    action = decide(assess(a_deleted_resource(policy, **metadata), Unknown(), a_context()))
    assert isinstance(action, RemoveFinalizer)
    assert NAME in action.message


@pytest.mark.parametrize(
    "context",
    [
        {"credential": NO_KEY},
        {"credential": Usable("other")},
        {"unreachable_since": NOW, "unreachable": "No answer."},
    ],
)
def test_whoever_waits_for_a_deletion_is_told_how_to_let_go(context: dict[str, Any]) -> None:
    action = decide(assess(a_deleted_resource(), Unknown(), a_context(**context)))
    assert isinstance(action, Refuse | Trouble)
    assert ANNOTATION_ABANDON in action.message


@pytest.mark.parametrize("annotation", [ANNOTATION_ABANDON, ANNOTATION_IGNORE_CHECKS])
@pytest.mark.parametrize(("value", "told"), [("True", True), ("yes", True), ("false", False), ("", False)])
def test_an_annotation_that_is_not_understood_is_told(annotation: str, value: str, told: bool) -> None:
    annotations = {"annotations": {annotation: value}}
    blocked = a_deleted_resource(status=tried("Delete", "DeletionBlocked", ago=1), **annotations)
    for resource, observed in ((blocked, present()), (a_deleted_resource(**annotations), present(state="DELETING"))):
        action = decide(assess(resource, observed, a_context()))
        assert isinstance(action, Refuse | Progress)
        assert (f'{annotation} is "{value}"' in action.message) is told
        assert ('set it to "true"' in action.message) is told


@pytest.mark.parametrize(
    ("off", "let_go", "reason"),
    [
        (timedelta(hours=2), False, "the operator's clock is ahead of Fireworks'"),
        (timedelta(hours=-2), False, "or behind"),
    ],
)
def test_a_deletion_that_has_just_begun_is_not_called_stuck_whatever_the_clocks_say(
    off: timedelta, let_go: bool, reason: str
) -> None:
    resource = a_deleted_resource(
        status=tried("Delete", "Deleting", ago=60), deletionTimestamp=(NOW - off - timedelta(seconds=65)).isoformat()
    )
    going = looked_at(**IDLE, deleteTime=(NOW - off - timedelta(seconds=60)).isoformat())
    assert isinstance(decide(assess(resource, going, a_context())), RemoveFinalizer) is let_go, reason
    later = a_context(now=NOW + timedelta(minutes=30))
    assert isinstance(decide(assess(resource, going, later)), RemoveFinalizer) is (off > timedelta(0)), reason


def test_the_owner_of_the_examples_is_the_resource_of_the_examples() -> None:
    resource = a_deleted_resource()
    assert a_context().owner(resource) == OWNER
