"""BlueGreen and money: budgets and the meter count both deployments while there are two, and one again afterwards."""

import pytest

from tests.virtual.bill import assert_same, billed, cost, metered
from tests.virtual.replacing import (
    BLUE_GREEN,
    DRAIN,
    DRAINS,
    H100,
    H200,
    HOUR,
    existing,
    reach,
    replacement,
    serve,
    until_alone,
)
from tests.virtual.team import Team, condition, holds

TWO: dict[str, object] = {"acceleratorCount": 2, "maxReplicaCount": 2}
"""Four GPUs at most, which cost $32.00 per hour."""
LIMITS: dict[str, tuple[dict[str, object], dict[str, object], str]] = {
    "gpus": ({"gpus": 6}, {"gpus": 8}, "asks for 8"),
    "hourlyCost": ({"hourlyCost": "60"}, {"hourlyCost": "64"}, "asks for $64.00"),
}
"""What is enough for one, what is enough for both, and what is said."""


@pytest.mark.parametrize("limit", LIMITS)
def test_a_budget_for_one_leaves_the_old_one_serving_and_goes_on_once_it_is_raised(team: Team, limit: str) -> None:
    tight, wide, says = LIMITS[limit]
    team.limit(**tight)
    witness = serve(team, **TWO)
    former = team.status()["deploymentName"]
    team.change(acceleratorType=H200)
    resource = team.until("chat", "Reconciling", "True", "ReplacementBlocked", says=says)
    assert (holds(resource, "Stalled"), holds(resource, "Available")) == ("False", "True")
    team.wait(3 * HOUR)
    assert set(existing(team)) == {former}
    assert len(team.posts()) == 1
    team.limit(**wide)
    team.eventually(lambda: len(team.posts()) == 2, "it goes on at once", within=5)
    until_alone(team)
    assert team.deployment()["acceleratorType"] == H200
    assert witness.most == 2


def test_both_are_committed_while_they_run_and_one_afterwards(team: Team) -> None:
    team.limit(gpus=8)
    serve(team, **TWO)
    assert team.budget()["committed"]["gpus"] == 4
    team.change(acceleratorType=H200)
    reach(team, DRAINS)
    team.wait(60)
    assert team.budget()["committed"]["gpus"] == 8
    team.create("other", acceleratorCount=2)
    team.until("other", "Stalled", "True", "BudgetExceeded")
    team.wait(DRAIN / 3)
    assert len(team.posts()) == 2, "nobody gets the room of one that still runs"
    team.until_ready("other", within=DRAIN + 60)
    until_alone(team)
    team.wait(60)
    assert team.budget()["committed"]["gpus"] == 6


def test_nobody_gets_the_room_of_a_successor_that_is_on_its_way(team: Team) -> None:
    team.limit(gpus=8)
    team.simulator.timing(downloading=600)
    serve_slowly(team)
    team.change(acceleratorType=H200)
    reach(team, lambda found: found.get("state") == "CREATING")
    team.create("other", acceleratorCount=2)
    team.until("other", "Stalled", "True", "BudgetExceeded")
    team.restart_operator()
    team.wait(60)
    assert len(team.posts()) == 2, "nor after a restart"
    until_alone(team)
    team.until_ready("other", within=HOUR)


def serve_slowly(team: Team) -> None:
    """Have a deployment of four GPUs serve whose successors start for ten minutes."""
    team.create(spec={"replacePolicy": BLUE_GREEN, **TWO})
    team.until_ready(within=HOUR)


def test_a_lowered_limit_half_way_stops_nothing_that_runs(team: Team) -> None:
    team.limit(gpus=8)
    serve(team, **TWO)
    team.change(acceleratorType=H200)
    reach(team, lambda found: found.get("state") == "CREATING")
    team.limit(gpus=1)
    until_alone(team)
    assert team.deployment()["acceleratorType"] == H200


def test_a_scale_up_while_the_former_drains_waits_for_its_room(team: Team) -> None:
    team.limit(gpus=8)
    witness = serve(team, **TWO)
    witness.stalls = {"BudgetExceeded"}
    team.change(acceleratorType=H200)
    reach(team, DRAINS)
    team.change(maxReplicaCount=3)
    team.until("chat", "Stalled", "True", "BudgetExceeded", says="asks for 10")
    team.wait(60)
    present = existing(team)[team.status()["deploymentName"]]
    assert present["maxReplicaCount"] == 2
    until_alone(team)
    assert team.deployment()["maxReplicaCount"] == 3


@pytest.mark.parametrize(
    "change", [{"acceleratorType": H200}, {"placement": {"region": "US_IOWA_1"}}], ids=["h200", "region"]
)
def test_the_meter_counts_both_and_agrees_with_the_bill(team: Team, change: dict[str, object]) -> None:
    serve(team, acceleratorCount=2)
    team.wait(3 * HOUR)
    team.change(**change)
    reach(team, DRAINS)
    team.wait(30)
    assert cost(team)["gpus"] == 4
    assert cost(team)["gpuCeiling"] == 4
    until_alone(team)
    team.wait(3 * HOUR)
    assert cost(team)["gpus"] == 2
    # two came, two came, two went; of a region each costs half as much again
    assert_same(metered(team), billed(team), moved=6, hourly="12", days=3)
    assert not cost(team).get("estimated")


def test_the_meter_is_right_after_a_successor_was_discarded_and_after_a_restart(team: Team) -> None:
    serve(team, acceleratorCount=2)
    team.wait(3 * HOUR)
    team.simulator.timing(downloading=120)
    team.change(acceleratorType=H200)
    reach(team, lambda found: found.get("state") == "CREATING")
    team.restart_operator()
    team.wait(30)
    team.change(acceleratorType=H100)
    until_alone(team)
    team.wait(3 * HOUR)
    assert_same(metered(team), billed(team), moved=6, days=3)


def test_a_spent_month_lets_nothing_be_begun_and_says_so(team: Team) -> None:
    witness = serve(team, acceleratorCount=2)
    former = team.status()["deploymentName"]
    team.limit(monthlyCost="0")
    team.wait(60)
    team.change(acceleratorType=H200)
    resource = team.until("chat", "Reconciling", "True", "ReplacementBlocked", says="per month")
    assert holds(resource, "Available") == "True"
    team.wait(3 * HOUR)
    assert set(existing(team)) == {former}
    team.change(acceleratorType=H100)
    team.until_ready()
    assert replacement(team) == {}
    assert condition(team.get(), "Stalled")["status"] == "False"
    assert witness.most == 1
