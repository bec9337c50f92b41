"""Metrics are named by the conventions, documented, bounded, and say what happened."""

import re
from dataclasses import dataclass

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from fireworks_operator.observability.metrics import Metrics


@dataclass(frozen=True)
class Request:
    operation: str = "get_deployment"
    account: str = "acme"
    code: str = "200"
    seconds: float = 0.2


@pytest.fixture
def metrics() -> Metrics:
    metrics = Metrics(version="1.2.3")
    metrics.is_account = lambda name: name.startswith("acme")
    return metrics


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"fireworks_operator_{name}", labels)


# name, type, labels
EXPECTED: list[tuple[str, str, set[str]]] = [
    ("api_budget_tokens", "gauge", {"account"}),
    ("api_budget_waiting_requests", "gauge", {"account"}),
    ("api_request_duration_seconds", "histogram", {"operation"}),
    ("api_requests_total", "counter", {"operation", "code", "account"}),
    ("asyncio_tasks", "gauge", set()),
    ("budget_gpus", "gauge", {"resource_namespace", "budget"}),
    ("budget_gpus_limit", "gauge", {"resource_namespace", "budget"}),
    ("budget_hourly_cost_dollars", "gauge", {"resource_namespace", "budget"}),
    ("budget_hourly_cost_limit_dollars", "gauge", {"resource_namespace", "budget"}),
    ("budget_month_dollars", "gauge", {"resource_namespace", "budget"}),
    ("budget_month_limit_dollars", "gauge", {"resource_namespace", "budget"}),
    ("budget_waiting_resources", "gauge", {"resource_namespace", "budget"}),
    ("budgets_enforced", "gauge", set()),
    ("build_info", "gauge", {"version", "python_version"}),
    ("cost_dollars_total", "counter", {"resource_namespace", "account"}),
    ("credential_circuit_open", "gauge", {"credential"}),
    ("deployment_startup_duration_seconds", "histogram", {"stage"}),
    ("deployments_left_running_total", "counter", {"cause"}),
    ("drift_corrections_total", "counter", set()),
    ("gpu_seconds_total", "counter", {"account", "accelerator"}),
    ("hourly_cost_ceiling_dollars", "gauge", {"resource_namespace", "account"}),
    ("hourly_cost_dollars", "gauge", {"resource_namespace", "account"}),
    ("kubernetes_writes_total", "counter", {"kind", "result"}),
    ("leader", "gauge", set()),
    ("observation_age_seconds", "gauge", {"account"}),
    ("orphaned_deployments", "gauge", {"account"}),
    ("ready_replicas", "gauge", {"account"}),
    ("reconcile_duration_seconds", "histogram", set()),
    ("reconcile_total", "counter", {"action", "result"}),
    ("replacements", "gauge", {"account", "phase"}),
    ("replacements_blocked", "gauge", {"account"}),
    ("resource_gpus", "gauge", {"resource_namespace", "resource_name", "account", "deployment_id"}),
    ("resource_hourly_cost_dollars", "gauge", {"resource_namespace", "resource_name", "account"}),
    ("resources", "gauge", {"state"}),
    ("resources_addons_pending", "gauge", {"account"}),
    ("resources_capacity_pending", "gauge", {"account"}),
    ("resources_without_replicas", "gauge", {"account"}),
    ("unpriced_gpus", "gauge", {"account"}),
    ("workqueue_depth", "gauge", set()),
    ("workqueue_queue_duration_seconds", "histogram", set()),
]


def fill(metrics: Metrics) -> None:
    """Give every metric a sample, so that its labels can be seen."""
    metrics.reconciles.labels("Create", "done").inc()
    metrics.reconcile_duration.observe(0.1)
    metrics.queue_depth.set(3)
    metrics.queue_wait.observe(0.1)
    metrics.set_resources({"READY": 1})
    metrics.observe_request(Request())
    metrics.budget_tokens.labels("acme").set(99)
    metrics.budget_waiting.labels("acme").set(1)
    metrics.circuit_open.labels("12345678").set(1)
    metrics.observation_age.labels("acme").set(3)
    metrics.drift_corrections.inc()
    metrics.startup_duration.labels("total").observe(90)
    metrics.ready_replicas.labels("acme").set(2)
    for each in (metrics.hourly_cost, metrics.hourly_cost_ceiling):
        each.labels("team-a", "acme").set(8)
    metrics.cost.labels("team-a", "acme").inc(8)
    metrics.unpriced_gpus.labels("acme").set(1)
    metrics.resource_hourly_cost.labels("team-a", "chat", "acme").set(8)
    metrics.resource_gpus.labels("team-a", "chat", "acme", "team-a-chat-1").set(1)
    metrics.without_replicas.labels("acme").set(1)
    metrics.capacity_pending.labels("acme").set(1)
    metrics.addons_pending.labels("acme").set(1)
    metrics.set_replacements("acme", {"Draining": 1}, 1)
    metrics.gpu_seconds.labels("acme", "NVIDIA_H100_80GB").inc(8)
    metrics.orphaned_deployments.labels("acme").set(0)
    metrics.left_running.labels("Retain").inc()
    metrics.kubernetes_writes.labels("status", "ok").inc()
    metrics.set_budgets({("team-a", "team"): dict.fromkeys(metrics.of_budgets, 1.0)})
    metrics.is_leader.set(1)


