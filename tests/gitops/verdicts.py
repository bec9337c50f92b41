"""What tools that wait make of a resource, by their published rules."""

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]

ARGO_HEALTH = {
    "Current": "Healthy",
    "InProgress": "Progressing",
    "Failed": "Degraded",
    "Terminating": "Progressing",
}
"""What Argo CD is to show for each answer of kstatus, so that both kinds of tools agree."""
HELM_WAIT = {"Current": "done", "InProgress": "waits", "Failed": "fails", "Terminating": "waits"}
"""What `helm --wait` of Helm 4, and a Flux Kustomization or HelmRelease that waits, do then."""


def kstatus(resource: Json) -> str:
    """Return the status that kstatus computes (kubernetes-sigs/cli-utils, pkg/kstatus/status).

    Deletion comes first, then a generation that is not observed. Of Reconciling and Stalled the first True one in the
    list decides, and only then Ready.
    """
    metadata, status = resource["metadata"], resource.get("status", {})
    if metadata.get("deletionTimestamp"):
        return "Terminating"
    if status.get("observedGeneration", metadata["generation"]) != metadata["generation"]:
        return "InProgress"
    conditions = status.get("conditions", [])
    for each in conditions:
        if each["type"] in ("Reconciling", "Stalled") and each["status"] == "True":
            return "InProgress" if each["type"] == "Reconciling" else "Failed"
    ready = next((each["status"] for each in conditions if each["type"] == "Ready"), "True")
    return "Current" if ready == "True" else "InProgress"


def kubectl_wait(resource: Json, kind: str = "Ready") -> str:
    """Tell whether `kubectl wait --for=condition=KIND` returns (kubernetes/kubectl, pkg/cmd/wait)."""
    generation, status = resource["metadata"]["generation"], resource.get("status", {})
    for each in status.get("conditions", []):
        if each["type"] == kind:
            observed = each.get("observedGeneration", status.get("observedGeneration", generation))
            return "done" if observed >= generation and each["status"] == "True" else "waits"
    return "waits"


def condition(resource: Json, kind: str) -> Json:
    """Return a condition; empty if there is none of that type."""
    conditions = resource.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == kind), {})


def health_message(resource: Json) -> str:
    """Return what Argo CD is to show beside the health: the sentence of the condition that decides."""
    status = resource.get("status", {})
    if "conditions" not in status:
        return "Waiting for the operator"
    if status["observedGeneration"] != resource["metadata"]["generation"]:
        return "Waiting for the operator to see the change"
    deciding = ("Reconciling", "Stalled", "Ready")
    first = next((kind for kind in deciding if condition(resource, kind).get("status") == "True"), "Ready")
    return str(condition(resource, first)["message"])
