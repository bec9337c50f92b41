"""Passes over a resource, and its conditions at a glance: what the tests of `report()` are made of."""

from typing import Any

from fireworks_operator.api.conditions import ConditionType
from fireworks_operator.api.v1alpha1 import Condition, FireworksDeployment, FireworksDeploymentStatus
from fireworks_operator.core.actions import Action, Create, Rest, Update
from fireworks_operator.core.context import Context
from fireworks_operator.core.decisions.decide import decide
from fireworks_operator.core.observed.observation import Absent, Observed
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.situation import assess
from fireworks_operator.core.status.report import report
from fireworks_operator.fireworks.errors import FireworksError
from testkit.builders import (
    CREATED,
    NAME,
    a_context,
    a_resource,
    present,
)

GONE = Absent(confirmed=True)
LOADING: dict[str, Any] = {
    "state": "CREATING",
    "replicaStats": {"initializingReplicaCount": 1},
}
ASLEEP: dict[str, Any] = {"replicaStats": {}, "desiredReplicaCount": 0, "replicaCount": 0}
CREATE = Create(NAME, {}, {}, ("baseModel",))
UPDATE = Update(NAME, {}, ("display_name",), ("displayName",))
BLUE = {"displayName": "blue"}


def find(status: FireworksDeploymentStatus, kind: ConditionType) -> Condition:
    return next(each for each in status.conditions if each.type == kind)


def summary(status: FireworksDeploymentStatus) -> tuple[str, str, str, str, int]:
    """Return Ready, Available, Reconciling, Stalled and Ready's reason as one row, and the observed generation."""
    kinds = (ConditionType.READY, ConditionType.AVAILABLE, ConditionType.RECONCILING, ConditionType.STALLED)
    ready, available, reconciling, stalled = (find(status, kind).status[0] for kind in kinds)
    return (
        f"{ready}{available}",
        f"{reconciling}{stalled}",
        find(status, ConditionType.READY).reason,
        find(status, ConditionType.AVAILABLE).reason,
        status.observed_generation,
    )


def after(
    resource: FireworksDeployment,
    observed: Observed,
    action: Action | None = None,
    *,
    error: FireworksError | None = None,
    begun: bool = False,
    context: Context | None = None,
) -> FireworksDeployment:
    """Make one pass and return the resource as the API server then has it; `action` None: what `decide()` names."""
    context = context or a_context()
    action = action or decide(assess(resource, observed, context))
    status = report(assess(resource, observed, context), Outcome(action, error, begun))
    stored = FireworksDeploymentStatus.model_validate(status.to_wire())
    return resource.model_copy(update={"status": stored})


def serving(spec: dict[str, Any] | None = None, **metadata: object) -> FireworksDeployment:
    """Build a resource that was Ready for generation 1, and has since got the metadata and spec given."""
    before = after(a_resource(spec, CREATED), present(**(spec or {})), Rest())
    assert summary(before.status)[0] == "TT"
    return before.model_copy(
        update={"metadata": before.metadata.model_copy(update=metadata)} if metadata else {},
    )


def with_spec(resource: FireworksDeployment, **spec: Any) -> FireworksDeployment:  # noqa: ANN401 - any field of a spec
    """Change the spec as a user does: the generation grows."""
    changed = a_resource(spec, generation=resource.metadata.generation + 1)
    return resource.model_copy(update={"spec": changed.spec, "metadata": changed.metadata})
