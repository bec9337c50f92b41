#!/usr/bin/env python3
"""From a manifest to a chat completion, on this machine: a real Kubernetes API server and a simulated Fireworks.

    make demo              run it; nothing is left behind
    make demo KEEP=1       ... but leave everything running, and say how to talk to it
    .venv/bin/python examples/demo.py --env [FOLDER]      print shell lines that lead to what was left running
    .venv/bin/python examples/demo.py --stop [FOLDER]     end what was left running

Each step checks what it shows. The exit code is 0 if all was as expected, 1 if not, 130 after Ctrl-C. Needs the
Python environment in .venv; no account, no GPU, no containers. Your own kubeconfig is neither read nor written.
"""

import argparse
import json
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from examples.demo_support.playground import ACCOUNT, SPEED, DemoError, Playground, eventually
from examples.demo_support.screen import Screen
from fireworks_simulator.testing import SimulatorError
from testkit.kubernetes import ClusterError

ROOT = Path(__file__).resolve().parents[1]

KIND = "fireworksdeployment"
CHAT, DRAFTED, MINIMAL, SCHEDULED, TUNED = "chat", "chat-large", "minimal", "office", "support"
ADDONS = {"support-en": "llama-v3p2-3b-instruct", "support-de": "llama-v3p2-3b-instruct"}
"""LoRA models that addons.yaml names, and what they were tuned on; the simulated account has to have them."""
HOUR = 3600.0
_FOLDER, _KEPT = "fireworks-demo-", "kept"


