"""`kubectl fireworks` as a process beside a real API server, the operator and the simulator."""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

from fireworks_operator.core.identity import Owner
from fireworks_simulator.testing import SimulatorClient
from testkit.kubectl_plugin import Plugin
from testkit.kubernetes.access import Kubectl
from testkit.kubernetes_api import Json, KubernetesApi
from testkit.namespaces import Namespace, changed_kubeconfig
from testkit.stories.addons import add_models, addons, load_elsewhere, loaded, model, until_loaded
from testkit.team import MODEL, SECRET, Team
from testkit.waiting import eventually

HEAD = ["NAMESPACE", "NAME", "STATE", "REPLICAS", "GPUS", "REASON", "MODEL", "IDENTIFIER"]
IMPORTED: Mapping[str, Any] = {
    "minReplicaCount": 1,
    "maxReplicaCount": 3,
    "displayName": "Chat: the old one",
    "acceleratorCount": 2,
    "precision": "BF16",
    "enableAddons": True,
    "enableSessionAffinity": True,
    "autoscalingPolicy": {"scaleUpWindow": "45s", "scaleToZeroWindow": "1800s", "loadTargets": {"default": 0.6}},
}
"""What somebody made by hand."""


class LocalCluster(Protocol):
    """The part of the session's cluster that these tests use."""

    @property
    def kubeconfig(self) -> Path: ...

    def kubectl(self, *args: str, input: str | None = None, check: bool = True) -> Any: ...  # noqa: A002, ANN401

    def kubectl_program(self) -> Kubectl: ...


@pytest.fixture
def plugin(tmp_path: Path, cluster: LocalCluster, fireworks: SimulatorClient, team: Team) -> Plugin:
    """The plugin of a user with the team's API key."""
    return Plugin(tmp_path, cluster.kubeconfig, FIREWORKS_BASE_URL=fireworks.url, FIREWORKS_API_KEY=team.api_key)


@pytest.fixture
def cluster_id(kubernetes: KubernetesApi) -> str:
    """What stands in the owner markers of this cluster."""
    return str(kubernetes.request("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"])


def identifier(team: Team) -> str:
    """The model identifier of the team's one deployment."""
    return f"{MODEL}#{team.deployment()['name']}"


# --- list ------------------------------------------------------------------------------------------------------------


def test_kubectl_finds_the_plugin_and_lists_what_serves_and_why_the_rest_does_not(
    team: Team, plugin: Plugin, cluster: LocalCluster
) -> None:
    team.create(acceleratorCount=2, maxReplicaCount=4)
    team.until_ready()
    team.create("lost", credentialsSecretRef={"name": "nowhere"})
    team.until("lost", "Stalled", "True", "CredentialsMissing")
    kubectl = cluster.kubectl_program()
    own = {"KUBECACHEDIR": str(kubectl.cache), "KUBERC": "off"}
    listed = plugin.run(str(kubectl.program), "fireworks", "list", "-n", team.namespace, env=own).stdout
    head, chat, lost = listed.splitlines()
    assert head.split() == HEAD
    assert chat.split() == [
        team.namespace, "chat", "READY", "1", "[1,4]", "2", "x", "NVIDIA_H100_80GB", "-", identifier(team),
    ]  # fmt: skip
    assert lost.split() == [team.namespace, "lost", "-", "-", "-", "CredentialsMissing", "-"]
    assert chat.index("READY") == head.index("STATE"), "columns stand below their heads"


def test_list_shows_the_namespace_of_the_context_another_one_or_all(
    team: Team, new_team: Callable[[], Team], plugin: Plugin, cluster: LocalCluster, tmp_path: Path
) -> None:
    other = new_team()
    team.create()
    other.create("theirs")
    config: Json = json.loads(cluster.kubeconfig.read_text())
    config["contexts"][0]["context"]["namespace"] = team.namespace
    here = tmp_path / "here"
    here.write_text(json.dumps(config))
    own = {"KUBECONFIG": str(here)}
    assert [each["name"] for each in json.loads(plugin("list", "-o", "json", env=own))] == ["chat"]
    one = yaml.safe_load(plugin("list", "-n", other.namespace, "-o", "yaml", env=own))
    assert [each["name"] for each in one] == ["theirs"]
    for words in (["-A"], ["-A", "-n", other.namespace]):
        keys = [(each["namespace"], each["name"]) for each in json.loads(plugin("list", *words, "-o", "json", env=own))]
        assert (team.namespace, "chat") in keys
        assert (other.namespace, "theirs") in keys
        assert keys == sorted(keys)


