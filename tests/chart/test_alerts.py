"""Each alert fires when it should and is silent when it should, as Prometheus itself evaluates it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.chart import promtool
from tests.chart.test_monitoring import ALERTS

RULES = {each["alert"]: each for each in ALERTS}


@dataclass(frozen=True, slots=True)
class Case:
    """What is measured every minute, in promtool's notation, and what comes of it.

    Attributes:
        alert: name of the alert.
        reason: what this is a case of.
        series: values by series, without the prefix `fireworks_operator_`.
        others: values by series of others, by their full name.
        minutes: when it is looked at.
        labels: of the alert that fires, without its severity; None: none fires.
        summary: what it says.
    """

    alert: str
    reason: str
    series: dict[str, str] = field(default_factory=dict)
    minutes: int = 20
    labels: dict[str, str] | None = None
    summary: str = ""
    others: dict[str, str] = field(default_factory=dict)


BILLED = 'resource_gpus{resource_namespace="a",resource_name="chat",account="acme",deployment_id="chat-1",pod="p"}'
REQUESTS = '{__name__="request_counter_total:sum_by_deployment",deployment_account="ACCOUNT",deployment_id="chat-1"}'
OURS, ANOTHERS = REQUESTS.replace("ACCOUNT", "acme"), REQUESTS.replace("ACCOUNT", "globex")
BUDGET = '{resource_namespace="a",budget="team",pod="p"}'
QUEUE = "workqueue_queue_duration_seconds_bucket"
CASES = [
    Case("FireworksOperatorDown", "nothing answers", {}, 6, {}, "No pod of the operator is responding."),
    Case("FireworksOperatorDown", "not for long", {}, 4),
    Case("FireworksOperatorDown", "a pod answers", {'build_info{version="0.1.0"}': "1x60"}),
    Case(
        "FireworksOperatorWithoutLeader",
        "two pods, none leads",
        {'leader{namespace="system",job="op",pod="a"}': "0x60", 'leader{namespace="system",job="op",pod="b"}': "0x60"},
        labels={"namespace": "system", "job": "op"},
        summary="No pod of the operator in namespace system holds the Lease.",
    ),
    Case(
        "FireworksOperatorWithoutLeader",
        "a hand-over",
        {
            'leader{namespace="system",job="op",pod="a"}': "1x10 0x50",
            'leader{namespace="system",job="op",pod="b"}': "0x13 1x47",
        },
        14,
    ),
    Case(
        "FireworksOperatorWithoutLeader",
        "another installation leads",
        {'leader{namespace="system",job="op",pod="a"}': "0x60", 'leader{namespace="other",job="op",pod="a"}': "1x60"},
        labels={"namespace": "system", "job": "op"},
        summary="No pod of the operator in namespace system holds the Lease.",
    ),
    Case(
        "FireworksObservationStale",
        "no list for 20 minutes and more",
        {'observation_age_seconds{account="acme"}': "0+60x60", 'observation_age_seconds{account="globex"}': "30x60"},
        25,
        {"account": "acme"},
        "The deployments of account acme have not been listed for 25m 0s.",
    ),
    Case(
        "FireworksObservationStale",
        "an outage of 10 minutes",
        {'observation_age_seconds{account="acme"}': "0+60x10 5x50"},
    ),
    Case(
        "FireworksCredentialRefused",
        "one of two keys",
        {'credential_circuit_open{credential="0a1b"}': "1x60", 'credential_circuit_open{credential="2c3d"}': "0x60"},
        labels={"credential": "0a1b"},
        summary="Fireworks rejects an API key (fingerprint 0a1b).",
    ),
    Case(
        "FireworksBudgetsNotEnforced",
        "the leader cannot list them",
        {
            'leader{namespace="system",job="op",pod="a"}': "1x60",
            'leader{namespace="system",job="op",pod="b"}': "0x60",
            'budgets_enforced{namespace="system",job="op",pod="a"}': "0x60",
            'budgets_enforced{namespace="system",job="op",pod="b"}': "0x60",
        },
        labels={"namespace": "system", "job": "op"},
        summary="The operator in namespace system cannot read the cluster's FireworksBudgets.",
    ),
    Case(
        "FireworksBudgetsNotEnforced",
        "a standby does not list them",
        {
            'leader{namespace="system",job="op",pod="a"}': "1x60",
            'leader{namespace="system",job="op",pod="b"}': "0x60",
            'budgets_enforced{namespace="system",job="op",pod="a"}': "1x60",
            'budgets_enforced{namespace="system",job="op",pod="b"}': "0x60",
        },
    ),
    Case("FireworksCredentialRefused", "replaced at once", {'credential_circuit_open{credential="0a1b"}': "1x3 0x60"}),
    Case(
        "FireworksDeploymentFailed",
        "two for longer than half an hour, seen by two pods",
        {'resources{state="FAILED",pod="a"}': "2x60", 'resources{state="FAILED",pod="b"}': "0x60"},
        40,
        {},
        "2 deployments have been FAILED for half an hour.",
    ),
    Case("FireworksDeploymentFailed", "replaced after 15 minutes", {'resources{state="FAILED"}': "1x15 0x60"}, 40),
    Case(
        "FireworksDeploymentFailed",
        "all serve",
        {'resources{state="READY"}': "3x60", 'resources{state="FAILED"}': "0x60"},
        40,
    ),
    Case(
        "FireworksReplicasLost",
        "two of one account, seen by two pods",
        {
            'resources_without_replicas{account="acme",pod="a"}': "0x5 2x60",
            'resources_without_replicas{account="acme",pod="b"}': "0x60",
            'resources_without_replicas{account="globex",pod="a"}': "0x60",
        },
        12,
        {"account": "acme"},
        "2 deployments of account acme should be serving but have no replica.",
    ),
    Case("FireworksReplicasLost", "back in time", {'resources_without_replicas{account="acme"}': "1x4 0x60"}, 6),
    Case(
        "FireworksCapacityPending",
        "one, without end",
        {'resources_capacity_pending{account="acme"}': "1x60"},
        20,
        {"account": "acme"},
        "1 deployments of account acme are waiting for GPUs.",
    ),
    Case(
        "FireworksCapacityPending",
        "for ten minutes only",
        {'resources_capacity_pending{account="acme"}': "1x10 0x60"},
        20,
    ),
    Case(
        "FireworksReplacementBlocked",
        "a successor that is refused",
        {'replacements_blocked{account="acme"}': "1x90"},
        70,
        {"account": "acme"},
        "1 replacements by BlueGreen of account acme have been blocked for an hour.",
    ),
    Case(
        "FireworksReplacementBlocked",
        "until the quota was raised",
        {'replacements_blocked{account="acme"}': "1x50 0x60"},
        70,
    ),
    Case(
        "FireworksDeploymentLeftRunning",
        "the first one that was ever let go",
        {'deployments_left_running_total{cause="Abandon"}': "_x10 1x110"},
        20,
        {"cause": "Abandon"},
        "1 deployments were released without being deleted (Abandon).",
    ),
    Case(
        "FireworksDeploymentLeftRunning",
        "one more",
        {'deployments_left_running_total{cause="Abandon"}': "1x70 2x110"},
        90,
        {"cause": "Abandon"},
        "1 deployments were released without being deleted (Abandon).",
    ),
    Case(
        "FireworksDeploymentLeftRunning",
        "long ago",
        {'deployments_left_running_total{cause="Abandon"}': "1x10 2x170"},
        150,
    ),
    Case(
        "FireworksDeploymentOrphaned",
        "of one account",
        {'orphaned_deployments{account="acme"}': "3x60", 'orphaned_deployments{account="globex"}': "0x60"},
        40,
        {"account": "acme"},
        "3 deployments of account acme belong to resources that do not exist.",
    ),
    Case(
        "FireworksDeploymentOrphaned",
        "while a backup is restored",
        {'orphaned_deployments{account="acme"}': "3x20 0x40"},
        40,
    ),
    Case(
        "FireworksCostHigh",
        "two namespaces together, seen by two pods",
        {
            'hourly_cost_dollars{resource_namespace="a",account="acme",pod="p"}': "60x60",
            'hourly_cost_dollars{resource_namespace="a",account="acme",pod="q"}': "60x60",
            'hourly_cost_dollars{resource_namespace="b",account="acme",pod="p"}': "40.5x60",
        },
        20,
        {},
        "Deployments cost 100.50 US dollars per hour.",
    ),
    Case("FireworksCostHigh", "as much as is allowed", {'hourly_cost_dollars{resource_namespace="a"}': "100x60"}),
    Case("FireworksCostHigh", "for ten minutes", {'hourly_cost_dollars{resource_namespace="a"}': "200x10 0x50"}, 20),
    Case(
        "FireworksBilledWithoutTraffic",
        "three hours without a request",
        {BILLED: "4x300"},
        200,
        {"resource_namespace": "a", "resource_name": "chat", "account": "acme", "deployment_id": "chat-1"},
        "a/chat is billed for 4 GPUs and has served no request for 3 hours.",
        {OURS: "0.5x5 0x300", ANOTHERS: "1x300"},
    ),
    Case(
        "FireworksBilledWithoutTraffic",
        "a request now and then",
        {BILLED: "4x300"},
        200,
        others={OURS: "0x100 0.02 0x200"},
    ),
    Case(
        "FireworksBilledWithoutTraffic",
        "asleep in between",
        {BILLED: "4x100 0x10 4x200"},
        200,
        others={OURS: "0x100 _x10 0x200"},
    ),
    Case("FireworksBilledWithoutTraffic", "Fireworks' exporter is not scraped", {BILLED: "4x300"}, 200),
    Case("FireworksBilledWithoutTraffic", "of another account", {BILLED: "4x300"}, 200, others={ANOTHERS: "0x300"}),
    Case(
        "FireworksGpusUnpriced",
        "eight of one account",
        {'unpriced_gpus{account="acme",pod="a"}': "8x90", 'unpriced_gpus{account="acme",pod="b"}': "0x90"},
        70,
        {"account": "acme"},
        "8 GPUs of account acme have no price.",
    ),
    Case("FireworksGpusUnpriced", "until the price list has it", {'unpriced_gpus{account="acme"}': "8x50 0x40"}, 70),
    Case(
        "FireworksBudgetNearlySpent",
        "nine tenths and more",
        {f"budget_month_dollars{BUDGET}": "850+2x60", f"budget_month_limit_dollars{BUDGET}": "1000x60"},
        50,
        {"resource_namespace": "a", "budget": "team"},
        "95% of the month's money of budget a/team is spent.",
    ),
    Case("FireworksBudgetNearlySpent", "without a limit", {f"budget_month_dollars{BUDGET}": "5000x60"}, 50),
    Case(
        "FireworksWaitsForBudget",
        "for an hour",
        {f"budget_waiting_resources{BUDGET}": "0x5 2x100"},
        80,
        {"resource_namespace": "a", "budget": "team"},
        "Resources wait for room in budget a/team for an hour.",
    ),
    Case("FireworksWaitsForBudget", "not all the time", {f"budget_waiting_resources{BUDGET}": "2x50 0x2 2x100"}, 80),
    Case(
        "FireworksApiFailing",
        "three of four requests",
        {
            'api_requests_total{account="acme",code="503"}': "0+30x60",
            'api_requests_total{account="acme",code="200"}': "0+10x60",
        },
        30,
        {"account": "acme"},
        "75% of the requests to account acme fail.",
    ),
    Case(
        "FireworksApiFailing",
        "answers that are asked for",
        {
            'api_requests_total{account="acme",code="404"}': "0+30x60",
            'api_requests_total{account="acme",code="200"}': "0+10x60",
        },
        30,
    ),
    Case(
        "FireworksApiFailing",
        "one of four",
        {
            'api_requests_total{account="acme",code="503"}': "0+10x60",
            'api_requests_total{account="acme",code="200"}': "0+30x60",
        },
        30,
    ),
    Case(
        "FireworksBudgetExhausted",
        "all the time",
        {'api_budget_waiting_requests{account="acme"}': "4x60"},
        labels={"account": "acme"},
        summary="Requests to account acme have been waiting for the request budget for 15 minutes.",
    ),
    Case("FireworksBudgetExhausted", "now and then", {'api_budget_waiting_requests{account="acme"}': "4x9 0 4x50"}),
    Case(
        "FireworksReconcilesLate",
        "one pass in ten comes after more than a minute",
        {f'{QUEUE}{{le="60"}}': "0+90x60", f'{QUEUE}{{le="120"}}': "0+100x60", f'{QUEUE}{{le="+Inf"}}': "0+100x60"},
        30,
        {},
        "Resources wait 1m 54s to be reconciled.",
    ),
    Case(
        "FireworksReconcilesLate",
        "at once",
        {f'{QUEUE}{{le="1"}}': "0+100x60", f'{QUEUE}{{le="+Inf"}}': "0+100x60"},
        30,
    ),
    Case(
        "FireworksKubernetesWritesRefused",
        "a role is missing",
        {'kubernetes_writes_total{kind="status",result="forbidden"}': "0+1x60"},
        30,
        {"kind": "status", "result": "forbidden"},
        "The API server rejects writes of the operator (status, forbidden).",
    ),
    Case(
        "FireworksKubernetesWritesRefused",
        "a quota of the namespace, which a notice tells whom it concerns",
        {'kubernetes_writes_total{kind="configmap",result="refused"}': "0+1x60"},
        30,
    ),
    Case(
        "FireworksKubernetesWritesRefused",
        "conflicts are no refusals",
        {'kubernetes_writes_total{kind="status",result="conflict"}': "0+1x60"},
        30,
    ),
    Case(
        "FireworksDriftReturns",
        "somebody else manages it, too",
        {"drift_corrections_total": "0+0.2x120"},
        90,
        {},
        "Drift was corrected 12 times within an hour.",
    ),
    Case("FireworksDriftReturns", "somebody once", {"drift_corrections_total": "0x30 1x90"}, 90),
]


@pytest.fixture(scope="module")
def program() -> Path:
    """The program promtool."""
    found = promtool.find()
    if found is None:
        pytest.skip("there is no promtool: `make promtool` builds it")
    return found


def test_every_alert_has_a_case_of_firing_and_one_of_silence() -> None:
    assert {each.alert for each in CASES if each.labels is not None} == set(RULES)
    assert {each.alert for each in CASES if each.labels is None} == set(RULES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}: {case.reason}")
def test_an_alert_fires_when_it_should(program: Path, tmp_path: Path, case: Case) -> None:
    rule = RULES[case.alert]
    series = [{"series": f"fireworks_operator_{name}", "values": values} for name, values in case.series.items()]
    series += [{"series": name, "values": values} for name, values in case.others.items()]
    expected: list[dict[str, Any]] = []
    if case.labels is not None:
        annotations = {**rule["annotations"], "summary": case.summary}
        expected = [{"exp_labels": {**rule["labels"], **case.labels}, "exp_annotations": annotations}]
    looked_at = {"eval_time": f"{case.minutes}m", "alertname": case.alert, "exp_alerts": expected}
    test = {"interval": "1m", "input_series": series, "alert_rule_test": [looked_at]}
    assert promtool.evaluate(program, tmp_path, rule, test) == ""
