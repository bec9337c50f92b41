"""What is counted of the account: deployments that nobody looks after."""

from itertools import permutations
from types import SimpleNamespace
from typing import cast

import pytest

from fireworks_operator.controller.accounts.accounts import Accounts
from fireworks_operator.controller.accounts.observer import Listing, Observer
from fireworks_operator.controller.measure.inventory import MOST_STRANGERS, Holdings, Inventory
from fireworks_operator.controller.store import DeploymentStore
from fireworks_operator.core.identity import Owner
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.request_budget import Circuit
from testkit.builders import CLUSTER, CREATED, NAME, NOW, a_deployment, a_resource
from tests.unit.controller.fakes import Changes

SECOND, LOST = f"{NAME}-2", f"{NAME}-3"


def test_a_deployment_whose_resource_has_another_one_is_an_orphan() -> None:
    observer = Observer("acme", Changes(), lambda: 0.0)
    gone = Owner(CLUSTER, "team-b", "gone").marker()
    listed = (a_deployment(), a_deployment(name=SECOND), a_deployment(name=LOST, annotations={**gone}))
    observer.listed(Listing(0.0, {each.name: each for each in listed}, frozenset()))
    accounts = cast("Accounts", [SimpleNamespace(name="acme", observer=observer)])
    store = DeploymentStore()
    store.put(a_resource(status=CREATED))
    everywhere = Inventory(store, accounts, {CLUSTER}, lambda _: True)
    assert everywhere.holdings()["acme"].orphans == (SECOND, LOST)
    elsewhere = Inventory(store, accounts, {CLUSTER}, lambda namespace: namespace == "team-a")
    assert elsewhere.holdings()["acme"].orphans == (SECOND,), "another shard's are not ours to judge"


def test_replicas_and_gpus_of_all_resources_add_up() -> None:
    accounts = cast("Accounts", [SimpleNamespace(name="acme", observer=Observer("acme", Changes(), lambda: 0.0))])
    store = DeploymentStore()
    effective = {"acceleratorType": "NVIDIA_H100_80GB", "acceleratorCount": 4}
    for name, ready in {"one": 2, "two": 1, "asleep": 0}.items():
        store.put(a_resource(status={**CREATED, "replicas": {"ready": ready}, "effective": effective}, name=name))
    (held,) = Inventory(store, accounts, {CLUSTER}, lambda _: True).holdings().values()
    assert held.ready_replicas == 3
    assert held.gpus == {"NVIDIA_H100_80GB": 12}


def test_of_keys_with_the_same_fingerprint_a_refused_one_is_seen_whichever_comes_first() -> None:
    api_keys = [ApiKey(f"fw_key_number_{number}") for number in range(3)]
    circuits = [Circuit(lambda: 0.0) for _ in api_keys]
    circuits[1].open("refused")
    for api_key in api_keys[:2]:
        api_key.fingerprint = "0a1b2c3d"
    api_keys[0].accept()
    used = [
        SimpleNamespace(api_key=api_key, circuit=circuit) for api_key, circuit in zip(api_keys, circuits, strict=True)
    ]
    for each in permutations(used):
        apart = [SimpleNamespace(in_use=True, credentials=lambda one=one: (one,)) for one in each]
        together = [SimpleNamespace(in_use=True, credentials=lambda each=each: each)]
        for accounts in (apart, together):
            inventory = Inventory(DeploymentStore(), cast("Accounts", accounts), {CLUSTER}, lambda _: True)
            assert inventory.refused_keys() == {"0a1b2c3d": True, api_keys[2].fingerprint: False}


def test_keys_that_fireworks_has_never_accepted_do_not_fill_the_metrics() -> None:
    api_keys = [ApiKey(f"fw_key_number_{number}") for number in range(5000)]
    valid, circuit = api_keys[-1], Circuit(lambda: 0.0)
    valid.accept()
    used = [SimpleNamespace(api_key=api_key, circuit=circuit) for api_key in api_keys]
    accounts = [SimpleNamespace(in_use=True, credentials=lambda: used)]
    told = Inventory(DeploymentStore(), cast("Accounts", accounts), {CLUSTER}, lambda _: True).refused_keys()
    assert len(told) <= MOST_STRANGERS + 1
    assert valid.fingerprint in told


def _conditions(**statuses: tuple[str, str]) -> list[dict[str, str]]:
    since = "2026-03-01T12:00:00Z"
    return [
        {"type": kind, "status": status, "reason": reason, "message": "Words.", "lastTransitionTime": since}
        for kind, (status, reason) in statuses.items()
    ]


def _held(conditions: dict[str, tuple[str, str]], replicas: dict[str, object]) -> Holdings:
    """What an account holds with one resource in this condition."""
    accounts = cast("Accounts", [SimpleNamespace(name="acme", observer=Observer("acme", Changes(), lambda: 0.0))])
    status = {**CREATED, "replicas": replicas, "effective": {}, "conditions": _conditions(**conditions)}
    store = DeploymentStore()
    store.put(a_resource(status=status))
    (held,) = Inventory(store, accounts, {CLUSTER}, lambda _: True).holdings().values()
    return held