class Demo:
    """The story, chapter by chapter.

    Args:
        screen: where it is shown.
        playground: what it runs on.
    """

    def __init__(self, screen: Screen, playground: Playground) -> None:
        self._screen = screen
        self._playground = playground

    def start(self) -> None:
        """Start Kubernetes, the simulator and the operator."""
        self._screen.section("Start")
        self._screen.expected = "the parts of Kubernetes are here, or can be downloaded or built"
        self._playground.build()
        with self._screen.step("Kubernetes runs (etcd, kube-apiserver) and knows the resource"):
            self._playground.start_kubernetes()
        with self._screen.step(f"the simulator of Fireworks runs, {SPEED} times as fast as real time"):
            self._playground.start_simulator()
            for model, base in ADDONS.items():
                self._playground.simulator.add_model(
                    f"accounts/{ACCOUNT.id}/models/{model}",
                    kind="HF_PEFT_ADDON",
                    baseModel=f"accounts/fireworks/models/{base}",
                )
        with self._screen.step("the operator runs and is ready"):
            self._playground.start_operator()

    def apply(self) -> None:
        """Apply the manifests and wait until everything serves."""
        self._screen.section("Apply what you would keep in Git")
        self._screen.command("kubectl", "apply", "-f", "examples/")
        self._screen.output(self._playground.kubectl("apply", "-f", "examples/"))
        with self._screen.step("all of them are READY"):
            self._kubectl("wait", "--for=condition=Ready", KIND, "--all", "--timeout=90s")
        with self._screen.step(f"the addons of {TUNED} are loaded"):
            self._kubectl("wait", "--for=condition=AddonsReady", f"{KIND}/{TUNED}", "--timeout=60s", quietly=True)
        self._screen.command("kubectl", "get", f"{KIND}s", "-o", "wide")
        self._screen.output(self._playground.kubectl("get", f"{KIND}s", "-o", "wide"))

    def ask_minimal(self) -> None:
        """Send a completion and a chat completion to what was described by a model alone."""
        self._screen.section("A model and nothing else")
        self._screen.fact("chosen by Fireworks", self._status(MINIMAL, "effective.deploymentShape"))
        model, prompt = self._status(MINIMAL, "modelIdentifier"), "Who are you?"
        with self._screen.step("a completion is answered by this deployment"):
            answer = self._ask(MINIMAL, "completions", {"model": model, "prompt": prompt})
        self._screen.quote(answer["choices"][0]["text"])
        with self._screen.step("a chat completion is answered by it, too"):
            messages = [{"role": "user", "content": prompt}]
            self._ask(MINIMAL, "chat/completions", {"model": model, "messages": messages})

    def ask(self) -> None:
        """Send a chat completion with what the status says."""
        self._screen.section("Ask")
        model, endpoint = self.model_identifier(), self._status(CHAT, "endpoint")
        self._screen.fact("model identifier", model)
        self._screen.fact("endpoint", endpoint)
        with self._screen.step("a chat completion with this model identifier is answered by this deployment"):
            question = {"model": model, "messages": [{"role": "user", "content": "Who are you?"}]}
            answer = self._ask(CHAT, "chat/completions", question)
        self._screen.quote(answer["choices"][0]["message"]["content"])

    def model_identifier(self) -> str:
        """Return what a request for the first deployment is to name as its model."""
        return self._status(CHAT, "modelIdentifier")

    def change(self) -> None:
        """Change the spec, and see it in force."""
        self._screen.section("Change")
        self._kubectl("patch", KIND, CHAT, "--type=merge", "--patch", '{"spec": {"minReplicaCount": 2}}')
        with self._screen.step("the change is applied at Fireworks"):
            self._kubectl("wait", "--for=condition=Ready", f"{KIND}/{CHAT}", "--timeout=60s", quietly=True)
            minimum = self._deployment(CHAT).get("minReplicaCount")
            if minimum != 2:
                raise DemoError(f"minReplicaCount at Fireworks is {minimum}")
        with self._screen.step("the second replica serves"):
            self._kubectl(
                "wait", "--for=jsonpath={.status.replicas.ready}=2", f"{KIND}/{CHAT}", "--timeout=60s", quietly=True
            )

    def schedule(self) -> None:
        """See a schedule and the tags at Fireworks, and move the cost to another team."""
        self._screen.section("Replicas by the clock, and whom they cost")
        self._screen.fact("schedules", self._status(SCHEDULED, "effective.scalingSchedules"))
        self._screen.fact("tags", self._tags())
        tag, value = "team", "sales"
        self._kubectl(
            "patch", KIND, SCHEDULED, "--type=merge", "--patch", f'{{"spec": {{"tags": {{"{tag}": "{value}"}}}}}}'
        )
        with self._screen.step(f"the tag {tag} is {value} at Fireworks, and nothing was restarted"):
            eventually(lambda: f"{tag}={value}" in self._tags().split(), 60, self._tags)

    def _tags(self) -> str:
        """Return the tags of a deployment that are not the operator's own, as Fireworks has them."""
        annotations = self._deployment(SCHEDULED).get("annotations")
        wanted = self._playground.kubectl("get", KIND, SCHEDULED, "-o", "jsonpath={.spec.tags}")
        found = annotations if isinstance(annotations, dict) else {}
        return " ".join(f"{key}={found.get(f'custom/{key}')}" for key in sorted(json.loads(wanted)))

    def drift(self) -> None:
        """Change a deployment behind the operator's back, and see it put back."""
        self._screen.section("Somebody changes a deployment in the Fireworks console")
        simulator, deployment_id = self._playground.simulator, self._deployment_id(DRAFTED)
        wanted, edited = self._deployment(DRAFTED).get("draftTokenCount"), 16
        before = simulator.last_sequence()

        def corrected() -> bool:
            # By its requests, not by the value: the operator may be faster than a look at what somebody has changed.
            requests = simulator.journal(method="PATCH", path=f"/deployments/{deployment_id}$", since=before)
            return any(each.committed for each in requests)

        simulator.edit(deployment_id, {"draftTokenCount": edited})
        self._screen.say(f"draftTokenCount of {DRAFTED}: {edited} instead of the {wanted} in Git.")
        with self._screen.step(f"the operator has put it back to {wanted}"):
            eventually(corrected, 60, lambda: "the operator has changed nothing")
            found = self._deployment(DRAFTED).get("draftTokenCount")
            if found != wanted:
                raise DemoError(f"it is {found}")

    def delete(self) -> None:
        """Delete everything: two are still in use, which Fireworks does not allow, so it takes an hour."""
        self._screen.section("Delete")
        self._kubectl("delete", KIND, "--all", "--wait=false")
        asked = (CHAT, MINIMAL)

        def blocked() -> bool:
            if sorted(self._names()) != list(asked):
                return False
            return all(self._condition(name, "Stalled", "reason") == "DeletionBlocked" for name in asked)

        with self._screen.step(f"all are gone but {' and '.join(asked)}: they were asked within the last hour"):
            eventually(
                blocked,
                60,
                lambda: f"left: {', '.join(self._names())}; {self._condition(CHAT, 'Ready', 'message')}",
            )
        self._screen.fact("reason", self._condition(CHAT, "Stalled", "reason"))
        self._screen.quote(self._condition(CHAT, "Stalled", "message"))

        self._playground.simulator.advance(HOUR)
        self._screen.say(
            "An hour goes by. The operator retries automatically; this annotation triggers an immediate retry:"
        )
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._kubectl("annotate", KIND, *asked, f"fireworks.ai/reconcile-at={now}")
        with self._screen.step(f"{' and '.join(asked)} are gone, too"):
            for name in asked:
                self._kubectl("wait", "--for=delete", f"{KIND}/{name}", "--timeout=60s", quietly=True)
        with self._screen.step("Fireworks lists no deployment: nothing costs money any more"):
            left = self._playground.ask_fireworks(f"/v1/accounts/{ACCOUNT.id}/deployments").json().get("deployments")
            if left:
                raise DemoError(f"it lists {', '.join(each['name'] for each in left)}")

    def _ask(self, name: str, path: str, question: Mapping[str, object]) -> Any:  # noqa: ANN401 - JSON of the answer
        """Send an inference request, and see that a resource's own deployment answers."""
        answer = self._playground.ask_fireworks(f"{self._status(name, 'endpoint')}/{path}", question)
        served_by, expected = answer.headers.get("fireworks-deployment"), self._status(name, "deploymentName")
        if served_by != expected:
            raise DemoError(f"answered by {served_by}, and not by {expected}")
        return answer.json()

    def _kubectl(self, *words: str, quietly: bool = False) -> None:
        """Show a command and run it."""
        if not quietly:
            self._screen.command("kubectl", *words)
        self._playground.kubectl(*words)

    def _get(self, name: str, path: str) -> str:
        return self._playground.kubectl("get", KIND, name, "-o", f"jsonpath={{{path}}}")

    def _status(self, name: str, field: str) -> str:
        return self._get(name, f".status.{field}")

    def _condition(self, name: str, condition: str, field: str) -> str:
        return self._get(name, f'.status.conditions[?(@.type=="{condition}")].{field}')

    def _names(self) -> list[str]:
        return self._playground.kubectl("get", KIND, "-o", "jsonpath={.items[*].metadata.name}").split()

    def _deployment_id(self, name: str) -> str:
        return self._status(name, "deploymentName").rpartition("/")[2]

    def _deployment(self, name: str) -> dict[str, object]:
        """Return the deployment of a resource as Fireworks has it."""
        return dict(self._playground.simulator.deployment(self._deployment_id(name)))


