"""LoRA addons: what the spec names is loaded, what it no longer names is unloaded, what others loaded is left alone."""

import json
from collections.abc import Mapping
from typing import TypeVar

from fireworks_simulator.testing import JournalEntry
from testkit.conditions import condition, holds

from .team import MODEL, AnyTeam, Json

OTHER_BASE = "accounts/fireworks/models/llama-v3p2-3b-instruct"
REFUSED_LOAD = "Fireworks refuses the addon: LoRA validation failed"
MISFIT = "It was trained on"
TeamT = TypeVar("TeamT", bound=AnyTeam)


def add_models(team: TeamT) -> TeamT:
    """Give a team LoRA models for the usual base model, and two for another."""
    for name in ("tone", "style", "terms"):
        team.simulator.add_model(model(team, name), kind="HF_PEFT_ADDON", baseModel=MODEL)
    for name in ("alien", "stranger"):
        team.simulator.add_model(model(team, name), kind="HF_PEFT_ADDON", baseModel=OTHER_BASE)
    return team


def hide_records(team: AnyTeam) -> None:
    """Keep the records of the models that do not fit from being read, so that only Fireworks can tell."""
    team.fault("status", method="GET", path="/models/(alien|stranger)$", status=403, code="PERMISSION_DENIED")


def model(team: AnyTeam, name: str) -> str:
    """Return the full name of one of the team's models."""
    return f"accounts/{team.account}/models/{name}"


def addons(*names: str, **settings: object) -> list[Json]:
    """Return spec.addons by bare ids, all with the same settings."""
    return [{"model": name, **settings} for name in names]


def last(name: str) -> str:
    """Return the last part of a full name."""
    return name.rsplit("/", 1)[-1]


def loaded(team: AnyTeam) -> dict[str, Json]:
    """Return what is loaded at Fireworks by the last part of its model, the base model aside."""
    found: list[Json] = [dict(each) for each in team.simulator.deployed_models()]
    return {last(str(each["model"])): each for each in found if each["model"] != MODEL}


def requests(team: AnyTeam, method: str) -> list[JournalEntry]:
    """Return the operator's requests for loaded addons."""
    return team.journal(method, r"/deployedModels(/[^/]+)?$")


def loads(team: AnyTeam) -> list[str]:
    """Return the models that the operator asked to be loaded, in order."""
    bodies = [each.body for each in requests(team, "POST")]
    return [last(str(body["model"])) for body in bodies if isinstance(body, dict)]


def load_elsewhere(team: AnyTeam, deployment: str, name: str) -> str:
    """Load an addon as somebody else of the account does; return its name."""
    status, answer = team.ask(
        f"/v1/accounts/{team.account}/deployedModels", {"model": model(team, name), "deployment": deployment}
    )
    assert status == 200, answer
    return str(answer["name"])


def states(team: AnyTeam, resource: str = "chat") -> dict[str, str | None]:
    """Return the states of addons that the status has, by the last part of their model."""
    return {last(each["model"]): each.get("state") for each in team.status(resource).get("addons", [])}


def until_loaded(team: AnyTeam, *names: str, resource: str = "chat", within: float | None = None) -> Json:
    """Wait until exactly these addons are loaded and status says so; return the resource."""
    if names:
        says = f"{len(names)} loaded"
        team.until(resource, "AddonsReady", "True", "AddonsLoaded", says=says, within=within)
    return team.eventually(
        lambda: team.get(resource) if states(team, resource) == dict.fromkeys(names, "DEPLOYED") else None,
        f"{', '.join(names) or 'nothing'} is loaded",
        name=resource,
        within=within,
    )


def until_failed(team: AnyTeam, *says: str) -> Json:
    """Wait until AddonsReady says what is wrong; the base model serves all the same."""
    for each in says:
        team.until("chat", "AddonsReady", "False", "AddonFailed", says=each)
    found = team.get()
    assert holds(found, "Available") == "True"
    return found


# --- what is loaded -------------------------------------------------------------------------------------------------


def a_second_addon_is_loaded_later_and_the_first_is_left_as_it_is(team: AnyTeam) -> None:
    team.create(addons=addons("tone"))
    until_loaded(team, "tone")
    first = loaded(team)["tone"]
    team.change(addons=[*addons("tone"), {"model": model(team, "style")}])
    until_loaded(team, "tone", "style")
    assert loaded(team)["tone"] == first
    assert loads(team) == ["tone", "style"]
    team.assert_at_rest()
    assert team.methods() == ["POST"] * 3, "the deployment, and each addon once"