@pytest.mark.parametrize(
    ("conditions", "pending", "reason"),
    [
        ({}, 0, "It has no addons."),
        ({"AddonsReady": ("True", "AddonsLoaded")}, 0, "All are loaded."),
        ({"AddonsReady": ("False", "AddonsLoading")}, 1, "One is on its way."),
        ({"AddonsReady": ("False", "AddonFailed")}, 1, "One is refused."),
        ({"AddonsReady": ("Unknown", "PermissionDenied")}, 0, "Nobody knows."),
        ({"Ready": ("False", "Creating")}, 0, "Another condition."),
    ],
)
def test_resources_whose_addons_are_not_loaded_are_counted(
    conditions: dict[str, tuple[str, str]], pending: int, reason: str
) -> None:
    assert _held(conditions, {"ready": 1}).addons_pending == pending, reason
    assert _held(conditions, {"ready": 0}).addons_pending == pending, "it makes no difference whether it is asleep"


@pytest.mark.parametrize(
    ("conditions", "ready", "served", "down", "short", "reason"),
    [
        ({"Ready": ("True", "Serving")}, 1, True, 0, 0, "It serves."),
        ({"Ready": ("True", "Recovering")}, 0, True, 0, 0, "A moment without replica is nothing unusual."),
        ({"Ready": ("False", "Recovering")}, 0, True, 1, 0, "It is longer than usual."),
        ({"Ready": ("False", "Waking")}, 0, True, 1, 0, "It does not wake."),
        ({"Ready": ("False", "Updating")}, 0, True, 0, 0, "A change is under way."),
        (
            {"Ready": ("False", "CapacityPending"), "CapacityPending": ("True", "CapacityPending")},
            0,
            True,
            1,
            0,
            "There are no GPUs.",
        ),
        (
            {"Ready": ("False", "QuotaExceeded"), "CapacityPending": ("True", "ReplicasLost")},
            0,
            True,
            1,
            0,
            "It is down, whatever Ready says.",
        ),
        (
            {"Ready": ("False", "CapacityPending"), "CapacityPending": ("True", "CapacityPending")},
            0,
            False,
            0,
            1,
            "It has never served.",
        ),
        ({"Ready": ("True", "Serving"), "CapacityPending": ("True", "CapacityPending")}, 1, True, 0, 1, "Some serve."),
        ({"Ready": ("True", "Serving"), "CapacityPending": ("False", "AsDesired")}, 1, True, 0, 0, "It is over."),
    ],
)
def test_outages_and_shortages_are_counted_apart(
    conditions: dict[str, tuple[str, str]], ready: int, served: bool, down: int, short: int, reason: str
) -> None:
    waiting = {"waitingSince": "2026-03-01T12:00:00Z"} if served else {}
    held = _held(conditions, {"ready": ready, **waiting})
    assert (held.without_replicas, held.capacity_pending) == (down, short), reason


def short(name: str) -> str:
    """Return the id of a deployment."""
    return name.rsplit("/", 1)[-1]


REFUSED = {"Ready": ("False", "QuotaExceeded"), "Stalled": ("True", "QuotaExceeded")}
IN_USE = {"Ready": ("False", "DeletionBlocked"), "Stalled": ("True", "DeletionBlocked")}


@pytest.mark.parametrize(
    ("phase", "conditions", "ready", "blocked", "reason"),
    [
        ("Preparing", {"Ready": ("False", "Creating"), "Stalled": ("False", "AsDesired")}, 0, 0, "It starts."),
        ("Preparing", REFUSED, 0, 1, "Fireworks does not create it."),
        ("Draining", {}, 2, 0, "It goes on serving."),
        ("Draining", IN_USE, 2, 1, "Fireworks does not delete it."),
    ],
)
def test_a_second_deployment_is_counted_with_its_replicas_and_its_phase(
    phase: str, conditions: dict[str, tuple[str, str]], ready: int, blocked: int, reason: str
) -> None:
    observer = Observer("acme", Changes(), lambda: 0.0)
    listed = (a_deployment(), a_deployment(name=SECOND, acceleratorType="NVIDIA_H200_141GB", acceleratorCount=4))
    observer.listed(Listing(0.0, {each.name: each for each in listed}, frozenset()))
    others = Observer("globex", Changes(), lambda: 0.0)
    accounts = [SimpleNamespace(name="acme", observer=observer), SimpleNamespace(name="globex", observer=others)]
    replacement = {
        "phase": phase,
        "startTime": NOW,
        "revision": 2,
        "deploymentName": SECOND,
        "replicas": {"ready": ready},
        "conditions": _conditions(**conditions),
    }
    effective = {"acceleratorType": "NVIDIA_H100_80GB", "acceleratorCount": 1}
    cost: dict[str, object] = {"gpus": 1 + 4 * ready, "asOf": NOW, "month": {"name": "2026-03"}}
    status = {**CREATED, "replicas": {"ready": 1}, "effective": effective, "replacement": replacement, "cost": cost}
    store = DeploymentStore()
    store.put(a_resource(status=status))
    inventory = Inventory(store, cast("Accounts", accounts), {CLUSTER}, lambda _: True)
    held, ours = inventory.holdings(), ("team-a", "chat", "acme")
    assert inventory.billed_gpus() == {(*ours, short(NAME)): 1, (*ours, short(SECOND)): 4 * ready}
    assert held["globex"] == Holdings()
    mine = held["acme"]
    assert (mine.replacements, mine.replacements_blocked) == ({phase: 1}, blocked), reason
    assert mine.ready_replicas == 1 + ready
    assert mine.gpus == {"NVIDIA_H100_80GB": 1} | ({"NVIDIA_H200_141GB": 4 * ready} if ready else {})
    assert mine.orphans == (), reason
