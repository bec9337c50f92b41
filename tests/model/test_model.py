"""Random interleavings of everything that can happen to the operator: the invariants hold at every step."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from testkit.virtual.loop import VirtualLoop
from testkit.virtual.simulator import MemorySimulator
from tests.model.machine import Machine

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "20"))
"""Random scenes to play; what CI plays is the same every time, more than that is new each time."""
STEPS = 40


@pytest.mark.timeout(3600)
def test_whatever_happens_promises_are_kept_and_all_settles(loop: VirtualLoop, simulator: MemorySimulator) -> None:
    class Staged(Machine):
        def __init__(self) -> None:
            super().__init__(loop, simulator)

    run_state_machine_as_test(
        Staged,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize="MODEL_EXAMPLES" not in os.environ,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
        ),
    )
