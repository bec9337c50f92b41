"""Combinations of values about names, labels and images."""

from typing import Final

from tests.chart.combination import CONTAINER, POD, Combination, refused, row

NAME = "Deployment metadata name"
SERVICE = "Service metadata name"
LONG = "production-inference-platform-eu-west-1-of-company-x1"
"""A release name of 53 characters, the most that Helm takes."""
LABELS = "app.kubernetes.io"
DIGEST = f"sha256:{'0123456789abcdef' * 4}"
OTHER = "kube-public"
"""A namespace that there is in each cluster."""


NAMES: Final = [
    row(
        "the longest release name",
        {},
        {NAME: f"{LONG}-fireworks", SERVICE: f"{LONG}-f-metrics"},
        release=LONG,
    ),
    row(
        "a release name that holds the chart's",
        {},
        {NAME: "team-fireworks-operator", SERVICE: "team-fireworks-operator-metrics"},
        release="team-fireworks-operator",
    ),
    row(
        "a release name with dots",
        {},
        {NAME: "fw.prod-fireworks-operator", SERVICE: "fw-prod-fireworks-operator-metrics"},
        release="fw.prod",
    ),
    row(
        "a release name of digits",
        {},
        {NAME: "2024-fireworks-operator", f"Deployment metadata labels {LABELS}/instance": "2024"},
        release="2024",
    ),
    row("a whole name of 63", {"fullnameOverride": "f" * 63}, {NAME: "f" * 63, SERVICE: f"{'f' * 55}-metrics"}),
    row(
        "a whole name of 56 that is cut at a dash",
        {"fullnameOverride": f"{'f' * 54}-x", "metrics": {"dashboard": {"enabled": True}}},
        {SERVICE: f"{'f' * 54}-metrics", "ConfigMap metadata name": f"{'f' * 53}-dashboard"},
    ),
    row("a whole name of digits", {"fullnameOverride": "123"}, {NAME: "123", SERVICE: "fw-123-metrics"}),
    row("a whole name that reads like a boolean", {"fullnameOverride": "true"}, {NAME: "true"}),
    row("a long part of the name", {"nameOverride": "n" * 63}, {f"Deployment metadata labels {LABELS}/name": "n" * 63}),
    row("names null", {"nameOverride": None, "fullnameOverride": None}, {NAME: "fw-fireworks-operator"}, release="fw"),
    refused("a whole name of 64", {"fullnameOverride": "f" * 64}, "fullnameOverride"),
    refused("a whole name with capitals", {"fullnameOverride": "Fireworks"}, "fullnameOverride"),
    row(
        "another namespace",
        {"namespaceOverride": OTHER, "credentials": {"apiKey": "fw_not_a_key"}},
        {
            "Deployment metadata namespace": OTHER,
            "Secret metadata namespace": OTHER,
            "ClusterRoleBinding subjects 0 namespace": OTHER,
            "RoleBinding metadata namespace": OTHER,
        },
    ),
]

