"""Manifests as people write them, as text: what a tool makes of `1.0` or `{}` is the point."""

from collections.abc import Mapping

from testkit.team import MODEL, SECRET

_MANIFEST = """\
---
apiVersion: fireworks.ai/v1alpha1
kind: FireworksDeployment
metadata:
  name: {name}
  namespace: {namespace}
  annotations: {annotations}
spec:
  baseModel: {model}
  acceleratorType: NVIDIA_H100_80GB
  credentialsSecretRef: {{name: {secret}}}
"""
_CONFIG_MAP = """\
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
  namespace: {namespace}
  annotations: {annotations}
"""
SPELLINGS: Mapping[str, str] = {
    "durations": "autoscalingPolicy: {scaleUpWindow: 1m30s, scaleDownWindow: 0.5h, scaleToZeroWindow: 3600s}",
    "integer-target": "autoscalingPolicy: {loadTargets: {default: 1}}",
    "float-target": "autoscalingPolicy: {loadTargets: {default: 1.0}}",
    "trailing-zero": "autoscalingPolicy: {loadTargets: {default: 0.50}}",
    "exponent": "autoscalingPolicy: {loadTargets: {requests_per_second: 1e1}}",
    "float-count": "acceleratorCount: 1.0",
    "empty-map": "autoscalingPolicy: {}",
    "empty-targets": "autoscalingPolicy: {loadTargets: {}}",
    "empty-list": "addons: []",
    "empty-tags": "tags: {}",
    "not-paused": "paused: false",
    "zero": "minReplicaCount: 0",
    "blanks": 'displayName: "  Chat, production  "',
    "folded": "description: >-\n    in two\n    lines",
    "defaults": "deletionPolicy: Delete",
    "set": "placement: {regions: [US_IOWA_1, US_ILLINOIS_2]}",
}
"""Specs that Fireworks, the API server or a tool would write otherwise, by a name for the resource."""


def model(
    namespace: str, spec: str = "minReplicaCount: 1", *, name: str = "chat", base: str = MODEL, annotations: str = "{}"
) -> str:
    """Return the manifest of a model, with `spec` in addition to what it needs.

    Args:
        namespace: of the resource.
        spec: YAML, one or more lines, not indented.
        name: of the resource.
        base: its base model.
        annotations: YAML, in one line.
    """
    head = _MANIFEST.format(name=name, namespace=namespace, annotations=annotations, model=base, secret=SECRET)
    return head + "".join(f"  {line}\n" for line in spec.splitlines())


def config_map(namespace: str, name: str, annotations: str) -> str:
    """Return the manifest of a ConfigMap: something that uses a model."""
    return _CONFIG_MAP.format(name=name, namespace=namespace, annotations=annotations)
