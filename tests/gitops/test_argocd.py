"""What docs/gitops.md says about Argo CD, by Argo CD's own libraries; `make gitops` runs it."""

import json

import pytest

from testkit.factories import Cluster
from testkit.states import all_states
from testkit.team import Team
from tests.gitops.manifests import SPELLINGS, config_map, model
from tests.gitops.programs import ArgoCd
from tests.gitops.verdicts import ARGO_HEALTH, condition, health_message, kstatus

MIN_ABOVE_MAX = "minReplicaCount: 3\nmaxReplicaCount: 2"
RULE = "spec.maxReplicaCount must not be less than spec.minReplicaCount"
NO_MODEL = "accounts/fireworks/models/no-such-model"
MODEL, NEXT, HOOK = "FireworksDeployment/chat", "ConfigMap/next", "ConfigMap/hook"
SYNC_OPTIONS = "argocd.argoproj.io/sync-options"
each_diff = pytest.mark.parametrize("server_side", [False, True], ids=["client-side diff", "server-side diff"])
INVALID = [(MIN_ABOVE_MAX, RULE), ("displayNam: Chat", "field not declared in schema")]


def waves(team: Team, spec: str = "minReplicaCount: 1", **more: str) -> str:
    """Return a model, what uses it in the next wave, and a hook after the sync."""
    return (
        model(team.namespace, spec, **more)
        + config_map(team.namespace, "next", '{argocd.argoproj.io/sync-wave: "1"}')
        + config_map(team.namespace, "hook", "{argocd.argoproj.io/hook: PostSync}")
    )


def exists(cluster: Cluster, team: Team, name: str) -> bool:
    """Whether a ConfigMap is there."""
    return cluster.kubectl("get", "configmap", name, f"--namespace={team.namespace}", check=False).returncode == 0


def test_the_health_of_every_state_is_what_the_page_says(argocd_library: ArgoCd) -> None:
    states = all_states()
    found = argocd_library.health("".join(f"---\n{json.dumps(each.live())}\n" for each in states))
    for state, health in zip(states, found, strict=True):
        live = state.live()
        assert health is not None
        assert health["status"] == ARGO_HEALTH[kstatus(live)], state.name
        if kstatus(live) == "Terminating":
            assert health["message"].startswith("Pending deletion")
        else:
            assert health["message"] == health_message(live)


@pytest.mark.parametrize(
    ("status", "health"),
    [
        ({"sync": {"status": "Unknown"}, "health": {"status": "Healthy"}}, "Degraded"),
        ({"sync": {"status": "OutOfSync"}, "health": {"status": "Healthy"}}, "Progressing"),
        ({"sync": {"status": "Synced"}, "health": {"status": "Healthy"}}, "Healthy"),
        ({}, "Progressing"),
    ],
    ids=json.dumps,
)
def test_an_application_is_healthy_only_once_it_is_synced(
    argocd_library: ArgoCd, status: dict[str, object], health: str
) -> None:
    application = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "operator"}}
    (found,) = argocd_library.health(json.dumps({**application, "status": status}))
    assert found is not None
    assert found["status"] == health


def test_a_wave_begins_once_the_model_serves_and_the_hook_runs_after_it(
    argocd: ArgoCd, team: Team, cluster: Cluster
) -> None:
    manifests = waves(team)
    begun = argocd.sync(manifests, seconds=0)
    assert (begun.phase, begun.said(NEXT), begun.said(HOOK)) == ("Running", "", "")
    assert not exists(cluster, team, "next")
    synced = argocd.sync(manifests)
    assert synced.phase == "Succeeded", synced
    assert team.until_ready()["status"]["replicas"]["ready"] == 1
    assert exists(cluster, team, "next")
    assert exists(cluster, team, "hook")


def test_a_stalled_model_fails_the_sync_at_once_and_the_next_wave_does_not_begin(
    argocd: ArgoCd, team: Team, cluster: Cluster
) -> None:
    synced = argocd.sync(waves(team, base=NO_MODEL))
    assert synced.phase == "Failed"
    assert synced.seconds < 20
    stalled = team.until("chat", "Stalled", "True", "ModelNotFound")
    assert synced.said(MODEL) == condition(stalled, "Stalled")["message"]
    assert not exists(cluster, team, "next")
    assert argocd.sync(waves(team)).phase == "Succeeded", "the corrected commit"
    team.until_ready()


@pytest.mark.parametrize(("spec", "message"), INVALID)
def test_a_first_invalid_commit_fails_with_the_api_servers_message(
    argocd: ArgoCd, team: Team, spec: str, message: str
) -> None:
    synced = argocd.sync(model(team.namespace, spec))
    assert synced.phase == "Failed"
    assert message in synced.said(MODEL)
    assert team.find() is None


