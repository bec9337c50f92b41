"""Ready waits for the addons of the spec: what a tool sees that waits for a resource, from change to change."""

import pytest

from testkit.conditions import summary
from testkit.stories.addons import add_models, addons, load_elsewhere, loaded, loads, model, until_loaded
from testkit.stories.team import AT_REST, LOADING, STALLED
from tests.virtual.team import Team, condition, holds

PATIENCE = 600
"""Seconds for which AddonsReady stays as it is while the addons cannot be listed."""


@pytest.fixture
def tuned(team: Team) -> Team:
    """A team with LoRA models."""
    return add_models(team)


def told(team: Team, since: int) -> list[tuple[str, str]]:
    """Return value and reason of Ready in each version since, without repetitions."""
    found: list[tuple[str, str]] = []
    for raw in team.versions(since=since):
        ready = condition(raw, "Ready")
        each = (str(ready.get("status")), str(ready.get("reason")))
        if "reason" in ready and found[-1:] != [each]:
            found.append(each)
    return found


def reasons(team: Team) -> list[str]:
    """Return the reasons of all events about the resource."""
    return [each.reason for each in team.events()]


def test_a_new_resource_is_ready_once_all_its_addons_are(tuned: Team) -> None:
    tuned.simulator.timing(addon=120)
    tuned.create(addons=addons("tone", "style"))
    resource = tuned.until("chat", "Ready", "False", "LoadingAddons", says=model(tuned, "style"))
    assert summary(resource) == LOADING
    assert holds(resource, "Available") == "True"
    question = {"model": resource["status"]["modelIdentifier"], "messages": [{"role": "user", "content": "Hello"}]}
    assert tuned.ask("/inference/v1/chat/completions", question)[1]["choices"], "the base model serves"
    tuned.until_ready(within=400)
    assert {each["state"] for each in loaded(tuned).values()} == {"DEPLOYED"}
    assert told(tuned, 0)[-2:] == [("False", "LoadingAddons"), ("True", "Serving")]
    assert reasons(tuned).count("LoadingAddons") == 1
    assert "AddonsLoading" not in reasons(tuned), "one event for one thing"
    tuned.assert_at_rest(seconds=1200)


def test_an_addon_that_is_added_takes_ready_until_it_is_loaded_and_one_that_leaves_does_not(tuned: Team) -> None:
    tuned.create(enableAddons=True, addons=addons("tone"))
    until_loaded(tuned, "tone")
    tuned.until_ready()
    since = tuned.told()
    tuned.change(addons=addons("tone", "style"))
    until_loaded(tuned, "tone", "style")
    tuned.until_ready()
    assert ("False", "LoadingAddons") in told(tuned, since)
    since = tuned.told()
    tuned.change(addons=addons("style"))
    until_loaded(tuned, "style")
    tuned.assert_at_rest()
    assert told(tuned, since) == [("True", "Serving")]


def test_of_several_addons_one_that_fails_stalls_the_resource_and_the_others_are_loaded(tuned: Team) -> None:
    tuned.create(addons=addons("tone", "alien", "style"))
    resource = tuned.until("chat", "Stalled", "True", "AddonFailed", says=model(tuned, "alien"))
    assert model(tuned, "tone") not in condition(resource, "Stalled")["message"]
    tuned.eventually(
        lambda: (
            {name: each["state"] for name, each in loaded(tuned).items()}
            == dict.fromkeys(("tone", "style"), "DEPLOYED")
        ),
        "the others are loaded",
    )
    tuned.assert_at_rest(said=STALLED)
    assert holds(tuned.get(), "Available") == "True"
    warnings = [each.reason for each in tuned.events() if each.kind == "Warning"]
    assert warnings == ["AddonFailed"], "told once, and not by each condition"
    tuned.change(addons=addons("tone", "style"))
    tuned.until_ready()
    tuned.assert_at_rest()


def test_an_addon_that_is_lost_at_fireworks_takes_ready_until_it_is_loaded_again(tuned: Team) -> None:
    tuned.simulator.timing(addon=120)
    tuned.create(addons=addons("tone", "style"))
    until_loaded(tuned, "tone", "style", within=400)
    tuned.until_ready()
    tuned.wait(700)
    tuned.ask(f"/v1/{loaded(tuned)['tone']['name']}", None, "DELETE")
    resource = tuned.until("chat", "Ready", "False", "LoadingAddons", says=model(tuned, "tone"), within=400)
    assert summary(resource) == LOADING
    assert holds(resource, "Available") == "True"
    tuned.until_ready(within=700)
    assert {each["state"] for each in loaded(tuned).values()} == {"DEPLOYED"}
    tuned.assert_at_rest()


def test_a_disturbance_of_the_list_of_addons_does_not_take_ready_away(tuned: Team) -> None:
    tuned.create(addons=addons("tone"))
    until_loaded(tuned, "tone")
    tuned.until_ready()
    tuned.wait(30)
    writes = tuned.stage.server.writes
    rule = tuned.fault("status", code="UNAVAILABLE", method="GET", path="/deployedModels$")
    tuned.wait(PATIENCE - 60)
    assert tuned.stage.server.writes == writes, "nothing is told for as long as an outage may last"
    tuned.until("chat", "AddonsReady", "Unknown", within=200)
    assert summary(tuned.get()) == AT_REST, "the last LIST is the last word"
    tuned.simulator.clear_fault(rule)
    tuned.until("chat", "AddonsReady", "True", within=400)
    tuned.assert_at_rest()


def test_a_change_while_the_addons_cannot_be_listed_is_ready_once_they_are_known(tuned: Team) -> None:
    tuned.create(addons=addons("tone"))
    until_loaded(tuned, "tone")
    tuned.until_ready()
    rule = tuned.fault("status", code="UNAVAILABLE", method="GET", path="/deployedModels$")
    tuned.wait(120)
    tuned.change(addons=addons("tone", "style"))
    resource = tuned.until("chat", "Ready", "Unknown", "ApiUnavailable", says="The loaded addons cannot be listed")
    assert summary(resource) == ("Unknown", "True", "False")
    assert holds(resource, "Available") == "True"
    tuned.simulator.clear_fault(rule)
    tuned.until_ready(within=400)
    assert loaded(tuned).keys() == {"tone", "style"}
    assert loads(tuned) == ["tone", "style"]


def test_what_an_observed_deployment_has_not_loaded_is_nothing_to_wait_for(tuned: Team) -> None:
    tuned.create(enableAddons=True)
    name = tuned.until_ready()["status"]["deploymentName"]
    load_elsewhere(tuned, name, "tone")
    tuned.create(
        "watcher", managementPolicy="Observe", deploymentId=name.rsplit("/", 1)[-1], addons=addons("tone", "style")
    )
    tuned.until("watcher", "AddonsReady", "False", says=model(tuned, "style"))
    tuned.until("watcher", "Ready", "True")
    tuned.assert_at_rest("watcher")
    assert loads(tuned) == []


def test_a_restart_in_the_middle_of_loading_says_nothing_else(tuned: Team) -> None:
    tuned.simulator.timing(addon=120)
    tuned.create(addons=addons("tone"))
    tuned.until("chat", "Ready", "False", "LoadingAddons")
    since = tuned.told()
    tuned.stage.restart()
    tuned.until_ready(within=400)
    assert told(tuned, since) in ([("True", "Serving")], [("False", "LoadingAddons"), ("True", "Serving")])
    assert loads(tuned) == ["tone"]
