"""spec.replacePolicy: what Fireworks cannot change is deleted and created anew, once, and never in vain."""

import pytest

from fireworks_simulator.testing import JournalEntry
from testkit.stories.addons import add_models, addons
from tests.virtual.team import MODEL, OTHER_MODEL, Json, Team, condition, holds, pauses

H100, H200 = "NVIDIA_H100_80GB", "NVIDIA_H200_141GB"
RECREATE = {"type": "Recreate"}
BY_FORCE = {"type": "Recreate", "ignoreChecks": True}
HOUR = 3600.0
OTHER_FIELDS: dict[str, dict[str, object]] = {
    "accelerator": {"acceleratorType": H200},
    "model": {"baseModel": OTHER_MODEL},
    "placement": {"placement": {"multiRegion": "EUROPE"}},
    "preemptible": {"preemptible": True},
}


def is_validation(entry: JournalEntry) -> bool:
    return "validateOnly" in entry.query


def steps(team: Team, since: int) -> list[str]:
    """What was asked of Fireworks, in one word each."""
    found = []
    for each in team.writes(since=since):
        hard = "hard " if "hard" in each.query else ""
        found.append("validate" if is_validation(each) else f"{hard}{each.method}")
    return found


def deletions(team: Team, since: int) -> list[JournalEntry]:
    return [each for each in team.journal("DELETE") if each.sequence > since]


def identifier(team: Team) -> str:
    return str(team.status()["deploymentName"]).rsplit("/", 1)[-1]


def serve(team: Team, **spec: object) -> int:
    """Have a deployment serve that may be replaced; return what Fireworks has been asked so far."""
    team.create(spec={"replacePolicy": RECREATE, **spec})
    team.until_ready()
    return team.seen()


def until_blocked(team: Team) -> Json:
    return team.until("chat", "Stalled", "True", "DeletionBlocked", says="spec.replacePolicy.ignoreChecks")


@pytest.mark.parametrize("field", OTHER_FIELDS)
def test_what_fireworks_cannot_change_is_created_anew_once(team: Team, field: str) -> None:
    seen = serve(team)
    name = team.status()["deploymentName"]
    team.change(**OTHER_FIELDS[field])
    team.until("chat", "Reconciling", "True", "Replacing", says=f"spec.{next(iter(OTHER_FIELDS[field]))} ")
    resource = team.until_ready()
    assert resource["status"]["deploymentName"] == name
    deployment = team.deployment()
    assert all(deployment[key] == value for key, value in OTHER_FIELDS[field].items())
    assert steps(team, seen) == ["validate", "DELETE", "validate", "hard DELETE", "POST"]
    assert "ignoreChecks" not in deletions(team, seen)[0].query
    team.assert_at_rest("chat")
    team.wait(HOUR)
    assert len(steps(team, seen)) == 5
    assert ("Normal", "Replacing") in team.happened()


def test_the_status_says_that_nothing_serves_meanwhile(team: Team) -> None:
    serve(team)
    told = team.told()
    team.change(acceleratorType=H200)
    team.eventually(lambda: len(team.journal("DELETE")) == 2, "it is deleted")
    team.until_ready()
    during = [each for each in team.versions(since=told) if condition(each, "Ready").get("reason") == "Replacing"]
    assert during
    for each in during:
        assert (holds(each, "Ready"), holds(each, "Reconciling"), holds(each, "Stalled")) == ("False", "True", "False")
        assert "nothing serves until" in condition(each, "Reconciling")["message"]


def test_a_spec_that_fireworks_would_refuse_costs_nothing(team: Team) -> None:
    seen = serve(team)
    team.change(baseModel="accounts/fireworks/models/nobody-has-it")
    resource = team.until("chat", "Stalled", "True", "ModelNotFound", says="is not replaced")
    assert holds(resource, "Available") == "True"
    team.wait(2 * HOUR)
    asked = [each for each in team.journal("POST") if is_validation(each)]
    assert set(steps(team, seen)) == {"validate"}
    assert [round(each, -1) for each in pauses(asked)[:3]] == [60, 300, 900], "the pauses grow"
    team.change(baseModel=MODEL)
    team.until_ready()
    assert set(steps(team, seen)) == {"validate"}


