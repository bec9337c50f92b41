"""The next step for a deployment that exists: failed, drifted, with addons, paused, observed."""

from datetime import timedelta

import pytest
from pydantic import JsonValue

from fireworks_operator.api.conditions import Reason
from fireworks_operator.core.actions import (
    Create,
    Delete,
    LoadAddon,
    Pending,
    Progress,
    Refuse,
    RemoveFinalizer,
    Rest,
    SetTags,
    Trouble,
    UnloadAddon,
    Update,
    UpdateAddon,
)
from fireworks_operator.core.context import Usable
from fireworks_operator.core.decisions.decide import decide
from fireworks_operator.core.observed.observation import Absent, Present, Unknown
from fireworks_operator.core.situation import assess
from testkit.builders import (
    ACCOUNT,
    ADDON,
    BASE_MODEL,
    CLAIMED,
    NAME,
    NOW,
    OWNER,
    a_context,
    a_deployment,
    a_resource,
    an_addon,
    present,
)
from tests.unit.core.decide_rows import (
    BLUE,
    GONE,
    NEW_SPEC,
    NO_KEY,
    OTHERS,
    UNMANAGED_ID,
    Row,
    check,
    claimed,
    created,
    refuses,
    tried,
)

FAILURE = [
    Row(
        "Just failed: a pause first.",
        created(),
        present(state="FAILED", replicaStats={}),
        Refuse,
        refuses(Reason.DEPLOYMENT_FAILED, until=NOW + timedelta(minutes=5)),
    ),
    *(
        Row(
            f"Failure {count}: not before {minutes} minutes.",
            created(status=tried("Replace", "DeploymentFailed", count=count, ago=minutes * 60 - 1)),
            present(state="FAILED", replicaStats={}),
            Refuse,
            refuses(Reason.DEPLOYMENT_FAILED, until=NOW + timedelta(seconds=1)),
        )
        for count, minutes in ((1, 5), (2, 15), (3, 60), (4, 180), (5, 360), (9, 360))
    ),
    Row(
        "The pause is over: replaced, never past Fireworks' checks.",
        created(status=tried("Replace", "DeploymentFailed", ago=300)),
        present(state="FAILED", replicaStats={}),
        Delete,
        {"hard": True, "ignore_checks": False},
    ),
    Row(
        "A new spec deserves a new try at once.",
        created(status=tried("Replace", "DeploymentFailed"), **NEW_SPEC),
        present(state="FAILED", replicaStats={}),
        Delete,
        {"hard": True},
    ),
    Row(
        "It still serves: never deleted.",
        created(status=tried("Replace", "DeploymentFailed", ago=9000)),
        present(state="FAILED"),
        Refuse,
        refuses(Reason.DEPLOYMENT_FAILED),
    ),
    Row(
        "Adopted: never deleted.",
        claimed(status={"appliedFields": [], **tried("Replace", "DeploymentFailed", ago=9000)}),
        present(state="FAILED", replicaStats={}),
        Refuse,
        refuses(Reason.DEPLOYMENT_FAILED),
    ),
    Row("Hard-deleted: created again.", claimed(status=tried("Replace", "DeploymentFailed", ago=301)), GONE, Create),
    Row(
        "The replacement failed too: the next pause.",
        created(status=tried("Replace", "AsDesired", ago=9000)),
        present(state="FAILED", replicaStats={}),
        Refuse,
        refuses(Reason.DEPLOYMENT_FAILED),
    ),
]

