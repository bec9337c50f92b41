"""`kubectl delete`: nothing is left at Fireworks, and no resource is stuck without a way out."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from testkit.kubernetes_api import condition
from testkit.team import Team
from testkit.waiting import steadily

HOUR = 3600


def test_deleting_a_ready_resource_deletes_its_deployment_softly(team: Team) -> None:
    team.create()
    team.until_ready()
    team.delete()
    team.until_gone()
    assert team.deployments() == []
    (delete,) = team.journal("DELETE")
    assert delete.query == {}, "soft, and with Fireworks' own checks"
    assert [each["state"] for each in team.simulator.deployments()] == ["DELETED"], "recoverable for 7 days"


@pytest.mark.proof
def test_the_resource_stays_until_fireworks_says_deleted(team: Team) -> None:
    team.simulator.timing(deleting=2)
    team.create()
    team.until_ready()
    team.delete()
    resource = team.eventually(
        lambda: team.get() if team.status()["state"] == "DELETING" else None, "status says DELETING"
    )
    assert condition(resource, "Ready")["status"] == "False"
    assert condition(resource, "Reconciling")["status"] == "True"
    team.until_gone()
    assert [each["state"] for each in team.simulator.deployments()] == ["DELETED"]


@pytest.mark.proof
def test_a_deployment_in_use_blocks_deletion_until_an_hour_has_passed(team: Team) -> None:
    team.create()
    team.until_ready()
    team.simulator.traffic(team.deployment_id())
    team.delete()
    team.until("chat", "Stalled", "True", "DeletionBlocked", says="fireworks.ai/ignore-checks=true")
    assert len(team.deployments()) == 1, "it serves on"
    assert condition(team.get(), "Available")["status"] == "True"
    team.simulator.advance(HOUR + 1)
    team.annotate("chat", "reconcile-at", "now")
    team.until_gone()
    assert team.deployments() == []
    assert all("ignoreChecks" not in each.query for each in team.journal("DELETE"))


@pytest.mark.proof
def test_ignore_checks_set_to_anything_but_true_forces_nothing(team: Team) -> None:
    team.create(metadata={"annotations": {"fireworks.ai/ignore-checks": "yes please"}})
    team.until_ready()
    team.simulator.traffic(team.deployment_id())
    team.delete()
    team.until("chat", "Stalled", "True", "DeletionBlocked")
    assert len(team.deployments()) == 1


def test_retain_leaves_the_deployment_and_marks_it_as_released(team: Team) -> None:
    team.create(deletionPolicy="Retain")
    name = team.until_ready()["status"]["deploymentName"]
    team.delete()
    team.until_gone()
    deployment = team.deployment()
    assert deployment["state"] == "READY"
    assert deployment["annotations"]["custom/released"] == "true"
    assert team.journal("DELETE") == []
    assert team.operator is not None
    assert name in team.operator.log(), "what keeps running is always a warning in the log"


@pytest.mark.proof
def test_a_retained_deployment_is_taken_up_again_by_the_resource_of_the_same_name(team: Team) -> None:
    team.create(deletionPolicy="Retain")
    team.until_ready()
    team.delete()
    team.until_gone()
    team.create()
    team.until_ready()
    assert len(team.posts()) == 1, "no second deployment"
    assert "custom/released" not in team.deployment()["annotations"], team.explain()


@pytest.mark.proof
def test_abandon_has_no_effect_on_a_resource_that_is_not_being_deleted(team: Team) -> None:
    team.create(metadata={"annotations": {"fireworks.ai/abandon": "true"}})
    team.until_ready()
    seen = team.simulator.last_sequence()
    steadily(lambda: team.find() is not None, "the resource is there", seconds=1.5)
    assert team.writes(since=seen) == []


@pytest.mark.proof
def test_a_name_that_was_just_deleted_is_restored_instead_of_created_twice(team: Team) -> None:
    team.create(displayName="first")
    team.until_ready()
    team.delete()
    team.until_gone()
    team.create(displayName="second")
    team.until_ready()
    assert len(team.simulator.deployments()) == 1
    assert team.deployment()["displayName"] == "second"
    assert [each.path.rsplit(":", 1)[-1] for each in team.journal("POST", ":undelete$")] == ["undelete"]


@pytest.mark.proof
def test_a_name_that_was_just_deleted_with_other_hardware_is_replaced(team: Team) -> None:
    team.create()
    team.until_ready()
    team.delete()
    team.until_gone()
    team.create(acceleratorType="NVIDIA_H200_141GB")
    team.until_ready()
    assert team.deployment()["acceleratorType"] == "NVIDIA_H200_141GB"
    hard = team.journal("DELETE")[-1]
    assert hard.query == {"hard": "true", "ignoreChecks": "true"}, "only of what is deleted already"


def _two_polls(team: Team) -> None:
    seen = team.simulator.last_sequence()
    team.create("looks", managementPolicy="Observe", deploymentId="nothing")  # or nobody would list the account
    team.eventually(lambda: len(team.journal("GET", "/deployments$", since=seen)) >= 2, "two polls")


REQUESTS = {
    "the create request": ("POST", "/deployments$"),
    "a change request": ("PATCH", "/deployments/"),
    "the request to bring it back": ("POST", ":undelete$"),
}


@pytest.mark.proof
@pytest.mark.parametrize("request_name", REQUESTS)
def test_a_deletion_asked_for_while_a_request_is_on_its_way_leaves_nothing_behind(
    team: Team, request_name: str
) -> None:
    method, path = REQUESTS[request_name]
    if request_name != "the create request":
        team.create(displayName="before")
        team.until_ready()
    rule = team.fault("latency", method=method, path=path, seconds=2, times=1)
    match request_name:
        case "the create request":
            team.create()
        case "a change request":
            team.change(displayName="after")
        case _:
            team.simulator.vanish(team.deployment_id(), soft=True)
    team.eventually(lambda: team.simulator.fault_hits(rule) == 1, "the request is on its way")
    team.delete()
    team.until_gone(within=100.0)  # for a minute, a request whose answer was not written down may take effect
    assert team.deployments() == []
    _two_polls(team)
    assert team.deployments() == [], "and none appears later"


@pytest.mark.proof
def test_a_create_request_that_takes_effect_after_the_deletion_was_asked_for_leaves_nothing_behind(team: Team) -> None:
    rule = team.fault("late_commit", method="POST", path="/deployments$", seconds=3, times=1)
    team.create()
    team.eventually(lambda: team.simulator.fault_hits(rule) == 1, "the create request is on its way")
    team.delete()
    team.eventually(lambda: any(each.committed for each in team.posts()), "it takes effect late")
    team.until_gone(within=90)
    assert team.deployments() == []


@pytest.mark.proof
def test_a_resource_that_is_deleted_before_the_operator_has_seen_it_leaves_no_request(team: Team) -> None:
    operator = team.operator
    assert operator is not None
    operator.stop()
    team.create()
    team.delete()
    assert team.find() is None, "nothing holds it yet"
    operator.start()
    assert team.journal() == []


@pytest.mark.proof
def test_the_default_deployment_of_a_model_goes_after_the_models_other_deployments(team: Team) -> None:
    for name in ("first", "second"):
        team.create(name)
        team.until_ready(name)
    team.delete("first")
    resource = team.until("first", "Stalled", "True", "DeletionBlocked", says="default")
    assert condition(resource, "Available")["status"] == "True", "it serves on"
    assert "delete the model's other deployments first" in condition(resource, "Stalled")["message"]
    team.delete("second")
    team.until_gone("second")
    team.annotate("first", "reconcile-at", "now")
    team.until_gone("first")
    assert team.deployments() == []
    assert all("ignoreChecks" not in each.query for each in team.journal("DELETE"))


@pytest.mark.proof
def test_the_annotation_ignore_checks_deletes_the_default_deployment_of_a_model(team: Team) -> None:
    for name in ("first", "second"):
        team.create(name)
        team.until_ready(name)
    team.delete("first")
    team.until("first", "Stalled", "True", "DeletionBlocked", says="default")
    team.annotate("first", "ignore-checks", "true")
    team.until_gone("first")
    assert len(team.deployments()) == 1


@pytest.mark.proof
def test_a_deployment_that_hangs_in_deleting_for_half_an_hour_is_let_go_with_a_warning(team: Team) -> None:
    team.create()
    name = team.until_ready()["status"]["deploymentName"]
    team.simulator.fault("freeze_state", match={"account": team.account})
    team.delete()
    resource = team.until("chat", "Ready", "False", "Deleting", says="is deleting the deployment")
    assert condition(resource, "Reconciling")["status"] == "True"
    (deployment,) = team.simulator.deployments()
    assert deployment["state"] == "DELETING"
    steadily(lambda: team.find() is not None, "it is waited for", seconds=1.5, explain=team.explain)
    half_an_hour_ago = (datetime.now(UTC) - timedelta(seconds=HOUR / 2 + 60)).strftime("%Y-%m-%dT%H:%M:%SZ")
    team.set_status("chat", {"lastAttempt": {"time": half_an_hour_ago}})
    stuck = {**deployment, "deleteTime": half_an_hour_ago}
    page = {"deployments": [stuck], "nextPageToken": "", "totalSize": 1}
    team.fault("status", method="GET", path="/deployments$", status=200, body=json.dumps(page))
    team.fault("status", method="GET", path="/deployments/", status=200, body=json.dumps(stuck))
    team.until_gone()
    assert team.operator is not None
    assert f"{name} has been DELETING for over 30 minutes" in team.operator.log()
    assert len(team.journal("DELETE")) == 1