def test_no_answer_to_the_validation_keeps_the_deployment(team: Team) -> None:
    seen = serve(team)
    team.fault("status", method="POST", path="/deployments$", times=3, code="UNAVAILABLE")
    team.change(acceleratorType=H200)
    team.eventually(lambda: steps(team, seen)[:3] == ["validate"] * 3, "it is asked again")
    team.until_ready()
    assert steps(team, seen)[3:] == ["validate", "DELETE", "validate", "hard DELETE", "POST"]


def test_requests_of_the_last_hour_hold_it_up_and_the_old_one_serves_on(team: Team) -> None:
    seen = serve(team)
    team.simulator.traffic(identifier(team))
    team.change(acceleratorType=H200)
    resource = until_blocked(team)
    assert (holds(resource, "Available"), holds(resource, "Reconciling")) == ("True", "False")
    assert "put the old value back" in condition(resource, "Stalled")["message"]
    team.wait(600)
    tried = deletions(team, seen)
    assert [round(each, -1) for each in pauses(tried)[:3]] == [60, 120, 300], "the pauses grow"
    assert team.deployment()["acceleratorType"] == H100
    team.wait(HOUR)
    team.until_ready()
    assert team.deployment()["acceleratorType"] == H200


def test_ignore_checks_takes_effect_at_once(team: Team) -> None:
    serve(team)
    team.simulator.traffic(identifier(team))
    team.change(acceleratorType=H200)
    until_blocked(team)
    seen = team.seen()
    team.change(replacePolicy=BY_FORCE)
    team.until_ready()
    assert deletions(team, seen)[0].query["ignoreChecks"] == "true"
    assert team.deployment()["acceleratorType"] == H200


def test_the_old_value_put_back_keeps_a_deployment_that_waits(team: Team) -> None:
    serve(team)
    team.simulator.traffic(identifier(team))
    team.change(acceleratorType=H200)
    until_blocked(team)
    seen = team.seen()
    team.change(acceleratorType=H100)
    team.until_ready()
    team.wait(2 * HOUR)
    assert steps(team, seen) == []


def test_the_old_value_put_back_half_way_brings_the_deployment_back(team: Team) -> None:
    serve(team, externalDeletionPolicy="Report")
    seen = team.seen()
    team.change(acceleratorType=H200)
    team.eventually(lambda: steps(team, seen) == ["validate", "DELETE"], "it is deleted softly")
    team.fault("status", method="POST", path="/deployments$", times=20, code="UNAVAILABLE")
    team.eventually(lambda: not team.deployments(), "it is deleted")
    team.wait(10)
    team.change(acceleratorType=H100)
    team.until_ready()
    assert [each for each in steps(team, seen) if each != "validate"] == ["DELETE", "POST"]
    assert team.writes(since=seen)[-1].path.endswith(":undelete")
    assert "recreations" not in team.status(), "the operator has deleted it itself"


def test_another_spec_half_way_is_what_is_created(team: Team) -> None:
    seen = serve(team)
    team.change(acceleratorType=H200)
    team.eventually(lambda: "DELETE" in steps(team, seen), "it is deleted softly")
    team.change(acceleratorType=H200, baseModel=OTHER_MODEL)
    team.until_ready()
    deployment = team.deployment()
    assert (deployment["acceleratorType"], deployment["baseModel"]) == (H200, OTHER_MODEL)
    assert steps(team, seen).count("POST") == 1


def test_deleted_half_way_nothing_is_left(team: Team) -> None:
    seen = serve(team)
    team.change(acceleratorType=H200)
    team.eventually(lambda: "DELETE" in steps(team, seen), "it is deleted softly")
    team.delete()
    team.until_gone()
    assert [each for each in team.deployments() if each["state"] not in ("DELETED", "DELETING")] == []


def test_paused_withholds_it(team: Team) -> None:
    seen = serve(team)
    team.change(acceleratorType=H200, paused=True)
    team.until("chat", "Stalled", "True", "Paused", says="(Replace)")
    team.wait(HOUR)
    assert steps(team, seen) == []
    team.change(paused=None)
    team.until_ready()
    assert team.deployment()["acceleratorType"] == H200


