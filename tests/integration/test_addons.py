"""LoRA addons: what the spec names is loaded, what it no longer names is unloaded, what others loaded is left alone."""

import json

import pytest

from testkit.kubernetes_api import condition, resources_path
from testkit.team import MODEL, Team
from tests.integration.addons import (
    AT_REST,
    add_models,
    addons,
    assert_at_rest,
    call,
    load_elsewhere,
    loaded,
    loads,
    model,
    outcome,
    requests,
    until_loaded,
)


@pytest.fixture
def tuned(team: Team) -> Team:
    """A team with LoRA models."""
    return add_models(team)


def test_an_addon_is_loaded_and_status_says_what_to_call_it(tuned: Team) -> None:
    tuned.create(addons=addons("tone"))
    resource = until_loaded(tuned, "tone")
    status = resource["status"]
    (entry,) = status["addons"]
    assert entry == {
        "model": model(tuned, "tone"),
        "deployedModel": loaded(tuned)["tone"]["name"],
        "state": "DEPLOYED",
        "modelIdentifier": f"{model(tuned, 'tone')}#{status['deploymentName']}",
    }
    (load,) = requests(tuned, "POST")
    assert load.body == {"model": model(tuned, "tone"), "deployment": status["deploymentName"]}
    question = {"model": entry["modelIdentifier"], "messages": [{"role": "user", "content": "Hello"}]}
    assert call(tuned, "/inference/v1/chat/completions", question)["choices"]
    assert_at_rest(tuned)


@pytest.mark.proof
def test_a_second_addon_is_loaded_later_and_the_first_is_left_as_it_is(tuned: Team) -> None:
    tuned.create(addons=addons("tone"))
    until_loaded(tuned, "tone")
    first = loaded(tuned)["tone"]
    tuned.change(addons=[*addons("tone"), {"model": model(tuned, "style")}])
    until_loaded(tuned, "tone", "style")
    assert loaded(tuned)["tone"] == first
    assert loads(tuned) == ["tone", "style"]
    assert_at_rest(tuned)
    assert [each.method for each in tuned.writes()] == ["POST"] * 3, "the deployment, and each addon once"


@pytest.mark.proof
def test_an_addon_removed_from_the_spec_is_unloaded_and_anothers_stays(tuned: Team) -> None:
    tuned.create(addons=addons("tone", "style"))
    name = until_loaded(tuned, "tone", "style")["status"]["deploymentName"]
    theirs = load_elsewhere(tuned, name, "terms")
    with tuned.api.watch(resources_path(tuned.namespace)) as seen:
        tuned.change(addons=addons("style"))
        until_loaded(tuned, "style")
        tuned.eventually(lambda: loaded(tuned).keys() == {"style", "terms"}, "tone is unloaded")
        assert_at_rest(tuned)
    assert {outcome(each) for each in seen.objects} == {AT_REST}, "ready all the while"
    assert loaded(tuned)["terms"]["name"] == theirs
    assert MODEL in {each["model"] for each in tuned.simulator.deployed_models()}, "the base model is no addon"
    assert len(requests(tuned, "DELETE")) == 1


@pytest.mark.proof
def test_nothing_is_unloaded_that_has_not_just_been_looked_at(tuned: Team) -> None:
    tuned.create(enableAddons=True, addons=addons("tone", "style"))
    until_loaded(tuned, "tone", "style")
    tuned.fault("status", code="UNAVAILABLE", method="GET", path="/deployedModels/", times=2)
    seen = tuned.simulator.last_sequence()
    tuned.change(addons=None)
    until_loaded(tuned)
    one_addon = "/deployedModels/"
    asked = [(each.method, each.path, each.status) for each in tuned.journal(path=one_addon, since=seen)]
    deletes = [index for index, (method, _, _) in enumerate(asked) if method == "DELETE"]
    assert len(deletes) == 2
    for index in deletes:
        assert asked[index - 1] == ("GET", asked[index][1], 200), asked
    assert_at_rest(tuned)


@pytest.mark.proof
@pytest.mark.parametrize("found", ["gone", "on another deployment"])
def test_what_turns_out_to_be_no_addon_of_the_deployment_is_not_unloaded(tuned: Team, found: str) -> None:
    tuned.create(enableAddons=True, addons=addons("tone"))
    until_loaded(tuned, "tone")
    moved = {**loaded(tuned)["tone"], "deployment": f"accounts/{tuned.account}/deployments/another"}
    answer = {"code": "NOT_FOUND"} if found == "gone" else {"status": 200, "body": json.dumps(moved)}
    tuned.fault("status", method="GET", path="/deployedModels/", action=answer)
    tuned.change(addons=None)
    until_loaded(tuned)
    assert requests(tuned, "DELETE") == []


