"""Lifetimes: what expires is parked, never deleted, and gets back what it had once it is renewed."""

from dataclasses import dataclass

import pytest

from tests.virtual.team import Json, Team, condition

HOUR = 3600.0
SOON = 40.0
"""Seconds until an expired deployment is parked, or a renewed one no longer, at most: two PATCHes have 30 between."""
AT_REST = 66.0
"""Seconds until the next poll of an account at rest, at most."""
STALLED = ("False", "False", "True")
DAY: Json = {"minReplicaCount": 1, "schedule": "0 8 * * 1-5", "duration": "10h", "timezone": "Europe/Berlin"}
FOREIGN: Json = {"minReplicaCount": 1, "schedule": "0 3 * * *", "duration": "300s", "timezone": "UTC"}
OFF = (0, 0)


def bounds(team: Team) -> tuple[int, int]:
    """Return minReplicaCount and maxReplicaCount at Fireworks."""
    found = team.deployment()
    return found.get("minReplicaCount", 0), found.get("maxReplicaCount", 0)


def schedules(team: Team) -> set[str]:
    """Return the names of the deployment's scaling schedules."""
    return set(team.deployment().get("autoscalingPolicy", {}).get("scalingSchedules", {}))


def expired(team: Team) -> bool:
    """Tell whether Ready is True as the resource has expired."""
    ready = condition(team.get(), "Ready")
    return (ready.get("status"), ready.get("reason")) == ("True", "Expired")


def until_expired(team: Team) -> None:
    """Let an hour pass, and then as long as it takes until the resource says that it has expired."""
    team.wait(HOUR)
    team.eventually(lambda: expired(team) or None, "it has expired", within=SOON)
    assert bounds(team) == OFF, team.explain()


def by_hand(team: Team, **fields: object) -> None:
    """Change the deployment as the console does."""
    team.simulator.edit(team.deployment_id(), fields)


def changes(team: Team) -> list[str]:
    """Return what was sent but for reading: the method and what follows the deployment's name."""
    return [f"{each.method} {each.path.partition(':')[2]}".strip() for each in team.journal() if each.method != "GET"]


# --- the end, and what comes after it ---------------------------------------------------------------------------------


def test_what_expires_is_parked_once_and_not_deleted(team: Team) -> None:
    team.create(expiresAfter="1h", minReplicaCount=1, maxReplicaCount=2)
    created = team.until_ready()
    team.wait(HOUR - 60)
    assert bounds(team) == (1, 2)
    until_expired(team)
    status = team.status()
    assert status["expiresAt"] == status["parked"]["since"]
    assert status["cost"] | {"gpus": 0, "hourly": "0.00", "hourlyCeiling": "0.00"} == status["cost"]
    for word in (status["expiresAt"], "spec.expiresAfter", "nothing is billed", "delete this resource"):
        assert word in condition(team.get(), "Ready")["message"]
    assert condition(team.get(), "Available")["status"] == "False"
    assert status["createTime"] == created["status"]["createTime"]
    team.assert_at_rest()
    assert changes(team) == ["POST", "PATCH"]
    (patch,) = team.patches()
    assert patch.query["updateMask"] == "min_replica_count,max_replica_count"
    assert ("Normal", "Expired") in team.happened()


@pytest.mark.parametrize("duration", ["2h", None], ids=["longer", "removed"])
def test_renewing_it_puts_the_bounds_back(team: Team, duration: str | None) -> None:
    team.create(expiresAfter="1h", minReplicaCount=1, maxReplicaCount=2)
    team.until_ready()
    until_expired(team)
    team.change(expiresAfter=duration)
    team.until_ready(within=SOON)
    assert bounds(team) == (1, 2)
    assert "parked" not in team.status()
    assert ("expiresAt" in team.status()) is (duration is not None)
    team.assert_at_rest()
    assert changes(team) == ["POST", "PATCH", "PATCH"]


def test_a_longer_duration_that_has_passed_as_well_changes_nothing(team: Team) -> None:
    team.create(expiresAfter="30m", minReplicaCount=1)
    team.until_ready()
    until_expired(team)
    team.change(expiresAfter="31m")
    team.wait(SOON)
    assert expired(team)
    assert changes(team) == ["POST", "PATCH"]


# --- whose bounds return ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bounds:
    """minReplicaCount and maxReplicaCount; None: not set."""

    least: int | None = None
    most: int | None = None

    def fields(self) -> Json:
        """Return the fields of a spec, or of a change of it."""
        return {"minReplicaCount": self.least, "maxReplicaCount": self.most}


