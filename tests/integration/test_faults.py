"""What may go wrong between the operator and Fireworks: said while it lasts, one deployment, healed afterwards."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from integration.factories import NewTeam
from integration.kubernetes_api import condition
from integration.team import Team
from integration.waiting import steadily

HEALS_WITHIN = 40.0
"""Pauses after failures grow: the last of several may take that long."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to some requests of one kind, and how often."""

    name: str
    kind: str
    action: Mapping[str, object] = field(default_factory=dict)
    times: int = 2


def _meet(team: Team, method: str, fault: Fault) -> None:
    """Let the requests about the deployment that is named like the fault meet it."""
    match = {"account": team.account, "method": method, "deployment": fault.name}
    action = {"kind": fault.kind, **fault.action}
    team.simulator.call("POST", "/faults", {"match": match, "action": action, "times": fault.times, "id": fault.name})


CREATE_FAULTS = [
    Fault("time-out-before-commit", "hang", times=1),
    Fault("commit-long-after-the-time-out", "late_commit", {"seconds": 1}, times=1),
    Fault("slow", "latency", {"seconds": 3}),
    Fault("reset-before-commit", "drop_before_commit"),
    Fault("reset-after-commit", "drop_after_commit"),
    Fault("internal-error", "status", {"status": 500, "code": "INTERNAL"}),
    Fault("bad-gateway-page", "html_502"),
    Fault("unavailable", "status", {"status": 503, "code": "UNAVAILABLE"}),
    Fault("conflict-of-another-kind", "status", {"status": 409, "code": "ABORTED"}),
    Fault("edge-404", "plain_404"),
    Fault("page-404", "html_404"),
    Fault("truncated", "truncate_body"),
    Fault("not-json", "wrong_json"),
    Fault("wrong-content-type", "wrong_content_type"),
    Fault("json-of-another-kind", "status", {"status": 200, "body": "[1, 2]"}),
    Fault("empty-answer", "status", {"status": 200, "body": ""}),
    Fault("somebody-elses-answer", "status", {"status": 200, "body": '{"name": "accounts/x/deployments/y"}'}),
]


@pytest.mark.timeout(180)
def test_whatever_happens_to_create_requests_each_resource_has_one_deployment(team: Team) -> None:
    for fault in CREATE_FAULTS:
        _meet(team, "POST", fault)
        team.create(fault.name, deploymentId=fault.name)
    for fault in CREATE_FAULTS:
        team.until_ready(fault.name, within=90)
    for fault in CREATE_FAULTS:
        assert team.simulator.fault_hits(fault.name) >= 1, f"{fault.name}: the fault was met"
    found = sorted(str(each["name"]).rsplit("/", 1)[-1] for each in team.simulator.deployments())
    assert found == sorted(fault.name for fault in CREATE_FAULTS)
    committed = [each.query["deploymentId"] for each in team.posts() if each.committed]
    assert len(committed) == len(set(committed))
    assert {each.method for each in team.writes()} == {"POST"}, "nothing was deleted or changed to get there"


UPDATE_FAULTS = [
    Fault("reset-before-commit", "drop_before_commit", times=1),
    Fault("reset-after-commit", "drop_after_commit", times=1),
    Fault("internal-error", "status", {"status": 500, "code": "INTERNAL"}, times=1),
    Fault("edge-404", "plain_404", times=1),
    Fault("not-json", "wrong_json", times=1),
    Fault("time-out", "hang", times=1),
]


@pytest.mark.timeout(180)
def test_whatever_happens_to_changes_they_are_in_force_in_the_end_and_nothing_stops_serving(team: Team) -> None:
    for fault in UPDATE_FAULTS:
        team.create(fault.name, deploymentId=fault.name)
    for fault in UPDATE_FAULTS:
        team.until_ready(fault.name)
        _meet(team, "PATCH", fault)
        team.change(fault.name, displayName="changed")
    for fault in UPDATE_FAULTS:
        resource = team.until_ready(fault.name, within=90)
        assert condition(resource, "Available")["status"] == "True"
    for fault in UPDATE_FAULTS:
        assert team.simulator.fault_hits(fault.name) >= 1, f"{fault.name}: the fault was met"
    assert {each["displayName"] for each in team.deployments()} == {"changed"}
    assert len(team.deployments()) == len(UPDATE_FAULTS)


