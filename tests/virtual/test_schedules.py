"""Scaling by the clock: schedules of the spec are kept as they are written, and others' left alone."""

import pytest

from tests.virtual.team import Json, Team, holds

AT_REST = 66.0
"""Seconds until the next poll of an account at rest, at most."""
DAY: Json = {"minReplicaCount": 2, "schedule": "0 8 * * 1-5", "duration": "10h", "timezone": "Europe/Berlin"}
THERE: Json = {**DAY, "duration": "36000s"}
FOREIGN: Json = {"minReplicaCount": 1, "schedule": "0 3 * * *", "duration": "300s", "timezone": "UTC"}


def schedules(team: Team) -> Json:
    """Return the schedules of the team's deployment."""
    return dict(team.deployment().get("autoscalingPolicy", {}).get("scalingSchedules", {}))


def by_hand(team: Team, /, **changes: Json | None) -> None:
    """Set and remove schedules as the console does."""
    kept = {**schedules(team), **changes}
    policy = {**team.deployment().get("autoscalingPolicy", {})}
    policy["scalingSchedules"] = {name: each for name, each in kept.items() if each is not None}
    team.simulator.edit(team.deployment_id(), {"autoscalingPolicy": policy})


def given(**schedules: Json | None) -> Json:
    """Return a policy with these schedules."""
    return {"scalingSchedules": schedules}


def test_schedules_go_along_with_the_create_request(team: Team) -> None:
    team.create(maxReplicaCount=3, autoscalingPolicy=given(day=DAY))
    status = team.until_ready()["status"]
    assert schedules(team) == {"day": THERE}
    assert status["effective"]["scalingSchedules"] == ["day"]
    assert "autoscalingPolicy.scalingSchedules.day" in status["appliedFields"]
    team.wait(AT_REST)
    assert team.methods() == ["POST"], "one hour and 3600 seconds are the same"


@pytest.mark.parametrize(
    ("change", "after"),
    [
        ({"day": {"minReplicaCount": 3}}, {"day": {**THERE, "minReplicaCount": 3}}),
        ({"day": {"disabled": True}}, {"day": {**THERE, "disabled": True}}),
        ({"day": {"duration": "600m"}}, {"day": THERE}),
        ({"day": None}, {}),
        ({"day": None, "week": DAY}, {"week": THERE}),
    ],
    ids=["another number", "disabled", "another spelling", "removed", "one for another"],
)
def test_a_change_of_one_schedule_leaves_the_others_as_they_are(team: Team, change: Json, after: Json) -> None:
    team.create(maxReplicaCount=3, autoscalingPolicy={"scaleUpWindow": "1m", **given(day=DAY)})
    team.until_ready()
    by_hand(team, theirs=FOREIGN)
    team.wait(AT_REST)
    assert team.patches() == [], "a schedule that the spec never named is no drift"
    team.change(autoscalingPolicy=given(**change))
    status = team.until_ready(within=10)["status"]
    there = {**after, "theirs": FOREIGN}
    assert schedules(team) == there
    enabled = sorted(name for name, each in there.items() if not each.get("disabled"))
    assert status["effective"]["scalingSchedules"] == enabled
    team.wait(AT_REST)
    assert [each.query["updateMask"] for each in team.patches()] == ["autoscaling_policy"] * (after != {"day": THERE})
    assert team.deployment()["autoscalingPolicy"]["scaleUpWindow"] == "60s"


@pytest.mark.parametrize(
    "meddled",
    [None, {**THERE, "minReplicaCount": 0}, {**THERE, "description": "theirs"}, {**THERE, "disabled": True}],
    ids=["removed", "another number", "described", "disabled"],
)
def test_a_schedule_that_is_changed_in_the_console_is_put_back(team: Team, meddled: Json | None) -> None:
    team.create(maxReplicaCount=3, autoscalingPolicy=given(day=DAY))
    team.until_ready()
    team.wait(AT_REST)
    by_hand(team, day=meddled, theirs=FOREIGN)
    team.eventually(lambda: team.patches(), "it is put back", within=AT_REST)
    status = team.until_ready()["status"]
    assert schedules(team) == {"day": THERE, "theirs": FOREIGN}
    assert status["effective"]["scalingSchedules"] == ["day", "theirs"], "what raises the floor is told"
    team.wait(AT_REST)
    assert len(team.patches()) == 1


