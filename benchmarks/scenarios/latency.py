"""A burst while every answer of Fireworks takes two seconds longer."""

from typing import Final

from benchmarks.bench import Bench
from benchmarks.options import Options
from benchmarks.results import Result, Target
from benchmarks.scenarios.burst import OPERATOR, burst

NAME: Final = "latency"
SLOW: Final = "operator, answers 2 s late"
SECONDS: Final = 2.0


def run(bench: Bench, options: Options) -> Result:
    """Measure the burst once."""
    sample = burst(bench, OPERATOR, options.scale, latency=SECONDS, label=SLOW)
    wrong = sample.figures["stuck"] + sample.figures["twice created"]
    target = Target("latency-right", f"answers {SECONDS:g} s late: resources stuck or created twice", wrong, 0.0)
    return Result(NAME, (sample,), (target,))
