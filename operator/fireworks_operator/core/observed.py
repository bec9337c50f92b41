"""What Fireworks last said about one deployment."""

from dataclasses import dataclass

from fireworks_operator.fireworks.models import DeployedModel, Deployment

UNREADABLE = (
    "Fireworks lists the deployment in a form that this version of the operator does not understand, so nothing is "
    "done to it: upgrade the operator."
)


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing usable was heard: no complete LIST yet, an error, or an answer older than our own last write.

    `unreadable` means that Fireworks lists the deployment in a form that is not understood.
    """

    unreadable: bool = False


@dataclass(frozen=True, slots=True)
class Absent:
    """The deployment does not exist.

    `confirmed` means a 404 in the control plane's own envelope to a GET, with a credential whose LIST of the
    account succeeded recently. Unconfirmed means only that a complete LIST does not have it, which also holds
    for a soft-deleted one; enough to try a create (a conflict is the check), never enough to let go.
    """

    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Present:
    """The deployment exists, perhaps as DELETED.

    `fresh` means read by a GET in this very pass; `termination` is why a replica of a FAILED one died, if known.
    """

    deployment: Deployment
    addons: tuple[DeployedModel, ...] | None = None
    fresh: bool = False
    termination: str = ""


Observed = Unknown | Absent | Present


def is_of_now(observed: Observed) -> bool:
    """Tell whether it was asked for in this very pass."""
    return observed.confirmed if isinstance(observed, Absent) else isinstance(observed, Present) and observed.fresh