def test_what_was_adopted_is_never_replaced(team: Team) -> None:
    team.simulator.create_foreign(1, "by-hand", baseModel=MODEL, acceleratorType=H100)
    seen = team.seen()
    team.create(replacePolicy=BY_FORCE, deploymentId="by-hand-0", adoptionPolicy="Unowned", acceleratorType=H200)
    team.until("chat", "Stalled", "True", "ReplaceRequired", says="adopted")
    team.wait(HOUR)
    assert not deletions(team, seen)


def test_a_deployment_that_others_have_changed_is_not_replaced_for_it(team: Team) -> None:
    seen = serve(team)
    team.simulator.edit(identifier(team), {"acceleratorType": H200})
    team.until("chat", "Stalled", "True", "ReplaceRequired", says="nobody has changed the spec")
    team.change(displayName="Chat")
    team.wait(HOUR)
    assert not deletions(team, seen)
    team.change(acceleratorType=H200)
    team.until_ready()
    assert steps(team, seen) == ["PATCH"]


def test_never_is_the_default_and_names_the_way_out(team: Team) -> None:
    team.create()
    team.until_ready()
    team.change(acceleratorType=H200)
    team.until("chat", "Stalled", "True", "ReplaceRequired", says="spec.replacePolicy.type")
    seen = team.seen()
    team.change(replacePolicy=RECREATE)
    team.until_ready()
    assert steps(team, seen) == ["validate", "DELETE", "validate", "hard DELETE", "POST"]


def test_what_has_expired_is_replaced_once_it_is_renewed(team: Team) -> None:
    seen = serve(team, expiresAfter="2m")
    team.until("chat", "Ready", "True", "Expired")
    team.change(acceleratorType=H200)
    team.until("chat", "Stalled", "True", "ReplaceRequired", says="no longer parked")
    assert not deletions(team, seen)
    team.change(expiresAfter=None)
    team.until_ready()
    assert team.deployment()["acceleratorType"] == H200


def test_without_a_quota_for_other_gpus_the_old_one_serves_on(team: Team) -> None:
    team.simulator.quota("global--h200-count", 0)
    seen = serve(team)
    team.change(acceleratorType=H200)
    resource = team.until("chat", "Stalled", "True", "QuotaExceeded", says="is not replaced")
    assert holds(resource, "Available") == "True"
    assert not deletions(team, seen)


def test_a_quota_for_one_is_enough_for_another_model_on_the_same_gpus(team: Team) -> None:
    team.simulator.quota("global--h100-count", 1)
    serve(team, acceleratorCount=1)
    team.change(baseModel=OTHER_MODEL)
    team.until_ready()
    assert team.deployment()["baseModel"] == OTHER_MODEL


def test_a_budget_has_to_have_room_for_the_new_one_before_the_old_one_goes(team: Team) -> None:
    team.limit(gpus=4)
    seen = serve(team, acceleratorCount=2, maxReplicaCount=2)
    team.change(acceleratorType=H200, acceleratorCount=4)
    resource = team.until("chat", "Stalled", "True", "BudgetExceeded", says="asks for 8")
    assert holds(resource, "Available") == "True"
    team.wait(HOUR)
    assert steps(team, seen) == []
    team.limit(gpus=8)
    team.until_ready()
    assert team.deployment()["acceleratorType"] == H200


def test_its_own_room_counts_and_nobody_else_gets_it_meanwhile(team: Team) -> None:
    team.limit(gpus=6)
    serve(team, acceleratorCount=2, maxReplicaCount=1)
    team.change(acceleratorType=H200, acceleratorCount=6)
    team.eventually(lambda: bool(team.journal("DELETE")), "it is deleted")
    team.create("other", acceleratorCount=2, maxReplicaCount=1)
    team.until_ready()
    team.until("other", "Stalled", "True", "BudgetExceeded")
    assert team.deployment()["acceleratorCount"] == 6


def test_addons_are_loaded_on_the_new_one(team: Team) -> None:
    add_models(team)
    serve(team, addons=addons("tone"))
    team.change(acceleratorType=H200)
    blocked = until_blocked(team)
    assert holds(blocked, "AddonsReady") == "True"
    team.change(replacePolicy=BY_FORCE)
    team.until_ready()
    team.until("chat", "AddonsReady", "True")
    assert team.deployment()["acceleratorType"] == H200
