"""The CRD breaks nobody who uses a released one: these are kept in released/ and compared with that of now."""

import copy
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from fireworks_operator.api.kinds import DEPLOYMENTS
from fireworks_operator.api.spec_fallbacks import FALLBACK_RULES
from fireworks_operator.api.v1alpha1 import REPLACEABLE_FIELDS
from tests.crd.compatibility import violations
from tests.crd.server import CRDS

RELEASED = sorted(Path(__file__).parent.glob("released/*.yaml"))
_SCHEDULES = "self.autoscalingPolicy.scalingSchedules"
_POLICY = "self.spec.replacePolicy"
_MERGES = "(has(self.enableHotReloadLatestAddon) && self.enableHotReloadLatestAddon)"
ACCEPTED: Mapping[str, str] = {
    f"v1alpha1: .spec: rule added or changed: !has(self.autoscalingPolicy) || !has({_SCHEDULES}) || "
    f"{_SCHEDULES}.all(name, {_SCHEDULES}[name].minReplicaCount <= (has(self.maxReplicaCount) ? self.maxReplicaCount : "
    "has(self.minReplicaCount) && self.minReplicaCount > 1 ? self.minReplicaCount : 1))": (
        "It holds only with scalingSchedules, which no released version has."
    ),
    "v1alpha1: .spec: rule added or changed: !has(self.maxWithRevocableReplicaCount) || "
    "self.maxWithRevocableReplicaCount == 0 || !has(self.maxReplicaCount) || "
    "self.maxWithRevocableReplicaCount >= self.maxReplicaCount": (
        "It holds only with maxWithRevocableReplicaCount, which no released version has."
    ),
    "v1alpha1: .: rule added or changed: !has(oldSelf.status) || !has(oldSelf.status.deploymentName) || "
    "(has(self.spec.disableAutoDeploy) == has(oldSelf.spec.disableAutoDeploy) && (!has(self.spec.disableAutoDeploy) || "
    "self.spec.disableAutoDeploy == oldSelf.spec.disableAutoDeploy))": (
        "It holds only with disableAutoDeploy, which no released version has."
    ),
    **{
        "v1alpha1: .: rule added or changed: !has(oldSelf.status) || !has(oldSelf.status.deploymentName) || "
        f"(has({_POLICY}) && has({_POLICY}.type) && {_POLICY}.type != 'Never') || (has(self.spec.{name}) == "
        f"has(oldSelf.spec.{name}) && (!has(self.spec.{name}) || self.spec.{name} == oldSelf.spec.{name}))": (
            "It accepts more than before."
        )
        for name in REPLACEABLE_FIELDS
    },
    **{
        f"v1alpha1: .spec: rule added or changed: !has(self.prepareModel) || !self.prepareModel || {rest}": (
            "It holds only with prepareModel, which no released version has."
        )
        for rest in ("has(self.precision)", "!self.baseModel.startsWith('accounts/fireworks/')")
    },
    **{
        f"v1alpha1: .spec: rule added or changed: {rule.cel}": (
            "It holds only with fallbacks, which no released version has."
        )
        for rule in FALLBACK_RULES
    },
    f"v1alpha1: .spec: rule added or changed: !{_MERGES} || !has(self.addons) || size(self.addons) <= 1": (
        "It holds only with enableHotReloadLatestAddon, which no released version has."
    ),
    "v1alpha1: .spec: rule added or changed: !has(self.directRoute) || (has(self.placement) && "
    "has(self.placement.region))": "It holds only with directRoute, which no released version has.",
    "v1alpha1: .spec: rule added or changed: !(has(self.addons) && size(self.addons) > 0) || "
    f"!has(self.enableAddons) || self.enableAddons || {_MERGES}": "It accepts more than before.",
}
"""Violations that can break nothing that was valid, with the reason: such as a rule about a field that is new."""

Json = dict[str, Any]
Edit = Callable[[Json], object]


def read(path: Path) -> dict[str, Json]:
    """Return the CRDs of a file by name."""
    return {each["metadata"]["name"]: each for each in yaml.safe_load_all(path.read_text(encoding="utf-8"))}


