"""Why a target was missed, for those that were; shown on the page beside the miss."""

from collections import defaultdict
from collections.abc import Mapping

UNKNOWN = "The cause has not been looked for yet."
CAUSES: Mapping[str, str] = defaultdict(lambda: UNKNOWN)
"""Found by profiling, by the name of the target."""
