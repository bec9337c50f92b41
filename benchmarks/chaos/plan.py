"""The plan of a round: what users and the API do, and when the operator is killed; all of it drawn from the seed."""

import random
from dataclasses import dataclass

from benchmarks.chaos.faults import ROUTES, PlannedFault, draw_fault
from benchmarks.chaos.kubernetes_side import TROUBLES
from benchmarks.chaos.users import Step, draw_step

_LONGEST = 1.5
"""Seconds that an operator works at most, unless its end is aimed at something."""


@dataclass(frozen=True, slots=True)
class Aim:
    """When the operator is killed.

    Attributes:
        at: "any moment", "its start", "a Kubernetes write", "a change at Fireworks", or a kind of request to Fireworks.
        delay: seconds after the beginning of its work for any moment, or after the request has arrived.
        held: seconds for which the request is held back before it takes effect; longer than `delay`: it takes effect
            after the death of its sender.
        nth: which Kubernetes write.
        before: that write does not arrive.
    """

    at: str
    delay: float
    held: float = 0.0
    nth: int = 1
    before: bool = False

    def __str__(self) -> str:
        """Describe it for the report of a failure."""
        return f"kill at {self.at} +{self.delay:.3f} s, held {self.held:.3f} s, write {self.nth} before={self.before}"


ANY_MOMENT, START, WRITE, CHANGE = "any moment", "its start", "a Kubernetes write", "a change at Fireworks"


@dataclass(frozen=True, slots=True)
class Life:
    """One life of the operator: what happens before its birth and while it lives, and its end."""

    before: tuple[Step, ...]
    meanwhile: tuple[Step, ...]
    faults: tuple[tuple[int, PlannedFault], ...]
    trouble: str | None
    aim: Aim


def draw_round(seed: str, lives: int, slots: int, teams: int) -> list[Life]:
    """Draw the lives of a round; the same seed gives the same ones."""
    generator = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    drawn: list[Life] = []
    latest: int | None = None
    for _ in range(lives):
        drawn.append(_draw_life(generator, slots, teams, latest))
        latest = next((each.slot for each in reversed((*drawn[-1].before, *drawn[-1].meanwhile))), latest)
    return drawn


def _draw_life(random: random.Random, slots: int, teams: int, latest: int | None) -> Life:
    before = tuple(draw_step(random, slots, latest) for _ in range(random.randint(1, 3)))
    meanwhile = tuple(draw_step(random, slots, latest) for _ in range(random.randint(0, 3)))
    faults = tuple((random.randrange(teams), draw_fault(random)) for _ in range(random.choice((0, 1, 1, 2))))
    trouble = random.choice(TROUBLES) if random.random() < 0.2 else None
    return Life(before, meanwhile, faults, trouble, _draw_aim(random, {each.kind for each in (*before, *meanwhile)}))


_SUITS = {
    "edit": ("create", "update", "load an addon", "get"),
    "create again": ("create", "delete", "undelete", "mark"),
    "delete": ("delete", "unload an addon", "get"),
    "console": ("update", "list"),
    "vanish": ("undelete", "create", "get"),
}


def _draw_aim(random: random.Random, kinds: set[str]) -> Aim:
    kind = random.random()
    if kind < 0.05:
        return Aim(START, random.uniform(0.0, 1.0))
    if kind < 0.25:
        return Aim(ANY_MOMENT, random.uniform(0.0, _LONGEST))
    if kind < 0.5:
        return Aim(WRITE, 0.0, nth=random.randint(1, 8), before=random.random() < 0.4)
    held = random.choice((0.0, 0.0, 0.1, 0.3))
    delay = random.uniform(0.0, 0.05) if held == 0.0 else random.uniform(0.0, held * 1.5)
    likely = [route for each in sorted(kinds) for route in _SUITS.get(each, ())]
    return Aim(CHANGE if kind < 0.9 else random.choice(likely or sorted(ROUTES)), delay, held)