def what_somebody_else_has_loaded_is_ours_once_the_spec_names_it(team: AnyTeam) -> None:
    team.create(enableAddons=True)
    name = team.until_ready()["status"]["deploymentName"]
    theirs = load_elsewhere(team, name, "tone")
    team.change(addons=addons("tone"))
    assert until_loaded(team, "tone")["status"]["addons"][0]["deployedModel"] == theirs
    assert loads(team) == []
    team.change(addons=None)
    team.eventually(lambda: not loaded(team), "it is unloaded")


def an_addon_that_vanishes_is_loaded_again(team: AnyTeam) -> None:
    team.create(addons=addons("tone"))
    until_loaded(team, "tone")
    first = loaded(team)["tone"]["name"]
    team.ask(f"/v1/{first}", None, "DELETE")
    team.eventually(lambda: len(loads(team)) == 2, "it is loaded again", within=400)
    until_loaded(team, "tone")
    assert loaded(team)["tone"]["name"] != first
    team.assert_at_rest()


def a_deployment_that_is_undeleted_gets_its_addons_anew(team: AnyTeam) -> None:
    _come_back(team, soft=True)


def a_deployment_that_is_created_again_gets_its_addons_anew(team: AnyTeam) -> None:
    _come_back(team, soft=False)


def _come_back(team: AnyTeam, *, soft: bool) -> None:
    team.create(addons=addons("tone", "style"))
    name = until_loaded(team, "tone", "style")["status"]["deploymentName"]
    before = {each["name"] for each in loaded(team).values()}
    team.simulator.vanish(team.deployment_id(), soft=soft)
    team.eventually(lambda: len(loads(team)) == 4, "both are loaded again")
    status = until_loaded(team, "tone", "style")["status"]
    assert status["deploymentName"] == name
    assert not before & {each["deployedModel"] for each in status["addons"]}
    assert sorted(loads(team)[2:]) == ["style", "tone"]
    team.assert_at_rest()


def many_addons_of_several_resources_are_each_loaded_once(team: AnyTeam) -> None:
    names = [f"lora-{number}" for number in range(8)]
    for each in names:
        team.simulator.add_model(model(team, each), kind="HF_PEFT_ADDON", baseModel=MODEL)
    for resource in ("one", "two"):
        team.create(resource, addons=addons(*names))
    for resource in ("one", "two"):
        until_loaded(team, *names, resource=resource)
    assert sorted(loads(team)) == sorted(names * 2)
    team.assert_at_rest("one", "two")


def where_fireworks_refuses_to_load_without_a_replica_it_is_told(team: AnyTeam) -> None:
    team.simulator.assume(load_while_not_ready="refuse")
    team.create(minReplicaCount=0, maxReplicaCount=0, enableAddons=True, addons=addons("tone"))
    team.until("chat", "AddonsReady", "False", "AddonFailed", says="is not ready")
    team.until("chat", "Ready", "True", "Parked")
    team.change(maxReplicaCount=1, minReplicaCount=1)
    team.until("chat", "Available", "True")
    team.hurry()
    until_loaded(team, "tone", within=360)


# --- what is unloaded -----------------------------------------------------------------------------------------------


def the_last_addons_are_unloaded_before_the_deployment_stops_taking_any(team: AnyTeam) -> None:
    team.create(addons=addons("tone"))
    until_loaded(team, "tone")
    seen = team.seen()
    team.change(addons=None)
    team.eventually(lambda: team.deployment()["enableAddons"] is False, "addons are switched off")
    team.until_ready()
    assert loaded(team) == {}
    assert team.methods(since=seen) == ["DELETE", "PATCH"]
    assert team.journal("PATCH")[-1].query["updateMask"] == "enable_addons"
    assert condition(team.get(), "AddonsReady") == {}


def nothing_is_unloaded_that_has_not_just_been_looked_at(team: AnyTeam) -> None:
    team.create(enableAddons=True, addons=addons("tone", "style"))
    until_loaded(team, "tone", "style")
    team.fault("status", code="UNAVAILABLE", method="GET", path="/deployedModels/", times=2)
    seen = team.seen()
    team.change(addons=None)
    until_loaded(team)
    asked = [(each.method, each.path, each.status) for each in team.journal(path="/deployedModels/", since=seen)]
    deletes = [index for index, (method, _, _) in enumerate(asked) if method == "DELETE"]
    assert len(deletes) == 2
    for index in deletes:
        assert asked[index - 1] == ("GET", asked[index][1], 200), asked
    team.assert_at_rest()


def what_turns_out_to_be_gone_is_not_unloaded(team: AnyTeam) -> None:
    _look_at(team, {"code": "NOT_FOUND"})


