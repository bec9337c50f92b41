"""Whatever is done in whatever order, the service stays consistent with itself."""

import json
import random
from collections.abc import Callable

import pytest

from fireworks_simulator.catalogue import Model
from fireworks_simulator.entities import Deployment, LoadState, State
from fireworks_simulator.service import Request, Service
from fireworks_simulator.settings import Assumptions, Settings
from fireworks_simulator.wire import JsonObject
from fireworks_simulator.world import World
from tests.simulator.api import API_KEY, H100, LLAMA

ADDON = "accounts/acme/models/tone"
IDS = ["a", "b"]
COUNTS = [0, 1, 3]
SECONDS = [5, 61, 61, 301, 3700, 3700, 8 * 86_400]
STEPS = 400


class Drill:
    """Requests and jumps in time, chosen at random from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - repeatable on purpose
        assumptions = Assumptions(default_deployment_check=False)
        self.world = World(Settings(stepped=True, assumptions=assumptions))
        self.world.catalogue.models[ADDON] = Model(name=ADDON, kind="HF_PEFT_ADDON", base_model=LLAMA)
        self.service = Service(self.world)

    def send(self, method: str, path: str, body: object = None, query: str = "") -> tuple[int, JsonObject]:
        request = Request(
            method=method,
            path=path if path.startswith("/inference") else f"/v1/accounts/acme{path}",
            query=query.encode(),
            headers={b"authorization": f"Bearer {API_KEY}".encode()},
            body=b"" if body is None else json.dumps(body).encode(),
        )
        request.identify(self.world)
        reply, accepted = self.service.answer(request, {})
        assert accepted == (reply.status == 200)
        return reply.status, json.loads(reply.body)

    def bounds(self) -> dict[str, int]:
        return {"minReplicaCount": self.random.choice(COUNTS), "maxReplicaCount": self.random.choice(COUNTS)}

    def create(self, name: str) -> None:
        known = name in self.world.accounts["acme"].deployments
        body = {"baseModel": LLAMA, "acceleratorType": H100, "enableAddons": True, **self.bounds()}
        status, _ = self.send("POST", "/deployments", body, f"deploymentId={name}&acceptShapelessRisk=true")
        assert status in ((400, 409) if known else (200, 400))

    def change_bounds(self, name: str) -> None:
        mask = "updateMask=min_replica_count,max_replica_count"
        self.send("PATCH", f"/deployments/{name}", self.bounds(), mask)

    def change_context_length(self, name: str) -> None:
        body = {"maxContextLength": self.random.choice(COUNTS)}
        self.send("PATCH", f"/deployments/{name}", body, "updateMask=max_context_length")

    def delete(self, name: str) -> None:
        flags = f"hard={self.random.choice('tf')}&ignoreChecks={self.random.choice('tf')}"
        self.send("DELETE", f"/deployments/{name}", None, flags)

    def undelete(self, name: str) -> None:
        self.send("POST", f"/deployments/{name}:undelete", {})

    def scale(self, name: str) -> None:
        self.send("PATCH", f"/deployments/{name}:scale", {"replicaCount": self.random.choice(COUNTS)})

    def load_addon(self, name: str) -> None:
        self.send("POST", "/deployedModels", {"model": ADDON, "deployment": f"accounts/acme/deployments/{name}"})

    def unload_addons(self, name: str) -> None:
        for deployed_id in list(self.world.accounts["acme"].deployed_models):
            self.send("DELETE", f"/deployedModels/{deployed_id}")

    def chat(self, name: str) -> None:
        body = {"model": f"accounts/acme/deployments/{name}", "messages": [{"role": "user", "content": "hi"}]}
        self.send("POST", "/inference/v1/chat/completions", body)

    def put_load(self, name: str) -> None:
        d = self.world.accounts["acme"].deployments.get(name)
        if d is not None and not d.gone:
            d.load = float(self.random.choice(COUNTS))
            self.world.lifecycle.load_changed(d, self.world.clock.now())
            self.world.changed(d, self.world.clock.now())

    def fail(self, name: str) -> None:
        d = self.world.accounts["acme"].deployments.get(name)
        if d is not None and not d.gone:
            self.world.lifecycle.fail(d, self.world.clock.now(), "message", "")
            self.world.changed(d, self.world.clock.now())

    def advance(self, name: str) -> None:
        self.world.settle(self.world.clock.advance(self.random.choice(SECONDS)))

    def check(self) -> set[tuple[State, bool]]:
        """States seen, and whether a replica serves; everything that must always hold does."""
        now = self.world.clock.now()
        account = self.world.accounts["acme"]
        for d in account.deployments.values():
            check_deployment(d, now)
            assert json.loads(self.world.encoded(d, now)) == self.world.wire(d, now), "a kept text is out of date"
        on_deployments = [m.name for d in account.deployments.values() for m in d.deployed_models]
        assert sorted(m.name for m in account.deployed_models.values()) == sorted(on_deployments)
        _, listed = self.send("GET", "/deployments", None, "showDeleted=true")
        gets = [self.send("GET", f"/deployments/{d.id}")[1] for d in self.world.listing("acme", show_deleted=True)]
        assert listed["deployments"] == gets
        assert len(gets) == len(account.deployments)
        return {(d.state, d.ready(now) > 0) for d in account.deployments.values()}


def check_deployment(d: Deployment, now: float) -> None:
    assert d.due > now
    assert sum(d.stage_counts(now)) == len(d.replicas) == d.desired
    assert (d.ready_since is not None) == (d.ready(now) > 0)
    assert (d.purge_time is None) or d.gone
    if d.gone or d.state is State.FAILED:
        assert d.replicas == []
    else:
        assert min(d.minimum, d.maximum) <= d.desired <= d.maximum
    if d.state is State.DELETED:
        assert d.deployed_models == []
    if d.state is State.DELETING:
        assert all(m.addon and m.state is LoadState.UNDEPLOYING for m in d.deployed_models)
    if d.state is State.CREATING:
        assert d.ready(now) < max(d.minimum, 1), "what serves is no longer being created"


@pytest.mark.parametrize("seed", range(6))
def test_any_order_of_requests_leaves_a_consistent_service(seed: int) -> None:
    drill = Drill(seed)
    steps: list[Callable[[str], None]] = [
        *[drill.create, drill.create, drill.change_bounds, drill.change_context_length],
        *[drill.delete, drill.undelete, drill.scale, drill.fail],
        *[drill.load_addon, drill.unload_addons, drill.chat, drill.put_load],
        *[drill.advance] * 8,
    ]
    seen: set[tuple[State, bool]] = set()
    for _ in range(STEPS):
        drill.random.choice(steps)(drill.random.choice(IDS))
        seen |= drill.check()
    assert {state for state, _ in seen} == set(State)
    assert seen >= {(State.READY, True), (State.READY, False)}
