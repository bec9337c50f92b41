"""`kubectl fireworks plan` beside a real API server, the operator and the simulator: a test for each verdict."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from fireworks_simulator.testing import SimulatorClient
from testkit.factories import Cluster
from testkit.kubectl_plugin import Plugin
from testkit.kubernetes_api import Json, KubernetesApi
from testkit.namespaces import Namespace
from testkit.team import MODEL, Team

Plan = Callable[..., Json]
PAGE = Path(__file__).parents[2] / "docs/how-to/plan.md"
NOTHING, ERRORS, CHANGES = 0, 1, 2


@pytest.fixture
def plugin(tmp_path: Path, cluster: Cluster, fireworks: SimulatorClient, team: Team) -> Plugin:
    """The plugin of a user with the team's API key."""
    return Plugin(tmp_path, cluster.kubeconfig, FIREWORKS_BASE_URL=fireworks.url, FIREWORKS_API_KEY=team.api_key)


@pytest.fixture
def plan(plugin: Plugin, team: Team, tmp_path: Path) -> Plan:
    """Plan manifests, and return what the plugin says of the only resource; nothing is changed by that."""

    def run(*manifests: Mapping[str, Any], code: int, words: tuple[str, ...] = ()) -> Json:
        file = tmp_path / "manifests.yaml"
        file.write_text(yaml.safe_dump_all([dict(each) for each in manifests]))
        seen, stored = team.seen(), (team.find() or {}).get("spec")
        found: Json = json.loads(plugin("plan", "-f", str(file), "-o", "json", *words, code=code))
        asked = [each for each in team.writes(since=seen) if "validateOnly" not in each.query]
        assert [each for each in asked if not each.path.endswith(":match")] == []
        assert (team.find() or {}).get("spec") == stored
        return found

    return run


def fields(planned: Json) -> dict[str, tuple[Any, Any]]:
    """Return what changes."""
    return {each["field"]: (each["old"], each["new"]) for each in planned["changes"]}


def test_a_new_resource_is_created_at_the_cost_that_the_meter_shows_afterwards(team: Team, plan: Plan) -> None:
    manifest = team.manifest("chat", {}, {"acceleratorCount": 2, "minReplicaCount": 1, "maxReplicaCount": 4})
    found = plan(manifest, code=CHANGES)
    (planned,) = found["resources"]
    assert (planned["action"], planned["name"]) == ("create", "chat")
    assert fields(planned)["baseModel"] == (None, MODEL)
    assert planned["before"] == {"gpus": 0, "hourly": "0.00", "gpusAtMost": 0, "hourlyCeiling": "0.00"}
    assert planned["after"] == {"gpus": 2, "hourly": "16.00", "gpusAtMost": 8, "hourlyCeiling": "64.00"}
    team.create(acceleratorCount=2, minReplicaCount=1, maxReplicaCount=4)
    team.until_ready()
    cost = team.status()["cost"]
    assert (cost["gpus"], cost["hourly"], cost["hourlyCeiling"]) == (2, "16.00", "64.00")
    assert team.status()["deploymentName"] == planned["deployment"]
    (again,) = plan(manifest, code=NOTHING)["resources"]
    assert (again["action"], again["changes"], again["before"]) == ("nothing", [], planned["after"])


def test_a_change_in_place_is_told_field_by_field(team: Team, plan: Plan) -> None:
    team.create(displayName="Chat", maxReplicaCount=2, tags={"team": "a", "old": "x"})
    team.until_ready()
    spec = {"displayName": "Chat", "maxReplicaCount": 3, "acceleratorCount": 2, "tags": {"team": "b"}}
    (planned,) = plan(team.manifest("chat", {}, spec), code=CHANGES)["resources"]
    assert planned["action"] == "update"
    assert fields(planned) == {
        "acceleratorCount": (1, 2),
        "maxReplicaCount": (2, 3),
        "tags.team": ("a", "b"),
    }
    assert planned["after"] == {"gpus": 2, "hourly": "16.00", "gpusAtMost": 6, "hourlyCeiling": "48.00"}


def test_what_the_manifest_no_longer_says_is_reset_where_kubectl_would_remove_it(
    team: Team, plan: Plan, cluster: Cluster, tmp_path: Path
) -> None:
    """A merge of three, as `kubectl apply` makes it, and a server-side apply by whoever applied before."""
    for number, words in enumerate(([], ["--server-side"])):
        name = f"chat-{number}"
        before = team.manifest(name, {}, {"displayName": "Chat", "maxReplicaCount": 4})
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(before))
        cluster.kubectl("apply", *words, "-f", str(file))
        team.until_ready(name)
        (planned,) = plan(team.manifest(name, {}, {}), code=CHANGES)["resources"]
        assert fields(planned) == {"displayName": ("Chat", ""), "maxReplicaCount": (4, 1)}
        (same,) = plan(before, code=NOTHING)["resources"]
        assert same["action"] == "nothing"


