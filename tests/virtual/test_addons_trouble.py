"""LoRA addons that cannot be loaded, and deployments that go, sleep or are held back under theirs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from testkit.conditions import summary
from testkit.stories.addons import (
    MISFIT,
    OTHER_BASE,
    REFUSED_LOAD,
    add_models,
    addons,
    hide_records,
    last,
    loaded,
    loads,
    model,
    requests,
    states,
    until_failed,
    until_loaded,
)
from testkit.stories.team import AT_REST, LOADING, STALLED
from tests.virtual.team import MODEL, Json, Team, condition, holds, pauses

REFUSED = (60, 300, 900, 3600)
"""Seconds between two tries of what was refused."""
PATIENCE = 900
"""Seconds that an addon may load."""


@pytest.fixture
def tuned(team: Team) -> Team:
    """A team with LoRA models."""
    return add_models(team)


# --- what cannot be done --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Refusal:
    """What Fireworks does not do about an addon, and what is said of it."""

    name: str
    why: str
    before: list[Json]
    after: list[Json] | None
    method: str
    fault: Mapping[str, object]
    says: str
    enable: Mapping[str, object] = field(default_factory=dict)


_QUOTA = "LoRA quota exceeded, in use: 100, quota: 100"
REFUSALS = [
    Refusal(
        "a load, for its quota",
        "others have loaded as many as the account may",
        [],
        addons("tone"),
        "POST",
        {"code": "RESOURCE_EXHAUSTED", "message": _QUOTA},
        _QUOTA,
        {"enableAddons": True},
    ),
    Refusal(
        "a load, for its base model",
        "a model that does not fit",
        [],
        addons("tone"),
        "POST",
        {"code": "INVALID_ARGUMENT", "message": "LoRA validation failed"},
        REFUSED_LOAD,
        {"enableAddons": True},
    ),
    Refusal(
        "a change",
        "a setting that Fireworks does not take",
        addons("tone"),
        addons("tone", public=True),
        "PATCH",
        {"code": "INVALID_ARGUMENT", "message": "not so"},
        "Fireworks refuses the addon: not so",
    ),
    Refusal(
        "an unload",
        "it is in use",
        addons("tone"),
        None,
        "DELETE",
        {"code": "FAILED_PRECONDITION", "message": "busy"},
        "Fireworks refuses to unload the addon: busy",
        {"enableAddons": True},
    ),
]


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: row.name)
def test_what_fireworks_refuses_about_an_addon_is_told_tried_rarely_and_made_in_the_end(
    tuned: Team, row: Refusal
) -> None:
    tuned.create(spec=row.enable, addons=row.before or None)
    until_loaded(tuned, *(last(each["model"]) for each in row.before))
    tuned.until_ready()
    rule = tuned.fault("status", method=row.method, path="/deployedModels", action=row.fault)
    seen = tuned.seen()
    tuned.change(addons=row.after)
    resource = until_failed(tuned, row.says)
    assert summary(resource) == (STALLED if row.after else AT_REST), "only what the spec names keeps it from Ready"
    assert condition(resource, "Ready")["reason"] == ("AddonFailed" if row.after else "Serving")
    assert holds(resource, "AddonsReady") == "False"
    version = resource["metadata"]["resourceVersion"]
    tuned.wait(REFUSED[0] - 10)
    assert tuned.get()["metadata"]["resourceVersion"] == version
    tuned.wait(sum(REFUSED) - REFUSED[0] + 30)
    tries = [each for each in requests(tuned, row.method) if each.sequence > seen]
    assert [round(each, -1) for each in pauses(tries)] == list(REFUSED)
    assert not [each for each in tuned.events() if each.reason == "QuotaExceeded"], "it is the addon that fails"
    tuned.simulator.clear_fault(rule)
    names = [last(each["model"]) for each in row.after or []]
    tuned.eventually(lambda: loaded(tuned).keys() == {*names}, "it is made by itself", within=REFUSED[-1] + 60)
    until_loaded(tuned, *names, within=REFUSED[-1] + 60)
    if not names:
        tuned.eventually(lambda: condition(tuned.get(), "AddonsReady") == {}, "no addons, no condition")


def test_an_addon_of_another_base_model_is_told_in_words_and_loaded_once_it_fits(tuned: Team) -> None:
    tuned.create(addons=addons("alien"))
    resource = until_failed(tuned, MISFIT, OTHER_BASE, f"the deployment serves {MODEL}", "remove it from spec.addons")
    assert summary(resource) == STALLED
    assert loads(tuned) == [], "it is told without a request that could only be refused"
    assert model(tuned, "alien") in condition(resource, "Stalled")["message"]
    (entry,) = resource["status"]["addons"]
    assert (entry["model"], "modelIdentifier" in entry) == (model(tuned, "alien"), False)
    tuned.simulator.add_model(model(tuned, "alien"), kind="HF_PEFT_ADDON", baseModel=MODEL)
    tuned.annotate("chat", "reconcile-at", "now")
    until_loaded(tuned, "alien", within=10)
    assert loads(tuned) == ["alien"]


def test_an_addon_that_does_not_fit_keeps_no_other_waiting_and_is_looked_at_seldom(tuned: Team) -> None:
    tuned.create(addons=addons("alien", "tone", "stranger"))
    until_failed(tuned, f"{model(tuned, 'alien')}: {MISFIT}", f"{model(tuned, 'stranger')}: {MISFIT}")
    tuned.eventually(lambda: loaded(tuned).keys() == {"tone"}, "the third is loaded", within=10)
    tuned.assert_at_rest(said=STALLED)
    seen = tuned.seen()
    tuned.wait(4 * 3600)
    asked = tuned.journal("GET", "/models/alien$", since=seen)
    assert 3 <= len(asked) <= 4, "once an hour"
    assert loads(tuned) == ["tone"]
    tuned.simulator.add_model(model(tuned, "alien"), kind="HF_PEFT_ADDON", baseModel=MODEL)
    tuned.eventually(lambda: loads(tuned) == ["tone", "alien"], "by itself, once it fits", within=3700)
    tuned.change(addons=addons("alien", "tone"))
    until_loaded(tuned, "alien", "tone")
    tuned.assert_at_rest()


def test_two_refused_addons_are_both_told_and_keep_no_third_waiting(tuned: Team) -> None:
    hide_records(tuned)
    tuned.create(addons=addons("alien", "tone", "stranger"))
    until_failed(tuned, f"{model(tuned, 'alien')}: {REFUSED_LOAD}", f"{model(tuned, 'stranger')}: {REFUSED_LOAD}")
    tuned.eventually(lambda: loaded(tuned).keys() == {"tone"}, "the third is loaded", within=10)
    tuned.wait(30)
    assert sorted(loads(tuned)) == ["alien", "stranger", "tone"]
    tuned.annotate("chat", "reconcile-at", "now")
    tuned.eventually(lambda: len(loads(tuned)) == 5, "both are tried again", within=10)
    tuned.assert_at_rest(said=STALLED)
    assert sorted(loads(tuned)[3:]) == ["alien", "stranger"]


def test_two_refused_changes_are_both_told_and_each_is_tried_once(tuned: Team) -> None:
    tuned.create(addons=addons("tone", "style"))
    until_loaded(tuned, "tone", "style")
    tuned.fault("status", method="PATCH", path="/deployedModels/", code="INVALID_ARGUMENT", message="not so")
    tuned.change(addons=addons("tone", "style", public=True))
    until_failed(tuned, f"{model(tuned, 'tone')}: Fireworks refuses the addon: not so", f"{model(tuned, 'style')}: ")
    tuned.assert_at_rest(said=STALLED)
    assert len(requests(tuned, "PATCH")) == 2


def test_an_addon_that_fails_to_load_is_told_in_fireworks_words_until_it_does(tuned: Team) -> None:
    tuned.simulator.timing(addon=600)
    tuned.create(addons=addons("tone"))
    tuned.eventually(lambda: "tone" in loaded(tuned), "it is being loaded")
    name = last(loaded(tuned)["tone"]["name"])
    tuned.simulator.edit_deployed_model(name, statusCode="INTERNAL", statusMessage="LoRA failed to load")
    assert summary(until_failed(tuned, "LoRA failed to load")) == STALLED
    tuned.assert_at_rest(said=STALLED)
    tuned.simulator.edit_deployed_model(name, state="DEPLOYED", statusCode="OK", statusMessage="")
    until_loaded(tuned, "tone")
    assert loads(tuned) == ["tone"]


def test_an_addon_that_loads_for_over_a_quarter_of_an_hour_is_told(tuned: Team) -> None:
    tuned.simulator.timing(addon=3600)
    tuned.create(addons=addons("tone"))
    tuned.until("chat", "AddonsReady", "False", "AddonsLoading")
    began = tuned.stage.now()
    assert summary(tuned.until("chat", "Ready", "False", "LoadingAddons")) == LOADING
    tuned.until("chat", "AddonsReady", "False", "AddonFailed", within=PATIENCE + 70)
    assert summary(tuned.get()) == STALLED
    assert tuned.stage.now() - began >= PATIENCE - 5
    until_loaded(tuned, "tone", within=3600)
    assert summary(tuned.get()) == AT_REST
    assert loads(tuned) == ["tone"]


def test_an_addon_of_a_deployment_scaled_to_zero_waits_for_a_replica(tuned: Team) -> None:
    tuned.create(minReplicaCount=0, enableAddons=True, autoscalingPolicy={"scaleToZeroWindow": "5m"})
    tuned.until("chat", "Ready", "True", "ScaledToZero", within=400)
    tuned.change(addons=addons("tone"))
    tuned.until("chat", "AddonsReady", "False", "AddonsLoading", says="until the deployment has a replica")
    tuned.until("chat", "Ready", "True", "ScaledToZero")
    tuned.eventually(lambda: states(tuned) == {"tone": "DEPLOYING"}, "it is listed")
    tuned.assert_at_rest(seconds=PATIENCE + 120)
    tuned.simulator.load(tuned.deployment_id(), 1)
    tuned.until("chat", "Available", "True")
    until_loaded(tuned, "tone")
    assert loads(tuned) == ["tone"]


# --- the deployment goes, or is held back ---------------------------------------------------------------------------


def test_a_paused_resource_keeps_its_addons_as_they_are(tuned: Team) -> None:
    tuned.create(addons=addons("tone"))
    until_loaded(tuned, "tone")
    seen = tuned.seen()
    tuned.change(paused=True, addons=addons("style"))
    tuned.until("chat", "Stalled", "True", "Paused", says="UnloadAddon")
    tuned.wait(600)
    assert tuned.writes(since=seen) == []
    tuned.change(paused=None)
    until_loaded(tuned, "style")
    tuned.assert_at_rest()


@pytest.mark.parametrize("hidden", [True, False], ids=["refused by Fireworks", "does not fit"])
def test_a_restart_loads_nothing_twice_and_tries_nothing_refused_again(tuned: Team, hidden: bool) -> None:
    if hidden:
        hide_records(tuned)
    tuned.create(addons=addons("tone", "alien"))
    until_failed(tuned, REFUSED_LOAD if hidden else MISFIT)
    tuned.eventually(lambda: states(tuned) == {"tone": "DEPLOYED", "alien": None}, "the other one is loaded")
    version, seen = tuned.get()["metadata"]["resourceVersion"], tuned.seen()
    tuned.stage.restart()
    tuned.assert_at_rest(seconds=20, said=STALLED)
    assert tuned.get()["metadata"]["resourceVersion"] == version
    assert tuned.writes(since=seen) == []
