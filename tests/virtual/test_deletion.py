"""`kubectl delete`: nothing is left at Fireworks, and no resource is stuck without a way out."""

import pytest

from tests.virtual.team import Team, condition, holds, pauses

HOUR = 3600
BLOCKED = (60, 120, 300, 600)
"""Seconds between two tries to delete what Fireworks does not let go of."""
SETTLES = 70.0
"""Seconds after which a create request without an answer no longer takes effect."""


def test_deleting_a_ready_resource_deletes_its_deployment_softly(team: Team) -> None:
    team.create()
    team.until_ready()
    team.delete()
    team.until_gone(within=10)
    assert team.deployments() == []
    (delete,) = team.journal("DELETE")
    assert delete.query == {}, "soft, and with Fireworks' own checks"
    assert [each["state"] for each in team.simulator.deployments()] == ["DELETED"], "recoverable for 7 days"


def test_the_resource_stays_until_fireworks_says_deleted(team: Team) -> None:
    team.simulator.timing(deleting=60)
    team.create()
    team.until_ready()
    team.delete()
    resource = team.eventually(
        lambda: team.get() if team.status()["state"] == "DELETING" else None, "status says DELETING"
    )
    assert (holds(resource, "Ready"), holds(resource, "Reconciling")) == ("False", "True")
    team.steadily(lambda: team.find() is not None, "it stays", seconds=50)
    team.until_gone()
    assert [each["state"] for each in team.simulator.deployments()] == ["DELETED"]
    assert team.methods() == ["POST", "DELETE"]


# --- what blocks it -------------------------------------------------------------------------------------------------


def test_a_deployment_in_use_blocks_deletion_until_an_hour_has_passed(team: Team) -> None:
    team.create()
    team.until_ready()
    team.simulator.traffic(team.deployment_id())
    team.delete()
    resource = team.until("chat", "Stalled", "True", "DeletionBlocked", says="fireworks.ai/ignore-checks=true")
    assert len(team.deployments()) == 1, "it serves on"
    assert holds(resource, "Available") == "True"
    team.until_gone(within=HOUR + BLOCKED[-1] + 10)
    assert team.deployments() == []
    assert all("ignoreChecks" not in each.query for each in team.journal("DELETE"))
    waited = [round(each, -1) for each in pauses(team.journal("DELETE"))]
    assert waited[:4] == list(BLOCKED)
    assert set(waited[4:]) == {BLOCKED[-1]}


@pytest.mark.parametrize("value", ["yes please", "True", ""])
def test_ignore_checks_set_to_anything_but_true_forces_nothing(team: Team, value: str) -> None:
    team.create(annotations={"ignore-checks": value})
    team.until_ready()
    team.simulator.traffic(team.deployment_id())
    team.delete()
    team.until("chat", "Stalled", "True", "DeletionBlocked")
    team.wait(600)
    assert len(team.deployments()) == 1


@pytest.mark.parametrize("how", ["the others go", "ignore-checks"])
def test_the_default_deployment_of_a_model_goes_after_the_models_other_deployments(team: Team, how: str) -> None:
    for name in ("first", "second"):
        team.create(name)
        team.until_ready(name)
    team.delete("first")
    resource = team.until("first", "Stalled", "True", "DeletionBlocked", says="default")
    assert holds(resource, "Available") == "True", "it serves on"
    assert "delete the model's other deployments first" in condition(resource, "Stalled")["message"]
    if how == "ignore-checks":
        team.annotate("first", "ignore-checks", "true")
        team.until_gone("first", within=10)
        assert len(team.deployments()) == 1
        return
    team.delete("second")
    team.until_gone("second")
    team.until_gone("first", within=BLOCKED[0] + BLOCKED[1])
    assert team.deployments() == []
    assert all("ignoreChecks" not in each.query for each in team.journal("DELETE"))


# --- what is left ---------------------------------------------------------------------------------------------------


def test_retain_leaves_the_deployment_and_the_resource_of_the_same_name_takes_it_up_again(team: Team) -> None:
    team.create(deletionPolicy="Retain")
    name = team.until_ready()["status"]["deploymentName"]
    team.delete()
    team.until_gone()
    deployment = team.deployment()
    assert deployment["state"] == "READY"
    assert deployment["annotations"]["custom/released"] == "true"
    assert team.journal("DELETE") == []
    assert name in team.stage.log(), "what keeps running is always a warning in the log"
    assert ("Warning", "Deleting") in {(each.kind, each.reason) for each in team.events()}
    team.create()
    team.until_ready()
    assert len(team.posts()) == 1, "no second deployment"
    assert "custom/released" not in team.deployment()["annotations"], team.explain()


def test_what_was_retained_stays_where_the_next_resource_goes_before_it_has_taken_it_up(team: Team) -> None:
    team.create(deletionPolicy="Retain")
    team.until_ready()
    team.delete()
    team.until_gone()
    team.fault("drop_before_commit", method="POST", path=":setTags$")
    team.create(deletionPolicy="Delete")
    team.eventually(lambda: team.status().get("deploymentName"), "it is claimed")
    team.delete()
    team.until_gone(within=300)
    assert team.deployment()["state"] == "READY"
    assert team.journal("DELETE") == []
    assert ("Warning", "Deleting") in {(each.kind, each.reason) for each in team.events()}
    assert "was left running on purpose before" in team.stage.log()


