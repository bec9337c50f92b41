"""The values that docs/how-to/proxy.md gives are of the chart, and put what they say into the pod."""

import re
from typing import Any

import yaml

from testkit.chart.helm import ROOT, Helm

PAGE = (ROOT / "docs/how-to/proxy.md").read_text(encoding="utf-8")
BLOCKS: list[dict[str, Any]] = [yaml.safe_load(each) for each in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


def test_the_values_of_the_page_put_proxy_and_authority_into_the_pod(helm: Helm) -> None:
    named, secret, authority = (helm.template(values=each) for each in BLOCKS)

    assert {"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"} in named.container["env"]
    ports = [each["port"] for rule in named.the("NetworkPolicy")["spec"]["egress"] for each in rule.get("ports", [])]
    assert {443, 3128} <= set(ports)
    assert {"name": "HTTPS_PROXY", "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "url"}}} in (
        secret.container["env"]
    )
    (file,) = (each["value"] for each in authority.container["env"] if each["name"] == "SSL_CERT_FILE")
    (mount,) = (each for each in authority.container["volumeMounts"] if each["name"] == "corp-ca")
    assert file == f"{mount['mountPath']}/corp-ca.pem"
    assert "--from-file=corp-ca.pem" in PAGE
