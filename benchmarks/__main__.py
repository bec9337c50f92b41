"""Command of the benchmarks: `python -m benchmarks --help`."""

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import page
from benchmarks.bench import Bench
from benchmarks.machine import describe
from benchmarks.options import RESULTS, Options
from benchmarks.results import Result, save, save_result
from benchmarks.scenarios import burst, ceiling, changes, deletion, latency, outage, rest, tenants, writers

SCENARIOS: Mapping[str, Callable[[Bench, Options], Result]] = {
    # In this order: later ones go on with what a burst has left.
    each.NAME: each.run
    for each in (ceiling, burst, rest, changes, deletion, latency, outage, tenants, writers)
}


def main() -> None:
    """Measure, and write the results and the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, default=list(SCENARIOS), help="scenarios; default: all")
    parser.add_argument("--scale", type=int, default=1000, help="resources of the burst")
    parser.add_argument("--runs", type=int, default=3, help="how often what is compared is repeated")
    parser.add_argument("--short", action="store_true", help="once, at one size, at the pace of a test")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the results")
    parser.add_argument("--page", type=Path, default=page.PAGE, help="the page to write")
    parser.add_argument("--page-only", action="store_true", help="measure nothing, write the page from the results")
    given = parser.parse_args()
    make = Options.short if given.short else Options.of
    failures: list[Exception] = []
    if not given.page_only:
        failures = measure(make(given.scale, given.runs, given.results), given.only)
    page.write(given.results, given.page)
    if failures:
        raise ExceptionGroup("not everything could be measured", failures)


def measure(options: Options, scenarios: list[str]) -> list[Exception]:
    """Run scenarios and write a file for each as soon as it is over; return why others have none."""
    failures: list[Exception] = []
    for name in scenarios:
        (options.results / f"{name}.json").unlink(missing_ok=True)
    with Bench() as bench:
        save(options.results, "machine", describe(bench.api))
        for name in scenarios:
            began = time.monotonic()
            try:
                save_result(options.results, SCENARIOS[name](bench, options))
            except Exception as error:  # noqa: BLE001 - what can be measured still is
                print(f"{name} failed: {error}", flush=True)
                failures.append(error)
            print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
    return failures


if __name__ == "__main__":
    main()
