"""LoRA addons: what the spec names is loaded, what it no longer names is unloaded, what others loaded is left alone."""

import pytest

from testkit.conditions import summary
from testkit.kubernetes_api import resources_path
from testkit.stories.addons import add_models, addons, load_elsewhere, loaded, loads, model, requests, until_loaded
from testkit.stories.team import AT_REST
from testkit.team import MODEL, Team


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
    assert tuned.ask("/inference/v1/chat/completions", question)[1]["choices"]
    tuned.assert_at_rest()


@pytest.mark.proof
def test_an_addon_removed_from_the_spec_is_unloaded_and_anothers_stays(tuned: Team) -> None:
    tuned.create(addons=addons("tone", "style"))
    name = until_loaded(tuned, "tone", "style")["status"]["deploymentName"]
    theirs = load_elsewhere(tuned, name, "terms")
    with tuned.api.watch(resources_path(tuned.namespace)) as seen:
        tuned.change(addons=addons("style"))
        until_loaded(tuned, "style")
        tuned.eventually(lambda: loaded(tuned).keys() == {"style", "terms"}, "tone is unloaded")
        tuned.assert_at_rest()
    assert {summary(each) for each in seen.objects} == {AT_REST}, "ready all the while"
    assert loaded(tuned)["terms"]["name"] == theirs
    assert MODEL in {each["model"] for each in tuned.simulator.deployed_models()}, "the base model is no addon"
    assert len(requests(tuned, "DELETE")) == 1


@pytest.mark.proof
def test_an_addon_that_is_found_loaded_is_no_trouble(tuned: Team) -> None:
    tuned.fault("status", code="ALREADY_EXISTS", method="POST", path="/deployedModels$", times=1)
    tuned.create(addons=addons("tone"))
    until_loaded(tuned, "tone")
    assert [each.status for each in requests(tuned, "POST")] == [409, 200], "what was found was gone when looked for"
    assert not [each for each in tuned.events() if each["type"] == "Warning"]
    tuned.assert_at_rest()


@pytest.mark.proof
def test_a_load_whose_answer_is_lost_is_not_asked_for_twice(tuned: Team) -> None:
    tuned.fault("drop_after_commit", method="POST", path="/deployedModels$", times=1)
    tuned.create(addons=addons("tone"))
    until_loaded(tuned, "tone")
    assert loads(tuned) == ["tone"]
    tuned.assert_at_rest()