LIST_FAULTS = [
    Fault("reset", "drop_before_commit"),
    Fault("internal-error", "status", {"status": 500, "code": "INTERNAL"}),
    Fault("bad-gateway-page", "html_502"),
    Fault("edge-404", "plain_404"),
    Fault("page-404", "html_404"),
    Fault("truncated", "truncate_body"),
    Fault("not-json", "wrong_json"),
    Fault("wrong-content-type", "wrong_content_type"),
    Fault("empty-object-of-another-kind", "status", {"status": 200, "body": '{"error": {"code": 5}}'}),
    Fault("first-page-fails", "fail_page", {"page": 1}),
    Fault("second-page-fails", "fail_page", {"page": 2}),
    Fault("same-page-again-and-again", "duplicate_page_token"),
]


@pytest.mark.parametrize("fault", LIST_FAULTS, ids=lambda fault: fault.name)
def test_a_list_that_goes_wrong_changes_nothing(team: Team, fault: Fault) -> None:
    several_pages = fault.kind in ("fail_page", "duplicate_page_token")
    if several_pages:
        team.simulator.create_foreign(count=250)
    team.create()
    before = team.until_ready()
    seen = team.simulator.last_sequence()
    rule = team.fault(fault.kind, path="/deployments$", method="GET", action=fault.action)
    team.eventually(lambda: team.simulator.fault_hits(rule) >= 2, "lists failed")
    assert team.get() == before, "at rest the status is kept for ten minutes"
    team.simulator.clear_fault(rule)
    team.change(displayName="after")
    team.until_ready(within=HEALS_WITHIN)
    assert [each.method for each in team.writes(since=seen)] == ["PATCH"]


def test_before_the_first_complete_list_nothing_is_created(team: Team) -> None:
    team.simulator.create_foreign(count=250)
    rule = team.fault("fail_page", page=2)
    team.create()
    team.until("chat", "Ready", "Unknown", "ApiUnavailable")
    assert team.posts() == []
    team.simulator.clear_fault(rule)
    team.until_ready(within=HEALS_WITHIN)
    assert len(team.posts()) == 1


def test_a_list_that_omits_an_existing_deployment_once_creates_nothing(team: Team) -> None:
    team.create()
    before = team.until_ready()
    rule = team.fault("omit_from_list", names=[team.deployment_id()], times=1)
    team.eventually(lambda: team.simulator.fault_hits(rule) == 1, "the list was wrong once")
    seen = team.simulator.last_sequence()
    team.eventually(lambda: len(team.journal("GET", "/deployments$", since=seen)) >= 3, "lists go on")
    assert team.get() == before
    assert len(team.posts()) == 1


def test_a_list_that_lags_behind_undoes_and_repeats_nothing(team: Team) -> None:
    team.simulator.assume(list_lag_seconds=3)
    team.create(displayName="before")
    team.until_ready(within=30)
    team.change(displayName="after")
    team.until_ready(within=30)
    versions: set[str] = set()

    def look() -> bool:
        resource = team.get()
        versions.add(resource["metadata"]["resourceVersion"])
        return bool(condition(resource, "Ready")["status"] == "True")

    steadily(look, "the resource is Ready", seconds=4, explain=team.explain)
    assert len(versions) == 1, "the status does not go back and forth"
    assert [each.method for each in team.writes()] == ["POST", "PATCH"]


def test_states_and_fields_that_this_version_does_not_know_do_no_harm(team: Team) -> None:
    team.create()
    team.until_ready()
    raw = {**team.deployment(), "state": "HIBERNATING", "precision": "FP1", "novelty": {"a": [1, None, "x"]}}
    page = {"deployments": [raw], "nextPageToken": "", "totalSize": 1, "warnings": ["new"]}
    seen = team.simulator.last_sequence()
    rule = team.fault("status", method="GET", path="/deployments$", status=200, body=json.dumps(page))
    team.eventually(lambda: team.status()["state"] == "HIBERNATING", "status shows the state in Fireworks' words")
    assert team.writes(since=seen) == []
    team.simulator.clear_fault(rule)
    team.until_ready()
    assert team.writes(since=seen) == []


