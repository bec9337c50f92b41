"""How many examples there are, and which: the same ones every time, or new ones where a number is given."""

import os
import secrets
from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "250"))
"""Manifests to send to the API server; a third as many go to the operator."""
SEED = int(os.environ.get("FUZZ_SEED", str(secrets.randbelow(2**32)) if "FUZZ_EXAMPLES" in os.environ else "0"))
"""What is drawn where a number of examples is given; else the same is drawn every time."""

T = TypeVar("T")


def as_ci_or_new(count: int, *, shrink: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return settings for so many examples, and print how to repeat a failure."""
    return settings(
        max_examples=count,
        derandomize="FUZZ_EXAMPLES" not in os.environ,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
    )


def drawn(strategy: st.SearchStrategy[T], count: int) -> list[T]:
    """Return so many examples at once, for what cannot be tried one by one."""
    found: list[T] = []
    print(f"FUZZ_SEED={SEED}")

    @seed(SEED)
    @as_ci_or_new(count, shrink=False)
    @given(strategy)
    def take(example: T) -> None:
        found.append(example)

    take()
    return found