def test_list_selects_by_label_and_prints_names_as_kubectl_takes_them(
    team: Team, plugin: Plugin, cluster: LocalCluster
) -> None:
    team.create("one", metadata={"labels": {"tier": "gold"}})
    team.create("two", metadata={"labels": {"tier": "silver"}})
    where = ("-n", team.namespace)
    assert plugin("list", *where, "-l", "tier=gold", "-o", "name") == "fireworksdeployment.fireworks.ai/one\n"
    both = plugin("list", *where, "--selector", "tier in (gold,silver)", "-o", "name").split()
    assert [each.rsplit("/")[-1] for each in both] == ["one", "two"]
    found = cluster.kubectl("get", *where, "-o", "name", *both)
    assert found.stdout.split() == both
    told = plugin("list", *where, "-l", "tier=lead")
    assert told == (
        f"There is no FireworksDeployment with these labels in namespace {team.namespace}; -A shows all namespaces.\n"
    )


def test_a_wide_list_adds_age_account_deployment_and_message_in_one_line(team: Team, plugin: Plugin) -> None:
    team.create()
    team.until_ready()
    head, row = plugin("list", "-n", team.namespace, "-o", "wide").splitlines()
    assert head.split() == [*HEAD[:6], "AGE", "ACCOUNT", "DEPLOYMENT", "REPLACEMENT", "MODEL", "IDENTIFIER", "MESSAGE"]
    assert row.split()[-9:-3] == [
        *(team.account, team.deployment()["name"].rsplit("/", 1)[-1], "-", identifier(team)),
        *("1", "of"),
    ]
    assert row.index("1 of 1") == head.index("MESSAGE"), "columns stand below their heads"


def test_an_empty_list_says_so(plugin: Plugin) -> None:
    told = "There is no FireworksDeployment in namespace kube-public; -A shows all namespaces.\n"
    assert plugin("list", "-n", "kube-public") == told
    assert plugin("list", "-n", "nobody-is-here") == "There is no namespace nobody-is-here.\n"
    assert plugin("list", "-n", "nobody-is-here", "-o", "json") == "[]\n"


# --- status ----------------------------------------------------------------------------------------------------------


def test_watching_tells_each_stage_and_ends_when_it_is_ready(team: Team, plugin: Plugin, tmp_path: Path) -> None:
    team.simulator.set_clock(stepped=True)
    team.create()
    log = tmp_path / "watch.log"
    watching = plugin.start(log, "status", "chat", "-n", team.namespace, "--watch")
    try:
        for stage in ("scheduling (stage 1 of 4)", "downloading (stage 2 of 4)", "initializing (stage 3 of 4)"):
            eventually(lambda text=stage: text in log.read_text(), stage, within=30, explain=log.read_text)  # type: ignore[misc]
            assert watching.poll() is None, "it goes on until the resource is ready"
            team.simulator.advance(0.35)
        assert watching.wait(30) == 0
    finally:
        team.simulator.set_clock(stepped=False)
        watching.kill()
        watching.wait()
    last = log.read_text().splitlines()[-1]
    assert last.startswith("chat: READY, 1 [1,1], Serving: 1 of 1")


def test_watching_something_that_needs_a_person_ends_with_what_to_do(team: Team, plugin: Plugin) -> None:
    team.create(credentialsSecretRef={"name": "nowhere"})
    told = plugin("status", "chat", "-n", team.namespace, "--watch", code=1)
    assert "CredentialsMissing" in told.splitlines()[-1]
    assert "kubectl create secret generic nowhere" in told


def test_status_shows_what_is_not_in_force_and_the_conditions(team: Team, plugin: Plugin) -> None:
    team.create(autoscalingPolicy={"scaleToZeroWindow": "10m"})
    team.until_ready()
    team.change(acceleratorType="NVIDIA_B200_180GB")
    team.until("chat", "Stalled", "True", "ReplaceRequired")
    lines = plugin("status", "chat", "-n", team.namespace).splitlines()
    assert lines[0] == f"Resource: {team.namespace}/chat"
    assert lines[1].startswith("Ready: no, ReplaceRequired: ")
    assert f"Model identifier: {identifier(team)}" in lines
    assert "Not applied yet: acceleratorType: NVIDIA_H100_80GB → NVIDIA_B200_180GB" in lines
    assert any(line.startswith("Condition Available: True Serving") for line in lines)
    assert any(line.startswith("Notice: ") and "scaleToZeroWindow" in line for line in lines)
    data = json.loads(plugin("status", "chat", "-n", team.namespace, "-o", "json"))
    assert data["changes"] == [{"path": "acceleratorType", "now": "NVIDIA_H100_80GB", "wanted": "NVIDIA_B200_180GB"}]
    assert (data["ready"], data["stalled"], data["stage"]) == (False, True, "ready")


