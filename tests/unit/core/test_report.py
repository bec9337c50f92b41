"""What users read: the conditions along every path of a deployment's life."""

from datetime import timedelta
from typing import Any

import pytest

from fireworks_operator.api.conditions import ConditionType, Reason
from fireworks_operator.api.v1alpha1 import Condition, FireworksDeployment, FireworksDeploymentStatus
from fireworks_operator.core.actions import Action, Claim, Create, Delete, LoadAddon, Undelete, Update, Wait
from fireworks_operator.core.context import Context, Unusable, Usable
from fireworks_operator.core.decide import decide
from fireworks_operator.core.observed import Absent, Observed, Unknown
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.report import report
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from unit.builders import (
    ACCOUNT,
    ADDON,
    BORN,
    CLAIMED,
    CREATED,
    NAME,
    NOW,
    a_context,
    a_deleted_resource,
    a_resource,
    an_addon,
    an_attempt,
    an_error,
    present,
)

GONE = Absent(confirmed=True)
LOADING: dict[str, Any] = {
    "state": "CREATING",
    "replicaStats": {"initializingReplicaCount": 1},
    "createTime": NOW.isoformat(),
}
ASLEEP: dict[str, Any] = {"replicaStats": {}, "desiredReplicaCount": 0, "replicaCount": 0}
CREATE = Create({}, {}, ("baseModel",))
UPDATE = Update({}, ("display_name",), ("displayName",))
BLUE = {"displayName": "blue"}


def find(status: FireworksDeploymentStatus, kind: ConditionType) -> Condition:
    return next(each for each in status.conditions if each.type == kind)


def summary(status: FireworksDeploymentStatus) -> tuple[str, str, str, str, int]:
    """Return Ready, Available, Reconciling, Stalled and Ready's reason as one row, and the observed generation."""
    kinds = (ConditionType.READY, ConditionType.AVAILABLE, ConditionType.RECONCILING, ConditionType.STALLED)
    ready, available, reconciling, stalled = (find(status, kind).status[0] for kind in kinds)
    return (
        f"{ready}{available}",
        f"{reconciling}{stalled}",
        find(status, ConditionType.READY).reason,
        find(status, ConditionType.AVAILABLE).reason,
        status.observed_generation,
    )


def after(
    resource: FireworksDeployment,
    observed: Observed,
    action: Action | None = None,
    *,
    error: FireworksError | None = None,
    begun: bool = False,
    context: Context | None = None,
) -> FireworksDeployment:
    """Make one pass and return the resource as the API server then has it; `action` None: what `decide()` names."""
    context = context or a_context()
    action = action or decide(resource, observed, context)
    status = report(resource, observed, Outcome(action, error, begun), context)
    stored = FireworksDeploymentStatus.model_validate(status.to_wire())
    return resource.model_copy(update={"status": stored})


def serving(spec: dict[str, Any] | None = None, **metadata: object) -> FireworksDeployment:
    """Build a resource that was Ready for generation 1, and has since got the metadata and spec given."""
    before = after(a_resource(spec, CREATED), present(**(spec or {})), Wait())
    assert summary(before.status)[0] == "TT"
    return before.model_copy(
        update={"metadata": before.metadata.model_copy(update=metadata)} if metadata else {},
    )


def with_spec(resource: FireworksDeployment, **spec: Any) -> FireworksDeployment:  # noqa: ANN401 - any field of a spec
    """Change the spec as a user does: the generation grows."""
    changed = a_resource(spec, generation=resource.metadata.generation + 1)
    return resource.model_copy(update={"spec": changed.spec, "metadata": changed.metadata})


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
            ("TF", "TF", "Waking", "Waking", 1),
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
        (Unusable(Reason.API_UNAVAILABLE, "Wait.", final=False), ("UT", "TF", "ApiUnavailable", "Serving", 1)),
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
    status = report(resource, observed, Outcome(Wait()), a_context(now=NOW + timedelta(seconds=1)))
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


