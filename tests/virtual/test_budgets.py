"""Budgets: what fits runs, nothing is oversold, those that wait get their turn, and what runs is never stopped."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.virtual.team import MODEL, Json, NewTeam, Team, condition

HOUR = 3600.0
GPUS = {"acceleratorCount": 2, "maxReplicaCount": 4, "minReplicaCount": 1}
"""A deployment that may run 8 GPUs, which cost $64.00 per hour."""
BIG = 8


def reason(team: Team, name: str = "chat") -> str:
    conditions = {each["type"]: each["reason"] for each in team.status(name).get("conditions", [])}
    return str(conditions.get("Ready", ""))


def names(team: Team) -> list[str]:
    objects = (each["metadata"] for each in team.stage.server.objects.values())
    return sorted(each["name"] for each in objects if each["namespace"] == team.namespace)


def by_reason(team: Team, said: str) -> list[str]:
    return [name for name in names(team) if reason(team, name) == said]


def committed(team: Team) -> int:
    """Return the GPUs that the team's deployments may run at most, by Fireworks itself."""
    return sum(gpus_of(each) for each in team.deployments())


def gpus_of(deployment: Json) -> int:
    if deployment["state"] in ("DELETED", "DELETING"):
        return 0
    return int(deployment.get("maxReplicaCount", 0)) * int(deployment.get("acceleratorCount", 1))


def until_waits(team: Team, name: str = "chat") -> None:
    team.eventually(lambda: reason(team, name) == "BudgetExceeded", f"{name} waits", name=name)


def until_serves(team: Team, name: str = "chat") -> None:
    team.eventually(lambda: reason(team, name) == "Serving", f"{name} serves", name=name)


def most_ever(team: Team) -> int:
    """Return the most GPUs that could run at any moment, by the requests that Fireworks has carried out, in order."""
    held: dict[str, tuple[int, int]] = {}
    off: dict[str, tuple[int, int]] = {}
    most = 0
    for each in team.journal():
        body = each.body if isinstance(each.body, dict) else {}
        name = each.path.rsplit("/", 1)[-1]
        if not each.committed or "deploymentModels" in each.path:
            continue
        if each.method == "POST" and each.path.endswith("/deployments"):
            held[str(each.query["deploymentId"])] = _size(body, (1, 1))
        elif each.method == "PATCH" and name in held:
            held[name] = _size(body, held[name])
        elif each.method == "DELETE" and name in held:
            off[name] = held.pop(name)
        elif each.method == "POST" and name.endswith(":undelete"):
            held[name.removesuffix(":undelete")] = off[name.removesuffix(":undelete")]
        most = max(most, sum(gpus * replicas for gpus, replicas in held.values()))
    return most


def _size(body: Json, before: tuple[int, int]) -> tuple[int, int]:
    return int(body.get("acceleratorCount", before[0])), int(body.get("maxReplicaCount", before[1]))


def oldest(team: Team, some: list[str]) -> list[str]:
    def age(name: str) -> tuple[str, str]:
        metadata = team.get(name)["metadata"]
        return metadata["creationTimestamp"], metadata["uid"]

    return sorted(some, key=age)


# --- creation ---------------------------------------------------------------------------------------------------------


def test_what_does_not_fit_is_not_created_and_is_as_soon_as_it_does(team: Team) -> None:
    team.limit(gpus=BIG)
    team.create("first", spec=GPUS)
    until_serves(team, "first")
    team.create("second", spec=GPUS)
    until_waits(team, "second")
    message = condition(team.get("second"), "Ready")["message"]
    assert "Budget team allows 8 GPUs; 8 are committed to other deployments, and this one asks for 8" in message
    assert "deploymentName" not in team.status("second"), "the spec can still be corrected"
    assert team.methods() == ["POST"]
    team.delete("first")
    until_serves(team, "second")
    assert committed(team) == BIG


def test_waiting_costs_nothing(team: Team) -> None:
    team.limit(gpus=BIG)
    team.create("first", spec=GPUS)
    until_serves(team, "first")
    team.create("second", spec=GPUS)
    until_waits(team, "second")
    team.wait(120)
    assert team.stage.operator is not None
    writes, seen, passes = team.stage.server.writes, team.seen(), team.stage.operator.passes.count
    team.wait(HOUR)
    assert team.stage.server.writes == writes
    assert team.writes(since=seen) == []
    assert team.stage.operator.passes.count == passes, "nobody looks at who waits before there is room"


