"""A Kopf operator as one writes it in an afternoon: a handler per verb, a timer and a GET per resource.

It does what its README would promise (create, change, delete, show the state), and nothing more: no budget of
requests, no adoption, no care for a lost answer. Run by `kopf run`, which is how such operators are run.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import kopf

RESOURCE: Final = "fireworksdeployments.fireworks.ai"
POLL_SECONDS: Final = 10.0
"""How often each resource asks for its deployment."""
MUTABLE: Final = ("displayName", "description", "minReplicaCount", "maxReplicaCount")
FIELDS: Final = ("baseModel", "acceleratorType", *MUTABLE)

_DEPLOYMENTS = f"accounts/{os.environ['FIREWORKS_ACCOUNT_ID']}/deployments"
_http = httpx.AsyncClient(
    base_url=f"{os.environ['FIREWORKS_BASE_URL']}/v1/",
    headers={"Authorization": f"Bearer {os.environ['FIREWORKS_API_KEY']}"},
    timeout=30,
    trust_env=False,
)


async def _call(method: str, path: str, body: Mapping[str, Any] | None = None, **query: str) -> dict[str, Any]:
    response = await _http.request(method, path, json=body, params=query)
    response.raise_for_status()
    answer: dict[str, Any] = response.json()
    return answer


def _show(deployment: Mapping[str, Any], generation: int, patch: kopf.Patch) -> None:
    ready = deployment["state"] == "READY"
    patch.status["state"] = deployment["state"]
    patch.status["deploymentName"] = deployment["name"]
    patch.status["observedGeneration"] = generation
    patch.status["conditions"] = [
        {
            "type": "Ready",
            "status": "True" if ready else "False",
            "reason": "Serving" if ready else "Creating",
            "message": f"The deployment is {deployment['state']}.",
            "lastTransitionTime": datetime.now(UTC).isoformat(timespec="seconds"),
            "observedGeneration": generation,
        }
    ]


@kopf.on.startup()
def configure(settings: kopf.OperatorSettings, **_: object) -> None:
    """Keep Kopf from writing every log line as an event; everything else is as it comes."""
    settings.posting.enabled = False


@kopf.on.create(RESOURCE)
async def create(name: str, spec: kopf.Spec, meta: kopf.Meta, patch: kopf.Patch, **_: object) -> None:
    """Create the deployment."""
    body = {key: spec[key] for key in FIELDS if key in spec}
    query = {"deploymentId": spec.get("deploymentId", name), "acceptShapelessRisk": "true"}
    deployment = await _call("POST", _DEPLOYMENTS, body, **query)
    _show(deployment, meta["generation"], patch)


@kopf.on.update(RESOURCE, field="spec")
async def update(name: str, spec: kopf.Spec, meta: kopf.Meta, patch: kopf.Patch, **_: object) -> None:
    """Change the deployment."""
    body = {"baseModel": spec["baseModel"]} | {key: spec[key] for key in MUTABLE if key in spec}
    mask = ",".join(key for key in MUTABLE if key in spec)
    deployment = await _call("PATCH", f"{_DEPLOYMENTS}/{spec.get('deploymentId', name)}", body, updateMask=mask)
    _show(deployment, meta["generation"], patch)


@kopf.on.delete(RESOURCE)
async def delete(name: str, spec: kopf.Spec, **_: object) -> None:
    """Delete the deployment."""
    await _call("DELETE", f"{_DEPLOYMENTS}/{spec.get('deploymentId', name)}")


@kopf.timer(RESOURCE, interval=POLL_SECONDS, initial_delay=POLL_SECONDS)
async def poll(
    name: str, spec: kopf.Spec, status: kopf.Status, meta: kopf.Meta, patch: kopf.Patch, **_: object
) -> None:
    """Look at the deployment, and show what has changed."""
    deployment = await _call("GET", f"{_DEPLOYMENTS}/{spec.get('deploymentId', name)}")
    if deployment["state"] != status.get("state"):
        _show(deployment, meta["generation"], patch)