def test_fields_of_another_manager_are_a_conflict_until_they_are_taken_over(
    team: Team, plan: Plan, cluster: Cluster, tmp_path: Path
) -> None:
    file = tmp_path / "theirs.json"
    file.write_text(json.dumps(team.manifest("chat", {}, {"displayName": "Theirs"})))
    cluster.kubectl("apply", "--server-side", "--field-manager", "flux", "-f", str(file))
    team.until_ready()
    ours = team.manifest("chat", {}, {"displayName": "Ours"})
    (planned,) = plan(ours, code=ERRORS, words=("--field-manager", "kubectl"))["resources"]
    assert planned["action"] == "refused"
    assert "conflict" in planned["message"]
    assert "--force-conflicts" in planned["message"]
    (forced,) = plan(ours, code=CHANGES, words=("--field-manager", "kubectl", "--force-conflicts"))["resources"]
    assert fields(forced) == {"displayName": ("Theirs", "Ours")}
    (theirs,) = plan(ours, code=CHANGES)["resources"]
    assert fields(theirs) == {"displayName": ("Theirs", "Ours")}, "as flux would apply it"


def test_what_the_api_server_refuses_is_told_in_its_words(team: Team, plan: Plan) -> None:
    wrong = team.manifest("wrong", {}, {"minReplicaCount": 3, "maxReplicaCount": 1})
    misspelt = team.manifest("misspelt", {}, {"deletionPolcy": "Retain"})
    found = plan(wrong, misspelt, code=ERRORS)["resources"]
    assert [each["action"] for each in found] == ["refused", "refused"]
    assert "maxReplicaCount" in found[0]["message"]
    assert "deletionPolcy" in found[1]["message"]
    team.create()
    team.until_ready()
    unknown = team.manifest("chat", {}, {"deletionPolcy": "Retain"})
    (managed,) = plan(unknown, code=ERRORS, words=("--field-manager", "flux"))["resources"]
    assert (managed["action"], "deletionPolcy" in managed["message"]) == ("refused", True)
    (immutable,) = plan(team.manifest("chat", {}, {"preemptible": True}), code=ERRORS)["resources"]
    assert "cannot be changed" in immutable["message"]
    assert immutable["before"] == immutable["after"]
    assert immutable["before"]["gpus"] == 1


def test_what_the_operator_refuses_is_told_in_its_words(team: Team, plan: Plan) -> None:
    team.create()
    team.until_ready()
    manifest = team.manifest("chat", {}, {"acceleratorType": "NVIDIA_H200_141GB"})
    (planned,) = plan(manifest, code=ERRORS)["resources"]
    assert (planned["action"], planned["reason"]) == ("refused", "ReplaceRequired")
    assert planned["before"] == planned["after"]
    team.change("chat", acceleratorType="NVIDIA_H200_141GB")
    resource = team.until("chat", "Stalled", "True", "ReplaceRequired")
    assert planned["message"] in [each["message"] for each in resource["status"]["conditions"]]


def test_what_fireworks_refuses_to_create_is_told_before(team: Team, plan: Plan) -> None:
    missing = team.manifest("missing", {}, {"baseModel": "accounts/fireworks/models/nobody-has-it"})
    (planned,) = plan(missing, code=ERRORS)["resources"]
    assert (planned["action"], planned["reason"]) == ("refused", "ModelNotFound")
    assert planned["after"]["gpus"] == 0


def test_a_missing_secret_namespace_and_key_are_told(team: Team, plan: Plan) -> None:
    lost = team.manifest("lost", {}, {"credentialsSecretRef": {"name": "nowhere"}})
    (planned,) = plan(lost, code=ERRORS)["resources"]
    assert (planned["action"], planned["reason"]) == ("refused", "CredentialsMissing")
    elsewhere = team.manifest("chat", {"namespace": "nobody-is-here"}, {})
    (planned,) = plan(elsewhere, code=ERRORS)["resources"]
    assert 'There is no namespace "nobody-is-here"' in planned["message"]


def test_a_model_alone_costs_what_fireworks_would_choose(team: Team, plan: Plan) -> None:
    (planned,) = plan(team.manifest("chat", {}, {"acceleratorType": None}), code=CHANGES)["resources"]
    assert fields(planned)["deploymentShape"] == (None, "default")
    team.create(acceleratorType=None)
    team.until_ready()
    cost = team.status()["cost"]
    assert (planned["after"]["gpus"], planned["after"]["hourly"]) == (cost["gpus"], cost["hourly"])


