"""A tenant that means harm: what it writes costs the others, and the process, next to nothing."""

import re
import secrets
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from testkit.factories import MakeTeam, StartOperator
from testkit.processes import Operator
from testkit.team import Team
from testkit.waiting import eventually

SECRETS = [36, pytest.param(100, marks=pytest.mark.proof)]
"""Resources of the hostile namespace, each with a Secret of its own that is as large as a Secret can be."""
LARGE = 700_000
"""Characters that its accountId, or another value, has."""
COSTS_AT_MOST = 2.0
"""Seconds that the creation of a deployment may take longer for the others than without it."""
MEMORY = 50.0
"""MiB that it may cost the process."""
ANSWERS_WITHIN = 1.0
"""Seconds within which /healthz answers; one answer in a hundred may be late where the machine does much else."""
LATEST = 5.0
"""Seconds for those."""
NEWCOMERS = 5


@dataclass(slots=True)
class Answers:
    """How long the process took to answer /healthz, in seconds; infinite where it did not, or was not well."""

    took: list[float] = field(default_factory=list)


@contextmanager
def asked_all_the_time(operator: Operator) -> Iterator[Answers]:
    """Ask for /healthz ten times a second."""
    answers, end = Answers(), threading.Event()

    def ask() -> None:
        while not end.wait(0.1):
            answers.took.append(operator.seconds_to_answer("/healthz"))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield answers
    finally:
        end.set()
        asking.join()


def memory(operator: Operator, what: str) -> float:
    """Return the memory of the process in MiB: `VmRSS` now, or `VmHWM` the most that it ever was."""
    status = Path(f"/proc/{operator.pid}/status").read_text()
    return int(re.search(rf"{what}:\s*(\d+) kB", status)[1]) / 1024  # type: ignore[index]


def seconds_until_asked_for(team: Team, name: str) -> float:
    """Create a resource, and return how long it takes until Fireworks is asked for its deployment."""
    began = time.monotonic()
    team.create(name)
    identifier = f"{team.namespace}-{name}"
    eventually(
        lambda: any(str(each.query.get("deploymentId", "")).startswith(identifier) for each in team.posts()),
        f"{name} is created at Fireworks",
        explain=team.explain,
    )
    return time.monotonic() - began


def secret_of(number: int, team: Team) -> dict[str, str]:
    """What a hostile tenant puts into its Secrets, of several kinds."""
    bogus, large = f"fw_bogus_{secrets.token_hex(8)}", secrets.token_hex(LARGE // 2)
    kinds = (
        {"apiKey": bogus, "accountId": large},
        {"apiKey": bogus, "accountId": f"account-{number}", "other": large},
        {"apiKey": large},
        {"apiKey": f"{team.namespace}/", "accountId": team.account, "other": large},
        {"apiKey": bogus, **{f"{index}-{large[:200]}": large[:1000] for index in range(LARGE // 1300)}},
        {f"{index}-{large[:200]}": large[:1000] for index in range(LARGE // 1300)},
    )
    return kinds[number % len(kinds)]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("count", SECRETS)
def test_a_namespace_full_of_large_secrets_costs_the_others_no_time_and_the_process_no_memory(
    start_operator: StartOperator, make_team: MakeTeam, count: int
) -> None:
    lease = f"lease-{secrets.token_hex(4)}"
    operator = start_operator(FIREWORKS_OPERATOR_LEADER_ELECTION="true", FIREWORKS_OPERATOR_LEASE_NAME=lease)
    eventually(lambda: operator.metric("fireworks_operator_leader") == 1, "it leads", explain=operator.tail)
    healthy, hostile = make_team(operator), make_team(operator)
    alone = [seconds_until_asked_for(healthy, f"alone-{number}") for number in range(NEWCOMERS)]
    for number in range(NEWCOMERS):
        healthy.until_ready(f"alone-{number}")
    before, pid = memory(operator, "VmHWM"), operator.pid

    def attack(number: int) -> None:
        hostile.put_secret(f"large-{number}", **secret_of(number, healthy))
        metadata = {"annotations": {"example.com/note": "x" * (250_000 if number % 4 == 0 else 1)}}
        hostile.create(f"evil-{number}", metadata=metadata, credentialsSecretRef={"name": f"large-{number}"})

    def come_again(number: int) -> None:
        hostile.put_secret(f"large-{number}", **secret_of(number + 1, healthy))
        hostile.annotate(f"evil-{number}", "reconcile-at", secrets.token_hex(8))

    with asked_all_the_time(operator) as answers, ThreadPoolExecutor(4) as pool:
        attacks = [pool.submit(attack, number) for number in range(count)]
        attacks += [pool.submit(come_again, number) for number in range(count // 4)]
        beside = [seconds_until_asked_for(healthy, f"beside-{number}") for number in range(NEWCOMERS)]
        for each in attacks:
            each.result()
        for number in range(count):
            hostile.until(f"evil-{number}", "Ready", "False")
        for number in range(NEWCOMERS):
            healthy.until_ready(f"beside-{number}")
    assert operator.running
    assert operator.pid == pid
    cost, took = memory(operator, "VmHWM") - before, sorted(answers.took)
    most = took[-1 - len(took) // 100]
    late = statistics.median(beside) - statistics.median(alone)
    print(f"{len(answers.took)} answers, the slowest after {took[-1]:.2f} s; {cost:.0f} MiB more; {late:.2f} s later")
    assert late < COSTS_AT_MOST, (alone, beside)
    assert most < ANSWERS_WITHIN, took[-10:]
    assert took[-1] < LATEST, took[-10:]
    assert cost < MEMORY, f"{before:.0f} MiB before"
    assert operator.metric("fireworks_operator_leader") == 1
    assert "Lease" not in operator.log().partition("managing")[2], "it was in danger"
    shown = operator.metrics()
    assert len(shown) < 100_000
    assert "account-" not in shown, "what stands in a Secret becomes no label"
    assert f"{healthy.namespace}/beside-0" in operator.log(), "a text in a Secret blanks nothing out of the log"
    assert all(len(line) < 20_000 for line in operator.log().splitlines())