def test_two_hundred_at_once_fill_the_budget_exactly(team: Team) -> None:
    team.limit(gpus=64)
    everyone = [f"chat-{number:03}" for number in range(200)]
    team.create_at_once(*everyone, acceleratorCount=1, maxReplicaCount=2, minReplicaCount=1)
    team.eventually(
        lambda: len(by_reason(team, "Serving")) == 32 and len(by_reason(team, "BudgetExceeded")) == 168,
        "32 serve and 168 wait",
        within=600,
    )
    assert most_ever(team) == committed(team) == 64
    assert team.methods() == ["POST"] * 32
    team.eventually(lambda: team.budget()["waiting"] == 168, "the budget tells who waits")
    budget = team.budget()
    assert (budget["committed"], budget["selected"]) == ({"gpus": 64, "hourlyCost": "512.00"}, 200)
    waiting = by_reason(team, "BudgetExceeded")
    leaving = by_reason(team, "Serving")[:3]
    for name in leaving:
        team.delete(name)
        team.until_gone(name)
    team.eventually(lambda: len(by_reason(team, "Serving")) == 32, "three more get their turn", within=600)
    turned = set(waiting) - set(by_reason(team, "BudgetExceeded"))
    assert sorted(turned) == sorted(oldest(team, waiting)[:3]), "those that came first"
    assert most_ever(team) == 64


def test_one_that_fits_does_not_wait_for_an_older_one_that_does_not(team: Team) -> None:
    team.limit(gpus=BIG)
    team.create("first", spec=GPUS, maxReplicaCount=3)
    until_serves(team, "first")
    team.create("large", spec=GPUS)
    until_waits(team, "large")
    team.create("small", spec=GPUS, maxReplicaCount=1)
    until_serves(team, "small")
    assert reason(team, "large") == "BudgetExceeded"
    team.delete("first")
    team.wait(60)
    assert reason(team, "large") == "BudgetExceeded", "6 GPUs are free, and it asks for 8"
    team.delete("small")
    until_serves(team, "large")


def test_every_budget_that_selects_a_deployment_must_have_room(team: Team) -> None:
    team.put_budget("all", limits={"gpus": 100})
    team.put_budget("search", limits={"gpus": BIG}, selector={"matchLabels": {"team": "search"}})
    team.create("one", spec=GPUS, labels={"team": "search"})
    until_serves(team, "one")
    team.create("two", spec=GPUS, labels={"team": "search"})
    until_waits(team, "two")
    assert "Budget search" in condition(team.get("two"), "Ready")["message"]
    team.create("three", spec=GPUS, labels={"team": "chat"})
    until_serves(team, "three")
    team.stage.server.label(team.ref("two"), "team", "chat")
    until_serves(team, "two")


@pytest.mark.parametrize(
    "selector",
    [
        {"matchExpressions": [{"key": "team", "operator": "In", "values": ["a", "search"]}]},
        {"matchExpressions": [{"key": "team", "operator": "Exists"}]},
        {"matchExpressions": [{"key": "env", "operator": "DoesNotExist"}]},
        {"matchExpressions": [{"key": "env", "operator": "NotIn", "values": ["prod"]}]},
        {},
        None,
    ],
)
def test_selectors_select_as_in_kubernetes(team: Team, selector: Json | None) -> None:
    team.put_budget("team", limits={"gpus": 0}, **({} if selector is None else {"selector": selector}))
    team.create(spec=GPUS, labels={"team": "search"})
    until_waits(team)


def test_a_selector_that_matches_nothing_is_harmless(team: Team) -> None:
    team.put_budget("team", limits={"gpus": 0}, selector={"matchLabels": {"no": "body"}})
    team.create(spec=GPUS)
    until_serves(team)
    assert team.budget()["selected"] == 0


def test_a_thousand_budgets_are_harmless(team: Team) -> None:
    for number in range(1000):
        team.limit(f"budget-{number}", gpus=1000 + number)
    team.create(spec=GPUS)
    until_serves(team)
    team.limit("budget-500", gpus=0)
    team.create("second", spec=GPUS)
    until_waits(team, "second")


def test_other_namespaces_are_not_counted(new_team: NewTeam) -> None:
    limited, other = new_team(), new_team()
    limited.limit(gpus=BIG)
    other.create(spec=GPUS)
    until_serves(other)
    limited.create(spec=GPUS)
    until_serves(limited)