def read_current() -> dict[str, Json]:
    return {name: each for path in CRDS.glob("*.yaml") for name, each in read(path).items()}


def all_violations(path: Path) -> list[str]:
    """Return the violations of all kinds that a version released; KeyError for a kind that is gone."""
    current = read_current()
    return [found for name, each in read(path).items() for found in violations(each, current[name])]


def test_there_is_a_released_crd_to_compare_with() -> None:
    assert RELEASED
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", path.stem) for path in RELEASED)


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.stem)
def test_the_crd_breaks_nobody_who_uses_a_released_one(path: Path) -> None:
    found = all_violations(path)
    assert [each for each in found if each not in ACCEPTED] == []


def test_what_is_accepted_still_occurs() -> None:
    found = {each for path in RELEASED for each in all_violations(path)}
    assert set(ACCEPTED) <= found


def schema(crd: Json) -> Json:
    """Return the schema of the resource."""
    found: Json = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def field(crd: Json, path: str) -> Json:
    """Return the schema of a field, such as `spec.addons[].model`."""
    found = schema(crd)
    for part in path.split("."):
        found = found["properties"][part.removesuffix("[]").removesuffix("{}")]
        found = found["items"] if part.endswith("[]") else found
        found = found["additionalProperties"] if part.endswith("{}") else found
    return found


def version(crd: Json) -> Json:
    found: Json = crd["spec"]["versions"][0]
    return found


BREAKING: list[tuple[str, Edit]] = [
    ("names.kind: FireworksDeployment became Model", lambda crd: crd["spec"]["names"].update(kind="Model")),
    ("names.shortNames: fwd is gone", lambda crd: crd["spec"]["names"].update(shortNames=["fd"])),
    ("names.categories: fireworks is gone", lambda crd: crd["spec"]["names"].pop("categories")),
    ("scope: Namespaced became Cluster", lambda crd: crd["spec"].update(scope="Cluster")),
    ("group: fireworks.ai became example.com", lambda crd: crd["spec"].update(group="example.com")),
    ("v1alpha1: the version is gone", lambda crd: version(crd).update(name="v1beta1")),
    ("v1alpha1: no longer served", lambda crd: version(crd).update(served=False)),
    ("v1alpha1: no longer storage", lambda crd: version(crd).update(storage=False)),
    ("v1alpha1: subresource status is gone or changed", lambda crd: version(crd)["subresources"].pop("status")),
    (
        "v1alpha1: subresource scale is gone or changed",
        lambda crd: version(crd)["subresources"]["scale"].pop("labelSelectorPath"),
    ),
    ("column READY is gone", lambda crd: version(crd)["additionalPrinterColumns"].pop(0)),
    (
        "column STATE is gone or shows something else",
        lambda crd: version(crd)["additionalPrinterColumns"][1].update(jsonPath=".status.account"),
    ),
    (".spec.paused: the field is gone", lambda crd: field(crd, "spec")["properties"].pop("paused")),
    (".status.account: the field is gone", lambda crd: field(crd, "status")["properties"].pop("account")),
    (".spec.addons[].default: the field is gone", lambda crd: field(crd, "spec.addons[]")["properties"].pop("default")),
    (".spec.maxReplicaCount: type integer became string", lambda crd: change(crd, "maxReplicaCount", type="string")),
    (".spec.addons[].model: type", lambda crd: field(crd, "spec.addons[].model").update(type="integer")),
    (".status.createTime: format date-time became None", lambda crd: field(crd, "status.createTime").pop("format")),
    (
        ".spec.deletionPolicy: default Delete became Retain",
        lambda crd: change(crd, "deletionPolicy", default="Retain"),
    ),
    (".spec.precision: default None became FP8", lambda crd: change(crd, "precision", default="FP8")),
    (
        ".spec.addons: x-kubernetes-list-map-keys",
        lambda crd: change(crd, "addons", **{"x-kubernetes-list-map-keys": []}),
    ),
    (".spec.displayName: maxLength 63 became 40", lambda crd: change(crd, "displayName", maxLength=40)),
    (".spec.paused: maxLength None became 5", lambda crd: change(crd, "paused", maxLength=5)),
    (".spec.acceleratorCount: maximum", lambda crd: change(crd, "acceleratorCount", maximum=8)),
    (".spec.acceleratorCount: minimum", lambda crd: change(crd, "acceleratorCount", minimum=2)),
    (".spec.addons: maxItems", lambda crd: change(crd, "addons", maxItems=1)),
    (
        ".spec.autoscalingPolicy.loadTargets: maxProperties",
        lambda crd: field(crd, "spec.autoscalingPolicy.loadTargets").update(maxProperties=1),
    ),
    (
        ".spec.autoscalingPolicy.loadTargets{}: maximum None became 1",
        lambda crd: field(crd, "spec.autoscalingPolicy.loadTargets{}").update(maximum=1),
    ),
    (".spec.minReplicaCount: exclusiveMinimum", lambda crd: change(crd, "minReplicaCount", exclusiveMinimum=True)),
    (".spec.precision: pattern None became ^FP8$", lambda crd: change(crd, "precision", pattern="^FP8$")),
    (".spec.deletionPolicy: enum: Retain is gone", lambda crd: change(crd, "deletionPolicy", enum=["Delete"])),
    (".spec.precision: enum: every other value is gone", lambda crd: change(crd, "precision", enum=["FP8"])),
    (".spec.acceleratorType: became required", lambda crd: field(crd, "spec")["required"].append("acceleratorType")),
    (".status: became required", lambda crd: schema(crd)["required"].append("status")),
    (
        "v1alpha1: .: rule added or changed: self.metadata.name != 'x'",
        lambda crd: schema(crd)["x-kubernetes-validations"].append({"rule": "self.metadata.name != 'x'"}),
    ),
    (
        "v1alpha1: .: rule added or changed: false",
        lambda crd: schema(crd)["x-kubernetes-validations"][0].update(rule="false"),
    ),
    (
        "v1alpha1: .spec: rule added or changed: false",
        lambda crd: field(crd, "spec")["x-kubernetes-validations"].append({"rule": "false"}),
    ),
]

