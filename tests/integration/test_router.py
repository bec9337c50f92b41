"""The router of spec.router, by a real operator on a real API server."""

from testkit.kubernetes_api import Json
from testkit.team import Team


def routers(team: Team) -> dict[str, Json]:
    """Return the routers of the account by name."""
    _, answer = team.ask(f"/v1/accounts/{team.account}/routers", None, "GET")
    return {str(each["name"]): each for each in answer.get("routers", ())}


def test_requests_reach_the_deployment_by_a_name_that_goes_with_the_resource(team: Team) -> None:
    team.create(router={"id": "chat"})
    status = team.until_ready()["status"]
    name = f"accounts/{team.account}/routers/chat"
    assert routers(team)[name]["deployments"] == [status["deploymentName"]]
    assert {"kind": "Router", "value": name} in status["identifiers"]
    question: Json = {"model": name, "messages": [{"role": "user", "content": "Hello"}]}
    code, answer = team.ask("/inference/v1/chat/completions", question)
    assert (code, bool(answer["choices"])) == (200, True)
    team.restart_operator()
    team.polls()
    assert [each.method for each in team.journal(path="/routers") if each.method != "GET"] == ["POST"]
    team.annotate("chat", "ignore-checks", "true")  # it has just been used
    team.delete()
    team.until_gone()
    assert routers(team) == {}