def returned(before: Bounds, stood: tuple[int, int], after: Bounds) -> tuple[int, int]:
    """Return what a deployment has to get back.

    The spec's value, if it sets one; the default, if it did before; else what stood there, as far as that fits.
    """
    least = after.least if after.least is not None else (stood[0] if before.least is None else 0)
    if after.most is not None:
        return (min(least, after.most) if after.least is None else least), after.most
    return least, max(least, stood[1] if before.most is None else 1)


SPECS = {"neither": Bounds(), "min": Bounds(1), "max": Bounds(None, 3), "both": Bounds(1, 3)}
CHANGED = {
    "min": Bounds(2),
    "max": Bounds(None, 2),
    "max of 1": Bounds(None, 1),
    "both": Bounds(1, 2),
    "neither": Bounds(),
}


@pytest.mark.parametrize("restarts", [False, True], ids=["", "restarts"])
@pytest.mark.parametrize("after", [None, *CHANGED.values()], ids=["unchanged", *CHANGED])
@pytest.mark.parametrize("before", SPECS.values(), ids=list(SPECS))
def test_what_returns(team: Team, before: Bounds, after: Bounds | None, restarts: bool) -> None:
    team.create(expiresAfter="1h", **before.fields())
    team.until_ready()
    hand = {name: count for name, count in Bounds(2, 4).fields().items() if before.fields()[name] is None}
    if before.most is not None and "minReplicaCount" in hand:
        hand["minReplicaCount"] = 1
    by_hand(team, **hand)
    team.wait(AT_REST)
    stood = bounds(team)
    if restarts:
        team.restart_operator()
    until_expired(team)
    if after is not None:
        team.change(**after.fields())
        team.wait(AT_REST)
        assert bounds(team) == OFF, "it takes effect at the end"
        assert expired(team)
    if restarts:
        team.restart_operator()
        team.wait(AT_REST)
        assert bounds(team) == OFF
    team.change(expiresAfter=None)
    if restarts:
        team.restart_operator()
    team.until_ready(within=SOON)
    team.wait(AT_REST)
    assert bounds(team) == returned(before, stood, after or before), team.explain()
    assert "parked" not in team.status()
    team.assert_at_rest()
    assert changes(team).count("POST") == 1


def test_revocable_replicas_are_none_while_it_is_parked(team: Team) -> None:
    team.create(expiresAfter="1h", maxReplicaCount=2, maxWithRevocableReplicaCount=4)
    team.until_ready()
    until_expired(team)
    assert team.deployment().get("maxWithRevocableReplicaCount", 0) == 0
    team.change(expiresAfter=None)
    team.wait(SOON)
    assert team.deployment()["maxWithRevocableReplicaCount"] == 4


def test_schedules_of_the_spec_return_and_those_of_others_stay(team: Team) -> None:
    team.create(expiresAfter="1h", maxReplicaCount=2, autoscalingPolicy={"scalingSchedules": {"day": DAY}})
    team.until_ready()
    policy = team.deployment()["autoscalingPolicy"]
    policy["scalingSchedules"] = {**policy["scalingSchedules"], "theirs": FOREIGN}
    by_hand(team, autoscalingPolicy=policy)
    until_expired(team)
    assert schedules(team) == {"theirs"}
    team.assert_at_rest()
    team.change(expiresAfter=None)
    team.until_ready(within=SOON)
    assert schedules(team) == {"day", "theirs"}
    assert bounds(team) == (1, 2)


def test_other_changes_are_made_while_it_is_parked(team: Team) -> None:
    team.create(expiresAfter="1h", minReplicaCount=1, displayName="red")
    team.until_ready()
    until_expired(team)
    team.change(displayName="blue")
    team.wait(SOON)
    assert team.deployment()["displayName"] == "blue"
    assert bounds(team) == OFF
    assert expired(team)


def test_what_fireworks_refuses_does_not_keep_it_from_being_parked(team: Team) -> None:
    team.create(expiresAfter="1h", minReplicaCount=1, acceleratorCount=1)
    team.until_ready()
    team.wait(HOUR - 120)
    team.change(acceleratorType="NVIDIA_A100_80GB", displayName="blue")
    team.eventually(
        lambda: condition(team.get(), "Stalled").get("reason") == "ReplaceRequired" or None, "it is refused", within=30
    )
    team.wait(120 + SOON)
    assert bounds(team) == OFF, team.explain()


# --- meddling, refusals, and what is not there ------------------------------------------------------------------------


def test_raising_the_maximum_by_hand_is_put_back(team: Team) -> None:
    team.create(expiresAfter="1h", minReplicaCount=None, maxReplicaCount=None)
    team.until_ready()
    until_expired(team)
    by_hand(team, minReplicaCount=1, maxReplicaCount=3)
    team.wait(AT_REST + SOON)
    assert bounds(team) == OFF
    team.change(expiresAfter=None)
    team.wait(AT_REST + SOON)
    assert bounds(team) == (0, 1), "what was meddled with is not what stood there before"


