"""The request budget of an account under far more load than it allows, as the journal of the API shows it."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from fireworks_operator.api.v1alpha1 import ANNOTATION_ABANDON
from fireworks_simulator.testing import JournalEntry
from testkit.factories import MakeTeam, StartOperator
from testkit.team import Team, new_api_key

PER_SECOND = 5.0
BURST = 10
LIST_SHARE = 0.2
LATE = 2.0
"""Seconds that a request may reach the API after its turn, on a busy machine."""
LOAD = 40
SMALL: Mapping[str, str] = {
    "FIREWORKS_OPERATOR_REQUESTS_PER_MINUTE": str(PER_SECOND * 60),
    "FIREWORKS_OPERATOR_REQUEST_BURST": str(BURST),
}

_LET_GO = {"annotations": {ANNOTATION_ABANDON: "true"}}
"""No effect before deletion, and then the quickest."""


def _create(team: Team, names: Sequence[str], /, *, let_go: bool = True, **spec: object) -> None:
    metadata = _LET_GO if let_go else {}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(partial(team.create, metadata=metadata, spec=spec), names))


def _names(count: int, prefix: str = "load") -> list[str]:
    return [f"{prefix}-{number}" for number in range(count)]


def _is_list(entry: JournalEntry) -> bool:
    return entry.method == "GET" and entry.path.endswith(("/deployments", "/deployedModels"))


def _assert_within_budget(entries: Sequence[JournalEntry], *, burst: float, per_second: float) -> None:
    """Assert for every window between two requests, however long, that no more came than is allowed in it."""
    times = sorted(each.monotonic for each in entries)
    for first, start in enumerate(times):
        for count, end in enumerate(times[first:], start=1):
            allowed = burst + per_second * (end - start + LATE)
            assert count <= allowed, f"{count} requests in {end - start:.2f} s, allowed are {allowed:.1f}"


def _before(team: Team, entry: JournalEntry, since: int) -> list[JournalEntry]:
    """Return the changes that were sent before a request."""
    return [each for each in team.writes(since=since) if each.sequence < entry.sequence]


def test_no_window_sees_more_requests_than_the_budget_whatever_the_load_and_however_many_keys(
    start_operator: StartOperator, make_team: MakeTeam
) -> None:
    operator = start_operator(**SMALL)
    team, colleagues = make_team(operator), make_team(operator)
    second_key = new_api_key()
    second_id = team.simulator.add_key(second_key)
    colleagues.put_secret("shared", apiKey=second_key, accountId=team.account)
    team.simulator.create_foreign(count=250)
    _create(team, _names(LOAD // 2))
    _create(colleagues, _names(LOAD // 2), credentialsSecretRef={"name": "shared"})
    for name in _names(5):
        team.change(name, displayName="changed while it waits")
    team.eventually(lambda: len([each for each in team.posts() if each.committed]) >= LOAD, "all exist")
    for name in _names(LOAD // 2):
        colleagues.change(name, displayName="changed")
    team.eventually(lambda: len(team.journal("PATCH")) >= LOAD // 2, "all of them have changed")
    entries = team.journal()
    _assert_within_budget(entries, burst=BURST, per_second=PER_SECOND)
    lists = [each for each in entries if _is_list(each)]
    _assert_within_budget(lists, burst=BURST * LIST_SHARE, per_second=PER_SECOND * LIST_SHARE)
    assert len(lists) >= 4, "observation goes on"
    posts = team.posts()
    assert {each.key_id for each in posts} > {second_id}, "both keys were used"
    assert len(posts) == LOAD, "each was sent once"


@pytest.mark.proof
def test_a_deletion_does_not_wait_behind_creations(start_operator: StartOperator, make_team: MakeTeam) -> None:
    team = make_team(start_operator(**SMALL))
    team.simulator.assume(default_deployment_check=False)
    team.create("old")
    team.until_ready("old")
    seen = team.simulator.last_sequence()
    _create(team, _names(LOAD))
    team.delete("old")
    team.delete(_names(LOAD)[-1])
    deleted = team.eventually(lambda: team.journal("DELETE", since=seen), "the deployment is deleted")[0]
    assert len(_before(team, deleted, seen)) <= 2 * BURST, "most creations came later"
    team.until_gone("old")
    team.until_gone(_names(LOAD)[-1])
    assert len(team.posts()) < LOAD, "not even the one that waited in line itself"


@pytest.mark.proof
def test_many_deletions_let_a_creation_of_another_team_through(
    start_operator: StartOperator, make_team: MakeTeam
) -> None:
    operator = start_operator(**SMALL)
    team, colleagues = make_team(operator, own=True), make_team(operator, own=True)
    team.simulator.assume(default_deployment_check=False)
    _create(team, _names(LOAD), let_go=False)
    team.eventually(lambda: len(team.deployments()) == LOAD, "all exist")
    for name in _names(LOAD):
        team.until_ready(name)
    seen = team.simulator.last_sequence()
    for name in _names(LOAD):
        team.delete(name)
    team.eventually(lambda: len(team.journal("DELETE", since=seen)) >= 5, "deletions go on")
    colleagues.create(metadata=_LET_GO)
    post = team.eventually(lambda: team.journal("POST", "/deployments$", since=seen), "it was created")[0]
    assert len(_before(team, post, seen)) < LOAD // 2, "the other half of the deletions came later"
    team.eventually(lambda: not team.resources(), "all deletions succeed", within=90)


@pytest.mark.proof
def test_too_many_requests_silence_all_keys_of_the_account_and_no_other_account(
    start_operator: StartOperator, make_team: MakeTeam
) -> None:
    operator = start_operator(**SMALL)
    team, colleagues, others = (make_team(operator) for _ in range(3))
    second_key, pause = new_api_key(), 6.0
    team.simulator.add_key(second_key)
    colleagues.put_secret("shared", apiKey=second_key, accountId=team.account)
    team.create("first")
    colleagues.create("first", credentialsSecretRef={"name": "shared"})
    team.until_ready("first")
    colleagues.until_ready("first")
    rule = team.fault("rate_limit", times=1, method="POST", retryAfter=pause)
    _create(team, _names(LOAD // 6))
    _create(colleagues, _names(LOAD // 6), credentialsSecretRef={"name": "shared"})
    others.create()
    others.until_ready(within=pause)
    team.eventually(lambda: len(team.deployments()) == 2 + 2 * (LOAD // 6), "all exist in the end")
    refused = next(each.monotonic for each in team.posts() if each.fault == rule)
    later = [each for each in team.journal() if each.monotonic > refused + LATE]
    assert later[0].monotonic >= refused + pause * 0.9, "silence"
    _assert_within_budget(later, burst=1, per_second=PER_SECOND)


@pytest.mark.proof
def test_a_used_up_quota_silences_nobody(start_operator: StartOperator, make_team: MakeTeam) -> None:
    team = make_team(start_operator(**SMALL))
    team.simulator.assume(default_deployment_check=False)
    team.create("old")
    team.until_ready("old")
    team.simulator.quota("global--h200-count", 0)
    seen, started = team.simulator.last_sequence(), time.monotonic()
    _create(team, _names(LOAD // 6), acceleratorType="NVIDIA_H200_141GB")
    refused = team.eventually(lambda: [each for each in team.posts() if each.status == 429], "the quota is used up")[0]
    team.delete("old")
    deleted = team.eventually(lambda: team.journal("DELETE", since=seen), "the deployment is deleted")[0]
    assert deleted.sequence > refused.sequence
    assert deleted.monotonic - started < 8, "the pause after a 429 would be ten seconds"