TEXTS: Final = [
    row(
        "labels and annotations of all objects",
        {"commonLabels": {"team": "inference"}, "commonAnnotations": {"owner": "me"}, "podLabels": {"team": "other"}},
        {
            "Service metadata labels team": "inference",
            "Deployment spec template metadata labels team": "other",
            "Deployment spec template metadata annotations owner": "me",
        },
    ),
    row(
        "labels and annotations null",
        {
            **dict.fromkeys(("commonLabels", "commonAnnotations", "podLabels", "podAnnotations")),
            "deploymentAnnotations": None,
        },
        {"Deployment metadata annotations": None},
    ),
    row(
        "labels of the chart's own replaced",
        {"commonLabels": {f"{LABELS}/managed-by": "argocd", f"{LABELS}/part-of": "platform", "helm.sh/chart": ""}},
        {
            f"Service metadata labels {LABELS}/managed-by": "argocd",
            "Service metadata labels helm.sh/chart": "",
            f"Deployment spec template metadata labels {LABELS}/managed-by": "argocd",
        },
    ),
    row(
        "labels of the pods replaced",
        {"podLabels": {f"{LABELS}/version": "1", f"{LABELS}/name": "fireworks-operator"}},
        {f"Deployment spec template metadata labels {LABELS}/version": "1"},
    ),
    row(
        "an annotation of the pods replaced",
        {"podAnnotations": {"kubectl.kubernetes.io/default-container": "sidecar"}},
        {"Deployment spec template metadata annotations kubectl.kubernetes.io/default-container": "sidecar"},
    ),
    row(
        "labels of one object",
        {
            "serviceAccount": {"labels": {"a": "b"}, "annotations": {"c": "d"}},
            "metrics": {"service": {"labels": {"e": "f"}, "annotations": {"g": "h"}}},
        },
        {"ServiceAccount metadata labels a": "b", "Service metadata labels e": "f"},
    ),
    refused("a label of a number", {"commonLabels": {"team": 1}}, "commonLabels"),
    refused("a label null", {"commonLabels": {"team": None}}, "commonLabels"),
    refused(
        "the name of the selector", {"commonLabels": {f"{LABELS}/name": "x"}}, "commonLabels cannot change app.kub"
    ),
    refused("the release of the selector", {"podLabels": {f"{LABELS}/instance": "x"}}, "the name of the release"),
    refused(
        "the selector of the monitor",
        {"metrics": {"service": {"labels": {f"{LABELS}/name": "x"}}}},
        "metrics.service.labels cannot change",
    ),
]

IMAGES: Final = [
    row(
        "a registry for all charts",
        {"global": {"imageRegistry": "mirror.example.com:5000/hub/", "imagePullSecrets": ["a", {"name": "b"}]}},
        {
            f"{CONTAINER} image": "mirror.example.com:5000/hub/fireworks-operator:0.1.0",
            f"{POD} imagePullSecrets": [{"name": "a"}, {"name": "b"}],
        },
    ),
    row(
        "a registry in place of another",
        {"global": {"imageRegistry": "mirror.example.com"}, "image": {"repository": "ghcr.io/team/operator"}},
        {f"{CONTAINER} image": "mirror.example.com/team/operator:0.1.0"},
    ),
    row(
        "a registry of its own",
        {"global": {"imageRegistry": "mirror.example.com"}, "image": {"registry": "localhost:5000", "tag": "1"}},
        {f"{CONTAINER} image": "localhost:5000/fireworks-operator:1"},
    ),
    row(
        "a digest and pull secrets, one of them twice",
        {
            "image": {"repository": "localhost/team/operator", "registry": "mirror.example.com", "digest": DIGEST},
            "imagePullSecrets": [{"name": "a"}, "a", "b"],
            "global": {"imagePullSecrets": [{"name": "b"}]},
        },
        {
            f"{CONTAINER} image": f"mirror.example.com/team/operator@{DIGEST}",
            f"{POD} imagePullSecrets": [{"name": "a"}, {"name": "b"}],
        },
    ),
    row(
        "global values of other charts",
        {"global": {"storageClass": "fast", "postgresql": {"auth": {"password": "x"}}, "imageRegistry": None}},
        {f"{CONTAINER} image": "fireworks-operator:0.1.0", f"{POD} imagePullSecrets": None},
    ),
    row("pull secrets null", {"imagePullSecrets": None, "image": {"tag": None}}, {f"{POD} imagePullSecrets": None}),
    refused("a registry as a URL", {"image": {"registry": "https://registry.example.com"}}, "registry"),
    refused("a global registry as a map", {"global": {"imageRegistry": {"name": "x"}}}, "imageRegistry"),
    refused("a tag in the repository", {"image": {"repository": "registry.example.com/operator:1.0"}}, "repository"),
    refused("a pull secret without a name", {"imagePullSecrets": [{"secret": "a"}]}, "imagePullSecrets"),
    refused("no image", {"image": None}, "image"),
]

NAMED: Final[list[Combination]] = [*NAMES, *TEXTS, *IMAGES]
