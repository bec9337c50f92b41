"""What the conditions of a resource say."""

from collections.abc import Mapping
from typing import Any


def condition(resource: Mapping[str, Any] | None, kind: str) -> dict[str, Any]:
    """Return a condition of a resource; empty if it has none of that type."""
    conditions = (resource or {}).get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == kind), {})


def holds(resource: Mapping[str, Any] | None, kind: str) -> str:
    """Return the status of a condition: True, False or Unknown; empty if there is none of that type."""
    return str(condition(resource, kind).get("status", ""))


def summary(resource: Mapping[str, Any] | None) -> tuple[str, str, str]:
    """Return Ready, Reconciling and Stalled."""
    return holds(resource, "Ready"), holds(resource, "Reconciling"), holds(resource, "Stalled")
