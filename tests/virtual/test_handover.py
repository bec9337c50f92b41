"""From one of two deployments to the other: what is said on the way, and what may come in between."""

from tests.virtual.replacing import DRAIN, H100, H200, existing, serve
from tests.virtual.team import Team, holds


def test_a_replacement_that_is_given_up_is_ready_only_once_the_other_changes_are_in_force(team: Team) -> None:
    serve(team)
    team.change(acceleratorType=H200)
    team.until("chat", "Reconciling", "True", "Replacing")
    told = team.told()
    team.simulator.fault("status", match={"method": "PATCH"}, code="UNAVAILABLE", times=100)
    team.change(acceleratorType=H100, displayName="Chat, tuned")
    team.wait(60)
    assert all(holds(each, "Ready") != "True" for each in team.versions(since=told))
    team.simulator.clear_faults()
    team.until_ready()


def test_ready_stays_while_the_former_one_goes(team: Team) -> None:
    serve(team)
    team.change(acceleratorType=H200)
    team.until("chat", "Reconciling", "True", "Replacing")
    team.until_ready()
    told = team.told()
    team.wait(DRAIN + 60)
    assert len(existing(team)) == 1
    assert "replacement" not in team.status("chat")
    assert all(holds(each, "Ready") == "True" for each in team.versions(since=told))
