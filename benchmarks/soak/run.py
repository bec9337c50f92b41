"""One run: an operator, churn, samples."""

import contextlib
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.soak.churn import ADDONS, Churn
from benchmarks.soak.samples import Sample, Sampler
from fireworks_simulator.testing import SimulatorClient
from testkit.kubernetes import Cluster
from testkit.kubernetes.definitions import apply_crds
from testkit.kubernetes_api import KubernetesApi, resources_path
from testkit.processes import POLL_SECONDS, Operator, SimulatorProcess
from testkit.team import MODEL, SECRET, Team, new_api_key
from testkit.waiting import eventually

SPEED = 30
"""Seconds at Fireworks per second: a start of a minute takes two seconds."""
SAMPLES = 240
"""Samples of a run, but not more often than one per second."""
CRDS = Path(__file__).parents[2] / "crds"
_DURATIONS = {
    "pending": "5",
    "downloading": "35",
    "initializing": "20",
    "updating": "30",
    "deleting": "10",
    "addon": "15",
    "speed": str(SPEED),
    "journal-size": "2000",
}
_FORGET_EVERY = 10.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has brought.

    Attributes:
        samples: in the order of time.
        steps: what was done, by kind.
        polls: LISTs of an account that were answered.
    """

    samples: list[Sample]
    steps: Counter[str]
    polls: int


@dataclass(frozen=True, slots=True)
class Scene:
    """What a run needs."""

    api: KubernetesApi
    simulator: SimulatorClient
    teams: tuple[Team, ...]
    operator: Operator


@contextlib.contextmanager
def set_up(folder: Path) -> Iterator[Scene]:
    """Start a cluster, a simulator and an operator, with two namespaces; take all down in the end."""
    with contextlib.ExitStack() as stack:
        cluster = Cluster(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-"))) / "state")
        cluster.up()
        stack.callback(cluster.down)
        apply_crds(cluster, CRDS)
        api = KubernetesApi(cluster.kubeconfig)
        own_key = new_api_key()
        process = SimulatorProcess(folder / "simulator.log", port=0, account="acme", api_key=own_key, **_DURATIONS)
        stack.callback(process.start().stop)
        simulator = SimulatorClient(process.url, "acme")
        simulator.assume(default_deployment_check=False)
        for addon in ADDONS:
            simulator.add_model(addon, kind="HF_PEFT_ADDON", baseModel=MODEL)
        operator = Operator(cluster.kubeconfig, process.url, folder / "operator.log", api_key=own_key, settings={})
        teams = _teams(api, simulator, own_key, operator)
        operator.start()
        stack.callback(lambda: operator.stop() if operator.running else None)
        yield Scene(api, simulator, teams, operator)


def _teams(api: KubernetesApi, simulator: SimulatorClient, own_key: str, operator: Operator) -> tuple[Team, ...]:
    key = new_api_key()
    simulator.add_account("globex", key)
    other = SimulatorClient(simulator.url, "globex")
    teams = (
        Team(api, simulator, "soak-own", own_key, operator, own=True),
        Team(api, other, "soak-key", key, operator),
    )
    for team in teams:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": team.namespace}}
        api.request("POST", "/api/v1/namespaces", body)
    teams[1].put_secret(SECRET, apiKey=key)
    return teams


def soak(scene: Scene, *, minutes: float, rate: float, most: int, seed: str, say: Callable[[str], None]) -> Outcome:
    """Let resources come, change and go for some minutes, and take samples.

    Args:
        scene: of the run.
        minutes: how long.
        rate: things that happen per second.
        most: resources that there are at a time.
        seed: of what happens.
        say: is told how it stands, once a minute.

    Raises:
        AssertionError: the operator ends, or does not let go of its resources in the end.
    """
    churn, sampler = Churn(scene.teams, most, seed), Sampler(scene.operator)
    samples: list[Sample] = []
    began = time.monotonic()
    end = began + minutes * 60
    between = max(minutes * 60 / SAMPLES, 1.0)
    next_sample, next_step, next_forgetting, next_word = began + between, began, began, began + 60
    while (now := time.monotonic()) < end:
        if now >= next_step:
            churn.step()
            next_step = max(next_step + 1 / rate, now - 1)
        if now >= next_forgetting:
            _forget(scene.teams)
            next_forgetting = now + _FORGET_EVERY
        if now >= next_sample:
            sample = sampler.take((now - began) / 60)
            if sample is not None:
                samples.append(sample)
            next_sample += between
        if now >= next_word:
            say(f"{(now - began) / 60:.0f} of {minutes:g} minutes: {dict(samples[-1]) if samples else ''}")
            next_word += 60
        time.sleep(max(min(next_step, next_sample) - time.monotonic(), 0.0))
    polls = int(
        scene.operator.metric("fireworks_operator_api_requests_total", operation="list_deployments", code="200")
    )
    _end(scene, churn)
    return Outcome(samples, churn.done, polls)


def _forget(teams: tuple[Team, ...]) -> None:
    """End the faults, and let the simulator forget what is deleted, as Fireworks does after 7 days."""
    for team in teams:
        for each in team.simulator.deployments():
            if each["state"] == "DELETED":
                team.simulator.vanish(str(each["name"]).rsplit("/", 1)[-1])
    teams[0].simulator.clear_faults()


def _end(scene: Scene, churn: Churn) -> None:
    """Delete all, wait until nothing is left, and see that nothing unexpected was logged."""
    scene.simulator.clear_faults()
    churn.delete_all()
    eventually(
        lambda: not scene.api.request("GET", resources_path(None))["items"],
        "all resources are gone",
        within=180,
        interval=0.5,
        explain=scene.teams[0].explain,
    )
    left = [each["name"] for team in scene.teams for each in team.deployments()]
    assert not left, f"{left} run for nobody"
    scene.operator.check_log(*(team.api_key for team in scene.teams))


__all__ = ["POLL_SECONDS", "SPEED", "Outcome", "Scene", "set_up", "soak"]
