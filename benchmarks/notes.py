"""Why a target was missed, for those that were; shown on the page beside the miss."""

from collections import defaultdict
from collections.abc import Mapping

UNKNOWN = "The cause has not been looked for yet."
CAUSES: Mapping[str, str] = defaultdict(
    lambda: UNKNOWN,
    {
        "burst-ready": (
            "The API server is what limits. It shares the two cores and takes 20 s of their processor time for the "
            "five thousand writes, the operator 11 s; bare clients, which decide nothing, need three quarters of the "
            "time. A seventh of the API server's time goes into the rules of the CRD, by its profile."
        ),
        "burst-naive": (
            "The naive operator was lucky in all runs: none of its requests ran out of connections, which otherwise "
            "costs it minutes. It then writes to the API server as often as this operator, and that is what limits "
            "both."
        ),
        "burst-status": (
            "The LIST comes every 3 s, give or take a tenth, and names 200 deployments that have become READY since "
            "the one before: to write so many statuses takes the API server more than a second. At the default budget, "
            "where fewer become READY at a time, the target is met."
        ),
    },
)
"""Found by profiling, by the name of the target."""
