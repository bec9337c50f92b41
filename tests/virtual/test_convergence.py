"""What Fireworks has and what the spec says: put back once, however it is spelled, and given up with a reason."""

import pytest

from testkit.stories.changes import NO_DRIFT, SHAPE
from tests.virtual.team import Team, condition, holds, pauses

SPACING = 30.0
"""Seconds between two change requests for the same spec, at least."""
RARELY = (3600, 3600)
"""Seconds between later tries, once three have changed nothing."""
AT_REST = 66.0
"""Seconds until the next poll of an account at rest, at most."""


@pytest.mark.parametrize(
    ("age", "within"), [(0.0, 3.5), (300.0, 15.5), (1000.0, 60.5)], ids=["just changed", "settling", "at rest"]
)
def test_a_field_changed_in_the_console_is_put_back_within_a_poll(team: Team, age: float, within: float) -> None:
    team.create(displayName="Chat", maxReplicaCount=2)
    team.until_ready()
    team.wait(age)
    team.simulator.edit(team.deployment_id(), {"displayName": "changed", "maxReplicaCount": 5})
    team.eventually(lambda: team.patches(), "it is put back", within=within)
    (patch,) = team.patches()
    assert set(patch.query["updateMask"].split(",")) == {"display_name", "max_replica_count"}
    assert (team.deployment()["displayName"], team.deployment()["maxReplicaCount"]) == ("Chat", 2)
    team.wait(AT_REST)
    assert len(team.patches()) == 1


@pytest.mark.parametrize("spelled", NO_DRIFT)
def test_other_spellings_of_the_same_are_no_drift(team: Team, spelled: str) -> None:
    spec, edited = NO_DRIFT[spelled]
    team.create(spec=spec)
    before = team.until_ready()
    for on in (True, False):
        team.simulator.assume(emit_zero_values=on, materialise_autoscaling_defaults=on)
        team.polls(2)
    if edited:
        team.simulator.edit(team.deployment_id(), edited)
        team.wait(AT_REST)
    assert team.methods() == ["POST"]
    assert team.get()["metadata"]["generation"] == before["metadata"]["generation"]
    team.until_ready()


def test_a_change_that_fireworks_accepts_but_does_not_apply_is_named_after_three_times(team: Team) -> None:
    team.create(displayName="before", maxReplicaCount=2)
    team.until_ready()
    rule = team.fault("ignore_patch", method="PATCH")
    team.change(displayName="after", maxReplicaCount=3)
    team.until("chat", "Reconciling", "True", "Updating", says="spec.displayName")
    resource = team.until("chat", "Stalled", "True", "NotConverging", says="spec.maxReplicaCount (stays 2)")
    assert all(SPACING <= each < SPACING + 4 for each in pauses(team.patches())), pauses(team.patches())
    assert len(team.patches()) == 3
    assert "spec.displayName (stays before)" in condition(resource, "Stalled")["message"]
    assert holds(resource, "Available") == "True", "the old one serves on"
    version = resource["metadata"]["resourceVersion"]
    team.wait(RARELY[0] - 60)
    assert team.get()["metadata"]["resourceVersion"] == version, "nothing is written while it is waited"
    team.wait(sum(RARELY) - RARELY[0] + 120)
    assert [round(each, -1) for each in pauses(team.patches())[2:]] == list(RARELY), pauses(team.patches())
    team.until("chat", "Stalled", "True", "NotConverging")
    team.simulator.clear_fault(rule)
    team.until_ready(within=RARELY[-1] + AT_REST)
    assert (team.deployment()["displayName"], team.deployment()["maxReplicaCount"]) == ("after", 3)


def test_what_was_given_up_is_not_tried_again_by_a_restart_but_by_who_asks_for_it(team: Team) -> None:
    team.create(displayName="before")
    team.until_ready()
    rule = team.fault("ignore_patch", method="PATCH")
    team.change(displayName="after")
    team.until("chat", "Stalled", "True", "NotConverging")
    team.stage.restart()
    team.polls(3)
    assert len(team.patches()) == 3
    team.simulator.clear_fault(rule)
    team.annotate("chat", "reconcile-at", "healed")
    team.until_ready(within=10)
    assert len(team.patches()) == 4


def test_a_shape_that_fireworks_drops_silently_is_missed_and_named(team: Team) -> None:
    team.create(acceleratorType=None, minReplicaCount=None, deploymentShape=SHAPE)
    team.until_ready()
    team.fault("ignore_patch", method="PATCH")
    team.simulator.edit(team.deployment_id(), clear=["deploymentShape"])
    team.until("chat", "Stalled", "True", "NotConverging", says="spec.deploymentShape", within=180)
    assert [each.query["updateMask"] for each in team.patches()] == ["deployment_shape"] * 3


def test_whoever_changes_a_field_again_and_again_gets_no_war_of_change_requests(team: Team) -> None:
    team.create(displayName="Chat")
    team.until_ready()

    def meddle() -> bool:
        if team.deployment()["displayName"] == "Chat":
            team.simulator.edit(team.deployment_id(), {"displayName": "theirs"})
        return True

    team.steadily(meddle, "they change it again and again", seconds=600)
    assert all(each >= SPACING for each in pauses(team.patches())), pauses(team.patches())
    assert 1 < len(team.patches()) <= 600 / SPACING
    resource = team.get()
    assert holds(resource, "Available") == "True"
    team.change(displayName="Talk")
    team.until_ready(within=10)
    assert team.deployment()["displayName"] == "Talk"
