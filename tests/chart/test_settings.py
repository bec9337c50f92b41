"""The chart knows every setting of the operator: `settings.py` is the single source of names and defaults."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import yaml

from fireworks_operator.core.prices import PriceScope
from fireworks_operator.price_file import parse
from fireworks_operator.settings import Settings
from testkit.chart.helm import CHART, Helm
from testkit.chart.rendered import Manifests

ELSEWHERE = {
    "api_key": "credentials",
    "account_id": "credentials",
    "watch_namespaces": "watchNamespaces",
    "leader_election": "leaderElection.enabled",
    "lease_name": "leaderElection.leaseName",
    "namespace": "the pod's own, by the downward API",
    "kubeconfig": "a pod uses its service account",
    "price_file": "prices",
}
"""Settings that are no key of `settings`, and what sets them."""

PLAIN = sorted(Settings.model_fields.keys() - ELSEWHERE.keys())


def camel(name: str) -> str:
    return re.sub(r"_(.)", lambda match: match[1].upper(), name)


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    alias: Any = Settings.model_fields[name].validation_alias
    return str(alias.choices[0]) if alias is not None else f"FIREWORKS_OPERATOR_{name.upper()}"


def read(rendered: Manifests, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the settings that the operator would read in the pod."""
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)
    for each in rendered.container["env"]:
        monkeypatch.setenv(each["name"], each.get("value", "from-elsewhere"))
    return Settings()


def test_every_setting_is_a_value_of_the_chart_and_nothing_else_is() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert sorted(values["settings"]) == sorted(map(camel, PLAIN))


def test_by_default_the_operator_runs_with_its_own_defaults(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    read_in_pod = read(helm.template(), monkeypatch)
    for name in (*PLAIN, "watch_namespaces", "api_key", "account_id"):
        assert getattr(read_in_pod, name) == Settings.model_fields[name].default, name
    assert read_in_pod.leader_election is True


def test_every_setting_can_be_set(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    """The values file sets each to something else, and large numbers keep all their digits."""
    file = CHART / "ci/everything-values.yaml"
    values = yaml.safe_load(file.read_text())
    read_in_pod = read(helm.template("--values", str(file)), monkeypatch)
    for name in PLAIN:
        wanted = values["settings"][camel(name)]
        assert getattr(read_in_pod, name) == (tuple(wanted) if isinstance(wanted, list) else wanted), name
        assert getattr(read_in_pod, name) != Settings.model_fields[name].default, name
    assert read_in_pod.watch_namespaces == ("default", "kube-public")
    assert read_in_pod.lease_name == "the-lease"


def test_a_number_given_on_the_command_line_is_taken_as_it_is(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    given = ("--set", "settings.requestBurst=1000000", "--set-json", "settings.requestsPerMinute=2000000.5")
    read_in_pod = read(helm.template(*given), monkeypatch)
    assert (read_in_pod.request_burst, read_in_pod.requests_per_minute) == (1000000, 2000000.5)


def test_no_namespace_is_not_the_same_as_all_of_them(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(helm.template(), monkeypatch).credential_namespaces is None
    nobody = helm.template(values={"settings": {"credentialNamespaces": []}})
    assert read(nobody, monkeypatch).credential_namespaces == ()


def test_prices_reach_the_operator_as_a_file(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = helm.template("--values", str(CHART / "ci/everything-values.yaml"))
    file = read(rendered, monkeypatch).price_file
    assert file is not None
    (mount,) = (each for each in rendered.container["volumeMounts"] if each["mountPath"] == str(file.parent))
    volumes = rendered.the("Deployment")["spec"]["template"]["spec"]["volumes"]
    (volume,) = (each for each in volumes if each["name"] == mount["name"])
    maps = [
        each
        for each in rendered
        if each["kind"] == "ConfigMap" and each["metadata"]["name"] == volume["configMap"]["name"]
    ]
    prices = parse(maps[0]["data"][file.name])
    assert prices.of("acme").hourly(
        "NVIDIA_H100_80GB", PriceScope.GLOBAL, datetime(2026, 12, 1, tzinfo=UTC)
    ) == Decimal("6.4")
    assert prices.everybody.hourly("NVIDIA_H100_80GB", PriceScope.REGION, datetime(2027, 1, 1, tzinfo=UTC)) == Decimal(
        "9.375"
    )


def test_without_prices_there_is_no_file(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(helm.template(), monkeypatch).price_file is None


def test_the_port_of_health_is_that_of_container_and_service(helm: Helm) -> None:
    rendered = helm.template(values={"settings": {"healthPort": 9090}})
    assert rendered.container["ports"] == [{"name": "http", "containerPort": 9090, "protocol": "TCP"}]
    for probe, path in (("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert rendered.container[probe]["httpGet"] == {"path": path, "port": "http"}
    assert rendered.the("Service")["spec"]["ports"][0]["targetPort"] == "http"
