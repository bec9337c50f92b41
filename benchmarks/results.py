"""What was measured: samples, targets, and the files that hold them."""

import json
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one contender.

    Attributes:
        contender: who did the work.
        resources: how many there were.
        figures: what was measured, by name; the unit is the end of the name.
        series: lists of values, for plots.
    """

    contender: str
    resources: int
    figures: Mapping[str, float]
    series: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spread:
    """What several runs gave."""

    least: float
    median: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """Return the spread of at least one value."""
        found = sorted(values)
        return cls(found[0], statistics.median(found), found[-1])


@dataclass(frozen=True, slots=True)
class Target:
    """What was aimed at. `value` is measured, `limit` is what it must not be above."""

    name: str
    text: str
    value: float
    limit: float

    @property
    def met(self) -> bool:
        """Whether it was reached."""
        return self.value <= self.limit


@dataclass(frozen=True, slots=True)
class Result:
    """All that one scenario measured."""

    scenario: str
    samples: tuple[Sample, ...]
    targets: tuple[Target, ...]

    def of(self, contender: str, resources: int | None = None) -> list[Sample]:
        """Return the samples of a contender, of one size if asked."""
        return [each for each in self.samples if each.contender == contender and resources in (None, each.resources)]

    def spread(self, figure: str, contender: str, resources: int) -> Spread:
        """Return what the runs gave for a figure, those of them that have it."""
        return Spread.of(each.figures[figure] for each in self.of(contender, resources) if figure in each.figures)


def save(folder: Path, name: str, content: Mapping[str, Any]) -> None:
    """Write a JSON file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def save_result(folder: Path, result: Result) -> None:
    """Write the file of a scenario."""
    save(folder, result.scenario, asdict(result))


def load_result(path: Path) -> Result:
    """Read the file of a scenario."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return Result(
        content["scenario"],
        tuple(Sample(**each) for each in content["samples"]),
        tuple(Target(**each) for each in content["targets"]),
    )


def percentile(values: Iterable[float], share: float) -> float:
    """Return the smallest value that a share (0…1) of all values does not exceed; nearest rank, at least one value."""
    found = sorted(values)
    return found[max(0, -(-int(share * 1000) * len(found) // 1000) - 1)]


def say(sample: Sample) -> Sample:
    """Print a sample, and return it."""
    shown = ", ".join(f"{name} {value:.3g}" for name, value in sample.figures.items())
    print(f"{time.strftime('%H:%M:%S')} {sample.contender}, {sample.resources:,}: {shown}", flush=True)
    return sample
