"""What users write into a spec, and whether a deployment is what it asks for, judged without the operator's code."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from testkit.virtual.fireworks import ADDONS, BASE_MODEL, MODELS

H100, H200 = "NVIDIA_H100_80GB", "NVIDIA_H200_141GB"
DRAFT = f"{MODELS}llama-v3p2-1b-instruct"
OTHER_MODEL = f"{MODELS}llama-v3p2-3b-instruct"
FOREIGN, UNOWNED = "foreign-0", "unowned-0"
"""Ids of deployments that belong to another cluster, and to nobody."""
Spec = dict[str, Any]

_WINDOWS = ("30s", "5m", "600s", "1h")
EDITS: Mapping[str, tuple[object, ...]] = {
    "baseModel": (BASE_MODEL, BASE_MODEL, OTHER_MODEL),
    "displayName": (None, "Chat", "Chat, tuned"),
    "description": (None, "For the team"),
    "acceleratorType": (H100, H100, H200, None),
    "acceleratorCount": (None, 1, 2),
    "minReplicaCount": (None, 0, 1, 2),
    "maxReplicaCount": (None, 0, 1, 3),
    "scaleUpWindow": (None, *_WINDOWS),
    "scaleDownWindow": (None, *_WINDOWS),
    "scaleToZeroWindow": (None, "5m", "1h"),
    "speculation": (None, "draft", "ngram"),
    "precision": (None, "FP16", "BF16", "FP8"),
    "enableSessionAffinity": (None, True, False),
    "maxContextLength": (None, 4096, 8192),
    "tags": (None, {"team": "search"}, {"team": "ads", "project": "chat"}),
    "addons": (None, ADDONS[:1], ADDONS[1:], ADDONS),
    "deploymentId": (None, None, "shared", FOREIGN, UNOWNED),
    "adoptionPolicy": (None, "Never", "Unowned"),
    "deletionPolicy": (None, "Delete", "Retain"),
    "externalDeletionPolicy": (None, "Recreate", "Report"),
    "managementPolicy": (None, None, "Manage", "Observe"),
    "replacePolicy": (
        None,
        {"type": "Never"},
        {"type": "Recreate"},
        {"type": "Recreate", "ignoreChecks": True},
        {"type": "BlueGreen"},
        {"type": "BlueGreen", "drain": "0s"},
        {"type": "BlueGreen", "drain": "1m", "ignoreChecks": True},
    ),
    "fallbacks": (
        None,
        [{"acceleratorType": H200}],
        [{"acceleratorCount": 2}, {"acceleratorType": H200}],
        [{"acceleratorType": H200, "acceleratorCount": 2}, {"acceleratorType": H100}],
    ),
    "fallbackAfter": (None, "1m", "5m"),
    "router": (None, {"id": "chat"}, {"id": "talk"}),
    "paused": (None, None, True),
    "expiresAfter": (None, None, "1m", "8760h"),
}
"""What a user sets each field to; None removes it."""
_DEFAULTS: Mapping[str, object] = {
    "displayName": "",
    "description": "",
    "minReplicaCount": 0,
    "maxReplicaCount": 0,
    "draftModel": "",
    "draftTokenCount": 0,
    "ngramSpeculationLength": 0,
    "enableSessionAffinity": False,
}
_PLAIN = (*_DEFAULTS, "baseModel", "acceleratorType", "acceleratorCount", "precision", "maxContextLength")
_FIXED = ("baseModel", "acceleratorType")
"""What Fireworks cannot change on an existing deployment."""
_WINDOW = {"scaleUpWindow": 30.0, "scaleDownWindow": 600.0, "scaleToZeroWindow": 3600.0}
"""What Fireworks has where nobody sets it, in seconds."""
_LIFETIMES = {"1m": 60, "8760h": 8760 * 3600}
_SECONDS = {"30s": 30, "5m": 300, "600s": 600, "1h": 3600}


def new_spec(namespace: str, changes: list[tuple[str, object]]) -> Spec:
    """Build a spec that serves, with changes to it; resources of a namespace share its Secret."""
    spec: Spec = {"baseModel": BASE_MODEL, "acceleratorType": H100}
    if namespace == "team-a":
        spec["credentialsSecretRef"] = {"name": "fireworks"}
    for name, value in changes:
        spec = changed(spec, name, value)
    return spec


def changed(spec: Spec, name: str, value: object) -> Spec:
    """Return a spec with one thing changed, and whatever the CRD's rules ask for beside it."""
    if name.endswith("Window"):
        policy = _with(spec.get("autoscalingPolicy", {}), name, value)
        spec = _with(spec, "autoscalingPolicy", policy or None)
    elif name == "speculation":
        spec = _speculating(spec, value)
    elif name == "addons":
        addons = [{"model": model} for model in value] if isinstance(value, tuple) else None
        spec = _with(spec, name, addons)
    else:
        spec = _with(spec, name, value)
    if spec.get("addons") and spec.get("precision") == "FP8":
        spec["precision"] = "BF16"
    others = [each for each in spec.get("fallbacks", ()) if any(spec.get(key) != kept for key, kept in each.items())]
    spec = _with(spec, "fallbacks", others or None)
    if spec.get("maxReplicaCount", 9) < spec.get("minReplicaCount", 0):
        spec["maxReplicaCount"] = spec["minReplicaCount"]
    return spec


