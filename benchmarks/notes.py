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
            "It takes 7 to 13 s, by the speed of the machine, which varies from day to day. Half a second is the start "
            "of the process; its profile is flat. Fewer runs of the garbage collector, finalizer, claim and create in "
            "one pass, and another event loop (uvloop) were tried side by side: none made a difference beyond noise."
        ),
        "burst-writes": (
            "Finalizer, claim and READY are three. The fourth, which says that the deployment is being created, is "
            "left out where READY comes before its turn: the faster the API server, the more of them are written."
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
