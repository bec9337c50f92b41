"""The benchmarks at small scale: they run, write their page, and what must hold at any speed holds."""

import subprocess
import sys
from collections.abc import Mapping

import pytest

from benchmarks.options import ROOT
from benchmarks.results import Result, load_result

SCALE = 50
pytestmark = [pytest.mark.proof, pytest.mark.timeout(1000)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Result]:
    """What a short run of all scenarios measured."""
    folder = tmp_path_factory.mktemp("results")
    command = [sys.executable, "-m", "benchmarks", "--short", f"--scale={SCALE}", f"--results={folder}"]
    done = subprocess.run(
        [*command, f"--page={folder / 'performance.md'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "## What to set" in (folder / "performance.md").read_text()
    assert {path.stem for path in folder.glob("*.svg")} == {"burst", "growth"}
    return {path.stem: load_result(path) for path in folder.glob("*.json") if path.stem != "machine"}


def test_in_a_burst_each_resource_gets_one_deployment_and_none_is_stuck(results: Mapping[str, Result]) -> None:
    for contender in ("operator", "operator, default budget", "bare clients", "naive operator"):
        (sample,) = results["burst"].of(contender, SCALE)
        assert len(sample.series["POST"]) == len(sample.series["READY"]) == SCALE, contender
        assert sample.figures["twice created"] == sample.figures["stuck"] == 0, contender


@pytest.mark.parametrize("scenario", ["latency", "outage", "deletion", "writers"])
def test_nothing_is_stuck(results: Mapping[str, Result], scenario: str) -> None:
    samples = results[scenario].samples
    assert samples
    assert {each.contender: each.figures["stuck"] for each in samples if each.figures.get("stuck")} == {}


def test_what_users_create_beside_the_operator_is_timed_with_and_without_it(results: Mapping[str, Result]) -> None:
    assert [each.contender for each in results["writers"].samples] == ["nobody", "bare clients", "operator"]
    assert all(each.figures["kubectl s"] > 0 for each in results["writers"].samples)


def test_a_mass_deletion_leaves_nothing_at_fireworks(results: Mapping[str, Result]) -> None:
    (sample,) = results["deletion"].samples
    assert len(sample.series["gone"]) >= SCALE
    assert sample.figures["left at Fireworks"] == 0


def test_at_rest_there_are_lists_and_no_writes(results: Mapping[str, Result]) -> None:
    for sample in results["rest"].of("idle"):
        assert sample.figures["Kubernetes writes"] == sample.figures["changing requests"] == 0
        assert sample.figures["requests per resource-hour"] > 0, "it does look"


def test_a_restart_changes_only_what_was_changed_meanwhile(results: Mapping[str, Result]) -> None:
    samples = results["rest"].of("restart")
    assert {each.resources for each in samples} == {1, SCALE}
    for sample in samples:
        assert sample.figures["writes to others"] == sample.figures["requests that change others"] == 0


def test_every_change_is_carried_out(results: Mapping[str, Result]) -> None:
    for kind, count in {"spec to PATCH": 5, "drift to PATCH": 5, "READY to status": 5}.items():
        (sample,) = results["changes"].of(kind)
        assert sample.figures["samples"] == count
        assert sample.figures["p50 s"] >= 0


def test_a_failing_tenant_keeps_no_other_from_creating(results: Mapping[str, Result]) -> None:
    assert [len(each.series["seconds"]) for each in results["tenants"].samples] == [5, 5]


def test_the_simulator_answers_faster_than_anybody_asks(results: Mapping[str, Result]) -> None:
    (create,) = results["ceiling"].of("create")
    for sample in results["burst"].samples:
        moments = sample.series["POST"]
        assert create.figures["per second"] > len(moments) / max(moments[-1], 1.0), sample.contender


def test_the_naive_operator_asks_for_each_resource_again_and_again(results: Mapping[str, Result]) -> None:
    (naive,) = results["rest"].of("naive operator")
    assert naive.figures["requests per resource-hour"] > 300, "every ten seconds"