@pytest.mark.parametrize(("spec", "message"), INVALID)
def test_an_invalid_change_fails_with_client_side_diff_and_is_not_even_tried_with_server_side_diff(
    argocd: ArgoCd, team: Team, spec: str, message: str
) -> None:
    valid, invalid = model(team.namespace), model(team.namespace, spec)
    assert argocd.sync(valid).phase == "Succeeded"
    before = team.until_ready()
    (compared,) = argocd.diff(invalid)
    assert (compared.out_of_sync, compared.error) == (True, ""), "so that a sync is tried"
    synced = argocd.sync(invalid)
    assert synced.phase == "Failed"
    assert message in synced.said(MODEL)
    assert team.get() == before
    (compared,) = argocd.diff(invalid, server_side=True)
    assert message in compared.error, "the comparison fails, and no sync is tried"
    assert argocd.sync(model(team.namespace, "minReplicaCount: 2")).phase == "Succeeded", "the corrected commit"
    team.until_ready()
    assert team.deployment()["minReplicaCount"] == 2


@each_diff
def test_a_model_at_rest_is_synced_however_it_is_written(argocd: ArgoCd, team: Team, server_side: bool) -> None:
    manifests = "".join(model(team.namespace, spec, name=name) for name, spec in SPELLINGS.items())
    assert argocd.sync(manifests).phase == "Succeeded"
    before = {name: team.until_ready(name)["metadata"] for name in SPELLINGS}
    compared = argocd.diff(manifests, server_side=server_side)
    differing = [name for name, each in zip(SPELLINGS, compared, strict=True) if each.out_of_sync or each.error]
    assert differing == []
    for _ in range(5):
        assert argocd.sync(manifests).phase == "Succeeded"
    assert {name: team.get(name)["metadata"] for name in SPELLINGS} == before
    assert {each["generation"] for each in before.values()} == {1}


def test_with_client_side_apply_a_misspelt_field_stays_out_of_sync_after_every_sync(argocd: ArgoCd, team: Team) -> None:
    manifest = model(team.namespace, "displayNam: Chat")
    for _ in range(3):
        assert argocd.sync(manifest, options=["client-side-apply"]).phase == "Succeeded"
        (compared,) = argocd.diff(manifest)
        assert compared.out_of_sync
    notices = team.until_ready()["status"]["notices"]
    assert any("displayNam" in each for each in notices)
    assert team.get()["metadata"]["generation"] == 1


def test_what_asks_before_it_is_pruned_stays_until_somebody_confirms(argocd: ArgoCd, team: Team) -> None:
    asking = model(team.namespace, annotations=f"{{{SYNC_OPTIONS}: 'Prune=confirm,Delete=confirm'}}")
    other = model(team.namespace, name="other", base="accounts/fireworks/models/llama-v3p2-3b-instruct")
    assert argocd.sync(asking + other).phase == "Succeeded"
    team.until_ready()
    asked = argocd.sync(other, seconds=2)
    assert asked.phase == "Running"
    assert "waiting for pruning confirmation" in asked.message
    assert "deletionTimestamp" not in team.get()["metadata"]
    assert argocd.sync(other, options=["confirmed"]).phase == "Succeeded"
    team.until_gone()


def test_with_client_side_apply_the_annotation_force_deletes_a_serving_model_for_an_invalid_commit(
    argocd: ArgoCd, team: Team
) -> None:
    force, options = f"{{{SYNC_OPTIONS}: Force=true}}", ["client-side-apply"]
    argocd.sync(model(team.namespace, annotations=force), options=options)
    team.until_ready()
    synced = argocd.sync(model(team.namespace, MIN_ABOVE_MAX, annotations=force), options=options)
    assert synced.phase == "Failed", synced
    team.until_gone()
    assert team.deployments() == []


def test_with_server_side_apply_the_annotation_force_does_nothing(argocd: ArgoCd, team: Team) -> None:
    force = f"{{{SYNC_OPTIONS}: Force=true}}"
    argocd.sync(model(team.namespace, annotations=force))
    before = team.until_ready()
    synced = argocd.sync(model(team.namespace, MIN_ABOVE_MAX, annotations=force))
    assert synced.phase == "Failed"
    assert RULE in synced.said(MODEL)
    assert team.get() == before


def test_the_annotation_force_and_replace_deletes_and_creates_for_any_change(argocd: ArgoCd, team: Team) -> None:
    both = f"{{{SYNC_OPTIONS}: 'Force=true,Replace=true'}}"
    argocd.sync(model(team.namespace, annotations=both))
    uid = team.until_ready()["metadata"]["uid"]
    created = team.deployment()["createTime"]
    argocd.sync(model(team.namespace, "minReplicaCount: 2", annotations=both))
    assert team.until_ready()["metadata"]["uid"] != uid
    assert team.deployment()["createTime"] == created, "the operator restores the deployment"


def test_the_option_replace_overwrites_in_place_and_the_operator_puts_its_finalizer_back(
    argocd: ArgoCd, team: Team
) -> None:
    argocd.sync(model(team.namespace))
    before = team.until_ready()["metadata"]
    assert argocd.sync(model(team.namespace, "minReplicaCount: 2"), options=["replace"]).phase == "Succeeded"
    after = team.until_ready()["metadata"]
    assert after["uid"] == before["uid"]
    assert after["finalizers"] == before["finalizers"] != []
