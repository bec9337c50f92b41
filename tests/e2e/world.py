"""What is around the operator: the cluster, Fireworks, somebody's resource and somebody who uses it."""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from fireworks_simulator.testing import SimulatorClient
from testkit.documentation.script import Script
from testkit.documentation.terminal import Terminal
from testkit.kubernetes import Cluster, GivenCluster
from testkit.waiting import eventually
from tests.e2e.image import name_of
from tests.e2e.rehearsal import Rehearsal

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
EXAMPLE = ROOT / "examples/plain.yaml"
KIND, NAME = "fireworksdeployments.fireworks.ai", "chat"

FIREWORKS, TEAM, SYSTEM = "fireworks", "team", "fireworks-system"
NAMESPACES = (FIREWORKS, TEAM, SYSTEM)
SECRET, API_KEY = "fireworks-api-key", "fw_simulator"
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"


class World:
    """Everything but the operator itself.

    Args:
        cluster: Kubernetes, with nodes.
        rehearsal: The release that its images are of; None: they are in the cluster already.
    """

    def __init__(self, cluster: Cluster | GivenCluster, rehearsal: Rehearsal | None) -> None:
        self.cluster = cluster
        self._rehearsal = rehearsal
        self._forward: subprocess.Popen[str] | None = None

    def build(self) -> None:
        """Make the namespaces and start the simulator."""
        self.kubectl("apply", "-f", str(HERE / "simulator.yaml"))
        for namespace in (TEAM, SYSTEM):
            self.kubectl("create", "namespace", namespace)
            self.kubectl("label", "namespace", namespace, RESTRICTED)
            # By standard input: an argument could be read by every process of the machine.
            secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"apiKey": API_KEY, "accountId": "acme"}}
            secret["metadata"] = {"name": SECRET, "namespace": namespace}
            self.kubectl("create", "-f", "-", text=json.dumps(secret))
        self.kubectl("rollout", "status", "deployment/simulator", "-n", FIREWORKS, "--timeout=120s")

    def close(self) -> None:
        """End what runs outside the cluster."""
        if self._forward is not None:
            self._forward.kill()
            self._forward.communicate()

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl and return what it printed."""
        return self.cluster.kubectl(*arguments, input=text).stdout

    def follow(self, name: str, table: Mapping[str, str], folder: Path) -> Script:
        """Open a page, to run its commands that need pods; `folder` is a new one for the terminal."""
        kubectl = self.cluster.kubectl_program()
        (folder / "programs").mkdir(parents=True)
        (folder / "programs/kubectl").symlink_to(kubectl.program.resolve())
        variables = {"KUBECONFIG": str(kubectl.kubeconfig), "KUBECACHEDIR": str(kubectl.cache), "KUBERC": "off"}
        terminal = Terminal(folder / "state", ROOT, [folder / "programs"], variables)
        return Script(name, terminal, table, elsewhere="make e2e")

    def get(self, *arguments: str) -> dict[str, Any]:
        """Return an object, or a list of them."""
        found: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "-o", "json"))
        return found

    def resource(self) -> dict[str, Any]:
        """Return the resource of the example."""
        return self.get(KIND, NAME, "-n", TEAM)

    def wait_for_ready(self, seconds: int = 120) -> None:
        """Wait until the resource is Ready."""
        self.kubectl("wait", "--for=condition=Ready", f"{KIND}/{NAME}", "-n", TEAM, f"--timeout={seconds}s")

    def simulator_address(self) -> str:
        """Return the base URL of the Service; by address, since not every cluster has DNS."""
        address = self.get("service", "simulator", "-n", FIREWORKS)["spec"]["clusterIP"]
        return f"http://{address}:8090"

    def simulator(self) -> SimulatorClient:
        """Return the admin side of the simulator."""
        if self._forward is None:
            kubectl = self.cluster.kubectl_program()
            command = kubectl.command("port-forward", "-n", FIREWORKS, "service/simulator", ":8090")
            self._forward = subprocess.Popen(command, env=kubectl.environment(), stdout=subprocess.PIPE, text=True)
            assert self._forward.stdout is not None
            self._port = re.search(r"127\.0\.0\.1:(\d+)", self._forward.stdout.readline())
        assert self._port is not None, "kubectl port-forward did not say where"
        return SimulatorClient(f"http://127.0.0.1:{self._port[1]}")

    def creations(self) -> int:
        """Return how often a deployment was asked for."""
        return len(self.simulator().journal(method="POST", path=r"/deployments$"))

    def runs(self, target: str, status: dict[str, Any]) -> bool:
        """Whether a container, by its status, runs the image that was built.

        A given cluster never pulls it, so it has it from nowhere else. Our own has pulled it, by digest.
        """
        if self._rehearsal is None:
            return str(status["image"]).endswith(name_of(target))
        digest = self._rehearsal.images[target].rpartition("@")[2]
        return str(status["imageID"]) == f"{self._rehearsal.plan.repository(target)}@{digest}"

    def ask(self) -> dict[str, str]:
        """Have a pod ask for a chat completion, with nothing but what status says and a key; return the answer."""
        status = self.resource()["status"]
        pod = yaml.safe_load((HERE / "client.yaml").read_text())
        key = {"secretKeyRef": {"name": SECRET, "key": "apiKey"}}
        pod["spec"]["containers"][0]["env"] = [
            {"name": "ENDPOINT", "value": status["endpoint"]},
            {"name": "MODEL", "value": status["modelIdentifier"]},
            {"name": "API_KEY", "valueFrom": key},
        ]
        name = self.kubectl("create", "-n", TEAM, "-o", "name", "-f", "-", text=json.dumps(pod)).strip()

        def ended() -> str | None:
            phase: str = self.get(name, "-n", TEAM)["status"]["phase"]
            return phase if phase in ("Succeeded", "Failed") else None

        phase = eventually(ended, f"{name} ends", within=60, interval=0.5)
        log = self.kubectl("logs", name, "-n", TEAM)
        assert phase == "Succeeded", log
        answer: dict[str, str] = json.loads(log)
        return answer