def what_turns_out_to_be_another_deployments_is_not_unloaded(team: AnyTeam) -> None:
    _look_at(team, {"status": 200, "deployment": f"accounts/{team.account}/deployments/another"})


def _look_at(team: AnyTeam, answer: Mapping[str, object]) -> None:
    """Answer with an error, or with the addon on another deployment, right before it would be unloaded."""
    team.create(enableAddons=True, addons=addons("tone"))
    until_loaded(team, "tone")
    if "deployment" in answer:
        moved = {**loaded(team)["tone"], "deployment": answer["deployment"]}
        answer = {"status": answer["status"], "body": json.dumps(moved)}
    team.fault("status", method="GET", path="/deployedModels/", action=answer)
    team.change(addons=None)
    until_loaded(team)
    assert requests(team, "DELETE") == []


def a_deleted_resource_has_its_addons_unloaded_before_its_deployment_is_deleted(team: AnyTeam) -> None:
    team.create(addons=addons("tone", "style"))
    until_loaded(team, "tone", "style")
    seen = team.seen()
    team.delete()
    team.until_gone()
    assert team.deployments() == []
    asked = team.journal("DELETE", since=seen)
    assert ["deployedModels" in each.path for each in asked] == [True, True, False]
    assert [each.query for each in asked] == [{}] * 3
    assert all(each.committed for each in asked), "each of them once"


def what_others_have_loaded_blocks_a_deletion_and_is_left_to_them(team: AnyTeam) -> None:
    team.create(addons=addons("tone"))
    name = until_loaded(team, "tone")["status"]["deploymentName"]
    theirs = load_elsewhere(team, name, "terms")
    team.delete()
    team.until("chat", "Stalled", "True", "DeletionBlocked", says="1 loaded addons, unload them first")
    assert loaded(team).keys() == {"terms"}
    team.ask(f"/v1/{theirs}", None, "DELETE")
    team.eventually(lambda: not loaded(team), "they unload it")
    team.hurry()
    team.until_gone(within=130)
    assert team.deployments() == []


# --- settings -------------------------------------------------------------------------------------------------------


def settings_of_an_addon_are_changed_in_place(team: AnyTeam) -> None:
    team.create(addons=addons("tone", displayName="Tone", default=True))
    until_loaded(team, "tone")
    before = loaded(team)["tone"]
    assert (before["displayName"], before["default"]) == ("Tone", True)
    team.change(addons=addons("tone", displayName="", description="Ours", default=False, public=True))
    team.eventually(lambda: loaded(team)["tone"].get("public"), "it is changed")
    until_loaded(team, "tone")
    after = loaded(team)["tone"]
    assert (after["name"], after["description"], after["public"]) == (before["name"], "Ours", True)
    assert not {"displayName", "default"} & after.keys(), "empty and false are values, too"
    (patch,) = requests(team, "PATCH")
    assert set(patch.query["updateMask"].split(",")) == {"display_name", "description", "default", "public"}
    team.assert_at_rest()
    assert loads(team) == ["tone"]


def a_setting_that_is_changed_elsewhere_is_put_back(team: AnyTeam) -> None:
    team.create(addons=addons("tone", public=True))
    until_loaded(team, "tone")
    name = loaded(team)["tone"]["name"]
    team.ask(f"/v1/{name}", {"public": False}, "PATCH", updateMask="public")
    team.eventually(lambda: loaded(team)["tone"].get("public"), "it is put back")
    team.assert_at_rest()
    assert len(requests(team, "PATCH")) == 1


STORIES = (
    a_second_addon_is_loaded_later_and_the_first_is_left_as_it_is,
    what_somebody_else_has_loaded_is_ours_once_the_spec_names_it,
    an_addon_that_vanishes_is_loaded_again,
    a_deployment_that_is_undeleted_gets_its_addons_anew,
    a_deployment_that_is_created_again_gets_its_addons_anew,
    many_addons_of_several_resources_are_each_loaded_once,
    where_fireworks_refuses_to_load_without_a_replica_it_is_told,
    the_last_addons_are_unloaded_before_the_deployment_stops_taking_any,
    nothing_is_unloaded_that_has_not_just_been_looked_at,
    what_turns_out_to_be_gone_is_not_unloaded,
    what_turns_out_to_be_another_deployments_is_not_unloaded,
    a_deleted_resource_has_its_addons_unloaded_before_its_deployment_is_deleted,
    what_others_have_loaded_blocks_a_deletion_and_is_left_to_them,
    settings_of_an_addon_are_changed_in_place,
    a_setting_that_is_changed_elsewhere_is_put_back,
)