def test_a_model_alone_counts_as_what_fireworks_may_choose(team: Team) -> None:
    team.limit(gpus=1)
    team.create(spec={"acceleratorType": None, "maxReplicaCount": 2})
    until_waits(team)
    assert "asks for" in condition(team.get(), "Ready")["message"]
    team.limit(gpus=100)
    until_serves(team)
    team.eventually(lambda: team.budget()["committed"]["gpus"] == committed(team), "what is there counts")


# --- changes ----------------------------------------------------------------------------------------------------------


def test_a_change_that_grows_waits_and_all_others_are_made(team: Team) -> None:
    team.limit(gpus=BIG)
    team.create(spec=GPUS)
    until_serves(team)
    team.change(maxReplicaCount=5, displayName="Chat", tags={"team": "search"})
    until_waits(team)
    deployment = team.deployment()
    assert (deployment["maxReplicaCount"], deployment["displayName"]) == (4, "Chat")
    assert deployment["annotations"]["custom/team"] == "search"
    assert condition(team.get(), "Available")["status"] == "True"
    team.limit(gpus=10)
    until_serves(team)
    assert team.deployment()["maxReplicaCount"] == 5
    assert most_ever(team) == 10


def test_a_lowered_limit_stops_nothing(team: Team) -> None:
    team.limit(gpus=BIG)
    team.create(spec=GPUS)
    until_serves(team)
    seen = team.seen()
    team.limit(gpus=1, hourlyCost="0.01")
    team.wait(120)
    assert team.writes(since=seen) == []
    assert reason(team) == "Serving"
    conditions = {each["type"]: each["status"] for each in team.budget()["conditions"]}
    assert conditions == {"Ready": "True", "Exhausted": "True"}


def test_a_budget_that_goes_away_frees_those_that_wait_at_once(team: Team) -> None:
    team.limit(gpus=0)
    team.create(spec=GPUS)
    until_waits(team)
    team.delete_budget()
    began = team.stage.now()
    team.eventually(lambda: team.methods() == ["POST"], "it is created")
    assert team.stage.now() - began < 2


FREED: dict[str, Callable[[Team], None]] = {
    "it goes away": lambda team: team.delete_budget(),
    "it selects others": lambda team: team.put_budget(
        limits={"monthlyCost": "0"}, onMonthlyLimit="Park", selector={"matchLabels": {"team": "another"}}
    ),
    "its limit is raised": lambda team: team.put_budget(limits={"monthlyCost": "10000"}, onMonthlyLimit="Park"),
}


@pytest.mark.parametrize("how", FREED)
def test_what_a_budget_has_parked_goes_on_at_once_when(team: Team, how: str) -> None:
    team.create(spec=GPUS)
    until_serves(team)
    team.put_budget(limits={"monthlyCost": "0"}, onMonthlyLimit="Park")
    team.eventually(lambda: team.deployment()["maxReplicaCount"] == 0, "it is parked")
    team.wait(600)
    FREED[how](team)
    team.eventually(lambda: team.deployment()["maxReplicaCount"] == 4, "it is no longer parked", within=5)
    until_serves(team)


def test_a_deployment_that_was_deleted_elsewhere_needs_room_to_come_back(team: Team) -> None:
    team.limit(gpus=BIG)
    team.create(spec=GPUS)
    until_serves(team)
    team.limit(gpus=4)
    team.simulator.vanish(team.deployment_id(), soft=True)
    until_waits(team)
    team.limit(gpus=BIG)
    until_serves(team)


def test_drift_upwards_is_put_back_and_counts_meanwhile(team: Team) -> None:
    team.limit(gpus=BIG)
    team.create(spec=GPUS, maxReplicaCount=2)
    until_serves(team)
    by_hand = {"baseModel": MODEL, "maxReplicaCount": 4}
    assert team.ask(f"/v1/{team.deployment()['name']}", by_hand, "PATCH", updateMask="max_replica_count")[0] == 200
    team.eventually(lambda: team.deployment()["maxReplicaCount"] == 2, "it is put back", within=300)


def test_a_paused_resource_does_not_stand_in_line(team: Team) -> None:
    team.limit(gpus=BIG)
    team.create("first", spec=GPUS)
    until_serves(team, "first")
    team.create("paused", spec=GPUS, paused=True)
    until_waits(team, "paused")
    team.create("third", spec=GPUS)
    until_waits(team, "third")
    team.delete("first")
    until_serves(team, "third")


