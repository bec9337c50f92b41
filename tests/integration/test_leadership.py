"""Two replicas with leader election: one acts, the other takes over at once or after the Lease, nothing is doubled."""

import asyncio
import os
import random
import secrets
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fireworks_simulator.testing import SimulatorClient
from testkit.factories import OWN_KEY, Cluster, MakeTeam, StartOperator
from testkit.forked import ForkedOperator
from testkit.namespaces import Line
from testkit.processes import Operator
from testkit.team import Team
from testkit.waiting import eventually

KILLS = int(os.environ.get("FIREWORKS_TEST_LEADER_KILLS", "3"))
"""How often a leader is stopped, and how often killed; `-rP` shows how long each hand-over took."""
STOPPED = 5.0
"""Seconds within which the standby acts after a leader that was stopped."""
KILLED = 20.0
"""The same after one that was killed: the Lease has 15 s, and a candidate looks every 2.4 s at least."""
FIRST_LIST = 5.0
"""Seconds for what a new leader reads first, on a busy machine."""
ELECTION = {"FIREWORKS_OPERATOR_LEADER_ELECTION": "true"}

Pair = Callable[[], tuple[Operator, Operator]]


@pytest.fixture
def lease() -> dict[str, str]:
    """Settings of replicas that share a Lease of this test alone."""
    return {**ELECTION, "FIREWORKS_OPERATOR_LEASE_NAME": f"lease-{secrets.token_hex(4)}"}


@pytest.fixture
def pair(start_operator: StartOperator, lease: dict[str, str]) -> tuple[Operator, Operator]:
    """A leader and a standby."""
    leader = start_operator(**lease)
    eventually(lambda: leads(leader), "the first one leads", explain=leader.tail)
    return leader, start_operator(**lease)


def leads(operator: Operator) -> bool:
    return operator.metric("fireworks_operator_leader") == 1


def seconds_until_it_acts(team: Team, name: str, *, since: float) -> float:
    """Wait for the create request of a resource; return how long after a moment it came."""
    identifier = team.namespace + "-" + name
    eventually(
        lambda: any(str(each.query.get("deploymentId", "")).startswith(identifier) for each in team.posts()),
        f"{name} is created at Fireworks",
        explain=team.explain,
    )
    return time.monotonic() - since


def tell(what: str, took: list[float]) -> None:
    """Print the durations of hand-overs."""
    print(f"{what} {len(took)} times, seconds until the standby acts: median {statistics.median(took):.1f}, ", end="")
    print(f"max {max(took):.1f}, all {' '.join(f'{each:.1f}' for each in sorted(took))}")


def assert_one_each(team: Team, names: list[str]) -> None:
    for name in names:
        team.until_ready(name)
    assert sorted(team.deployment_id(name) for name in names) == sorted(
        str(each["name"]).rsplit("/", 1)[-1] for each in team.deployments()
    )
    assert len([each for each in team.posts() if each.committed]) == len(names), "a second create request"


def test_a_leader_that_is_stopped_hands_over_within_five_seconds(
    pair: tuple[Operator, Operator], make_team: MakeTeam
) -> None:
    leader, standby = pair
    team = make_team(standby, own=True)
    team.create("before")
    team.until_ready("before")
    assert not leads(standby)
    took = []
    for number in range(KILLS):
        started = time.monotonic()
        leader.stop()
        team.create(f"after-{number}")
        took.append(seconds_until_it_acts(team, f"after-{number}", since=started))
        leader.start()
        leader, standby = standby, leader
    tell("stopped", took)
    assert statistics.median(took) < STOPPED, took
    team.operator = leader
    assert_one_each(team, ["before", *(f"after-{number}" for number in range(KILLS))])


