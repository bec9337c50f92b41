"""Copies of what the API server in memory holds: taken on every read and write, so they must cost little."""

import pickle
from typing import TypeVar

T = TypeVar("T")


def copied(value: T) -> T:
    """Return a copy in which nothing is shared; several times as fast as `copy.deepcopy` for JSON."""
    found: T = pickle.loads(pickle.dumps(value, pickle.HIGHEST_PROTOCOL))  # noqa: S301 - bytes of this very line
    return found
