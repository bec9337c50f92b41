"""A resource that is being replaced by BlueGreen, as the decisions of the operator leave it."""

from datetime import timedelta
from typing import Any

from fireworks_operator.api.v1alpha1 import FireworksDeployment, FireworksDeploymentStatus
from fireworks_operator.core.context import Context
from fireworks_operator.core.observed.observation import Absent, Observed, Present
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.replacing.handover import decide_resource
from fireworks_operator.core.replacing.report import report_resource
from fireworks_operator.fireworks.errors import FireworksError

from .builders import MADE_HERE, NOW, a_context, present
from .report_steps import serving, with_spec

H100, H200 = "NVIDIA_H100_80GB", "NVIDIA_H200_141GB"
DRAIN = timedelta(minutes=10)
MADE_FOR: dict[str, Any] = {"acceleratorType": H100, "annotations": MADE_HERE}
"""What Fireworks says of the deployment that is replaced."""
GONE = Absent(confirmed=True)


def passed(
    resource: FireworksDeployment,
    main: Observed,
    other: Observed = GONE,
    *,
    error: FireworksError | None = None,
    begun: bool = False,
    context: Context | None = None,
) -> FireworksDeployment:
    """Make one pass over a resource and both of its deployments; return it as the API server then has it."""
    situation, action = decide_resource(resource, main, other, context or a_context())
    status = report_resource(situation, Outcome(action, error, begun))
    stored = FireworksDeploymentStatus.model_validate(status.to_wire())
    return resource.model_copy(update={"status": stored})


def changed(**policy: object) -> FireworksDeployment:
    """Return a resource that serves on H100 GPUs, and asks for H200 by BlueGreen now."""
    asked = {"replacePolicy": {"type": "BlueGreen", **policy}}
    return with_spec(serving({"acceleratorType": H100}), acceleratorType=H200, **asked)


def former(**wire: Any) -> Present:  # noqa: ANN401 - any field of a deployment
    """Observe the deployment that is replaced."""
    return present(**{**MADE_FOR, **wire})


def successor(resource: FireworksDeployment, **wire: Any) -> Present:  # noqa: ANN401 - any field of a deployment
    """Observe the second deployment of a resource, as its successor."""
    replacement = resource.status.replacement
    assert replacement is not None
    created = {"createTime": NOW.isoformat(), "annotations": MADE_HERE, "acceleratorType": H200}
    return present(**{**created, "name": replacement.deployment_name, **wire})


def preparing(**policy: object) -> FireworksDeployment:
    """Return a resource whose successor has been claimed and is about to be created."""
    begun = passed(changed(**policy), former())
    return passed(begun, former())


def starting() -> FireworksDeployment:
    """Return a resource whose successor starts."""
    claimed = preparing()
    created = passed(claimed, former(), begun=True)
    loading = successor(created, state="CREATING", replicaStats={"initializingReplicaCount": 1}, replicaCount=1)
    return passed(created, former(), loading)


def refused(error: FireworksError) -> FireworksDeployment:
    """Return a resource whose successor Fireworks refuses to create."""
    return passed(passed(preparing(), former(), error=error), former())


def draining() -> FireworksDeployment:
    """Return a resource whose successor serves, while the former deployment drains."""
    created = starting()
    return passed(created, former(), successor(created))


def handed_back() -> FireworksDeployment:
    """Return a resource whose successor has failed after it had taken over, so that the former one serves again."""
    resource = draining()
    failed = present(
        name=resource.status.deployment_name,
        acceleratorType=H200,
        annotations=MADE_HERE,
        createTime=NOW.isoformat(),
        state="FAILED",
        replicaStats={},
        status={"code": "INTERNAL", "message": "out of memory"},
    )
    return passed(passed(resource, failed, former()), former(), failed)


def undeletable(error: FireworksError) -> FireworksDeployment:
    """Return a resource whose former deployment has drained, and which Fireworks refuses to delete."""
    resource = draining()
    replacement, name = resource.status.replacement, resource.status.deployment_name
    assert replacement is not None
    serves = present(name=name, acceleratorType=H200, annotations=MADE_HERE, createTime=NOW.isoformat())
    later = a_context(now=NOW + DRAIN)
    return passed(resource, serves, former(), error=error, context=later)


def discarding() -> FireworksDeployment:
    """Return a resource whose spec was put back, so that the successor is discarded."""
    resource = starting()
    back = with_spec(resource, acceleratorType=H100, replacePolicy={"type": "BlueGreen"})
    return passed(passed(back, former(), successor(resource)), former(), successor(resource))
