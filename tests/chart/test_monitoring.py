"""Alerts and dashboard ask for metrics that the operator has, and each alert has a runbook."""

import json
import re
from typing import Any

import promql_parser
import pytest
import yaml

from fireworks_operator.observability.metrics import Metrics
from testkit.chart.helm import CHART, ROOT, Helm

ALERTS: list[dict[str, Any]] = yaml.safe_load((CHART / "files/alerts.yaml").read_text())
DASHBOARD: dict[str, Any] = json.loads((CHART / "files/dashboard.json").read_text())
ALERT_QUERIES = [(each["alert"], each["expr"]) for each in ALERTS]
PANEL_QUERIES = [
    (panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel.get("targets", [])
]
EXPORTER_LABELS = {"cluster", "namespace", "job", "pod", "le"}
"""Labels that Prometheus (or what collects from several) adds, and the one of histogram buckets."""
FIREWORKS_LABELS = {"deployment_account", "deployment_id"}
"""Labels of Fireworks' own exporter (Fireworks documentation, exporting metrics)."""


@pytest.fixture(scope="module")
def metrics() -> dict[str, set[str]]:
    """Labels by the name of each series that the operator can have."""
    registry = Metrics().registry
    found: dict[str, set[str]] = {sample.name: set() for each in registry.collect() for sample in each.samples}
    for collector, names in registry._collector_to_names.items():
        found |= {name: set(getattr(collector, "_labelnames", ())) for name in names}
    return found


@pytest.mark.parametrize(("title", "query"), ALERT_QUERIES + PANEL_QUERIES, ids=lambda text: text[:40])
def test_a_query_asks_for_metrics_and_labels_that_there_are(
    metrics: dict[str, set[str]], title: str, query: str
) -> None:
    names = re.findall(r"\b(?:fireworks_operator|process)_[a-z_]+", query)
    assert names, title
    known = set().union(*(metrics[name] for name in names)) | EXPORTER_LABELS
    if "request_counter_total:sum_by_deployment" in query:
        known |= FIREWORKS_LABELS | {"__name__"}
    grouped = {label.strip() for group in re.findall(r"\bby \(([^)]*)\)", query) for label in group.split(",")}
    selected = set(re.findall(r"[{,]\s*([a-z_]+)\s*(?:=~|!~|!=|=)", query))
    assert grouped | selected <= known, title


@pytest.mark.parametrize(("title", "query"), ALERT_QUERIES + PANEL_QUERIES, ids=lambda text: text[:40])
def test_a_query_is_promql(title: str, query: str) -> None:
    promql_parser.parse(without_variables(query))


def without_variables(query: str) -> str:
    """Put values in the place of Grafana's variables."""
    given = {"__rate_interval": "5m"} | {each["name"]: "value" for each in DASHBOARD["templating"]["list"]}
    return re.sub(r"\$([a-z_]\w*)", lambda found: given[found[1]], query)


def test_what_costs_money_without_anybody_knowing_is_alerted_and_shown() -> None:
    for queries in (ALERT_QUERIES, PANEL_QUERIES):
        asked = " ".join(query for _, query in queries)
        assert "fireworks_operator_orphaned_deployments" in asked
        assert "fireworks_operator_deployments_left_running_total" in asked


def test_every_metric_of_the_operator_is_on_the_dashboard(metrics: dict[str, set[str]]) -> None:
    shown = " ".join(query for _, query in PANEL_QUERIES) + json.dumps(DASHBOARD["templating"])
    families = {name for name in metrics if name.startswith("fireworks_operator_")}
    base = {re.sub(r"_(total|created|bucket|sum|count)$", "", name) for name in families}
    assert [name for name in sorted(base) if name not in shown] == []


GRAPHS: list[dict[str, Any]] = [each for each in DASHBOARD["panels"] if each["type"] != "row"]
each_graph = pytest.mark.parametrize("graph", GRAPHS, ids=[each["title"] for each in GRAPHS])


@each_graph
def test_a_graph_says_what_it_shows(graph: dict[str, Any]) -> None:
    assert re.fullmatch(r"[A-Z0-9].{15,}\.", graph["description"])


@each_graph
def test_seconds_and_nothing_else_are_drawn_as_seconds(graph: dict[str, Any]) -> None:
    for target in graph["targets"]:
        are_seconds = re.search(r"_seconds(_bucket)?\{", target["expr"]) is not None
        assert (unit(graph, target.get("legendFormat", "")) == "s") is are_seconds, target["expr"]


def unit(graph: dict[str, Any], legend: str) -> str:
    """Return the unit of a series of a graph."""
    field: dict[str, Any] = graph["fieldConfig"]
    own = [
        property_["value"]
        for override in field["overrides"]
        if override["matcher"] == {"id": "byName", "options": legend}
        for property_ in override["properties"]
        if property_["id"] == "unit"
    ]
    return str(own[0] if own else field["defaults"]["unit"])


def test_every_query_keeps_to_the_chosen_clusters_and_namespaces() -> None:
    for title, query in PANEL_QUERIES:
        series = re.findall(r"\b(?:fireworks_operator|process)_[a-z_]+", query)
        assert query.count('{cluster=~"$cluster", namespace=~"$namespace"') == len(series), title
    variables = {each["name"]: each for each in DASHBOARD["templating"]["list"]}
    # A Prometheus of one cluster has no such label; only a pattern that matches nothing as well finds its series.
    assert variables["cluster"]["allValue"] == ".*"
    for name in ("namespace", "job"):
        assert 'cluster=~"$cluster"' in variables[name]["query"]["query"]


def test_each_alert_has_a_runbook_and_each_runbook_an_alert() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "docs/alerts.md").read_text(), re.MULTILINE)
    assert headings == [each["alert"] for each in ALERTS]


