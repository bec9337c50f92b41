"""Whatever happens to a deployment, the meter and the bill of Fireworks agree to the interval between polls.

`moved` counts the GPUs that came or went: each may be seen one interval late.
"""

import os
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from fireworks_operator.core.prices import Price, PriceList, Prices
from testkit.stories.addons import add_models, addons, until_loaded
from tests.virtual.bill import (
    BEGAN,
    DAY,
    HOUR,
    LATE,
    assert_agreed,
    assert_same,
    billed,
    cost,
    gpus_over_time,
    metered,
    metered_month,
    until_gpus,
)
from tests.virtual.stage import Stage
from tests.virtual.team import Json, NewTeam, Team


@pytest.fixture
def began() -> datetime:
    """When a story begins, unless it says something else."""
    return BEGAN


def serve(team: Team, name: str = "chat", /, **spec: object) -> None:
    """Have a deployment with two GPUs per replica that serves."""
    team.create(name, spec={"acceleratorCount": 2, "maxReplicaCount": 4, **spec})
    team.until_ready(name)


def wake(team: Team) -> None:
    question = {"model": team.status()["deploymentName"], "messages": [{"role": "user", "content": "Hello"}]}
    team.ask("/inference/v1/chat/completions", question)


def load(team: Team, replicas: float, name: str = "chat") -> None:
    team.simulator.load(team.deployment_id(name), replicas)


# --- what a deployment does -----------------------------------------------------------------------------------------


def test_scaling_out_and_in_is_billed_replica_by_replica(team: Team) -> None:
    serve(team)
    for replicas in (4, 1, 3):
        load(team, replicas)
        until_gpus(team, 2 * replicas)
        team.wait(5 * HOUR)
    assert_agreed(team, moved=2 + 6 + 6 + 4)
    assert gpus_over_time(team.versions())[-1] == 6


def test_replicas_that_start_for_half_an_hour_are_billed_from_when_they_serve(team: Team) -> None:
    team.simulator.timing(downloading=1800)
    team.create(acceleratorCount=2, maxReplicaCount=4)
    team.until_ready(within=HOUR)
    load(team, 3)
    until_gpus(team, 6)
    team.wait(HOUR)
    assert_agreed(team, moved=2 + 4)


def test_scaling_to_zero_and_being_woken_are_billed_each_time(team: Team) -> None:
    serve(team, minReplicaCount=0, autoscalingPolicy={"scaleToZeroWindow": "30m"})
    for _ in range(4):
        until_gpus(team, 0)
        team.wait(3 * HOUR)
        wake(team)
        until_gpus(team, 2)
    until_gpus(team, 0)
    assert_agreed(team, moved=2 * 10)
    assert metered(team).gpu_seconds < 2 * 5 * HOUR, "the nights cost nothing"


def test_a_replica_that_lives_between_two_polls_is_within_the_bound(team: Team) -> None:
    serve(team, autoscalingPolicy={"scaleUpWindow": "0s", "scaleDownWindow": "0s"})
    team.wait(HOUR)
    for _ in range(5):
        load(team, 4)
        team.wait(20)
        load(team, 0)
        team.wait(HOUR)
    assert_agreed(team, moved=2 + 5 * 2 * 6)


def test_revocable_replicas_are_billed_and_part_of_the_ceiling(team: Team) -> None:
    serve(team, maxReplicaCount=2, maxWithRevocableReplicaCount=5)
    load(team, 5)
    until_gpus(team, 10)
    assert (cost(team)["hourly"], cost(team)["hourlyCeiling"]) == ("80.00", "80.00")
    team.wait(5 * HOUR)
    load(team, 1)
    until_gpus(team, 2, within=HOUR)
    team.wait(5 * HOUR)
    assert cost(team)["hourlyCeiling"] == "80.00"
    assert_agreed(team, moved=2 + 8 + 8)


