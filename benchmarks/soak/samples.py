"""What is measured of the operator while it runs, and whether it grows."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from testkit.processes import Operator


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something that must stay flat.

    Attributes:
        title: as the page has it.
        unit: of the values.
        relative: growth over the measured half that is tolerated, as a part of the mean.
        absolute: growth that is tolerated in any case: less than one cannot tell from noise.
    """

    title: str
    unit: str
    relative: float
    absolute: float


QUANTITIES: Mapping[str, Quantity] = {
    "memory": Quantity("resident memory", "MiB", 0.03, 3.0),
    "tasks": Quantity("asyncio tasks", "", 0.1, 5.0),
    "descriptors": Quantity("file descriptors", "", 0.1, 5.0),
    "threads": Quantity("threads", "", 0.0, 1.0),
    "queue": Quantity("resources that wait for a pass", "", 0.1, 1.0),
    "processor": Quantity("processor time per pass", "ms", 0.25, 3.0),
    "pass": Quantity("mean duration of a pass", "ms", 1.0, 50.0),
    "wait": Quantity("mean wait for a pass", "ms", 1.0, 50.0),
}
"""By name in the samples. Durations hold the answers of both APIs, so they depend on what else the machine does."""
Sample = Mapping[str, float]


class Sampler:
    """Takes samples of one operator.

    Args:
        operator: it runs.
    """

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._sums = self._histograms(_series(operator.metrics()))

    def take(self, minute: float) -> Sample | None:
        """Return what is measured now; means of durations are those since the sample before.

        None: the operator's metrics were not answered in time, as on a machine that is busy with other things.
        """
        series = _series(self._operator.metrics())
        if not series:
            return None
        before, self._sums = self._sums, self._histograms(series)
        process = Path(f"/proc/{self._operator.pid}")
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        return {
            "minute": round(minute, 3),
            "memory": round(int(status["VmRSS"].split()[0]) / 1024, 2),
            "threads": int(status["Threads"]),
            "descriptors": sum(1 for _ in (process / "fd").iterdir()),
            "tasks": series["fireworks_operator_asyncio_tasks"],
            "queue": series["fireworks_operator_workqueue_depth"],
            **{name: _mean(before[name], self._sums[name]) for name in self._sums},
        }

    @staticmethod
    def _histograms(series: Mapping[str, float]) -> dict[str, tuple[float, float]]:
        names = {"pass": "reconcile_duration_seconds", "wait": "workqueue_queue_duration_seconds"}
        found = {
            name: (series[f"fireworks_operator_{metric}_sum"], series[f"fireworks_operator_{metric}_count"])
            for name, metric in names.items()
        }
        return found | {"processor": (series["process_cpu_seconds_total"], found["pass"][1])}


def _mean(before: tuple[float, float], after: tuple[float, float]) -> float:
    """Return the mean in milliseconds of what was observed in between; 0 if nothing was."""
    count = after[1] - before[1]
    return round((after[0] - before[0]) / count * 1000, 3) if count else 0.0


def _series(text: str) -> dict[str, float]:
    """Return the sums over the labels of each series of `/metrics`."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            name = series.partition("{")[0]
            found[name] = found.get(name, 0.0) + float(value)
    return found


@dataclass(frozen=True, slots=True)
class Trend:
    """How a quantity has developed over the second half of a run.

    Attributes:
        mean: of the samples.
        per_hour: slope of the line of least squares.
        growth: what that line gains over the measured half.
        tolerated: the growth up to which it counts as flat.
    """

    mean: float
    per_hour: float
    growth: float
    tolerated: float

    @property
    def flat(self) -> bool:
        """Whether it does not grow; to shrink is allowed."""
        return self.growth <= self.tolerated


def trend(name: str, samples: Sequence[Sample]) -> Trend:
    """Return how a quantity has developed over the second half of the samples.

    Raises:
        ValueError: there are too few samples.
    """
    half = samples[len(samples) // 2 :]
    if len(half) < 3:
        raise ValueError(f"{len(samples)} samples say nothing about a trend")
    minutes = [each["minute"] for each in half]
    values = [each[name] for each in half]
    mean, centre = math.fsum(values) / len(values), math.fsum(minutes) / len(minutes)
    spread = math.fsum((minute - centre) ** 2 for minute in minutes)
    slope = math.fsum((m - centre) * (v - mean) for m, v in zip(minutes, values, strict=True)) / spread
    quantity = QUANTITIES[name]
    growth = slope * (minutes[-1] - minutes[0])
    return Trend(mean, slope * 60, growth, max(quantity.relative * mean, quantity.absolute))
