"""Whether a resource has come to rest, and whether what it says then is of use to its user."""

import re
from collections.abc import Mapping
from typing import Any

from fireworks_operator.api.conditions import ConditionType, Reason
from testkit.kubernetes_api import Json, KubernetesApi, KubernetesError, condition

_REASONS = frozenset(map(str, Reason))
_TYPES = frozenset(map(str, ConditionType))
_WAY_OUT = re.compile(
    r"\bspec\.\w+|Fix the spec|delete this resource|\bannotat|\bSecret\b|FIREWORKS_\w+|operator's setting"
    r"|automatically|Fireworks console"
)
"""A field to change, a place to look at, or the promise that nobody need do anything."""


def settled(resource: Mapping[str, Any]) -> bool:
    """Tell whether the operator has done for the spec as it is now what it can without anybody's help."""
    generation = resource["metadata"]["generation"]
    if resource.get("status", {}).get("observedGeneration") != generation:
        return False
    found = [condition(resource, kind) for kind in ("Ready", "Stalled")]
    return any(each.get("status") == "True" and each.get("observedGeneration") == generation for each in found)


def complaints(resource: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a resource at rest; I15 says that there is nothing."""
    found: list[str] = []
    for each in resource["status"]["conditions"]:
        told = f"{each['type']}={each['status']} {each['reason']}: {each['message']!r}"
        if each["type"] not in _TYPES or each["reason"] not in _REASONS:
            found.append(f"not in the reference: {told}")
        if not each["message"].isprintable():
            found.append(f"more than one printable line: {told}")
        if each["type"] == "Stalled" and each["status"] == "True" and not _WAY_OUT.search(each["message"]):
            found.append(f"says nothing of what to do: {told}")
    ready, stalled = condition(resource, "Ready"), condition(resource, "Stalled")
    if (ready["status"] == "True") is (stalled["status"] == "True"):
        found.append(f"Ready and Stalled contradict each other: {ready} {stalled}")
    return found


def answer(api: KubernetesApi, method: str, path: str, body: Json, **query: str) -> Json | KubernetesError:
    """Send a request; return what is stored, or the refusal."""
    try:
        return api.request(method, path, body, query=query)
    except KubernetesError as error:
        return error
