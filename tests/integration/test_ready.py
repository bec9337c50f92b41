"""From `kubectl apply` to a model that answers."""

import json
import time
import urllib.request
from datetime import datetime
from statistics import median

import pytest

from testkit.factories import Kubectl
from testkit.kubernetes_api import Json, condition
from testkit.processes import POLL_SECONDS
from testkit.team import MODEL, Team
from testkit.waiting import eventually


def test_ready_follows_within_a_poll_and_a_second_of_fireworks_saying_ready(team: Team) -> None:
    # The median, since one hiccup of a busy machine is not the operator's.
    delays = [_seconds_to_ready(team, f"chat-{number}") for number in range(5)]
    assert median(delays) < POLL_SECONDS * 1.1 + 1.0, f"{delays} {team.explain()}"
    assert [each.status for each in team.posts()] == [200] * 5


def _seconds_to_ready(team: Team, name: str) -> float:
    """Return how long after Fireworks said READY the resource did."""
    team.create(name)
    seen = eventually(
        lambda: time.time() if condition(team.find(name), "Ready").get("status") == "True" else None,
        "the resource is Ready",
        explain=team.explain,
    )
    deployment = next(each for each in team.deployments() if f"-{name}-" in each["name"])
    assert deployment["state"] == "READY"
    return seen - datetime.fromisoformat(deployment["updateTime"]).timestamp()


def test_the_model_identifier_in_status_is_what_the_inference_request_takes(team: Team) -> None:
    team.create()
    status = team.until_ready()["status"]
    assert status["modelIdentifier"] == f"{MODEL}#{status['deploymentName']}"
    assert status["endpoint"] == f"{team.simulator.url}/inference/v1"
    body = {"model": status["modelIdentifier"], "messages": [{"role": "user", "content": "Hello"}]}
    request = urllib.request.Request(
        f"{status['endpoint']}/chat/completions",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {team.api_key}", "Content-Type": "application/json"},
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        completion = json.load(answer)
    assert completion["choices"][0]["message"]["content"]


def test_kubectl_get_shows_state_replicas_hardware_reason_and_deployment(team: Team, kubectl: Kubectl) -> None:
    team.create(acceleratorCount=2, minReplicaCount=1, maxReplicaCount=3)
    name = team.until_ready()["status"]["deploymentName"]
    header, row = kubectl("get", "fwd", "-n", team.namespace, "-o", "wide").stdout.splitlines()
    shown = dict(zip(header.split(), row.split(), strict=True))
    shown.pop("AGE")
    assert shown == {
        "NAME": "chat",
        "READY": "True",
        "STATE": "READY",
        "REPLICAS": "1",
        "MODEL": MODEL,
        "ACCELERATOR": "NVIDIA_H100_80GB",
        "GPUS": "2",
        "MIN": "1",
        "MAX": "3",
        "$/H": "16.00",
        "REASON": "Serving",
        "DEPLOYMENT": name,
    }


@pytest.mark.proof
def test_events_tell_the_story_from_creating_to_serving(team: Team) -> None:
    team.create()
    identifier = team.until_ready()["status"]["modelIdentifier"]

    def serving() -> list[Json] | None:
        events = team.events()
        return events if any(each["reason"] == "Serving" for each in events) else None

    events = team.eventually(serving, "an event says Serving")
    assert {each["type"] for each in events} == {"Normal"}
    assert events[0]["reason"] == "Creating"
    assert identifier in next(each["message"] for each in events if each["reason"] == "Serving")


@pytest.mark.proof
def test_status_names_what_fireworks_decided_where_the_user_left_it_open(team: Team) -> None:
    team.create(baseModel="accounts/fireworks/models/llama-v3p3-70b-instruct")
    effective = team.until_ready()["status"]["effective"]
    assert effective["acceleratorCount"] == 4
    assert effective["precision"] == "FP16"
    assert effective["maxReplicaCount"] == 1
    assert effective["draftModel"] == "accounts/fireworks/models/llama-v3p2-1b-instruct"
    assert effective["draftTokenCount"] == 4
    assert effective["region"]


@pytest.mark.proof
def test_resources_without_a_secret_use_the_operators_own_key(own_team: Team) -> None:
    own_team.create()
    assert own_team.until_ready()["status"]["account"] == own_team.account
