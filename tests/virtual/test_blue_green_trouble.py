"""BlueGreen when something goes wrong: requests without an answer, failures, quotas, deployments in use."""

import pytest

from testkit.stories.addons import add_models, addons, load_elsewhere
from testkit.stories.faults import LATE, REFUSALS, UNAVAILABLE, UNREADABLE, Fault
from tests.virtual.replacing import (
    BY_FORCE_BLUE_GREEN,
    DRAIN,
    DRAINS,
    H100,
    H200,
    HOUR,
    discarding,
    during,
    existing,
    is_serving,
    reach,
    replacement,
    serve,
    short,
    successor,
    told_once,
    until_alone,
)
from tests.virtual.team import MODEL, Team, condition, holds, pauses

REQUESTS: dict[str, tuple[str, str]] = {
    "create": ("POST", "/deployments$"),
    "load": ("POST", "/deployedModels$"),
    "default": ("PATCH", "/deployedModels/"),
    "unload": ("DELETE", "/deployedModels/"),
    "delete": ("DELETE", "/deployments/"),
}
"""The requests of a replacement by method and path, in the order in which they are made."""
DOUBTFUL = [*UNREADABLE, *LATE]


def committed(team: Team, request: str, seen: int) -> int:
    """Return how often a request has taken effect, the one for the base model's own entry aside."""
    method, path = REQUESTS[request]
    found = team.journal(method, path, since=seen)
    return sum(
        each.committed for each in found if not (isinstance(each.body, dict) and each.body.get("model") == MODEL)
    )


def until_blocked(team: Team, says: str = "") -> None:
    """Wait until the replacement is blocked, and nothing is wrong with what serves."""
    resource = team.until("chat", "Reconciling", "True", "ReplacementBlocked", says=says, within=HOUR)
    assert (holds(resource, "Ready"), holds(resource, "Stalled"), holds(resource, "Available")) == (
        "False",
        "False",
        "True",
    )


# --- requests -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", DOUBTFUL, ids=lambda fault: fault.name)
@pytest.mark.parametrize("request_", REQUESTS)
def test_a_request_whose_answer_says_nothing_is_made_once(team: Team, request_: str, fault: Fault) -> None:
    add_models(team)
    serve(team, addons=addons("tone"))
    team.until("chat", "AddonsReady", "True")
    seen, method, path = team.seen(), *REQUESTS[request_]
    team.fault(fault.kind, method=method, path=path, times=1, action=fault.action)
    team.change(acceleratorType=H200)
    until_alone(team)
    # An addon may be unloaded once more where the first request came late: that does no harm.
    assert committed(team, request_, seen) <= (2 if request_ == "unload" else 1)
    assert committed(team, "create", seen) == 1
    assert committed(team, "delete", seen) == 1
    assert len(team.simulator.deployments()) == 2, "nothing else was ever made"


@pytest.mark.parametrize("fault", UNAVAILABLE, ids=lambda fault: fault.name)
@pytest.mark.parametrize("request_", REQUESTS)
def test_a_request_that_fails_for_a_while_is_tried_again_by_itself(team: Team, request_: str, fault: Fault) -> None:
    add_models(team)
    serve(team, addons=addons("tone"))
    team.until("chat", "AddonsReady", "True")
    method, path = REQUESTS[request_]
    team.fault(fault.kind, method=method, path=path, times=4, action=fault.action)
    team.change(acceleratorType=H200)
    until_alone(team)
    assert team.deployment()["acceleratorType"] == H200


@pytest.mark.parametrize("fault", [each for each in REFUSALS if each.name != "401"], ids=lambda fault: fault.name)
def test_a_successor_that_is_refused_is_told_with_the_way_out_and_the_old_one_serves_on(
    team: Team, fault: Fault
) -> None:
    serve(team)
    former = team.status()["deploymentName"]
    rule = team.fault(fault.kind, method="POST", path="/deployments$", action=fault.action)
    team.change(acceleratorType=H200)
    until_blocked(team, fault.says)
    assert "put the old value back" in condition(team.get(), "Ready")["message"]
    team.wait(2 * HOUR)
    tries = team.posts()[1:]
    assert [round(each, -1) for each in pauses(tries)[:3]] == [60, 300, 900], "the pauses grow"
    assert set(existing(team)) == {former}
    team.simulator.clear_fault(rule)
    until_alone(team, within=2 * HOUR)
    assert team.deployment()["acceleratorType"] == H200


