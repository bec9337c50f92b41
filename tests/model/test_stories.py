"""Stories told in full: a create request whose answer is lost, and what people do before it takes effect."""

import pytest

from testkit.virtual.loop import VirtualLoop
from testkit.virtual.simulator import MemorySimulator
from tests.model.machine import Machine


@pytest.mark.parametrize("answer", ["late", "drop_after_commit", "truncate_body"])
@pytest.mark.parametrize("next_answer", [None, "INVALID_ARGUMENT"])
@pytest.mark.parametrize("then", ["deletes", "renames", "restores", "kills"])
def test_a_lost_create_leaves_neither_two_deployments_nor_an_orphan(
    answer: str, next_answer: str | None, then: str, loop: VirtualLoop, simulator: MemorySimulator
) -> None:
    for rounds in (1, 2, 3):
        machine = Machine(loop, simulator)
        try:
            machine.a_create_is_not_answered(answer, next_answer, then, rounds, seconds=62.0)
            machine.world.judge()
        finally:
            machine.teardown()


@pytest.mark.parametrize("crossings", range(1, 41, 3))
@pytest.mark.parametrize("deletes", [False, True])
def test_a_kill_at_any_call_leaves_neither_two_deployments_nor_an_orphan(
    crossings: int, deletes: bool, loop: VirtualLoop, simulator: MemorySimulator
) -> None:
    machine = Machine(loop, simulator)
    try:
        machine.there_is_a_resource("team-a/chat", [("addons", ("accounts/acme/models/lora-1",))], serves=deletes)
        for offset in range(3):
            machine.the_operator_is_killed_on_its_way(crossings + offset, 65.0, deletes)
            machine.world.judge()
    finally:
        machine.teardown()
