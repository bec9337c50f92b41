"""What users read: the conditions along every path of a deployment's life."""

from datetime import timedelta

import pytest

from fireworks_operator.api.conditions import ConditionType, Reason
from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.core.actions import (
    Action,
    Adopt,
    LoadAddon,
    Rest,
    Undelete,
    UnloadAddon,
    Update,
    UpdateAddon,
)
from fireworks_operator.core.context import Unusable, Usable
from fireworks_operator.core.decisions.decide import decide
from fireworks_operator.core.observed.observation import Absent, Observed, Unknown
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.situation import assess
from fireworks_operator.core.status.report import report
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from testkit.builders import (
    ACCOUNT,
    ADDON,
    BORN,
    CLAIMED,
    CREATED,
    MADE_HERE,
    NAME,
    NOW,
    a_context,
    a_deleted_resource,
    a_resource,
    an_error,
    present,
)
from testkit.report_steps import ASLEEP, BLUE, CREATE, GONE, LOADING, after, find, serving, summary, with_spec


@pytest.mark.parametrize(
    ("resource", "observed", "reason", "words"),
    [
        (a_resource(), Absent(), Reason.CREATING, "is being created"),
        (a_resource(), present(), Reason.PROGRESSING, "already exists and is being adopted"),
        (
            a_resource(status=CLAIMED),
            present(annotations={}),
            Reason.PROGRESSING,
            "already exists and is being adopted",
        ),
        (
            a_resource(status=CLAIMED),
            present(state="DELETED"),
            Reason.CREATING,
            "was deleted and is being restored",
        ),
        (
            a_resource({"acceleratorType": "NVIDIA_B200_180GB"}, CLAIMED),
            present(state="DELETED", annotations=MADE_HERE),
            Reason.UPDATING,
            "The previous deployment of this name is being deleted permanently",
        ),
    ],
)
def test_what_is_about_to_happen_is_called_by_its_name(
    resource: FireworksDeployment, observed: Observed, reason: Reason, words: str
) -> None:
    for status in (after(resource, observed).status, after(resource, observed, begun=True).status):
        told = find(status, ConditionType.RECONCILING)
        assert (told.status, told.reason) == ("True", reason)
        assert words in told.message


def test_the_answer_to_a_create_request_is_told_as_the_next_list_tells_it() -> None:
    loading = present(**LOADING, annotations=MADE_HERE)
    answered = after(a_resource(status=CLAIMED), loading, CREATE)
    assert "initializing" in find(answered.status, ConditionType.READY).message
    assert after(answered, loading, Rest()).status == answered.status, "so the next pass writes nothing"


def test_a_marker_that_is_written_again_leaves_the_resource_ready() -> None:
    unmarked = present(annotations={})
    assert isinstance(decide(assess(serving(), unmarked, a_context())), Adopt)
    for begun in (True, False):
        assert after(serving(), unmarked, begun=begun).status.conditions == serving().status.conditions


