"""What a whole plan comes to."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import reduce

from pydantic import JsonValue

from fireworks_operator.core.forecast.bill import NO_BILL, Bill

from .planned import Planned, Verdict, bill_data

_WORDS = {
    Verdict.CREATE: "to create",
    Verdict.UPDATE: "to update",
    Verdict.REPLACE: "to replace",
    Verdict.RESTORE: "to restore",
    Verdict.ADOPT: "to adopt",
    Verdict.RELEASE: "to release",
    Verdict.REFUSED: "refused",
    Verdict.UNKNOWN: "unknown",
    Verdict.NOTHING: "unchanged",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What would become of all resources.

    Attributes:
        resources: in the order of the manifests.
        skipped: objects of other kinds, which are not looked at, by kind.
        notes: what had to be assumed.
    """

    resources: Sequence[Planned]
    skipped: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def before(self) -> Bill:
        """What is billed by the hour now, in all."""
        return reduce(Bill.plus, (each.before for each in self.resources), NO_BILL)

    @property
    def after(self) -> Bill:
        """What would be billed by the hour, in all."""
        return reduce(Bill.plus, (each.after for each in self.resources), NO_BILL)

    @property
    def exit_code(self) -> int:
        """0: nothing would change; 2: something would; 1: something would be refused, or is not known."""
        if any(each.verdict.is_error for each in self.resources):
            return 1
        return 2 if any(each.verdict is not Verdict.NOTHING for each in self.resources) else 0

    def counts(self) -> str:
        """Return how many resources would be created, changed and so on."""
        found = Counter(each.verdict for each in self.resources)
        return ", ".join(f"{found[verdict]} {word}" for verdict, word in _WORDS.items() if found[verdict])

    def cost(self) -> str:
        """Return GPUs and US dollars per hour in all, before and after."""
        return bills_text(self.before, self.after)

    def others(self) -> str:
        """Return which objects were not looked at; empty if there is none."""
        if not self.skipped:
            return ""
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(self.skipped.items()))
        return f"Objects of other kinds, which are not looked at: {kinds}."

    def to_data(self) -> dict[str, JsonValue]:
        """Return it for programs."""
        return {
            "resources": [each.to_data() for each in self.resources],
            "before": bill_data(self.before),
            "after": bill_data(self.after),
            "skipped": dict(self.skipped),
            "notes": list(self.notes),
        }


def bills_text(before: Bill, after: Bill) -> str:
    """Return GPUs and US dollars per hour, before and after."""
    return (
        f"GPUs {arrow(count(before.gpus), count(after.gpus))}, at most "
        f"{arrow(count(before.gpus_at_most), count(after.gpus_at_most))}{_more(before, after)}; cost "
        f"{arrow(dollars(before.hourly), dollars(after.hourly))}, at most "
        f"{arrow(dollars(before.ceiling), dollars(after.ceiling))}"
    )


def bill_text(bill: Bill) -> str:
    """Return GPUs and US dollars per hour."""
    return bills_text(bill, bill)


def arrow(old: str, new: str) -> str:
    """Return both values, or the one if nothing changes."""
    return new if old == new else f"{old} → {new}"


def count(value: int | None) -> str:
    """Return a number of GPUs."""
    return "unknown" if value is None else str(value)


def dollars(value: Decimal | None) -> str:
    """Return US dollars per hour."""
    return "unknown" if value is None else f"${value:.2f}/h"


def _more(before: Bill, after: Bill) -> str:
    if before.gpus_at_most is None or after.gpus_at_most is None or before.gpus_at_most == after.gpus_at_most:
        return ""
    return f" ({after.gpus_at_most - before.gpus_at_most:+d})"
