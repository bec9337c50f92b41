"""Pages about the programs beside the operator, which are installed as these pages say."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest

from testkit.documentation.pages import DOCS, blocks
from testkit.documentation.reader import KEY, Reader, publish
from testkit.documentation.terminal import Terminal
from testkit.kubernetes import Cluster, GivenCluster
from testkit.kubernetes.parts import free_ports
from testkit.namespaces import Namespace

pytestmark = pytest.mark.timeout(600)
VIEWER = ("get,list,watch fireworksdeployments.fireworks.ai", "get secrets")


@pytest.fixture
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of a fresh Python environment."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    return folder / "bin"


def with_pipx(programs: Path) -> dict[str, str]:
    """Install pipx, and return the variables by which it installs programs beside itself."""
    subprocess.run([programs / "pip", "install", "--quiet", "pipx"], check=True)
    return {"PIPX_HOME": str(programs.parent / "pipx"), "PIPX_BIN_DIR": str(programs)}


@pytest.mark.proof
def test_the_plugin(
    reader: Reader, crd: None, programs: Path, own_cluster: Cluster | GivenCluster, tmp_path: Path
) -> None:
    terminal = reader.terminal(
        programs=programs, folder=publish(tmp_path), FIREWORKS_API_KEY=KEY, **with_pipx(programs)
    )
    operator = reader.operator(tmp_path / "operator.log").start()
    team = reader.team(operator)
    reader.create_namespaces("team-a")
    reader.cluster.kubectl("create", "secret", "generic", "fireworks", "-n", "team-a", f"--from-literal=apiKey={KEY}")
    with reader.follow("docs/kubectl-plugin.md", terminal=terminal) as page:
        page.run("pipx install")
        shown = terminal.run("kubectl fireworks --version", "fireworks-operator --version")
        assert shown == [f"{version('fireworks-operator')}\n"] * 2

        reader.simulator.set_clock(stepped=True)
        team.create(maxReplicaCount=4)
        watch = page.start("kubectl fireworks status chat --watch")
        for stage in ("scheduling", "downloading", "initializing"):
            watch.until(f"{stage} (stage")
            reader.simulator.advance(0.35)
        watch.end_by_itself()
        reader.simulator.set_clock(stepped=False)

        assert "This is accounts/fireworks/models/" in page.run("kubectl fireworks query")
        assert "fast" in page.run("kubectl fireworks shapes")
        page.run("eval")
        assert terminal.run('echo "$OPENAI_MODEL $OPENAI_API_KEY"') == [f"{team.status()['modelIdentifier']} {KEY}\n"]

        reader.simulator.create_foreign()
        page.run("kubectl fireworks import")
        listed = terminal.run("kubectl fireworks list -n team-a -o json")[0]
        assert [each["name"] for each in json.loads(listed)] == ["foreign-0"]

        page.run("kubectl fireworks doctor", code=1, terminal=viewer(reader, own_cluster, programs, tmp_path))

        assert "orphans" in terminal.run('kubectl __complete fireworks ""')[0]
    operator.stop()


def viewer(reader: Reader, cluster: Cluster | GivenCluster, programs: Path, folder: Path) -> Terminal:
    """Return the terminal of somebody who may look at resources in team-a, and read CRDs."""
    kubeconfig = Namespace(cluster, "team-a").kubeconfig_of(folder, "viewer", *VIEWER)
    cluster.kubectl("create", "clusterrole", "crds", "--verb=get", "--resource=customresourcedefinitions")
    cluster.kubectl("create", "clusterrolebinding", "crds", "--clusterrole=crds", "--serviceaccount=team-a:viewer")
    return reader.terminal(programs=programs, KUBECONFIG=str(kubeconfig))


@pytest.mark.proof
def test_the_simulator(reader: Reader, crd: None, programs: Path, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    terminal = reader.terminal(programs=programs, folder=publish(tmp_path), **with_pipx(programs))
    with reader.follow("docs/simulator.md", {"8090": str(port)}, terminal=terminal) as page:
        simulator = page.start("pipx install")
        simulator.until("listening on", within=300)
        simulator.compare()
        another = reader.terminal(programs=programs)
        assert another.run("fireworks-simulator --version") == [f"{version('fireworks-operator')}\n"]
        others = page.start("curl", terminal=reader.terminal(programs=programs))
        others.until('"accounts/acme"')
        others.until("serves /metrics")
        others.end()


def test_the_simulator_in_the_process_of_a_test() -> None:
    """The Python of its page."""

    def client_under_test(base_url: str, api_key: str, account: str) -> None:
        url = f"{base_url}/v1/accounts/{account}/deployments"
        body = {"baseModel": "accounts/fireworks/models/llama-v3p1-8b-instruct", "acceleratorType": "NVIDIA_H100_80GB"}
        with httpx.Client(trust_env=False, headers={"Authorization": f"Bearer {api_key}"}) as client:
            client.post(
                url, params={"deploymentId": "chat", "acceptShapelessRisk": "true"}, json=body
            ).raise_for_status()
            client.get(f"{url}/chat").raise_for_status()

    for code in blocks((DOCS / "simulator.md").read_text(), "python"):
        exec(code, {"client_under_test": client_under_test})  # noqa: S102 - it is what the page says
