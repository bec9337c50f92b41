"""LoRA addons: what the spec names is loaded, what it no longer names is unloaded, what others loaded is left alone."""

import json
from collections.abc import Mapping

import pytest

from tests.virtual.addons import (
    AT_REST,
    add_models,
    addons,
    assert_at_rest,
    load_elsewhere,
    loaded,
    loads,
    model,
    outcome,
    requests,
    until_loaded,
)
from tests.virtual.faults import error
from tests.virtual.team import MODEL, Team, condition


@pytest.fixture
def tuned(team: Team) -> Team:
    """A team with LoRA models."""
    return add_models(team)


# --- what is loaded -------------------------------------------------------------------------------------------------


def test_an_addon_is_loaded_and_status_says_what_to_call_it(tuned: Team) -> None:
    tuned.create(addons=addons("tone"))
    status = until_loaded(tuned, "tone")["status"]
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
    assert tuned.ask("/inference/v1/chat/completions", question)[1]["choices"]
    assert_at_rest(tuned, seconds=1200)


def test_a_second_addon_is_loaded_later_and_the_first_is_left_as_it_is(tuned: Team) -> None:
    tuned.create(addons=addons("tone"))
    until_loaded(tuned, "tone")
    first = loaded(tuned)["tone"]
    tuned.change(addons=[*addons("tone"), {"model": model(tuned, "style")}])
    until_loaded(tuned, "tone", "style")
    assert loaded(tuned)["tone"] == first
    assert loads(tuned) == ["tone", "style"]
    assert_at_rest(tuned)
    assert tuned.methods() == ["POST"] * 3, "the deployment, and each addon once"


def test_an_addon_removed_from_the_spec_is_unloaded_and_anothers_stays(tuned: Team) -> None:
    tuned.create(addons=addons("tone", "style"))
    name = until_loaded(tuned, "tone", "style")["status"]["deploymentName"]
    theirs = load_elsewhere(tuned, name, "terms")
    tuned.wait(30)
    told = tuned.told()
    tuned.change(addons=addons("style"))
    until_loaded(tuned, "style")
    tuned.eventually(lambda: loaded(tuned).keys() == {"style", "terms"}, "tone is unloaded")
    assert_at_rest(tuned)
    assert {outcome(each) for each in tuned.versions(since=told)} == {AT_REST}, "ready all the while"
    assert loaded(tuned)["terms"]["name"] == theirs
    assert MODEL in {each["model"] for each in tuned.simulator.deployed_models()}, "the base model is no addon"
    assert len(requests(tuned, "DELETE")) == 1


def test_the_last_addons_are_unloaded_before_the_deployment_stops_taking_any(tuned: Team) -> None:
    tuned.create(addons=addons("tone"))
    until_loaded(tuned, "tone")
    seen = tuned.seen()
    tuned.change(addons=None)
    tuned.eventually(lambda: tuned.deployment()["enableAddons"] is False, "addons are switched off")
    tuned.until_ready()
    assert loaded(tuned) == {}
    assert tuned.methods(since=seen) == ["DELETE", "PATCH"]
    assert tuned.journal("PATCH")[-1].query["updateMask"] == "enable_addons"
    assert condition(tuned.get(), "AddonsReady") == {}


def test_what_somebody_else_has_loaded_is_ours_once_the_spec_names_it(tuned: Team) -> None:
    tuned.create(enableAddons=True)
    name = tuned.until_ready()["status"]["deploymentName"]
    theirs = load_elsewhere(tuned, name, "tone")
    tuned.change(addons=addons("tone"))
    assert until_loaded(tuned, "tone")["status"]["addons"][0]["deployedModel"] == theirs
    assert loads(tuned) == []
    tuned.change(addons=None)
    tuned.eventually(lambda: not loaded(tuned), "it is unloaded")


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


def test_a_setting_that_is_changed_elsewhere_is_put_back(tuned: Team) -> None:
    tuned.create(addons=addons("tone", public=True))
    until_loaded(tuned, "tone")
    name = loaded(tuned)["tone"]["name"]
    tuned.ask(f"/v1/{name}", {"public": False}, "PATCH", updateMask="public")
    tuned.eventually(lambda: loaded(tuned)["tone"].get("public"), "it is put back")
    assert_at_rest(tuned)
    assert len(requests(tuned, "PATCH")) == 1


def test_two_deployments_that_both_want_to_be_the_default_do_not_fight_for_ever(tuned: Team) -> None:
    for name in ("one", "two"):
        tuned.create(name, addons=addons("tone", default=True))

    def loser() -> bool:
        told = [condition(tuned.get(each), "AddonsReady").get("message", "") for each in ("one", "two")]
        return sum("default, but it was reverted" in each for each in told) == 1

    tuned.eventually(loser, "one of them says that the other is in its way")
    tuned.wait(1200)
    assert len(requests(tuned, "PATCH")) <= 2 + 2 * 1200 / 300, "five minutes lie between two for one addon"