def test_a_refused_successor_is_given_up_at_once_by_the_old_value(team: Team) -> None:
    serve(team)
    team.fault("status", method="POST", path="/deployments$", code="INVALID_ARGUMENT")
    team.change(acceleratorType=H200)
    until_blocked(team)
    team.change(acceleratorType=H100)
    team.until_ready(within=5)
    assert replacement(team) == {}


def test_a_refused_successor_is_tried_again_at_once_with_another_spec(team: Team) -> None:
    serve(team)
    team.fault("status", method="POST", path="/deployments$", code="INVALID_ARGUMENT", times=1)
    team.change(acceleratorType=H200)
    until_blocked(team)
    team.change(acceleratorCount=2)
    until_alone(team, within=DRAIN + 120)
    assert team.deployment()["acceleratorCount"] == 2


def test_a_default_that_cannot_be_moved_is_told_and_the_former_one_stays_until_it_is(team: Team) -> None:
    witness = serve(team)
    witness.stalls = {"PermissionDenied", "DeletionBlocked"}
    former = team.status()["deploymentName"]
    rule = team.fault("status", method="POST", path="/deployedModels$", code="PERMISSION_DENIED")
    other = team.fault("status", method="PATCH", path="/deployedModels", code="PERMISSION_DENIED")
    team.change(acceleratorType=H200)
    team.until("chat", "Stalled", "True", "PermissionDenied", within=HOUR, says="make it the default yourself")
    assert "spec.deployedModel" not in condition(team.get(), "Stalled")["message"]
    team.wait(2 * HOUR)
    assert former in existing(team)
    team.simulator.clear_fault(rule)
    team.simulator.clear_fault(other)
    until_alone(team, within=2 * HOUR)


# --- failures -------------------------------------------------------------------------------------------------------


def test_a_successor_that_fails_once_is_made_again(team: Team) -> None:
    witness = serve(team)
    team.simulator.stage(outcome="fail", accelerator=H200)
    team.change(acceleratorType=H200)
    until_blocked(team, "failed")
    team.simulator.clear_stages()
    until_alone(team, within=HOUR)
    assert team.deployment()["acceleratorType"] == H200
    assert witness.most == 2


def test_a_successor_that_always_fails_is_tried_ever_more_rarely_and_the_old_one_serves_on(team: Team) -> None:
    witness = serve(team)
    team.simulator.stage(outcome="fail", accelerator=H200)
    team.change(acceleratorType=H200)
    until_blocked(team, "failed")
    team.wait(24 * HOUR)
    between = [round(each, -2) for each in pauses(team.posts()[1:])]
    assert between[:3] == [300, 900, 3600], between
    assert len(team.posts()) < 12
    assert witness.most == 2
    team.change(acceleratorType=H100)
    until_alone(team)


def test_a_failed_successor_is_replaced_at_once_by_another_spec(team: Team) -> None:
    serve(team)
    team.simulator.stage(outcome="fail", accelerator=H200)
    team.change(acceleratorType=H200)
    until_blocked(team, "failed")
    team.change(acceleratorType="NVIDIA_B200_180GB")
    until_alone(team, within=DRAIN + 120)
    assert team.deployment()["acceleratorType"] == "NVIDIA_B200_180GB"


def test_a_successor_that_waits_for_gpus_leaves_the_old_one_alone(team: Team) -> None:
    serve(team)
    former = team.status()["deploymentName"]
    team.simulator.stage(outcome="stockout", accelerator=H200)
    team.change(acceleratorType=H200)
    reach(team, lambda found: found.get("state") == "CREATING")
    team.wait(3 * HOUR)
    assert team.status()["deploymentName"] == former
    assert holds(team.get(), "Reconciling") == "True"
    team.simulator.clear_stages()
    until_alone(team)


