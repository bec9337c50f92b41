"""Combinations of values about settings, rights, metrics and everything else beside the pods."""

from typing import Any, Final

from tests.chart.combination import CONTAINER, DEPLOYMENT, POD, Combination, refused, row

OTHER = "kube-public"
"""A namespace that there is in each cluster."""


def env(name: str, value: str) -> dict[str, Any]:
    """Return values with one more variable."""
    return {"extraEnv": [{"name": name, "value": value}]}


SETTINGS: Final = [
    row(
        "a proxy",
        {
            "extraEnv": [
                {"name": "HTTPS_PROXY", "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "url"}}},
                {"name": "NO_PROXY", "value": ".svc"},
            ],
            "extraEnvFrom": [{"configMapRef": {"name": "more"}}, {"secretRef": {"name": "more", "optional": True}}],
        },
        {f"{CONTAINER} env NO_PROXY value": ".svc", f"{CONTAINER} envFrom 1 secretRef name": "more"},
    ),
    row(
        "a setting that is not set otherwise",
        env("FIREWORKS_OPERATOR_HEALTH_HOST", "::1"),
        {f"{CONTAINER} env FIREWORKS_OPERATOR_HEALTH_HOST value": "::1"},
    ),
    refused("a setting as a variable", env("FIREWORKS_OPERATOR_LOG_LEVEL", "DEBUG"), "use settings.logLevel"),
    refused("the base URL as a variable", env("FIREWORKS_BASE_URL", "https://example.com"), "use settings.baseUrl"),
    refused("the Lease as a variable", env("FIREWORKS_OPERATOR_LEASE_NAME", "x"), "use leaderElection.leaseName"),
    refused("the namespace as a variable", env("FIREWORKS_OPERATOR_NAMESPACE", "x"), "use namespaceOverride"),
    refused(
        "a key beside the Secret",
        {**env("FIREWORKS_API_KEY", "fw_not_a_key"), "credentials": {"existingSecret": "fireworks"}},
        "use credentials.existingSecret",
    ),
    refused(
        "one variable twice",
        {"extraEnv": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]},
        "extraEnv: the name A is used twice",
    ),
    refused("a variable of a number", {"extraEnv": [{"name": "A", "value": 1}]}, "extraEnv"),
    refused("a variable without a name", {"extraEnv": [{"value": "1"}]}, "extraEnv"),
    row("variables null", {"extraEnv": None, "extraEnvFrom": None, "extraArgs": None}, {f"{CONTAINER} envFrom": None}),
    refused(
        "one volume twice",
        {"extraVolumes": [{"name": "a", "emptyDir": {}}, {"name": "a", "emptyDir": {}}]},
        "extraVolumes: the name a is used twice",
    ),
    refused(
        "one path twice",
        {
            "extraVolumes": [{"name": "a", "emptyDir": {}}],
            "extraVolumeMounts": [{"name": "a", "mountPath": "/a"}, {"name": "a", "mountPath": "/a"}],
        },
        "extraVolumeMounts: the mountPath /a is used twice",
    ),
    refused(
        "a mount of no volume",
        {"extraVolumeMounts": [{"name": "a", "mountPath": "/a"}]},
        'volumeMounts[0].name: Not found: "a"',
        by_server=True,
    ),
    row(
        "settings null",
        {"settings": {"logLevel": None, "healthPort": None, "baseUrl": None, "adoptionNamespaces": None}},
        {f"{CONTAINER} env FIREWORKS_OPERATOR_LOG_LEVEL": None, f"{CONTAINER} ports http containerPort": 8080},
    ),
    row(
        "the API on IPv6",
        {"settings": {"healthHost": "::", "baseUrl": "https://[2001:db8::1]:8443"}},
        {f"{CONTAINER} env FIREWORKS_BASE_URL value": "https://[2001:db8::1]:8443"},
    ),
    refused("no settings", {"settings": None}, "settings"),
    row(
        "a key given inline, with keys that read like numbers",
        {"credentials": {"apiKey": "fw_not_a_key", "accountId": "acme", "apiKeyKey": "1", "accountIdKey": "true"}},
        {"Secret data 1": "Zndfbm90X2Ffa2V5", "Secret data true": "YWNtZQ=="},
    ),
    refused(
        "one key for two",
        {"credentials": {"apiKey": "fw_not_a_key", "accountId": "acme", "accountIdKey": "apiKey"}},
        "credentials.apiKeyKey and credentials.accountIdKey",
    ),
    row(
        "a Secret that may come later",
        {"credentials": {"existingSecret": "123", "optional": True}},
        {f"{CONTAINER} env FIREWORKS_API_KEY valueFrom secretKeyRef name": "123"},
    ),
]

