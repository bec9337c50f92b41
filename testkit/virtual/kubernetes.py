"""What the operator does at the API server in memory: writes, Secret reads and events, each perhaps its last."""

from collections import defaultdict
from collections.abc import Mapping

from fireworks_operator.api.budget import FireworksBudget, FireworksBudgetStatus
from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import FireworksDeployment, FireworksDeploymentStatus
from fireworks_operator.ports import EventType, SecretExcerpt
from testkit.virtual.api_server import ApiServer, Event
from testkit.virtual.gate import Gate, Lease

MARGIN = 9.0
"""Seconds of the Lease that must be left when a change is begun."""


class GatedKubernetes:
    """The operator's writes, Secret reads and events, through the gate."""

    def __init__(self, server: ApiServer, gate: Gate, lease: Lease, held: defaultdict[str, set[str]]) -> None:
        self._server = server
        self._gate = gate
        self._lease = lease
        self._held = held

    async def add_finalizer(self, resource: FireworksDeployment) -> FireworksDeployment:
        self._gate.cross()
        stored = self._server.add_finalizer(resource)
        self._gate.cross()
        return FireworksDeployment.parse(stored)

    async def remove_finalizer(self, resource: FireworksDeployment) -> FireworksDeployment | None:
        self._gate.cross()
        stored = self._server.remove_finalizer(resource)
        self._gate.cross()
        return None if stored is None else FireworksDeployment.parse(stored)

    async def write_status(
        self, resource: FireworksDeployment, status: FireworksDeploymentStatus
    ) -> FireworksDeployment:
        self._gate.cross()
        stored = self._server.write_status(resource, status)
        self._gate.cross()
        return FireworksDeployment.parse(stored)

    async def write_budget_status(self, budget: FireworksBudget, status: FireworksBudgetStatus) -> FireworksBudget:
        self._gate.cross()
        stored = self._server.write_budget_status(budget, status)
        self._gate.cross()
        return FireworksBudget.parse(stored)

    async def put(self, resource: FireworksDeployment, name: str, data: Mapping[str, str]) -> None:
        self._gate.cross()
        self._server.put_config_map(resource, name, data)
        self._gate.cross()

    async def remove(self, resource: FireworksDeployment, name: str) -> None:
        self._gate.cross()
        self._server.remove_config_map(resource, name)
        self._gate.cross()

    async def read(
        self, namespace: str, name: str, wanted: tuple[str, ...], *, fresh: bool = False
    ) -> SecretExcerpt | None:
        self._gate.cross()
        data = self._server.secrets.get((namespace, name))
        self._held[namespace] |= {each[:1000].decode(errors="replace").strip() for each in (data or {}).values()}
        return None if data is None else SecretExcerpt.of(data, wanted, *self._server.secrets.versions[namespace, name])

    def record(self, resource: FireworksDeployment, kind: EventType, reason: Reason, message: str) -> None:
        self._server.events.append(Event(resource.ref, kind, reason, message))
        if kind == "Warning":
            self._server.warned.add(resource.metadata.uid)

    def may_mutate(self) -> bool:
        return self._lease.left() >= MARGIN

    async def crd_deleting(self) -> bool:
        self._gate.cross()
        return False