def _with(fields: Mapping[str, Any], name: str, value: object) -> Spec:
    """Return fields with one of them set, or removed by None."""
    others = {key: kept for key, kept in fields.items() if key != name}
    return others if value is None else {**others, name: value}


def _speculating(spec: Spec, how: object) -> Spec:
    """Return a spec with a draft model, with n-grams or, by None, without either."""
    draft, ngram = (DRAFT if how == "draft" else None), (4 if how == "ngram" else None)
    spec = _with(_with(spec, "draftModel", draft), "ngramSpeculationLength", ngram)
    return _with(spec, "draftTokenCount", None if how is None else 3)


def expiry(raw: Mapping[str, Any]) -> float | None:
    """Return when a resource expires, in seconds since 1970; None if it does not."""
    lifetime = _LIFETIMES.get(raw["spec"].get("expiresAfter"))
    created = datetime.fromisoformat(raw["metadata"]["creationTimestamp"]).timestamp()
    return None if lifetime is None else created + lifetime


def is_expired(raw: Mapping[str, Any], now: float) -> bool:
    """Tell whether the operator has to park what a resource asks for."""
    end = expiry(raw)
    managed = raw["spec"].get("managementPolicy") != "Observe" and "deletionTimestamp" not in raw["metadata"]
    return managed and end is not None and end <= now


def parked(spec: Mapping[str, Any]) -> Spec:
    """Return what a spec comes to while it is parked."""
    return {**spec, "minReplicaCount": 0, "maxReplicaCount": 0}


