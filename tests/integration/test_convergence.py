"""What Fireworks has and what the spec says: put back once, however it is spelled, and given up with a reason."""

from datetime import UTC, datetime, timedelta

import pytest

from testkit.kubernetes_api import condition
from testkit.processes import Operator
from testkit.stories.changes import NO_DRIFT, SHAPE
from testkit.team import Team
from testkit.waiting import steadily

HOUR = 3600


def _try_again_until(team: Team, patches: int) -> None:
    """Change requests of one spec are 30 s apart, unless somebody asks for the next.

    Not before the one before is remembered: an annotation in between would win over the status.
    """
    team.eventually(
        lambda: team.status().get("lastAttempt", {}).get("count") == patches - 1, "the one before is remembered"
    )
    team.annotate("chat", "reconcile-at", str(patches))
    team.eventually(lambda: len(team.patches()) == patches, f"change request {patches}")


@pytest.mark.proof
def test_other_spellings_of_the_same_are_no_drift(team: Team) -> None:
    rows = {f"row-{number}": row for number, row in enumerate(NO_DRIFT.values())}
    for name, (spec, _) in rows.items():
        team.create(name, spec=spec)
    for name in rows:
        team.until_ready(name)
    for on in (True, False):
        team.simulator.assume(emit_zero_values=on, materialise_autoscaling_defaults=on)
        team.polls()
    for name, (_, edited) in rows.items():
        if edited:
            team.simulator.edit(team.deployment_id(name), edited)
    team.polls(3)
    assert team.methods() == ["POST"] * len(rows)
    for name in rows:
        team.until_ready(name, within=20)


@pytest.mark.proof
def test_a_change_that_fireworks_accepts_but_does_not_apply_is_named_after_three_times(
    team: Team, operator: Operator
) -> None:
    team.create(displayName="before", maxReplicaCount=2)
    team.until_ready()
    rule = team.fault("ignore_patch", method="PATCH")
    team.change(displayName="after", maxReplicaCount=3)
    team.eventually(lambda: len(team.patches()) == 1, "the first change request")
    team.until("chat", "Reconciling", "True", "Updating", says="spec.displayName")
    team.polls(3)
    assert len(team.patches()) == 1, "the next one waits for half a minute"
    _try_again_until(team, 2)
    _try_again_until(team, 3)
    resource = team.until("chat", "Stalled", "True", "NotConverging", says="spec.maxReplicaCount (stays 2)")
    assert "spec.displayName (stays before)" in condition(resource, "Stalled")["message"]
    assert condition(resource, "Available")["status"] == "True", "the old one serves on"
    team.polls(3)
    assert len(team.patches()) == 3, "from now on it is tried rarely"
    operator.restart()
    team.polls(3)
    assert len(team.patches()) == 3, "also after a restart"
    operator.stop()
    team.set_status("chat", {"lastAttempt": {**team.status()["lastAttempt"], "time": _ago(HOUR + 1)}})
    operator.start()
    team.eventually(lambda: len(team.patches()) == 4, "an hour later it is tried again")
    team.until("chat", "Stalled", "True", "NotConverging")
    team.simulator.clear_fault(rule)
    team.annotate("chat", "reconcile-at", "healed")
    team.until_ready()
    assert (team.deployment()["displayName"], team.deployment()["maxReplicaCount"]) == ("after", 3)


def _ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.proof
def test_a_shape_that_fireworks_drops_silently_is_missed_and_named(team: Team) -> None:
    team.create(acceleratorType=None, deploymentShape=SHAPE)
    team.until_ready()
    team.fault("ignore_patch", method="PATCH")
    team.simulator.edit(team.deployment_id(), clear=["deploymentShape"])
    team.eventually(lambda: len(team.patches()) == 1, "a change request")
    (patch,) = team.patches()
    assert patch.query["updateMask"] == "deployment_shape"
    _try_again_until(team, 2)
    _try_again_until(team, 3)
    team.until("chat", "Stalled", "True", "NotConverging", says="spec.deploymentShape")


@pytest.mark.proof
def test_whoever_changes_a_field_again_and_again_gets_no_war_of_change_requests(team: Team) -> None:
    team.create(displayName="Chat")
    team.until_ready()
    team.simulator.edit(team.deployment_id(), {"displayName": "theirs"})
    team.eventually(lambda: team.deployment()["displayName"] == "Chat", "it is put back")
    team.until_ready()
    team.simulator.edit(team.deployment_id(), {"displayName": "theirs"})
    resource = team.until("chat", "Ready", "False", "Updating", says="spec.displayName")
    assert condition(resource, "Reconciling")["status"] == "True"
    assert condition(resource, "Available")["status"] == "True"
    steadily(lambda: len(team.patches()) == 1, "half a minute lies between two", seconds=2, explain=team.explain)
    team.change(displayName="Talk")
    team.until_ready(within=20)
    assert team.deployment()["displayName"] == "Talk"
