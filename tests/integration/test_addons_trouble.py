"""LoRA addons that cannot be loaded, and deployments that go, sleep or are held back under theirs."""

import pytest

from testkit.conditions import summary
from testkit.kubernetes_api import condition
from testkit.stories.addons import (
    OTHER_BASE,
    add_models,
    addons,
    hide_records,
    loaded,
    loads,
    model,
    requests,
    until_failed,
    until_loaded,
)
from testkit.stories.team import AT_REST, STALLED
from testkit.team import MODEL, Team

REFUSED_LOAD = "Fireworks refuses the addon: LoRA validation failed"


@pytest.fixture
def tuned(team: Team) -> Team:
    """A team with LoRA models."""
    return add_models(team)


@pytest.mark.proof
def test_an_addon_of_another_base_model_is_told_in_words_and_the_base_model_serves(tuned: Team) -> None:
    tuned.create(addons=addons("alien"))
    resource = until_failed(tuned, "It was trained on", OTHER_BASE, "remove it from spec.addons")
    assert summary(resource) == STALLED
    (entry,) = resource["status"]["addons"]
    assert (entry["model"], "modelIdentifier" in entry) == (model(tuned, "alien"), False)
    tuned.assert_at_rest(said=STALLED)
    tuned.simulator.add_model(model(tuned, "alien"), kind="HF_PEFT_ADDON", baseModel=MODEL)
    tuned.annotate("chat", "reconcile-at", "now")
    until_loaded(tuned, "alien")
    assert loads(tuned) == ["alien"]


@pytest.mark.proof
def test_two_refused_addons_are_both_told_and_keep_no_third_waiting(tuned: Team) -> None:
    hide_records(tuned)
    tuned.create(addons=addons("alien", "tone", "stranger"))
    until_failed(tuned, f"{model(tuned, 'alien')}: {REFUSED_LOAD}", f"{model(tuned, 'stranger')}: {REFUSED_LOAD}")
    tuned.eventually(lambda: loaded(tuned).keys() == {"tone"}, "the third is loaded")
    tuned.assert_at_rest(said=STALLED)
    assert sorted(loads(tuned)) == ["alien", "stranger", "tone"]
    tuned.annotate("chat", "reconcile-at", "now")
    tuned.eventually(lambda: len(loads(tuned)) == 5, "both are tried again")
    tuned.assert_at_rest(said=STALLED)
    assert sorted(loads(tuned)[3:]) == ["alien", "stranger"]


@pytest.mark.proof
def test_an_addon_beyond_the_accounts_quota_leaves_the_deployment_available(tuned: Team) -> None:
    words = "LoRA quota exceeded, in use: 100, quota: 100"
    tuned.fault("status", method="POST", path="/deployedModels$", code="RESOURCE_EXHAUSTED", message=words)
    tuned.create(addons=addons("tone"))
    resource = until_failed(tuned, words)
    assert summary(resource) == STALLED
    tuned.assert_at_rest(said=STALLED)
    assert not [each for each in tuned.events() if each["reason"] == "QuotaExceeded"], "it is the addon that fails"


@pytest.mark.proof
def test_a_refused_change_of_an_addon_is_told_and_made_when_it_can_be(tuned: Team) -> None:
    tuned.create(addons=addons("tone", "style"))
    until_loaded(tuned, "tone", "style")
    rule = tuned.fault("status", method="PATCH", path="/deployedModels/", code="INVALID_ARGUMENT", message="not so")
    tuned.change(addons=addons("tone", "style", public=True))
    until_failed(tuned, f"{model(tuned, 'tone')}: Fireworks refuses the addon: not so", f"{model(tuned, 'style')}: ")
    tuned.assert_at_rest(said=STALLED)
    assert len(requests(tuned, "PATCH")) == 2, "each was tried once"
    tuned.simulator.clear_fault(rule)
    tuned.annotate("chat", "reconcile-at", "now")
    until_loaded(tuned, "tone", "style")
    assert all(each.get("public") for each in loaded(tuned).values())


