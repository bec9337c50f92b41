"""Each value of the chart, alone, with null and with the wrong type: it works, or is refused by name."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml

from testkit.chart.helm import CHART, NAMESPACE, Helm, HelmError
from testkit.chart.rendered import Manifests
from testkit.kubernetes import Cluster, GivenCluster
from testkit.kubernetes.definitions import until_established
from tests.chart.monitoring import DEFINITIONS
from tests.chart.test_server import STRICT, stream

VALUES: Mapping[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
RAW = ("YAML parse error", "nil pointer", "wrong type for value", "can't evaluate", "converting YAML", "error calling")
OF_KUBERNETES = ("resources.", "podSecurityContext.", "securityContext.", "livenessProbe.", "readinessProbe.")
"""Fields whose types the API server knows, not the chart."""
WITHOUT_CRD = {"crds": {"install": False}}
MOST = {
    **WITHOUT_CRD,
    "metrics": {
        "serviceMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "dashboard": {"enabled": True},
    },
    "networkPolicy": {"enabled": True},
}
"""What is off by default is on, so that null meets a template."""


def paths(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path and the default of each value and each group of values."""
    for key, value in values.items():
        yield f"{prefix}{key}", value
        if isinstance(value, dict):
            yield from paths(value, f"{prefix}{key}.")


def setting(path: str, value: object, base: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with one of them set."""
    head, _, rest = path.partition(".")
    below = base.get(head, {})
    return {**base, head: setting(rest, value, below) if rest else value}


def wrong(value: object) -> object:
    """Return something that is certainly not of a value's type."""
    return "text" if isinstance(value, dict | list) else {"wrong": True}


def attempt(helm: Helm, number: int, values: Mapping[str, Any]) -> tuple[str, str]:
    """Return what is rendered, and what was said instead."""
    try:
        return helm.template_text(values=values, release=f"value-{number}"), ""
    except HelmError as error:
        return "", str(error)


def attempts(helm: Helm, given: list[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return `attempt` of each."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda each: attempt(helm, *each), enumerate(given)))


REQUIRED = "podSecurityContext.seccompProfile.type"
"""Without it the API server refuses its parent, by name."""
ALL = [path for path, _ in paths(VALUES) if path != REQUIRED]
part = pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.proof), 4], ids=["all", "each fourth"])
"""`make test` tries each fourth value, `make proof` all."""


@pytest.fixture(scope="module")
def server(cluster: Cluster | GivenCluster) -> Cluster | GivenCluster:
    """The API server, with the kinds of the Prometheus operator; they stay, as those of test_combinations do."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    cluster.kubectl("apply", "--server-side", "-f", "-", input=stream([namespace, *DEFINITIONS]))
    until_established(cluster, "-f", "-", given=stream(DEFINITIONS))
    return cluster


@pytest.mark.slow
@part
def test_null_works_or_is_refused_by_name(helm: Helm, server: Cluster | GivenCluster, step: int) -> None:
    given = ALL[::step]
    done = attempts(helm, [setting(path, None, MOST) for path in given])
    refusals = {path: said for path, (_, said) in zip(given, done, strict=True) if said}
    unclear = {
        path: said
        for path, said in refusals.items()
        if path.rpartition(".")[2] not in said or any(each in said for each in RAW)
    }
    assert unclear == {}
    assert 20 / step < len(refusals) < len(given) / 2
    rendered = [each for text, _ in done if text for each in Manifests.parse(text)]
    objects = [each for each in rendered if each["kind"] != "CustomResourceDefinition"]
    taken = server.kubectl(*STRICT, "--dry-run=server", "-f", "-", input=stream(objects), check=False)
    assert taken.stderr == ""


@pytest.mark.slow
@part
def test_a_wrong_type_is_refused_by_name(helm: Helm, step: int) -> None:
    given = [(path, value) for path, value in paths(VALUES) if not path.startswith(OF_KUBERNETES)][::step]
    done = attempts(helm, [setting(path, wrong(value), WITHOUT_CRD) for path, value in given])
    unclear = {
        path: said or "accepted"
        for (path, _), (_, said) in zip(given, done, strict=True)
        if path.rpartition(".")[2] not in said or any(each in said for each in RAW)
    }
    assert unclear == {}
