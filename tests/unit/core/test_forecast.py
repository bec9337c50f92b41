"""`forecast()`: what the operator would do, by its own decisions; tests/virtual compares it with what it does."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import JsonValue

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.core.actions import Mutation, Refuse, Rest
from fireworks_operator.core.context import Context, Unusable, Usable
from fireworks_operator.core.forecast.bill import NO_BILL, UNKNOWN_BILL, Bill, bill_of, metered
from fireworks_operator.core.forecast.fireworks import Told, in_the_end
from fireworks_operator.core.forecast.forecast import Forecast, forecast
from fireworks_operator.core.observed.observation import Absent, Observed, Present, Unknown
from fireworks_operator.core.observed.router import SeenRouter
from fireworks_operator.fireworks.models import DeployedModel, Deployment
from fireworks_operator.fireworks.routers import Router
from fireworks_operator.price_file import published

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
MODEL = "accounts/fireworks/models/m"
H100 = "NVIDIA_H100_80GB"
CONTEXT = Context(NOW, "c", Usable("acme"), skip_pauses=True, prices=published())
TOLD = Told()


def a_resource(**spec: object) -> FireworksDeployment:
    metadata = {"name": "chat", "namespace": "team-a", "uid": "u", "resourceVersion": "1", "generation": 2}
    fields = {"baseModel": MODEL, "acceleratorType": H100, **spec}
    kept = {key: each for key, each in fields.items() if each is not None}
    return FireworksDeployment.parse({"metadata": metadata, "spec": kept})


def created(found: Forecast) -> tuple[FireworksDeployment, Observed]:
    """Return the resource and its deployment as a first forecast leaves them."""
    return found.situation.resource, found.situation.observed


def names(found: Forecast) -> list[str]:
    return [each.action.name for each in found.steps]


def edited(resource: FireworksDeployment, **spec: object) -> FireworksDeployment:
    """Return the resource with another spec, as the API server stores it."""
    metadata = resource.metadata.model_copy(update={"generation": resource.metadata.generation + 1})
    fields = {key: each for key, each in {**resource.spec.to_wire(), **spec}.items() if each is not None}
    return resource.model_copy(update={"metadata": metadata, "spec": type(resource.spec).model_validate(fields)})


def test_a_new_resource_ends_in_rest_after_one_request() -> None:
    found = forecast(a_resource(minReplicaCount=2, acceleratorCount=4), Absent(confirmed=True), CONTEXT, TOLD)
    assert names(found) == ["Create"]
    assert isinstance(found.end, Rest)
    assert bill_of(found.situation.observed, published(), NOW) == Bill(8, Decimal(64), 8, Decimal(64))
    again = forecast(*created(found), CONTEXT, TOLD)
    assert (again.steps, again.situation.resource) == ((), found.situation.resource)


def test_what_fireworks_says_of_a_new_deployment_counts() -> None:
    """A maximum of 0 is left out of the request as it is received, so that a change must follow."""
    told = Told(created={"acceleratorCount": 8, "maxReplicaCount": 1})
    found = forecast(a_resource(maxReplicaCount=0, minReplicaCount=0), Absent(confirmed=True), CONTEXT, told)
    assert names(found) == ["Create", "Update"]
    assert [(each.path, each.old, each.new) for each in found.steps[1].changes] == [("maxReplicaCount", 1, 0)]
    assert bill_of(found.situation.observed, published(), NOW) == NO_BILL


def test_unknown_hardware_is_never_counted_as_nothing() -> None:
    resource = a_resource(minReplicaCount=1)
    found = forecast(resource, Absent(confirmed=True), CONTEXT, TOLD)
    assert bill_of(found.situation.observed, published(), NOW) == UNKNOWN_BILL
    told = Told(created={"acceleratorCount": 2, "acceleratorType": "NVIDIA_UNHEARD_OF"})
    found = forecast(a_resource(acceleratorType=None), Absent(confirmed=True), CONTEXT, told)
    assert bill_of(found.situation.observed, published(), NOW) == Bill(2, None, 2, None)
    assert bill_of(Unknown(), published(), NOW) == UNKNOWN_BILL


def test_another_shape_brings_its_hardware_along_or_leaves_it_unknown() -> None:
    told = Told(created={"acceleratorCount": 1, "acceleratorType": H100})
    resource, observed = created(
        forecast(a_resource(acceleratorType=None, deploymentShape="fast"), Absent(confirmed=True), CONTEXT, told)
    )
    wanted = edited(resource, deploymentShape="throughput")
    found = forecast(wanted, observed, CONTEXT, TOLD)
    assert bill_of(found.situation.observed, published(), NOW) == UNKNOWN_BILL
    shapes: dict[str, dict[str, JsonValue]] = {"throughput": {"acceleratorCount": 4, "acceleratorType": H100}}
    found = forecast(wanted, observed, CONTEXT, Told(shapes=shapes))
    assert bill_of(found.situation.observed, published(), NOW) == Bill(4, Decimal(32), 4, Decimal(32))


CHANGES: list[tuple[dict[str, Any], list[str], list[tuple[str, object, object]], str]] = [
    ({"displayName": "Chat"}, ["Update"], [("displayName", None, "Chat")], "in place"),
    ({"tags": {"team": "a"}}, ["SetTags"], [("tags.team", None, "a")], "tags have requests of their own"),
    (
        {"tags": {"team": "a"}, "maxReplicaCount": 3},
        ["Update", "SetTags"],
        [("maxReplicaCount", 1, 3), ("tags.team", None, "a")],
        "both, in the operator's order",
    ),
    (
        {"addons": [{"model": "tone"}]},
        ["Update", "LoadAddon"],
        [("enableAddons", None, True), ("addons[accounts/acme/models/tone]", None, "loaded")],
        "addons are switched on first",
    ),
    ({"deletionPolicy": "Retain"}, [], [], "a policy is nothing that Fireworks has"),
]


@pytest.mark.parametrize(("spec", "steps", "changes", "reason"), CHANGES)
def test_a_change_is_told_in_the_words_of_the_spec(
    spec: dict[str, Any], steps: list[str], changes: list[tuple[str, object, object]], reason: str
) -> None:
    resource, observed = created(forecast(a_resource(acceleratorCount=1), Absent(confirmed=True), CONTEXT, TOLD))
    if "addons" in spec and isinstance(observed, Present):
        observed = Present(observed.deployment, (), fresh=True)
    found = forecast(edited(resource, **spec), observed, CONTEXT, TOLD)
    assert names(found) == steps, reason
    assert [(each.path, each.old, each.new) for step in found.steps for each in step.changes] == changes
    assert isinstance(found.end, Rest)


def test_what_leaves_the_spec_is_reset_and_unloaded() -> None:
    spec = {"displayName": "Chat", "addons": [{"model": "tone"}], "acceleratorCount": 1, "enableAddons": True}
    resource, observed = created(forecast(a_resource(**spec), Absent(confirmed=True), CONTEXT, TOLD))
    found = forecast(edited(resource, displayName=None, addons=None), observed, CONTEXT, TOLD)
    assert names(found) == ["Update", "UnloadAddon"]
    assert [(each.path, each.old, each.new) for step in found.steps for each in step.changes] == [
        ("displayName", "Chat", ""),
        ("addons[accounts/acme/models/tone]", "loaded", None),
    ]


def test_a_refusal_ends_it_in_the_operators_words() -> None:
    resource, observed = created(forecast(a_resource(acceleratorCount=1), Absent(confirmed=True), CONTEXT, TOLD))
    found = forecast(edited(resource, acceleratorType="NVIDIA_H200_141GB"), observed, CONTEXT, TOLD)
    assert (found.steps, type(found.end)) == ((), Refuse)
    assert isinstance(found.end, Refuse)
    assert found.end.reason is Reason.REPLACE_REQUIRED
    assert found.end.message in [each.message for each in found.situation.status.conditions]


def test_without_a_key_nothing_is_done() -> None:
    lacking = Context(NOW, "c", Unusable(Reason.CREDENTIALS_MISSING, "none"))
    found = forecast(a_resource(), Unknown(), lacking, TOLD)
    assert (found.steps, found.end) == ((), Refuse(Reason.CREDENTIALS_MISSING, "none"))


def test_a_deleted_deployment_comes_back_and_one_that_cannot_is_replaced() -> None:
    resource, observed = created(forecast(a_resource(acceleratorCount=1), Absent(confirmed=True), CONTEXT, TOLD))
    assert isinstance(observed, Present)
    gone = Present(Deployment.parse({**observed.deployment.raw, "state": "DELETED"}), fresh=True)
    assert bill_of(gone, published(), NOW) == NO_BILL
    assert names(forecast(resource, gone, CONTEXT, TOLD)) == ["Undelete"]
    other = edited(resource, acceleratorType="NVIDIA_H200_141GB")
    assert names(forecast(other, gone, CONTEXT, TOLD)) == ["Delete", "Create"]


def test_what_is_under_way_comes_to_its_end() -> None:
    raw: dict[str, JsonValue] = {
        "name": "accounts/acme/deployments/d",
        "baseModel": MODEL,
        "state": "CREATING",
        "maxReplicaCount": 2,
    }
    addon = DeployedModel.parse({"name": "accounts/acme/deployedModels/a", "model": "x", "state": "DEPLOYING"})
    leaving = DeployedModel.parse({"name": "accounts/acme/deployedModels/b", "model": "y", "state": "UNDEPLOYING"})
    found = in_the_end(Present(Deployment.parse(raw), (addon, leaving)))
    assert isinstance(found, Present)
    assert (found.deployment.state, found.deployment.replica_stats.ready) == ("READY", 1)
    assert [(each.model, each.state) for each in found.addons or ()] == [("x", "DEPLOYED")]
    deleting = in_the_end(Present(Deployment.parse({**raw, "state": "DELETING"})))
    assert isinstance(deleting, Present)
    assert deleting.deployment.state == "DELETED"
    assert in_the_end(Absent()) == Absent()


def test_a_sum_with_something_unknown_is_unknown() -> None:
    known = Bill(1, Decimal(8), 2, Decimal(16))
    assert known.plus(known) == Bill(2, Decimal(16), 4, Decimal(32))
    assert known.plus(Bill(1, None, 1, None)) == Bill(2, None, 3, None)
    assert known.plus(UNKNOWN_BILL) == UNKNOWN_BILL


def test_every_request_is_about_the_deployment_of_the_resource() -> None:
    found = forecast(a_resource(addons=[{"model": "tone"}]), Absent(confirmed=True), CONTEXT, TOLD)
    actions: list[Mutation] = [each.action for each in found.steps]
    assert {each.target for each in actions} == {found.situation.target}


def test_what_is_not_looked_at_costs_what_the_meter_says() -> None:
    resource = created(forecast(a_resource(acceleratorCount=2), Absent(confirmed=True), CONTEXT, TOLD))[0]
    assert metered(resource) == Bill(2, Decimal("16.00"), 2, Decimal("16.00"))
    lost = resource.model_copy(update={"status": resource.status.model_copy(update={"cost": None})})
    assert [metered(each) for each in (lost, a_resource(), None)] == [UNKNOWN_BILL, NO_BILL, NO_BILL]


def test_a_replacement_is_a_deletion_and_a_creation_with_what_changes() -> None:
    spec = {"acceleratorCount": 1, "acceleratorType": "NVIDIA_H100_80GB", "replacePolicy": {"type": "Recreate"}}
    resource, observed = created(forecast(a_resource(**spec), Absent(confirmed=True), CONTEXT, TOLD))
    found = forecast(edited(resource, acceleratorType="NVIDIA_H200_141GB"), observed, CONTEXT, TOLD)
    assert names(found) == ["Delete", "Delete", "Create"]
    (change,) = found.steps[0].changes
    assert (change.path, change.old, change.new) == ("acceleratorType", "NVIDIA_H100_80GB", "NVIDIA_H200_141GB")
    assert isinstance(found.end, Rest)


def test_a_router_is_created_moved_to_the_deployment_and_deleted() -> None:
    name, target = "accounts/acme/routers/chat", "accounts/acme/deployments/other"
    none_yet = replace(CONTEXT, router=SeenRouter(name, None, fresh=True))
    found = forecast(a_resource(router={"id": "chat"}), Absent(confirmed=True), none_yet, TOLD)
    assert names(found) == ["Create", "CreateRouter"]
    assert [(each.path, each.old, each.new) for each in found.steps[1].changes] == [("router", None, name)]
    assert isinstance(found.end, Rest)
    resource, observed = created(found)
    router = found.situation.context.router
    assert router is not None
    assert router.router is not None
    elsewhere = replace(router, router=replace(router.router, deployments=(target,)))
    moved = forecast(resource, observed, replace(CONTEXT, router=elsewhere), TOLD)
    assert names(moved) == ["SetRouter"]
    assert [(each.path, each.old) for each in moved.steps[0].changes] == [("router (deployments)", [target])]
    gone = forecast(edited(resource, router=None), observed, replace(CONTEXT, router=router), TOLD)
    assert names(gone) == ["DeleteRouter"]
    assert [(each.path, each.new) for each in gone.steps[0].changes] == [("router", None)]


def test_a_router_that_is_another_ones_ends_in_a_refusal() -> None:
    name = "accounts/acme/routers/chat"
    taken = SeenRouter(name, Router(name, display_name="Chat"), fresh=True)
    found = forecast(a_resource(router={"id": "chat"}), Absent(confirmed=True), replace(CONTEXT, router=taken), TOLD)
    assert isinstance(found.end, Refuse)
    assert found.end.reason is Reason.ROUTER_CONFLICT
