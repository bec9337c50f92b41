"""Another cluster: a Kubernetes and an operator of its own, with a key of the same Fireworks account."""

from collections.abc import Mapping

from fireworks_operator.api.v1alpha1 import ANNOTATION_IGNORE_CHECKS
from fireworks_operator.controller.accounts.key_source import OwnCredential
from fireworks_operator.controller.passes.surroundings import Identity
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_simulator.testing import JournalEntry
from testkit.promises.specs import Spec
from testkit.virtual.api_server import ApiServer
from testkit.virtual.conduct import Conduct
from testkit.virtual.fireworks import NEIGHBOUR_KEY, Fireworks, Snapshot
from testkit.virtual.gate import Lease
from testkit.virtual.loop import VirtualLoop
from testkit.virtual.process import OWN_NAMESPACE, SHAPELESS, Process, Surroundings

NEIGHBOUR = "neighbour"
"""The user agent of its operator."""
SAME_ID, OTHER_ID = "model-cluster", "neighbour-cluster"
"""The cluster's id: copied along with somebody's values, or its own."""


class Neighbour:
    """The other cluster; nothing goes wrong there, and it lives when it is told to."""

    def __init__(
        self, fireworks: Fireworks, loop: VirtualLoop, *, cluster: str, uid: str, holders: Mapping[str, str]
    ) -> None:
        self.server = ApiServer(fireworks.now)
        self.cluster = cluster
        self._conduct = Conduct(cluster, NEIGHBOUR, holders=dict(holders))
        self._loop = loop
        namespaces = frozenset({OWN_NAMESPACE, "team-a"})
        around = Surroundings(
            Lease(loop.time),
            fireworks.now,
            Identity(cluster, (), namespaces, create_query=SHAPELESS, cluster_uid=uid),
            OwnCredential(ApiKey(NEIGHBOUR_KEY), None, namespaces),
            NEIGHBOUR,
        )

        async def start() -> Process:
            return Process(self.server, fireworks, loop, around)

        self.process = loop.run_until_complete(start())

    def wish(self, ref: str, spec: Spec) -> None:
        """Create or change a resource."""
        spec = {name: value for name, value in spec.items() if name != "credentialsSecretRef"}
        if ref not in self.server.objects:
            self.server.create(ref, spec)

    def delete(self, ref: str) -> None:
        """Delete a resource, if it is there."""
        if ref in self.server.objects:
            self.server.annotate(ref, ANNOTATION_IGNORE_CHECKS, "true")
            self.server.delete(ref)

    def delete_all(self) -> None:
        """Delete every resource."""
        for ref in list(self.server.objects):
            self.delete(ref)

    def live(self) -> None:
        """Have its operator observe and do what is due."""

        async def live() -> None:
            for _ in range(2):
                self.process.watch()
                await self.process.work()
                await self.process.poll()
            await self.process.work()

        self._loop.run_until_complete(live())

    def forget(self, name: str) -> None:
        """A deployment is gone for good."""
        self._conduct.forget(name)

    def judge(self, entries: list[JournalEntry], before: Snapshot) -> None:
        """Judge what its operator has done.

        Raises:
            AssertionError: it breaks a promise.
        """
        self._conduct.judge(entries, before, self.server)

    def close(self) -> None:
        """End its operator."""
        self._loop.run_until_complete(self.process.close())
