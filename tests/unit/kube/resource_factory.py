"""Resources as the API server would return them."""

from typing import Any

from fireworks_operator.api.v1alpha1 import FireworksDeployment


def raw_resource(name: str = "llama", **metadata: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the JSON object of a resource in namespace `team`."""
    return {
        "apiVersion": "fireworks.ai/v1alpha1",
        "kind": "FireworksDeployment",
        "metadata": {"name": name, "namespace": "team", "uid": "u-1", "resourceVersion": "41"} | metadata,
        "spec": {"baseModel": "accounts/fireworks/models/llama"},
    }


def resource(name: str = "llama", **metadata: Any) -> FireworksDeployment:  # noqa: ANN401
    """Return a resource in namespace `team`."""
    return FireworksDeployment.parse(raw_resource(name, **metadata))
