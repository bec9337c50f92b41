"""docs/performance.md and the results beside it say the same."""

from pathlib import Path

import pytest

from benchmarks import page
from benchmarks.notes import CAUSES
from benchmarks.options import RESULTS
from benchmarks.results import load_result, percentile

FILES = sorted(path for path in RESULTS.glob("*.json") if path.stem != "machine")
DRAWN = [name for name, (_, needed) in page.PICTURES.items() if page.load(RESULTS).keys() >= {*needed}]


def test_the_page_is_what_the_results_say() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.render(RESULTS), "run `make bench BENCH_ARGS=--page-only`"


@pytest.mark.parametrize("name", DRAWN)
def test_each_picture_is_drawn_from_the_results_beside_it(name: str) -> None:
    _, needed = page.PICTURES[name]
    assert f"results {page.digest(RESULTS, needed)}" in (RESULTS / f"{name}.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_each_missed_target_has_a_cause(file: Path) -> None:
    assert [each.name for each in load_result(file).targets if not each.met and each.name not in CAUSES] == []


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentile(range(1, 101), 0.99) == 99
    assert percentile(range(1, 101), 0.5) == 50
    assert percentile([7.0], 0.99) == 7.0
    assert percentile(range(1, 1001), 0.999) == 999