UPDATES = [
    Row("As desired.", created(), present(), Rest, {"until": None}),
    Row(
        "Drift.",
        created(BLUE),
        present(),
        Update,
        {
            "mask": ("display_name",),
            "fields": ("displayName",),
            "body": {"baseModel": BASE_MODEL, "displayName": "blue"},
        },
    ),
    Row(
        "A field that left the spec is reset.",
        created(status={"appliedFields": ["baseModel", "displayName"]}),
        present(displayName="x"),
        Update,
        {"body": {"baseModel": BASE_MODEL, "displayName": ""}},
    ),
    Row(
        "Another accelerator: another deployment.",
        created({"acceleratorType": "NVIDIA_B200_180GB", **BLUE}),
        present(),
        Refuse,
        refuses(Reason.REPLACE_REQUIRED),
    ),
    Row(
        "Not twice in 30 s.",
        created(BLUE),
        present(),
        Progress,
        {"until": NOW + timedelta(seconds=1), "reason": Reason.UPDATING},
        {"last_update": NOW - timedelta(seconds=29)},
    ),
    Row("After 30 s.", created(BLUE), present(), Update, {}, {"last_update": NOW - timedelta(seconds=30)}),
    Row(
        "The pause survives a restart.",
        created(BLUE, tried("Update", "Updating", ago=29)),
        present(),
        Progress,
        {"until": NOW + timedelta(seconds=1), "reason": Reason.UPDATING},
    ),
    Row("A new spec is not kept waiting.", created(BLUE, **NEW_SPEC), present(), Update, {}, {"last_update": NOW}),
    Row("Nor a person.", created(BLUE), present(), Update, {}, {"last_update": NOW, "skip_pauses": True}),
    Row("Two tries in vain are borne.", created(BLUE, tried("Update", "Updating", count=2, ago=60)), present(), Update),
    Row(
        "Three are told.",
        created(BLUE, tried("Update", "Updating", count=3, ago=60)),
        present(),
        Refuse,
        refuses(Reason.NOT_CONVERGING),
    ),
    Row(
        "And tried again an hour later.",
        created(BLUE, tried("Update", "Updating", count=3, ago=3600)),
        present(),
        Update,
    ),
    Row(
        "A new spec starts to count anew.",
        created(BLUE, tried("Update", "Updating", count=3), **NEW_SPEC),
        present(),
        Update,
    ),
    Row(
        "A refused update has its pause.",
        created(BLUE, tried("Update", "QuotaExceeded", ago=10)),
        present(),
        Refuse,
        refuses(Reason.QUOTA_EXCEEDED),
    ),
    Row(
        "A corrected one is sent at once.",
        created(BLUE, tried("Update", "QuotaExceeded"), **NEW_SPEC),
        present(),
        Update,
    ),
    Row(
        "No GPUs yet: looked at again when patience ends.",
        created(status={"createTime": NOW - timedelta(minutes=1)}),
        present(
            state="CREATING",
            createTime=(NOW - timedelta(minutes=1)).isoformat(),
            replicaStats={"pendingSchedulingReplicaCount": 1},
        ),
        Rest,
        {"until": NOW + timedelta(minutes=2)},
    ),
]

TEAM = {"tags": {"team": "search"}}
TEAM_GONE = {"appliedFields": ["baseModel", "tags.team"]}
ADS: dict[str, JsonValue] = {"annotations": {**OWNER.marker(), "custom/team": "ads", "custom/theirs": "x"}}

TAGS = [
    Row(
        "Missing: set.",
        created(TEAM),
        present(),
        SetTags,
        {"target": NAME, "tags": {"custom/team": "search"}, "remove": (), "fields": ("tags.team",)},
    ),
    Row("Changed by hand: put back.", created(TEAM), present(**ADS), SetTags, {"tags": {"custom/team": "search"}}),
    Row("Left the spec: deleted.", created(status=TEAM_GONE), present(**ADS), SetTags, {"remove": ("custom/team",)}),
    Row("Others' are left alone.", created(), present(**ADS), Rest),
    Row("After what a PATCH changes.", created({**TEAM, **BLUE}), present(), Update),
    Row(
        "Before addons.",
        created({**TEAM, "addons": [{"model": "lora-1"}]}),
        present(enableAddons=True),
        SetTags,
    ),
    Row("Not once it is going.", created(TEAM), present(state="DELETING"), Progress),
    Row(
        "Not twice in 30 s.",
        created(TEAM),
        present(),
        Progress,
        {"until": NOW + timedelta(seconds=1), "reason": Reason.UPDATING},
        {"last_tags": NOW - timedelta(seconds=29)},
    ),
    Row("A PATCH right before does not keep it waiting.", created(TEAM), present(), SetTags, {}, {"last_update": NOW}),
    Row("Nor do tags a PATCH.", created(BLUE), present(), Update, {}, {"last_tags": NOW}),
    Row(
        "The pause survives a restart.",
        created(TEAM, tried("SetTags", "Updating", ago=29)),
        present(),
        Progress,
        {"until": NOW + timedelta(seconds=1)},
    ),
    Row("A new spec is not kept waiting.", created(TEAM, **NEW_SPEC), present(), SetTags, {}, {"last_tags": NOW}),
    Row(
        "Three tries in vain are told.",
        created(TEAM, tried("SetTags", "Updating", count=3, ago=60)),
        present(),
        Refuse,
        refuses(Reason.NOT_CONVERGING),
    ),
    Row(
        "Refused tags have their pause.",
        created(TEAM, tried("SetTags", "RejectedByFireworks", ago=10)),
        present(),
        Refuse,
        refuses(Reason.REJECTED_BY_FIREWORKS),
    ),
    Row("Paused: withheld.", created({**TEAM, "paused": True}), present(), Refuse, refuses(Reason.PAUSED)),
    Row("Observed: nothing is set.", created({**TEAM, "managementPolicy": "Observe"}, finalizers=[]), present(), Rest),
    Row(
        "A reserved key is never sent.",
        created({"tags": {"managed-by": "me"}}),
        present(),
        Refuse,
        refuses(Reason.INVALID_SPEC),
    ),
]

