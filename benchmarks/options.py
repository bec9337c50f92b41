"""How much is measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "performance"


@dataclass(frozen=True, slots=True)
class Options:
    """What a run measures.

    Attributes:
        scale: resources of the main burst.
        sizes: resources at which growth is measured; the rest is measured at 1 and at these.
        runs: how often what is compared is repeated.
        results: folder for the results.
        poll_seconds: interval between two LISTs while nothing changes.
        polls: LISTs in the idle window.
        sweep_seconds: until the first LIST of all resources in Kubernetes, which comes after the idle window.
        samples: changes of each kind.
    """

    scale: int = 1000
    sizes: tuple[int, ...] = (100, 1000, 5000)
    runs: int = 3
    results: Path = RESULTS
    poll_seconds: float = 60.0
    polls: int = 2
    sweep_seconds: float = 200.0
    samples: int = 20

    @classmethod
    def of(cls, scale: int, runs: int, results: Path) -> Self:
        """Measure growth from a tenth to five times the scale."""
        return cls(scale, (scale // 10, scale, 5 * scale), runs, results)

    @classmethod
    def short(cls, scale: int, runs: int, results: Path) -> Self:
        """Only show that everything works: once, at one size, at a pace that nobody would run."""
        del runs
        return cls(scale, (scale,), 1, results, poll_seconds=1.0, polls=10, sweep_seconds=30.0, samples=5)

    @property
    def idle_pace(self) -> Mapping[str, str]:
        """Settings of an operator at whose account nothing has changed for a long time."""
        poll = str(self.poll_seconds)
        names = ("CHANGING", "SETTLING", "IDLE")
        return {f"FIREWORKS_OPERATOR_POLL_INTERVAL_{name}": poll for name in names} | {
            "FIREWORKS_OPERATOR_SWEEP_INTERVAL": str(self.sweep_seconds)
        }


LIFTED: Mapping[str, str] = {
    "FIREWORKS_OPERATOR_REQUESTS_PER_MINUTE": "1000000",
    "FIREWORKS_OPERATOR_REQUEST_BURST": "100000",
}
"""Settings that lift the account's budget, so that the operator itself is what limits."""
