"""The request budget of an account under far more load than it allows, and what it spares others."""

from collections.abc import Iterator, Sequence

import pytest

from fireworks_operator.controller.accounts.accounts import Limits
from fireworks_simulator.testing import JournalEntry
from tests.virtual.stage import Stage
from tests.virtual.team import NewTeam, Team

PER_SECOND = 5.0
BURST = 10
LIST_SHARE = 0.2
SLACK = 0.4
"""Seconds that a request may reach the API after its turn."""
LOAD = 40
RETRY_AFTER = 6.0
H200 = "NVIDIA_H200_141GB"


@pytest.fixture
def stage() -> Iterator[Stage]:
    """An operator that may ask little."""
    stage = Stage(limits=Limits(PER_SECOND * 60, BURST))
    yield stage
    stage.close()


@pytest.fixture
def two_own(stage: Stage) -> list[Team]:
    """Two teams that use the operator's own account."""
    return [Team.begin(stage, own=True), Team.begin(stage, own=True)]


def _names(count: int) -> list[str]:
    return [f"load-{number}" for number in range(count)]


def _create(team: Team, count: int, **spec: object) -> None:
    for name in _names(count):
        team.create(name, spec=spec)


def _is_list(entry: JournalEntry) -> bool:
    return entry.method == "GET" and entry.path.endswith(("/deployments", "/deployedModels"))


def _assert_within_budget(entries: Sequence[JournalEntry], *, burst: float, per_second: float) -> None:
    """Assert for every window between two requests, however long, that no more came than is allowed in it."""
    times = sorted(each.virtual for each in entries)
    for first, start in enumerate(times):
        for count, end in enumerate(times[first:], start=1):
            allowed = burst + per_second * (end - start + SLACK)
            assert count <= allowed, f"{count} requests in {end - start:.2f} s, allowed are {allowed:.1f}"


def _before(team: Team, entry: JournalEntry, since: int) -> list[JournalEntry]:
    """Return the changes that were sent before a request."""
    return [each for each in team.writes(since=since) if each.sequence < entry.sequence]


def _share_account(team: Team, colleagues: Team) -> str:
    """Give a team's colleagues another key of the same account; return the key's id."""
    key = colleagues.new_key("second")
    key_id = team.simulator.add_key(key)
    colleagues.put_secret("shared", apiKey=key, accountId=team.account)
    return key_id


