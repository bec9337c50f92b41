"""What a pass ended in, and when the next one comes."""

from dataclasses import dataclass

from fireworks_operator.controller.queue import Priority
from fireworks_operator.core.actions import Action, Pending
from fireworks_operator.fireworks.errors import FireworksError


@dataclass(frozen=True, slots=True)
class Now:
    """The next pass comes as soon as a worker is free, in its turn by `priority`."""

    priority: Priority = Priority.USER


@dataclass(frozen=True, slots=True)
class After:
    """The next pass comes in so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Retry:
    """The next pass comes after the queue's pause, which grows with each failure in a row."""


Next = Now | After | Retry | None
"""When the next pass comes; None: when something changes."""


@dataclass(frozen=True, slots=True)
class PassResult:
    """What a pass ended in.

    Attributes:
        action: what it has done.
        next: when the next pass comes.
        error: what Fireworks answered, where it refused or failed.
        drift: it put back what somebody else had changed.
        conclusive: something was known or done. If not, the pass says nothing about failures before it, and who asked
            for it has yet to be answered.
    """

    action: Action
    next: Next = None
    error: FireworksError | None = None
    drift: bool = False
    conclusive: bool = True


def sooner(then: Next, seconds: float) -> Next:
    """Return when the next pass comes, but in so many seconds at the latest; a retry has its own pause."""
    match then:
        case None:
            return After(seconds)
        case After(later):
            return After(min(later, seconds))
    return then


def nothing_done(then: Next) -> PassResult:
    """Return the result of a pass that has done nothing, since it must be decided anew by a later one."""
    return PassResult(Pending(), then, conclusive=False)