def test_what_is_only_observed_does_not_count(team: Team) -> None:
    team.limit(gpus=BIG)
    team.create("made", spec=GPUS)
    until_serves(team, "made")
    identifier = team.deployment()["name"].rsplit("/", 1)[-1]
    team.create("seen", spec=GPUS, managementPolicy="Observe", deploymentId=identifier)
    team.wait(60)
    assert team.budget()["selected"] == 1


# --- money ------------------------------------------------------------------------------------------------------------


def test_dollars_per_hour_are_limited_and_an_unknown_price_is_refused(team: Team) -> None:
    team.limit(hourlyCost="64.00")
    team.create("first", spec=GPUS)
    until_serves(team, "first")
    team.create("second", spec=GPUS, maxReplicaCount=1)
    until_waits(team, "second")
    assert "$64.00 per hour; $64.00 are committed" in condition(team.get("second"), "Ready")["message"]
    team.create("unpriced", spec=GPUS, acceleratorType="NVIDIA_A100_80GB")
    until_waits(team, "unpriced")
    assert "price of these GPUs is not known" in condition(team.get("unpriced"), "Ready")["message"]


@pytest.mark.parametrize("began", [datetime(2026, 11, 29, 12, tzinfo=UTC)])
def test_a_spent_month_stops_growth_until_the_next(team: Team) -> None:
    team.limit(monthlyCost=32)
    team.create("first", spec=GPUS, minReplicaCount=2)
    until_serves(team, "first")
    team.eventually(exhausted(team), "the month is spent", within=3 * HOUR)
    spent = float(team.budget()["month"]["total"])
    assert 32 <= spent < 32.5
    team.create("second", spec=GPUS)
    until_waits(team, "second")
    assert reason(team, "first") == "Serving", "what runs goes on"
    team.wait(until_next_month(team) - 60)
    assert reason(team, "second") == "BudgetExceeded"
    team.wait(200)
    assert reason(team, "second") == "Serving"


def test_what_deleted_ones_have_cost_stays_counted_also_over_a_restart(team: Team) -> None:
    team.limit(monthlyCost=32)
    team.create("first", spec=GPUS, minReplicaCount=2)
    until_serves(team, "first")
    team.wait(0.9 * HOUR)
    team.delete("first")
    team.until_gone("first")
    team.wait(10)
    before = float(team.budget()["month"]["total"])
    assert 28 < before < 31
    team.stage.restart()
    team.create("second", spec=GPUS, minReplicaCount=2)
    until_serves(team, "second")
    team.eventually(exhausted(team), "both together reach the limit", within=HOUR)
    assert float(team.budget()["month"]["total"]) >= 32


def exhausted(team: Team) -> Callable[[], bool]:
    return lambda: any(
        each["reason"] == "MonthlyLimitReached"
        for each in team.budget().get("conditions", [])
        if each["type"] != "Ready"
    )


def until_next_month(team: Team) -> float:
    now = datetime.fromtimestamp(team.stage.now(), UTC)
    ends = (now.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=32)).replace(day=1)
    return (ends - now).total_seconds()


def test_a_status_that_cannot_be_written_is_written_later(team: Team) -> None:
    team.stage.server.trouble.extend(["before"] * 3)
    team.limit(gpus=BIG)
    team.eventually(lambda: team.budget().get("selected") == 0, "it is written at last")
    assert "could not be written" in team.stage.log()


# --- at rest, and restarts --------------------------------------------------------------------------------------------


def test_at_rest_a_budget_is_not_written_while_the_bill_grows(team: Team) -> None:
    team.limit(gpus=100, hourlyCost=1000, monthlyCost=1_000_000)
    for name in ("one", "two", "three"):
        team.create(name, spec=GPUS)
        until_serves(team, name)
    team.wait(30)
    writes = team.stage.server.writes
    team.wait(min(5 * HOUR, until_next_month(team) - HOUR))
    assert team.stage.server.writes == writes


def test_a_restart_sells_nothing_twice_and_writes_nothing(team: Team) -> None:
    team.limit(gpus=2 * BIG)
    for name in ("one", "two", "three"):
        team.create(name, spec=GPUS)
        team.wait(20)
    team.wait(30)
    writes, seen = team.stage.server.writes, team.seen()
    team.stage.restart()
    team.wait(600)
    assert team.writes(since=seen) == []
    assert team.stage.server.writes == writes
    assert (len(by_reason(team, "Serving")), len(by_reason(team, "BudgetExceeded"))) == (2, 1)
    assert most_ever(team) == 2 * BIG


