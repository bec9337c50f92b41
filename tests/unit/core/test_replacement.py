"""What Fireworks cannot change: refused, or deleted and created anew, by spec.replacePolicy."""

from datetime import timedelta

import pytest

from fireworks_operator.api.conditions import Reason
from fireworks_operator.core.actions import Create, Delete, Progress, Refuse, Undelete
from fireworks_operator.core.budgets import Ceiling
from fireworks_operator.core.decisions.decide import decide
from fireworks_operator.core.decisions.growth import ceiling_after, frees_quota, granted_still
from fireworks_operator.core.desired.wanted import fingerprint, want
from fireworks_operator.core.diagnosis import Diagnosis
from fireworks_operator.core.situation import Situation, assess
from testkit.builders import ACCOUNT, MADE_HERE, NOW, a_context, a_resource, present
from tests.unit.core.decide_rows import GONE, NEW_SPEC, Row, check, created, refuses, tried

B200 = {"acceleratorType": "NVIDIA_B200_180GB", "replacePolicy": {"type": "Recreate"}}

ROWS = [
    Row(
        "Another accelerator, and it may be replaced.",
        created(B200, **NEW_SPEC),
        present(annotations=MADE_HERE),
        Delete,
        {"hard": False, "ignore_checks": False, "replaces": ("acceleratorType",)},
    ),
    Row(
        "It may be replaced also while it is in use.",
        created({**B200, "replacePolicy": {"type": "Recreate", "ignoreChecks": True}}, **NEW_SPEC),
        present(annotations=MADE_HERE),
        Delete,
        {"hard": False, "ignore_checks": True},
    ),
    Row(
        "Nobody knows that it was created here.",
        created(B200, {"appliedFields": ["displayName"]}, **NEW_SPEC),
        present(),
        Refuse,
        refuses(Reason.REPLACE_REQUIRED),
    ),
    Row(
        "Its status is lost, and with it what the spec was when it was created.",
        created(B200, {"appliedFields": None}, **NEW_SPEC),
        present(annotations=MADE_HERE),
        Refuse,
        refuses(Reason.REPLACE_REQUIRED),
    ),
    Row(
        "Fireworks would not create the other one.",
        created(B200, **NEW_SPEC),
        present(annotations=MADE_HERE),
        Refuse,
        refuses(Reason.MODEL_NOT_FOUND),
        {"rejected": Diagnosis(Reason.MODEL_NOT_FOUND, "No such model.", needs_user=True)},
    ),
    Row(
        "A refused validation has its pause.",
        created(B200, tried("Validate", "ModelNotFound", ago=59, generation=2), **NEW_SPEC),
        present(annotations=MADE_HERE),
        Refuse,
        refuses(Reason.MODEL_NOT_FOUND, until=NOW + timedelta(seconds=1)),
    ),
    Row(
        "So has a refused deletion.",
        created(B200, tried("Replace", "DeletionBlocked", ago=119, count=2, generation=2), **NEW_SPEC),
        present(annotations=MADE_HERE),
        Refuse,
        refuses(Reason.DELETION_BLOCKED, until=NOW + timedelta(seconds=1)),
    ),
    Row(
        "Another spec does not wait for it.",
        created(B200, tried("Replace", "DeletionBlocked", ago=1, generation=1), **NEW_SPEC),
        present(annotations=MADE_HERE),
        Delete,
    ),
    Row(
        "What was created from this very spec was changed by somebody else.",
        created(B200, {"createdFrom": fingerprint(want(a_resource(B200), ACCOUNT))}),
        present(annotations=MADE_HERE),
        Refuse,
        refuses(Reason.REPLACE_REQUIRED),
    ),
    Row(
        "It is being deleted to be created anew.",
        created(B200, tried("Replace", "Replacing", generation=2), **NEW_SPEC),
        present(annotations=MADE_HERE, state="DELETING"),
        Progress,
        {"reason": Reason.REPLACING},
    ),
    Row(
        "Then it is deleted for good, whatever the policy for what others delete.",
        created({**B200, "externalDeletionPolicy": "Report"}, tried("Replace", "Replacing", generation=2), **NEW_SPEC),
        present(annotations=MADE_HERE, state="DELETED"),
        Delete,
        {"hard": True, "replaces": ("acceleratorType",)},
    ),
    Row(
        "The old value is back: so is the deployment.",
        created({"replacePolicy": {"type": "Recreate"}}, tried("Replace", "Replacing", generation=2), generation=3),
        present(annotations=MADE_HERE, state="DELETED"),
        Undelete,
    ),
    Row(
        "A refused deletion does not hold up a creation.",
        created(B200, tried("Replace", "DeletionBlocked", generation=2), **NEW_SPEC),
        GONE,
        Create,
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.reason)
def test_what_only_another_deployment_can_have(row: Row) -> None:
    check(row)


def _to(gpus: int, **spec: object) -> Situation:
    """Return a deployment of one replica of 2 H100 that is to be created anew with so many GPUs."""
    wanted = {**B200, "acceleratorCount": gpus, "maxReplicaCount": 1, **spec}
    here = present(
        annotations=MADE_HERE,
        acceleratorType="NVIDIA_H100_80GB",
        acceleratorCount=2,
        maxReplicaCount=1,
        placement={"multiRegion": "GLOBAL"},
    )
    return assess(created(wanted, **NEW_SPEC), here, a_context())


@pytest.mark.parametrize(("gpus", "kept"), [(1, 2), (2, 2), (4, 4)])
def test_the_room_of_the_larger_one_is_kept(gpus: int, kept: int) -> None:
    situation = _to(gpus)
    found = ceiling_after(situation, decide(situation))
    assert found is not None
    assert found.gpus == kept


def test_what_was_granted_is_kept_while_the_old_one_goes() -> None:
    granted = Ceiling(8)
    wanted = {**B200, "acceleratorCount": 8}
    resource = created(wanted, tried("Replace", "Replacing", generation=2), **NEW_SPEC)
    going = assess(resource, present(annotations=MADE_HERE, state="DELETING"), a_context(granted=granted))
    assert granted_still(going, decide(going), granted).gpus == 8
    back = assess(
        created({}, tried("Replace", "Replacing", generation=2), generation=3),
        present(annotations=MADE_HERE, acceleratorCount=1, maxReplicaCount=1),
        a_context(granted=granted),
    )
    assert granted_still(back, decide(back), granted).gpus == 1, "nothing is replaced any more"


@pytest.mark.parametrize(
    ("spec", "frees"),
    [
        ({"acceleratorType": "NVIDIA_H100_80GB", "baseModel": "accounts/fireworks/models/other"}, True),
        ({"acceleratorType": "NVIDIA_H100_80GB", "placement": {"multiRegion": "US"}}, False),
        ({}, False),
    ],
    ids=["another model on the same GPUs", "another place", "other GPUs"],
)
def test_whether_the_old_ones_quota_is_enough(spec: dict[str, object], frees: bool) -> None:
    assert frees_quota(_to(2, **spec)) is frees
    assert not frees_quota(_to(4, **spec)), "more GPUs than before"


def test_only_what_cannot_be_changed_makes_another_fingerprint() -> None:
    def of(**spec: object) -> str:
        return fingerprint(want(a_resource(spec), ACCOUNT))

    assert of(displayName="Chat", minReplicaCount=1) == of()
    assert len({of(), of(acceleratorType="NVIDIA_B200_180GB"), of(preemptible=True), of(baseModel="mine")}) == 4


def test_paused_names_what_it_withholds() -> None:
    resource = created({**B200, "paused": True}, **NEW_SPEC)
    action = decide(assess(resource, present(annotations=MADE_HERE), a_context()))
    assert isinstance(action, Refuse)
    assert (action.reason, "(Replace)" in action.message) == (Reason.PAUSED, True)


def test_the_message_names_the_deployment_and_each_way_out() -> None:
    action = decide(assess(created({"acceleratorType": "NVIDIA_B200_180GB"}), present(), a_context()))
    assert isinstance(action, Refuse)
    assert "spec.acceleratorType" in action.message
    assert "spec.replacePolicy.type to BlueGreen" in action.message
    assert "to Recreate" in action.message
