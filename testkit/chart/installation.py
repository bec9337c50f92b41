"""The chart installed in a cluster, and its service account as somebody whose rights can be asked for and used."""

import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from fireworks_operator.api.kinds import KINDS
from fireworks_simulator.testing import SimulatorClient
from testkit.chart.rendered import Manifests
from testkit.forked import ForkedOperator
from testkit.kubernetes import Cluster, GivenCluster
from testkit.kubernetes.definitions import until_established
from testkit.kubernetes.files import write_private
from testkit.kubernetes_api import Json, KubernetesApi
from testkit.processes import FAST, Operator, SimulatorProcess
from testkit.team import SECRET, Team, new_api_key


@dataclass(frozen=True, slots=True)
class Right:
    """One thing to do: `get secrets team-a/fireworks`, without a namespace `get namespaces kube-system`."""

    verb: str
    resource: str
    place: str = ""

    @property
    def attributes(self) -> Json:
        """As a SubjectAccessReview wants it."""
        plain, _, group = self.resource.partition(".")
        plain, _, subresource = plain.partition("/")
        namespace, slash, name = self.place.partition("/")
        return {
            "verb": self.verb,
            "group": group,
            "resource": plain,
            "subresource": subresource,
            "namespace": namespace if slash else "",
            "name": name if slash else self.place,
        }

    def __str__(self) -> str:
        return f"{self.verb} {self.resource} {self.place}".rstrip()


@dataclass(frozen=True, slots=True)
class Installation:
    """What was rendered, applied to a cluster.

    Attributes:
        cluster: where.
        manifests: what the chart rendered.
        namespace: of the operator.
        managed: namespace whose resources it manages.
        other: namespace that it manages only if it manages all.
    """

    cluster: Cluster | GivenCluster
    manifests: Manifests
    namespace: str
    managed: str
    other: str

    @property
    def account(self) -> str:
        """Name of the service account."""
        return str(self.manifests.pod["serviceAccountName"])

    @property
    def everywhere(self) -> bool:
        """Whether it manages all namespaces."""
        return not self.manifests.environment()["FIREWORKS_OPERATOR_WATCH_NAMESPACES"]

    def apply(self) -> None:
        """Create namespaces and objects."""
        for name in (self.namespace, self.managed, self.other):
            self.cluster.kubectl("create", "namespace", name)
        text = "\n---\n".join(map(json.dumps, self.manifests))
        self.cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=text)
        until_established(self.cluster, *(f"crd/{each.crd}" for each in KINDS))

    def remove(self) -> None:
        """Delete all but the CRD, which other tests use."""
        cluster_wide = [each for each in self.manifests if each["kind"].startswith("ClusterRole")]
        if cluster_wide:
            text = "\n---\n".join(map(json.dumps, cluster_wide))
            self.cluster.kubectl("delete", "--ignore-not-found", "-f", "-", input=text)
        self.cluster.kubectl("delete", "namespace", "--wait=false", self.namespace, self.managed, self.other)

    def may(self, api: KubernetesApi, right: Right, *, user: str | None = None) -> bool:
        """Ask the API server whether the service account, or a user, has a right."""
        groups = ["system:authenticated"]
        if user is None:
            user = f"system:serviceaccount:{self.namespace}:{self.account}"
            groups += ["system:serviceaccounts", f"system:serviceaccounts:{self.namespace}"]
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "groups": groups, "resourceAttributes": right.attributes},
        }
        answer = api.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        return bool(answer["status"]["allowed"])

    def kubeconfig(self, directory: Path) -> Path:
        """Write a kubeconfig with a token of the service account."""
        command = ("create", "token", self.account, "--namespace", self.namespace, "--duration=1h")
        token = self.cluster.kubectl(*command).stdout.strip()
        config = yaml.safe_load(self.cluster.kubeconfig.read_text())
        config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
        path = directory / "service-account.kubeconfig"
        write_private(path, json.dumps(config))
        return path

    def operator(self, base_url: str, directory: Path) -> Operator:
        """Return the operator with settings and service account of the chart, for a simulator; not started yet.

        The address of the API, a free port and short intervals are the test's.
        """
        of_the_test = {"FIREWORKS_BASE_URL", "FIREWORKS_OPERATOR_HEALTH_PORT", *FAST}
        chart = {**self.manifests.environment(), "FIREWORKS_OPERATOR_NAMESPACE": self.namespace}
        settings = {name: value for name, value in chart.items() if name not in of_the_test}
        log = directory / "operator.log"
        return ForkedOperator(self.kubeconfig(directory), base_url, log, api_key=None, settings=settings)

    def make_team(self, simulator: SimulatorProcess, operator: Operator, namespace: str) -> Team:
        """Give a namespace an account and a Secret with its key."""
        key, account = new_api_key(), SimulatorClient(simulator.url, namespace)
        team = Team(KubernetesApi(self.cluster.kubeconfig), account, namespace, key, operator)
        team.simulator.add_account(namespace, key)
        team.put_secret(SECRET, apiKey=key)
        return team