@pytest.mark.parametrize("pause", [0.0, 0.02, 0.3, 1.5])
def test_restarts_in_a_flood_do_not_oversell(team: Team, pause: float) -> None:
    team.limit(gpus=4 * BIG)
    team.create_at_once(*(f"chat-{number:02}" for number in range(20)), **GPUS)
    for _ in range(6):
        team.wait(pause)
        team.stage.restart()
    team.eventually(lambda: len(by_reason(team, "Serving")) == 4, "four serve", within=1200)
    assert most_ever(team) == committed(team) == 4 * BIG


# --- parked at the end of the money -----------------------------------------------------------------------------------


@pytest.mark.parametrize("began", [datetime(2026, 11, 29, 12, tzinfo=UTC)])
def test_a_budget_that_parks_switches_off_for_the_rest_of_the_month_and_on_again(team: Team) -> None:
    team.put_budget("team", limits={"monthlyCost": 32}, onMonthlyLimit="Park")
    team.create(spec=GPUS, minReplicaCount=2)
    until_serves(team)
    team.eventually(lambda: team.deployment()["maxReplicaCount"] == 0, "it is parked", within=3 * HOUR)
    until_waits(team)
    assert "Parked: budget team allows $32.00 per month" in condition(team.get(), "Ready")["message"]
    team.eventually(lambda: team.status()["cost"]["gpus"] == 0, "nothing is billed", within=HOUR)
    spent = float(team.budget()["month"]["total"])
    assert 32 <= spent < 33
    team.wait(30)
    writes, seen = team.stage.server.writes, team.seen()
    team.wait(min(5 * HOUR, until_next_month(team) - HOUR))
    assert (team.stage.server.writes, team.writes(since=seen)) == (writes, []), "at rest"
    team.wait(until_next_month(team) + 120)
    until_serves(team)
    deployment = team.deployment()
    assert (deployment["minReplicaCount"], deployment["maxReplicaCount"]) == (2, 4)
    assert "DELETE" not in team.methods()


def test_a_raised_limit_brings_back_what_is_parked_at_once(team: Team) -> None:
    team.put_budget("team", limits={"monthlyCost": 32}, onMonthlyLimit="Park")
    team.create(spec=GPUS, minReplicaCount=2)
    until_serves(team)
    until_parked(team)
    team.stage.restart()
    team.wait(120)
    assert team.deployment()["maxReplicaCount"] == 0, "a restart changes nothing"
    team.put_budget("team", limits={"monthlyCost": 3200}, onMonthlyLimit="Park")
    team.eventually(lambda: team.deployment()["maxReplicaCount"] == 4, "it is back", within=60)


def test_what_comes_back_still_needs_room(team: Team) -> None:
    team.put_budget("team", limits={"monthlyCost": 32, "gpus": BIG}, onMonthlyLimit="Park")
    team.create(spec=GPUS, minReplicaCount=2)
    until_serves(team)
    until_parked(team)
    team.put_budget("team", limits={"monthlyCost": 3200, "gpus": BIG - 1}, onMonthlyLimit="Park")
    team.wait(120)
    assert team.deployment()["maxReplicaCount"] == 0
    team.put_budget("team", limits={"monthlyCost": 3200, "gpus": BIG}, onMonthlyLimit="Park")
    team.eventually(lambda: team.deployment()["maxReplicaCount"] == 4, "it is back", within=60)


def until_parked(team: Team) -> None:
    team.eventually(lambda: team.deployment()["maxReplicaCount"] == 0, "it is parked", within=3 * HOUR)


def test_a_status_that_somebody_has_written_by_hand_is_put_right(team: Team) -> None:
    team.limit(gpus=BIG, monthlyCost=1000)
    team.eventually(lambda: team.budget().get("selected") == 0, "it is told")
    raw = team.stage.server.budgets[team.ref("team")]
    raw["status"]["month"]["total"] = raw["status"]["running"]["hourlyCost"] = "a lot"
    team.stage.server._budget_changed(raw)
    team.create(spec=GPUS)
    until_serves(team)
    team.eventually(lambda: team.budget()["running"]["hourlyCost"] == "16.00", "it says what is")
