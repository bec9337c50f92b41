"""Pages for those who have the operator: their commands do what the text around them says."""

import json
import sys
from pathlib import Path

import httpx

from testkit.documentation.commands import inline_commands
from testkit.documentation.pages import PAGES
from testkit.documentation.reader import KEY, Reader
from testkit.processes import Operator
from testkit.team import Team
from testkit.waiting import eventually


def test_overview(reader: Reader, team: Team, tmp_path: Path) -> None:
    manifest = tmp_path / "llama.yaml"
    terminal = reader.terminal()
    table = {
        "llama.yaml": str(manifest),
        "oci://registry.example.com/charts/fireworks-operator --version 0.1.0": "charts/fireworks-operator",
        # The CRD of these tests is there already, and no node that would run the pods: the operator runs beside them.
        "--create-namespace": "--create-namespace --set crds.install=false",
    }
    with reader.follow("docs/index.md", table, terminal=terminal) as page:
        manifest.write_text(next(page.manifests()))
        page.run("helm install")
        terminal.run("helm uninstall fireworks-operator --namespace fireworks-system")
        page.run("kubectl apply")
        assert team.deployment()["state"] == "READY"
        page.run("kubectl delete")
        assert team.find("llama") is None


def test_cost_safety(reader: Reader, team: Team) -> None:
    team.create()
    team.until_ready()
    with reader.follow("docs/how-to/cost-safety.md", {"NAME": "chat"}) as page:
        page.run("kubectl patch")
        team.until("chat", "Ready", "True", "Parked")
        page.run("kubectl annotate")


def test_cost(reader: Reader, team: Team) -> None:
    team.create()
    team.until_ready()
    terminal = reader.terminal(
        programs=Path(sys.executable).parent, FIREWORKS_API_KEY=KEY, FIREWORKS_BASE_URL=team.simulator.url
    )
    with reader.follow("docs/how-to/cost.md", {"-n team-a": f"-n {team.namespace}"}, terminal=terminal) as page:
        said = page.run("kubectl get")
        assert "8.00" in said
        assert json.loads(said.splitlines()[-1])["gpus"] == 1
        ask = f"kubectl fireworks cost -n {team.namespace}"
        eventually(lambda: "chat" in terminal.run(ask)[0], "a second of it is on the bill")
        said = page.run("kubectl fireworks cost")
        assert said.split()[:5] == ["NAMESPACE", "NAME", "GPU-HOURS", "USD", "METER"]
        (line,) = json.loads(terminal.run(f"{ask} -o json")[0])
        assert line["gpuSeconds"] > 0
        assert line["meteredGpuSeconds"] > 0


def test_plan(reader: Reader, team: Team, tmp_path: Path) -> None:
    terminal = reader.terminal(
        programs=Path(sys.executable).parent,
        folder=tmp_path,
        FIREWORKS_API_KEY=KEY,
        FIREWORKS_BASE_URL=team.simulator.url,
    )
    (tmp_path / "chat.yaml").write_text(json.dumps(team.manifest("chat", {}, {"acceleratorCount": 2})))
    with reader.follow("docs/how-to/plan.md", terminal=terminal) as page:
        said = page.run("kubectl fireworks plan", code=2)
    assert "Total: GPUs 0 → 2, at most 0 → 2 (+2); cost $0.00/h → $16.00/h" in said


def test_autoscale(reader: Reader, team: Team) -> None:
    team.create(minReplicaCount=1, maxReplicaCount=4)
    team.until_ready()
    with reader.follow("docs/how-to/autoscale.md") as page:
        assert "scaled" in page.run("kubectl scale")
        team.eventually(lambda: team.deployment()["minReplicaCount"] == 2, "the minimum is set at Fireworks")


def test_connect(reader: Reader, team: Team) -> None:
    team.put_secret("fireworks", apiKey=team.api_key)
    with reader.follow("docs/how-to/connect.md") as page:
        reader.apply(next(page.manifests()))
        team.until_ready()
        assert "OPENAI_MODEL" in eventually(lambda: page.run("kubectl get configmap"), "it is written")


def test_router(reader: Reader, team: Team) -> None:
    with reader.follow("docs/how-to/router.md") as page:
        reader.apply(next(page.manifests()))
        team.until_ready("routed")
        assert page.run("kubectl get") == f"accounts/{team.account}/routers/chat"


def test_schedules(reader: Reader, team: Team) -> None:
    with reader.follow("docs/how-to/schedules.md", {"NAME": "office"}) as page:
        reader.apply(next(page.manifests()))
        team.until_ready("office")
        assert page.run("kubectl get") == '["office-hours"]'
    (schedule,) = team.deployment()["autoscalingPolicy"]["scalingSchedules"].values()
    assert (schedule["duration"], schedule["timezone"]) == ("36000s", "Europe/Berlin")


def test_call(reader: Reader, team: Team) -> None:
    team.create()
    team.until_ready()
    terminal = reader.terminal(programs=Path(sys.executable).parent, FIREWORKS_API_KEY=KEY)
    with reader.follow("docs/how-to/call.md", terminal=terminal) as page:
        said = page.run("eval")
    assert '"object":"chat.completion"' in said
    assert '"object":"text_completion"' in said


def test_direct_route(reader: Reader, team: Team) -> None:
    with reader.follow("docs/how-to/direct-route.md") as page:
        page.run("kubectl create secret")
        reader.apply(next(page.manifests()))
        assert page.run("kubectl wait").splitlines()[-1].endswith(".direct.fireworks.example.com")
        page.run("kubectl patch secret")
    team.until_ready("direct")
    (patch,) = team.journal("PATCH", r"/deployments/")
    assert isinstance(patch.body, dict)
    assert patch.body["directRouteApiKeys"] == ["FIRST_KEY", "NEXT_KEY"]


