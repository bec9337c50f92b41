"""The meter: for how long how many GPUs of each deployment served, exact to the virtual moment.

Billed is a replica from the moment it is ready until it is not, times its GPUs. What was metered stays when the
deployment is gone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise

from fireworks_simulator.entities import Account, Deployment

DAY = timedelta(days=1)
_INSTANT = 1e-6
"""Seconds that are none: the virtual clock is not more exact."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a bill says of a deployment, as it was while it served."""

    deployment: str
    accelerator: str
    base_model: str
    placement: str
    preemptible: bool
    pricing_plan: str
    tags: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Segment:
    """A number of GPUs that served from `start` to `end`, in virtual seconds."""

    facts: Facts
    start: float
    end: float
    gpus: int


@dataclass(frozen=True, slots=True)
class Piece:
    """GPU-seconds of a segment within the day or hour from `start` to `end`."""

    facts: Facts
    start: float
    end: float
    gpu_seconds: float


class Meter:
    """What all deployments of a world used so far."""

    def __init__(self) -> None:
        self._segments: dict[str, list[Segment]] = {}
        self._latest: dict[str, Segment] = {}

    def read(self, d: Deployment, moment: float) -> None:
        """Count what a deployment used up to `moment`; to be called before its replicas or its fields change."""
        since, d.metered = d.metered, max(d.metered, moment)
        if not d.replicas or moment <= since:
            return
        startup = d.plan.timing.startup
        ready = (started + startup for started in d.replicas if started is not None)
        begins = sorted(max(begin, since) for begin in ready if begin < moment)
        facts = _facts(d) if begins else None
        for replicas, (begin, end) in enumerate(pairwise([*begins, moment]), start=1):
            if facts is not None and end - begin > _INSTANT:
                self._add(d.account, Segment(facts, begin, end, replicas * d.gpus_per_replica))

    def segments(self, account: Account, now: float) -> list[Segment]:
        """All that an account used up to now, deployments that are gone included."""
        for d in account.deployments.values():
            self.read(d, now)
        return self._segments.get(account.id, [])

    def _add(self, account: str, new: Segment) -> None:
        latest = self._latest.get(new.facts.deployment)
        if latest is not None and (latest.facts, latest.gpus, latest.end) == (new.facts, new.gpus, new.start):
            latest.end = new.end
            return
        self._latest[new.facts.deployment] = new
        self._segments.setdefault(account, []).append(new)


def pieces(
    segments: Iterable[Segment], start: float, end: float, *, zone: tzinfo, step: timedelta = DAY
) -> Iterator[Piece]:
    """Cut usage between two moments into days of a time zone, or into hours; exact to the millisecond.

    Args:
        segments: what was metered.
        start: POSIX seconds, inclusive.
        end: POSIX seconds, exclusive.
        zone: decides when a day begins.
        step: a day or an hour.
    """
    for segment in segments:
        begin, last = max(segment.start, start), min(segment.end, end)
        while begin < last:
            floor, ceiling = bucket(begin, zone, step)
            until = min(ceiling, last)
            gpu_seconds = round((until - begin) * segment.gpus, 3)
            if gpu_seconds:
                yield Piece(segment.facts, floor, ceiling, gpu_seconds)
            begin = until


def bucket(moment: float, zone: tzinfo, step: timedelta) -> tuple[float, float]:
    """The day or hour that a moment is in, as POSIX seconds; days with a change of clocks are longer or shorter."""
    if step < DAY:
        floor = moment - moment % step.total_seconds()
        return floor, floor + step.total_seconds()
    day = datetime.fromtimestamp(moment, zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    following = (day.replace(tzinfo=None) + step).replace(tzinfo=zone)
    return day.timestamp(), following.timestamp()


def _facts(d: Deployment) -> Facts:
    annotations = d.config.get("annotations")
    tags = annotations.items() if isinstance(annotations, dict) else ()
    return Facts(
        deployment=d.name,
        accelerator=d.text("acceleratorType"),
        base_model=d.base_model,
        placement=_placement(d),
        preemptible=d.config.get("preemptible") is True,
        pricing_plan=d.text("pricingPlanId"),
        tags=tuple(sorted((key, str(value)) for key, value in tags)),
    )


def _placement(d: Deployment) -> str:
    """A region, a group of regions, several regions joined by commas, or GLOBAL where nothing was said."""
    placement = d.config.get("placement")
    if not isinstance(placement, dict):
        return "GLOBAL"
    regions = placement.get("regions")
    if isinstance(regions, list) and regions:
        return ",".join(str(region) for region in regions)
    return str(placement.get("region") or placement.get("multiRegion") or "GLOBAL")