def test_addons_that_come_and_go_change_nothing_of_the_bill(team: Team) -> None:
    add_models(team)
    serve(team, addons=addons("tone"))
    until_loaded(team, "tone")
    before = cost(team)
    team.wait(HOUR)
    for names in (("tone", "style"), ("style",), ("tone",)):
        team.change(addons=addons(*names))
        until_loaded(team, *names)
        team.wait(HOUR)
    assert cost(team) == before
    assert_agreed(team, moved=2)


def test_another_number_of_gpus_per_replica_is_billed_from_the_roll_out_on(team: Team) -> None:
    serve(team)
    for gpus in (4, 8, 1):
        team.wait(3 * HOUR)
        team.change(acceleratorCount=gpus)
        until_gpus(team, gpus)
    team.wait(3 * HOUR)
    assert_agreed(team, moved=2 + 2 + 4 + 7)


# --- more than one, and more than one after the other ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("accelerator", "hourly"),
    [
        ("NVIDIA_H100_80GB", "8.00"),
        ("NVIDIA_H200_141GB", "8.00"),
        ("NVIDIA_B200_180GB", "13.00"),
        ("NVIDIA_B300_288GB", "15.00"),
        ("NVIDIA_GB300", "20.00"),
    ],
)
def test_every_accelerator_with_a_published_price_has_the_dollars_of_fireworks(
    team: Team, accelerator: str, hourly: str
) -> None:
    serve(team, acceleratorType=accelerator)
    load(team, 2)
    team.wait(7 * HOUR)
    assert Decimal(cost(team)["hourly"]) == 4 * Decimal(hourly)
    assert_agreed(team, moved=4, hourly=hourly)


def test_two_deployments_of_one_account_have_each_its_own_bill(team: Team) -> None:
    serve(team, "chat")
    team.wait(HOUR)
    serve(team, "search", acceleratorCount=4, acceleratorType="NVIDIA_B200_180GB")
    load(team, 3, "search")
    team.wait(5 * HOUR)
    for name, moved in (("chat", 2.0), ("search", 12.0)):
        mine, theirs = metered(team, name).gpu_seconds, billed(team, name).gpu_seconds
        assert theirs > HOUR
        assert abs(mine - theirs) <= moved * LATE + 4 * moved
    assert_agreed(team, "chat", "search", moved=2 + 12, hourly="13")
    load(team, 0, "search")
    team.delete("search")
    team.until_gone("search", within=2 * HOUR)
    team.wait(HOUR)
    assert abs(metered(team, "chat").gpu_seconds - billed(team, "chat").gpu_seconds) <= 2 * LATE


def test_a_deployment_that_fails_and_is_replaced_is_billed_for_what_served(team: Team) -> None:
    serve(team)
    team.wait(2 * HOUR)
    failed = team.status()["createTime"]
    team.simulator.fail(team.deployment_id(), "CUDA out of memory")
    until_gpus(team, 0, within=LATE)
    until_gpus(team, 2, within=HOUR)
    assert team.status()["createTime"] != failed
    team.wait(2 * HOUR)
    assert_agreed(team, moved=2 * 3)
    assert cost(team)["gpuSeconds"] > 2 * HOUR, "the sum is that of both deployments"


@pytest.mark.parametrize("soft", [True, False], ids=["undeleted", "created again"])
def test_a_deployment_that_somebody_deletes_and_that_comes_back_keeps_its_sum(team: Team, soft: bool) -> None:
    serve(team)
    team.wait(3 * HOUR)
    team.simulator.vanish(team.deployment_id(), soft=soft)
    team.eventually(lambda: team.methods() == ["POST", "undelete" if soft else "POST"], "it comes back", within=HOUR)
    until_gpus(team, 2)
    team.wait(3 * HOUR)
    assert_agreed(team, moved=2 * 3)
    assert metered(team).gpu_seconds > 2 * 5.9 * HOUR


