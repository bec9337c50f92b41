"""Budgets with a real process and API server: enforced within seconds, and told in their status."""

from collections.abc import Mapping

from fireworks_operator.api.v1alpha1 import GROUP, VERSION
from testkit.kubernetes_api import MERGE_PATCH, Json
from testkit.team import Team

FOUR = {"acceleratorCount": 1, "minReplicaCount": 1, "maxReplicaCount": 4}


def path(team: Team, name: str = "") -> str:
    return f"/apis/{GROUP}/{VERSION}/namespaces/{team.namespace}/fireworksbudgets" + (f"/{name}" if name else "")


def limit(team: Team, **limits: object) -> None:
    """Create the team's budget, or change its limits."""
    if team.api.find(path(team, "team")) is None:
        body = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "FireworksBudget",
            "metadata": {"name": "team"},
            "spec": {"limits": limits},
        }
        team.api.request("POST", path(team), body)
    else:
        team.api.request("PATCH", path(team, "team"), {"spec": {"limits": limits}}, content_type=MERGE_PATCH)


def told(team: Team) -> Json:
    """Return the status of the team's budget."""
    budget = team.api.find(path(team, "team"))
    assert budget is not None
    status: Json = budget.get("status", {})
    return status


def until_told(team: Team, **expected: object) -> None:
    def look() -> bool:
        status = told(team)
        found: Mapping[str, object] = {"gpus": status.get("committed", {}).get("gpus"), **status}
        return all(found.get(name) == value for name, value in expected.items())

    team.eventually(look, f"the budget says {expected}")


def test_a_budget_holds_back_what_does_not_fit_until_there_is_room(team: Team) -> None:
    limit(team, gpus=8, hourlyCost="64.00")
    until_told(team, gpus=0, selected=0)
    team.create_at_once("one", "two", "three", **FOUR)
    until_told(team, gpus=8, selected=3, waiting=1)
    assert told(team)["committed"]["hourlyCost"] == "64.00"
    waiting = [name for name in ("one", "two", "three") if "deploymentName" not in team.status(name)]
    assert len(waiting) == 1
    team.until(waiting[0], "Stalled", "True", "BudgetExceeded", says="Budget team allows 8 GPUs")
    limit(team, gpus=12, hourlyCost=100)
    team.until_ready(waiting[0])
    until_told(team, gpus=12, waiting=0)
    assert len(team.posts()) == 3


def test_a_label_that_changes_takes_a_deployment_out_of_a_budget(team: Team) -> None:
    body = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "FireworksBudget",
        "metadata": {"name": "search"},
        "spec": {"limits": {"gpus": 0}, "selector": {"matchLabels": {"team": "search"}}},
    }
    team.api.request("POST", path(team), body)
    team.create("chat", metadata={"labels": {"team": "search"}}, spec=FOUR)
    team.until("chat", "Stalled", "True", "BudgetExceeded")
    resource = f"/apis/{GROUP}/{VERSION}/namespaces/{team.namespace}/fireworksdeployments/chat"
    team.api.request("PATCH", resource, {"metadata": {"labels": {"team": None}}}, content_type=MERGE_PATCH)
    team.until_ready("chat")