# --- endpoint --------------------------------------------------------------------------------------------------------


def test_the_lines_of_endpoint_set_a_client_up_and_its_request_is_answered(team: Team, plugin: Plugin) -> None:
    if shutil.which("curl") is None:
        pytest.skip("the request is made with curl")
    team.create()
    team.until_ready()
    script = (
        f'eval "$(kubectl-fireworks endpoint chat -n {team.namespace} 2>"$HOME/request")"; '
        'echo "$OPENAI_BASE_URL $OPENAI_MODEL $(test "$OPENAI_API_KEY" = "$FIREWORKS_API_KEY" && echo same key)"; '
        '. "$HOME/request"'
    )
    first, answer = plugin.run("sh", "-c", script).stdout.splitlines()
    assert first == f"{plugin.environment['FIREWORKS_BASE_URL']}/inference/v1 {identifier(team)} same key"
    assert json.loads(answer)["object"] == "chat.completion"


def test_the_endpoint_as_data(team: Team, plugin: Plugin) -> None:
    add_models(team)
    team.create(addons=addons("tone"))
    until_loaded(team, "tone")
    found = json.loads(plugin("endpoint", "chat", "-n", team.namespace, "-o", "json"))
    assert found == yaml.safe_load(plugin("endpoint", "chat", "-n", team.namespace, "-o", "yaml"))
    assert found == {
        "namespace": team.namespace,
        "name": "chat",
        "baseURL": f"{plugin.environment['FIREWORKS_BASE_URL']}/inference/v1",
        "model": identifier(team),
        "apiKeyVariable": "FIREWORKS_API_KEY",
        "addons": [
            {"model": model(team, "tone"), "modelIdentifier": f"{model(team, 'tone')}#{team.deployment()['name']}"}
        ],
    }


def test_endpoint_says_what_comes_first_while_there_is_none(team: Team, plugin: Plugin) -> None:
    team.create(credentialsSecretRef={"name": "nowhere"})
    team.until("chat", "Stalled", "True")
    told = plugin.refuse("endpoint", "chat", "-n", team.namespace)
    assert "chat has no endpoint yet: fix that first. CredentialsMissing: " in told


# --- import ----------------------------------------------------------------------------------------------------------


def applied(cluster: LocalCluster, manifests: str) -> None:
    """Apply manifests; the API server refuses fields that it does not know."""
    cluster.kubectl("apply", "--validate=strict", "-f", "-", input=manifests)


def test_an_imported_deployment_is_observed_then_managed_and_never_changed(
    team: Team, plugin: Plugin, cluster: LocalCluster
) -> None:
    add_models(team)
    team.simulator.create_foreign(prefix="old", **IMPORTED)
    load_elsewhere(team, f"accounts/{team.account}/deployments/old-0", "tone")
    team.eventually(lambda: loaded(team)["tone"]["state"] == "DEPLOYED", "the addon is loaded")
    before, seen = (team.simulator.deployment("old-0"), loaded(team)), team.simulator.last_sequence()
    applied(cluster, plugin("import", "old-0", "-n", team.namespace, "--secret", SECRET))
    spec = team.get("old-0")["spec"]
    wanted = {**IMPORTED, "baseModel": MODEL, "deploymentId": "old-0", "managementPolicy": "Observe"}
    assert {key: spec[key] for key in wanted} == wanted
    assert (spec["deletionPolicy"], spec["adoptionPolicy"]) == ("Retain", "Unowned")
    assert spec["addons"] == [{"model": model(team, "tone"), "default": True}]

    team.until_ready("old-0")
    assert "finalizers" not in team.get("old-0")["metadata"]
    assert team.writes(since=seen) == []

    team.change("old-0", managementPolicy="Manage")
    team.eventually(lambda: team.get("old-0")["metadata"].get("finalizers"), "it is managed")
    team.until_ready("old-0")
    until_loaded(team, "tone", resource="old-0")
    assert [each.path.rsplit(":", 1)[-1] for each in team.writes(since=seen)] == ["setTags"]
    after = (team.simulator.deployment("old-0"), loaded(team))
    assert _owner(after[0]) == "old-0"
    assert [_unmarked(each) for each in after] == [_unmarked(each) for each in before]


