"""The benchmarks at small scale: they run, write their page, and what must hold at any speed holds."""

import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from benchmarks.options import ROOT
from benchmarks.results import Result, load_result

SCALE = 50


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Result]:
    """What a short run of all scenarios measured."""
    folder = tmp_path_factory.mktemp("results")
    command = [sys.executable, "-m", "benchmarks", "--short", f"--scale={SCALE}", f"--results={folder}"]
    done = subprocess.run(
        [*command, f"--page={folder / 'performance.md'}"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "tests"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# Performance" in (folder / "performance.md").read_text()
    assert {path.stem for path in folder.glob("*.svg")}
    return {path.stem: load_result(path) for path in folder.glob("*.json") if path.stem != "machine"}


@pytest.mark.timeout(600)
def test_in_a_burst_each_resource_gets_one_deployment_and_none_is_stuck(results: Mapping[str, Result]) -> None:
    for contender in ("operator", "operator, default budget", "bare clients", "naive operator"):
        (sample,) = results["burst"].of(contender, SCALE)
        assert len(sample.series["POST"]) == len(sample.series["READY"]) == SCALE, contender
        assert sample.figures["twice created"] == sample.figures["stuck"] == 0, contender
