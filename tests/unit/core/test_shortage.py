"""Replicas that are missing: since when, how long that is nothing unusual, and what is said afterwards."""

from datetime import timedelta
from typing import Any

import pytest

from fireworks_operator.api.conditions import ConditionType
from fireworks_operator.api.v1alpha1 import Condition, FireworksDeployment
from fireworks_operator.core.actions import Rest
from fireworks_operator.core.decisions.decide import decide
from fireworks_operator.core.observed.observation import Absent, Observed, Present, Unknown
from fireworks_operator.core.observed.shortage import is_short
from fireworks_operator.core.situation import assess
from testkit.builders import (
    ADDON,
    BORN,
    CREATED,
    NOW,
    a_context,
    a_deleted_resource,
    a_deployment,
    a_resource,
    an_addon,
    present,
)
from testkit.report_steps import ASLEEP, BLUE, GONE, after, find, serving, summary, with_spec

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def bounds(minimum: int, maximum: int, desired: int) -> dict[str, Any]:
    """Replica bounds, and what the autoscaler wants, on the wire."""
    return {"minReplicaCount": minimum, "maxReplicaCount": maximum, "desiredReplicaCount": desired}


def stats(ready: int = 0, pending: int = 0, downloading: int = 0, initializing: int = 0) -> dict[str, Any]:
    """Replicas by stage, on the wire."""
    return {
        "replicaStats": {
            "readyReplicaCount": ready,
            "pendingSchedulingReplicaCount": pending,
            "downloadingModelReplicaCount": downloading,
            "initializingReplicaCount": initializing,
        }
    }


ALWAYS = bounds(1, 1, 1)
ONE_OF_TWO = {**bounds(2, 2, 2), **stats(ready=1, pending=1)}
NO_GPUS = {**ALWAYS, **stats(pending=1)}


def later(
    resource: FireworksDeployment, observed: Observed, by: timedelta, *, begin: bool = True
) -> FireworksDeployment:
    """Look now, and once more after a while."""
    begun = after(resource, observed) if begin else resource
    return after(begun, observed, context=a_context(now=NOW + by))


def capacity(resource: FireworksDeployment) -> Condition | None:
    """The condition CapacityPending, None if it is not there."""
    conditions = resource.status.conditions
    return next((each for each in conditions if each.type == ConditionType.CAPACITY_PENDING), None)


def told(resource: FireworksDeployment) -> tuple[str, str, str]:
    """Ready, Available and CapacityPending at a glance: status and reason each."""
    kinds = (ConditionType.READY, ConditionType.AVAILABLE, ConditionType.CAPACITY_PENDING)
    conditions = {each.type: f"{each.status} {each.reason}" for each in resource.status.conditions}
    ready, available, pending = (conditions.get(kind, "-") for kind in kinds)
    return ready, available, pending


@pytest.mark.parametrize(
    ("wire", "short", "reason"),
    [
        ({**bounds(1, 1, 1), **stats(ready=1)}, False, "All are ready."),
        ({**bounds(1, 1, 0), **stats()}, True, "None is ready, although one should be whatever the autoscaler wants."),
        ({**bounds(0, 1, 1), **stats()}, True, "None is ready, and the autoscaler wants one."),
        ({**bounds(0, 1, 0), **stats()}, False, "None is wanted."),
        ({**bounds(1, 0, 1), **stats()}, False, "It is parked."),
        ({**bounds(1, 1, 1), **stats(initializing=1)}, True, "None is ready: that others load makes no difference."),
        ({**bounds(2, 3, 2), **stats(ready=1, pending=1)}, True, "One waits for GPUs."),
        ({**bounds(2, 3, 2), **stats(ready=1)}, True, "One is missing, and nothing takes its place."),
        ({**bounds(2, 3, 2), **stats(ready=1, initializing=1)}, False, "The other one is on its way."),
        ({**bounds(2, 3, 2), **stats(ready=1, downloading=1)}, False, "The other one is on its way."),
        ({**bounds(3, 3, 3), **stats(ready=1, downloading=1)}, True, "Two are missing, and one is on its way."),
        ({**bounds(1, 3, 3), **stats(ready=1, pending=2)}, True, "The autoscaler wants more than the minimum."),
        ({**bounds(3, 3, 1), **stats(ready=1, pending=2)}, True, "The minimum is more than the autoscaler wants."),
        ({**bounds(0, 3, 2), **stats(ready=1, pending=1)}, True, "A schedule asks for two, so the autoscaler does."),
        ({**bounds(0, 3, 2), **stats()}, True, "None is ready, and a schedule asks for two."),
        ({**bounds(1, 3, 2), **stats(ready=2)}, False, "As many as a schedule asks for."),
        ({**bounds(1, 1, 3), **stats(ready=1, pending=2)}, False, "As many as there may be."),
        ({**bounds(1, 3, 1), **stats(ready=1, pending=1)}, False, "One more than wanted."),
        ({**bounds(2, 2, 2), **stats(ready=1, initializing=1, pending=1)}, True, "A replacement waits."),
    ],
)
def test_a_deployment_is_short_of_replicas(wire: dict[str, Any], short: bool, reason: str) -> None:
    assert is_short(a_deployment(**wire)) is short, reason