def _owner(deployment: Mapping[str, Any]) -> object:
    return deployment["annotations"]["custom/name"]


def _unmarked(deployment: Mapping[str, Any]) -> Json:
    return {key: value for key, value in deployment.items() if key not in ("annotations", "updateTime")}


def test_all_imports_every_kind_of_deployment_without_an_owner_and_no_other(
    team: Team, plugin: Plugin, cluster: LocalCluster
) -> None:
    team.create("mine", deploymentId="mine")
    team.until_ready("mine")
    marker = Owner("elsewhere", "somewhere", "theirs").marker()
    team.simulator.create_foreign(prefix="theirs", annotations=marker)
    team.simulator.create_foreign(prefix="let-go", annotations=marker | {"custom/released": "true"})
    kinds: dict[str, dict[str, Any]] = {
        "parked": {"minReplicaCount": 0, "maxReplicaCount": 0},
        "placed": {"placement": {"region": "US_IOWA_1"}},
        "drafting": {"draftModel": "accounts/fireworks/models/llama-v3p2-1b-instruct", "draftTokenCount": 4},
        "ngram": {"ngramSpeculationLength": 8, "draftTokenCount": 4},
        "long": {"autoTune": {"longPrompt": True}, "acceleratorCount": 2, "maxContextLength": 32768},
        "old-gpus": {"acceleratorType": "NVIDIA_A100_80GB", "precision": "FP8"},
        "quantized": {"enableAddons": True, "precision": "FP8"},
        "short-long": {"autoTune": {"longPrompt": True}, "acceleratorCount": 1},
        "off": {"minReplicaCount": 5, "maxReplicaCount": 0},
        "windows": {"autoscalingPolicy": {"scaleUpWindow": "7200s", "scaleToZeroWindow": "60s"}},
        "shaped": {"deploymentShape": "accounts/fireworks/deploymentShapes/any/versions/v1"},
        "two-lines": {"displayName": 'a "b": #c', "description": "first\nsecond"},
    }
    for name, fields in kinds.items():
        team.simulator.create_foreign(prefix=name, **fields)
    manifests = plugin("import", "--all", "-n", team.namespace, "--secret", SECRET)
    names = {each["metadata"]["name"] for each in yaml.safe_load_all(manifests)}
    assert names == {f"{name}-0" for name in (*kinds, "let-go")}
    applied(cluster, manifests)
    for name in names:
        found = team.until(name, "Ready", "True")
        differences = [each for each in found["status"].get("notices", []) if "not changed while" in each]
        assert differences == [], "what the manifest does not name is no difference"


def test_import_leaves_deployments_of_others_alone_and_says_why(team: Team, plugin: Plugin) -> None:
    team.create(deploymentId="mine")
    team.until_ready()
    told = plugin.refuse("import", "mine")
    assert f"belongs to the FireworksDeployment {team.namespace}/chat" in told
    assert "There is no deployment" in plugin.refuse("import", "nobody")
    assert "Specify deployments, or use --all." in plugin.refuse("import", code=2)


# --- orphans ---------------------------------------------------------------------------------------------------------


def test_orphans_are_deployments_of_this_cluster_whose_resource_does_not_exist(
    team: Team, plugin: Plugin, cluster_id: str
) -> None:
    team.create()
    team.until_ready()
    lost = Owner(cluster_id, team.namespace, "lost").marker()
    team.simulator.create_foreign(prefix="lost", annotations=lost, minReplicaCount=1)
    team.simulator.create_foreign(prefix="free", annotations=lost | {"custom/released": "true"})
    team.simulator.create_foreign(prefix="far", annotations=Owner("elsewhere", team.namespace, "lost").marker())
    team.simulator.create_foreign(prefix="by-hand")
    writes = len(team.writes())
    head, row = plugin("orphans").splitlines()
    assert head.split() == ["NAMESPACE", "NAME", "STATE", "REPLICAS", "GPUS", "DEPLOYMENT"]
    assert row.split() == [
        team.namespace, "lost", "READY", "1", "[1,1]", "1", "x", "NVIDIA_H100_80GB",
        f"accounts/{team.account}/deployments/lost-0",
    ]  # fmt: skip
    found = json.loads(plugin("orphans", "-n", team.namespace, "-o", "json"))
    assert [each["deploymentName"] for each in found] == [f"accounts/{team.account}/deployments/lost-0"]
    assert plugin("orphans", "-A", "-n", "nobody-is-here", "-o", "name") == f"{found[0]['deploymentName']}\n"
    assert "No orphans" in plugin("orphans", "-n", "nobody-is-here")
    assert len(team.writes()) == writes
    assert team.simulator.deployment("lost-0")["state"] == "READY"


