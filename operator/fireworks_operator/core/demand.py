"""What a deployment takes from an account's GPUs, and whether the account is known to have none of them."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Demand:
    """GPUs of one kind, in one place: so many at most. A shape stands for its GPUs, which differ by model."""

    kind: str
    place: str
    gpus: int

    def is_cold(self, cold: Collection["Demand"]) -> bool:
        """Tell whether as many or fewer of the same GPUs were not to be had lately."""
        return any((each.kind, each.place) == (self.kind, self.place) and each.gpus <= self.gpus for each in cold)
