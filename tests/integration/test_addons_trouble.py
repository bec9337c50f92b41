"""LoRA addons that cannot be loaded, and deployments that go, sleep or are held back under theirs."""

from functools import partial

import pytest

from testkit.kubernetes_api import condition
from testkit.team import MODEL, Team
from tests.integration.addons import (
    AT_REST,
    OTHER_MODEL,
    STALLED,
    add_models,
    addons,
    assert_at_rest,
    call,
    hide_records,
    load_elsewhere,
    loaded,
    loads,
    model,
    outcome,
    requests,
    until_failed,
    until_loaded,
)

REFUSED_LOAD = "Fireworks refuses the addon: LoRA validation failed"


@pytest.fixture
def tuned(team: Team) -> Team:
    """A team with LoRA models."""
    return add_models(team)


@pytest.mark.proof
def test_an_addon_of_another_base_model_is_told_in_words_and_the_base_model_serves(tuned: Team) -> None:
    tuned.create(addons=addons("alien"))
    resource = until_failed(tuned, "It was trained on", OTHER_MODEL, "remove it from spec.addons")
    assert outcome(resource) == STALLED
    (entry,) = resource["status"]["addons"]
    assert (entry["model"], "modelIdentifier" in entry) == (model(tuned, "alien"), False)
    assert_at_rest(tuned, told=STALLED)
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
    assert_at_rest(tuned, told=STALLED)
    assert sorted(loads(tuned)) == ["alien", "stranger", "tone"]
    tuned.annotate("chat", "reconcile-at", "now")
    tuned.eventually(lambda: len(loads(tuned)) == 5, "both are tried again")
    assert_at_rest(tuned, told=STALLED)
    assert sorted(loads(tuned)[3:]) == ["alien", "stranger"]


@pytest.mark.proof
def test_an_addon_beyond_the_accounts_quota_leaves_the_deployment_available(tuned: Team) -> None:
    words = "LoRA quota exceeded, in use: 100, quota: 100"
    tuned.fault("status", method="POST", path="/deployedModels$", code="RESOURCE_EXHAUSTED", message=words)
    tuned.create(addons=addons("tone"))
    resource = until_failed(tuned, words)
    assert outcome(resource) == STALLED
    assert_at_rest(tuned, told=STALLED)
    assert not [each for each in tuned.events() if each["reason"] == "QuotaExceeded"], "it is the addon that fails"


@pytest.mark.proof
def test_a_refused_change_of_an_addon_is_told_and_made_when_it_can_be(tuned: Team) -> None:
    tuned.create(addons=addons("tone", "style"))
    until_loaded(tuned, "tone", "style")
    rule = tuned.fault("status", method="PATCH", path="/deployedModels/", code="INVALID_ARGUMENT", message="not so")
    tuned.change(addons=addons("tone", "style", public=True))
    until_failed(tuned, f"{model(tuned, 'tone')}: Fireworks refuses the addon: not so", f"{model(tuned, 'style')}: ")
    assert_at_rest(tuned, told=STALLED)
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
    assert outcome(resource) == AT_REST
    assert_at_rest(tuned)
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
    assert outcome(until_failed(tuned, "LoRA failed to load")) == STALLED
    assert_at_rest(tuned, told=STALLED)
    tuned.simulator.edit_deployed_model(name, state="DEPLOYED", statusCode="OK", statusMessage="")
    until_loaded(tuned, "tone")
    assert loads(tuned) == ["tone"]


@pytest.mark.proof
def test_an_addon_that_vanishes_is_loaded_again(tuned: Team) -> None:
    tuned.create(addons=addons("tone"))
    until_loaded(tuned, "tone")
    first = loaded(tuned)["tone"]["name"]
    call(tuned, f"/v1/{first}", None, "DELETE")
    tuned.eventually(lambda: len(loads(tuned)) == 2, "it is loaded again")
    until_loaded(tuned, "tone")
    assert loaded(tuned)["tone"]["name"] != first
    assert_at_rest(tuned)


@pytest.mark.proof
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
    assert_at_rest(tuned)
    tuned.simulator.load(tuned.deployment_id(), 1)
    tuned.until("chat", "Available", "True")
    until_loaded(tuned, "tone")
    assert loads(tuned) == ["tone"]


@pytest.mark.proof
def test_where_fireworks_refuses_to_load_without_a_replica_it_is_told(tuned: Team) -> None:
    tuned.simulator.assume(load_while_not_ready="refuse")
    tuned.create(minReplicaCount=0, maxReplicaCount=0, enableAddons=True, addons=addons("tone"))
    tuned.until("chat", "AddonsReady", "False", "AddonFailed", says="is not ready")
    tuned.until("chat", "Ready", "True", "Parked")
    assert_at_rest(tuned)
    tuned.change(maxReplicaCount=1, minReplicaCount=1)
    tuned.until("chat", "Available", "True")
    tuned.annotate("chat", "reconcile-at", "now")
    until_loaded(tuned, "tone")


def test_a_deleted_resource_has_its_addons_unloaded_before_its_deployment_is_deleted(tuned: Team) -> None:
    tuned.create(addons=addons("tone", "style"))
    until_loaded(tuned, "tone", "style")
    seen = tuned.simulator.last_sequence()
    tuned.delete()
    tuned.until_gone()
    assert tuned.deployments() == []
    asked = [each for each in tuned.journal(since=seen) if each.method == "DELETE"]
    assert ["deployedModels" in each.path for each in asked] == [True, True, False]
    assert [each.query for each in asked] == [{}] * 3
    assert all(each.committed for each in asked), "each of them once"


@pytest.mark.proof
def test_what_others_have_loaded_blocks_a_deletion_and_is_left_to_them(tuned: Team) -> None:
    tuned.create(addons=addons("tone"))
    name = until_loaded(tuned, "tone")["status"]["deploymentName"]
    theirs = load_elsewhere(tuned, name, "terms")
    tuned.delete()
    tuned.until("chat", "Stalled", "True", "DeletionBlocked", says="1 loaded addons, unload them first")
    assert loaded(tuned).keys() == {"terms"}
    call(tuned, f"/v1/{theirs}", None, "DELETE")
    tuned.eventually(lambda: not loaded(tuned), "they unload it")
    tuned.annotate("chat", "reconcile-at", "now")
    tuned.until_gone()
    assert tuned.deployments() == []


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
    assert_at_rest(tuned)


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
    assert_at_rest(tuned, told=STALLED)
    assert tuned.get()["metadata"]["resourceVersion"] == version
    assert tuned.writes(since=seen) == []


def _states(team: Team) -> dict[str, str | None]:
    return {each["model"].rsplit("/", 1)[-1]: each.get("state") for each in team.status().get("addons", [])}


@pytest.mark.proof
def test_many_addons_of_several_resources_are_each_loaded_once(tuned: Team) -> None:
    names = [f"lora-{number}" for number in range(8)]
    for each in names:
        tuned.simulator.add_model(model(tuned, each), kind="HF_PEFT_ADDON", baseModel=MODEL)
    for resource in ("one", "two"):
        tuned.create(resource, addons=addons(*names))
    for resource in ("one", "two"):
        tuned.eventually(partial(until_loaded, tuned, *names, resource=resource), "all are loaded")
    assert sorted(loads(tuned)) == sorted(names * 2)
    assert_at_rest(tuned, "one", "two")