@pytest.mark.proof
def test_the_last_addons_are_unloaded_before_the_deployment_stops_taking_any(tuned: Team) -> None:
    tuned.create(addons=addons("tone"))
    until_loaded(tuned, "tone")
    seen = tuned.simulator.last_sequence()
    tuned.change(addons=None)
    tuned.eventually(lambda: tuned.deployment()["enableAddons"] is False, "addons are switched off")
    tuned.until_ready()
    assert loaded(tuned) == {}
    assert [each.method for each in tuned.writes(since=seen)] == ["DELETE", "PATCH"]
    assert tuned.journal("PATCH")[-1].query["updateMask"] == "enable_addons"
    assert condition(tuned.get(), "AddonsReady") == {}


@pytest.mark.proof
def test_what_somebody_else_has_loaded_is_ours_once_the_spec_names_it(tuned: Team) -> None:
    tuned.create(enableAddons=True)
    name = tuned.until_ready()["status"]["deploymentName"]
    theirs = load_elsewhere(tuned, name, "tone")
    tuned.change(addons=addons("tone"))
    assert until_loaded(tuned, "tone")["status"]["addons"][0]["deployedModel"] == theirs
    assert loads(tuned) == []
    tuned.change(addons=None)
    tuned.eventually(lambda: not loaded(tuned), "it is unloaded")


@pytest.mark.proof
def test_an_addon_that_is_found_loaded_is_no_trouble(tuned: Team) -> None:
    tuned.fault("status", code="ALREADY_EXISTS", method="POST", path="/deployedModels$", times=1)
    tuned.create(addons=addons("tone"))
    until_loaded(tuned, "tone")
    assert [each.status for each in requests(tuned, "POST")] == [409, 200], "what was found was gone when looked for"
    assert not [each for each in tuned.events() if each["type"] == "Warning"]
    assert_at_rest(tuned)


@pytest.mark.proof
def test_a_load_whose_answer_is_lost_is_not_asked_for_twice(tuned: Team) -> None:
    tuned.fault("drop_after_commit", method="POST", path="/deployedModels$", times=1)
    tuned.create(addons=addons("tone"))
    until_loaded(tuned, "tone")
    assert loads(tuned) == ["tone"]
    assert_at_rest(tuned)


@pytest.mark.proof
def test_settings_of_an_addon_are_changed_in_place(tuned: Team) -> None:
    tuned.create(addons=addons("tone", displayName="Tone", default=True))
    until_loaded(tuned, "tone")
    before = loaded(tuned)["tone"]
    assert (before["displayName"], before["default"]) == ("Tone", True)
    tuned.change(addons=addons("tone", displayName="", description="Ours", default=False, public=True))
    tuned.eventually(lambda: loaded(tuned)["tone"].get("public"), "it is changed")
    until_loaded(tuned, "tone")
    after = loaded(tuned)["tone"]
    assert (after["name"], after["description"], after["public"]) == (before["name"], "Ours", True)
    assert not {"displayName", "default"} & after.keys(), "empty and false are values, too"
    (patch,) = requests(tuned, "PATCH")
    assert set(patch.query["updateMask"].split(",")) == {"display_name", "description", "default", "public"}
    assert_at_rest(tuned)
    assert loads(tuned) == ["tone"]


@pytest.mark.proof
def test_a_setting_that_is_changed_elsewhere_is_put_back(tuned: Team) -> None:
    tuned.create(addons=addons("tone", public=True))
    until_loaded(tuned, "tone")
    name = loaded(tuned)["tone"]["name"]
    call(tuned, f"/v1/{name}?updateMask=public", {"public": False}, "PATCH")
    tuned.eventually(lambda: loaded(tuned)["tone"].get("public"), "it is put back")
    assert_at_rest(tuned)
    assert len(requests(tuned, "PATCH")) == 1


@pytest.mark.proof
def test_two_deployments_that_both_want_to_be_the_default_do_not_fight_for_ever(tuned: Team) -> None:
    for name in ("one", "two"):
        tuned.create(name, addons=addons("tone", default=True))
    losers = tuned.eventually(
        lambda: [
            each["metadata"]["name"]
            for each in tuned.resources()
            if "default, but it was reverted" in condition(each, "AddonsReady").get("message", "")
        ],
        "one of them says that the other is in its way",
    )
    assert_at_rest(tuned, "one", "two")
    assert len(losers) == 1
    assert len(requests(tuned, "PATCH")) <= 4
