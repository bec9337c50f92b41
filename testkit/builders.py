"""Resources, deployments and surroundings as tests need them: everything usual, but for what a test says."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import JsonValue

from fireworks_operator.api.v1alpha1 import FINALIZER, FireworksDeployment
from fireworks_operator.core.context import Context, CredentialState, Usable
from fireworks_operator.core.identity import TAG_ADOPTED, Owner, deployment_id, deployment_name
from fireworks_operator.core.observed.observation import Present
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.models import DeployedModel, Deployment

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
BORN = NOW - timedelta(hours=1)
ACCOUNT = "acme"
CLUSTER = "cluster-1"
BASE_MODEL = "accounts/fireworks/models/llama-v3p2-3b-instruct"
SHAPE = "accounts/fireworks/deploymentShapes/llama-v3p2-3b-instruct-minimal/versions/v1"
"""The shape that Fireworks chooses for it."""
OWNER = Owner(CLUSTER, "team-a", "chat")
NAME = deployment_name(ACCOUNT, deployment_id(OWNER))
ADDON = f"accounts/{ACCOUNT}/models/lora-1"

MADE_HERE: dict[str, JsonValue] = {**OWNER.marker(), TAG_ADOPTED: "false"}
"""Annotations of a deployment that this operator has created."""
ADOPTED: dict[str, JsonValue] = {**OWNER.marker(), TAG_ADOPTED: "true"}
"""Annotations of one that it was asked to take over."""

CLAIMED: Mapping[str, Any] = {"deploymentName": NAME, "account": ACCOUNT, "observedGeneration": 1}
"""Status right after the claim."""
CREATED: Mapping[str, Any] = {**CLAIMED, "createTime": BORN, "appliedFields": ["baseModel"]}
"""Status of a resource whose deployment this operator has created."""


def a_resource(
    spec: Mapping[str, Any] | None = None,
    status: Mapping[str, Any] | None = None,
    **metadata: object,
) -> FireworksDeployment:
    """Build a resource with a finalizer; `status` None: nothing claimed yet. `metadata` has Kubernetes' names."""
    meta = {
        "name": OWNER.name,
        "namespace": OWNER.namespace,
        "uid": "uid-1",
        "resourceVersion": "100",
        "generation": 1,
        "finalizers": [FINALIZER],
        **metadata,
    }
    return FireworksDeployment.parse(
        {"metadata": meta, "spec": {"baseModel": BASE_MODEL, **(spec or {})}, "status": dict(status or {})}
    )


def a_deleted_resource(
    spec: Mapping[str, Any] | None = None, status: Mapping[str, Any] | None = None, **metadata: object
) -> FireworksDeployment:
    """Build a resource with a deletionTimestamp, whose deployment was created unless `status` says otherwise."""
    return a_resource(
        spec, CREATED if status is None else status, **{"deletionTimestamp": NOW - timedelta(seconds=5), **metadata}
    )


def an_attempt(
    action: str, reason: str, *, ago: float = 0.0, count: int = 1, generation: int = 1
) -> dict[str, JsonValue]:
    """Build `status.lastAttempt`; `ago` in seconds before NOW."""
    time = (NOW - timedelta(seconds=ago)).isoformat()
    return {"action": action, "generation": generation, "count": count, "time": time, "reason": reason}


def a_deployment_json(**wire: JsonValue) -> dict[str, JsonValue]:
    """Build a READY deployment with one ready replica and our marker, as the REST API sends it."""
    return {
        "name": NAME,
        "baseModel": BASE_MODEL,
        "state": "READY",
        "createTime": BORN.isoformat(),
        "updateTime": BORN.isoformat(),
        "annotations": dict(OWNER.marker()),
        "minReplicaCount": 0,
        "maxReplicaCount": 1,
        "desiredReplicaCount": 1,
        "replicaCount": 1,
        "replicaStats": {"readyReplicaCount": 1},
        "acceleratorType": "NVIDIA_H100_80GB",
        "acceleratorCount": 1,
        **wire,
    }


def a_deployment(**wire: JsonValue) -> Deployment:
    """Build a READY deployment that serves; `wire` has the REST API's names."""
    return Deployment.parse(a_deployment_json(**wire))


def present(*addons: DeployedModel, **wire: JsonValue) -> Present:
    """Observe a deployment, and the addons that are loaded on it."""
    return Present(a_deployment(**wire), addons)


def an_addon(model: str = ADDON, state: str = "DEPLOYED", **wire: JsonValue) -> DeployedModel:
    """Build a loaded addon."""
    name = f"accounts/{ACCOUNT}/deployedModels/{model.rsplit('/', 1)[-1]}-x1"
    return DeployedModel.parse({"name": name, "model": model, "deployment": NAME, "state": state, **wire})


def a_context(credential: CredentialState | None = None, **others: Any) -> Context:  # noqa: ANN401 - Context's own fields
    """Build the surroundings of a pass: a usable key of the account, nothing in trouble."""
    return Context(**{"now": NOW, "cluster_id": CLUSTER, "credential": credential or Usable(ACCOUNT), **others})


def an_error(kind: ErrorKind, message: str = "the server's words", *, definite: bool | None = None) -> FireworksError:
    """Build an error of the REST API."""
    return FireworksError(kind, message, status=400, definite=definite)
