"""`kubectl wait`, Argo CD and Flux: never told "done" before it is, and always told in the end."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from testkit.factories import Kubectl
from testkit.kubernetes_api import Json, condition, resources_path
from testkit.team import Team
from testkit.waiting import eventually


def _kstatus(resource: Json) -> str:
    """What sigs.k8s.io/cli-utils' kstatus computes from a resource."""
    metadata, status = resource["metadata"], resource.get("status", {})
    if "deletionTimestamp" in metadata:
        return "Terminating"
    if status.get("observedGeneration", metadata["generation"]) != metadata["generation"]:
        return "InProgress"
    if condition(resource, "Stalled").get("status") == "True":
        return "Failed"
    if condition(resource, "Reconciling").get("status") == "True":
        return "InProgress"
    ready = condition(resource, "Ready").get("status")
    return "InProgress" if ready in ("False", "Unknown") else "Current"


def _story(resources: list[Json]) -> list[str]:
    """The kstatus of each version, without repetitions."""
    found = [_kstatus(each) for each in resources]
    return [each for number, each in enumerate(found) if number == 0 or found[number - 1] != each]


@pytest.mark.proof
def test_a_plain_life_is_in_progress_then_current_with_nothing_in_between(team: Team) -> None:
    team.simulator.timing(updating=1)
    with team.api.watch(resources_path(team.namespace)) as watch:
        team.create()
        team.until_ready()
        team.change(acceleratorCount=2)
        team.until_ready()
        team.delete()
        team.until_gone()
        eventually(lambda: watch.objects[-1]["metadata"].get("deletionTimestamp"), "the recording is complete")
    assert watch.objects[0]["status"] == {"observedGeneration": -1}, "before the operator has seen it"
    assert _story(watch.objects) == ["InProgress", "Current", "InProgress", "Current", "Terminating"]
    for resource in watch.objects:
        both = [condition(resource, kind).get("status") for kind in ("Reconciling", "Stalled")]
        assert both != ["True", "True"]
        generations = {each.get("observedGeneration") for each in resource["status"].get("conditions", [])}
        assert generations <= {resource["status"]["observedGeneration"]}, "conditions speak of one generation"


@pytest.mark.proof
def test_a_refused_spec_is_failed_and_becomes_current_once_it_is_corrected(team: Team) -> None:
    with team.api.watch(resources_path(team.namespace)) as watch:
        team.create(acceleratorType="NVIDIA_H100_90GB")
        team.until("chat", "Stalled", "True", "RejectedByFireworks")
        team.change(acceleratorType="NVIDIA_H100_80GB")
        team.until_ready()
    assert _story(watch.objects) == ["InProgress", "Failed", "InProgress", "Current"]


def test_kubectl_wait_returns_when_the_resource_serves(team: Team, kubectl: Kubectl) -> None:
    team.create()
    kubectl("wait", "fwd/chat", "-n", team.namespace, "--for=condition=Ready", "--timeout=30s")
    assert team.deployment()["state"] == "READY"


def test_kubectl_wait_after_a_change_returns_only_when_the_change_is_in_force(team: Team, kubectl: Kubectl) -> None:
    team.simulator.timing(updating=2)
    team.create(acceleratorCount=1)
    team.until_ready()
    team.change(acceleratorCount=2)
    kubectl("wait", "fwd/chat", "-n", team.namespace, "--for=condition=Ready", "--timeout=30s")
    assert team.deployment()["acceleratorCount"] == 2
    assert team.deployment()["state"] == "READY"


def test_kubectl_wait_does_not_return_while_the_deployment_starts(team: Team, kubectl: Kubectl) -> None:
    team.simulator.timing(downloading=600)
    team.create()
    team.until("chat", "Available", "False", "Creating")
    waiting = ("wait", "fwd/chat", "-n", team.namespace, "--for=condition=Ready", "--timeout=2s")
    assert kubectl(*waiting, check=False).returncode != 0


def test_kubectl_delete_waits_until_the_deployment_is_gone(team: Team, kubectl: Kubectl) -> None:
    team.simulator.timing(deleting=2)
    team.create()
    team.until_ready()
    kubectl("delete", "fwd/chat", "-n", team.namespace, "--timeout=30s")
    assert [each["state"] for each in team.simulator.deployments()] == ["DELETED"]


def test_kubectl_wait_goes_on_over_a_refusal_and_returns_once_the_corrected_spec_is_in_force(
    team: Team, kubectl: Kubectl
) -> None:
    team.simulator.timing(updating=1)
    team.create(acceleratorCount=1)
    team.until_ready()
    team.change(autoscalingPolicy={"loadTargets": {"no_such_measure": 1}})
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(
            kubectl, "wait", "fwd/chat", "-n", team.namespace, "--for=condition=Ready", "--timeout=30s"
        )
        team.until("chat", "Stalled", "True", "RejectedByFireworks")
        assert not waiting.done(), "the old generation was Ready, this one is not"
        team.change(autoscalingPolicy=None, acceleratorCount=2)
        waiting.result()
        deployment = team.deployment()
    assert (deployment["acceleratorCount"], deployment["state"]) == (2, "READY")