def test_the_policy_is_removed_and_only_our_schedules_with_it(team: Team) -> None:
    team.create(maxReplicaCount=3, autoscalingPolicy={"scaleUpWindow": "1m", **given(day=DAY)})
    team.until_ready()
    by_hand(team, theirs=FOREIGN)
    team.change(autoscalingPolicy=None)
    team.until_ready(within=10)
    assert schedules(team) == {"theirs": FOREIGN}
    assert team.deployment()["autoscalingPolicy"]["scaleUpWindow"] == "30s"
    assert len(team.patches()) == 1


def test_replicas_above_the_minimum_of_the_spec_are_neither_drift_nor_a_notice(team: Team) -> None:
    team.create(minReplicaCount=1, maxReplicaCount=3, autoscalingPolicy=given(day=DAY))
    before = team.until_ready()["status"].get("notices")
    team.ask(f"/v1/{team.status()['deploymentName']}:scale", {"replicaCount": 3}, "PATCH")
    team.eventually(lambda: team.status()["replicas"]["ready"] == 3, "they come")
    team.wait(AT_REST)
    resource = team.get()
    assert (holds(resource, "Ready"), resource["status"].get("notices")) == ("True", before)
    assert resource["status"]["effective"]["minReplicaCount"] == 1
    assert team.methods() == ["POST"]


def test_a_lost_status_has_the_schedules_that_are_not_in_the_spec_told_and_left_alone(team: Team) -> None:
    team.create(maxReplicaCount=3, autoscalingPolicy=given(day=DAY, late=DAY))
    team.until_ready()
    team.wait(2 * AT_REST)
    team.stage.stop()
    by_hand(team, theirs=FOREIGN)
    team.set_status("chat", dict.fromkeys(team.status()))
    team.change(autoscalingPolicy=given(late=None))
    team.stage.start()
    status = team.until_ready()["status"]
    assert schedules(team) == {"day": THERE, "late": THERE, "theirs": FOREIGN}
    (notice,) = [each for each in status["notices"] if "does not record" in each]
    assert "scalingSchedules.late" in notice, "it may go on costing money"
    assert "scalingSchedules.theirs" in notice
    assert "scalingSchedules.day" not in notice
    team.wait(AT_REST)
    assert team.patches() == []


def test_a_deployment_that_is_taken_over_keeps_its_schedules(team: Team) -> None:
    body = {
        "baseModel": "accounts/fireworks/models/llama-v3p1-8b-instruct",
        "acceleratorType": "NVIDIA_H100_80GB",
        "minReplicaCount": 1,
        "maxReplicaCount": 3,
        "autoscalingPolicy": {"scalingSchedules": {"theirs": FOREIGN, "day": FOREIGN}},
    }
    query = {"deploymentId": "by-hand", "acceptShapelessRisk": "true"}
    team.ask(f"/v1/accounts/{team.account}/deployments", body, **query)
    team.create(
        spec={"deploymentId": "by-hand", "adoptionPolicy": "Unowned", "maxReplicaCount": 3},
        autoscalingPolicy=given(day=DAY),
    )
    team.until_ready()
    assert schedules(team) == {"theirs": FOREIGN, "day": THERE}
    team.change(autoscalingPolicy=None)
    team.until_ready()
    assert schedules(team) == {"theirs": FOREIGN}


@pytest.mark.parametrize("duration", ["soon", "4m", "169h", "5m500ms"])
def test_a_duration_that_cannot_be_is_refused_in_words_before_anything_is_created(team: Team, duration: str) -> None:
    team.create(maxReplicaCount=3, autoscalingPolicy=given(day={**DAY, "duration": duration}))
    team.until("chat", "Stalled", "True", "InvalidSpec", says="scalingSchedules.day.duration")
    assert team.writes() == []
    team.change(autoscalingPolicy=None)
    team.until_ready()
