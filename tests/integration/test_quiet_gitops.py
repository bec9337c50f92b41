"""Git, the API server and the operator at rest: no tool ever sees a difference that nobody has made."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from testkit.factories import Kubectl, MakeTeam, StartOperator
from testkit.kubernetes_api import MERGE_PATCH, resources_path
from testkit.processes import Operator
from testkit.team import SECRET, Team

ROUNDS = 50
"""Reconciles that somebody asks for by annotation, between two looks at the difference."""
PASSES = "fireworks_operator_reconcile_total"
WRITES = "fireworks_operator_kubernetes_writes_total"
GIT: Mapping[str, Any] = {
    "displayName": "Chat, production",
    "acceleratorType": "NVIDIA_H100_80GB",
    "minReplicaCount": 1,
    "maxReplicaCount": 2,
    # Fireworks stores and returns 90s, 1800s and a number of its own making.
    "autoscalingPolicy": {"scaleUpWindow": "1m30s", "scaleDownWindow": "0.5h", "loadTargets": {"default": 0.8}},
    "placement": {"multiRegion": "US"},
    "credentialsSecretRef": {"name": SECRET},
    "addons": [{"model": "support-en"}],
}
"""A spec with values that are written otherwise than Fireworks writes them, and with nothing that has a default."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The manifest in Git."""
    return tmp_path / "chat.yaml"


def _apply(kubectl: Kubectl, manager: str, file: Path) -> None:
    """Apply as a GitOps tool does; a conflict over a field is a failure."""
    kubectl("apply", "--server-side", f"--field-manager={manager}", "-f", str(file))


def _spec_fields(resource: Mapping[str, Any]) -> dict[str, object]:
    """Return who owns what of the spec."""
    entries = resource["metadata"]["managedFields"]
    return {each["manager"]: each["fieldsV1"]["f:spec"] for each in entries if "f:spec" in each["fieldsV1"]}


def _reconcile(team: Team, operator: Operator, rounds: int) -> None:
    """Have the resource looked at again and again, by an annotation of somebody who has nothing to do with it."""
    path = resources_path(team.namespace, "chat")
    for number in range(rounds):
        before = operator.metric(PASSES)
        body = {"metadata": {"annotations": {"fireworks.ai/reconcile-at": str(number)}}}
        team.api.request("PATCH", path, body, content_type=MERGE_PATCH, query={"fieldManager": "somebody"})
        team.eventually(partial(_passed, operator, before), "one more pass", name="chat")


def _passed(operator: Operator, before: float) -> bool:
    return operator.metric(PASSES) > before


def _assert_nothing_differs(team: Team, kubectl: Kubectl, file: Path) -> None:
    """Compare as kubectl, Flux and Argo CD do: by a dry run of the server, and by an apply that changes nothing."""
    for arguments in (("--server-side", "--field-manager=git"), ()):
        difference = kubectl("diff", *arguments, "-f", str(file), check=False)
        assert (difference.returncode, difference.stdout) == (0, ""), difference.stdout + difference.stderr
    before = team.get()
    _apply(kubectl, "git", file)
    assert team.get()["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"], "no write at all"


def test_fifty_reconciles_and_a_restart_leave_nothing_to_apply(
    start_operator: StartOperator, make_team: MakeTeam, kubectl: Kubectl, file: Path
) -> None:
    operator = start_operator()
    team = make_team(operator)
    team.simulator.add_model(
        f"accounts/{team.account}/models/support-en",
        kind="HF_PEFT_ADDON",
        baseModel="accounts/fireworks/models/llama-v3p1-8b-instruct",
    )
    file.write_text(yaml.safe_dump(team.manifest("chat", {}, GIT)))
    _apply(kubectl, "git", file)
    team.until_ready()
    team.until("chat", "AddonsReady", "True")
    _assert_nothing_differs(team, kubectl, file)
    seen, status, writes = team.simulator.last_sequence(), team.status(), operator.metric(WRITES, kind="status")
    _reconcile(team, operator, ROUNDS)
    assert operator.metric(WRITES, kind="status") == writes > 0, "the operator has written nothing to Kubernetes"
    operator.restart()
    _reconcile(team, operator, 1)
    assert team.writes(since=seen) == [], "nor to Fireworks"
    assert team.status() == status
    _assert_nothing_differs(team, kubectl, file)
    spec = team.get()["spec"]
    _apply(kubectl, "another-tool", file)
    resource = team.get()
    assert resource["spec"] == spec, "a second tool finds what it would write"
    assert resource["metadata"]["generation"] == 1
    assert resource["spec"]["autoscalingPolicy"] == GIT["autoscalingPolicy"], "in the words of Git"


def test_the_operator_owns_its_finalizer_and_the_status_and_nothing_else(
    start_operator: StartOperator, make_team: MakeTeam, kubectl: Kubectl, file: Path
) -> None:
    team = make_team(start_operator())
    file.write_text(json.dumps(team.manifest("chat", {}, {})))
    _apply(kubectl, "git", file)
    team.until_ready()
    team.change(maxReplicaCount=2)
    team.until_ready()
    resource = team.get()
    assert "fireworks-operator" not in _spec_fields(resource)
    owned = [each for each in resource["metadata"]["managedFields"] if each["manager"] == "fireworks-operator"]
    fields = {each.get("subresource", ""): each["fieldsV1"] for each in owned}
    assert fields[""] == {"f:metadata": {"f:finalizers": {".": {}, 'v:"fireworks.ai/deployment"': {}}}}
    assert fields["status"].keys() == {"f:status"}