def run(screen: Screen, playground: Playground, *, keep: bool) -> int:
    """Tell the story, then clean up; return the exit code.

    Args:
        screen: where.
        playground: on what.
        keep: leave out the deletion, and leave everything running.
    """
    demo = Demo(screen, playground)
    chapters = [demo.start, demo.apply, demo.ask_minimal, demo.ask, demo.change, demo.schedule, demo.drift]
    if not keep:
        chapters.append(demo.delete)
    code = 1
    try:
        for chapter in chapters:
            chapter()
        code = 0
        if keep:
            (playground.directory / _KEPT).touch()
            explain(screen, playground, demo.model_identifier())
    except KeyboardInterrupt:
        screen.say("interrupted")
        code = 130
    except (ClusterError, DemoError, SimulatorError, OSError) as error:
        screen.failure(str(error), playground.operator_log())
    finally:
        if code != 0 or not keep:
            stop(screen, playground)
    return code


def stop(screen: Screen, playground: Playground) -> None:
    """End all processes and delete all state; Ctrl-C does not interrupt that."""
    screen.section("Clean up")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with screen.step("all processes have ended and everything is cleaned up"):
        playground.stop()


def explain(screen: Screen, playground: Playground, model: str) -> None:
    """Say how to go on with what was left running; `model` is an identifier to ask."""
    screen.section("Everything is still running. Yours to try, in this terminal:")
    body = {"model": model, "messages": [{"role": "user", "content": "Who are you?"}]}
    screen.copyable(
        f'eval "$({sys.executable} {Path(__file__)} --env {playground.directory})"',
        "kubectl get fwd",
        "kubectl fireworks list",
        f"kubectl describe fwd {CHAT}",
        f"kubectl edit fwd {CHAT}",
        f"curl {playground.url}/inference/v1/chat/completions -H 'Authorization: Bearer {ACCOUNT.api_key}' "
        f"-d '{json.dumps(body)}'",
        f"curl {playground.url}/_simulator/state   # what Fireworks has",
        f"tail -f {playground.log('operator')}",
    )
    if not playground.cluster.has_controllers:
        screen.say("This Kubernetes has no controllers: a namespace that you delete stays Terminating.")
    screen.section("To end it:")
    screen.copyable(f"{sys.executable} {Path(__file__)} --stop {playground.directory}")


