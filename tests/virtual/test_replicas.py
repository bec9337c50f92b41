"""Replicas as users turn them: up, down, off, on, and woken by a request."""

from tests.virtual.team import Team, holds


def _asked(team: Team) -> int:
    """Send an inference request and return the HTTP status of its answer."""
    body = {"model": team.status()["modelIdentifier"], "messages": [{"role": "user", "content": "Hello"}]}
    return team.ask("/inference/v1/chat/completions", body)[0]


def test_an_inference_request_wakes_a_deployment_that_is_scaled_to_zero(team: Team) -> None:
    team.simulator.timing(downloading=90)  # at rest it is looked once a minute
    team.create(minReplicaCount=0, autoscalingPolicy={"scaleToZeroWindow": "5m"})
    resource = team.until("chat", "Ready", "True", "ScaledToZero", within=500)
    assert (holds(resource, "Available"), holds(resource, "Reconciling")) == ("False", "False")
    assert _asked(team) == 503
    resource = team.until("chat", "Available", "False", "Waking")
    assert holds(resource, "Ready") == "True", "this is how it is meant to be"
    assert holds(resource, "Reconciling") == "False", "nothing has changed that anybody waits for"
    team.until("chat", "Available", "True", "Serving")
    assert _asked(team) == 200
    assert team.methods() == ["POST"]


def test_a_parked_deployment_costs_nothing_is_not_woken_and_serves_when_it_is_unparked(team: Team) -> None:
    team.create(minReplicaCount=1, maxReplicaCount=2)
    team.until_ready()
    team.change(minReplicaCount=0, maxReplicaCount=0)
    resource = team.until("chat", "Ready", "True", "Parked", says="nothing is billed")
    assert holds(resource, "Available") == "False"
    team.eventually(lambda: team.deployment().get("replicaCount", 0) == 0, "no replica runs")
    assert _asked(team) == 404
    team.wait(600)
    team.until("chat", "Ready", "True", "Parked", within=1)
    team.change(minReplicaCount=1, maxReplicaCount=2)
    team.until("chat", "Available", "True", "Serving")
    team.until_ready()
    assert [each.query["updateMask"] for each in team.patches()] == ["min_replica_count,max_replica_count"] * 2


def test_status_follows_the_replicas_and_ready_does_not_flicker(team: Team) -> None:
    team.create(
        minReplicaCount=1, maxReplicaCount=3, autoscalingPolicy={"scaleUpWindow": "0s", "scaleDownWindow": "0s"}
    )
    team.until_ready()
    told = team.told()
    for load, ready in ((3, 3), (0, 1)):
        team.simulator.load(team.deployment_id(), load)
        team.eventually(lambda: team.status()["replicas"].get("ready", 0) == ready, f"{ready} replicas")  # noqa: B023
    for resource in team.versions(since=told):
        assert (holds(resource, "Ready"), holds(resource, "Available")) == ("True", "True")
    assert team.patches() == []