def test_a_leader_that_is_killed_is_replaced_when_its_lease_ends(
    pair: tuple[Operator, Operator], make_team: MakeTeam
) -> None:
    leader, standby = pair
    team = make_team(standby, own=True)
    names = []
    took = []
    for number in range(KILLS):
        names += [f"under-way-{number}", f"after-{number}"]
        team.create(names[-2])
        time.sleep(random.uniform(0, 0.3))  # noqa: S311 - any moment of the creation will do
        killed = time.monotonic()
        leader.kill()
        team.create(names[-1])
        took.append(seconds_until_it_acts(team, names[-1], since=killed))
        leader.start()
        leader, standby = standby, leader
    tell("killed", took)
    assert max(took) < KILLED + FIRST_LIST, took
    team.operator = leader
    assert_one_each(team, names)


@pytest.fixture
def start_doomed(
    fireworks: SimulatorClient, lease: dict[str, str], tmp_path: Path
) -> Iterator[Callable[[Path], Operator]]:
    """Start a leader that will lose its Lease, for which its log has an error."""
    started: list[Operator] = []

    def start(kubeconfig: Path) -> Operator:
        log = tmp_path / "doomed.log"
        leader = ForkedOperator(kubeconfig, fireworks.url, log, api_key=OWN_KEY, settings=lease)
        started.append(leader)
        leader.start()
        eventually(lambda: leads(leader), "the first one leads", explain=leader.tail)
        return leader

    yield start
    for each in started:
        if each.running:
            each.kill()
        assert "lost the Lease, exiting" in each.log()
        assert "Traceback" not in each.log()
        assert OWN_KEY not in each.log()


def test_a_leader_that_hung_changes_nothing_when_it_wakes_up(
    cluster: Cluster,
    start_doomed: Callable[[Path], Operator],
    start_operator: StartOperator,
    lease: dict[str, str],
    make_team: MakeTeam,
) -> None:
    leader = start_doomed(cluster.kubeconfig)
    standby = start_operator(**lease)
    team = make_team(standby, own=True)
    slow = team.fault("latency", method="GET", path="/deployments$", seconds=2)  # so that the create request waits
    team.create("chat")
    eventually(lambda: team.journal("GET", "/deployments$"), "it has begun", explain=team.explain)
    os.kill(leader.pid, signal.SIGSTOP)
    try:
        assert team.posts() == []
        team.simulator.clear_fault(slow)
        eventually(lambda: leads(standby), "the standby leads", within=KILLED + FIRST_LIST, explain=standby.tail)
    finally:
        os.kill(leader.pid, signal.SIGCONT)
    assert leader.wait() == 1, "it finds its Lease lost and ends"
    assert_one_each(team, ["chat"])
    assert len(team.posts()) == 1, "the one that woke up did not even try"


@pytest.fixture
def line(cluster: Cluster, tmp_path: Path) -> Iterator[tuple[Path, Callable[[], None]]]:
    """A kubeconfig whose connections can go dead, and what makes them so."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    line = Line(cluster.kubeconfig, tmp_path)
    kubeconfig = asyncio.run_coroutine_threadsafe(line.open(), loop).result(10)

    def go_dead() -> None:
        loop.call_soon_threadsafe(line.go_dead)

    yield kubeconfig, go_dead
    asyncio.run_coroutine_threadsafe(line.cut(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_a_leader_that_is_cut_off_ends_before_another_one_can_act(
    line: tuple[Path, Callable[[], None]],
    start_doomed: Callable[[Path], Operator],
    start_operator: StartOperator,
    lease: dict[str, str],
    make_team: MakeTeam,
) -> None:
    kubeconfig, go_dead = line
    leader = start_doomed(kubeconfig)
    standby = start_operator(**lease)
    team = make_team(standby, own=True)
    team.create("before")
    team.until_ready("before")
    go_dead()
    cut = time.monotonic()
    assert leader.wait(within=20) == 1
    assert time.monotonic() - cut < 15, "it ends before the Lease can move"
    assert not leads(standby), "it ended first"
    team.create("after")
    assert seconds_until_it_acts(team, "after", since=cut) < KILLED + FIRST_LIST
    assert_one_each(team, ["before", "after"])