def test_the_metrics_are_these_with_these_labels(metrics: Metrics) -> None:
    fill(metrics)
    text = generate_latest(metrics.registry).decode()
    found = []
    for family in text_string_to_metric_families(text):
        if family.name.startswith("fireworks_operator_"):
            name = family.name.removeprefix("fireworks_operator_") + ("_total" if family.type == "counter" else "")
            found.append((name, family.type, set().union(*(s.labels for s in family.samples)) - {"le"}))

    assert sorted(found) == EXPECTED


def test_names_and_helps_follow_the_conventions(metrics: Metrics) -> None:
    fill(metrics)
    text = generate_latest(metrics.registry).decode()
    families = [f for f in text_string_to_metric_families(text) if f.name.startswith("fireworks_operator_")]

    for family in families:
        assert family.documentation.endswith("."), family.name
        assert f"# HELP {family.name}" in text
        assert family.type != "histogram" or family.name.endswith("_seconds"), family.name
        assert not any(unit in family.name for unit in ("milliseconds", "_ms", "minutes", "percent")), family.name
    assert "_created" not in text
    assert "process_resident_memory_bytes" in text


def test_no_label_grows_with_the_number_of_resources() -> None:
    forbidden = {"namespace", "name", "resource", "deployment", "deployment_id", "model", "uid", "key"}
    forbidden |= {"resource_namespace", "resource_name"}
    asked_for = {
        "resource_hourly_cost_dollars": {"resource_namespace", "resource_name"},
        "resource_gpus": {"resource_namespace", "resource_name", "deployment_id"},
    }

    for name, _, labels in EXPECTED:
        allowed = {"resource_namespace"} if "cost_" in name or name.startswith("budget_") else set()
        assert not forbidden & (labels - allowed - asked_for.get(name, set())), name


def test_a_series_of_a_budget_goes_with_its_limit_and_with_the_budget(metrics: Metrics) -> None:
    metrics.set_budgets({("team-a", "team"): {"gpus": 8.0, "gpus_limit": 64.0}, ("team-b", "other"): {"gpus": 1.0}})
    assert value(metrics, "budget_gpus_limit", resource_namespace="team-a", budget="team") == 64
    metrics.set_budgets({("team-a", "team"): {"gpus": 9.0}})
    assert value(metrics, "budget_gpus", resource_namespace="team-a", budget="team") == 9
    assert value(metrics, "budget_gpus_limit", resource_namespace="team-a", budget="team") is None
    assert value(metrics, "budget_gpus", resource_namespace="team-b", budget="other") is None


def test_requests_are_counted_by_operation_code_and_account(metrics: Metrics) -> None:
    metrics.observe_request(Request())
    metrics.observe_request(Request())
    metrics.observe_request(Request(code="NoAnswer", seconds=8.0))

    counted = {"operation": "get_deployment", "account": "acme"}
    assert value(metrics, "api_requests_total", **counted, code="200") == 2
    assert value(metrics, "api_requests_total", **counted, code="NoAnswer") == 1
    assert value(metrics, "api_request_duration_seconds_sum", operation="get_deployment") == pytest.approx(8.4)


def test_an_account_id_that_only_stands_in_a_secret_becomes_no_label(metrics: Metrics) -> None:
    for number in range(5000):
        metrics.observe_request(Request(account=f"somebody-{number}", code="401"))

    assert value(metrics, "api_requests_total", operation="get_deployment", account="", code="401") == 5000
    assert len(generate_latest(metrics.registry)) < 20_000


def test_what_was_counted_for_an_account_goes_with_it(metrics: Metrics) -> None:
    for number in range(500):
        account = f"acme-{number}"
        metrics.observe_request(Request(account=account))
        metrics.gpu_seconds.labels(account, "NVIDIA_H100_80GB").inc(8)
        metrics.observation_age.labels(account).set(3)
        metrics.keep_accounts({account, "acme-0"}, in_use={account})
        shown = generate_latest(metrics.registry).decode()
        for name, accounts in {
            "observation_age_seconds": {account},
            "gpu_seconds_total": {account, "acme-0"},
            "api_requests_total": {account, "acme-0"},
        }.items():
            assert set(re.findall(rf'_{name}{{.*account="(.*?)"', shown)) == accounts, name


def test_resources_are_counted_by_a_bounded_set_of_states(metrics: Metrics) -> None:
    metrics.set_resources({"READY": 3, "": 2, "HIBERNATING": 1, "DREAMING": 4})
    assert {s: value(metrics, "resources", state=s) for s in ("READY", "NONE", "OTHER", "FAILED")} == {
        "READY": 3,
        "NONE": 2,
        "OTHER": 5,
        "FAILED": 0,
    }

    metrics.set_resources({})

    assert value(metrics, "resources", state="READY") == 0
    assert value(metrics, "resources", state="HIBERNATING") is None


def test_the_build_is_told(metrics: Metrics) -> None:
    assert 'fireworks_operator_build_info{python_version="3.' in generate_latest(metrics.registry).decode()
    assert 'version="1.2.3"} 1.0' in generate_latest(metrics.registry).decode()


def test_two_processes_worth_of_metrics_live_side_by_side() -> None:
    first, second = Metrics(), Metrics()
    first.queue_depth.set(1)

    assert value(first, "workqueue_depth") == 1
    assert value(second, "workqueue_depth") == 0
