"""What a GPU-hour costs, in US dollars: the price list, the contracts of accounts, and what a placement adds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class PriceScope(StrEnum):
    """How far a deployment is restricted to regions, in the words of the price list."""

    GLOBAL = "global"
    MULTI_REGION = "multiRegion"
    REGION = "region"


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per hour of one GPU, from a moment on (UTC)."""

    hourly: Decimal
    since: datetime


@dataclass(frozen=True, slots=True)
class PriceList:
    """What an account pays.

    Attributes:
        accelerators: prices by accelerator type, oldest first; a type that is not in it has no known price.
        factors: by what a price is multiplied for a placement; 1 where it is not named.
    """

    accelerators: Mapping[str, tuple[Price, ...]] = field(default_factory=dict)
    factors: Mapping[PriceScope, Decimal] = field(default_factory=dict)

    def hourly(self, accelerator: str, placement: PriceScope, now: datetime) -> Decimal | None:
        """Return US dollars per hour of one GPU; None if the price is not known."""
        known = [each.hourly for each in self.accelerators.get(accelerator, ()) if each.since <= now]
        return known[-1] * self.factors.get(placement, Decimal(1)) if known else None

    def next_change(self, accelerator: str, now: datetime) -> datetime | None:
        """Return when the next price of an accelerator type comes into force; None if none is announced."""
        return min((each.since for each in self.accelerators.get(accelerator, ()) if each.since > now), default=None)

    def over(self, other: "PriceList") -> "PriceList":
        """Return another list, with what this one says in its place."""
        return PriceList({**other.accelerators, **self.accelerators}, {**other.factors, **self.factors})


@dataclass(frozen=True, slots=True)
class Prices:
    """The list that holds for everybody, and what single accounts pay instead."""

    everybody: PriceList = field(default_factory=PriceList)
    accounts: Mapping[str, PriceList] = field(default_factory=dict)

    def of(self, account: str) -> PriceList:
        """Return what an account pays."""
        contract = self.accounts.get(account)
        return self.everybody if contract is None else contract.over(self.everybody)
