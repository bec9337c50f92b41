"""What must be true once nothing is wrong any more and everything has had its time."""

from fireworks_operator.api.conditions import Reason
from fireworks_operator.core.pauses import RECREATIONS
from testkit.promises.invariants import STRANGERS, condition, holds, is_blocked_while_serving
from testkit.promises.routers import is_taken, missing_router
from testkit.promises.specs import (
    FOREIGN,
    H100,
    UNOWNED,
    chosen,
    expiry,
    is_blue_green,
    is_expired,
    loaded_addons,
    mismatches,
    missing_addons,
    named,
    parked,
)
from testkit.virtual.api_server import Raw
from testkit.virtual.conduct import derived_id, is_released, owner_ref
from testkit.virtual.fireworks import ACCOUNT, BASE_MODEL, OTHER_ACCOUNT, Snapshot
from testkit.virtual.world import World

_SOON = 3600.0
"""Seconds within which a resource expires that a test waits for."""


def check_converged(world: World) -> bool:
    """Heal everything, wait, and check that each resource has what it asks for, or says why not.

    Returns:
        Whether nothing happens any more.

    Raises:
        AssertionError: a promise is broken.
    """
    world.heal()
    _outlive(world)
    silent = world.settle()
    for ref, raw in world.server.objects.items():
        _check_resource(ref, raw, world.before, world)
    return silent


def check_settled(world: World) -> None:
    """Check that all converges, that then nothing happens, nor after a restart, and that all can be deleted.

    Raises:
        AssertionError: a promise is broken.
    """
    if check_converged(world) and not any(map(_tries_again, world.server.objects.values())):
        _check_silence(world)
        world.restart()
        world.poll()
        _check_silence(world)
    if _renew(world):
        check_converged(world)
    world.delete_all()
    if world.neighbour is not None:
        assert not world.neighbour.server.objects, "I10: the neighbour's cannot be deleted"
    assert not world.server.objects, f"I10: {sorted(world.server.objects)} cannot be deleted"
    for each in world.before.live():
        others = each["name"] in world.promises.others
        left = others or owner_ref(each.get("annotations", {})) is None or is_released(each["annotations"])
        assert left or each["name"] in world.promises.left, f"{each['name']} runs on"


def _outlive(world: World) -> None:
    """Let what expires soon expire before silence is asked for."""
    now = world.server.clock()
    ends = [end for each in world.server.objects.values() if (end := expiry(each)) is not None]
    left = max((end - now for end in ends if now < end < now + _SOON), default=None)
    if left is not None:
        world.advance(left + 1)
        world.poll()


def _renew(world: World) -> bool:
    """Renew all that has expired; return whether anything had."""
    old = [ref for ref, each in world.server.objects.items() if is_expired(each, world.server.clock())]
    for ref in old:
        spec = world.server.objects[ref]["spec"]
        world.server.edit(ref, {name: value for name, value in spec.items() if name != "expiresAfter"})
    return bool(old)


def _tries_again(raw: Raw) -> bool:
    """Tell whether a resource waits for an id that Fireworks keeps: each look after a pause is one more try.

    What has expired without a claim does not look: a process that has just started does not know that the id is kept.
    """
    ready = condition(raw["status"], "Ready")
    if "expiresAfter" in raw["spec"] and ready is not None and ready["reason"] == Reason.CONFLICT:
        return True
    attempt: Raw = raw["status"].get("lastAttempt", {})
    return (attempt.get("action"), attempt.get("reason")) == ("Create", Reason.CONFLICT)


def _check_silence(world: World) -> None:
    """I7 and I14: nothing is written by an idle operator, nor by one that has just started."""
    writes = world.server.writes
    for seconds in (5, 60, 600):
        world.advance(seconds)
        world.poll()
        changes = world.judge()
        assert changes == 0, "I7: an idle operator changes something at Fireworks"
    assert world.server.writes == writes, "I7: an idle operator writes to Kubernetes"


