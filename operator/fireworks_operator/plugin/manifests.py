"""A deployment as the manifest of the FireworksDeployment that would have created it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import JsonValue, ValidationError

from fireworks_operator.api.crd import schema_of
from fireworks_operator.api.formats import (
    CONSTANT_PATTERN,
    DEPLOYMENT_ID_PATTERN,
    DURATION_PATTERN,
    LOAD_TARGET_PATTERN,
    MODEL_PATTERN,
    QUANTIZED_PATTERN,
    SHAPE_PATTERN,
    UNQUANTIZED_ONLY_PATTERN,
)
from fireworks_operator.api.v1alpha1 import GROUP, KIND, VERSION, FireworksDeploymentSpec
from fireworks_operator.core.desired.durations import parse_duration
from fireworks_operator.core.desired.fields import FIELDS, ROUTE_TYPE, put
from fireworks_operator.fireworks.models import DeployedModel, Deployment

from .entries import add_entries
from .output import clean, to_yaml

_PATTERNS: Final = {
    "baseModel": MODEL_PATTERN,
    "draftModel": MODEL_PATTERN,
    "acceleratorType": CONSTANT_PATTERN,
    "precision": CONSTANT_PATTERN,
    "deploymentShape": SHAPE_PATTERN,
}
_WINDOWS: Final = {"scaleUpWindow": (0, 3600), "scaleDownWindow": (0, 3600), "scaleToZeroWindow": (300, None)}
_OF_THE_SHAPE: Final = ("acceleratorType", "acceleratorCount", "precision")
_ROUTE: Final = (
    "the operator leaves the direct route as it is, until you put its API keys into a Secret and set spec.directRoute"
)
_ALWAYS: Final = ("minReplicaCount", "maxReplicaCount")
"""Written also where they are 0, which Fireworks leaves out of its answers."""


@dataclass(slots=True)
class Manifest:
    """A manifest, and what of the deployment could not be put into it."""

    spec: dict[str, JsonValue]
    left_out: list[str] = field(default_factory=list)

    def leave_out(self, name: str, why: str) -> None:
        """Take a field out of the spec and say so."""
        value = self.spec.pop(name, None)
        if value is not None:
            self.left_out.append(f"{name} {value}: {why}")

    def has(self, name: str) -> bool:
        """Whether the field has a value other than 0, false and nothing."""
        return bool(self.spec.get(name))


class NotImportableError(ValueError):
    """No FireworksDeployment can stand for the deployment; the text says why."""


def manifest_of(
    deployment: Deployment, addons: Iterable[DeployedModel], *, namespace: str | None, secret: str | None
) -> str:
    """Return the YAML of a resource that observes the deployment, with its settings as they are now.

    Raises:
        NotImportableError: its id or its base model cannot stand in a resource.
    """
    if not re.fullmatch(DEPLOYMENT_ID_PATTERN, deployment.deployment_id):
        raise NotImportableError(f"{deployment.name} has an id that a resource cannot refer to.")
    manifest = spec_of(deployment)
    _add_addons(manifest, deployment, addons)
    policies: dict[str, JsonValue] = {
        "deploymentId": deployment.deployment_id,
        "managementPolicy": "Observe",
        "adoptionPolicy": "Unowned",
        "deletionPolicy": "Retain",
    }
    reference: dict[str, JsonValue] = {} if secret is None else {"credentialsSecretRef": {"name": secret}}
    metadata: dict[str, JsonValue] = {"name": deployment.deployment_id}
    if namespace is not None:
        metadata["namespace"] = namespace
    body: dict[str, JsonValue] = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": metadata,
        "spec": {**policies, **reference, **manifest.spec},
    }
    comments = [f"{deployment.name}, {deployment.state}", *(f"omitted: {each}" for each in manifest.left_out)]
    return "".join(f"# {clean(each)}\n" for each in comments) + to_yaml(body)


def spec_of(deployment: Deployment) -> Manifest:
    """Return the fields of spec that equal what the deployment has, without those that no resource may have.

    Raises:
        NotImportableError: its base model cannot stand in a resource.
    """
    manifest = Manifest({})
    for path, value in _values(deployment.raw):
        why = _ROUTE if path == ROUTE_TYPE else _refusal(path, value)
        if why is None:
            put(manifest.spec, tuple(path.split(".")), value)
        elif path == "baseModel":
            raise NotImportableError(f"{deployment.name} has a base model that a resource cannot refer to.")
        else:
            manifest.left_out.append(f"{path} {value}: {why}")
    _resolve(manifest)
    add_entries(manifest.spec, manifest.left_out, deployment.raw)
    return manifest


def _values(raw: Mapping[str, JsonValue]) -> Iterator[tuple[str, JsonValue]]:
    """Yield what the deployment has, by the paths of the spec; zero values are what Fireworks leaves out, too."""
    for each in FIELDS:
        value: JsonValue = dict(raw)
        for part in each.wire:
            value = value.get(part) if isinstance(value, dict) else None
        if each.path in _ALWAYS:
            yield each.path, _number(value or 0)
        elif each.path == "placement" and isinstance(value, dict):
            given: dict[str, JsonValue] = {name: item for name, item in value.items() if item}
            if given:
                yield each.path, given
        elif value and not str(value).endswith("_UNSPECIFIED"):
            yield each.path, _number(value) if _is_number(each.path) else value


def _is_number(path: str) -> bool:
    return path.endswith(("Count", "Length", "PerReplica"))


def _number(value: JsonValue) -> JsonValue:
    """Return an int64, which may come as text, as a number."""
    try:
        return int(value) if isinstance(value, str | float | int) else value
    except ValueError:
        return value


def _refusal(path: str, value: JsonValue) -> str | None:
    """Say why the API server would refuse a value; None if it takes it."""
    name = path.rsplit(".", 1)[-1]
    if name in _PATTERNS and not re.fullmatch(_PATTERNS[name], str(value)):
        return "not in a format that a resource may have"
    if name in _WINDOWS:
        return _window_refusal(name, value)
    if name == "loadTargets":
        return _targets_refusal(value)
    if name == "placement":
        return _placement_refusal(value)
    return _bounds_refusal(name, value) or _type_refusal(name, value)


def _bounds_refusal(name: str, value: JsonValue) -> str | None:
    about = schema_of(next(each for each in FireworksDeploymentSpec.model_fields.values() if each.alias == name))
    if about.max_length is not None and len(str(value)) > about.max_length:
        return f"longer than {about.max_length} characters"
    if about.maximum is not None and isinstance(value, int) and not (about.minimum or 0) <= value <= about.maximum:
        return f"not between {about.minimum} and {about.maximum}"
    return None


def _type_refusal(name: str, value: JsonValue) -> str | None:
    try:
        FireworksDeploymentSpec.model_validate({"baseModel": "x", name: value})
    except ValidationError:
        return "not of the type that the resource has"
    return None


def _window_refusal(name: str, value: JsonValue) -> str | None:
    least, most = _WINDOWS[name]
    try:
        seconds = parse_duration(str(value))
    except ValueError:
        return "no duration"
    if len(str(value)) > 16 or not re.fullmatch(DURATION_PATTERN, str(value)):
        return "not in a format that a resource may have"
    if seconds < least or (most is not None and seconds > most):
        return f"a resource may have {least}s" + (" or more" if most is None else f" to {most}s")
    return None


def _targets_refusal(value: JsonValue) -> str | None:
    good = isinstance(value, dict) and all(_is_target(key, number) for key, number in value.items())
    return None if good else "a metric or a target that a resource may not have"


def _is_target(key: str, number: JsonValue) -> bool:
    return bool(re.fullmatch(LOAD_TARGET_PATTERN, key)) and isinstance(number, int | float) and number > 0


def _placement_refusal(value: JsonValue) -> str | None:
    if not isinstance(value, dict) or len(value) != 1 or not value.keys() <= {"region", "multiRegion", "regions"}:
        return "a resource has exactly one of region, multiRegion and regions"
    (given,) = value.values()
    names = given if isinstance(given, list) else [given]
    usable = all(re.fullmatch(CONSTANT_PATTERN, str(each)) and "UNSPECIFIED" not in str(each) for each in names)
    return None if usable and 0 < len(names) <= 32 else "not in a format that a resource may have"


def _resolve(manifest: Manifest) -> None:
    """Keep the rules that hold between fields (see the CEL rules of the spec)."""
    if manifest.has("deploymentShape"):
        for name in _OF_THE_SHAPE:
            manifest.leave_out(name, "decided by the deployment shape")
    _resolve_speculation(manifest)
    _resolve_precision(manifest)
    if manifest.has("longPrompt") and manifest.spec.get("acceleratorCount") == 1:
        manifest.leave_out("longPrompt", "needs two accelerators in a resource")
    least, most = manifest.spec.get("minReplicaCount", 0), manifest.spec.get("maxReplicaCount", 0)
    if isinstance(least, int) and isinstance(most, int) and most < least:
        # Either one alone would move the other.
        manifest.leave_out("minReplicaCount", "above maxReplicaCount")
        manifest.leave_out("maxReplicaCount", "below minReplicaCount")


def _resolve_speculation(manifest: Manifest) -> None:
    if manifest.has("draftModel") and manifest.has("ngramSpeculationLength"):
        manifest.leave_out("ngramSpeculationLength", "excluded by draftModel")
    if manifest.has("draftModel") or manifest.has("ngramSpeculationLength"):
        manifest.spec.setdefault("draftTokenCount", 0)


def _resolve_precision(manifest: Manifest) -> None:
    if not re.match(QUANTIZED_PATTERN, str(manifest.spec.get("precision", ""))):
        return
    if re.match(UNQUANTIZED_ONLY_PATTERN, str(manifest.spec.get("acceleratorType", ""))):
        manifest.leave_out("precision", "quantized, which a resource may not be on this accelerator")
    elif manifest.has("enableAddons"):
        manifest.leave_out("precision", "quantized, which a resource may not be with addons")


def _add_addons(manifest: Manifest, deployment: Deployment, addons: Iterable[DeployedModel]) -> None:
    """Name the loaded addons, so that the operator keeps them; the base model's own entry is none."""
    entries: list[JsonValue] = []
    for each in sorted(addons, key=lambda addon: addon.model):
        loaded = each.deployment == deployment.name and each.state in ("DEPLOYED", "DEPLOYING")
        if not loaded or each.model == deployment.base_model or not manifest.has("enableAddons"):
            continue
        entry: dict[str, JsonValue] = {"model": each.model, "default": each.default}
        if each.display_name:
            entry["displayName"] = each.display_name
        if each.description:
            entry["description"] = each.description
        if each.public:
            entry["public"] = True
        entries.append(entry)
    if entries:
        manifest.spec["addons"] = entries