# --- doctor ----------------------------------------------------------------------------------------------------------


def test_doctor_finds_nothing_wrong_where_all_is_well(team: Team, plugin: Plugin) -> None:
    team.create()
    team.until_ready()
    lines = plugin("doctor", "-n", team.namespace).splitlines()
    assert [line.split()[0] for line in lines] == ["ok"] * 8
    data = json.loads(plugin("doctor", "-n", team.namespace, "-o", "json"))
    assert [each["message"] for each in data] == [line[20:] for line in lines]
    assert any(
        f"Secret {team.namespace}/{SECRET}: Fireworks accepts it, account {team.account}" in each for each in lines
    )


def test_doctor_names_what_is_missing_and_the_way_out(team: Team, plugin: Plugin) -> None:
    team.create("a", credentialsSecretRef={"name": "nowhere"})
    team.create("b", credentialsSecretRef={"name": "wrong"})
    team.create("c", credentialsSecretRef={"name": SECRET, "key": "other"})
    team.create("d", credentialsSecretRef={"name": "astray"})
    team.put_secret("wrong", apiKey="fw_not-a-key-of-anybody")
    team.put_secret("astray", apiKey=team.api_key, accountId="somebody-else")
    told = plugin("doctor", "-n", team.namespace, code=1)
    assert f"Secret {team.namespace}/nowhere does not exist" in told
    assert "kubectl create secret generic nowhere" in told
    assert f"Secret {team.namespace}/wrong: The API key you provided is invalid" in told
    assert f'Secret {team.namespace}/{SECRET} has no usable API key under "other"' in told
    assert "the Secret has: apiKey" in told
    assert f"failed  API key     Secret {team.namespace}/astray: " in told
    assert "fw_not-a-key-of-anybody" not in told


def test_doctor_tells_what_its_user_or_another_one_may_not_do(
    team: Team, plugin: Plugin, cluster: LocalCluster, tmp_path: Path
) -> None:
    rule = "get,list,watch fireworksdeployments.fireworks.ai"
    reader = Namespace(cluster, team.namespace).kubeconfig_of(tmp_path, "reader", rule)
    told = plugin("doctor", "-n", team.namespace, code=1, env={"KUBECONFIG": str(reader)})
    assert f"ok      permissions you may get, list, watch fireworksdeployments in namespace {team.namespace}" in told
    assert "failed  permissions you may not create, update, patch, delete fireworksdeployments" in told
    assert "is installed; you may not read it, so its version is unknown" in told
    account = f"system:serviceaccount:{team.namespace}:reader"
    for option in ("--as", "--subject"):
        told = plugin("doctor", "-n", team.namespace, option, account, code=1)
        assert f"failed  permissions {account} may not patch fireworksdeployments in namespace" in told
        assert f"failed  permissions {account} may not get secrets in namespace" in told
    told = plugin("doctor", "-n", team.namespace, "--subject", account, code=1, env={"KUBECONFIG": str(reader)})
    assert "use an account that may create subjectaccessreviews, or omit --subject" in told


def test_doctor_as_another_user_sees_what_that_one_sees(
    team: Team, plugin: Plugin, cluster: LocalCluster, tmp_path: Path
) -> None:
    team.create()
    team.until_ready()
    told = plugin("doctor", "-n", team.namespace, "--as", "jane", code=1)
    assert "failed  permissions jane may not get, list, watch fireworksdeployments in namespace" in told
    assert "its version is unknown" in told
    assert plugin("doctor", "-n", team.namespace, "--as", "jane", "--as-group", "system:masters").count("ok  ") == 8
    assert "cannot list resource" in plugin.refuse("list", "-n", team.namespace, "--as", "jane")
    assert "chat" in plugin("list", "-n", team.namespace, "--as", "jane", "--as-group", "system:masters")


