"""The ConfigMap for applications, by a real operator on a real API server."""

from testkit.kubernetes_api import Json
from testkit.team import Team


def config_map(team: Team, name: str = "chat-connection") -> Json | None:
    return team.api.find(f"/api/v1/namespaces/{team.namespace}/configmaps/{name}")


def until_written(team: Team, name: str = "chat-connection") -> Json:
    return team.eventually(lambda: config_map(team, name), f"{name} is written")


def test_an_application_finds_what_it_needs_and_the_garbage_collector_whose_it_is(team: Team) -> None:
    team.create(connection={"configMapName": "chat-connection"})
    resource = team.until_ready()
    found, status = until_written(team), resource["status"]
    assert found["data"] == {
        "OPENAI_BASE_URL": status["endpoint"],
        "OPENAI_MODEL": status["modelIdentifier"],
        "FIREWORKS_DEPLOYMENT": status["deploymentName"],
    }
    (owner,) = found["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"]) == (resource["metadata"]["uid"], True)
    team.eventually(lambda: "hash" in team.status().get("connection", {}), "it is remembered")
    team.restart_operator()
    team.polls()
    assert config_map(team) == found
    team.change(connection={"configMapName": "other"})
    until_written(team, "other")
    team.eventually(lambda: config_map(team) is None, "the former one is deleted")


def test_one_of_somebody_else_is_told_by_a_notice_and_left_alone(team: Team) -> None:
    body = {"metadata": {"name": "taken"}, "data": {"theirs": "1"}}
    team.api.request("POST", f"/api/v1/namespaces/{team.namespace}/configmaps", body)
    before = config_map(team, "taken")
    team.create(connection={"configMapName": "taken"})
    team.until_ready()
    words = "spec.connection: the ConfigMap taken exists and does not belong to this resource"
    team.eventually(lambda: words in str(team.status().get("notices")), "a notice says so")
    assert config_map(team, "taken") == before
