"""Replicas and speculation as users turn them: up, down, off, on, and woken by a request."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from testkit.factories import Kubectl
from testkit.kubernetes_api import Json, KubernetesError, condition, resources_path
from testkit.team import Team

DRAFT = "accounts/fireworks/models/llama-v3p2-1b-instruct"
WITH_DRAFTER = "accounts/fireworks/models/llama-v3p3-70b-instruct"
"""A model that brings a drafter of its own."""


def _ask(team: Team) -> int:
    """Send an inference request and return the HTTP status of its answer."""
    status = team.status()
    body = {"model": status["modelIdentifier"], "messages": [{"role": "user", "content": "Hello"}]}
    headers = {"Authorization": f"Bearer {team.api_key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{status['endpoint']}/chat/completions", json.dumps(body).encode(), headers)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            code: int = answer.status
            return code
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def _ready_replicas(team: Team) -> int:
    count: int = team.status()["replicas"].get("ready", 0)
    return count


def test_an_inference_request_wakes_a_deployment_that_is_scaled_to_zero(team: Team) -> None:
    team.simulator.timing(downloading=2)
    team.create(minReplicaCount=0, autoscalingPolicy={"scaleToZeroWindow": "5m"})
    team.until_ready()
    team.simulator.advance(301)
    resource = team.until("chat", "Ready", "True", "ScaledToZero")
    assert condition(resource, "Reconciling")["status"] == "False"
    assert _ask(team) == 503
    resource = team.until("chat", "Available", "False", "Waking")
    assert condition(resource, "Ready")["status"] == "True", "this is how it is meant to be"
    assert condition(resource, "Reconciling")["status"] == "False", "nothing has changed that anybody waits for"
    team.until("chat", "Available", "True", "Serving")
    assert _ask(team) == 200
    assert {each.method for each in team.writes()} == {"POST"}


def test_kubectl_scale_sets_the_minimum_at_fireworks_and_reads_what_is_ready(team: Team, kubectl: Kubectl) -> None:
    team.create(minReplicaCount=1, maxReplicaCount=3)
    team.until_ready()
    scale = f"{resources_path(team.namespace)}/chat/scale"
    uid = team.until_ready()["metadata"]["uid"]
    status = team.api.request("GET", scale)["status"]
    assert status == {"replicas": 1, "selector": f"fireworks.ai/deployment-uid={uid}"}
    for replicas in (2, 0):
        kubectl("scale", "fwd/chat", "-n", team.namespace, f"--replicas={replicas}")
        team.eventually(lambda: team.deployment().get("minReplicaCount", 0) == replicas, "it is set at Fireworks")  # noqa: B023
    team.until_ready()
    assert [each.query["updateMask"] for each in team.patches()] == ["min_replica_count"] * 2
    refused = kubectl("scale", "fwd/chat", "-n", team.namespace, "--replicas=4", check=False)
    assert "spec.maxReplicaCount must not be less than spec.minReplicaCount" in refused.stderr
    assert len(team.patches()) == 2


@pytest.mark.proof
def test_a_parked_deployment_costs_nothing_is_not_woken_and_serves_when_it_is_unparked(team: Team) -> None:
    team.create(minReplicaCount=1, maxReplicaCount=2)
    team.until_ready()
    team.change(minReplicaCount=0, maxReplicaCount=0)
    resource = team.until("chat", "Ready", "True", "Parked", says="nothing is billed")
    assert condition(resource, "Available")["status"] == "False"
    team.eventually(lambda: team.deployment().get("replicaCount", 0) == 0, "no replica runs")
    assert _ask(team) == 404
    team.polls()
    team.until("chat", "Ready", "True", "Parked", within=20)
    team.change(minReplicaCount=1, maxReplicaCount=2)
    team.until("chat", "Available", "True", "Serving")
    team.until_ready()
    assert [each.query["updateMask"] for each in team.patches()] == ["min_replica_count,max_replica_count"] * 2


@pytest.mark.proof
def test_status_follows_the_replicas_and_ready_does_not_flicker(team: Team) -> None:
    team.create(
        minReplicaCount=1, maxReplicaCount=3, autoscalingPolicy={"scaleUpWindow": "0s", "scaleDownWindow": "0s"}
    )
    team.until_ready()
    with team.api.watch(resources_path(team.namespace)) as watch:
        team.simulator.load(team.deployment_id(), 3)
        team.eventually(lambda: _ready_replicas(team) == 3, "three replicas serve")
        team.simulator.load(team.deployment_id(), 0)
        team.eventually(lambda: _ready_replicas(team) == 1, "one replica serves")
        team.eventually(
            lambda: watch.objects and watch.objects[-1]["status"]["replicas"]["ready"] == 1, "all is recorded"
        )
    for resource in watch.objects:
        assert condition(resource, "Ready")["status"] == "True"
        assert condition(resource, "Available")["status"] == "True"
    assert team.patches() == []


@pytest.mark.proof
def test_windows_and_load_targets_change_one_by_one_and_return_to_the_defaults(team: Team) -> None:
    team.create(autoscalingPolicy={"scaleUpWindow": "90s", "loadTargets": {"default": 0.5, "requests_per_second": 4}})
    team.until_ready()
    steps: list[tuple[Json, Json]] = [
        ({"scaleDownWindow": "0.5h"}, {"scaleDownWindow": "1800s"}),
        ({"scaleToZeroWindow": "1h30m"}, {"scaleToZeroWindow": "5400s"}),
        ({"loadTargets": {"default": None}}, {"loadTargets": {"requests_per_second": 4}}),
        ({"scaleUpWindow": None}, {"scaleUpWindow": "30s"}),
        ({"scaleUpWindow": "0s"}, {"scaleUpWindow": "0s"}),
    ]
    policy = dict(team.deployment()["autoscalingPolicy"])
    for change, expected in steps:
        team.change(autoscalingPolicy=change)
        team.until_ready()
        policy |= expected
        assert team.deployment()["autoscalingPolicy"] == policy, change
    assert len(team.patches()) == len(steps)
    team.change(autoscalingPolicy=None)
    team.until_ready()
    windows = {"scaleUpWindow": "30s", "scaleDownWindow": "600s", "scaleToZeroWindow": "3600s"}
    assert team.deployment()["autoscalingPolicy"] == {**windows, "loadTargets": {"default": 0.8}}


@dataclass(frozen=True, slots=True)
class Step:
    """A change of the spec and what the deployment then drafts with."""

    reason: str
    change: Mapping[str, object]
    draft_model: str
    tokens: int
    ngram: int


SPECULATION = [
    Step("n-grams instead", {"draftModel": None, "ngramSpeculationLength": 8}, "", 4, 8),
    Step("a draft model instead", {"draftModel": DRAFT, "ngramSpeculationLength": None}, DRAFT, 4, 0),
    Step("fewer tokens", {"draftTokenCount": 3}, DRAFT, 3, 0),
    Step("off by 0", {"draftModel": None, "draftTokenCount": 0}, "", 0, 0),
    Step("n-grams from nothing", {"draftTokenCount": 4, "ngramSpeculationLength": 8}, "", 4, 8),
    Step("n-grams off by 0", {"ngramSpeculationLength": 0, "draftTokenCount": None}, "", 0, 0),
]


@pytest.mark.proof
def test_speculation_is_exchanged_changed_and_turned_off_in_one_request_each(team: Team) -> None:
    team.create(draftModel=DRAFT, draftTokenCount=4)
    team.until_ready()
    for count, step in enumerate(SPECULATION, 1):
        team.change("chat", **step.change)
        team.until_ready()
        deployment = team.deployment()
        found = [deployment.get(name, none) for name, none in (("draftModel", ""), ("draftTokenCount", 0))]
        assert [*found, deployment.get("ngramSpeculationLength", 0)] == [step.draft_model, step.tokens, step.ngram], (
            step.reason
        )
        assert len(team.patches()) == count, step.reason


@pytest.mark.proof
def test_the_models_own_drafter_gives_way_to_ngrams_and_is_left_alone_before(team: Team) -> None:
    team.create(baseModel=WITH_DRAFTER)
    team.until_ready()
    assert team.deployment()["draftModel"] == DRAFT
    team.polls()
    assert team.patches() == [], "what the spec does not name is Fireworks' to choose"
    team.change(ngramSpeculationLength=8, draftTokenCount=4)
    team.until_ready()
    assert team.deployment()["ngramSpeculationLength"] == 8
    assert team.deployment().get("draftModel", "") == ""
    assert len(team.patches()) == 1


def test_speculation_that_was_disabled_at_creation_stays_so(team: Team) -> None:
    team.create(baseModel=WITH_DRAFTER, disableSpeculativeDecoding=True)
    team.until_ready()
    assert "draftModel" not in team.deployment()
    team.change(displayName="Chat")
    team.until_ready()
    (patch,) = team.patches()
    assert "disableSpeculativeDecoding" not in patch.query
    assert "draftModel" not in team.deployment()
    with pytest.raises(KubernetesError, match=r"spec\.disableSpeculativeDecoding cannot be changed"):
        team.change(disableSpeculativeDecoding=False)


@pytest.mark.proof
def test_long_prompt_tuning_is_switched_on_and_off(team: Team) -> None:
    team.create(acceleratorCount=2)
    team.until_ready()
    for value, expected in ((True, True), (False, False), (True, True), (None, False)):
        team.change(longPrompt=value)
        team.until_ready()
        assert team.deployment().get("autoTune", {}).get("longPrompt", False) is expected
    assert {each.query["updateMask"] for each in team.patches()} == {"auto_tune"}
    assert len(team.patches()) == 4