def test_many_addons_of_several_resources_are_each_loaded_once(tuned: Team) -> None:
    names = [f"lora-{number}" for number in range(8)]
    for each in names:
        tuned.simulator.add_model(model(tuned, each), kind="HF_PEFT_ADDON", baseModel=MODEL)
    for resource in ("one", "two"):
        tuned.create(resource, addons=addons(*names))
    for resource in ("one", "two"):
        until_loaded(tuned, *names, resource=resource)
    assert sorted(loads(tuned)) == sorted(names * 2)
    assert_at_rest(tuned, "one", "two")


def test_an_addon_that_vanishes_is_loaded_again(tuned: Team) -> None:
    tuned.create(addons=addons("tone"))
    until_loaded(tuned, "tone")
    first = loaded(tuned)["tone"]["name"]
    tuned.ask(f"/v1/{first}", None, "DELETE")
    tuned.eventually(lambda: len(loads(tuned)) == 2, "it is loaded again", within=400)
    until_loaded(tuned, "tone")
    assert loaded(tuned)["tone"]["name"] != first
    assert_at_rest(tuned)


@pytest.mark.parametrize("soft", [True, False], ids=["softly", "without trace"])
def test_a_deployment_that_comes_back_gets_its_addons_anew(tuned: Team, soft: bool) -> None:
    tuned.create(addons=addons("tone", "style"))
    name = until_loaded(tuned, "tone", "style")["status"]["deploymentName"]
    before = {each["name"] for each in loaded(tuned).values()}
    tuned.simulator.vanish(tuned.deployment_id(), soft=soft)
    tuned.eventually(lambda: len(loads(tuned)) == 4, "both are loaded again")
    status = until_loaded(tuned, "tone", "style")["status"]
    assert status["deploymentName"] == name
    assert not before & {each["deployedModel"] for each in status["addons"]}
    assert sorted(loads(tuned)[2:]) == ["style", "tone"]
    assert_at_rest(tuned)


# --- answers that are lost ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["reset after commit", "found loaded", "an outage", "time-out"])
def test_a_load_is_asked_for_until_it_is_known_to_be_loaded_and_loaded_once(tuned: Team, answer: str) -> None:
    kind, action = {
        "reset after commit": ("drop_after_commit", {}),
        "found loaded": ("status", error("ALREADY_EXISTS")),
        "an outage": ("status", error("UNAVAILABLE")),
        "time-out": ("hang", {}),
    }[answer]
    tuned.fault(kind, method="POST", path="/deployedModels$", times=1, action=action)
    tuned.create(addons=addons("tone"))
    until_loaded(tuned, "tone")
    assert len(loads(tuned)) == (1 if answer == "reset after commit" else 2)
    assert [each.committed for each in requests(tuned, "POST")].count(True) == 1
    assert not [each for each in tuned.events() if each.kind == "Warning"]
    assert_at_rest(tuned)


def test_nothing_is_unloaded_that_has_not_just_been_looked_at(tuned: Team) -> None:
    tuned.create(enableAddons=True, addons=addons("tone", "style"))
    until_loaded(tuned, "tone", "style")
    tuned.fault("status", code="UNAVAILABLE", method="GET", path="/deployedModels/", times=2)
    seen = tuned.seen()
    tuned.change(addons=None)
    until_loaded(tuned)
    asked = [(each.method, each.path, each.status) for each in tuned.journal(path="/deployedModels/", since=seen)]
    deletes = [index for index, (method, _, _) in enumerate(asked) if method == "DELETE"]
    assert len(deletes) == 2
    for index in deletes:
        assert asked[index - 1] == ("GET", asked[index][1], 200), asked
    assert_at_rest(tuned)


@pytest.mark.parametrize("found", ["gone", "on another deployment"])
def test_what_turns_out_to_be_no_addon_of_the_deployment_is_not_unloaded(tuned: Team, found: str) -> None:
    tuned.create(enableAddons=True, addons=addons("tone"))
    until_loaded(tuned, "tone")
    moved = {**loaded(tuned)["tone"], "deployment": f"accounts/{tuned.account}/deployments/another"}
    answer: Mapping[str, object] = {"code": "NOT_FOUND"}
    if found == "on another deployment":
        answer = {"status": 200, "body": json.dumps(moved)}
    tuned.fault("status", method="GET", path="/deployedModels/", action=answer)
    tuned.change(addons=None)
    until_loaded(tuned)
    assert requests(tuned, "DELETE") == []