def chosen(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Spec:
    """Return what a spec comes to on the fallback that the status tells of; itself on none.

    The fallback may have left the spec since; but what the status tells has to be in force.
    """
    choice = status.get("choice", {})
    if not choice.get("index"):
        return dict(spec)
    return {**spec, **{name: choice[name] for name in ("acceleratorType", "acceleratorCount") if name in choice}}


def mismatches(spec: Mapping[str, Any], raw: Mapping[str, Any]) -> list[str]:
    """Return what a deployment has otherwise than the spec says, field by field."""
    found = [
        f"{name} is {raw.get(name, _DEFAULTS.get(name))}, not {spec[name]}"
        for name in _PLAIN
        if name in spec and raw.get(name, _DEFAULTS.get(name)) != spec[name]
    ]
    tags = raw.get("annotations", {})
    for key, wanted in spec.get("tags", {}).items():
        if tags.get(f"custom/{key}") != wanted:
            found.append(f"the tag {key} is {tags.get(f'custom/{key}')}, not {wanted}")
    for name, wanted in spec.get("autoscalingPolicy", {}).items():
        seconds = _window(raw, name)
        if seconds != _SECONDS[wanted]:
            found.append(f"{name} is {seconds} s, not {wanted}")
    return found


def named(status: Mapping[str, Any]) -> set[str]:
    """Return the deployments that a status names: two while one takes the place of the other."""
    names = (status.get("deploymentName"), status.get("replacement", {}).get("deploymentName"))
    return {name for name in names if name}


def is_blue_green(spec: Mapping[str, Any]) -> bool:
    """Tell whether a deployment goes only once its successor serves."""
    return bool(spec.get("replacePolicy", {}).get("type") == "BlueGreen")


def is_let_go(raw: Mapping[str, Any]) -> bool:
    """Tell whether a resource is being deleted, or has its deployment only observed."""
    return "deletionTimestamp" in raw["metadata"] or raw["spec"].get("managementPolicy") == "Observe"


def is_second_to_go(status: Mapping[str, Any], name: str, now: float) -> bool:
    """Tell whether a deployment is the second of two and no longer needed: a former one that has drained, or unwanted.

    `now` is what the operator's clock says, in seconds since 1970.
    """
    replacement = status.get("replacement", {})
    if replacement.get("deploymentName") != name:
        return False
    if replacement["phase"] == "Discarding":
        return True
    until = replacement.get("until")
    drained = until is not None and datetime.fromisoformat(until).timestamp() <= now
    return bool(replacement["phase"] == "Draining" and drained)


def may_be_replaced(spec: Mapping[str, Any], raw: Mapping[str, Any]) -> bool:
    """Tell whether a spec lets a deployment be created anew, and asks for what only a new one can have."""
    replaces = spec.get("replacePolicy", {}).get("type") == "Recreate"
    adopted = raw.get("annotations", {}).get("custom/adopted") == "true"
    return replaces and not adopted and any(name in spec and raw.get(name) != spec[name] for name in _FIXED)


def may_be_given_up(resource: Mapping[str, Any], raw: Mapping[str, Any]) -> bool:
    """Tell whether a deployment may give way to another choice: it never served, and its resource has said so."""
    adopted = raw.get("annotations", {}).get("custom/adopted") == "true"
    served = raw.get("replicaStats", {}).get("readyReplicaCount", 0) > 0
    said = str(resource["status"].get("choice", {}).get("replaces", ""))[:19]
    return not adopted and not served and said == str(raw.get("createTime", ""))[:19] != ""


def loaded_addons(deployed: Iterable[Mapping[str, Any]]) -> frozenset[tuple[str, str]]:
    """Return what can be requested of what is loaded, as (deployment name, model)."""
    return frozenset((each["deployment"], each["model"]) for each in deployed if each["state"] == "DEPLOYED")


def missing_addons(spec: Mapping[str, Any], name: str, loaded: Collection[tuple[str, str]]) -> list[str]:
    """Return the addons that a spec names and that cannot be requested of a deployment."""
    wanted = [each["model"] for each in spec.get("addons") or ()]
    return [f"the addon {model} is not loaded" for model in wanted if (name, model) not in loaded]


def leftovers(former: Mapping[str, Any], spec: Mapping[str, Any], raw: Mapping[str, Any]) -> list[str]:
    """Return what a deployment still has of a former spec, although Fireworks has a default for it."""
    found = [
        f"{name} is still {raw[name]}"
        for name, default in _DEFAULTS.items()
        if name in former and name not in spec and name != "maxReplicaCount" and raw.get(name, default) != default
    ]
    left = (f"custom/{key}" for key in former.get("tags", {}).keys() - spec.get("tags", {}).keys())
    found += [f"{key} is still there" for key in sorted(left) if key in raw.get("annotations", {})]
    gone = former.get("autoscalingPolicy", {}).keys() - spec.get("autoscalingPolicy", {}).keys()
    return found + [f"{name} is still {_window(raw, name)} s" for name in gone if _window(raw, name) != _WINDOW[name]]


def _window(raw: Mapping[str, Any], name: str) -> float:
    """Return a window of a deployment, in seconds."""
    return float(str(raw.get("autoscalingPolicy", {}).get(name, _WINDOW[name])).removesuffix("s"))
