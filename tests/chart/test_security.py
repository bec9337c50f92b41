"""The pods may do as little as possible."""

import copy
from pathlib import Path
from typing import Any

import pytest

from testkit.chart.helm import CHART, Helm
from tests.chart.pod_security import violations


def test_the_pods_meet_the_restricted_standard(helm: Helm, values_file: Path) -> None:
    rendered = helm.template("--values", str(values_file))
    assert violations(rendered.pod) == []
    assert rendered.container["securityContext"]["readOnlyRootFilesystem"] is True
    assert rendered.container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert "memory" in rendered.container["resources"]["limits"]


@pytest.mark.parametrize(
    "change",
    [
        {"securityContext": {"allowPrivilegeEscalation": True}},
        {"securityContext": {"capabilities": {"drop": ["NET_RAW"]}}},
        {"podSecurityContext": {"runAsNonRoot": False}},
        {"podSecurityContext": {"seccompProfile": {"type": "Unconfined"}}},
        {"extraVolumes": [{"name": "node", "hostPath": {"path": "/"}}]},
    ],
    ids=["privileges", "capabilities", "root", "seccomp", "hostPath"],
)
def test_a_looser_pod_would_be_noticed(helm4: Helm, change: dict[str, Any]) -> None:
    assert violations(helm4.template(values=copy.deepcopy(change)).pod)


def test_other_services_do_not_become_settings_of_the_operator(helm: Helm) -> None:
    """A Service named fireworks-operator would otherwise set FIREWORKS_OPERATOR_SERVICE_HOST and others."""
    assert helm.template().pod["enableServiceLinks"] is False


def test_only_the_operators_own_pods_get_the_token_of_the_service_account(helm: Helm) -> None:
    rendered = helm.template()
    assert rendered.the("ServiceAccount")["automountServiceAccountToken"] is False
    assert rendered.pod["automountServiceAccountToken"] is True
    assert rendered.pod["serviceAccountName"] == rendered.the("ServiceAccount")["metadata"]["name"]


def test_the_network_policy_lets_out_dns_the_api_server_and_https_only(helm: Helm) -> None:
    policy = helm.template(values={"networkPolicy": {"enabled": True}}).the("NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert [port["port"] for rule in policy["egress"] for port in rule["ports"]] == [53, 53, 443, 6443]
    assert policy["ingress"] == [{"ports": [{"port": "http", "protocol": "TCP"}]}]
    selected = helm.template().the("Deployment")["spec"]["selector"]
    assert policy["podSelector"] == selected


def test_the_image_is_pinned_by_digest_where_one_is_given(helm: Helm) -> None:
    assert helm.template().container["image"] == "fireworks-operator:0.1.0"
    everything = helm.template("--values", str(CHART / "ci/everything-values.yaml"))
    assert everything.container["image"].startswith("registry.example.com/inference/fireworks-operator@sha256:")
