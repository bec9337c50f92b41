"""What `kubectl fireworks plan` says is what the operator then does, and what it costs is what the meter then shows."""

import sys
from collections import Counter
from random import Random

import pytest

from fireworks_operator.core.actions import Refuse
from fireworks_operator.plugin.plan.planned import Planned, Verdict
from testkit.conditions import condition
from tests.virtual.plans import Pair, Request, draw_pair, expected
from tests.virtual.stage import Stage
from tests.virtual.team import Json

PAIRS = 340
"""Some of which the API server refuses, so that 300 are judged at least."""
AT_ONCE = 10


@pytest.mark.parametrize("first", range(0, PAIRS, AT_ONCE))
def test_what_is_planned_is_what_the_operator_does(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        stage = Stage()
        try:
            pair = draw_pair(stage, Random(seed))  # noqa: S311 - a story, no secret
        finally:
            stage.close()
        if pair is not None:
            judge(pair, f"seed {seed}: {pair.story}")


def judge(pair: Pair, story: str) -> None:
    """Assert that the plan was right, up to a change in place that Fireworks refuses or reverts."""
    planned, found = pair.planned, pair.seen.forecast
    foreseen = by_subject([each for step in found.steps for each in expected(step.action)])
    sent = by_subject(pair.requests)
    foretold = [] if found.refused is None else expected(found.refused.action)
    said = f"{story}\n  sent {sent}\n  planned {foreseen}\n  {stalled_in(pair)}"
    tries_again = isinstance(found.end, Refuse) and found.end.until is not None  # what was refused before
    if pair.refused is not None and [pair.refused] != foretold and not tries_again:
        assert foreseen[: len(sent) + 1] == [*sent, pair.refused], said
        return
    stalled = stalled_in(pair)
    if stalled.get("reason") == "NotConverging":  # what Fireworks accepts and reverts cannot be asked before either
        assert sent == foreseen[: len(sent)], said
        return
    assert sent == foreseen, said
    assert tries_again or ([] if pair.refused is None else [pair.refused]) == foretold, said
    refused = stalled.get("status") == "True" and stalled.get("reason") != "Paused"
    assert (planned.verdict is Verdict.REFUSED) == refused, f"{said}\n  {planned}"
    if refused:
        assert (planned.reason, planned.message) == (stalled["reason"], stalled["message"]), f"{said}\n  {planned}"
    assert cost_of(planned) == cost_in(pair.status), f"{cost_of(planned)} {cost_in(pair.status)} {said}\n  {planned}"


def by_subject(requests: list[Request]) -> list[Request]:
    """Return those about routers last: they need not wait until the loaded models are listed."""
    return sorted(requests, key=lambda each: "/routers" in each.path)


def stalled_in(pair: Pair) -> Json:
    """Return what a person has to do something about: Stalled, or the successor of what serves is refused."""
    resource = {"status": pair.status}
    working = condition(resource, "Reconciling")
    return working if working.get("reason") == "ReplacementBlocked" else condition(resource, "Stalled")


def cost_of(planned: Planned) -> tuple[object, ...]:
    after = planned.after
    amounts = [None if each is None else f"{each:.2f}" for each in (after.hourly, after.ceiling)]
    return (after.gpus, after.gpus_at_most, *amounts)


def cost_in(status: Json) -> tuple[object, ...]:
    cost = status.get("cost", {"gpus": 0, "gpuCeiling": 0, "hourly": "0.00", "hourlyCeiling": "0.00"})
    return (cost["gpus"], cost["gpuCeiling"], cost.get("hourly"), cost.get("hourlyCeiling"))


def main() -> None:
    """Show what the pairs are."""
    found: Counter[str] = Counter()
    for seed in [int(each) for each in sys.argv[1:]] or range(PAIRS):
        stage = Stage()
        pair = draw_pair(stage, Random(seed))  # noqa: S311
        stage.close()
        found["refused by the API server" if pair is None else pair.planned.verdict] += 1
        if pair is not None:
            found.update(step.action.name for step in pair.seen.forecast.steps)
            try:
                judge(pair, f"seed {seed}: {pair.story}")
            except AssertionError as error:
                found["wrong"] += 1
                print(str(error)[:1500], "\n")
    print(found)


if __name__ == "__main__":
    main()