ADDONS = {"addons": [{"model": "lora-1", "displayName": "one"}]}
LORA2 = f"accounts/{ACCOUNT}/models/lora-2"
RECORDED = {"addons": [{"model": ADDON}]}
ADDON_REFUSED = {"addons": [{"model": ADDON, "message": "no"}]}
CAPABLE = {"enableAddons": True}

ADDON_ROWS = [
    Row(
        "Missing: loaded.",
        created(ADDONS),
        present(**CAPABLE),
        LoadAddon,
        {"model": ADDON, "body": {"model": ADDON, "deployment": NAME, "displayName": "one"}},
    ),
    Row("Not before the deployment is READY.", created(ADDONS), present(state="CREATING", **CAPABLE), Rest),
    Row(
        "Not before it is known what is loaded.",
        created(ADDONS),
        Present(a_deployment(**CAPABLE)),
        Rest,
    ),
    Row("Loaded as asked.", created(ADDONS), present(an_addon(displayName="one"), **CAPABLE), Rest),
    Row(
        "Changed.",
        created(ADDONS),
        present(an_addon(displayName="two"), **CAPABLE),
        UpdateAddon,
        {"body": {"displayName": "one"}, "mask": ("display_name",)},
    ),
    Row("Left the spec: unloaded.", created(status=RECORDED), present(an_addon()), UnloadAddon, {"model": ADDON}),
    Row("Somebody else's is never touched.", created(status={"addons": [{"model": LORA2}]}), present(an_addon()), Rest),
    Row("Under way already.", created(status=RECORDED), present(an_addon(state="UNDEPLOYING")), Rest),
    Row(
        "A refused load has its pause.",
        created(ADDONS, {**ADDON_REFUSED, **tried("LoadAddon", "AddonFailed", ago=10)}),
        present(**CAPABLE),
        Rest,
        {"until": NOW + timedelta(seconds=50)},
    ),
    Row(
        "A refused change has its pause.",
        created(ADDONS, {**ADDON_REFUSED, **tried("UpdateAddon", "AddonFailed", ago=10)}),
        present(an_addon(displayName="two"), **CAPABLE),
        Rest,
        {"until": NOW + timedelta(seconds=50)},
    ),
    Row(
        "A refused unload has its pause.",
        created(status={**ADDON_REFUSED, **tried("UnloadAddon", "AddonFailed", ago=10)}),
        present(an_addon()),
        Rest,
        {"until": NOW + timedelta(seconds=50)},
    ),
    Row(
        "The pause of what was refused is not the others'.",
        created(
            {"addons": [{"model": "lora-1", "displayName": "one"}, {"model": "lora-2"}]},
            {**ADDON_REFUSED, **tried("UpdateAddon", "AddonFailed", ago=10)},
        ),
        present(an_addon(displayName="two"), **CAPABLE),
        LoadAddon,
        {"model": LORA2},
    ),
    Row(
        "One that failed before waits behind the others.",
        created({"addons": [{"model": "lora-1"}, {"model": "lora-2"}]}, ADDON_REFUSED),
        present(**CAPABLE),
        LoadAddon,
        {"model": LORA2},
    ),
]

OUTAGE = {
    "unreachable_since": NOW - timedelta(minutes=9),
    "unreachable": "No answer.",
    "unreachable_reason": Reason.RATE_LIMITED,
}
LONG_OUTAGE = {**OUTAGE, "unreachable_since": NOW - timedelta(minutes=11)}

