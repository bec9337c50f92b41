"""LoRA addons: what the spec names is loaded, what it no longer names is unloaded, what others loaded is left alone."""

import pytest

from testkit.conditions import summary
from testkit.stories.addons import add_models, addons, load_elsewhere, loaded, loads, model, requests, until_loaded
from testkit.stories.faults import error
from testkit.stories.team import AT_REST
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
    tuned.assert_at_rest(seconds=1200)


def test_an_addon_removed_from_the_spec_is_unloaded_and_anothers_stays(tuned: Team) -> None:
    tuned.create(addons=addons("tone", "style"))
    name = until_loaded(tuned, "tone", "style")["status"]["deploymentName"]
    theirs = load_elsewhere(tuned, name, "terms")
    tuned.wait(30)
    told = tuned.told()
    tuned.change(addons=addons("style"))
    until_loaded(tuned, "style")
    tuned.eventually(lambda: loaded(tuned).keys() == {"style", "terms"}, "tone is unloaded")
    tuned.assert_at_rest()
    assert {summary(each) for each in tuned.versions(since=told)} == {AT_REST}, "ready all the while"
    assert loaded(tuned)["terms"]["name"] == theirs
    assert MODEL in {each["model"] for each in tuned.simulator.deployed_models()}, "the base model is no addon"
    assert len(requests(tuned, "DELETE")) == 1


def test_two_deployments_that_both_want_to_be_the_default_do_not_fight_for_ever(tuned: Team) -> None:
    for name in ("one", "two"):
        tuned.create(name, addons=addons("tone", default=True))

    def loser() -> bool:
        told = [condition(tuned.get(each), "AddonsReady").get("message", "") for each in ("one", "two")]
        return sum("default, but it was reverted" in each for each in told) == 1

    tuned.eventually(loser, "one of them says that the other is in its way")
    tuned.wait(1200)
    assert len(requests(tuned, "PATCH")) <= 2 + 2 * 1200 / 300, "five minutes lie between two for one addon"


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
    tuned.assert_at_rest()
