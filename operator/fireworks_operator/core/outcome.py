"""What a pass did."""

from dataclasses import dataclass

from fireworks_operator.fireworks.errors import FireworksError

from .actions import Action


@dataclass(frozen=True, slots=True)
class Outcome:
    """The action of a pass, and the error it ended in; `begun` means that it is about to be carried out."""

    action: Action
    error: FireworksError | None = None
    begun: bool = False