@pytest.mark.parametrize(
    ("wire", "patience", "before", "afterwards"),
    [
        (
            NO_GPUS,
            2,
            ("True Recovering", "False Recovering", "-"),
            ("False CapacityPending", "False CapacityPending", "True CapacityPending"),
        ),
        (
            {**ALWAYS, **stats()},
            2,
            ("True Recovering", "False Recovering", "-"),
            ("False ReplicasLost", "False ReplicasLost", "True ReplicasLost"),
        ),
        (
            {**ALWAYS, **stats(downloading=1)},
            2,
            ("True Recovering", "False Recovering", "-"),
            ("False Recovering", "False Recovering", "-"),
        ),
        (
            {**bounds(2, 2, 2), **stats(initializing=1, pending=1)},
            2,
            ("True Recovering", "False Recovering", "-"),
            ("False Recovering", "False Recovering", "-"),
        ),
        (
            {**bounds(0, 1, 1), **stats(pending=1)},
            15,
            ("True Waking", "False Waking", "-"),
            ("False CapacityPending", "False CapacityPending", "True CapacityPending"),
        ),
        (
            {**bounds(0, 1, 1), **stats()},
            15,
            ("True Waking", "False Waking", "-"),
            ("False ReplicasLost", "False ReplicasLost", "True ReplicasLost"),
        ),
        (
            {**bounds(0, 1, 1), **stats(initializing=1)},
            15,
            ("True Waking", "False Waking", "-"),
            ("False Waking", "False Waking", "-"),
        ),
        (
            ONE_OF_TWO,
            10,
            ("True Serving", "True Serving", "-"),
            ("True Serving", "True Serving", "True CapacityPending"),
        ),
        (
            {**bounds(2, 2, 2), **stats(ready=1)},
            10,
            ("True Serving", "True Serving", "-"),
            ("True Serving", "True Serving", "True ReplicasLost"),
        ),
    ],
)
def test_what_is_missing_is_told_when_it_has_been_waited_for_long_enough(
    wire: dict[str, Any],
    patience: int,
    before: tuple[str, str, str],
    afterwards: tuple[str, str, str],
) -> None:
    observed = present(**wire)
    assert told(after(serving(), observed)) == before
    assert told(later(serving(), observed, patience * MINUTE - SECOND)) == before
    over = later(serving(), observed, patience * MINUTE)
    assert told(over) == afterwards
    assert later(over, observed, 9 * patience * MINUTE, begin=False).status == over.status, (
        "nothing is written any more"
    )
    ready = find(over.status, ConditionType.READY)
    stalled, reconciling = (find(over.status, kind) for kind in (ConditionType.STALLED, ConditionType.RECONCILING))
    assert stalled.status == "False"
    assert reconciling.status == ("False" if ready.status == "True" else "True")
    assert ready.message.endswith(".")


@pytest.mark.parametrize(("wire", "patience"), [(NO_GPUS, 2), ({**bounds(0, 1, 1), **stats()}, 15), (ONE_OF_TWO, 10)])
@pytest.mark.parametrize("spec", [{}, {"managementPolicy": "Observe"}, {"paused": True}])
def test_the_end_of_the_patience_is_looked_at_without_anything_new(
    wire: dict[str, Any], patience: int, spec: dict[str, Any]
) -> None:
    resource, observed = serving(spec), present(**wire)
    if "managementPolicy" in spec:
        resource = after(a_resource(spec, finalizers=[]), present())
    end = NOW + patience * MINUTE
    assert decide(assess(resource, observed, a_context())) == Rest(end)
    begun = after(resource, observed)
    assert decide(assess(begun, observed, a_context(now=NOW + MINUTE))) == Rest(end)
    assert decide(assess(begun, observed, a_context(now=end))) == Rest(), "it is told, and nothing more is to come"