@pytest.mark.parametrize(
    ("resource", "observed", "expected", "reason"),
    [
        (a_resource(), Absent(), ("FF", "TF", "Creating", "Creating", 1), "Claimed."),
        (a_resource(status=CLAIMED), Absent(), ("FF", "TF", "Creating", "Creating", 1), "Created."),
        (a_resource(status=CREATED), present(**LOADING), ("FF", "TF", "Creating", "Creating", 1), "Loading the model."),
        (
            a_resource(status=CREATED),
            present(state="CREATING"),
            ("FT", "TF", "Creating", "Serving", 1),
            "The first replica serves before Fireworks says READY.",
        ),
        (
            a_resource(status=CREATED),
            present(state="READY", replicaStats={"downloadingModelReplicaCount": 1}),
            ("FF", "TF", "Creating", "Creating", 1),
            "READY is no proof of serving.",
        ),
        (a_resource(status=CREATED), present(), ("TT", "FF", "Serving", "Serving", 1), "It serves."),
        (
            a_resource(status=CREATED),
            present(**ASLEEP),
            ("TF", "FF", "ScaledToZero", "ScaledToZero", 1),
            "Scaled to zero as asked.",
        ),
        (
            a_resource({"maxReplicaCount": 0}, CREATED),
            present(**ASLEEP, maxReplicaCount=None),
            ("TF", "FF", "Parked", "Parked", 1),
            "Switched off as asked.",
        ),
        (
            serving(),
            present(replicaStats={"initializingReplicaCount": 1}),
            ("TF", "FF", "Waking", "Waking", 1),
            "It wakes up; the spec is still in force.",
        ),
        (
            a_resource(status=CREATED),
            present(replicaStats={"pendingSchedulingReplicaCount": 1}, state="CREATING"),
            ("FF", "TF", "CapacityPending", "CapacityPending", 1),
            "No GPUs for an hour.",
        ),
        (with_spec(serving(), **BLUE), present(), ("FT", "TF", "Updating", "Serving", 2), "A change is sent."),
        (
            with_spec(serving(), **BLUE),
            present(displayName="blue", state="UPDATING"),
            ("FT", "TF", "Updating", "Serving", 2),
            "A change is put into force.",
        ),
        (
            with_spec(serving(), **BLUE),
            present(displayName="blue"),
            ("TT", "FF", "Serving", "Serving", 2),
            "The change is in force.",
        ),
        (
            serving(),
            present(state="UPDATING"),
            ("TT", "FF", "Serving", "Serving", 1),
            "Fireworks' own rollouts leave a spec in force.",
        ),
        (
            with_spec(serving(), acceleratorType="NVIDIA_B200_180GB"),
            present(),
            ("FT", "FT", "ReplaceRequired", "Serving", 2),
            "Only a person can decide; the old one serves on.",
        ),
        (with_spec(serving(), **BLUE, paused=True), present(), ("FT", "FT", "Paused", "Serving", 2), "Withheld."),
        (with_spec(serving(), paused=True), present(), ("TT", "FF", "Serving", "Serving", 2), "Nothing is withheld."),
        (
            a_resource(status=CREATED),
            present(state="FAILED", replicaStats={}),
            ("FF", "FT", "DeploymentFailed", "DeploymentFailed", 1),
            "It failed.",
        ),
        (
            a_resource({"externalDeletionPolicy": "Report"}, CREATED),
            GONE,
            ("FF", "FT", "DeploymentLost", "Creating", 1),
            "Deleted elsewhere, and the policy is to report.",
        ),
        (
            a_resource({"managementPolicy": "Observe", **BLUE}, finalizers=[]),
            present(),
            ("TT", "FF", "Serving", "Serving", 1),
            "Only observed: differences do not matter.",
        ),
        (
            serving(deletion_timestamp=NOW, generation=2),
            present(),
            ("FT", "TF", "Deleting", "Serving", 2),
            "It is told to go, and still serves.",
        ),
        (
            a_deleted_resource(),
            present(state="DELETING", replicaStats={}),
            ("FF", "TF", "Deleting", "Deleting", 1),
            "It goes.",
        ),
    ],
)
def test_conditions_along_the_way(
    resource: FireworksDeployment, observed: Observed, expected: tuple[object, ...], reason: str
) -> None:
    assert summary(after(resource, observed).status) == expected, reason


@pytest.mark.parametrize(
    ("error", "expected", "reason"),
    [
        (an_error(ErrorKind.INVALID), ("FT", "FT", "RejectedByFireworks", "Serving", 2), "A person must act."),
        (an_error(ErrorKind.QUOTA_EXCEEDED), ("FT", "FT", "QuotaExceeded", "Serving", 2), "A person must act."),
        (an_error(ErrorKind.NO_ANSWER), ("UT", "TF", "ApiUnavailable", "Serving", 2), "It is tried again."),
        (an_error(ErrorKind.RATE_LIMITED), ("UT", "TF", "RateLimited", "Serving", 2), "It is tried again."),
    ],
)
def test_a_failed_update_leaves_available_alone(
    error: FireworksError, expected: tuple[object, ...], reason: str
) -> None:
    resource = with_spec(serving(), **BLUE)
    assert summary(after(resource, present(), error=error).status) == expected, reason


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [(9, ("TT", "FF", "Serving", "Serving", 1)), (10, ("UT", "TF", "ApiUnavailable", "Serving", 1))],
)
def test_a_resource_at_rest_keeps_ready_for_ten_minutes_and_available_for_ever(
    minutes: int, expected: tuple[object, ...]
) -> None:
    context = a_context(unreachable_since=NOW - timedelta(minutes=minutes), unreachable="No answer.")
    resource = after(serving(), Unknown(), context=context)
    assert summary(resource.status) == expected
    assert resource.status.state == "READY"
    assert resource.status.replicas is not None


def test_a_new_spec_is_not_kept_waiting_by_that_patience() -> None:
    context = a_context(unreachable_since=NOW - timedelta(minutes=1), unreachable="No answer.")
    resource = after(with_spec(serving(), **BLUE), Unknown(), context=context)
    assert summary(resource.status) == ("UT", "TF", "ApiUnavailable", "Serving", 2)


