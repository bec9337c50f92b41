"""`kubectl fireworks plan` of a replacement by BlueGreen, at each of its phases: what it says is what then happens."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest

from fireworks_operator.api.v1alpha1 import FireworksDeploymentStatus
from fireworks_operator.core.budgets import Ceiling, Limits, Room
from fireworks_operator.plugin.plan.planned import Planned, Verdict, ceiling_of_plan, planned_of
from fireworks_operator.plugin.plan.summary import Plan
from fireworks_operator.plugin.plan.view import to_markdown
from testkit.conditions import condition
from tests.virtual.plans import Request, dry_run, expected, look, requests_of
from tests.virtual.stage import Stage
from tests.virtual.team import Team

H100, H200, B200 = "NVIDIA_H100_80GB", "NVIDIA_H200_141GB", "NVIDIA_B200_180GB"
BLUE_GREEN = {"type": "BlueGreen", "drain": "5m"}
ENOUGH = 600.0


def serve(team: Team, **spec: object) -> str:
    """Have a deployment serve that may be replaced; return its name."""
    team.create(spec={"replacePolicy": BLUE_GREEN, "minReplicaCount": 1, **spec})
    return str(team.until_ready()["status"]["deploymentName"])


def plan(stage: Stage, team: Team, **spec: object) -> tuple[Planned, list[Request], Ceiling]:
    """Plan a change of the spec; return what is said, the requests that are foreseen, and the most that may run."""
    stored = dry_run(stage, team, {**team.get()["spec"], **spec})
    assert stored is not None
    seen = stage.run(look(stage, team, stored))
    foreseen = [request for step in seen.forecast.steps for request in expected(step.action)]
    return planned_of(team.namespace, "chat", "chat.yaml", seen), foreseen, ceiling_of_plan(seen)


def short(name: str) -> str:
    """Return the id of a deployment."""
    return name.rsplit("/", 1)[-1]


def prepare(team: Team, accelerator: str = H200) -> None:
    """Begin a replacement, and return while its successor starts."""
    team.change(acceleratorType=accelerator)
    team.eventually(lambda: len(team.deployments()) == 2, "a successor is created", within=60)


def test_a_successor_is_foreseen_with_what_both_cost(stage: Stage, team: Team) -> None:
    former = serve(team)
    planned, foreseen, most = plan(stage, team, acceleratorType=H200, maxReplicaCount=3)
    assert (planned.verdict, planned.reason) == (Verdict.REPLACE, "")
    changes = {each.path: (each.old, each.new) for each in planned.changes}
    moved = {"deployedModel.default": (None, True)}
    assert changes == {"acceleratorType": (H100, H200), "maxReplicaCount": (1, 3), **moved}
    (note,) = (each for each in planned.notes if each.startswith("BlueGreen:"))
    assert note == (
        f"BlueGreen: {short(planned.deployment)} is created beside {short(former)}, takes over once it serves, and "
        f"{short(former)} is deleted 5m later, if it has had no request for an hour by then."
    )
    assert planned.both is not None
    assert (planned.before.gpus, planned.both.gpus, planned.both.gpus_at_most, planned.after.gpus) == (1, 2, 4, 1)
    assert planned.to_data()["whileBothRun"] == {
        "gpus": 2,
        "hourly": "16.00",
        "gpusAtMost": 4,
        "hourlyCeiling": "32.00",
    }
    assert most.gpus == 4
    since = team.seen()
    team.change(acceleratorType=H200, maxReplicaCount=3)
    team.wait(ENOUGH)
    assert requests_of(team, since) == foreseen
    assert team.status()["deploymentName"] == planned.deployment


def test_an_unchanged_manifest_says_what_goes_on_by_itself(stage: Stage, team: Team) -> None:
    former = serve(team)
    prepare(team)
    planned, foreseen, _ = plan(stage, team)
    assert planned.verdict is Verdict.REPLACE
    assert [each.method for each in foreseen] == ["POST", "DELETE"], "the default of the model moves along"
    assert any("exists already" in each for each in planned.notes)
    team.until_ready()
    planned, foreseen, most = plan(stage, team)
    assert planned.verdict is Verdict.UPDATE
    assert foreseen[-1] == Request("DELETE", f"/v1/{former}", None)
    until = team.status()["replacement"]["until"]
    assert f"{short(former)} has been replaced, and is deleted after {until}." in planned.notes
    assert (planned.before.gpus, planned.after.gpus, planned.both, most.gpus) == (2, 1, None, 1)
    since = team.seen()
    team.wait(ENOUGH)
    assert requests_of(team, since) == foreseen
    planned, foreseen, _ = plan(stage, team)
    assert (planned.verdict, foreseen) == (Verdict.NOTHING, [])


@pytest.mark.parametrize("phase", ["Preparing", "Draining"])
def test_the_old_value_put_back(stage: Stage, team: Team, phase: str) -> None:
    former = serve(team)
    prepare(team)
    if phase == "Draining":
        team.until_ready()
    successor = next(each["name"] for each in team.deployments() if each["name"] != former)
    planned, foreseen, _ = plan(stage, team, acceleratorType=H100)
    assert foreseen[-1] == Request("DELETE", f"/v1/{successor}", None)
    assert planned.deployment == former
    assert planned.verdict is (Verdict.REPLACE if phase == "Draining" else Verdict.UPDATE)
    since = team.seen()
    team.change(acceleratorType=H100)
    team.wait(ENOUGH)
    assert requests_of(team, since) == foreseen
    assert team.status()["deploymentName"] == former


@pytest.mark.parametrize("phase", ["Preparing", "Draining"])
def test_yet_another_value(stage: Stage, team: Team, phase: str) -> None:
    serve(team)
    prepare(team)
    if phase == "Draining":
        team.until_ready()
    planned, foreseen, _ = plan(stage, team, acceleratorType=B200)
    assert planned.verdict is Verdict.REPLACE
    assert [each.method for each in foreseen if "deployedModels" not in each.path] == ["DELETE", "POST", "DELETE"]
    since = team.seen()
    team.change(acceleratorType=B200)
    team.wait(2 * ENOUGH)
    assert requests_of(team, since) == foreseen
    assert team.status()["deploymentName"] == planned.deployment


def test_a_successor_that_failed_after_it_had_taken_over_is_told_as_the_status_tells_it(
    stage: Stage, team: Team
) -> None:
    former = serve(team)
    prepare(team)
    team.eventually(lambda: team.status()["deploymentName"] != former, "it takes over", within=ENOUGH)
    team.until_ready()
    failed = str(team.status()["deploymentName"])
    team.simulator.fail(short(failed), "out of memory")
    team.eventually(lambda: team.status()["deploymentName"] == former, "it hands back", within=120)
    team.wait(10)
    planned, foreseen, _ = plan(stage, team)
    assert (planned.reason, foreseen) == ("ReplacementBlocked", [])
    assert f"{short(failed)} took over and then failed: {short(former)} serves until it does again." in planned.notes
    planned, foreseen, _ = plan(stage, team, acceleratorType=H100)
    assert [(each.method, short(each.path)) for each in foreseen] == [("DELETE", short(failed))]
    assert planned.reason == ""


def test_a_lost_status_finds_the_successor_by_its_marker(stage: Stage, team: Team) -> None:
    serve(team)
    prepare(team)
    team.until_ready()
    team.wait(ENOUGH)
    (successor,) = team.deployments()
    stored = dry_run(stage, team, team.get()["spec"])
    assert stored is not None
    lost = replace(stored, resource=stored.resource.model_copy(update={"status": FireworksDeploymentStatus()}))
    planned = planned_of(team.namespace, "chat", "chat.yaml", stage.run(look(stage, team, lost)))
    assert (planned.deployment, planned.verdict.is_error) == (successor["name"], False)
    assert not any(each.startswith("Create ") for each in planned.steps)


LATER: Mapping[str, Mapping[str, object]] = {
    "as it was": {},
    "changed again": {"acceleratorType": B200},
    "put back": {"acceleratorType": H100},
}
"""What the manifest says once the status has lost what it said of a replacement."""


def lose(team: Team, phase: str, lost: str) -> set[str]:
    """Lose the status in a phase in which two deployments exist, the operator being away; return their names."""
    serve(team)
    prepare(team)
    if phase == "Draining":
        team.until_ready()
    team.stage.stop()
    if lost == "all of it":
        team.stage.server.put_status(team.ref("chat"), {"observedGeneration": -1})
    else:
        team.set_status("chat", {"replacement": None})
    return {each["name"] for each in team.deployments()}


LOST = [
    (phase, later, lost)
    for phase, later, lost in product(("Preparing", "Draining"), LATER, ("the replacement", "all of it"))
    # What is left then is the default of its model, and cannot be deleted: that is for the user to say.
    if (phase, later, lost) != ("Draining", "changed again", "all of it")
]


@pytest.mark.parametrize(("phase", "later", "lost"), LOST)
def test_what_a_replacement_has_left_behind_is_foreseen(
    stage: Stage, team: Team, phase: str, later: str, lost: str
) -> None:
    both = lose(team, phase, lost)
    planned, foreseen, _ = plan(stage, team, **LATER[later])
    assert any(f"{each}, which a replacement has left behind," in note for each in both for note in planned.notes)
    assert (planned.before.gpus_at_most, planned.after.gpus) == (2, 1), "both are billed until then"
    since = team.seen()
    team.change(**LATER[later])
    stage.start()
    team.wait(2 * ENOUGH)
    assert requests_of(team, since) == foreseen
    resource = team.get()
    assert resource["status"]["deploymentName"] == planned.deployment
    stalled = condition(resource, "Stalled")
    assert (planned.reason, planned.message) == (
        (stalled["reason"], stalled["message"]) if planned.reason else ("", "")
    )
    assert planned.verdict.is_error == (stalled["status"] == "True")
    again, foreseen, _ = plan(stage, team)
    assert (again.reason, foreseen) == (planned.reason, [])


def test_what_is_left_behind_goes_and_what_serves_is_not_replaced(stage: Stage, team: Team) -> None:
    both = lose(team, "Draining", "the replacement")
    planned, foreseen, _ = plan(stage, team)
    (former,) = both - {planned.deployment}
    assert planned.verdict is Verdict.UPDATE
    assert foreseen[-1] == Request("DELETE", f"/v1/{former}", None)
    team.simulator.vanish(short(former))


def test_without_blue_green_nobody_takes_it_up(stage: Stage, team: Team) -> None:
    both = lose(team, "Draining", "the replacement")
    planned, foreseen, _ = plan(stage, team, replacePolicy={"type": "Never"})
    assert (planned.verdict, planned.before.gpus) == (Verdict.NOTHING, 1)
    assert foreseen == []
    team.change(replacePolicy={"type": "Never"})
    stage.start()
    team.wait(2 * ENOUGH)
    (left,) = both - {planned.deployment}
    assert left in {each["name"] for each in team.deployments()}
    team.simulator.vanish(short(left))


def test_an_old_status_finds_the_successor_by_its_marker(stage: Stage, team: Team) -> None:
    serve(team)
    old = copy.deepcopy(team.status())
    prepare(team)
    team.until_ready()
    team.wait(ENOUGH)
    (successor,) = team.deployments()
    stage.stop()
    stage.server.put_status(team.ref("chat"), old)
    planned, foreseen, _ = plan(stage, team)
    assert (planned.verdict, planned.deployment, foreseen) == (Verdict.NOTHING, successor["name"], [])
    assert (planned.before.gpus, planned.after.gpus) == (1, 1)
    assert any(f"{short(planned.deployment)} has taken the place" in each for each in planned.notes)
    since = team.seen()
    stage.start()
    team.wait(ENOUGH)
    assert requests_of(team, since) == foreseen
    assert team.status()["deploymentName"] == planned.deployment


def test_a_successor_that_fireworks_refuses_is_told_in_the_words_of_the_status(stage: Stage, team: Team) -> None:
    former = serve(team)
    team.simulator.quota("global--h200-count", 0)
    planned, foreseen, most = plan(stage, team, acceleratorType=H200)
    assert (planned.verdict, planned.reason) == (Verdict.REFUSED, "ReplacementBlocked")
    assert (planned.deployment, planned.after, foreseen, most.gpus) == (former, planned.before, [], 1)
    team.change(acceleratorType=H200)
    ready = team.until("chat", "Ready", "False", "ReplacementBlocked")
    assert planned.message == condition(ready, "Ready")["message"]
    assert "quota" in planned.message
    again, _, _ = plan(stage, team)
    assert (again.verdict, again.message) == (Verdict.REFUSED, planned.message)
    assert "quota" in to_markdown(Plan([planned]))


def test_a_budget_without_room_for_both_is_told(stage: Stage, team: Team) -> None:
    former = serve(team)
    team.limit(gpus=1)
    team.change(acceleratorType=H200)
    blocked = condition(team.until("chat", "Ready", "False", "ReplacementBlocked"), "Ready")
    team.change(acceleratorType=H100)
    team.until_ready()
    rooms = (Room("team", Limits(gpus=1), datetime.fromtimestamp(stage.now(), UTC)),)
    stored = dry_run(stage, team, {**team.get()["spec"], "acceleratorType": H200})
    assert stored is not None
    seen = stage.run(look(stage, team, stored, rooms))
    planned = planned_of(team.namespace, "chat", "chat.yaml", seen)
    assert (planned.verdict, planned.reason, planned.message) == (
        Verdict.REFUSED,
        blocked["reason"],
        blocked["message"],
    )
    assert (planned.deployment, planned.after) == (former, planned.before)
