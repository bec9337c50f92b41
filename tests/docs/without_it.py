"""Writes the figures of docs/without-it.md: the same days with and without the operator, on the simulator's clock.

    python -m tests.docs.without_it

The operator's core, its client and its polls are the real ones; the bill is what the simulator answers to
`billingUsage` and `usageCosts:query`. A test compares what lies there with what would be written.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from testkit.stories.team import MODEL, SPEC
from tests.virtual.bill import DAY, HOUR, Bill, billed
from tests.virtual.stage import Stage
from tests.virtual.team import Team

PAGE = Path(__file__).resolve().parents[2] / "docs/without-it.md"
MONDAY, WEEK = datetime(2026, 11, 9, 10, tzinfo=UTC), 7 * DAY
FRIDAY, WEEKEND = datetime(2026, 11, 13, 18, tzinfo=UTC), 2 * DAY + 15 * HOUR
"""When it begins, and how long it takes until somebody looks: until Monday at 10:00, and until Monday at 9:00."""
WORKDAY = 8 * HOUR
GPUS = 2
"""GPUs of a replica."""
FLOOD, LIMIT, NIGHT = 200, 64, 14 * HOUR
"""Deployments that a pipeline asks for, GPUs that a budget allows, and how long it takes until somebody looks."""
RAISED = 8
"""Replicas that somebody sets in the console where one is needed."""


@dataclass(frozen=True, slots=True)
class Row:
    """What Fireworks has billed for one way of doing it."""

    way: str
    bill: Bill


@dataclass(frozen=True, slots=True)
class Story:
    """What happens, and what it costs: without the operator in the first row, and with it in the last one."""

    name: str
    title: str
    rows: tuple[Row, ...]


def forgotten() -> Story:
    """Tell of a deployment that is needed for one day and found after a week."""
    return Story(
        "forgotten",
        "A forgotten deployment",
        (
            Row("created by hand with `minReplicaCount` 1", _by_hand(MONDAY, WEEK)),
            Row("a resource with `minReplicaCount: 0`: Fireworks scales it to zero in the evening", _asleep()),
            Row("a resource with `minReplicaCount: 1` and `expiresAfter: 8h`", _expired()),
        ),
    )


def raised() -> Story:
    """Tell of bounds that somebody raises in the console on Friday evening."""
    return Story(
        "raised",
        "Replicas raised in the console",
        (
            Row(f"nobody puts {RAISED} replicas back before Monday", _by_hand(FRIDAY, WEEKEND, raised=True)),
            Row("nobody has raised them", _by_hand(FRIDAY, WEEKEND)),
            Row("the operator puts them back", _put_back()),
        ),
    )


def flooded() -> Story:
    """Tell of a pipeline that asks for far too many deployments overnight."""
    return Story(
        "flooded",
        "Two hundred deployments by mistake",
        (
            Row(f"{FLOOD} deployments until the morning", _flood()),
            Row(f"the same in a namespace with a FireworksBudget of {LIMIT} GPUs", _within_budget()),
        ),
    )


STORIES: tuple[Callable[[], Story], ...] = (forgotten, raised, flooded)


def _by_hand(began: datetime, seconds: float, *, raised: bool = False) -> Bill:
    """Create a deployment as a script would, without the operator."""
    with _team(began) as team:
        team.stage.stop()
        _create(team, "by-hand", most=2)
        if raised:
            _raise(team, "by-hand")
        team.wait(seconds)
        return billed(team)


def _create(team: Team, deployment: str, *, most: int = 1) -> None:
    hardware = {"acceleratorType": SPEC["acceleratorType"], "acceleratorCount": GPUS}
    body = {"baseModel": MODEL, **hardware, "minReplicaCount": 1, "maxReplicaCount": most}
    query = {"deploymentId": deployment, "acceptShapelessRisk": "true"}
    status, answer = team.ask(f"/v1/accounts/{team.account}/deployments", body, **query)
    assert status == 200, answer


def _asleep() -> Bill:
    """Have a deployment that Fireworks scales to zero once nobody uses it."""
    with _team(MONDAY) as team:
        team.create(acceleratorCount=GPUS, minReplicaCount=0)
        team.until_ready()
        end = team.stage.now() + WEEK
        team.simulator.load(team.deployment_id(), 1)
        team.wait(WORKDAY)
        team.simulator.load(team.deployment_id(), 0)
        team.wait(end - team.stage.now())
        return billed(team)


def _expired() -> Bill:
    """Have a deployment that never sleeps by itself, and expires."""
    with _team(MONDAY) as team:
        team.create(acceleratorCount=GPUS, minReplicaCount=1, expiresAfter="8h")
        team.until_ready()
        team.wait(WEEK)
        return billed(team)


def _put_back() -> Bill:
    """Have a deployment whose bounds are put back as the manifest has them."""
    with _team(FRIDAY) as team:
        team.create(acceleratorCount=GPUS, minReplicaCount=1, maxReplicaCount=2)
        team.until_ready()
        _raise(team, team.deployment_id())
        team.wait(WEEKEND)
        assert len(team.patches()) == 1, "the operator has put it back, once"
        return billed(team)


def _flood() -> Bill:
    """Create deployments as a script would, without the operator."""
    with _team(FRIDAY) as team:
        team.stage.stop()
        for number in range(FLOOD):
            _create(team, f"review-{number}")
        team.wait(NIGHT)
        return billed(team)


def _within_budget() -> Bill:
    """Apply as many resources where a budget lets only some of them have their deployment."""
    with _team(FRIDAY) as team:
        team.limit(gpus=LIMIT)
        end = team.stage.now() + NIGHT
        names = [f"review-{number}" for number in range(FLOOD)]
        team.create_at_once(*names, acceleratorCount=GPUS, minReplicaCount=1, maxReplicaCount=1)
        team.wait(end - team.stage.now())
        assert len(team.deployments()) == LIMIT // GPUS, "the budget is used, and not more than it"
        return billed(team)


def _raise(team: Team, deployment: str) -> None:
    team.simulator.edit(deployment, {"minReplicaCount": RAISED, "maxReplicaCount": RAISED})


@contextmanager
def _team(began: datetime) -> Iterator[Team]:
    stage = Stage(began=began)
    team = Team.begin(stage)
    try:
        yield team
    finally:
        stage.close()


# --- the page ---------------------------------------------------------------------------------------------------------


def written(page: str, stories: tuple[Story, ...]) -> str:
    """Return the page with these figures between its marks.

    Raises:
        ValueError: the page has no marks of that name.
    """
    for name, text in (("summary", _summary(stories)), *((each.name, _figures(each)) for each in stories)):
        begin, end = f"<!-- {name}: begin, written by `python -m tests.docs.without_it` -->", f"<!-- {name}: end -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if not pattern.search(page):
            raise ValueError(f"{PAGE.name} lacks the marks of {name}")
        page = pattern.sub(f"{begin}\n\n{text}\n\n{end}".replace("\\", r"\\"), page)
    return page


def _summary(stories: tuple[Story, ...]) -> str:
    lines = ["| what happens | without it | with it |", "|---|---|---|"]
    lines += [f"| {each.title} | {_dollars(each.rows[0])} | {_dollars(each.rows[-1])} |" for each in stories]
    return "\n".join(lines)


def _figures(story: Story) -> str:
    lines = ["| | GPU-hours | US dollars |", "|---|---|---|"]
    lines += [f"| {each.way} | {each.bill.gpu_seconds / HOUR:,.1f} | {_dollars(each)} |" for each in story.rows]
    return "\n".join(lines)


def _dollars(row: Row) -> str:
    return f"{row.bill.dollars:,.2f}"


def main() -> None:
    """Write the page."""
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), tuple(each() for each in STORIES)), encoding="utf-8")


if __name__ == "__main__":
    main()