@pytest.mark.proof
def test_a_refused_unload_is_told_and_made_when_it_can_be(tuned: Team) -> None:
    tuned.create(enableAddons=True, addons=addons("tone"))
    until_loaded(tuned, "tone")
    rule = tuned.fault("status", method="DELETE", path="/deployedModels/", code="FAILED_PRECONDITION", message="busy")
    tuned.change(addons=None)
    resource = until_failed(tuned, "Fireworks refuses to unload the addon: busy")
    assert summary(resource) == AT_REST
    tuned.assert_at_rest()
    tuned.simulator.clear_fault(rule)
    tuned.annotate("chat", "reconcile-at", "now")
    until_loaded(tuned)
    tuned.eventually(lambda: condition(tuned.get(), "AddonsReady") == {}, "no addons, no condition")


@pytest.mark.proof
def test_an_addon_that_does_not_come_up_is_told_in_fireworks_words_until_it_does(tuned: Team) -> None:
    tuned.simulator.timing(addon=600)
    tuned.create(addons=addons("tone"))
    tuned.eventually(lambda: "tone" in loaded(tuned), "it is being loaded")
    name = loaded(tuned)["tone"]["name"].rsplit("/", 1)[-1]
    tuned.simulator.edit_deployed_model(name, statusCode="INTERNAL", statusMessage="LoRA failed to load")
    assert summary(until_failed(tuned, "LoRA failed to load")) == STALLED
    tuned.assert_at_rest(said=STALLED)
    tuned.simulator.edit_deployed_model(name, state="DEPLOYED", statusCode="OK", statusMessage="")
    until_loaded(tuned, "tone")
    assert loads(tuned) == ["tone"]


@pytest.mark.proof
def test_an_addon_of_a_deployment_scaled_to_zero_waits_for_a_replica(tuned: Team) -> None:
    tuned.create(minReplicaCount=0, enableAddons=True, autoscalingPolicy={"scaleToZeroWindow": "5m"})
    tuned.until_ready()
    tuned.simulator.advance(301)
    tuned.until("chat", "Ready", "True", "ScaledToZero")
    tuned.change(addons=addons("tone"))
    tuned.until("chat", "AddonsReady", "False", "AddonsLoading", says="until the deployment has a replica")
    tuned.until("chat", "Ready", "True", "ScaledToZero")
    tuned.eventually(lambda: _states(tuned) == {"tone": "DEPLOYING"}, "it is listed")
    tuned.assert_at_rest()
    tuned.simulator.load(tuned.deployment_id(), 1)
    tuned.until("chat", "Available", "True")
    until_loaded(tuned, "tone")
    assert loads(tuned) == ["tone"]


@pytest.mark.proof
def test_a_paused_resource_keeps_its_addons_as_they_are(tuned: Team) -> None:
    tuned.create(addons=addons("tone"))
    until_loaded(tuned, "tone")
    seen = tuned.simulator.last_sequence()
    tuned.change(paused=True, addons=addons("style"))
    tuned.until("chat", "Stalled", "True", "Paused", says="UnloadAddon")
    assert tuned.writes(since=seen) == []
    tuned.change(paused=None)
    until_loaded(tuned, "style")
    tuned.assert_at_rest()


@pytest.mark.proof
def test_a_restart_loads_nothing_twice_and_tries_nothing_refused_again(tuned: Team) -> None:
    hide_records(tuned)
    tuned.create(addons=addons("tone", "alien"))
    until_failed(tuned, REFUSED_LOAD)
    tuned.eventually(lambda: _states(tuned) == {"tone": "DEPLOYED", "alien": None}, "the other one is loaded")
    version = tuned.get()["metadata"]["resourceVersion"]
    seen = tuned.simulator.last_sequence()
    assert tuned.operator is not None
    tuned.operator.restart()
    tuned.assert_at_rest(said=STALLED)
    assert tuned.get()["metadata"]["resourceVersion"] == version
    assert tuned.writes(since=seen) == []


def _states(team: Team) -> dict[str, str | None]:
    return {each["model"].rsplit("/", 1)[-1]: each.get("state") for each in team.status().get("addons", [])}
