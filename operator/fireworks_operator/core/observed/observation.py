"""What Fireworks last said about one deployment."""

from dataclasses import dataclass

from fireworks_operator.fireworks.models import DeployedModel, Deployment

UNREADABLE = (
    "Fireworks lists the deployment in a format that this version of the operator does not understand, so it is left "
    "untouched: upgrade the operator."
)

DENIED = (
    "Fireworks lists the deployment but reports that it does not exist when it is requested by name, so it is left "
    "untouched. The operator retries automatically; if this persists, make sure that the API key may read it, or "
    "contact Fireworks support."
)

UNSEEN = (
    "Another API key of the account can read the deployment but this one cannot, so it is neither shown nor changed: "
    "use an API key that may read it."
)
UNPROVEN = (
    "Fireworks lists no deployments for this API key, and the account is not among the key's accounts, so the "
    "operator cannot tell whether the deployment exists: use an API key of the account."
)


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing usable was heard: no complete LIST yet, an error, or an answer older than our own last write.

    `unreadable` means that Fireworks lists the deployment in a form that is not understood. `doubt` says in a sentence
    why no answer can be believed; empty while one is still expected.
    """

    unreadable: bool = False
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Absent:
    """The deployment does not exist.

    `confirmed` means a 404 in the control plane's own envelope to a GET, with a credential whose LIST of the
    account succeeded recently, and that has shown to see the account. Unconfirmed means only that a complete LIST
    does not have it, which also holds for a soft-deleted one; enough to try a create (a conflict is the check), never
    enough to let go.
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