# The claim, and what stands in appliedFields and lastAttempt.


def test_the_claim_is_written_with_a_record_of_the_try() -> None:
    status = after(a_resource(), Absent()).status
    assert (status.deployment_name, status.account) == (NAME, ACCOUNT)
    assert status.last_attempt is not None
    assert (status.last_attempt.action, status.last_attempt.reason) == ("Create", "Creating")


@pytest.mark.parametrize(
    ("error", "claimed", "reason"),
    [
        (an_error(ErrorKind.INVALID), False, "A definite refusal: the spec, or the id, may be corrected."),
        (an_error(ErrorKind.QUOTA_EXCEEDED), False, "A definite refusal."),
        (an_error(ErrorKind.INVALID, definite=False), True, "A refusal by somebody in between is not definite."),
        (an_error(ErrorKind.NO_ANSWER), True, "It may have been carried out."),
        (an_error(ErrorKind.WRONG_ENDPOINT), True, "It may have been carried out."),
        (an_error(ErrorKind.PROTOCOL), True, "It was probably carried out."),
        (an_error(ErrorKind.RATE_LIMITED), True, "It is tried again at once."),
        (an_error(ErrorKind.UNREACHABLE), True, "It is tried again at once."),
    ],
)
def test_the_claim_goes_only_when_the_create_was_definitely_refused(
    error: FireworksError, claimed: bool, reason: str
) -> None:
    begun = after(after(a_resource(), Absent()), Absent(), CREATE, begun=True)
    status = after(begun, Absent(), CREATE, error=error).status
    assert (status.deployment_name is not None) is claimed, reason
    assert status.last_attempt is not None


def test_a_refusal_does_not_drop_a_claim_that_an_earlier_try_may_yet_fill() -> None:
    lost = after(after(a_resource(), Absent()), Absent(), CREATE, error=an_error(ErrorKind.NO_ANSWER))
    later = a_context(now=NOW + timedelta(seconds=20))
    again = after(lost, Absent(), CREATE, begun=True, context=later)
    refused = after(again, Absent(), CREATE, error=an_error(ErrorKind.QUOTA_EXCEEDED), context=later)
    assert refused.status.deployment_name == NAME


def test_tries_without_an_answer_do_not_lengthen_the_pause_after_a_refusal() -> None:
    resource = after(a_resource(), Absent())
    for minutes in range(1, 6):
        context = a_context(now=NOW + timedelta(minutes=2 * minutes))
        resource = after(resource, Absent(), CREATE, begun=True, context=context)
        resource = after(resource, Absent(), CREATE, error=an_error(ErrorKind.NO_ANSWER), context=context)
    assert resource.status.last_attempt is not None
    assert resource.status.last_attempt.count == 1


def test_a_lost_deployment_is_not_given_up_since_the_api_does_not_answer() -> None:
    resource = serving()
    for minutes in range(1, 9):
        context = a_context(now=NOW + timedelta(minutes=2 * minutes))
        action = decide(resource, GONE, context)
        assert isinstance(action, Create)
        resource = after(resource, GONE, action, begun=True, context=context)
        resource = after(resource, GONE, action, error=an_error(ErrorKind.NO_ANSWER), context=context)


def test_three_recreations_a_day_are_counted_also_when_their_answers_are_lost() -> None:
    resource = serving()
    for hour in range(3):
        context = a_context(now=NOW + timedelta(hours=hour))
        action = decide(resource, GONE, context)
        assert isinstance(action, Create), hour
        resource = after(resource, GONE, action, begun=True, context=context)
        resource = after(resource, GONE, action, error=an_error(ErrorKind.NO_ANSWER), context=context)
        resource = after(resource, present(), Wait(), context=context)
    resource = after(resource, GONE, context=a_context(now=NOW + timedelta(hours=4)))
    assert find(resource.status, ConditionType.STALLED).reason == Reason.DEPLOYMENT_LOST