def test_import(reader: Reader, team: Team) -> None:
    make_by_hand(reader, "my-deployment", baseModel="accounts/fireworks/models/llama-v3p1-8b-instruct")
    with reader.follow("docs/how-to/import.md") as page:
        reader.apply(next(page.manifests()))
        team.until_ready("imported")
        assert "annotations" not in team.deployment()
        page.run("kubectl patch")
        team.eventually(lambda: team.deployment().get("annotations"), "the operator's marker is on it")


def test_lora_addons(reader: Reader, team: Team) -> None:
    base = "accounts/fireworks/models/llama-v3p2-3b-instruct"
    for name in ("support-en", "support-de"):
        reader.simulator.add_model(f"accounts/acme/models/{name}", kind="HF_PEFT_ADDON", baseModel=base)
    with reader.follow("docs/how-to/lora-addons.md") as page:
        reader.apply(next(page.manifests()))
        team.until_ready("support")
        identifiers = page.run("kubectl wait").splitlines()[-2:]
    deployment = team.status("support")["deploymentName"]
    assert identifiers == [f"accounts/acme/models/support-{each}#{deployment}" for each in ("en", "de")]


def test_multi_tenancy_and_rotate_keys(reader: Reader, operator: Operator, team: Team) -> None:
    keys = {"YOUR_API_KEY": "fw_first-of-team-a", "NEW_KEY": "fw_second-of-team-a"}
    old = reader.simulator.add_account("globex", keys["YOUR_API_KEY"])
    reader.create_namespaces("team-a")
    with reader.follow("docs/how-to/multi-tenancy.md", keys) as page:
        page.run("kubectl --namespace team-a create secret")
        reader.apply(next(page.manifests()))
    theirs = Team(team.api, team.simulator, "team-a", keys["YOUR_API_KEY"], operator)
    assert theirs.until_ready()["status"]["account"] == "globex"
    reader.simulator.add_key(keys["NEW_KEY"], account="globex")
    with reader.follow("docs/how-to/rotate-keys.md", keys) as page:
        page.run("kubectl --namespace team-a create secret")
        reader.simulator.revoke_key(old, account="globex")
    theirs.change(minReplicaCount=2)
    theirs.until_ready()


def test_gitops(reader: Reader) -> None:
    reader.create_namespaces("argocd")
    reader.cluster.kubectl("create", "configmap", "argocd-cm", "--namespace=argocd", "--from-literal=url=kept")
    with reader.follow("docs/gitops.md") as page:
        page.run("kubectl patch configmap argocd-cm")
    found = reader.cluster.kubectl("get", "configmap", "argocd-cm", "--namespace=argocd", "-o", "json").stdout
    data = json.loads(found)["data"]
    assert data.pop("url") == "kept"
    assert "resource.customizations.health.fireworks.ai_FireworksDeployment" in data


def test_troubleshooting(reader: Reader, team: Team) -> None:
    team.create()
    team.until_ready()
    with reader.follow("docs/troubleshooting.md", {"NAME": "chat"}) as page:
        assert "Serving" in page.run("# The column REASON")
        page.run("kubectl annotate --overwrite")
        ask(reader, team)
        team.delete()
        team.until("chat", "Stalled", "True", "DeletionBlocked")
        page.run("kubectl annotate fwd chat fireworks.ai/ignore-checks")
        team.until_gone()
        team.create()
        team.until_ready()
        ask(reader, team)
        team.delete()
        team.until("chat", "Stalled", "True", "DeletionBlocked")
        page.run("kubectl annotate fwd chat fireworks.ai/abandon")
        team.until_gone()
    assert len(team.deployments()) == 1, "it keeps incurring charges"


def test_commands_in_the_running_text(reader: Reader, team: Team) -> None:
    """Those of the plugin apart, which has a page of its own."""
    team.create()
    team.until_ready()
    found = {command for page in PAGES for command in inline_commands(page) if "kubectl fireworks" not in command}
    assert len(found) >= 12
    for command in sorted(found, key=lambda each: "delete" in each):
        reader.terminal().run(command.replace("NAME", "chat").replace("OPERATOR", "default"))
    team.until_gone()


def make_by_hand(reader: Reader, deployment: str, **fields: object) -> None:
    """Create a deployment as somebody does who knows nothing of Kubernetes."""
    body = {"acceleratorType": "NVIDIA_H100_80GB", "minReplicaCount": 1, **fields}
    url = f"{reader.simulator.url}/v1/accounts/acme/deployments"
    with httpx.Client(trust_env=False, headers={"Authorization": f"Bearer {KEY}"}) as client:
        query = {"deploymentId": deployment, "acceptShapelessRisk": "true"}
        client.post(url, params=query, json=body).raise_for_status()
    ready = "the deployment that somebody made is READY"
    eventually(lambda: reader.simulator.deployment(deployment)["state"] == "READY", ready)


def ask(reader: Reader, team: Team) -> None:
    """Send a request to the deployment, which is in use from then on."""
    status = team.status()
    body = {"model": status["modelIdentifier"], "messages": [{"role": "user", "content": "Hello!"}]}
    with httpx.Client(trust_env=False, headers={"Authorization": f"Bearer {KEY}"}) as client:
        client.post(f"{status['endpoint']}/chat/completions", json=body).raise_for_status()