# --- which cluster, and what goes wrong ------------------------------------------------------------------------------


def test_the_first_of_several_kubeconfigs_names_the_context_as_with_kubectl(
    team: Team, plugin: Plugin, cluster: LocalCluster, tmp_path: Path
) -> None:
    team.create()
    config: Json = json.loads(cluster.kubeconfig.read_text())
    config["contexts"] = [
        {"name": "mine", "context": {**config["contexts"][0]["context"], "namespace": team.namespace}},
        {"name": "bare", "context": config["contexts"][0]["context"]},
    ]
    config["current-context"] = "mine"
    here = tmp_path / "here"
    here.write_text(json.dumps(config))
    elsewhere = changed_kubeconfig(cluster.kubeconfig, tmp_path / "elsewhere", server="https://127.0.0.1:1")
    elsewhere.write_text(elsewhere.read_text().replace('"local"', '"far"'))
    files = {"KUBECONFIG": f"{here}:{elsewhere}"}
    assert plugin("status", "chat", env=files).startswith(f"Resource: {team.namespace}/chat\n")
    assert "in namespace default" in plugin.refuse("status", "chat", "--context", "bare", env=files)
    assert "127.0.0.1:1" in plugin.refuse("list", "--context", "far", env=files)
    assert "only bare, far, mine" in plugin.refuse("list", "--context", "other", env=files)
    assert "127.0.0.1:1" in plugin.refuse("list", "--cluster", "far", env=files)
    assert 'there is no cluster "nowhere"' in plugin.refuse("list", "--cluster", "nowhere", env=files)
    assert 'there is no user "nobody"' in plugin.refuse("list", "--user", "nobody", env=files)


@pytest.mark.parametrize(
    ("words", "variables", "says"),
    [
        (["list"], {"KUBECONFIG": "/nowhere"}, "KUBECONFIG does not refer to an existing file (/nowhere)"),
        (["list"], {"KUBECONFIG": ""}, "No Kubernetes configuration found"),
        (["status", "nobody"], {}, 'no FireworksDeployment "nobody"'),
        (["orphans"], {"FIREWORKS_API_KEY": ""}, "set FIREWORKS_API_KEY"),
        (["orphans"], {"FIREWORKS_API_KEY": "fw_wrong-key"}, "Set FIREWORKS_API_KEY to a valid API key."),
        (["import", "x"], {"FIREWORKS_BASE_URL": "http://127.0.0.1:1"}, "Check FIREWORKS_BASE_URL and the network."),
    ],
)
def test_mistakes_are_told_in_a_sentence_with_the_way_out(
    plugin: Plugin, words: list[str], variables: dict[str, str], says: str
) -> None:
    told = plugin.refuse(*words, env=variables)
    assert told.startswith("Error: ")
    assert says in told
    assert len(told.splitlines()) == 1


def test_who_may_not_list_is_told_which_right_is_missing(
    team: Team, plugin: Plugin, cluster: LocalCluster, tmp_path: Path
) -> None:
    nobody = Namespace(cluster, team.namespace).kubeconfig_of(tmp_path, "nobody")
    told = plugin.refuse("list", env={"KUBECONFIG": str(nobody)})
    assert "cannot list resource" in told
    assert "kubectl fireworks doctor" in told


def test_kubectl_completes_commands_options_and_names(team: Team, plugin: Plugin, cluster: LocalCluster) -> None:
    team.create("chat")
    team.create("code")
    kubectl = cluster.kubectl_program()

    def offered(*words: str) -> list[str]:
        path = f"{kubectl.program.parent}{os.pathsep}{plugin.environment['PATH']}"
        own = {"KUBECACHEDIR": str(kubectl.cache), "KUBERC": "off", "PATH": path}
        done = plugin.run(str(kubectl.program), "__complete", "fireworks", *words, env=own)
        *lines, directive = done.stdout.splitlines()
        assert directive == ":4", "no file names"
        return [line.split("\t")[0] for line in lines]

    commands = ["cost", "doctor", "endpoint", "import", "list", "orphans", "plan", "query", "shapes", "status"]
    assert offered("") == commands
    assert offered("status", "-n", team.namespace, "co") == ["code"]
    assert offered("query", "-n", team.namespace, "co") == ["code"]
    assert offered("list", "-o", "") == ["wide", "name", "json", "yaml"]
    assert team.namespace in offered("list", "-n", "")
    assert offered("status", "--wa") == ["--watch"]