def test_the_end_of_the_patience_is_not_forgotten_over_an_addon_that_loads() -> None:
    spec = {"addons": [{"model": ADDON}]}
    recorded = {**CREATED, "addons": [{"model": ADDON}]}
    loading = an_addon(state="DEPLOYING", createTime=NOW.isoformat())
    resource = after(a_resource(spec, recorded), present(enableAddons=True))
    assert decide(assess(resource, present(loading, enableAddons=True), a_context())) == Rest(NOW + 15 * MINUTE)
    observed = present(loading, enableAddons=True, **ONE_OF_TWO)
    assert decide(assess(resource, observed, a_context())) == Rest(NOW + 10 * MINUTE)
    assert decide(assess(resource, observed, a_context(now=NOW + 9 * MINUTE))) == Rest(NOW + 15 * MINUTE), (
        "it begins now"
    )
    unlisted = Present(a_deployment(enableAddons=True, **ONE_OF_TWO), None)
    assert decide(assess(resource, unlisted, a_context())) == Rest(NOW + 10 * MINUTE)


def test_a_loss_that_follows_a_shortage_has_its_own_patience() -> None:
    two = bounds(2, 2, 2)
    short = after(serving(), present(**two, **stats(ready=1, pending=1)))
    none = present(**two, **stats(pending=2))
    lost = later(short, none, 9 * MINUTE, begin=False)
    assert told(lost)[0] == "True Recovering"
    assert told(later(lost, none, 11 * MINUTE - SECOND, begin=False))[0] == "True Recovering"
    assert told(later(lost, none, 11 * MINUTE, begin=False))[0] == "False CapacityPending"


def test_what_is_still_missing_when_one_is_back_has_been_missing_all_the_time() -> None:
    two = bounds(2, 2, 2)
    lost = later(serving(), present(**two, **stats(pending=2)), 12 * MINUTE)
    assert told(lost)[2] == "True CapacityPending"
    one = later(lost, present(**two, **stats(ready=1, pending=1)), 12 * MINUTE, begin=False)
    assert told(one) == ("True Serving", "True Serving", "True CapacityPending"), "no flicker"
    since = find(lost.status, ConditionType.CAPACITY_PENDING).last_transition_time
    assert find(one.status, ConditionType.CAPACITY_PENDING).last_transition_time == since
    both = later(one, present(**two, **stats(ready=2)), 13 * MINUTE, begin=False)
    assert told(both) == ("True Serving", "True Serving", "False AsDesired")
    assert both.status.replicas is not None
    assert both.status.replicas.waiting_since is None


@pytest.mark.parametrize("ahead", [SECOND, timedelta(days=1)])
def test_a_clock_that_was_ahead_makes_the_patience_begin_now_and_not_in_a_day(ahead: timedelta) -> None:
    observed = present(**NO_GPUS)
    begun = after(serving(), observed, context=a_context(now=NOW + ahead))
    assert decide(assess(begun, observed, a_context())) == Rest(NOW + 2 * MINUTE)
    right = after(begun, observed)
    assert right.status.replicas is not None
    assert right.status.replicas.waiting_since == NOW
    assert later(right, observed, SECOND, begin=False).status == right.status, "it is put right once"
    assert told(later(right, observed, 2 * MINUTE, begin=False))[0] == "False CapacityPending"


def test_fractions_of_a_second_cause_no_writes() -> None:
    observed = present(**NO_GPUS)
    begun = after(serving(), observed, context=a_context(now=NOW + timedelta(milliseconds=900)))
    assert begun.status.replicas is not None
    assert begun.status.replicas.waiting_since == NOW
    assert later(begun, observed, SECOND, begin=False).status == begun.status


def test_an_observation_that_fails_in_between_begins_no_new_patience() -> None:
    begun = after(serving(), present(**NO_GPUS))
    unseen = later(begun, Unknown(), MINUTE, begin=False)
    assert unseen.status == begun.status
    assert told(later(unseen, present(**NO_GPUS), 2 * MINUTE, begin=False))[0] == "False CapacityPending"


def test_what_was_missing_before_an_outage_of_the_api_is_missing_as_far_as_anybody_knows() -> None:
    lost = later(serving(), present(**NO_GPUS), 5 * MINUTE)
    context = a_context(now=NOW + 60 * MINUTE, unreachable_since=NOW + 6 * MINUTE, unreachable="No answer.")
    unseen = after(lost, Unknown(), context=context)
    assert told(unseen) == ("Unknown ApiUnavailable", "False CapacityPending", "True CapacityPending")
    assert unseen.status.replicas == lost.status.replicas