def test_an_unknown_price_is_said_as_unknown(team: Team, plan: Plan, tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text("accelerators: {NVIDIA_H100_80GB: null}\n")
    manifest = team.manifest("chat", {}, {"acceleratorCount": 2})
    (planned,) = plan(manifest, code=CHANGES, words=("--prices", str(prices)))["resources"]
    assert planned["after"] == {"gpus": 2, "hourly": None, "gpusAtMost": 2, "hourlyCeiling": None}


def test_only_what_the_operator_manages_is_changed(team: Team, plan: Plan) -> None:
    team.create()
    team.until_ready()
    paused = team.manifest("chat", {}, {"paused": True, "displayName": "New"})
    (planned,) = plan(paused, code=NOTHING)["resources"]
    assert (planned["action"], planned["changes"]) == ("nothing", [])
    assert "Paused with a change withheld" in planned["notes"][0]
    (released,) = plan(team.manifest("chat", {}, {"managementPolicy": "Observe"}), code=CHANGES)["resources"]
    assert released["action"] == "release"


def test_a_deployment_that_was_deleted_is_restored_or_replaced(team: Team, plan: Plan) -> None:
    team.create(externalDeletionPolicy="Report")
    team.until_ready()
    team.simulator.vanish(team.deployment_id(), soft=True)
    team.hurry()
    team.until("chat", "Stalled", "True", "DeploymentLost")
    recreate = {"externalDeletionPolicy": "Recreate"}
    (planned,) = plan(team.manifest("chat", {}, recreate), code=CHANGES)["resources"]
    assert planned["action"] == "restore"
    other = {**recreate, "acceleratorType": "NVIDIA_H200_141GB"}
    (replaced,) = plan(team.manifest("chat", {}, other), code=CHANGES)["resources"]
    assert replaced["action"] == "replace"


def test_other_kinds_are_counted_and_directories_and_lists_are_read(team: Team, plugin: Plugin, tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    (folder / "below").mkdir(parents=True)
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    items = [team.manifest("one", {}, {}), other]
    (folder / "list.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    (folder / "below" / "two.yaml").write_text(yaml.safe_dump(team.manifest("two", {}, {})))
    (folder / "notes.txt").write_text("not a manifest")
    found = json.loads(plugin("plan", "-f", str(folder), "-o", "json", code=CHANGES))
    assert ([each["name"] for each in found["resources"]], found["skipped"]) == (["one"], {"ConfigMap": 1})
    found = json.loads(plugin("plan", "-R", "-f", str(folder), "-o", "json", code=CHANGES))
    assert sorted(each["name"] for each in found["resources"]) == ["one", "two"]
    assert found["after"]["gpus"] == 2
    markdown = plugin("plan", "-R", "-f", str(folder), "-o", "markdown", code=CHANGES)
    assert "**2 to create.**" in markdown
    said = plugin("plan", "-R", "-f", str(folder), code=CHANGES)
    assert "Plan: 2 to create." in said
    assert "1 ConfigMap" in said


def test_who_may_plan_needs_no_more_than_the_page_says(
    team: Team, plugin: Plugin, cluster: Cluster, tmp_path: Path
) -> None:
    """A key of the environment stands for that in the Secret, and what is not known of the operator is said."""
    rules = yaml.safe_load(PAGE.read_text().split("```yaml\n")[1].split("```")[0])["rules"]
    verbs = ",".join(rules[0]["verbs"])
    planner = Namespace(cluster, team.namespace).kubeconfig_of(tmp_path, "planner", f"{verbs} fireworksdeployments")
    manifest = tmp_path / "chat.json"
    manifest.write_text(json.dumps(team.manifest("chat", {}, {})))
    env = {"KUBECONFIG": str(planner), "FIREWORKS_OPERATOR_CLUSTER_ID": "a"}
    found = json.loads(plugin("plan", "-f", str(manifest), "-o", "json", code=CHANGES, env=env))
    assert [each["action"] for each in found["resources"]] == ["create"]
    assert "You may not list the Deployments of the cluster" in found["notes"][0]
    found = json.loads(
        plugin("plan", "-f", str(manifest), "-o", "json", code=ERRORS, env={**env, "FIREWORKS_API_KEY": ""})
    )
    assert [each["action"] for each in found["resources"]] == ["unknown"]
    assert "set FIREWORKS_API_KEY" in found["resources"][0]["message"]
    viewer = Namespace(cluster, team.namespace).kubeconfig_of(tmp_path, "viewer", "get,list fireworksdeployments")
    env["KUBECONFIG"] = str(viewer)
    found = json.loads(plugin("plan", "-f", str(manifest), "-o", "json", code=ERRORS, env=env))
    assert [each["action"] for each in found["resources"]] == ["unknown"]
    assert "which a dry run is subject to" in found["resources"][0]["message"]


def test_without_the_crd_it_is_said_how_to_install_it(
    own_cluster: Cluster, tmp_path: Path, fireworks: SimulatorClient, team: Team
) -> None:
    bare = Plugin(tmp_path, own_cluster.kubeconfig, FIREWORKS_BASE_URL=fireworks.url, FIREWORKS_API_KEY=team.api_key)
    manifest = tmp_path / "chat.json"
    manifest.write_text(json.dumps(team.manifest("chat", {"namespace": "default"}, {})))
    assert "The CRD fireworksdeployments.fireworks.ai is not installed" in bare.refuse("plan", "-f", str(manifest))


def test_the_operators_own_settings_and_prices_count_where_they_can_be_read(
    team: Team, plan: Plan, kubernetes: KubernetesApi
) -> None:
    path = f"/apis/apps/v1/namespaces/{team.namespace}/deployments"
    labels = {"app.kubernetes.io/name": "fireworks-operator"}
    env = [
        {"name": "FIREWORKS_OPERATOR_PRICE_FILE", "value": "/prices/prices.yaml"},
        {"name": "FIREWORKS_OPERATOR_WATCH_NAMESPACES", "value": f"{team.namespace} other"},
        {"name": "FIREWORKS_API_KEY", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}},
    ]
    container = {
        "name": "operator",
        "image": "operator",
        "env": env,
        "volumeMounts": [{"name": "prices", "mountPath": "/prices"}],
    }
    pod = {"containers": [container], "volumes": [{"name": "prices", "configMap": {"name": "prices"}}]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    prices = {"metadata": {"name": "prices"}, "data": {"prices.yaml": "accelerators: {NVIDIA_H100_80GB: 3}\n"}}
    kubernetes.request("POST", f"/api/v1/namespaces/{team.namespace}/configmaps", prices)
    kubernetes.request("POST", path, {"metadata": {"name": "operator", "labels": labels}, "spec": spec})
    try:
        found = plan(team.manifest("chat", {}, {"acceleratorCount": 2}), code=CHANGES)
        assert (found["resources"][0]["after"]["hourly"], found["notes"]) == ("6.00", [])
        (elsewhere,) = plan(team.manifest("chat", {"namespace": "default"}, {}), code=ERRORS)["resources"]
        assert "does not manage namespace default" in elsewhere["message"]
    finally:
        kubernetes.request("DELETE", f"{path}/operator")


def test_budgets_of_the_cluster_leave_room_to_what_comes_first(
    team: Team, plan: Plan, kubernetes: KubernetesApi
) -> None:
    budget = {
        "apiVersion": "fireworks.ai/v1alpha1",
        "kind": "FireworksBudget",
        "metadata": {"name": "small", "namespace": team.namespace},
        "spec": {"limits": {"gpus": 4}},
    }
    path = f"/apis/fireworks.ai/v1alpha1/namespaces/{team.namespace}/fireworksbudgets"
    kubernetes.request("POST", path, budget)
    spec = {"acceleratorCount": 2, "maxReplicaCount": 1}
    team.create("one", spec=spec)
    team.until_ready("one")
    manifests = [team.manifest(name, {}, spec) for name in ("two", "three")]
    two, three = plan(*manifests, code=ERRORS)["resources"]
    assert (two["action"], three["action"], three["reason"]) == ("create", "refused", "BudgetExceeded")
    assert "Budget small allows 4 GPUs; 4 are committed to other deployments" in three["message"]
    assert three["after"]["gpus"] == 0
    team.create("two", spec=spec)
    team.until_ready("two")
    team.create("three", spec=spec)
    resource = team.until("three", "Ready", "False", "BudgetExceeded")
    assert three["message"] in [each["message"] for each in resource["status"]["conditions"]]
    (grown,) = plan(team.manifest("one", {}, {**spec, "maxReplicaCount": 2}), code=ERRORS)["resources"]
    assert (grown["action"], grown["reason"]) == ("refused", "BudgetExceeded")
    (named,) = plan(team.manifest("one", {}, {**spec, "maxReplicaCount": 2, "displayName": "x"}), code=ERRORS)[
        "resources"
    ]
    assert fields(named) == {"displayName": (None, "x")}, "what raises nothing is changed meanwhile"