def test_a_failure_after_the_switch_is_told_and_the_former_one_serves_again(team: Team) -> None:
    witness = serve(team)
    former = team.status()["deploymentName"]
    team.change(acceleratorType=H200)
    reach(team, DRAINS)
    witness.serves = False
    team.simulator.stage(outcome="fail", accelerator=H200)
    team.simulator.fail(team.deployment_id())
    team.wait(2 * DRAIN)
    witness.serves = True
    assert team.status()["deploymentName"] == former
    assert is_serving(existing(team)[former])
    team.simulator.clear_stages()
    until_alone(team, within=6 * HOUR)


# --- quotas ---------------------------------------------------------------------------------------------------------


def test_a_quota_for_one_leaves_the_old_one_serving_and_goes_on_once_it_is_raised(team: Team) -> None:
    team.simulator.quota("global--h100-count", 1)
    witness = serve(team, acceleratorCount=1)
    former = team.status()["deploymentName"]
    team.change(preemptible=True)
    until_blocked(team, "quota")
    team.wait(3 * HOUR)
    assert set(existing(team)) == {former}
    team.simulator.quota("global--h100-count", 2)
    until_alone(team, within=2 * HOUR)
    assert team.deployment()["preemptible"] is True
    assert witness.most == 2


def test_without_a_quota_for_two_recreate_is_the_way_out(team: Team) -> None:
    team.simulator.quota("global--h100-count", 1)
    witness = serve(team, acceleratorCount=1)
    team.change(preemptible=True)
    until_blocked(team, "quota")
    witness.serves = False
    team.change(replacePolicy={"type": "Recreate", "drain": None})
    until_alone(team)
    assert team.deployment()["preemptible"] is True


# --- in use ---------------------------------------------------------------------------------------------------------


def test_a_former_one_that_is_in_use_stays_until_it_is_not_and_nothing_is_wrong(team: Team) -> None:
    witness = serve(team)
    former = team.status()["deploymentName"]
    team.change(acceleratorType=H200)
    reach(team, DRAINS)
    team.wait(DRAIN - 30)
    team.simulator.traffic(short(former))
    team.wait(120)
    assert former in existing(team)
    assert "spec.replacePolicy.ignoreChecks" in replacement(team)["message"]
    assert "fireworks.ai/" not in replacement(team)["message"]
    resource = team.get()
    assert (holds(resource, "Ready"), holds(resource, "Stalled")) == ("True", "False"), "what serves is as asked"
    team.wait(1200)
    deletes = team.journal("DELETE", "/deployments/")
    assert [round(each, -1) for each in pauses(deletes)[:3]] == [60, 120, 300], "the pauses grow"
    until_alone(team, within=2 * HOUR)
    assert witness.most == 2
    told_once(team)


def test_ignore_checks_deletes_a_former_one_that_is_in_use(team: Team) -> None:
    serve(team, replacePolicy=BY_FORCE_BLUE_GREEN)
    former = team.status()["deploymentName"]
    team.change(acceleratorType=H200)
    reach(team, DRAINS)
    team.simulator.traffic(short(former))
    until_alone(team, within=DRAIN + 60)
    assert team.journal("DELETE", "/deployments/")[-1].query["ignoreChecks"] == "true"


def test_a_former_one_that_is_in_use_keeps_its_addons_until_it_goes(team: Team) -> None:
    add_models(team)
    witness = serve(team, addons=addons("tone"))
    team.until("chat", "AddonsReady", "True")
    former = team.status()["deploymentName"]
    team.change(acceleratorType=H200)
    reach(team, DRAINS)
    team.simulator.traffic(short(former))
    team.wait(DRAIN + 900)
    assert "requests in the last hour" in replacement(team)["message"]
    assert team.journal("DELETE", "/deployedModels/") == [], "whoever still asks for the addon is answered"
    until_alone(team, within=2 * HOUR)
    assert witness.most == 2
    assert {each["deployment"] for each in team.simulator.deployed_models()} == {team.status()["deploymentName"]}
    assert "AddonFailed" not in {each.reason for each in team.events()}


