"""`python -m benchmarks.soak`: see the package."""

import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from benchmarks.chaos.page import RESULTS, circumstances, publish, table
from benchmarks.soak.run import POLL_SECONDS, SPEED, set_up, soak
from benchmarks.soak.samples import QUANTITIES, Sample, Trend, trend


def say(what: str) -> None:
    """Tell what happens."""
    click.echo(f"[{time.strftime('%H:%M:%S')}] {what}")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--minutes", default=60.0, show_default=True, help="How long.")
@click.option("--rate", default=2.0, show_default=True, help="Things that happen per second.")
@click.option("--resources", default=40, show_default=True, help="Resources that there are at a time, at most.")
@click.option("--seed", default="soak", show_default=True, help="Of what happens.")
@click.option("--page/--no-page", default=True, help="Write the result into docs/reliability.md.")
def main(minutes: float, rate: float, resources: int, seed: str, page: bool) -> None:
    """Let resources come, change and go at accelerated time; fail if memory, tasks or anything else grows."""
    say(f"{minutes:g} minutes, {rate:g} steps per second, up to {resources} resources, seed {seed}")
    with tempfile.TemporaryDirectory(prefix="fireworks-soak-") as folder, set_up(Path(folder)) as scene:
        where = circumstances(str(scene.api.request("GET", "/version")["gitVersion"]))
        outcome = soak(scene, minutes=minutes, rate=rate, most=resources, seed=seed, say=say)
    trends = {name: trend(name, outcome.samples) for name in QUANTITIES}
    for name, each in trends.items():
        say(f"{name}: {each} {'flat' if each.flat else 'GROWS'}")
    if page:
        result = {
            "minutes": minutes,
            "rate": rate,
            "resources": resources,
            "seed": seed,
            "speed": SPEED,
            "pollSeconds": POLL_SECONDS,
            "circumstances": where,
            "steps": dict(sorted(outcome.steps.items())),
            "polls": outcome.polls,
            "trends": {name: {**asdict(each), "flat": each.flat} for name, each in trends.items()},
            "samples": outcome.samples,
        }
        RESULTS.mkdir(exist_ok=True)
        draw(outcome.samples, trends, RESULTS / "soak.svg")
        publish("soak", result, soak_section(result), target="soak")
    if not all(each.flat for each in trends.values()):
        sys.exit(1)


def soak_section(result: Mapping[str, Any]) -> str:
    """Return what a run has brought, for the page."""
    where, steps = result["circumstances"], result["steps"]
    rows: list[tuple[object, ...]] = []
    for name, each in result["trends"].items():
        quantity = QUANTITIES[name]
        unit = f" {quantity.unit}" if quantity.unit else ""
        rows.append(
            (
                quantity.title,
                f"{each['mean']:.4g}{unit}",
                f"{each['per_hour']:+.3g}{unit}",
                f"{each['growth']:+.3g}{unit}",
                f"{each['tolerated']:.3g}{unit}",
                "flat" if each["flat"] else "**grows**",
            )
        )
    head = ("what", "mean", "slope per hour", "growth over the second half", "tolerated", "verdict")
    polls_at_rest = result["polls"] / 60
    return "\n\n".join(
        (
            f"Run of {where['date']}: {result['minutes']:g} minutes, operator {where['operator']} ({where['commit']}), "
            f"Kubernetes {where['kubernetes']}, Python {where['python']}, {where['machine']}. Fireworks' clock ran "
            f"{result['speed']} times as fast as ours, and accounts were listed every {result['pollSeconds']} s: "
            f"{result['polls']:,} times, as often as one account at rest in {polls_at_rest:,.0f} hours. "
            f"{steps.get('create', 0):,} resources were created, {steps.get('delete', 0):,} deleted, "
            f"{steps.get('change', 0):,} changes made, {steps.get('edit in the console', 0):,} edits in the console, "
            f"{steps.get('fault', 0):,} faults injected; up to {result['resources']} resources at a time.",
            table(head, rows),
            "Slopes are those of the line of least squares over the second half of the run.",
            "![Memory, tasks, descriptors, threads, queue and latencies over time](reliability/soak.svg)",
        )
    )


def draw(samples: list[Sample], trends: Mapping[str, Trend], path: Path) -> None:
    """Draw each quantity over time, with the line of least squares over the second half."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    minutes = [each["minute"] for each in samples]
    with rc_context({"svg.hashsalt": "soak", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(10, 9), layout="constrained")
        panels = figure.subplots(4, 2)
        for panel, (name, quantity) in zip(panels.flat, QUANTITIES.items(), strict=True):
            panel.plot(minutes, [each[name] for each in samples], color="#5e35b1", linewidth=0.9)
            begin, end = minutes[len(minutes) // 2], minutes[-1]
            rise = trends[name].per_hour / 60 * (end - begin) / 2
            panel.plot((begin, end), (trends[name].mean - rise, trends[name].mean + rise), color="#ef6c00", linewidth=2)
            panel.set(title=quantity.title, ylabel=quantity.unit, ylim=(0, None))
            panel.grid(color="#e0e0e0")
        for panel in panels[-1]:
            panel.set_xlabel("minutes")
        figure.savefig(path, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