HARMLESS: list[tuple[str, Edit]] = [
    ("a new field", lambda crd: field(crd, "spec")["properties"].update(fresh={"type": "string", "maxLength": 3})),
    ("another text", lambda crd: change(crd, "precision", description="Another one.")),
    ("another message", lambda crd: schema(crd)["x-kubernetes-validations"][0].update(message="Another one.")),
    ("a rule less", lambda crd: schema(crd)["x-kubernetes-validations"].pop()),
    ("a wider bound", lambda crd: change(crd, "displayName", maxLength=64)),
    ("no bound", lambda crd: field(crd, "spec.acceleratorCount").pop("maximum")),
    ("one value more", lambda crd: field(crd, "spec.deletionPolicy")["enum"].append("Park")),
    ("no longer required", lambda crd: field(crd, "spec")["required"].clear()),
    ("a new version", lambda crd: crd["spec"]["versions"].append({**version(crd), "name": "v1", "storage": False})),
    ("one column more", lambda crd: version(crd)["additionalPrinterColumns"].append({"name": "X"})),
    ("a second short name", lambda crd: crd["spec"]["names"]["shortNames"].append("fwds")),
]


def change(crd: Json, name: str, **keywords: object) -> None:
    """Set keywords of a field of spec."""
    field(crd, f"spec.{name}").update(keywords)


@pytest.mark.parametrize(("says", "edit"), BREAKING, ids=[says for says, _ in BREAKING])
def test_what_breaks_users_is_told(says: str, edit: Edit) -> None:
    released = read_current()[DEPLOYMENTS.crd]
    current = copy.deepcopy(released)
    edit(current)
    found = violations(released, current)
    assert any(says in each for each in found), found
    assert len(found) == 1


@pytest.mark.parametrize("edit", [edit for _, edit in HARMLESS], ids=[name for name, _ in HARMLESS])
def test_what_breaks_nobody_may_change(edit: Edit) -> None:
    released = read_current()[DEPLOYMENTS.crd]
    current = copy.deepcopy(released)
    edit(current)
    assert current != released
    assert violations(released, current) == []