def test_abandon_has_no_effect_on_a_resource_that_is_not_being_deleted(team: Team) -> None:
    team.create(annotations={"abandon": "true"})
    team.until_ready()
    seen = team.seen()
    team.steadily(lambda: team.find() is not None, "the resource is there", seconds=600)
    assert team.writes(since=seen) == []


# --- what is on its way ---------------------------------------------------------------------------------------------

REQUESTS = {
    "the create request": ("POST", "/deployments$"),
    "a change request": ("PATCH", "/deployments/"),
    "the request to bring it back": ("POST", ":undelete$"),
}


@pytest.mark.parametrize("seconds", [2, 7])
@pytest.mark.parametrize("name", REQUESTS)
def test_a_deletion_asked_for_while_a_request_is_on_its_way_leaves_nothing_behind(
    team: Team, name: str, seconds: float
) -> None:
    method, path = REQUESTS[name]
    if name != "the create request":
        team.create(displayName="before")
        team.until_ready()
    rule = team.fault("latency", method=method, path=path, seconds=seconds, times=1)
    match name:
        case "the create request":
            team.create()
        case "a change request":
            team.change(displayName="after")
        case _:
            team.simulator.vanish(team.deployment_id(), soft=True)
    team.eventually(lambda: team.hits(rule) == 1, "the request is on its way")
    team.delete()
    team.until_gone(within=SETTLES + 30)
    assert team.deployments() == []
    team.wait(120)
    assert team.deployments() == [], "and none appears later"


@pytest.mark.parametrize("late", [3, 20, 50])
def test_a_create_request_that_takes_effect_after_the_deletion_was_asked_for_leaves_nothing_behind(
    team: Team, late: float
) -> None:
    rule = team.fault("late_commit", method="POST", path="/deployments$", seconds=late, times=1)
    team.create()
    team.eventually(lambda: team.hits(rule) == 1, "the create request is on its way")
    team.delete()
    team.eventually(lambda: any(each.committed for each in team.posts()), "it takes effect late")
    assert team.find() is not None, "the resource waits for what may still come"
    team.until_gone(within=SETTLES + 30)
    assert team.deployments() == []


# --- foreign answers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["plain_404", "html_404", "html_502", "wrong_json", "truncate_body"])
def test_a_foreign_answer_to_everything_holds_the_resource_until_fireworks_answers(team: Team, page: str) -> None:
    team.create()
    team.until_ready()
    team.fault(page)
    team.delete()
    resource = team.until("chat", "Ready", "False", "Deleting", says="fireworks.ai/abandon")
    assert holds(resource, "Reconciling") == "True", "it goes on by itself"
    team.steadily(lambda: team.find() is not None, "the finalizer holds", seconds=HOUR / 4)
    team.simulator.clear_faults()
    team.until_gone(within=310)
    assert team.deployments() == []


def test_only_an_answer_in_fireworks_own_words_to_a_get_counts_as_absent(team: Team) -> None:
    team.create(externalDeletionPolicy="Report")
    team.until_ready()
    team.simulator.vanish(team.deployment_id())
    fault = team.fault("html_404", method="GET", path=r"/deployments/[^/]+$")
    team.delete()
    team.eventually(lambda: team.hits(fault) > 0, "a GET met the foreign page")
    team.steadily(lambda: team.find() is not None, "the finalizer holds", seconds=600)
    team.simulator.clear_fault(fault)
    team.until_gone(within=310)


def test_an_outage_while_deleting_only_delays_the_deletion(team: Team) -> None:
    team.create()
    team.until_ready()
    rule = team.fault("status", status=503, code="UNAVAILABLE")
    team.delete()
    team.until("chat", "Ready", "False", "Deleting", says="fireworks.ai/abandon")
    team.steadily(lambda: team.find() is not None, "the finalizer holds", seconds=HOUR / 4)
    team.simulator.clear_fault(rule)
    team.until_gone(within=310)
    assert team.deployments() == []


@pytest.mark.parametrize("words", ["a refusal", "a blocked deletion"])
def test_an_outage_does_not_wipe_the_words_of_what_stands(team: Team, words: str) -> None:
    if words == "a refusal":
        team.create(acceleratorType="NVIDIA_H100_90GB")
        expected = ("RejectedByFireworks", "NVIDIA_H100_90GB")
    else:
        team.create()
        team.until_ready()
        team.simulator.traffic(team.deployment_id())
        team.delete()
        expected = ("DeletionBlocked", "ignore-checks=true")
    team.until("chat", "Stalled", "True", expected[0], says=expected[1])
    rule = team.fault("status", status=503, code="UNAVAILABLE")
    team.eventually(lambda: team.hits(rule) >= 3, "the API was asked in vain")
    team.simulator.clear_fault(rule)
    team.polls(2)
    team.until("chat", "Stalled", "True", expected[0], says=expected[1], within=300)