def test_the_annotation_for_a_deletion_deletes_no_former_one_that_is_in_use(team: Team) -> None:
    serve(team)
    former = team.status()["deploymentName"]
    team.annotate("chat", "ignore-checks", "true")
    team.change(acceleratorType=H200)
    reach(team, DRAINS)
    team.simulator.traffic(short(former))
    team.wait(DRAIN + 400)
    assert former in existing(team), "it acts on a resource that is being deleted"
    until_alone(team, within=2 * HOUR)


def test_ignore_checks_set_later_takes_effect_at_once(team: Team) -> None:
    serve(team)
    former = team.status()["deploymentName"]
    team.change(acceleratorType=H200)
    reach(team, DRAINS)
    team.simulator.traffic(short(former))
    team.wait(DRAIN + 400)
    assert former in existing(team)
    team.change(replacePolicy=BY_FORCE_BLUE_GREEN)
    until_alone(team, within=60)


def test_drained_in_no_time_it_is_in_use_for_an_hour_and_the_user_is_told_where(team: Team) -> None:
    serve(team, replacePolicy={"type": "BlueGreen", "drain": "0s"})
    former = team.status()["deploymentName"]
    team.simulator.traffic(short(former))
    team.change(acceleratorType=H200)
    team.until_ready()
    team.wait(300)
    assert replacement(team)["deploymentName"] == former
    assert "message" in replacement(team)
    until_alone(team, within=2 * HOUR)


def test_addons_that_others_loaded_on_the_former_one_hold_its_deletion_up_and_are_left_to_them(team: Team) -> None:
    add_models(team)
    serve(team, addons=addons("tone"))
    team.until("chat", "AddonsReady", "True")
    former = team.status()["deploymentName"]
    theirs = load_elsewhere(team, former, "style")
    team.change(acceleratorType=H200)
    team.until_ready()
    team.wait(2 * HOUR)
    assert former in existing(team)
    assert "addons" in replacement(team)["message"]
    team.ask(f"/v1/{theirs}", None, "DELETE")
    until_alone(team)


def test_a_discarded_successor_that_is_in_use_is_deleted_once_it_is_not(team: Team) -> None:
    add_models(team)
    serve(team, addons=addons("tone"))
    team.change(acceleratorType=H200)
    reach(team, lambda found: found.get("state") == "READY")
    name = successor(team)
    team.simulator.traffic(short(name))
    team.change(acceleratorType=H100)
    reach(team, discarding)
    team.wait(600)
    resource = team.get()
    assert (holds(resource, "Ready"), holds(resource, "Stalled")) == ("True", "False")
    assert "message" in resource["status"]["replacement"]
    until_alone(team, within=2 * HOUR)


# --- LISTs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["creating", "draining"])
def test_an_outage_half_way_changes_nothing(team: Team, phase: str) -> None:
    serve(team)
    team.change(acceleratorType=H200)
    reach(team, lambda found: found.get("state") == "CREATING" if phase == "creating" else found["phase"] == "Draining")
    names = set(existing(team))
    fault = team.fault("status", code="UNAVAILABLE")
    team.wait(HOUR)
    assert set(existing(team)) == names
    assert team.hits(fault) > 10
    team.simulator.clear_faults()
    until_alone(team)


@pytest.mark.parametrize("which", ["the present one", "the second one"])
@pytest.mark.parametrize("phase", ["creating", "draining"])
def test_a_list_that_lacks_one_of_them_is_not_believed(team: Team, phase: str, which: str) -> None:
    serve(team)
    team.change(acceleratorType=H200)
    reach(team, lambda found: found.get("state") == "CREATING" if phase == "creating" else found["phase"] == "Draining")
    status = team.status()
    name = status["deploymentName"] if which == "the present one" else status["replacement"]["deploymentName"]
    team.fault("omit_from_list", names=[short(name)])
    team.wait(200)
    team.simulator.clear_faults()
    until_alone(team)
    assert len(team.posts()) == 2


def test_an_old_list_right_after_the_switch_is_not_believed(team: Team) -> None:
    serve(team)
    team.change(acceleratorType=H200)

    def age_lists() -> None:
        team.fault("stale_list", seconds=60, times=10)

    during(team, DRAINS, age_lists)
    until_alone(team)
    assert len(team.posts()) == 2