def test_a_new_spec_is_not_in_force_as_long_as_no_replica_serves_with_it() -> None:
    changed = with_spec(serving({"minReplicaCount": 1}), minReplicaCount=1, **BLUE)
    loading = present(displayName="blue", **ALWAYS, **stats(initializing=1))
    assert told(after(changed, loading))[:2] == ("False Recovering", "False Recovering")
    served = after(after(changed, loading), present(displayName="blue", **ALWAYS))
    assert told(served)[0] == "True Serving"


def test_a_minimum_that_is_raised_while_it_sleeps_is_an_update_until_a_replica_serves() -> None:
    asleep = after(a_resource(status=CREATED), present(**ASLEEP))
    raised = with_spec(asleep, minReplicaCount=1)
    loading = present(**ALWAYS, **stats(downloading=1))
    assert told(after(raised, loading)) == ("False Updating", "False Waking", "-")
    assert told(later(raised, loading, 60 * MINUTE)) == ("False Updating", "False Waking", "-"), "large models"
    waiting = present(**NO_GPUS)
    assert told(later(raised, waiting, 15 * MINUTE - SECOND)) == ("False Updating", "False Waking", "-")
    over = later(raised, waiting, 15 * MINUTE)
    assert told(over) == ("False CapacityPending", "False CapacityPending", "True CapacityPending")
    assert later(over, waiting, 16 * MINUTE, begin=False).status == over.status


@pytest.mark.parametrize("minutes", [0, 1, 60])
def test_while_a_change_of_the_spec_rolls_out_no_replica_is_an_update(minutes: int) -> None:
    rolling = present(displayName="blue", state="UPDATING", **ALWAYS, **stats(initializing=1))
    resource = later(with_spec(serving({"minReplicaCount": 1}), minReplicaCount=1, **BLUE), rolling, minutes * MINUTE)
    assert told(resource) == ("False Updating", "False Recovering", "-")


def test_a_change_that_gets_no_gpus_says_so() -> None:
    rolling = present(displayName="blue", state="UPDATING", **ALWAYS, **stats(pending=1))
    changed = with_spec(serving({"minReplicaCount": 1}), minReplicaCount=1, **BLUE)
    assert told(after(changed, rolling))[0] == "False Updating"
    assert told(later(changed, rolling, 2 * MINUTE))[0] == "False CapacityPending"


def test_a_rollout_of_fireworks_own_turns_ready_false_only_when_it_takes_long_and_once() -> None:
    rolling = present(state="UPDATING", **ALWAYS, **stats(initializing=1))
    assert told(later(serving(), rolling, MINUTE))[0] == "True Recovering"
    over = later(serving(), rolling, 2 * MINUTE)
    assert told(over)[0] == "False Updating"
    assert later(over, rolling, 3 * MINUTE, begin=False).status == over.status


@pytest.mark.parametrize(
    ("observed", "reason"),
    [
        (GONE, "It is gone."),
        (Absent(), "It is perhaps gone."),
        (present(**ASLEEP), "It is scaled to zero."),
        (present(**bounds(1, 0, 0), **stats()), "It is parked."),
        (present(state="FAILED", **NO_GPUS), "It failed."),
        (present(state="DELETING", **NO_GPUS), "It goes."),
        (present(**ALWAYS), "It serves."),
    ],
)
def test_whoever_needs_no_replica_waits_for_none(observed: Observed, reason: str) -> None:
    lost = later(serving({"externalDeletionPolicy": "Report"}), present(**NO_GPUS), 5 * MINUTE)
    afterwards = later(lost, observed, 6 * MINUTE, begin=False)
    assert told(afterwards)[2] == "False AsDesired", reason
    if isinstance(observed, Present):
        assert afterwards.status.replicas is not None
        assert afterwards.status.replicas.waiting_since is None


def test_a_deletion_ends_the_waiting() -> None:
    lost = later(serving(), present(**NO_GPUS), 5 * MINUTE)
    deleted = a_deleted_resource(status=lost.status.to_wire())
    assert told(later(deleted, present(**NO_GPUS), 6 * MINUTE, begin=False))[::2] == (
        "False Deleting",
        "False AsDesired",
    )


def test_one_that_failed_and_comes_back_has_yet_to_serve() -> None:
    lost = later(serving(), present(**NO_GPUS), 5 * MINUTE)
    failed = later(lost, present(state="FAILED", **NO_GPUS), 6 * MINUTE, begin=False)
    back = later(failed, present(**ALWAYS, **stats(initializing=1)), 7 * MINUTE, begin=False)
    assert told(back)[:2] == ("False Creating", "False Creating")