def test_the_rule_links_each_alert_to_its_runbook(helm: Helm) -> None:
    page = "https://example.com/alerts"
    values = {"metrics": {"prometheusRule": {"enabled": True, "runbookUrl": page, "hourlyCostAbove": 100}}}
    (group,) = helm.template(values=values).the("PrometheusRule")["spec"]["groups"]
    assert [each["alert"] for each in group["rules"]] == [each["alert"] for each in ALERTS]
    for rule, source in zip(group["rules"], ALERTS, strict=True):
        anchor = source["alert"].lower()
        assert rule["annotations"].pop("runbook_url") == f"{page}#{anchor}"
        assert rule == source


def test_without_a_page_alerts_have_no_link_that_leads_nowhere(helm: Helm) -> None:
    for runbook in ("", None, "docs/alerts.md"):  # the last is the default of 0.1.0, which --reuse-values brings back
        values = {"metrics": {"prometheusRule": {"enabled": True, "runbookUrl": runbook}}}
        (group,) = helm.template(values=values).the("PrometheusRule")["spec"]["groups"]
        assert not [each for each in group["rules"] if "runbook_url" in each["annotations"]]


def test_alerts_can_be_left_out_and_labelled(helm: Helm) -> None:
    rendered = helm.template("--values", str(CHART / "ci/everything-values.yaml"))
    rule, more = rendered.the("PrometheusRule")["spec"]["groups"]
    assert more["name"] == "more"
    assert "FireworksDriftReturns" not in [each["alert"] for each in rule["rules"]]
    assert {each["labels"]["team"] for each in rule["rules"]} == {"inference"}


@pytest.mark.parametrize(
    ("above", "ends"), [(0, "> 0"), (64, "> 64"), (250.5, "> 250.5"), (2_000_000, "> 2e+06"), (None, None)]
)
def test_the_alert_of_cost_has_the_value_that_the_platform_sets(
    helm: Helm, above: float | None, ends: str | None
) -> None:
    values = {"metrics": {"prometheusRule": {"enabled": True, "hourlyCostAbove": above}}}
    (group,) = helm.template(values=values).the("PrometheusRule")["spec"]["groups"]
    found = [each["expr"] for each in group["rules"] if each["alert"] == "FireworksCostHigh"]
    assert [each.endswith(ends) for each in found] == ([] if ends is None else [True])
    for each in found:
        promql_parser.parse(each)


def test_the_monitors_find_the_pods(helm: Helm) -> None:
    rendered = helm.template(values={"metrics": {"serviceMonitor": {"enabled": True}}})
    monitor, service = rendered.the("ServiceMonitor")["spec"], rendered.the("Service")
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    assert service["spec"]["ports"][0]["targetPort"] == rendered.container["ports"][0]["name"]
    labels = rendered.the("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()

    rendered = helm.template(values={"metrics": {"podMonitor": {"enabled": True}}})
    monitor = rendered.the("PodMonitor")["spec"]
    assert monitor["selector"]["matchLabels"].items() <= labels.items()
    assert monitor["podMetricsEndpoints"][0]["port"] == rendered.container["ports"][0]["name"]


def test_the_dashboard_is_json_that_grafana_finds(helm: Helm) -> None:
    values = {"metrics": {"dashboard": {"enabled": True}}}
    dashboard = helm.template(values=values).the("ConfigMap")
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(dashboard["data"]["fireworks-operator.json"]) == DASHBOARD