RIGHTS: Final = [
    row(
        "some namespaces, one with a number for a name",
        {"watchNamespaces": ["default", "123"], "settings": {"clusterId": "a"}, "rbac": {"secretNames": ["1"]}},
        {"ClusterRole metadata": None, f"{CONTAINER} env FIREWORKS_OPERATOR_WATCH_NAMESPACES value": "default,123"},
    ),
    row(
        "all namespaces by null",
        {"watchNamespaces": None},
        {f"{CONTAINER} env FIREWORKS_OPERATOR_WATCH_NAMESPACES": None},
    ),
    refused("a pattern of namespaces", {"watchNamespaces": ["team-*"]}, "watchNamespaces"),
    refused("a namespace twice", {"watchNamespaces": ["a", "a"], "settings": {"clusterId": "a"}}, "watchNamespaces"),
    row(
        "rights of somebody else",
        {"rbac": {"create": False}, "serviceAccount": {"create": False, "name": "given"}},
        {"ClusterRole metadata": None, "ServiceAccount metadata": None, f"{POD} serviceAccountName": "given"},
    ),
    refused("rights null", {"rbac": {"create": None}}, "create"),
    refused("a CRD that is neither kept nor dropped", {"crds": {"keep": None}}, "keep"),
    row(
        "the narrowest network",
        {
            "networkPolicy": {
                "enabled": True,
                "dnsPorts": [53, 5353],
                "httpsPorts": [443, 3128],
                "metricsFrom": [{"podSelector": {}}],
                "extraEgress": [{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}],
            }
        },
        {"NetworkPolicy spec egress 2 to 0 ipBlock cidr": "192.0.2.0/24"},
    ),
    row(
        "lists of the network null", {"networkPolicy": {"enabled": True, "metricsFrom": None, "extraEgress": None}}, {}
    ),
    refused("no port of DNS", {"networkPolicy": {"dnsPorts": None}}, "dnsPorts"),
    row(
        "objects of all kinds",
        {"extraObjects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-more"}}]},
        {"ConfigMap metadata name": "fw-more"},
        release="fw",
    ),
    row("objects null", {"extraObjects": None}, {"ConfigMap metadata": None}),
]

