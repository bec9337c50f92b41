"""The closed schema: editors and kubeconform accept every example and refuse what the API server would only drop."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from fireworks_operator.api.json_schema import file_name, json_schema
from fireworks_operator.api.kinds import KINDS, Kind
from testkit.states import State, all_states
from tests.gitops.generate import ROOT

SCHEMAS: dict[str, dict[str, Any]] = {
    each.name: json.loads((ROOT / "schemas" / file_name(each)).read_text()) for each in KINDS
}
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
FILES = sorted(
    [*ROOT.glob("examples/*.yaml"), *ROOT.glob("deploy/argocd/**/*.yaml"), *ROOT.glob("deploy/flux/**/*.yaml")]
)


def resources(path: Path) -> list[dict[str, Any]]:
    """Return the resources of a file."""
    return [each for each in yaml.safe_load_all(path.read_text()) if each and each.get("kind") in SCHEMAS]


MANIFESTS = [(path.relative_to(ROOT).as_posix(), each) for path in FILES for each in resources(path)]
BROKEN: Mapping[str, tuple[dict[str, Any], str]] = {
    "a misspelt field": ({"spec": {"deletionPolcy": "Retain"}}, ".spec: additionalProperties"),
    "a misspelt nested field": (
        {"spec": {"autoscalingPolicy": {"scaleToZeroWindows": "5m"}}},
        ".spec.autoscalingPolicy: additionalProperties",
    ),
    "a misspelt field in a list": (
        {"spec": {"addons": [{"model": "a", "dispalyName": "A"}]}},
        ".spec.addons[0]: additionalProperties",
    ),
    "a field beside spec": ({"specs": {}}, ": additionalProperties"),
    "no model": ({"spec": {"baseModel": None}}, ".spec.baseModel: type"),
    "text for a number": ({"spec": {"minReplicaCount": "1"}}, ".spec.minReplicaCount: type"),
    "a number for text": ({"spec": {"displayName": 1}}, ".spec.displayName: type"),
    "too many replicas": ({"spec": {"maxReplicaCount": 1001}}, ".spec.maxReplicaCount: maximum"),
    "an unknown policy": ({"spec": {"deletionPolicy": "Keep"}}, ".spec.deletionPolicy: enum"),
    "no load at all": (
        {"spec": {"autoscalingPolicy": {"loadTargets": {"default": 0}}}},
        ".spec.autoscalingPolicy.loadTargets.default: exclusiveMinimum",
    ),
    "a region twice": ({"spec": {"placement": {"regions": ["A", "A"]}}}, ".spec.placement.regions: uniqueItems"),
    "another version": ({"apiVersion": "fireworks.ai/v1"}, ".apiVersion: enum"),
}


def manifest(change: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plain resource with something changed."""
    plain = {
        "apiVersion": "fireworks.ai/v1alpha1",
        "kind": "FireworksDeployment",
        "metadata": {"name": "chat"},
        "spec": {"baseModel": "accounts/fireworks/models/llama-v3p1-8b-instruct"},
    }
    spec = {**plain["spec"], **change.get("spec", {})}  # type: ignore[dict-item]
    return {**plain, **change, "spec": spec}


def problems(resource: Mapping[str, Any]) -> list[str]:
    """Return what a validator finds in a resource, each as `path: keyword`."""
    found = Draft7Validator(SCHEMAS[resource["kind"]]).iter_errors(resource)
    return [f"{error.json_path.removeprefix('$')}: {error.validator}" for error in found]


@each_kind
def test_the_schema_is_one(kind: Kind) -> None:
    Draft7Validator.check_schema(SCHEMAS[kind.name])


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        ({"monthlyCost": 20000}, []),
        ({"monthlyCost": "64.50"}, []),
        ({"monthlyCost": 64.5}, [".spec.limits.monthlyCost: type"]),
        ({"monthlyCost": True}, [".spec.limits.monthlyCost: type"]),
        ({"gpus": -1}, [".spec.limits.gpus: minimum"]),
        ({"gpu": 1}, [".spec.limits: additionalProperties"]),
    ],
    ids=str,
)
def test_an_amount_of_money_is_a_number_or_a_text(limits: dict[str, Any], found: list[str]) -> None:
    budget = {"apiVersion": "fireworks.ai/v1alpha1", "kind": "FireworksBudget", "metadata": {"name": "team"}}
    assert problems({**budget, "spec": {"limits": limits}}) == found


def test_there_are_manifests_of_all_kinds() -> None:
    assert {Path(name).parts[0] for name, _ in MANIFESTS} == {"examples", "deploy"}
    assert len(MANIFESTS) >= 7


@pytest.mark.parametrize(("name", "resource"), MANIFESTS, ids=[name for name, _ in MANIFESTS])
def test_every_manifest_of_the_project_is_accepted(name: str, resource: dict[str, Any]) -> None:
    assert problems(resource) == []


@pytest.mark.parametrize("state", all_states(), ids=lambda state: state.name)
def test_every_live_object_is_accepted(state: State) -> None:
    assert problems(state.live()) == []


@pytest.mark.parametrize(("change", "problem"), BROKEN.values(), ids=BROKEN)
def test_what_is_wrong_is_refused(change: dict[str, Any], problem: str) -> None:
    assert problems(manifest({})) == []
    assert problems(manifest(change)) == [problem]


@each_kind
def test_every_object_with_named_fields_is_closed(kind: Kind) -> None:
    def objects(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        if "properties" in schema:
            yield schema
        inner = [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]
        for each in inner:
            if isinstance(each, dict):
                yield from objects(each)

    found = list(objects(json_schema(kind)))
    assert len(found) >= 10
    assert all(each["additionalProperties"] is False for each in found)