def _check_resource(ref: str, raw: Raw, snapshot: Snapshot, world: World) -> None:
    status = raw["status"]
    assert "conditions" in status, f"I15: {ref} is never answered"
    if ref.startswith(f"{STRANGERS}/"):
        return  # no key, no word of its own: others' promises are what counts
    if "deletionTimestamp" in raw["metadata"]:
        stalled = condition(status, "Stalled")
        assert stalled is not None, ref
        blocked = stalled["reason"] == Reason.DELETION_BLOCKED or _excuse(raw, stalled["reason"], world)
        assert blocked, f"{ref} is not deleted: {status}"
        return
    if holds(status, "Available"):
        _check_serving(ref, raw, snapshot)
    if holds(status, "Ready"):
        _check_ready(ref, raw, snapshot, world.server.clock())
        return
    if is_blocked_while_serving(raw):
        _check_blocked(ref, raw, world)
        return
    stalled = condition(status, "Stalled")
    assert stalled is not None, ref
    assert stalled["status"] == "True", f"I15: {ref} is neither Ready nor Stalled: {status}"
    excuse = _excuse(raw, stalled["reason"], world)
    assert excuse, f"{ref} is {stalled['reason']} without need: {stalled['message']}"
    if stalled["reason"] in _DOES_NOT_KEEP_FROM_PARKING and is_expired(raw, world.server.clock()):
        _check_parked(ref, status, snapshot)


def _check_serving(ref: str, raw: Raw, snapshot: Snapshot) -> None:
    # A paused resource that has lost its status may not claim again: it tells of what it would claim.
    serves = snapshot.deployments.get(raw["status"].get("deploymentName") or wanted_name(raw), {})
    marks = serves.get("annotations", {})
    # Where somebody has removed the marks, a paused resource sets them again later.
    unmarked = "paused" in raw["spec"] and "custom/managed-by" not in marks
    mine = owner_ref(marks) == ref or unmarked or raw["spec"].get("managementPolicy") == "Observe"
    assert mine, f"{ref} says that it serves, with {serves}"
    assert serves["state"] != "DELETED", f"{ref} says that it serves, with {serves}"


def _check_blocked(ref: str, raw: Raw, world: World) -> None:
    """A successor that cannot be had leaves the present deployment serving, and it has a reason that people gave."""
    live = world.before.deployments.get(raw["status"]["deploymentName"], {}).get("state") in ("READY", "UPDATING")
    assert live, f"{ref} is not Stalled, and nothing serves: {raw['status']}"
    assert _excuse(raw, Reason.REPLACEMENT_BLOCKED, world), f"{ref} is not replaced without need: {raw['status']}"


def _check_parked(ref: str, status: Raw, snapshot: Snapshot) -> None:
    deployment = snapshot.deployments.get(status.get("deploymentName", ""), {})
    runs = deployment.get("maxReplicaCount", 0) if deployment.get("state") == "READY" else 0
    assert runs == 0, f"{ref} has expired, and its deployment may run {runs} replicas: {status}"


def _check_ready(ref: str, raw: Raw, snapshot: Snapshot, now: float) -> None:
    deployment = snapshot.deployments.get(raw["status"]["deploymentName"])
    assert deployment is not None, f"{ref} is Ready without a deployment"
    blocked = raw["status"].get("replacement", {}).get("lastAttempt", {}).get("reason") == Reason.DELETION_BLOCKED
    alone = "replacement" not in raw["status"] or blocked  # in use within the last hour
    assert alone, f"I1: {ref} is at rest with two deployments: {raw['status']}"
    assert deployment["state"] == "READY", f"{ref} is Ready and its deployment {deployment['state']}"
    always = min(deployment.get("minReplicaCount", 0), deployment.get("maxReplicaCount", 0)) > 0
    serves = deployment.get("replicaStats", {}).get("readyReplicaCount", 0) > 0
    assert serves or not always, f"{ref} is Ready and has no replica"
    assert holds(raw["status"], "Available") == serves, f"{ref} has {deployment['replicaStats']}: {raw['status']}"
    if raw["spec"].get("managementPolicy") != "Observe":
        assert owner_ref(deployment.get("annotations", {})) == ref, f"{ref} is Ready with another's deployment"
        spec = chosen(parked(raw["spec"]) if is_expired(raw, now) else raw["spec"], raw["status"])
        wrong = mismatches(spec, deployment)
        if serves:
            wrong += missing_addons(raw["spec"], deployment["name"], loaded_addons(snapshot.addons.values()))
        if not is_expired(raw, now):
            wrong += missing_router(ref, raw, snapshot)
        assert not wrong, f"{ref} is Ready, but {wrong}"


