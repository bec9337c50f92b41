"""What Fireworks last said about the router that a resource is about."""

from dataclasses import dataclass

from fireworks_operator.core.diagnosis import Diagnosis
from fireworks_operator.fireworks.routers import Router


@dataclass(frozen=True, slots=True)
class SeenRouter:
    """One router as it was last seen.

    Attributes:
        name: its full name, `accounts/A/routers/R`.
        router: what Fireworks says of it; None: there is none.
        fresh: it was asked for by a GET in this very pass.
        trouble: why that GET had no answer that says anything about it; None if it had one.
    """

    name: str
    router: Router | None
    fresh: bool = False
    trouble: Diagnosis | None = None