MANNERS = [
    Row(
        "Nothing is known, and why is told.",
        created(),
        Unknown(),
        Trouble,
        {"reason": Reason.RATE_LIMITED, "message": "No answer.", "until": NOW + timedelta(minutes=1)},
        OUTAGE,
    ),
    Row(
        "After ten minutes only news counts, not the clock.",
        created(),
        Unknown(),
        Trouble,
        {"reason": Reason.RATE_LIMITED, "until": None},
        LONG_OUTAGE,
    ),
    Row(
        "Paused: no change is let through.",
        created({"paused": True, **BLUE}),
        present(),
        Refuse,
        refuses(Reason.PAUSED),
    ),
    Row(
        "Also not while the last one is waited for.",
        created({"paused": True, **BLUE}),
        present(),
        Refuse,
        refuses(Reason.PAUSED),
        {"last_update": NOW},
    ),
    Row("Nor a create.", claimed({"paused": True}), Absent(), Refuse, refuses(Reason.PAUSED)),
    Row("Nor a finalizer.", a_resource({"paused": True}, finalizers=[]), Absent(), Refuse, refuses(Reason.PAUSED)),
    Row("Paused with nothing withheld.", created({"paused": True}), present(), Rest),
    Row(
        "Observe lets go of the finalizer.",
        created({"managementPolicy": "Observe"}),
        present(),
        RemoveFinalizer,
        {"left": NAME},
    ),
    Row(
        "And then looks only.",
        a_resource({"managementPolicy": "Observe", **BLUE}, finalizers=[]),
        present(annotations=OTHERS),
        Rest,
    ),
    Row(
        "But not at what is others', with the key that all share.",
        a_resource({"managementPolicy": "Observe"}, finalizers=[]),
        present(annotations=OTHERS),
        Refuse,
        refuses(Reason.CONFLICT),
        {"credential": Usable(ACCOUNT, own=True)},
    ),
    Row(
        "Unless its namespace is trusted with it.",
        a_resource({"managementPolicy": "Observe"}, finalizers=[]),
        present(annotations=OTHERS),
        Rest,
        {},
        {"credential": Usable(ACCOUNT, own=True), "adoption_namespaces": frozenset({OWNER.namespace})},
    ),
    Row(
        "Nobody's deployment may be looked at.",
        a_resource({"managementPolicy": "Observe"}, finalizers=[]),
        present(annotations={}),
        Rest,
        {},
        {"credential": Usable(ACCOUNT, own=True)},
    ),
    Row(
        "Nothing to observe.",
        a_resource({"managementPolicy": "Observe", **UNMANAGED_ID}, finalizers=[]),
        GONE,
        Refuse,
        refuses(Reason.DEPLOYMENT_LOST),
    ),
    Row(
        "Observe without a key.",
        a_resource({"managementPolicy": "Observe"}, finalizers=[]),
        Unknown(),
        Refuse,
        refuses(Reason.CREDENTIALS_MISSING),
        {"credential": NO_KEY},
    ),
    Row(
        "Observe with another account's key.",
        created({"managementPolicy": "Observe"}, finalizers=[]),
        Unknown(),
        Refuse,
        refuses(Reason.ACCOUNT_MISMATCH),
        {"credential": Usable("other")},
    ),
]


@pytest.mark.parametrize("row", [*FAILURE, *UPDATES, *TAGS, *ADDON_ROWS, *MANNERS], ids=lambda row: row.reason)
def test_the_next_step(row: Row) -> None:
    check(row)


def test_the_message_of_a_pause_says_what_goes_on_costing_money() -> None:
    action = decide(assess(created({"paused": True, **BLUE}), present(replicaCount=2, acceleratorCount=4), a_context()))
    assert isinstance(action, Refuse)
    assert action.message == (
        "Paused with a change withheld (Update); still running 2 x 4 NVIDIA_H100_80GB. Remove spec.paused to apply it."
    )


def test_a_refusal_in_force_goes_on_in_the_words_of_then() -> None:
    # An outage in between has put other words into the conditions.
    refused = tried("Update", "RejectedByFireworks")
    refused["lastAttempt"]["message"] = "Fireworks refuses blue."
    action = decide(assess(created(BLUE, refused), present(), a_context()))
    assert action == Refuse(Reason.REJECTED_BY_FIREWORKS, "Fireworks refuses blue.", NOW + timedelta(seconds=60))


@pytest.mark.parametrize(("status_says", "process_knows"), [(5, 40), (40, 5)])
def test_the_spacing_of_changes_counts_from_the_latest_whoever_remembers_it(
    status_says: int, process_knows: int
) -> None:
    sent = created({"displayName": "blue"}, tried("Update", "Updating", ago=status_says))
    action = decide(assess(sent, present(), a_context(last_update=NOW - timedelta(seconds=process_knows))))
    assert isinstance(action, Progress)
    assert action.until == NOW + timedelta(seconds=25)


@pytest.mark.parametrize("proven", [True, False])
def test_a_key_of_another_account_that_has_yet_to_be_tried_is_waited_for(proven: bool) -> None:
    resource = a_resource(status=CLAIMED)
    action = decide(assess(resource, Unknown(), a_context(credential=Usable("other", proven=proven))))
    assert isinstance(action, Refuse if proven else Pending), "what it is refused for may say more"
