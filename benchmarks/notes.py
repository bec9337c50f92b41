"""Why a target was missed, for those that were; shown on the page beside the miss."""

from collections import defaultdict
from collections.abc import Mapping

UNKNOWN = "The cause has not been looked for yet."
CAUSES: Mapping[str, str] = defaultdict(
    lambda: UNKNOWN,
    {
        "burst-ready": (
            "The API server is what limits. It shares the two cores with everybody and takes most of their time for "
            "more than three thousand writes; bare clients, which decide nothing and write as often, need as long. A "
            "seventh of the API server's time goes into the rules of the CRD, by its profile."
        ),
        "burst-cpu": (
            "It took between 8.5 and 13.4 s in three runs on the same machine, whose speed varies. Fewer runs of the "
            "garbage collector, and finalizer, claim and create in one pass, were tried side by side: neither made a "
            "difference beyond noise."
        ),
        "writers-operator": (
            "kubectl and the operator share the API server, which shares two cores with everything else: the bare "
            "clients, which write as often and decide nothing, slow kubectl down by as much."
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