def test_what_is_adopted_is_metered_from_then_on(team: Team) -> None:
    team.simulator.create_foreign(prefix="old", minReplicaCount=1, acceleratorCount=2)
    team.wait(10 * HOUR)
    adopted = datetime.fromtimestamp(team.stage.now(), UTC)
    before = billed(team)
    assert before.gpu_seconds == pytest.approx(2 * 10 * HOUR, abs=10)
    serve(team, deploymentId="old-0", adoptionPolicy="Unowned", acceleratorCount=None)
    team.wait(5 * HOUR)
    theirs = billed(team, since=adopted)
    assert theirs.gpu_seconds > HOUR
    assert_same(metered(team), theirs, moved=2)


def test_what_is_released_is_not_metered_any_more_though_it_is_billed(team: Team) -> None:
    serve(team, deletionPolicy="Retain")
    team.wait(2 * HOUR)
    mine = metered(team)
    assert_same(mine, billed(team), moved=2)
    team.delete()
    team.until_gone()
    team.wait(HOUR)
    assert billed(team).gpu_seconds - mine.gpu_seconds == pytest.approx(2 * HOUR, abs=2 * LATE)


# --- the calendar ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("began", "begins"),
    [
        (datetime(2026, 10, 31, 21, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)),
        (datetime(2026, 12, 31, 21, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (datetime(2027, 2, 28, 21, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC)),
        (datetime(2028, 2, 29, 21, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
    ],
    ids=["October", "December", "February", "29 February"],
)
@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Pacific/Kiritimati"])
def test_a_month_ends_in_utc_wherever_the_operator_runs(
    team: Team, begins: datetime, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        serve(team)
        load(team, 3)
        team.wait(5 * HOUR)
        load(team, 1)
        team.wait(5 * HOUR)
        theirs = billed(team, since=begins)
        assert theirs.gpu_seconds > HOUR
        assert_same(metered_month(team), theirs, moved=6 + 4)
        assert_agreed(team, moved=6 + 4)
        assert metered(team).gpu_seconds > metered_month(team).gpu_seconds + HOUR
    finally:
        os.environ.pop("TZ", None)
        time.tzset()


@pytest.mark.parametrize(
    ("began", "zone"),
    [
        (datetime(2026, 10, 24, 22, tzinfo=UTC), "Europe/Berlin"),
        (datetime(2027, 3, 27, 23, tzinfo=UTC), "Europe/Berlin"),
        (datetime(2026, 10, 31, 22, tzinfo=UTC), "America/New_York"),
    ],
    ids=["a day of 25 hours", "a day of 23 hours", "across a month as well"],
)
def test_a_change_of_clocks_makes_no_hour_free_and_none_double(team: Team, zone: str) -> None:
    serve(team)
    team.wait(25 * HOUR)
    local = billed(team, zone=zone)
    assert local.gpu_seconds == pytest.approx(2 * 25 * HOUR, abs=60)
    assert_same(metered(team), local, moved=2, days=4)


@pytest.mark.parametrize("began", [datetime(2026, 12, 31, 12, tzinfo=UTC)])
def test_seconds_are_those_of_posix_time_so_that_a_leap_second_is_none(team: Team) -> None:
    serve(team)
    before = metered(team).gpu_seconds
    team.wait(DAY)
    assert metered(team).gpu_seconds - before == pytest.approx(2 * DAY, abs=0.01)
    assert_agreed(team, moved=2)


# --- prices ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("began", [datetime(2026, 8, 31, 18, tzinfo=UTC)])
def test_a_published_price_rises_at_its_hour_and_the_sum_is_that_of_both(team: Team) -> None:
    serve(team)
    assert cost(team)["hourly"] == "14.00"
    team.wait(12 * HOUR)
    assert cost(team)["hourly"] == "16.00"
    found = metered(team).dollars
    assert found == pytest.approx(Decimal(6 * 14 + 6 * 16), abs=Decimal("0.5"))
    assert_agreed(team, moved=2)


@pytest.mark.parametrize("placement", [{"region": "US_IOWA_1"}, {"regions": ["US_IOWA_1"]}, {"multiRegion": "EUROPE"}])
def test_a_restricted_placement_costs_what_fireworks_charges_for_it(team: Team, placement: Json) -> None:
    serve(team, placement=placement)
    team.wait(9 * HOUR)
    assert_agreed(team, moved=2, hourly="12")


def test_a_contract_has_the_dollars_of_its_pricing_plan(new_team: NewTeam, stage: Stage) -> None:
    team, other = new_team(), new_team()
    team.simulator.add_pricing_plan("gold", {"NVIDIA_H100_80GB": "5.25"})
    since = datetime(2020, 1, 1, tzinfo=UTC)
    contract = PriceList({"NVIDIA_H100_80GB": (Price(Decimal("5.25"), since),)})
    stage.reprice(Prices(stage.prices.everybody, {team.account: contract}))
    for each in (team, other):
        serve(each)
    team.simulator.edit(team.deployment_id(), {"pricingPlanId": "gold"})
    team.wait(9 * HOUR)
    assert [cost(each)["hourly"] for each in (team, other)] == ["10.50", "16.00"]
    assert_agreed(team, moved=2)
    assert_agreed(other, moved=2)


def test_without_a_price_there_are_seconds_and_no_dollars_on_both_bills(team: Team) -> None:
    serve(team, acceleratorType="NVIDIA_A100_80GB")
    load(team, 3)
    team.wait(6 * HOUR)
    found, theirs = cost(team), billed(team)
    assert found.keys().isdisjoint({"hourly", "hourlyCeiling"})
    assert theirs.dollars == metered(team).dollars == 0
    assert_agreed(team, moved=6)


# --- the operator ---------------------------------------------------------------------------------------------------


def test_what_happens_while_the_operator_is_away_for_an_hour_is_off_by_that_hour_at_most(
    team: Team, stage: Stage
) -> None:
    serve(team)
    team.wait(3 * HOUR)
    stage.stop()
    load(team, 4)
    team.wait(HOUR)
    stage.start()
    until_gpus(team, 8, within=LATE)
    assert cost(team)["estimated"] is True
    team.wait(3 * HOUR)
    mine, theirs = metered(team).gpu_seconds, billed(team).gpu_seconds
    assert 0 < theirs - mine <= 6 * HOUR + 8 * LATE
    assert theirs - mine > 6 * HOUR / 2, "nobody saw it, and the status says so"
    load(team, 1)
    until_gpus(team, 2)
    assert cost(team)["estimated"] is True, "what is off stays off"


def test_what_stays_the_same_while_the_operator_is_away_is_exact(team: Team, stage: Stage) -> None:
    serve(team)
    team.wait(3 * HOUR)
    stage.stop()
    team.wait(HOUR)
    stage.start()
    team.wait(3 * HOUR)
    assert_agreed(team, moved=2)
    assert "estimated" not in cost(team)


def test_while_fireworks_does_not_answer_the_last_rate_goes_on(team: Team) -> None:
    serve(team)
    team.wait(HOUR)
    version = team.get()["status"]["cost"]
    rule = team.fault("html_502", path=r"/v1/accounts/[^/]+/deployments")
    team.wait(HOUR)
    assert team.status()["cost"] == version
    team.simulator.clear_fault(rule)
    team.wait(2 * HOUR)
    assert_agreed(team, moved=2)


@pytest.mark.parametrize(
    ("began", "days"),
    [
        (datetime(2026, 11, 26, tzinfo=UTC), 4),
        pytest.param(datetime(2026, 11, 6, tzinfo=UTC), 24, marks=pytest.mark.proof),
    ],
)
def test_days_and_nights_are_the_bill_of_the_month(team: Team, began: datetime, days: int) -> None:
    serve(team, minReplicaCount=0, autoscalingPolicy={"scaleToZeroWindow": "1h"})
    for day in range(1, days + 1):
        load(team, 1 + day % 4)
        team.wait(8 * HOUR)
        load(team, 0)
        team.wait((began + timedelta(days=day, hours=-1)).timestamp() - team.stage.now())
    moved = sum(2 * 2 * (1 + day % 4) for day in range(1, days + 1))
    assert_same(metered_month(team), billed(team), moved=moved, days=days)
    assert metered_month(team) == metered(team)