def test_before_the_first_observation_nothing_is_said_about_a_new_generation() -> None:
    resource = with_spec(serving(), **BLUE)
    assert after(resource, Unknown()).status == resource.status
    assert resource.status.observed_generation == 1


@pytest.mark.parametrize(
    ("credential", "expected"),
    [
        (Unusable(Reason.CREDENTIALS_MISSING, "Create it."), ("FT", "FT", "CredentialsMissing", "Serving", 1)),
        (Unusable(Reason.API_UNAVAILABLE, "Wait.", needs_user=False), ("UT", "TF", "ApiUnavailable", "Serving", 1)),
        (Usable("other"), ("FT", "FT", "AccountMismatch", "Serving", 1)),
    ],
)
def test_trouble_with_the_key_leaves_available_alone(
    credential: Usable | Unusable, expected: tuple[object, ...]
) -> None:
    assert summary(after(serving(), Unknown(), context=a_context(credential)).status) == expected


def test_facts_are_copied_from_the_deployment() -> None:
    status = after(
        a_resource(status=CREATED), present(purgeTime=NOW.isoformat(), precision="FP8", region="US_IOWA_1")
    ).status
    assert status.state == "READY"
    assert status.model_identifier == f"accounts/fireworks/models/llama-v3p2-3b-instruct#{NAME}"
    assert status.endpoint == "https://api.fireworks.ai/inference/v1"
    assert status.replicas is not None
    assert status.replicas.ready == 1
    assert status.effective is not None
    assert (status.effective.precision, status.effective.region) == ("FP8", "US_IOWA_1")
    assert (status.effective.min_replica_count, status.effective.draft_model) == (0, None)
    assert (status.create_time, status.purge_time) == (BORN, NOW)


def test_fractions_of_a_second_which_kubernetes_does_not_keep_cause_no_writes() -> None:
    observed = present(createTime="2026-03-01T11:00:00.123456Z", purgeTime="2026-03-08T11:00:00.5Z")
    resource = after(a_resource(status=CREATED), observed)
    status = report(assess(resource, observed, a_context(now=NOW + timedelta(seconds=1))), Outcome(Rest()))
    assert status == resource.status


def test_a_confirmed_absence_clears_the_facts_and_keeps_the_claim() -> None:
    status = after(serving(), GONE).status
    assert (status.state, status.model_identifier, status.replicas, status.effective) == (None, None, None, None)
    assert (status.deployment_name, status.account) == (NAME, ACCOUNT)


def test_somebody_elses_deployment_is_neither_claimed_nor_described() -> None:
    spec = {"deploymentId": "by-hand"}
    name = f"accounts/{ACCOUNT}/deployments/by-hand"
    resource = a_resource(spec, {**CLAIMED, "deploymentName": name})
    for _ in range(3):
        resource = after(resource, present(name=name, annotations={}))
        status = resource.status
        assert (status.deployment_name, status.create_time, status.model_identifier) == (None, None, None)
        assert find(status, ConditionType.STALLED).reason == Reason.ADOPTION_NOT_ALLOWED
        assert find(status, ConditionType.AVAILABLE).status != "True"


@pytest.mark.parametrize(
    "action",
    [
        Rest(),
        LoadAddon(NAME, ADDON, {}),
        UpdateAddon(NAME, "deployed", {}, ()),
        UnloadAddon(NAME, ADDON, "deployed"),
        Adopt(NAME, {}),
        CREATE,
        Update(NAME, {}, (), ()),
        Undelete(NAME),
    ],
    ids=lambda action: str(action.name),
)
def test_whatever_is_done_a_state_that_is_unknown_here_is_not_ready(action: Action) -> None:
    for error in (None, an_error(ErrorKind.INVALID)):
        found = after(serving(), present(state="HIBERNATING"), action, error=error)
        assert find(found.status, ConditionType.READY).status != "True"


@pytest.mark.parametrize(("by_request", "ready"), [(False, "True"), (True, "False")], ids=["its own", "another"])
def test_a_deployment_is_not_ready_before_it_has_what_the_spec_asks_for(by_request: bool, ready: str) -> None:
    """One that was taken over in place of another has the fields that somebody else gave it; its marker is written."""
    found = after(serving(), present(displayName="Theirs"), Adopt(NAME, {}, by_request=by_request))
    assert find(found.status, ConditionType.READY).status == ready


def test_every_resource_has_a_selector_of_its_own_without_which_an_autoscaler_does_nothing() -> None:
    resource = a_resource()
    status = after(resource, Absent(), CREATE).status
    assert status.selector == f"fireworks.ai/deployment-uid={resource.metadata.uid}"
