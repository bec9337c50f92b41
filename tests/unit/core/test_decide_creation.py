"""The next step on the way to a deployment of one's own: claim, create, create again, adopt."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import ANNOTATION_ABANDON, FireworksDeployment
from fireworks_operator.core.actions import (
    AddFinalizer,
    Adopt,
    Claim,
    Create,
    Delete,
    Pending,
    Progress,
    Refuse,
    Trouble,
    Undelete,
)
from fireworks_operator.core.context import Usable
from fireworks_operator.core.decisions.decide import needs_closer_look
from fireworks_operator.core.identity import TAG_RELEASED, Owner, deployment_id, deployment_name
from fireworks_operator.core.observed.observation import Absent, Observed, Unknown
from fireworks_operator.core.target import target_name
from testkit.builders import (
    ACCOUNT,
    ADDON,
    ADOPTED,
    BASE_MODEL,
    BORN,
    CLAIMED,
    MADE_HERE,
    NAME,
    NOW,
    OWNER,
    a_context,
    a_deleted_resource,
    a_resource,
    present,
)
from tests.unit.core.decide_rows import (
    BLUE,
    BY_HAND,
    DOUBT,
    GONE,
    HAND_MADE,
    NEW_SPEC,
    NO_KEY,
    ODD,
    OTHERS,
    SHAKY_KEY,
    UNMANAGED_ID,
    Row,
    brought_back,
    check,
    claimed,
    created,
    refuses,
    tried,
)

CREATION = [
    Row("The finalizer comes before anything exists.", a_resource(finalizers=[]), Absent(), AddFinalizer),
    Row("And before what was only observed is managed.", created(finalizers=[]), Unknown(), AddFinalizer),
    Row("But not before anything may exist.", a_resource(finalizers=[]), Unknown(), Pending),
    *(
        Row(
            "Nor where nothing can be created.",
            a_resource(finalizers=[]),
            observed,
            Refuse,
            {},
            {"credential": credential},
        )
        for observed, credential in (
            (Unknown(), NO_KEY),
            (present(annotations=OTHERS), Usable(ACCOUNT)),
        )
    ),
    Row("Then the claim.", a_resource(), Absent(), Claim, {"deployment_name": NAME}),
    Row("A wished id is claimed as it is.", a_resource(UNMANAGED_ID), Absent(), Claim, {"deployment_name": BY_HAND}),
    Row("No claim before the first observation.", a_resource(), Unknown(), Pending),
    Row(
        "No claim of somebody else's deployment.",
        a_resource(UNMANAGED_ID),
        present(name=BY_HAND, annotations={}),
        Refuse,
        refuses(Reason.ADOPTION_NOT_ALLOWED),
    ),
    Row(
        "Unless it may be adopted.",
        a_resource({**UNMANAGED_ID, "adoptionPolicy": "Unowned"}),
        present(name=BY_HAND, annotations={}),
        Claim,
    ),
    Row("Our own is claimed again when the status was lost.", a_resource(), present(), Claim),
    Row("Listed in a form that is not understood.", claimed(), ODD, Trouble, {"reason": Reason.API_UNAVAILABLE}),
    Row("Listed and denied.", claimed(), DOUBT, Trouble, {"reason": Reason.API_UNAVAILABLE}),
    Row("No create before the first observation.", claimed(), Unknown(), Pending),
    Row("A LIST without the id is enough to create.", claimed(), Absent(), Create, {"fields": ("baseModel",)}),
    Row("After a GET as well.", claimed(), GONE, Create),
    Row("A LIST alone does not say that it is lost.", created(), Absent(), Pending),
    Row(
        "Without a key nothing is claimed.",
        a_resource(),
        Unknown(),
        Refuse,
        {"message": NO_KEY.message},
        {"credential": NO_KEY},
    ),
    Row(
        "A key that may heal by itself is waited for.",
        a_resource(),
        Unknown(),
        Trouble,
        {"reason": Reason.API_UNAVAILABLE},
        {"credential": SHAKY_KEY},
    ),
    Row(
        "Another account's key creates nothing.",
        claimed(),
        Absent(),
        Refuse,
        refuses(Reason.ACCOUNT_MISMATCH),
        {"credential": Usable("other")},
    ),
    Row(
        "The claimed name pins the account even where status.account is missing.",
        a_resource(status={"deploymentName": NAME}),
        Absent(),
        Refuse,
        refuses(Reason.ACCOUNT_MISMATCH),
        {"credential": Usable("other")},
    ),
    Row(
        "The same model twice, once by its bare id.",
        a_resource({"addons": [{"model": "lora-1"}, {"model": ADDON}]}),
        Unknown(),
        Refuse,
        refuses(Reason.INVALID_SPEC),
    ),
    Row(
        "The base model as its own addon.",
        a_resource({"addons": [{"model": BASE_MODEL}]}),
        Unknown(),
        Refuse,
        refuses(Reason.INVALID_SPEC),
    ),
    Row(
        "A duration that slipped through the schema.",
        a_resource({"autoscalingPolicy": {"scaleUpWindow": "soon"}}),
        Unknown(),
        Refuse,
        refuses(Reason.INVALID_SPEC),
    ),
    Row(
        "A refused create is not claimed again before its pause is over.",
        a_resource(status=tried("Create", "QuotaExceeded", ago=59)),
        Absent(),
        Refuse,
        refuses(Reason.QUOTA_EXCEEDED, until=NOW + timedelta(seconds=1)),
    ),
    *(
        Row(
            "Neither is one that was to bring a deployment back, or to replace one.",
            a_resource(status=tried(action, "QuotaExceeded", ago=59)),
            Absent(),
            Refuse,
            refuses(Reason.QUOTA_EXCEEDED, until=NOW + timedelta(seconds=1)),
        )
        for action in ("Recreate", "Replace")
    ),
    Row("After the pause it is.", a_resource(status=tried("Create", "QuotaExceeded", ago=60)), Absent(), Claim),
    Row("The pauses grow.", a_resource(status=tried("Create", "QuotaExceeded", ago=299, count=2)), Absent(), Refuse),
    Row(
        "A new spec is tried at once.",
        a_resource(status=tried("Create", "QuotaExceeded"), **NEW_SPEC),
        Absent(),
        Claim,
    ),
    Row(
        "A person's word is tried at once.",
        a_resource(status=tried("Create", "QuotaExceeded")),
        Absent(),
        Claim,
        {},
        {"skip_pauses": True},
    ),
    Row("A lost answer is no refusal.", claimed(status=tried("Create", "ApiUnavailable")), Absent(), Create),
    Row(
        "Nor is a create that was cut off by a restart.", claimed(status=tried("Create", "Creating")), Absent(), Create
    ),
]

LOST = [
    Row("Deleted elsewhere: created again.", created(), GONE, Create),
    Row(
        "Unless the policy is to report.",
        created({"externalDeletionPolicy": "Report"}),
        GONE,
        Refuse,
        refuses(Reason.DEPLOYMENT_LOST, until=None),
    ),
    Row("Twice a day is borne.", created(status=brought_back(1, 2)), GONE, Create),
    Row(
        "Three times is not.",
        created(status=brought_back(1, 2, 3)),
        GONE,
        Refuse,
        refuses(Reason.DEPLOYMENT_LOST, until=NOW + timedelta(hours=21)),
    ),
    Row(
        "Neither where it could be undeleted.", created(status=brought_back(1, 2, 3)), present(state="DELETED"), Refuse
    ),
    Row("A day after the first it is.", created(status=brought_back(1, 2, 24)), GONE, Create),
    Row("A change of the spec is a person's word.", created(status=brought_back(1, 2, 3), generation=2), GONE, Create),
    Row(
        "A person's word counts.",
        created(status=brought_back(1, 2, 3)),
        GONE,
        Create,
        {},
        {"skip_pauses": True},
    ),
    Row(
        "The third try is not lost because its answer was.",
        created(status={**brought_back(1, 2, 3), **tried("Recreate", "ApiUnavailable")}),
        GONE,
        Create,
    ),
    Row("Soft-deleted: brought back.", created(), present(state="DELETED"), Undelete),
    Row(
        "Unless the policy is to report.",
        created({"externalDeletionPolicy": "Report"}),
        present(state="DELETED"),
        Refuse,
        refuses(Reason.DEPLOYMENT_LOST),
    ),
    Row(
        "Its purge is in no LIST: looked at then.",
        created({"externalDeletionPolicy": "Report"}),
        present(state="DELETED", purgeTime=(NOW + timedelta(days=7)).isoformat()),
        Refuse,
        refuses(Reason.DEPLOYMENT_LOST, until=NOW + timedelta(days=7)),
    ),
    Row(
        "Once, whatever the clocks say; hourly after that, as Fireworks may be late.",
        created({"externalDeletionPolicy": "Report"}),
        present(state="DELETED", purgeTime=NOW.isoformat()),
        Refuse,
        refuses(Reason.DEPLOYMENT_LOST, until=NOW + timedelta(hours=1)),
    ),
    Row("Soft-deleted, the same name again: brought back.", claimed(), present(state="DELETED"), Undelete),
    Row(
        "Report is about deployments that we had.",
        claimed({"externalDeletionPolicy": "Report"}),
        present(state="DELETED"),
        Undelete,
    ),
    Row(
        "Also when it was seen DELETING before.",
        claimed({"externalDeletionPolicy": "Report"}, {"createTime": BORN}),
        present(state="DELETED"),
        Undelete,
    ),
    Row(
        "And when it is purged meanwhile.",
        claimed({"externalDeletionPolicy": "Report"}, {"createTime": BORN}),
        GONE,
        Create,
    ),
    Row(
        "What we have deleted ourselves to replace it is not lost.",
        created({"externalDeletionPolicy": "Report"}, tried("Replace", "DeploymentFailed", ago=301)),
        GONE,
        Create,
    ),
    Row(
        "Also when the spec has changed since.",
        created({"externalDeletionPolicy": "Report"}, tried("Replace", "DeploymentFailed", ago=301), **NEW_SPEC),
        GONE,
        Create,
    ),
    Row(
        "A DELETED one that cannot become what is wanted makes way.",
        claimed({"acceleratorType": "NVIDIA_B200_180GB"}),
        present(state="DELETED", annotations=MADE_HERE),
        Delete,
        {"hard": True, "ignore_checks": True},
    ),
    Row(
        "The status tells that, too.",
        created({"acceleratorType": "NVIDIA_B200_180GB"}),
        present(state="DELETED"),
        Delete,
        {"hard": True, "ignore_checks": True},
    ),
    Row(
        "What was taken over is not deleted for good: its makers may want it back within the seven days.",
        created({"acceleratorType": "NVIDIA_B200_180GB"}, {"appliedFields": ["displayName"]}),
        present(state="DELETED", purgeTime=(NOW + timedelta(days=7)).isoformat()),
        Refuse,
        refuses(Reason.REPLACE_REQUIRED, until=NOW + timedelta(days=7)),
    ),
    Row(
        "Nor when only Fireworks remembers that it was taken over.",
        claimed({"acceleratorType": "NVIDIA_B200_180GB"}),
        present(state="DELETED", annotations=ADOPTED),
        Refuse,
        refuses(Reason.REPLACE_REQUIRED),
    ),
    Row(
        "Nor when the status says something else than Fireworks does.",
        created({"acceleratorType": "NVIDIA_B200_180GB"}),
        present(state="DELETED", annotations=ADOPTED),
        Refuse,
        refuses(Reason.REPLACE_REQUIRED),
    ),
    Row(
        "Nor when nobody knows.",
        claimed({"acceleratorType": "NVIDIA_B200_180GB"}),
        present(state="DELETED"),
        Refuse,
        refuses(Reason.REPLACE_REQUIRED),
    ),
    Row(
        "It is brought back where that is enough.",
        claimed(BLUE),
        present(state="DELETED", annotations=ADOPTED),
        Undelete,
    ),
    Row(
        "A refused undelete has its pause.",
        created(status=tried("Undelete", "RejectedByFireworks")),
        present(state="DELETED"),
        Refuse,
    ),
    Row(
        "Still DELETING: its id is not free yet.",
        claimed(),
        present(state="DELETING"),
        Progress,
        {"reason": Reason.CREATING},
    ),
    Row(
        "Nor is a marker written on what is on its way out.",
        claimed(),
        present(state="DELETING", annotations={}),
        Progress,
        {"reason": Reason.CREATING},
    ),
]

OWNERSHIP = [
    Row(
        "Another resource's deployment is never touched.",
        claimed(),
        present(annotations=OTHERS),
        Refuse,
        refuses(Reason.CONFLICT),
    ),
    Row(
        "Not even with adoption allowed.",
        claimed({"adoptionPolicy": "Unowned"}),
        present(annotations=OTHERS),
        Refuse,
        refuses(Reason.CONFLICT),
    ),
    Row(
        "Nor when it is DELETED, but then its purge is waited for.",
        claimed(),
        present(annotations=OTHERS, state="DELETED", purgeTime=(NOW + timedelta(days=7)).isoformat()),
        Refuse,
        refuses(Reason.CONFLICT, until=NOW + timedelta(days=7)),
    ),
    Row(
        "Nobody says when it is purged: looked at hourly.",
        claimed(),
        present(annotations=OTHERS, state="DELETED"),
        Refuse,
        refuses(Reason.CONFLICT, until=NOW + timedelta(hours=1)),
    ),
    Row(
        "One of nobody's that is DELETED goes by itself, too.",
        claimed(UNMANAGED_ID, HAND_MADE),
        present(name=BY_HAND, annotations={}, state="DELETED", purgeTime=(NOW + timedelta(days=7)).isoformat()),
        Refuse,
        refuses(Reason.ADOPTION_NOT_ALLOWED, until=NOW + timedelta(days=7)),
    ),
    Row("Our marker was removed: written again.", claimed(), present(annotations={}), Adopt, {"by_request": False}),
    Row(
        "The cluster was rebuilt: tagged anew.",
        claimed(),
        present(annotations={**Owner("cluster-0", "team-a", "chat").marker()}),
        Adopt,
        {"tags": OWNER.marker()},
        {"previous_cluster_ids": ("cluster-0",)},
    ),
    Row(
        "Our own released one is taken back, and the tag goes.",
        claimed(),
        present(annotations={**OWNER.marker(), TAG_RELEASED: "true"}),
        Adopt,
        {"remove": (TAG_RELEASED,), "by_request": False},
    ),
    Row(
        "Made by hand: not without the user's word.",
        claimed(UNMANAGED_ID, HAND_MADE),
        present(name=BY_HAND, annotations={}),
        Refuse,
        refuses(Reason.ADOPTION_NOT_ALLOWED),
    ),
    Row(
        "A look at it is not the user's word either.",
        claimed(UNMANAGED_ID, {**HAND_MADE, "createTime": BORN}),
        present(name=BY_HAND, annotations={}),
        Refuse,
        refuses(Reason.ADOPTION_NOT_ALLOWED),
    ),
    Row(
        "What we had adopted stays ours when the marker is removed.",
        claimed(UNMANAGED_ID, {**HAND_MADE, "createTime": BORN, "appliedFields": []}),
        present(name=BY_HAND, annotations={}),
        Adopt,
        {"by_request": False},
    ),
    Row(
        "With the user's word, and a key of the namespace.",
        claimed({**UNMANAGED_ID, "adoptionPolicy": "Unowned"}, HAND_MADE),
        present(name=BY_HAND, annotations={}),
        Adopt,
        {"by_request": True},
    ),
    Row(
        "The operator's own key would let anyone take a colleague's deployment.",
        claimed({**UNMANAGED_ID, "adoptionPolicy": "Unowned"}, HAND_MADE),
        present(name=BY_HAND, annotations={}),
        Refuse,
        refuses(Reason.ADOPTION_NOT_ALLOWED),
        {"credential": Usable(ACCOUNT, own=True)},
    ),
    Row(
        "Unless the administrator has named the namespace.",
        claimed({**UNMANAGED_ID, "adoptionPolicy": "Unowned"}, HAND_MADE),
        present(name=BY_HAND, annotations={}),
        Adopt,
        {"by_request": True},
        {"credential": Usable(ACCOUNT, own=True), "adoption_namespaces": frozenset({"team-a"})},
    ),
    Row(
        "Released by another resource: only with the user's word.",
        claimed(),
        present(annotations={**OTHERS, TAG_RELEASED: "true"}),
        Refuse,
        refuses(Reason.ADOPTION_NOT_ALLOWED),
    ),
    Row(
        "And then the tag goes.",
        claimed({"adoptionPolicy": "Unowned"}),
        present(annotations={**OTHERS, TAG_RELEASED: "true"}),
        Adopt,
        {"remove": (TAG_RELEASED,), "by_request": True},
    ),
    Row(
        "A refused marker is not written again before its pause is over.",
        claimed(status=tried("Adopt", "PermissionDenied", ago=10)),
        present(annotations={}),
        Refuse,
        refuses(Reason.PERMISSION_DENIED),
    ),
]


@pytest.mark.parametrize("row", [*CREATION, *LOST, *OWNERSHIP], ids=lambda row: row.reason)
def test_the_next_step(row: Row) -> None:
    check(row)


@pytest.mark.parametrize(
    ("resource", "observed", "due"),
    [
        (created(), Absent(), True),
        (created(), GONE, False),
        (created(), Unknown(), False),
        (claimed(), Absent(), False),
        (a_deleted_resource(status=CLAIMED), Absent(), True),
        (a_deleted_resource(status={}), Absent(), True),
        (a_deleted_resource(), GONE, False),
        (a_deleted_resource(), present(), True),
        (a_deleted_resource(), replace(present(), fresh=True), False),
        (a_deleted_resource(finalizers=[]), present(), False),
        (a_deleted_resource(annotations={ANNOTATION_ABANDON: "true"}), present(), False),
        (created(), present(), False),
    ],
)
def test_a_get_is_due_where_a_list_does_not_say_what_became_of_it(
    resource: FireworksDeployment, observed: Observed, due: bool
) -> None:
    assert needs_closer_look(resource, observed) is due


def test_the_name_in_status_wins_over_the_computed_one() -> None:
    assert target_name(a_resource(), a_context()) == NAME
    assert target_name(a_resource(UNMANAGED_ID), a_context()) == BY_HAND
    assert target_name(a_resource(UNMANAGED_ID, CLAIMED), a_context()) == NAME
    assert target_name(a_resource(status=CLAIMED), a_context(NO_KEY)) == NAME
    assert target_name(a_resource(), a_context(NO_KEY)) is None


def test_a_cluster_rebuilt_from_backup_goes_on_with_its_former_deployment() -> None:
    former = deployment_name("acme", deployment_id(Owner("cluster-0", "team-a", "chat")))
    rebuilt = a_context(previous_cluster_ids=("cluster-0",), exists={former}.__contains__)
    assert target_name(a_resource(), rebuilt) == former
    assert target_name(a_resource(), a_context(previous_cluster_ids=("cluster-0",))) == NAME, "It is gone there."
