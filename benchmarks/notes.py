"""Why a target was missed, for those that were; shown on the page beside the miss."""

from collections.abc import Mapping

CAUSES: Mapping[str, str] = {
    "burst-naive": "With so few resources both wait for their polls most of the time.",
}
"""Found by profiling, by the name of the target."""


def cause(target: str) -> str:
    """Return why a target was missed."""
    return CAUSES.get(target, "The cause has not been looked for yet.")
