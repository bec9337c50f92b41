"""The closed schema: editors and kubeconform accept every example and refuse what the API server would only drop."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from fireworks_operator.api.json_schema import FILE_NAME, json_schema
from testkit.states import State, all_states
from tests.gitops.generate import ROOT

SCHEMA: dict[str, Any] = json.loads((ROOT / "schemas" / FILE_NAME).read_text())
FILES = sorted(
    [*ROOT.glob("examples/*.yaml"), *ROOT.glob("deploy/argocd/**/*.yaml"), *ROOT.glob("deploy/flux/**/*.yaml")]
)


def resources(path: Path) -> list[dict[str, Any]]:
    """Return the FireworksDeployments of a file."""
    return [each for each in yaml.safe_load_all(path.read_text()) if each and each.get("kind") == "FireworksDeployment"]


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
    found = Draft7Validator(SCHEMA).iter_errors(resource)
    return [f"{error.json_path.removeprefix('$')}: {error.validator}" for error in found]


def test_the_schema_is_one() -> None:
    Draft7Validator.check_schema(SCHEMA)


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


def test_every_object_with_named_fields_is_closed() -> None:
    def objects(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        if "properties" in schema:
            yield schema
        inner = [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]
        for each in inner:
            if isinstance(each, dict):
                yield from objects(each)

    found = list(objects(json_schema()))
    assert len(found) > 10
    assert all(each["additionalProperties"] is False for each in found)
