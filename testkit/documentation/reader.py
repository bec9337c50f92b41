"""Where a reader of the documentation is: a cluster, Fireworks, a home folder, and a checkout of the project."""

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from fireworks_operator.api.v1alpha1 import ANNOTATION_ABANDON, FINALIZER
from fireworks_simulator.testing import SimulatorClient
from testkit.chart.binaries import find_helm
from testkit.documentation.pages import ROOT
from testkit.documentation.script import Script
from testkit.documentation.terminal import Terminal
from testkit.kubernetes import Cluster, GivenCluster
from testkit.kubernetes.build import binaries_root
from testkit.kubernetes.parts import find_binaries
from testkit.kubernetes_api import KubernetesApi
from testkit.processes import FAST, Operator, SimulatorProcess
from testkit.team import Team
from testkit.waiting import eventually

ACCOUNT, KEY = "acme", "fw_simulator"
KIND = "fireworksdeployments.fireworks.ai"
CLONE = "https://git.example.com/platform/fireworks-operator.git"
TABLE: Mapping[str, str] = {
    "https://api.fireworks.ai": "$FIREWORKS_BASE_URL",
    "fw_...": KEY,
}
"""What stands for itself nowhere but here."""


class Reader:
    """Somebody who follows the documentation, with the administrator's rights.

    Args:
        home: folder for all that is theirs.
        cluster: of the reader alone.
        fireworks: the simulator, as Fireworks.
    """

    def __init__(self, home: Path, cluster: Cluster | GivenCluster, fireworks: SimulatorProcess) -> None:
        self._home = home
        self.cluster = cluster
        self._fireworks = fireworks
        self._terminals = 0
        programs = home / "programs"
        programs.mkdir(parents=True)
        (programs / "kubectl").symlink_to(Path(cluster.kubectl_program().program).resolve())
        (programs / "helm").symlink_to(find_helm(4))
        (home / ".kube").mkdir()
        shutil.copy(cluster.kubeconfig, home / ".kube/config")
        self._programs = programs

    @property
    def simulator(self) -> SimulatorClient:
        """Fireworks, seen from behind."""
        return SimulatorClient(self._fireworks.url, ACCOUNT)

    def operator(self, log: Path) -> Operator:
        """Return the operator with a key of its own; not started yet."""
        settings = {"FIREWORKS_OPERATOR_ADOPTION_NAMESPACES": "default"}
        return Operator(self.cluster.kubeconfig, self._fireworks.url, log, api_key=KEY, settings=settings)

    def team(self, operator: Operator) -> Team:
        """Return the namespace of the reader's kubeconfig, for looking and waiting."""
        return Team(KubernetesApi(self.cluster.kubeconfig), self.simulator, "default", KEY, operator, own=True)

    def terminal(self, *, programs: Path | None = None, folder: Path = ROOT, **variables: str) -> Terminal:
        """Open a terminal in the checkout."""
        self._terminals += 1
        given = {
            "HOME": str(self._home),
            "KUBERC": "off",
            # Installing is what takes long here.
            "PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR", str(Path.home() / ".cache/pip")),
            "PIP_NO_COMPILE": "1",
            "FIREWORKS_CLUSTER_BIN": str(binaries_root()),
            # Wherever they are: this home has no store.
            "KUBEBUILDER_ASSETS": str(find_binaries(controllers=False).apiserver.parent),
            "FIREWORKS_BASE_URL": self._fireworks.url,
            "FIREWORKS_OPERATOR_HEALTH_HOST": "127.0.0.1",
            "FIREWORKS_OPERATOR_HEALTH_PORT": "0",
            **FAST,
        }
        first = [self._programs, *([] if programs is None else [programs])]
        return Terminal(self._home / f"terminal-{self._terminals}", folder, first, {**given, **variables})

    def follow(self, name: str, table: Mapping[str, str] | None = None, *, terminal: Terminal | None = None) -> Script:
        """Open a page, to go through it; `table` adds to what is written instead of placeholders."""
        return Script(name, terminal or self.terminal(), {**TABLE, **(table or {})})

    def apply(self, manifest: str) -> None:
        """Apply a manifest."""
        self.cluster.kubectl("apply", "--server-side", "-f", "-", input=manifest)

    def create_namespaces(self, *names: str) -> None:
        """Create namespaces that a page takes for granted."""
        for name in names:
            self.cluster.kubectl("create", "namespace", name)

    def tidy_up(self) -> None:
        """Remove all resources, and what Fireworks knows of them."""
        for each in self._resources():
            where = ("--namespace", each["metadata"]["namespace"], KIND, each["metadata"]["name"])
            self.cluster.kubectl("annotate", *where, "--overwrite", f"{ANNOTATION_ABANDON}=true", check=False)
            self.cluster.kubectl("delete", *where, "--wait=false", check=False)
        with contextlib.suppress(AssertionError):  # no operator runs any more
            eventually(lambda: not self._resources(), "all resources are gone", within=10)
        for each in self._resources():
            others = [name for name in each["metadata"].get("finalizers", []) if name != FINALIZER]
            patch = json.dumps({"metadata": {"finalizers": others}})
            where = ("--namespace", each["metadata"]["namespace"], KIND, each["metadata"]["name"])
            self.cluster.kubectl("patch", *where, "--type=merge", "--patch", patch, check=False)
        self.simulator.reset()

    def _resources(self) -> list[dict[str, dict[str, str]]]:
        listed = self.cluster.kubectl("get", KIND, "--all-namespaces", "-o", "json", check=False)
        return [] if listed.returncode else list(json.loads(listed.stdout)["items"])


def publish(folder: Path) -> Path:
    """Make a Git repository of the checkout as it is, and return it: what `git clone` gives to a reader."""
    repository = folder / "fireworks-operator"
    repository.mkdir(parents=True)
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (repository / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, repository / name)
    author = ("-c", "user.name=reader", "-c", "user.email=reader@example.com")
    for command in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message=All")):
        subprocess.run(["git", "-C", str(repository), *author, *command], check=True)
    return repository