def test_a_new_deployment_that_waits_for_its_first_gpus_is_told_by_the_condition_too() -> None:
    def new(age: timedelta) -> FireworksDeployment:
        born = (NOW - age).isoformat()
        waiting = present(state="CREATING", createTime=born, **NO_GPUS)
        return after(a_resource(status={**CREATED, "createTime": born}), waiting)

    assert told(new(3 * MINUTE - SECOND)) == ("False Creating", "False Creating", "-")
    over = new(3 * MINUTE)
    assert told(over) == ("False CapacityPending", "False CapacityPending", "True CapacityPending")
    assert over.status.replicas is not None
    assert over.status.replicas.waiting_since is None, "it has not served"
    born = (NOW - 3 * MINUTE).isoformat()
    loading = present(state="CREATING", createTime=born, **ALWAYS, **stats(downloading=1))
    assert told(after(over, loading)) == ("False Creating", "False Creating", "False AsDesired")


def test_a_new_deployment_that_failed_waits_for_no_gpus() -> None:
    failed = after(a_resource(status=CREATED), present(state="FAILED", createTime=BORN.isoformat(), **NO_GPUS))
    assert told(failed) == ("False DeploymentFailed", "False DeploymentFailed", "-")


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        ({**bounds(0, 1, 0), **stats(pending=1)}, "Waking"),
        ({**bounds(1, 0, 0), **stats()}, "Recovering"),
    ],
)
def test_numbers_that_contradict_each_other_cause_no_alarm_and_no_flicker(wire: dict[str, Any], reason: str) -> None:
    observed = present(state="UPDATING", **wire)
    found = after(serving(), observed)
    assert told(found) == (f"True {reason}", f"False {reason}", "-")
    assert later(found, observed, 60 * MINUTE, begin=False).status == found.status


def test_a_new_deployment_waits_until_its_patience_ends_and_not_for_a_replica_that_loads() -> None:
    new = a_resource(status={**CREATED, "createTime": NOW.isoformat()})
    waiting = present(state="CREATING", createTime=NOW.isoformat(), **NO_GPUS)
    assert decide(assess(new, waiting, a_context())) == Rest(NOW + 3 * MINUTE)
    loading = present(state="CREATING", createTime=NOW.isoformat(), **ALWAYS, **stats(downloading=1))
    assert decide(assess(new, loading, a_context())) == Rest()
    ageless = present(state="CREATING", createTime=None, **NO_GPUS)
    assert decide(assess(new, ageless, a_context())) == Rest()


def test_the_first_replica_of_several_counts_as_service() -> None:
    first = after(a_resource(status=CREATED), present(state="CREATING", **ONE_OF_TWO))
    assert first.status.replicas is not None
    assert first.status.replicas.waiting_since == NOW


@pytest.mark.parametrize("state", ["SUSPENDED", "PAUSED", "STATE_UNSPECIFIED", "", "7"])
@pytest.mark.parametrize("before", [serving(), a_resource(status=CREATED), after(serving(), present(**ASLEEP))])
@pytest.mark.parametrize(("ready", "available"), [(1, "Serving"), (0, "UnknownState")])
def test_a_state_that_is_unknown_here_is_never_ready(
    state: str, before: FireworksDeployment, ready: int, available: str
) -> None:
    observed = present(state=state, **ALWAYS, **stats(ready=ready))
    found = later(before, observed, 60 * MINUTE)
    assert summary(found.status) == ("UT" if ready else "UF", "TF", "UnknownState", available, 1)
    message = find(found.status, ConditionType.READY).message
    assert (f'"{state}"' if state else "missing") in message
    assert capacity(found) is None
    back = later(found, present(**ALWAYS), 61 * MINUTE, begin=False)
    assert told(back)[0] == "True Serving"


def test_a_loss_in_an_unknown_state_is_remembered_when_the_state_is_known_again() -> None:
    odd = later(serving(), present(state="PAUSED", **NO_GPUS), MINUTE)
    known = later(odd, present(**NO_GPUS), 2 * MINUTE, begin=False)
    assert told(known)[:2] == ("False CapacityPending", "False CapacityPending")


def test_every_reason_of_a_shortage_can_be_acted_upon() -> None:
    for wire, words in (
        (NO_GPUS, "choose another acceleratorType or a wider placement with spec.replacePolicy.type BlueGreen"),
        ({**ALWAYS, **stats()}, "check the deployment in the Fireworks console"),
    ):
        found = find(later(serving(), present(**wire), 5 * MINUTE).status, ConditionType.READY)
        assert words in found.message
    some = capacity(later(serving(), present(**ONE_OF_TWO), 10 * MINUTE))
    assert some is not None
    assert "NVIDIA_H100_80GB" in some.message