METRICS: Final = [
    row(
        "a Service for both families",
        {"metrics": {"service": {"ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv4"], "port": 9090}}},
        {"Service spec ipFamilyPolicy": "PreferDualStack", "Service spec ipFamilies": ["IPv4"]},
    ),
    refused("a family that does not exist", {"metrics": {"service": {"ipFamilyPolicy": "Dual"}}}, "ipFamilyPolicy"),
    row(
        "a ServiceMonitor elsewhere",
        {
            "metrics": {
                "serviceMonitor": {
                    "enabled": True,
                    "namespace": OTHER,
                    "scrapeTimeout": "10s",
                    "honorLabels": True,
                    "scheme": "https",
                    "tlsConfig": {"insecureSkipVerify": True},
                    "relabelings": [{"targetLabel": "cluster", "replacement": "prod"}],
                    "endpoint": {"interval": None, "path": "/metrics", "tlsConfig": {"serverName": "operator"}},
                }
            }
        },
        {
            "ServiceMonitor metadata namespace": OTHER,
            "ServiceMonitor spec namespaceSelector matchNames": ["fireworks-system"],
            "ServiceMonitor spec endpoints 0": {
                "port": "http",
                "path": "/metrics",
                "scrapeTimeout": "10s",
                "honorLabels": True,
                "scheme": "https",
                "tlsConfig": {"insecureSkipVerify": True, "serverName": "operator"},
                "relabelings": [{"targetLabel": "cluster", "replacement": "prod"}],
            },
        },
    ),
    row(
        "a PodMonitor without a Service",
        {
            "metrics": {
                "service": {"enabled": False},
                "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "endpoint": {"port": "other"}},
            }
        },
        {
            "Service metadata": None,
            "PodMonitor metadata labels release": "prometheus",
            "PodMonitor spec namespaceSelector": None,
            "PodMonitor spec podMetricsEndpoints 0": {"port": "other", "interval": "30s"},
        },
    ),
    row(
        "lists of a monitor null",
        {"metrics": {"podMonitor": {"enabled": True, "labels": None, "metricRelabelings": None, "endpoint": None}}},
        {"PodMonitor spec podMetricsEndpoints": [{"port": "http", "interval": "30s"}]},
    ),
    refused(
        "two monitors",
        {"metrics": {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}},
        "would scrape each pod twice",
    ),
    refused("an interval without a unit", {"metrics": {"podMonitor": {"interval": "30"}}}, "interval"),
    row(
        "alerts without a page",
        {"metrics": {"prometheusRule": {"enabled": True, "labels": None, "alertLabels": {"severity": "page"}}}},
        {
            "PrometheusRule spec groups 0 rules 0 annotations runbook_url": None,
            "PrometheusRule spec groups 0 rules 0 labels severity": "page",
        },
    ),
    row(
        "alerts with a page, one left out",
        {
            "metrics": {
                "prometheusRule": {
                    "enabled": True,
                    "namespace": OTHER,
                    "runbookUrl": "https://example.com/alerts.html",
                    "disabled": ["FireworksDriftReturns"],
                    "extraGroups": [{"name": "more", "rules": [{"record": "a:b", "expr": "1"}]}],
                }
            }
        },
        {
            "PrometheusRule metadata namespace": OTHER,
            "PrometheusRule spec groups 0 rules 0 annotations runbook_url": (
                "https://example.com/alerts.html#fireworksoperatordown"
            ),
            "PrometheusRule spec groups 1 name": "more",
        },
    ),
    refused("a page that is no URL", {"metrics": {"prometheusRule": {"runbookUrl": "alerts.md"}}}, "runbookUrl"),
    row(
        "an alert above a cost",
        {"metrics": {"prometheusRule": {"enabled": True, "hourlyCostAbove": 64}}},
        {"PrometheusRule spec groups 0 rules 10 alert": "FireworksCostHigh"},
    ),
    refused("a cost below nothing", {"metrics": {"prometheusRule": {"hourlyCostAbove": -1}}}, "hourlyCostAbove"),
    refused(
        "an alert that does not exist",
        {"metrics": {"prometheusRule": {"disabled": ["FireworksOperatorGone"]}}},
        "there is no alert FireworksOperatorGone",
    ),
    refused(
        "a group of the chart's name",
        {"metrics": {"prometheusRule": {"extraGroups": [{"name": "fireworks-operator", "rules": []}]}}},
        "extraGroups: the name fireworks-operator is used twice",
    ),
    row(
        "a dashboard elsewhere",
        {"metrics": {"dashboard": {"enabled": True, "namespace": OTHER, "labels": None, "annotations": None}}},
        {"ConfigMap metadata namespace": OTHER, "ConfigMap metadata labels grafana_dashboard": None},
    ),
    refused("no metrics", {"metrics": None}, "metrics"),
    row(
        "the names of the Deployment",
        {"deploymentAnnotations": {"a": "b"}},
        {f"{DEPLOYMENT} metadata annotations": {"a": "b"}},
    ),
]

OBJECTS: Final[list[Combination]] = [*SETTINGS, *RIGHTS, *METRICS]
