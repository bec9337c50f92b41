"""What a pass ended in."""

from dataclasses import dataclass

from fireworks_operator.core.actions import Action, Pending
from fireworks_operator.fireworks.errors import FireworksError


@dataclass(frozen=True, slots=True)
class PassResult:
    """What a pass ended in.

    Attributes:
        action: what it has done.
        again: seconds until the next pass; None: nothing to do until something changes.
        failed: the next pass comes after the queue's growing pause instead.
        error: what Fireworks answered, where it refused or failed.
        drift: it put back what somebody else had changed.
        inconclusive: nothing was known or done yet, so it says nothing about failures before it, and who asked for it
            has yet to be answered.
        looks: the next pass only looks how far a creation has come.
    """

    action: Action
    again: float | None = None
    failed: bool = False
    error: FireworksError | None = None
    drift: bool = False
    inconclusive: bool = False
    looks: bool = False


def not_now(again: float = 0.0) -> PassResult:
    """Return the result of a pass that has done nothing, since it must be decided anew in `again` seconds."""
    return PassResult(Pending(), again=again, inconclusive=True)
