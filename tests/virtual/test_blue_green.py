"""spec.replacePolicy BlueGreen: a successor serves before its former deployment goes; one always does, never three."""

import pytest

from testkit.stories.addons import add_models, addons, last
from tests.virtual.replacing import (
    B200,
    BLUE_GREEN,
    DRAIN,
    DRAINS,
    H100,
    H200,
    HOUR,
    OTHER_FIELDS,
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
from tests.virtual.team import Json, Team, condition, holds

DAY: Json = {"minReplicaCount": 1, "schedule": "0 8 * * 1-5", "duration": "10h", "timezone": "Europe/Berlin"}
SETTINGS: dict[str, Json] = {
    "alone": {},
    "with tags": {"tags": {"team": "search", "project": "x"}},
    "with schedules": {"maxReplicaCount": 3, "autoscalingPolicy": {"scalingSchedules": {"day": DAY}}},
    "the default of its model": {"deployedModel": {"default": True}},
    "everything": {
        "tags": {"team": "search"},
        "displayName": "Chat",
        "deployedModel": {"default": True, "public": True},
    },
}


def loaded_on(team: Team, deployment: str) -> dict[str, str]:
    """Return the states of what is loaded on a deployment, its base model aside, by the last part of its model."""
    base = existing(team)[deployment]["baseModel"]
    found = team.simulator.deployed_models()
    return {
        last(str(each["model"])): str(each["state"])
        for each in found
        if each["deployment"] == deployment and each["model"] != base
    }


def defaults(team: Team, model: str) -> list[str]:
    """Return the deployments that are the default of a model."""
    found = team.simulator.deployed_models()
    return [str(each["deployment"]) for each in found if each["model"] == model and each.get("default")]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("field", OTHER_FIELDS)
def test_the_successor_serves_before_the_former_one_goes(team: Team, field: str, settings: str) -> None:
    witness = serve(team, **SETTINGS[settings])
    former = team.status()["deploymentName"]
    told = len(team.events())
    team.change(**OTHER_FIELDS[field])
    team.until("chat", "Reconciling", "True", "Replacing", says=f"spec.{next(iter(OTHER_FIELDS[field]))} ")
    resource = team.until_ready()
    name = resource["status"]["deploymentName"]
    assert name != former
    assert is_serving(existing(team)[name])
    assert resource["status"]["replacement"]["deploymentName"] == former
    assert resource["status"]["modelIdentifier"].endswith(f"#{name}")
    team.wait(DRAIN - 60)
    assert set(existing(team)) == {former, name}, "it drains"
    until_alone(team)
    deployment = existing(team)[name]
    assert all(deployment[key] == value for key, value in OTHER_FIELDS[field].items())
    assert deployment.get("displayName", "") == SETTINGS[settings].get("displayName", "")
    for key, value in SETTINGS[settings].get("tags", {}).items():
        assert deployment["annotations"][f"custom/{key}"] == value
    policy = deployment.get("autoscalingPolicy", {})
    assert policy.get("scalingSchedules", {}).keys() == ({"day"} if settings == "with schedules" else set())
    assert defaults(team, str(deployment["baseModel"])) == [name], "requests for the model alone find it"
    assert witness.most == 2
    told_once(team, told)


@pytest.mark.parametrize("field", sorted(set(OTHER_FIELDS) - {"model"}))
def test_addons_are_deployed_on_the_successor_before_it_takes_over(team: Team, field: str) -> None:
    add_models(team)
    serve(team, addons=addons("tone", "style"))
    team.until("chat", "AddonsReady", "True", "AddonsLoaded", says="2 loaded")
    former = team.status()["deploymentName"]
    loaded = {"tone": "DEPLOYED", "style": "DEPLOYED"}

    def look() -> None:
        name = team.status()["deploymentName"]
        assert loaded_on(team, name) == loaded, "who asks for an addon is always answered"

    team.stage.onlookers.append(look)
    team.change(**OTHER_FIELDS[field])
    reach(team, DRAINS)
    name = team.status()["deploymentName"]
    assert loaded_on(team, former) == loaded, "as long as it drains, so it does there"
    team.stage.onlookers.remove(look)
    resource = until_alone(team)
    assert {each["state"] for each in resource["status"]["addons"]} == {"DEPLOYED"}
    assert loaded_on(team, name) == loaded
    assert [each["deployment"] for each in team.simulator.deployed_models() if each["deployment"] == former] == []
    assert holds(resource, "AddonsReady") == "True"


def test_what_is_asked_of_fireworks_is_the_least_and_in_the_right_order(team: Team) -> None:
    serve(team)
    former, seen = team.status()["deploymentName"], team.seen()
    team.change(acceleratorType=H200)
    until_alone(team)
    name = team.status()["deploymentName"]
    asked = [(each.method, short(each.path)) for each in team.writes(since=seen)]
    assert asked[0] == ("POST", "deployments")
    assert asked[-1] == ("DELETE", short(former))
    patches = [each for each in team.writes(since=seen) if "/deployedModels" in each.path]
    assert len(asked) == 2 + len(patches), asked
    assert len(patches) == 1, "the default of the model moves, since Fireworks refuses to delete a default"
    assert isinstance(patches[0].body, dict)
    assert patches[0].body["default"] is True
    (delete,) = team.journal("DELETE", since=seen)
    assert delete.query == {}, "softly, and not while it is in use"
    assert team.posts()[-1].query["deploymentId"] == short(name)


def test_nothing_is_written_and_nothing_but_lists_is_asked_while_it_drains(team: Team) -> None:
    serve(team, replacePolicy={"type": "BlueGreen", "drain": "2h"})
    team.change(acceleratorType=H200)
    reach(team, DRAINS)
    team.wait(30)
    writes, seen = team.stage.server.writes, team.seen()
    team.wait(1.5 * HOUR)
    assert team.stage.server.writes == writes, team.explain()
    asked = {(each.method, short(each.path)) for each in team.journal(since=seen)}
    assert asked <= {("GET", "deployments"), ("GET", "deployedModels")}, asked
    until_alone(team)


def test_ready_says_when_the_spec_is_in_force_and_how_far_it_is_until_then(team: Team) -> None:
    serve(team)
    former, told = team.status()["deploymentName"], team.told()
    team.change(acceleratorType=H200)
    until_alone(team)
    switched = False
    for each in team.versions(since=told):
        current = each["status"]["observedGeneration"] == each["metadata"]["generation"]
        switched = switched or each["status"]["deploymentName"] != former
        if current:
            expected = ("True", "False") if switched else ("False", "True")
            assert (holds(each, "Ready"), holds(each, "Reconciling")) == expected, each["status"]
        if current and not switched:
            assert former in condition(each, "Ready")["message"], "it says what serves"


@pytest.mark.parametrize("drain", ["0s", "1h", None])
def test_it_drains_for_as_long_as_the_spec_says(team: Team, drain: str | None) -> None:
    policy = {"type": "BlueGreen"} if drain is None else {"type": "BlueGreen", "drain": drain}
    serve(team, replacePolicy=policy)
    former = team.status()["deploymentName"]
    team.change(acceleratorType=H200)
    team.eventually(lambda: team.status()["deploymentName"] != former, "it is switched")
    began = team.stage.loop.time()
    gone = lambda: former not in existing(team)  # noqa: E731
    team.eventually(gone, "it goes", within=2 * HOUR)
    took = team.stage.loop.time() - began
    expected = {"0s": 0.0, "1h": HOUR, None: 600.0}[drain]
    assert expected <= took <= expected + 20
    until_alone(team)


def test_a_second_change_while_the_first_drains_waits_until_that_is_gone(team: Team) -> None:
    witness = serve(team)
    first = team.status()["deploymentName"]
    team.change(acceleratorType=H200)
    reach(team, DRAINS)
    second = team.status()["deploymentName"]
    team.change(acceleratorType=B200)
    team.until("chat", "Reconciling", "True", "Replacing", says=first)
    assert team.status()["deploymentName"] == second
    until_alone(team)
    third = team.status()["deploymentName"]
    assert len({first, second, third}) == 3
    assert witness.most == 2
    assert len(team.posts()) == 3


def test_three_changes_in_a_row_lead_to_the_last_one(team: Team) -> None:
    serve(team)
    for kind in (H200, B200, H100, B200):
        team.change(acceleratorType=kind)
        team.wait(7)
    until_alone(team)
    assert team.deployment()["acceleratorType"] == B200


def test_what_is_scaled_to_zero_is_replaced_and_need_not_be_woken(team: Team) -> None:
    witness = serve(team, minReplicaCount=0, autoscalingPolicy={"scaleToZeroWindow": "5m"})
    witness.serves = False
    team.eventually(lambda: team.deployment()["replicaCount"] == 0, "it sleeps", within=HOUR)
    team.wait(60)
    former = team.status()["deploymentName"]
    team.change(acceleratorType=H200)
    team.eventually(lambda: team.status()["deploymentName"] != former, "it is switched", within=HOUR)
    until_alone(team)
    assert team.deployment()["acceleratorType"] == H200


@pytest.mark.parametrize("policy", [BLUE_GREEN, None], ids=["BlueGreen", "none"])
def test_what_is_scaled_to_zero_and_asked_to_be_something_else_is_left_alone_by_the_former_one(
    team: Team, policy: object
) -> None:
    witness = serve(
        team,
        minReplicaCount=0,
        autoscalingPolicy={"scaleToZeroWindow": "5m"},
        replacePolicy={"type": "BlueGreen", "drain": "30m"},
    )
    witness.serves = False
    team.change(acceleratorType=H200)
    reach(team, DRAINS)
    team.wait(1200)
    assert [each["replicaCount"] for each in existing(team).values()] == [0, 0], "both sleep"
    witness.stalls = {"ReplaceRequired"}
    team.change(acceleratorType=B200, replacePolicy=policy)
    team.eventually(lambda: len(existing(team)) == 1 and not replacement(team), "the former one goes", within=HOUR)
    if policy == BLUE_GREEN:
        until_alone(team)
        assert team.deployment()["acceleratorType"] == B200
    assert witness.most == 2


def test_two_resources_are_replaced_at_once_and_do_not_meet(team: Team) -> None:
    witnesses = [serve(team, name) for name in ("one", "two")]
    for name in ("one", "two"):
        team.change(name, acceleratorType=H200)
    for name in ("one", "two"):
        team.until_ready(name)
    assert len(team.deployments()) == 4
    for name in ("one", "two"):
        until_alone(team, name)
    assert len(team.deployments()) == 2
    assert [each.most for each in witnesses] == [2, 2]


def test_the_policy_set_later_takes_effect_on_a_change_that_waits_for_it(team: Team) -> None:
    witness = serve(team, replacePolicy=None)
    witness.stalls = {"ReplaceRequired"}
    team.change(acceleratorType=H200)
    team.until("chat", "Stalled", "True", "ReplaceRequired", says="BlueGreen")
    team.change(replacePolicy=BLUE_GREEN)
    until_alone(team)


def test_a_deployment_id_of_the_users_own_is_that_of_the_first_and_the_successor_has_another(team: Team) -> None:
    serve(team, deploymentId="my-chat")
    assert short(team.status()["deploymentName"]) == "my-chat"
    team.change(acceleratorType=H200)
    until_alone(team)
    assert short(team.status()["deploymentName"]) != "my-chat"
    team.change(acceleratorType=B200)
    until_alone(team)
    assert team.deployment()["acceleratorType"] == B200


def test_what_was_adopted_is_never_replaced(team: Team) -> None:
    team.simulator.create_foreign(
        1, "by-hand", baseModel="accounts/fireworks/models/llama-v3p1-8b-instruct", acceleratorType=H100
    )
    seen = team.seen()
    team.create(replacePolicy=BLUE_GREEN, deploymentId="by-hand-0", adoptionPolicy="Unowned", acceleratorType=H200)
    team.until("chat", "Stalled", "True", "ReplaceRequired", says="adopted")
    team.wait(HOUR)
    assert [each for each in team.writes(since=seen) if not each.path.endswith(":setTags")] == []
    assert replacement(team) == {}


def test_others_who_change_the_deployment_have_nothing_replaced(team: Team) -> None:
    witness = serve(team)
    witness.stalls = {"ReplaceRequired"}
    team.simulator.edit(team.deployment_id(), {"acceleratorType": H200})
    team.until("chat", "Stalled", "True", "ReplaceRequired", says="nobody has changed the spec")
    team.wait(HOUR)
    assert replacement(team) == {}
    assert len(team.posts()) == 1


def test_changes_that_fireworks_can_make_reach_the_successor_as_well(team: Team) -> None:
    serve(team)
    team.change(acceleratorType=H200, displayName="Chat", maxReplicaCount=2)
    until_alone(team)
    found = team.deployment()
    assert (found["displayName"], found["maxReplicaCount"]) == ("Chat", 2)
    assert team.patches() == [], "it was created so"


def test_a_change_while_the_successor_is_made_ready_is_made_there(team: Team) -> None:
    serve(team)
    team.change(acceleratorType=H200)
    team.eventually(lambda: replacement(team).get("state") == "CREATING", "it is created")
    name = successor(team)
    team.change(displayName="Chat", tags={"team": "search"})
    resource = until_alone(team)
    assert resource["status"]["deploymentName"] == name, "nothing speaks for another one"
    found = team.deployment()
    assert (found["displayName"], found["annotations"]["custom/team"]) == ("Chat", "search")


def test_a_change_while_the_former_one_drains_is_made_to_the_present_one_alone(team: Team) -> None:
    serve(team)
    former = team.status()["deploymentName"]
    team.change(acceleratorType=H200)
    reach(team, DRAINS)
    team.change(displayName="Chat")
    team.until_ready()
    assert existing(team)[team.status()["deploymentName"]]["displayName"] == "Chat"
    assert existing(team)[former].get("displayName", "") == ""
    until_alone(team)
