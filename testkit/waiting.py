"""Waiting for what happens in other processes: poll with a deadline, and say what was there instead."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

INTERVAL = 0.05
"""Seconds between two looks at first, unless said otherwise."""
LONGEST_INTERVAL = 0.2
"""The same once it has taken long: less than a simulated deployment is in any state."""
_SHARE = 1 / 20
"""How much longer it may take because of that: looks are most of what a test costs that waits."""
PATIENCE = 60.0
"""Seconds to wait at most, unless said otherwise: a busy machine is slow. How fast it must be, only some tests say."""


def eventually(
    look: Callable[[], T | None],
    what: str,
    *,
    within: float = PATIENCE,
    interval: float = INTERVAL,
    explain: Callable[[], str] | None = None,
) -> T:
    """Look until there is something true, and return it.

    Args:
        look: what to ask; an AssertionError of it counts as "not yet".
        what: ends the sentence "did not happen: ".
        within: seconds to wait at most.
        interval: seconds between two looks at first; more where a look is costly.
        explain: describes the situation for the failure message.
    """
    begun = time.monotonic()
    deadline = begun + within
    while True:
        trouble = ""
        try:
            value = look()
        except AssertionError as error:
            value, trouble = None, str(error)
        if value:
            return value
        if time.monotonic() > deadline:
            situation = explain() if explain is not None else ""
            raise AssertionError(f"did not happen within {within:g} s: {what}\n{trouble}\n{situation}".rstrip())
        time.sleep(max(interval, min(LONGEST_INTERVAL, _SHARE * (time.monotonic() - begun))))


def steadily(look: Callable[[], bool], what: str, *, seconds: float, explain: Callable[[], str] | None = None) -> None:
    """Look again and again for some seconds: it must hold every time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not look():
            raise AssertionError(f"did not stay so: {what}\n{explain() if explain is not None else ''}".rstrip())
        time.sleep(INTERVAL)
