"""How many examples a property is tried with, and which.

`make test` tries the same ones each time, so that a run fails for what was changed and for nothing else. With
`THOROUGH=1`, as `make proof` sets it, they are other ones each time, and many more: what they find becomes a test of
its own.
"""

import os
from typing import Final

from hypothesis import settings

THOROUGH: Final = os.environ.get("THOROUGH") == "1"
_TIMES: Final = 8
"""How many times as many examples a thorough run tries."""


def examples(count: int) -> settings:
    """Return the settings of a property that is tried with so many examples."""
    return settings(max_examples=count * (_TIMES if THOROUGH else 1), derandomize=not THOROUGH, deadline=None)
