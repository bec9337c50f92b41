"""What docs/gitops.md says about Flux, by Flux' own libraries; `make gitops` runs it."""

import json

import httpx
import pytest

from testkit.states import all_states
from testkit.team import Team
from tests.gitops.manifests import SPELLINGS, model
from tests.gitops.programs import Flux
from tests.gitops.verdicts import kstatus

MIN_ABOVE_MAX = "minReplicaCount: 3\nmaxReplicaCount: 2"
RULE = "spec.maxReplicaCount must not be less than spec.minReplicaCount"
NO_MODEL = "accounts/fireworks/models/no-such-model"
REPEATS = 20


def served(flux: Flux, team: Team, spec: str = "minReplicaCount: 1", *, annotations: str = "{}") -> str:
    """Apply a model, wait until it is ready, and return its manifest."""
    manifest = model(team.namespace, spec, annotations=annotations)
    assert flux.apply(manifest).changes == {subject(team): "created"}
    assert flux.wait(manifest).error == ""
    return manifest


def subject(team: Team, name: str = "chat") -> str:
    """Return what Flux calls a resource."""
    return f"FireworksDeployment/{team.namespace}/{name}"


def ask(team: Team) -> None:
    """Send an inference request, so that the deployment is in use."""
    status = team.status()
    body = {"model": status["modelIdentifier"], "messages": [{"role": "user", "content": "Hello!"}]}
    headers = {"Authorization": f"Bearer {team.api_key}"}
    with httpx.Client(trust_env=False, headers=headers) as client:
        client.post(f"{status['endpoint']}/chat/completions", json=body).raise_for_status()


def test_kstatus_finds_in_every_state_what_the_page_says(flux_library: Flux) -> None:
    states = all_states()
    found = flux_library.kstatus("".join(f"---\n{json.dumps(each.live())}\n" for each in states))
    expected = {each.name: kstatus(each.live()) for each in states}
    assert {each.name: seen["flux"] for each, seen in zip(states, found, strict=True)} == expected
    assert {each.name: seen["upstream"] for each, seen in zip(states, found, strict=True)} == expected


def test_the_wait_ends_when_the_model_serves(flux: Flux, team: Team) -> None:
    served(flux, team)
    assert team.until_ready()["status"]["replicas"]["ready"] == 1


def test_the_wait_fails_at_once_when_the_model_is_stalled_and_waits_for_the_correction(flux: Flux, team: Team) -> None:
    broken = model(team.namespace, base=NO_MODEL)
    flux.apply(broken)
    waited = flux.wait(broken, seconds=60)
    assert waited.error.startswith("failed early due to stalled resources")
    assert waited.seconds < 20
    corrected = model(team.namespace)
    assert flux.apply(corrected).changes == {subject(team): "configured"}
    assert flux.wait(corrected).error == ""
    assert team.get()["status"]["observedGeneration"] == 2


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (MIN_ABOVE_MAX, RULE),
        ("displayNam: Chat", "field not declared in schema"),
        ("displayName:", 'must be of type string: "null"'),
        ("placement: null", 'must be of type object: "null"'),
        ('minReplicaCount: "1"', "expected numeric (int or float), got string"),
    ],
)
def test_an_invalid_commit_fails_with_the_api_servers_message(flux: Flux, team: Team, spec: str, message: str) -> None:
    assert message in flux.apply(model(team.namespace, spec)).error, "the first one"
    assert team.find() is None
    manifest = served(flux, team)
    live = team.get()
    assert message in flux.apply(model(team.namespace, spec)).error, "a change"
    assert team.get() == live
    assert flux.apply(manifest).changes == {subject(team): "unchanged"}
    assert flux.apply(model(team.namespace, "minReplicaCount: 2")).changes == {subject(team): "configured"}, "corrected"
    team.until_ready()
    assert team.deployment()["minReplicaCount"] == 2


def test_a_model_at_rest_is_never_applied_again_however_it_is_written(flux: Flux, team: Team) -> None:
    manifests = "".join(model(team.namespace, spec, name=name) for name, spec in SPELLINGS.items())
    assert set(flux.apply(manifests).changes.values()) == {"created"}
    assert flux.wait(manifests).error == ""
    before = {name: team.get(name)["metadata"] for name in SPELLINGS}
    for _ in range(REPEATS):
        assert set(flux.apply(manifests).changes.values()) == {"unchanged"}
    assert {name: team.get(name)["metadata"] for name in SPELLINGS} == before
    assert {each["generation"] for each in before.values()} == {1}


def test_with_force_an_invalid_change_deletes_the_model_and_the_corrected_one_restores_its_deployment(
    flux: Flux, team: Team
) -> None:
    manifest = served(flux, team, annotations="{kustomize.toolkit.fluxcd.io/force: disabled}")
    before, name = team.deployment(), team.status()["deploymentName"]
    assert RULE in flux.apply(model(team.namespace, MIN_ABOVE_MAX), force=True).error
    assert team.find() is None, "in spite of `force: disabled`"
    assert team.deployments() == []
    assert flux.apply(manifest, force=True).changes == {subject(team): "created"}
    assert flux.wait(manifest).error == ""
    assert team.status()["deploymentName"] == name
    assert team.deployment()["createTime"] == before["createTime"], "it is restored, and no second one is created"


def test_a_model_in_use_survives_force_and_is_taken_over_by_the_corrected_manifest(flux: Flux, team: Team) -> None:
    manifest = served(flux, team)
    before, uid = team.deployment(), team.get()["metadata"]["uid"]
    ask(team)
    forced = flux.apply(model(team.namespace, MIN_ABOVE_MAX), force=True, seconds=3)
    assert "failed to wait for object to be deleted" in forced.error
    team.until("chat", "Stalled", "True", "DeletionBlocked")
    assert team.deployment()["state"] == "READY"
    begun = team.simulator.last_sequence()
    team.annotate("chat", "abandon", "true")
    team.until_gone()
    assert flux.apply(manifest).changes == {subject(team): "created"}
    assert flux.wait(manifest).error == ""
    assert team.get()["metadata"]["uid"] != uid
    assert team.deployment()["createTime"] == before["createTime"]
    assert {each.method for each in team.writes(since=begun)} <= {"PATCH", "POST"}
    assert team.journal("POST", r"/deployments$", since=begun) == [], "it serves all the time"