_DOES_NOT_KEEP_FROM_PARKING = frozenset(
    {Reason.EXPIRED, Reason.REPLACE_REQUIRED, Reason.REJECTED_BY_FIREWORKS, Reason.INVALID_SPEC}
)


def wanted_name(raw: Raw) -> str:
    """Return the name of the deployment that a resource looks for when its status says nothing."""
    identifier = raw["spec"].get("deploymentId") or derived_id(
        f"{raw['metadata']['namespace']}/{raw['metadata']['name']}"
    )
    return f"accounts/{ACCOUNT}/deployments/{identifier}"


def _is_over(snapshot: Snapshot, name: str) -> bool:
    """Tell whether there is no deployment that could be parked."""
    deployment = snapshot.deployments.get(name)
    return deployment is None or deployment["state"] in ("FAILED", "DELETING", "DELETED")


def _stays(raw: Raw, world: World, name: str) -> bool:
    """Tell whether a deployment is not the operator's to replace: adopted, parked, or changed by somebody else."""
    marks = world.before.deployments.get(name, {}).get("annotations", {})
    others = marks.get("custom/adopted") != "false" or name in world.promises.left
    others = others or raw["metadata"]["uid"] in world.promises.wiped  # nobody knows who has created it
    return others or is_expired(raw, world.server.clock()) or "createdFrom" in raw["status"]


def _claimed_by_mistake(uid: str, world: World) -> set[str]:
    """Return what the statuses of other resources name that somebody has put there: perhaps the name of this one's.

    Whoever has the name creates a deployment under it, with its own marks, and the resource whose status it was waits.
    """
    there = (raw for raw in world.server.objects.values() if raw["metadata"]["uid"] in world.promises.wiped - {uid})
    return {name for raw in there for name in named(raw["status"])}


def _excuse(raw: Raw, reason: str, world: World) -> bool:
    """Tell whether the spec, or what has happened to the deployment, explains why a resource is stalled."""
    spec, name = raw["spec"], raw["status"].get("deploymentName") or wanted_name(raw)
    taken = world.promises.given | world.promises.others | world.promises.left
    if raw["metadata"]["uid"] in world.promises.wiped:
        taken |= {str(name)}  # another day's status, or another's, names what a person has to sort out
    taken |= _claimed_by_mistake(raw["metadata"]["uid"], world)
    lost = spec.get("externalDeletionPolicy") == "Report" or spec.get("managementPolicy") == "Observe"
    often = len(raw["status"].get("recreations", ())) >= RECREATIONS
    ref = f"{raw['metadata']['namespace']}/{raw['metadata']['name']}"
    explained: dict[str, bool] = {
        Reason.ROUTER_CONFLICT: is_taken(ref, raw, world.before),
        Reason.ADDON_FAILED: spec["baseModel"] != BASE_MODEL,  # the addons are made for that one
        Reason.ACCOUNT_MISMATCH: raw["status"].get("account") == OTHER_ACCOUNT,
        Reason.PAUSED: "paused" in spec,
        Reason.EXPIRED: is_expired(raw, world.server.clock()) and _is_over(world.before, str(name)),
        Reason.REPLACE_REQUIRED: spec.get("replacePolicy", {}).get("type") not in ("Recreate", "BlueGreen")
        or _stays(raw, world, str(name)),
        Reason.REPLACEMENT_BLOCKED: is_blue_green(spec) and (spec.get("acceleratorType") != H100 or taken != set()),
        Reason.DELETION_BLOCKED: spec.get("replacePolicy", {}).get("type") == "Recreate",
        Reason.CONFLICT: spec.get("deploymentId") in ("shared", FOREIGN, UNOWNED) or name in taken,
        Reason.ADOPTION_NOT_ALLOWED: spec.get("deploymentId") in ("shared", FOREIGN, UNOWNED) or name in taken,
        Reason.DEPLOYMENT_LOST: lost or (often and world.brought_back(str(name)) >= RECREATIONS),
        Reason.DEPLOYMENT_FAILED: True,
        Reason.REJECTED_BY_FIREWORKS: spec.get("acceleratorType") != H100 or spec.get("precision") == "FP8",
    }
    return explained.get(reason, False)