def kept(named: str) -> list[Path]:
    """Return the folders of demos that were left running, the latest last; or the one that is named."""
    if named:
        return [Path(named)]
    marks = Path(tempfile.gettempdir()).glob(f"{_FOLDER}*/{_KEPT}")
    return [mark.parent for mark in sorted(marks, key=lambda mark: mark.stat().st_mtime)]


def print_environment(screen: Screen, named: str) -> int:
    """Print what makes kubectl, its plugin and clients of Fireworks use a demo that was left running."""
    folders = kept(named)
    if not folders:
        Screen(sys.stderr).say("No demo is left running. Start one: make demo KEEP=1")
        return 1
    playground = Playground(folders[-1].absolute())
    variables = {
        "KUBECONFIG": str(playground.cluster.kubeconfig),
        "FIREWORKS_BASE_URL": playground.url,
        "FIREWORKS_API_KEY": ACCOUNT.api_key,
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    # Last on the PATH: who has a kubectl of their own goes on using it.
    programs = (playground.cluster.kubectl_program().program.parent, Path(sys.executable).parent)
    lines.append(f'export PATH="$PATH":{shlex.quote(":".join(map(str, programs)))}')
    screen.copyable(*lines)
    return 0


def stop_kept(screen: Screen, named: str) -> int:
    """End demos that were left running: the one in that folder, or all of this machine if none is named."""
    folders = kept(named)
    for folder in folders:
        if not folder.name.startswith(_FOLDER) or not folder.is_dir():
            screen.say(f"{folder} is not the folder of a demo.")
            return 1
        stop(screen, Playground(folder.absolute()))
    if not folders:
        screen.say("No demo is left running.")
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run the command and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--keep", action="store_true", help="leave everything running")
    choice.add_argument("--env", nargs="?", const="", metavar="FOLDER", help="print shell lines that lead to it")
    choice.add_argument("--stop", nargs="?", const="", metavar="FOLDER", help="end what was left running")
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    screen = Screen()
    if arguments.env is not None:
        return print_environment(screen, arguments.env)
    if arguments.stop is not None:
        return stop_kept(screen, arguments.stop)
    os.chdir(ROOT)
    screen.title(
        "fireworks-operator",
        "A real Kubernetes API server, a simulated Fireworks, and the operator between them. No GPU, no bill.",
    )
    return run(screen, Playground(Path(tempfile.mkdtemp(prefix=_FOLDER))), keep=arguments.keep)


if __name__ == "__main__":
    sys.exit(main())
