"""A replacement by BlueGreen as it is shown: which of two deployments serves, and what becomes of the other one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from fireworks_operator.api.conditions import ConditionType
from fireworks_operator.api.v1alpha1 import Cost, FireworksDeploymentStatus, Replacement, ReplacementPhase
from fireworks_operator.core.status.cost import dollars_per_hour
from fireworks_operator.core.status.facts import has_condition
from fireworks_operator.core.successor import status_of

from .progress import Stage, stage_of

_ROLES = {
    ReplacementPhase.PREPARING: "Successor",
    ReplacementPhase.DRAINING: "Former deployment",
    ReplacementPhase.DISCARDING: "Given up",
}
_SERVES = {
    ReplacementPhase.PREPARING: "the deployment above serves until its successor does",
    ReplacementPhase.DRAINING: "the deployment above serves, and the former one finishes its requests",
    ReplacementPhase.DISCARDING: "the deployment above goes on serving, and its successor is deleted",
}

_FAILED = "Failed successor"
_SERVES_AGAIN = "the deployment above serves again, since its successor failed, until that one has been created anew"


@dataclass(frozen=True, slots=True)
class ReplacementView:
    """What is shown of a replacement.

    Attributes:
        replacement: the second deployment, as the status has it.
        serving: full name of the deployment that the status names, and requests go to.
        cost: of both deployments; None where it is not metered.
    """

    replacement: Replacement
    serving: str
    cost: Cost | None

    @classmethod
    def of(cls, status: FireworksDeploymentStatus) -> "ReplacementView | None":
        """Describe the replacement that is under way; None if none is."""
        if status.replacement is None:
            return None
        return cls(status.replacement, status.deployment_name or "", status.cost)

    @property
    def blocked(self) -> bool:
        """Whether a person has to act before it gets on."""
        return has_condition(status_of(self.replacement), ConditionType.STALLED)

    @property
    def preparing(self) -> bool:
        """Whether the successor is what is waited for."""
        return self.replacement.phase is ReplacementPhase.PREPARING

    @property
    def failed_in_place(self) -> bool:
        """Whether the successor failed after it had taken over, so that the deployment before it serves again."""
        return self.preparing and self.replacement.hand_backs is not None

    @property
    def stage(self) -> Stage | None:
        """How far the second deployment is on its way to serving; None if it is not."""
        return stage_of(status_of(self.replacement))

    def brief(self) -> str:
        """Return phase and deployment for a column: `Draining chat-x1`."""
        name = self.replacement.deployment_name
        return f"{self.replacement.phase.value} {name.rsplit('/', 1)[-1]}" if name else self.replacement.phase.value

    def facts(self) -> Iterator[tuple[str, str]]:
        """Yield what is to be read, line by line, with the head of each line."""
        replacement = self.replacement
        fields = ", ".join(f"spec.{each}" for each in replacement.fields)
        why = f", to change {fields}" if fields and self.preparing else ""
        serves = _SERVES_AGAIN if self.failed_in_place else _SERVES[replacement.phase]
        yield "Replacement", f"{replacement.phase.value} since {_time(replacement.start_time)}{why}: {serves}"
        yield _FAILED if self.failed_in_place else _ROLES[replacement.phase], self._second()
        if replacement.message:
            yield ("Blocked by" if self.blocked else "Progress"), replacement.message
        cost = self._cost()
        if cost:
            yield "Cost of both", cost

    def to_data(self) -> dict[str, JsonValue]:
        """Return it for programs; what is not known is left out."""
        replacement = self.replacement
        hourly, ceiling = (None, None) if self.cost is None else (self.cost.hourly, self.cost.hourly_ceiling)
        data: dict[str, JsonValue] = {
            "phase": replacement.phase.value,
            "startTime": _time(replacement.start_time),
            "until": None if replacement.until is None else _time(replacement.until),
            "fields": list(replacement.fields),
            "blocked": self.blocked,
            "handBacks": replacement.hand_backs,
            "message": replacement.message,
            "servingDeployment": self.serving or None,
            "deploymentName": replacement.deployment_name,
            "state": replacement.state,
            "readyReplicas": None if replacement.replicas is None else replacement.replicas.ready,
            "hourlyOfBoth": hourly,
            "hourlyCeilingOfBoth": ceiling,
        }
        return {key: value for key, value in data.items() if value is not None}

    def _second(self) -> str:
        """Return the second deployment with its state, and when it is deleted."""
        replacement = self.replacement
        if replacement.deployment_name is None:
            return "not created yet"
        facts = [replacement.state or "not created yet"]
        if replacement.replicas is not None:
            ready, desired = replacement.replicas.ready, replacement.replicas.desired
            facts.append(f"{ready} of {max(ready, desired)} replicas ready")
        if self.failed_in_place:
            facts.append(f"has failed {_times(replacement.hand_backs)} after it had taken over")
        if replacement.until is not None:
            facts.append(f"answers those who still name it, and is deleted after {_time(replacement.until)}")
        return f"{replacement.deployment_name}: {', '.join(facts)}"

    def _cost(self) -> str:
        if self.cost is None or self.replacement.state is None:
            return ""  # there is no second one yet
        hourly, ceiling = dollars_per_hour(self.cost)
        if hourly is None or ceiling is None:
            return f"{self.cost.gpus} GPUs, at most {self.cost.gpu_ceiling}; their price is not known"
        return f"${hourly:.2f}/h, at most ${ceiling:.2f}/h"


def _times(count: int | None) -> str:
    return "once" if count in (None, 1) else f"{count} times"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
