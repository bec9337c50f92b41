"""The chart as a part of another chart."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from testkit.chart.helm import CHART, NAMESPACE, Helm
from testkit.chart.rendered import Manifests

Render = Callable[[Helm, Mapping[str, Any]], Manifests]
FULL = "platform-fireworks-operator"


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chart with the operator's in it, once as it is and once, if wanted, under another name."""
    folder = tmp_path_factory.mktemp("platform")
    chart = {"apiVersion": "v2", "name": "platform", "version": "1.0.0"}
    dependency = {"name": "fireworks-operator", "version": "*", "repository": ""}
    second = {**dependency, "alias": "second", "condition": "second.enabled"}
    chart["dependencies"] = [{**dependency, "condition": "fireworks-operator.enabled"}, second]  # type: ignore[assignment]
    (folder / "Chart.yaml").write_text(yaml.safe_dump(chart))
    (folder / "values.yaml").write_text(yaml.safe_dump({"second": {"enabled": False}}))
    shutil.copytree(CHART, folder / "charts/fireworks-operator")
    return folder


@pytest.fixture
def render(parent: Path) -> Render:
    """Render the parent chart with values."""

    def rendered(helm: Helm, values: Mapping[str, Any]) -> Manifests:
        text = helm.run("template", "platform", str(parent), "--namespace", NAMESPACE, values=values)
        return Manifests.parse(text)

    return rendered


def test_global_values_reach_the_operator_and_those_of_others_do_no_harm(helm: Helm, render: Render) -> None:
    shared = {"imageRegistry": "mirror.example.com", "imagePullSecrets": [{"name": "mirror"}], "storageClass": "fast"}
    rendered = render(helm, {"global": shared, "fireworks-operator": {"imagePullSecrets": ["own"]}})
    assert rendered.container["image"].startswith("mirror.example.com/fireworks-operator:")
    assert rendered.pod["imagePullSecrets"] == [{"name": "own"}, {"name": "mirror"}]


@pytest.mark.parametrize("shared", [None, {}, {"imagePullSecrets": None, "imageRegistry": ""}])
def test_without_global_values_nothing_changes(helm: Helm, render: Render, shared: dict[str, Any] | None) -> None:
    rendered = render(helm, {"global": shared})
    assert rendered.container["image"].startswith("fireworks-operator:")
    assert "imagePullSecrets" not in rendered.pod


def test_null_turns_a_probe_off_and_removes_a_field_from_the_parents_values_too(helm: Helm, render: Render) -> None:
    values = {"livenessProbe": None, "nodeSelector": None, "podSpec": {"topologySpreadConstraints": None}}
    rendered = render(helm, {"fireworks-operator": values})
    assert "livenessProbe" not in rendered.container
    assert "topologySpreadConstraints" not in rendered.pod


def test_the_parent_turns_it_on_and_off(helm: Helm, render: Render) -> None:
    assert render(helm, {"fireworks-operator": {"enabled": True}}).the("Deployment")["metadata"]["name"] == FULL
    assert not render(helm, {"fireworks-operator": {"enabled": False}}).objects


def test_two_in_one_parent_share_no_name(helm: Helm, render: Render) -> None:
    first = {"watchNamespaces": ["team-a"], "settings": {"clusterId": "prod"}}
    second = {**first, "enabled": True, "watchNamespaces": ["team-b"], "crds": {"install": False}}
    rendered = render(helm, {"fireworks-operator": first, "second": second})
    names = [(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in rendered]
    assert len(names) == len(set(names))
    selectors = [str(each["spec"]["selector"]) for each in rendered.of("Deployment")]
    assert len(set(selectors)) == 2