def test_no_window_sees_more_requests_than_the_budget_whatever_the_load_and_however_many_keys(
    new_team: NewTeam,
) -> None:
    team, colleagues = new_team(), new_team()
    second_id = _share_account(team, colleagues)
    team.simulator.create_foreign(count=250)
    _create(team, LOAD // 2)
    _create(colleagues, LOAD // 2, credentialsSecretRef={"name": "shared"})
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


def test_a_deletion_does_not_wait_behind_creations(team: Team) -> None:
    team.simulator.assume(default_deployment_check=False)
    team.create("old")
    team.until_ready("old")
    seen = team.seen()
    _create(team, LOAD)
    team.wait(0.1)
    team.delete("old")
    team.delete(_names(LOAD)[-1])
    deleted = team.eventually(lambda: team.journal("DELETE", since=seen), "the deployment is deleted")[0]
    assert len(_before(team, deleted, seen)) <= 2 * BURST, "most creations came later"
    team.until_gone("old")
    team.until_gone(_names(LOAD)[-1])
    assert len(team.posts()) < LOAD + 1, "not even the one that waited in line itself"


def test_many_deletions_let_a_creation_of_another_team_through(two_own: list[Team]) -> None:
    team, colleagues = two_own
    team.simulator.assume(default_deployment_check=False)
    _create(team, LOAD)
    for name in _names(LOAD):
        team.until_ready(name)
    seen = team.seen()
    for name in _names(LOAD):
        team.delete(name)
    team.eventually(lambda: len(team.journal("DELETE", since=seen)) >= 5, "deletions go on")
    colleagues.create()
    post = team.eventually(lambda: team.journal("POST", "/deployments$", since=seen), "it was created")[0]
    assert len(_before(team, post, seen)) < LOAD // 2, "the other half of the deletions came later"
    for name in _names(LOAD):
        team.until_gone(name)


def test_too_many_requests_silence_all_keys_of_the_account_and_no_other_account(new_team: NewTeam) -> None:
    team, colleagues, others = new_team(), new_team(), new_team()
    _share_account(team, colleagues)
    shared = {"credentialsSecretRef": {"name": "shared"}}
    team.create("first")
    colleagues.create("first", spec=shared)
    team.until_ready("first")
    colleagues.until_ready("first")
    rule = team.fault("rate_limit", times=1, method="POST", retryAfter=RETRY_AFTER)
    _create(team, LOAD // 6)
    _create(colleagues, LOAD // 6, credentialsSecretRef={"name": "shared"})
    began = others.stage.now()
    others.create()
    others.until_ready()
    assert others.posts()[0].virtual - began < 1, "another account is not concerned"
    team.eventually(lambda: len(team.deployments()) == 2 + 2 * (LOAD // 6), "all exist in the end")
    refused = next(each.virtual for each in team.posts() if each.fault == rule)
    later = [each for each in team.journal() if each.virtual > refused + 0.5]
    assert later[0].virtual >= refused + RETRY_AFTER, "silence"
    _assert_within_budget(later, burst=1, per_second=PER_SECOND)


@pytest.mark.parametrize("retry_after", [None, 3, 30])
def test_too_many_requests_pause_the_account_for_a_while(team: Team, retry_after: int | None) -> None:
    rule = team.fault("rate_limit", times=1, method="POST", retryAfter=retry_after)
    team.create()
    team.until("chat", "Ready", "Unknown", "RateLimited")
    hit = next(each for each in team.posts() if each.fault == rule)
    team.until_ready()
    later = [each for each in team.journal() if each.sequence > hit.sequence]
    pause = retry_after or 10
    assert pause <= later[0].virtual - hit.virtual <= pause + 1, "silence first, and not for longer than asked for"
    assert len(team.deployments()) == 1


def test_a_used_up_quota_silences_nobody(team: Team) -> None:
    team.simulator.assume(default_deployment_check=False)
    team.create("old")
    team.until_ready("old")
    team.simulator.quota("global--h200-count", 0)
    seen, began = team.seen(), team.stage.now()
    _create(team, LOAD // 6, acceleratorType=H200)
    refused = team.eventually(lambda: [each for each in team.posts() if each.status == 429], "the quota is used up")[0]
    team.delete("old")
    deleted = team.eventually(lambda: team.journal("DELETE", since=seen), "the deployment is deleted")[0]
    assert deleted.sequence > refused.sequence
    assert deleted.virtual - began < 5, "the pause after a 429 would be ten seconds"


@pytest.mark.parametrize(("fault", "action"), [("rate_limit", {"retryAfter": 300}), ("hang", {})])
def test_an_account_that_is_paused_or_does_not_answer_delays_no_other(
    new_team: NewTeam, fault: str, action: dict[str, object]
) -> None:
    healthy, stuck = new_team(), new_team()
    stuck.fault(fault, method="POST", action=action)
    _create(stuck, LOAD)
    stuck.eventually(lambda: stuck.posts(), "a create request met it")
    began = healthy.stage.now()
    healthy.create()
    healthy.eventually(lambda: healthy.posts(), "it is created", within=1)
    assert healthy.posts()[0].virtual - began < 1
    assert stuck.deployments() == []


# --- nobody there ---------------------------------------------------------------------------------------------------


def test_while_nothing_can_be_reached_tries_get_rarer_and_all_heals(team: Team) -> None:
    team.create("first")
    team.until_ready("first")
    team.stage.loop.cut()
    team.create()
    team.until("chat", "Ready", "Unknown", "ApiUnavailable", says="cannot be reached")
    told = team.told()
    team.wait(1200)
    writes = len(team.versions(since=told))
    assert writes <= 2 * 12, f"pauses grow from a second to five minutes: {writes} writes in 20 minutes"
    team.stage.loop.mend()
    team.until_ready(within=310)
    assert len(team.posts()) == 2
    assert len(team.deployments()) == 2
