"""What was billed, put together: each day's usage with the resource, the price and the tags of its deployment."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from pydantic import JsonValue

from fireworks_operator.core.prices import PriceList, PriceScope
from fireworks_operator.fireworks.billing import Usage

SECONDS_PER_HOUR = 3600
_GROUPS = frozenset({"US", "EUROPE", "APAC", "CANADA"})
"""Placements that are groups of regions (Fireworks: regions)."""
_FOCUS = (
    *("BilledCost", "BillingCurrency", "ChargeCategory", "ChargePeriodEnd", "ChargePeriodStart", "ConsumedQuantity"),
    *("ConsumedUnit", "ListUnitPrice", "ProviderName", "RegionId", "ResourceId", "ResourceName", "ServiceCategory"),
    *("ServiceName", "SkuId", "SubAccountId", "Tags", "x_KubernetesNamespace"),
)
"""Columns of FOCUS, the FinOps Open Cost and Usage Specification, and one of ours, which it wants to begin with x_."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a deployment: its resource, empty where it has none, and its tags."""

    namespace: str = ""
    name: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Line:
    """What one deployment was billed for on one day; `price` in US dollars per GPU-hour, None if it is not known."""

    usage: Usage
    known: Known
    price: Decimal | None

    @property
    def dollars(self) -> Decimal | None:
        """US dollars, None if the price is not known."""
        return None if self.price is None else self.price * self.usage.gpu_seconds / SECONDS_PER_HOUR


@dataclass(frozen=True, slots=True)
class Sum:
    """What several lines come to; `unpriced` are the GPU-seconds that are not part of `dollars`."""

    gpu_seconds: int = 0
    dollars: Decimal = Decimal(0)
    unpriced: int = 0

    def plus(self, line: Line) -> "Sum":
        """Return the sum with one more line."""
        seconds, dollars = line.usage.gpu_seconds, line.dollars
        if dollars is None:
            return Sum(self.gpu_seconds + seconds, self.dollars, self.unpriced + seconds)
        return Sum(self.gpu_seconds + seconds, self.dollars + dollars, self.unpriced)

    def to_data(self) -> dict[str, JsonValue]:
        """Return it for programs; dollars as a text, since a binary fraction would not be exact."""
        data: dict[str, JsonValue] = {"gpuSeconds": self.gpu_seconds, "dollars": f"{self.dollars:.2f}"}
        return data | ({"unpricedGpuSeconds": self.unpriced} if self.unpriced else {})


def scope_of(placement: str) -> PriceScope:
    """Return how far a placement, as the bill names it, is restricted to regions."""
    if placement in ("", "GLOBAL"):
        return PriceScope.GLOBAL
    return PriceScope.MULTI_REGION if placement in _GROUPS else PriceScope.REGION


def to_lines(usage: Iterable[Usage], known: Mapping[str, Known], prices: PriceList, now: datetime) -> list[Line]:
    """Join usage with resources by the id of the deployment, and with the price that held on its day."""
    return [
        Line(
            each,
            known.get(each.deployment_id, Known()),
            prices.hourly(each.accelerator_type, scope_of(each.placement), each.start_time or now),
        )
        for each in usage
    ]


def total_by(lines: Iterable[Line], of: Callable[[Line], tuple[str, ...]]) -> dict[tuple[str, ...], Sum]:
    """Return the sums of lines that have something in common, the most expensive first."""
    sums: dict[tuple[str, ...], Sum] = {}
    for line in lines:
        sums[of(line)] = sums.get(of(line), Sum()).plus(line)
    return dict(sorted(sums.items(), key=lambda each: (-each[1].dollars, -each[1].gpu_seconds, each[0])))


def to_csv(lines: Sequence[Line], account: str) -> str:
    """Return lines as CSV with the columns of FOCUS, a row for each deployment and day."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _FOCUS, lineterminator="\n")
    writer.writeheader()
    for line in lines:
        writer.writerow(_focus(line, account))
    return text.getvalue()


def _focus(line: Line, account: str) -> dict[str, str]:
    usage, known = line.usage, line.known
    return {
        "BilledCost": "" if line.dollars is None else f"{line.dollars:.6f}",
        "BillingCurrency": "USD",
        "ChargeCategory": "Usage",
        "ChargePeriodStart": _moment(usage.start_time),
        "ChargePeriodEnd": _moment(usage.end_time),
        "ConsumedQuantity": f"{Decimal(usage.gpu_seconds) / SECONDS_PER_HOUR:.6f}",
        "ConsumedUnit": "GPU-Hours",
        "ListUnitPrice": "" if line.price is None else f"{line.price:f}",
        "ProviderName": "Fireworks AI",
        "RegionId": usage.placement,
        "ResourceId": usage.deployment,
        "ResourceName": known.name,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": "On-demand deployments",
        "SkuId": usage.accelerator_type,
        "SubAccountId": account,
        "Tags": json.dumps(dict(known.tags), sort_keys=True),
        "x_KubernetesNamespace": known.namespace,
    }


def _moment(time: datetime | None) -> str:
    return "" if time is None else f"{time:%Y-%m-%dT%H:%M:%SZ}"