@pytest.mark.parametrize("retry_after", [None, 3])
def test_too_many_requests_pause_the_account_for_a_while(team: Team, retry_after: int | None) -> None:
    rule = team.fault("rate_limit", times=1, method="POST", retryAfter=retry_after)
    team.create()
    team.until("chat", "Ready", "Unknown", "RateLimited")
    hit = next(each for each in team.posts() if each.fault == rule)
    team.until_ready(within=HEALS_WITHIN)
    later = [each for each in team.journal() if each.sequence > hit.sequence]
    assert later[0].monotonic - hit.monotonic >= (retry_after or 10) * 0.9, "silence first"
    assert len(team.deployments()) == 1


@pytest.mark.parametrize("status", ["429", "403", "400"])
def test_a_used_up_quota_is_this_resources_trouble_alone(team: Team, status: str) -> None:
    team.simulator.assume(quota_status=status)
    team.simulator.quota("global--h100-count", 1)
    team.create("first")
    team.until_ready("first")
    team.create("second")
    team.until("second", "Stalled", "True", "QuotaExceeded", says="in use: 1, quota: 1")
    other = "accounts/fireworks/models/qwen2p5-7b-instruct"  # or the first would become its model's default deployment
    team.create("third", baseModel=other, acceleratorType="NVIDIA_H200_141GB")
    team.until_ready("third", within=5)
    team.delete("first")
    team.until_gone("first", within=10)
    team.annotate("second", "reconcile-at", "now")
    team.until_ready("second")


def test_an_outage_does_not_wipe_the_words_of_a_refusal(team: Team) -> None:
    team.create(acceleratorType=None)
    team.until("chat", "Stalled", "True", "RejectedByFireworks", says="spec.acceleratorType")
    rule = team.fault("status", status=503, code="UNAVAILABLE")
    team.eventually(lambda: team.simulator.fault_hits(rule) >= 3, "the API was asked in vain")
    team.simulator.clear_fault(rule)
    seen = team.simulator.last_sequence()
    team.eventually(lambda: len(team.journal("GET", "/deployments$", since=seen)) >= 2, "the API answers again")
    team.until("chat", "Stalled", "True", "RejectedByFireworks", says="spec.acceleratorType", within=5)


def test_an_outage_does_not_wipe_the_words_of_a_blocked_deletion(team: Team) -> None:
    team.create()
    team.until_ready()
    team.simulator.traffic(team.deployment_id())
    team.delete()
    team.until("chat", "Stalled", "True", "DeletionBlocked", says="ignore-checks=true")
    rule = team.fault("status", status=503, code="UNAVAILABLE")
    team.eventually(lambda: team.simulator.fault_hits(rule) >= 3, "the API was asked in vain")
    team.simulator.clear_fault(rule)
    seen = team.simulator.last_sequence()
    team.eventually(lambda: len(team.journal("GET", "/deployments$", since=seen)) >= 2, "the API answers again")
    team.until("chat", "Stalled", "True", "DeletionBlocked", says="ignore-checks=true", within=5)


def test_a_suspended_account_is_named_and_work_goes_on_when_it_is_lifted(team: Team) -> None:
    team.create()
    team.until_ready()
    team.simulator.suspend("CREDIT_DEPLETED")
    resource = team.until("chat", "Stalled", "True", "AccountSuspended", says="billing")
    assert condition(resource, "Available")["status"] == "True"
    team.create("later")
    team.until("later", "Stalled", "True", "AccountSuspended")
    team.simulator.suspend("UNSUSPENDED")
    team.until_ready(within=HEALS_WITHIN)
    team.until_ready("later", within=HEALS_WITHIN)
    assert len(team.posts()) == 2


def test_the_trouble_of_one_team_is_not_anothers(team: Team, new_team: NewTeam) -> None:
    second_team = new_team()
    team.fault("status", status=503, code="UNAVAILABLE")
    team.create()
    second_team.create()
    second_team.until_ready(within=5)
    team.until("chat", "Ready", "Unknown", "ApiUnavailable")
    second_team.delete()
    second_team.until_gone(within=5)


def test_an_outage_while_deleting_only_delays_the_deletion(team: Team) -> None:
    team.create()
    team.until_ready()
    rule = team.fault("status", status=503, code="UNAVAILABLE")
    team.delete()
    team.until("chat", "Ready", "False", "Deleting", says="fireworks.ai/abandon")
    assert team.find() is not None
    team.simulator.clear_fault(rule)
    team.until_gone(within=HEALS_WITHIN)
    assert team.deployments() == []