@pytest.mark.parametrize(
    ("resource", "observed", "action", "expected", "reason"),
    [
        (a_resource(status=CLAIMED), present(), CREATE, ["baseModel"], "What the create request set."),
        (serving(generation=2), present(**BLUE), UPDATE, ["baseModel"], "A reset field leaves the list."),
        (a_resource(status=CLAIMED), present(), Wait(), ["baseModel"], "The status was lost: the spec as it stands."),
        (serving(), present(), Undelete(), ["baseModel"], "Brought back as it was."),
        (serving(), present(state="DELETED"), Delete(hard=True), None, "Nothing is left of it."),
        (a_resource({"managementPolicy": "Observe"}), present(), Wait(), None, "Nothing was ever set."),
    ],
)
def test_applied_fields(
    resource: FireworksDeployment, observed: Observed, action: Action, expected: list[str] | None, reason: str
) -> None:
    assert after(resource, observed, action).status.applied_fields == expected, reason


def test_failures_are_counted_and_paused_across_restarts() -> None:
    failed = present(state="FAILED", replicaStats={})
    resource = a_resource(status=CREATED)
    pauses = []
    now = NOW
    for _ in range(4):
        context = a_context(now=now)
        resource = after(resource, failed, context=context)
        assert (
            after(resource, failed, context=context).status
            == after(after(resource, failed, context=context), failed, context=context).status
        )
        begin = now
        while not isinstance(decide(resource, failed, a_context(now=now)), Delete):
            now += timedelta(minutes=1)
        pauses.append((now - begin).total_seconds() / 60)
        resource = after(resource, failed, context=a_context(now=now))
        action = decide(resource, GONE, a_context(now=now))
        assert isinstance(action, Create)
        resource = after(resource, GONE, action, begun=True, context=a_context(now=now))
        resource = after(resource, present(**LOADING), action, context=a_context(now=now))
    assert pauses == [5, 15, 60, 180]


def test_the_record_of_a_finished_change_goes() -> None:
    status = {**CREATED, "lastAttempt": an_attempt("Update", "Updating")}
    assert after(a_resource(status=status), present(), Wait()).status.last_attempt is None


# Addons.


def test_an_addon_is_recorded_before_it_is_loaded_and_never_hides_that_the_deployment_serves() -> None:
    resource = a_resource(
        {"addons": [{"model": "lora-1"}]}, {**CREATED, "appliedFields": ["baseModel", "enableAddons"]}
    )
    capable = present(enableAddons=True)
    action = decide(resource, capable, a_context())
    assert isinstance(action, LoadAddon)
    begun = after(resource, capable, action, begun=True)
    assert [each.model for each in begun.status.addons or ()] == [ADDON]

    refused = after(begun, capable, action, error=an_error(ErrorKind.NOT_FOUND, "model not found"))
    assert summary(refused.status)[:2] == ("TT", "FF")
    condition = find(refused.status, ConditionType.ADDONS_READY)
    assert (condition.status, condition.reason) == ("False", Reason.ADDON_FAILED)
    assert "model not found" in condition.message

    loaded = after(refused, present(an_addon(), enableAddons=True))
    assert find(loaded.status, ConditionType.ADDONS_READY).status == "True"
    assert [each.model_identifier for each in loaded.status.addons or ()] == [f"{ADDON}#{NAME}"]


def test_a_refused_unload_is_told_while_the_resource_is_being_deleted() -> None:
    resource = a_deleted_resource(status={**CREATED, "addons": [{"model": ADDON}]})
    observed = present(an_addon())
    refused = after(resource, observed, error=an_error(ErrorKind.INVALID, "in use"))
    assert find(refused.status, ConditionType.READY).status == "False"
    assert "in use" in find(refused.status, ConditionType.STALLED).message
    told = after(refused, observed)
    assert find(told.status, ConditionType.STALLED).reason == Reason.DELETION_BLOCKED


def test_the_claim_names_what_decide_named() -> None:
    assert decide(a_resource(), Absent(), a_context()) == Claim(NAME, ACCOUNT)
