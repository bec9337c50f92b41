"""The pages about networks and registries show values of the chart's folder ci/, and these do what the pages say."""

import re
from typing import Any

import pytest
import yaml

from testkit.chart.helm import CHART, ROOT, Helm
from testkit.chart.rendered import Manifests

PAGES = ("proxy", "private-ca", "openshift", "air-gap")
OPENSHIFT = ("--api-versions", "security.openshift.io/v1")


def text(page: str) -> str:
    return (ROOT / f"docs/how-to/{page}.md").read_text(encoding="utf-8")


def blocks(page: str) -> list[dict[str, Any]]:
    """Return the values that a page shows."""
    found = re.findall(r"^ *```yaml\n(.*?)^ *```", text(page), re.DOTALL | re.MULTILINE)
    return [yaml.safe_load(each) for each in found]


def render(helm: Helm, page: str, *arguments: str) -> Manifests:
    return helm.template("--values", str(CHART / f"ci/{page}-values.yaml"), *arguments)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_and_names_its_values_file(page: str) -> None:
    file = f"charts/fireworks-operator/ci/{page}-values.yaml"
    assert yaml.safe_load((ROOT / file).read_text()) == blocks(page)[0]
    assert f"(../../{file})" in text(page)


def test_a_proxy_is_used_and_may_be_reached(helm: Helm) -> None:
    rendered = render(helm, "proxy")
    assert rendered.environment()["HTTPS_PROXY"] == "http://proxy.example.com:3128"
    egress = rendered.the("NetworkPolicy")["spec"]["egress"]
    assert {443, 3128} <= {port["port"] for rule in egress for port in rule.get("ports", [])}
    secret = helm.template(values=blocks("proxy")[1]).container["env"][-1]
    assert secret == {"name": "HTTPS_PROXY", "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "url"}}}


@pytest.mark.parametrize(
    ("page", "number", "file"),
    [("private-ca", 0, "--from-file=ca.crt="), ("openshift", 1, "inject-trusted-cabundle")],
)
def test_an_authority_is_mounted_where_the_operator_looks_for_it(helm: Helm, page: str, number: int, file: str) -> None:
    rendered = helm.template(values=blocks(page)[number])
    (mount,) = rendered.container["volumeMounts"]
    (volume,) = rendered.pod["volumes"]
    assert mount["name"] == volume["name"]
    assert rendered.environment()["SSL_CERT_FILE"].startswith(f"{mount['mountPath']}/")
    assert file in text(page)
    made = [each["metadata"]["name"] for each in rendered.of("ConfigMap")]
    assert made in ([], [volume["configMap"]["name"]])


def test_on_openshift_pods_ask_for_no_ids_and_find_dns(helm: Helm) -> None:
    for rendered in (render(helm, "openshift"), helm.template(*OPENSHIFT)):
        assert rendered.pod["securityContext"].keys() == {"runAsNonRoot", "seccompProfile"}
    ports = render(helm, "openshift").the("NetworkPolicy")["spec"]["egress"][0]["ports"]
    assert 5353 in [each["port"] for each in ports]
    assert "runAsUser" in helm.template().pod["securityContext"]


def test_everything_comes_from_the_registry_of_ones_own(helm: Helm) -> None:
    rendered = render(helm, "air-gap")
    assert rendered.container["image"].startswith("registry.example.com/mirror/fireworks-operator@sha256:")
    assert rendered.pod["imagePullSecrets"] == [{"name": "registry"}]
    assert rendered.environment()["FIREWORKS_BASE_URL"] == "https://fireworks.gateway.example.com"
