"""One world with one long history, and now and then all must be well."""

import os
import re
import time
from collections import Counter
from random import Random

import pytest

from testkit.promises.outcome import check_converged
from testkit.virtual.loop import VirtualLoop
from testkit.virtual.simulator import MemorySimulator
from tests.model.choices import events
from tests.model.machine import Machine

STEPS = int(os.environ.get("MODEL_STEPS", "120"))
SEED = int(os.environ.get("MODEL_SEED", "1"))
ONLY = os.environ.get("MODEL_EVENTS", "")
"""A regular expression that the events' names match: a sequence that breaks a promise is soon a short one."""
FIRST = int(os.environ.get("MODEL_FROM", "1"))
"""The step with which the history begins: what would come before it is drawn, and does not happen."""
CHAPTER = 40
"""Events after which all troubles end and everything must become as it must be, before it goes on."""


@pytest.mark.timeout(4 * 3600)
def test_a_long_history_of_everything_breaks_no_promise(loop: VirtualLoop, simulator: MemorySimulator) -> None:
    random, drawn, number = Random(SEED), Counter[str](), 0  # noqa: S311 - to be repeated, not to be secret
    known = {name: choices for name, choices in events(Machine).items() if re.search(ONLY, name)}
    machine, story = Machine(loop, simulator), list[str]()
    world, began, virtual = machine.world, time.monotonic(), loop.time()
    try:
        world.add_bystander()
        for number in range(1, STEPS + 1):
            name = random.choice(list(known))
            arguments = {argument: choice.pick(random) for argument, choice in known[name].items()}
            if number < FIRST:
                continue
            story.append(f"{number}: {name}({', '.join(f'{key}={value!r:.80}' for key, value in arguments.items())})")
            getattr(machine, name)(**arguments)
            drawn[name] += 1
            machine.promises_are_kept()
            if number % CHAPTER == 0:
                story.append("all is well again")
                check_converged(world)
                machine.begin_anew()
        story.append("the end")
        machine.teardown()
    except BaseException:
        print(f"MODEL_SEED={SEED}, step {number}:", *story[-2 * CHAPTER :], sep="\n  ")
        world.close()
        raise
    print(
        f"{drawn.total()} steps in one history, {world.kills} ends of the operator, {world.creations} deployments, "
        f"{simulator.last_sequence()} requests, of which {world.faults} met a fault, "
        f"{(loop.time() - virtual) / 86_400:.1f} days by the model's clock, {time.monotonic() - began:.0f} s by ours"
    )
    for name, count in drawn.most_common():
        print(f"{count:6} {name.replace('_', ' ')}")


def test_each_event_can_be_drawn() -> None:
    random = Random(SEED)  # noqa: S311 - to be repeated, not to be secret
    for choices in events(Machine).values():
        for choice in choices.values():
            choice.pick(random)
    assert len(events(Machine)) >= 50