def test_paused_withholds_parking_and_the_return(team: Team) -> None:
    team.create(expiresAfter="1h", minReplicaCount=1, paused=True)
    team.wait(5)
    team.change(paused=None)
    team.until_ready()
    team.change(paused=True)
    team.wait(HOUR)
    assert bounds(team) == (1, 1)
    ready = condition(team.get(), "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "Paused")
    assert "still running 1 x" in ready["message"]
    team.change(paused=None)
    team.eventually(lambda: expired(team) or None, "it is parked", within=SOON)
    team.change(paused=True, expiresAfter=None)
    team.wait(AT_REST)
    assert bounds(team) == OFF
    assert condition(team.get(), "Ready")["reason"] == "Paused"
    team.change(paused=None)
    team.until_ready(within=SOON)
    assert bounds(team) == (1, 1)


def test_what_is_only_observed_is_not_parked(team: Team) -> None:
    team.create("made", minReplicaCount=1, deletionPolicy="Retain", deploymentId="made")
    team.until_ready("made")
    team.delete("made")
    team.wait(5)
    sent = len(changes(team))
    team.create(deploymentId="made", managementPolicy="Observe", expiresAfter="1h")
    team.until_ready()
    writes = len(team.versions())
    team.wait(HOUR + 5)
    assert any("not parked while managementPolicy is Observe" in each for each in team.status()["notices"])
    assert len(changes(team)) == sent
    assert len(team.versions()) == writes + 1


def test_what_is_adopted_after_its_time_is_parked(team: Team) -> None:
    team.create("made", minReplicaCount=1, maxReplicaCount=2, deletionPolicy="Retain", deploymentId="made")
    team.until_ready("made")
    team.delete("made")
    team.create(deploymentId="made", expiresAfter="1m")
    team.wait(90)
    assert condition(team.get(), "Ready")["reason"] == "AdoptionNotAllowed"
    team.change(adoptionPolicy="Unowned")
    team.eventually(lambda: expired(team) or None, "it is adopted and parked", within=SOON)
    assert bounds(team) == OFF
    team.change(expiresAfter=None)
    team.until_ready(within=SOON)
    assert bounds(team) == (1, 2)


def test_what_expires_before_it_is_created_creates_nothing(team: Team) -> None:
    team.delete_secret()
    team.create(expiresAfter="30m")
    team.wait(HOUR)
    team.put_secret(apiKey=team.api_key)
    team.wait(AT_REST)
    ready = condition(team.get(), "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "Expired")
    assert "was not created" in ready["message"]
    assert changes(team) == []
    team.assert_at_rest(said=STALLED)
    team.change(expiresAfter="3h")
    team.until_ready()
    assert changes(team) == ["POST"]


@pytest.mark.parametrize("soft", [True, False], ids=["restorable", "gone for good"])
def test_what_is_deleted_elsewhere_is_not_brought_back_while_it_is_parked(team: Team, soft: bool) -> None:
    team.create(expiresAfter="1h", minReplicaCount=1, maxReplicaCount=2)
    team.until_ready()
    until_expired(team)
    team.simulator.vanish(team.deployment_id(), soft=soft)
    team.wait(3 * AT_REST)
    assert changes(team) == ["POST", "PATCH"]
    ready = condition(team.get(), "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "Expired")
    team.assert_at_rest(said=STALLED)
    team.change(expiresAfter=None)
    team.until_ready(within=120)
    assert bounds(team) == (1, 2)
    assert changes(team)[2:] == (["POST undelete", "PATCH"] if soft else ["POST"])


def test_what_fails_while_it_is_parked_is_not_replaced(team: Team) -> None:
    team.create(expiresAfter="1h")
    team.until_ready()
    until_expired(team)
    team.simulator.fail(team.deployment_id(), "out of memory", "CUDA error")
    team.wait(2 * HOUR)
    assert changes(team) == ["POST", "PATCH"]
    message = condition(team.get(), "Ready")["message"]
    assert "out of memory" in message
    assert "not replaced" in message


def test_it_can_be_deleted_while_it_is_parked(team: Team) -> None:
    team.create(expiresAfter="1h")
    team.until_ready()
    until_expired(team)
    team.delete()
    team.eventually(lambda: team.find() is None or None, "it is gone", within=60)
    assert team.deployments() == [] or team.deployments()[0]["state"] in ("DELETING", "DELETED")


def test_a_request_does_not_wake_what_is_parked(team: Team) -> None:
    team.create(expiresAfter="1h")
    team.until_ready()
    until_expired(team)
    team.simulator.traffic(team.deployment_id())
    team.wait(AT_REST)
    assert expired(team)
    assert team.status()["replicas"]["ready"] == 0
