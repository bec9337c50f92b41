"""LoRA addons: which step comes next, what the user sees of them, and when loading has taken too long."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from fireworks_operator.api.conditions import ConditionType, Reason
from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.core.actions import LoadAddon, Progress, Refuse, Rest, UnloadAddon, Update, UpdateAddon
from fireworks_operator.core.decisions.addons import addons_by_model
from fireworks_operator.core.decisions.decide import decide
from fireworks_operator.core.observed.observation import Present
from fireworks_operator.core.situation import assess
from fireworks_operator.core.status.addons import NEVER_READY
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from testkit.builders import (
    ACCOUNT,
    ADDON,
    CREATED,
    NAME,
    NOW,
    a_context,
    a_deployment,
    a_resource,
    an_addon,
    an_error,
    present,
)
from testkit.report_steps import ASLEEP, GONE, after, find, summary

SECOND = f"accounts/{ACCOUNT}/models/lora-2"
SPEC = {"addons": [{"model": ADDON}]}
BOTH = {"addons": [{"model": ADDON}, {"model": SECOND}]}
STATUS = {**CREATED, "appliedFields": ["baseModel", "enableAddons"]}
RECORDED = {**STATUS, "addons": [{"model": ADDON}]}
REFUSAL = an_error(ErrorKind.INVALID, "rank 128 is too high")
CAPABLE = {"enableAddons": True}


def seconds(count: float) -> datetime:
    return NOW + timedelta(seconds=count)


def capable(*addons: Any) -> Present:  # noqa: ANN401 - as `present` takes them
    return present(*addons, enableAddons=True)


def serving_since(time: datetime, **status: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of a status
    told = {"type": "Available", "status": "True", "reason": "Serving", "lastTransitionTime": time.isoformat()}
    return {**STATUS, **status, "conditions": [told]}


def messages(resource: FireworksDeployment) -> dict[str, str | None]:
    return {each.model.rsplit("/", 1)[-1]: each.message for each in resource.status.addons or ()}


def pass_at(
    time: datetime, resource: FireworksDeployment, observed: Present, error: FireworksError | None = None
) -> FireworksDeployment:
    """Make a pass at a time, as the operator does: a load is recorded before its answer is known."""
    context = a_context(now=time)
    action = decide(assess(resource, observed, context))
    if isinstance(action, LoadAddon):
        resource = after(resource, observed, action, begun=True, context=context)
    failed = error if isinstance(action, LoadAddon | UpdateAddon | UnloadAddon) else None
    return after(resource, observed, action, error=failed, context=context)


def test_an_addon_is_loaded_once_the_deployment_can_take_it() -> None:
    action = decide(assess(a_resource(SPEC, STATUS), capable(), a_context()))
    assert isinstance(action, LoadAddon)
    assert action.body == {"model": ADDON, "deployment": NAME}


def test_an_addon_that_is_loading_is_waited_for_and_looked_at_again_after_15_minutes() -> None:
    begun = NOW - timedelta(minutes=5)
    loading = an_addon(state="DEPLOYING", createTime=begun.isoformat())
    resource = a_resource(SPEC, serving_since(NOW - timedelta(hours=1), addons=[{"model": ADDON}]))
    assert decide(assess(resource, capable(loading), a_context())) == Rest(begun + timedelta(minutes=15))


def test_an_addon_that_never_becomes_ready_says_what_to_check_and_stalls() -> None:
    begun = NOW - timedelta(minutes=16)
    observed = capable(an_addon(state="DEPLOYING", createTime=begun.isoformat()))
    resource = a_resource(SPEC, serving_since(begun, addons=[{"model": ADDON}]))
    assert decide(assess(resource, observed, a_context())) == Rest()
    told = after(resource, observed)
    assert summary(told.status)[:3] == ("FT", "FT", "AddonFailed")
    assert find(told.status, ConditionType.ADDONS_READY).reason == Reason.ADDON_FAILED
    assert "base model" in (messages(told)["lora-1"] or "")


@pytest.mark.parametrize(
    ("woke", "wire", "reason"),
    [
        (NOW - timedelta(hours=2), ASLEEP, "Nothing can load it since the deployment is scaled to zero."),
        (NOW - timedelta(minutes=14), {}, "A replica is there for 14 minutes only."),
    ],
)
def test_the_time_without_a_replica_is_not_held_against_an_addon(
    woke: datetime, wire: dict[str, Any], reason: str
) -> None:
    loading = an_addon(state="DEPLOYING", createTime=(NOW - timedelta(hours=2)).isoformat())
    resource = a_resource(SPEC, serving_since(woke, addons=[{"model": ADDON}]))
    told = after(resource, present(loading, **CAPABLE, **wire))
    assert find(told.status, ConditionType.ADDONS_READY).reason == Reason.ADDONS_LOADING, reason


def test_an_addon_that_waits_for_a_replica_says_so() -> None:
    told = after(a_resource(SPEC, RECORDED), present(an_addon(state="DEPLOYING"), **CAPABLE, **ASLEEP))
    assert "until the deployment has a replica" in find(told.status, ConditionType.ADDONS_READY).message
    told = after(a_resource(SPEC, RECORDED), capable(an_addon(state="DEPLOYING")))
    assert "replica" not in find(told.status, ConditionType.ADDONS_READY).message


# What was refused.


def test_of_two_addons_that_are_refused_both_are_told_at_once_and_both_are_tried_again() -> None:
    resource = a_resource(BOTH, STATUS)
    for _ in range(2):
        resource = pass_at(NOW, resource, capable(), REFUSAL)
    assert all("rank 128" in (text or "") for text in messages(resource).values()), "without a pause in between"
    held = decide(assess(resource, capable(), a_context()))
    assert isinstance(held, Rest)
    assert held.until is not None
    retried = []
    for _ in range(2):
        action = decide(assess(resource, capable(), a_context(now=held.until)))
        assert isinstance(action, LoadAddon)
        retried.append(action.model)
        resource = pass_at(held.until, resource, capable(), REFUSAL)
    assert retried == [ADDON, SECOND]
    assert isinstance(decide(assess(resource, capable(), a_context(now=held.until))), Rest)


@pytest.mark.parametrize(
    ("wire", "spec"),
    [
        ({"displayName": "old"}, {"addons": [{"model": ADDON, "displayName": "new"}]}),
        ({}, {"enableAddons": True}),
    ],
    ids=["change", "unload"],
)
def test_a_refused_step_is_told_until_it_is_no_longer_needed(wire: dict[str, Any], spec: dict[str, Any]) -> None:
    loaded = an_addon(**wire)
    resource = a_resource(spec, {**STATUS, "addons": [{"model": ADDON, "deployedModel": loaded.name}]})
    resource = pass_at(NOW, resource, present(loaded, enableAddons=True), REFUSAL)
    for _ in range(2):
        condition = find(resource.status, ConditionType.ADDONS_READY)
        assert (condition.status, condition.reason) == ("False", Reason.ADDON_FAILED)
        assert "rank 128" in condition.message
        assert summary(resource.status)[:2] == (("FT", "FT") if wire else ("TT", "FF")), "the spec names no other"
        resource = pass_at(seconds(1), resource, present(loaded, enableAddons=True))
    resource = pass_at(seconds(2), resource, capable(an_addon(displayName="new")) if wire else capable())
    left = [each for each in resource.status.conditions if each.type == ConditionType.ADDONS_READY]
    assert [each.status for each in left] == (["True"] if wire else [])


def test_what_is_refused_again_is_one_story_and_not_two() -> None:
    resource = pass_at(NOW, a_resource(SPEC, STATUS), capable(), REFUSAL)
    refused = find(resource.status, ConditionType.ADDONS_READY)
    begun = after(resource, capable(), begun=True, context=a_context(now=seconds(61)))
    assert find(begun.status, ConditionType.ADDONS_READY) == refused


def test_an_addon_that_is_found_loaded_is_told_only_when_the_list_does_not_show_it() -> None:
    taken = an_error(ErrorKind.ALREADY_EXISTS, "lora-1 is deployed already")
    resource = pass_at(NOW, a_resource(SPEC, STATUS), capable(), taken)
    assert messages(resource) == {"lora-1": None}
    assert messages(pass_at(seconds(3), resource, capable(an_addon()))) == {"lora-1": None}
    resource = pass_at(seconds(3), resource, capable(), taken)
    assert "does not list it: lora-1 is deployed already." in (messages(resource)["lora-1"] or "")
    assert decide(assess(resource, capable(), a_context(now=seconds(4)))) == Rest(seconds(303))


def test_a_persons_word_has_all_refused_addons_tried_again_at_once() -> None:
    resource = a_resource(BOTH, STATUS)
    for _ in range(2):
        resource = pass_at(NOW, resource, capable(), REFUSAL)
    skip_pauses = a_context(now=seconds(5), skip_pauses=True)
    first = decide(assess(resource, capable(), skip_pauses))
    resource = after(resource, capable(), first, error=REFUSAL, context=skip_pauses)
    second = decide(assess(resource, capable(), a_context(now=seconds(5))))
    assert isinstance(first, LoadAddon)
    assert isinstance(second, LoadAddon)
    assert {first.model, second.model} == {ADDON, SECOND}


def test_an_outage_is_not_taken_for_a_refusal() -> None:
    resource = pass_at(NOW, a_resource(SPEC, STATUS), capable(), an_error(ErrorKind.NO_ANSWER, definite=False))
    assert messages(resource) == {"lora-1": None}
    assert isinstance(decide(assess(resource, capable(), a_context())), LoadAddon)


@pytest.mark.parametrize("kind", [ErrorKind.INVALID, ErrorKind.QUOTA_EXCEEDED, ErrorKind.PERMISSION_DENIED])
def test_a_refusal_of_an_addon_is_told_as_such_and_leaves_the_deployment_available(kind: ErrorKind) -> None:
    resource = pass_at(NOW, a_resource(SPEC, STATUS), capable(), an_error(kind, "no"))
    assert summary(resource.status)[:4] == ("FT", "FT", "AddonFailed", "Serving")
    assert find(resource.status, ConditionType.ADDONS_READY).reason == Reason.ADDON_FAILED


def test_the_pause_survives_while_it_is_not_known_what_is_loaded() -> None:
    resource = pass_at(NOW, a_resource(SPEC, STATUS), capable(), REFUSAL)
    unlisted = Present(a_deployment(enableAddons=True))
    after_all = pass_at(seconds(1), resource, unlisted)
    assert after_all.status.last_attempt == resource.status.last_attempt
    assert isinstance(decide(assess(after_all, capable(), a_context(now=seconds(1)))), Rest)


# What does not last.


def test_an_addon_is_not_ready_before_all_of_its_changes_are_seen() -> None:
    spec = {"addons": [{"model": ADDON, "public": True}, {"model": SECOND, "public": True}]}
    loaded = (an_addon(), an_addon(SECOND))
    known = [{"model": each.model, "deployedModel": each.name} for each in loaded]
    resource = pass_at(NOW, a_resource(spec, {**STATUS, "addons": known}), capable(*loaded))
    assert find(resource.status, ConditionType.ADDONS_READY).reason == Reason.ADDONS_LOADING
    resource = pass_at(NOW, resource, Present(a_deployment(enableAddons=True)))
    assert find(resource.status, ConditionType.ADDONS_READY).reason == Reason.ADDONS_LOADING
    resource = pass_at(NOW, resource, capable(an_addon(public=True), an_addon(SECOND, public=True)))
    assert find(resource.status, ConditionType.ADDONS_READY).status == "True"


def test_a_change_that_does_not_last_is_told_and_made_again_after_a_pause() -> None:
    spec = {"addons": [{"model": ADDON, "default": True}]}
    loaded = an_addon()
    resource = a_resource(spec, {**STATUS, "addons": [{"model": ADDON, "deployedModel": loaded.name}]})
    context = a_context(addon_updates={loaded.name: NOW - timedelta(minutes=1)})
    action = decide(assess(resource, capable(loaded), context))
    assert action == Rest(NOW + timedelta(minutes=4))
    told = after(resource, capable(loaded), action, context=context)
    assert "was reverted" in find(told.status, ConditionType.ADDONS_READY).message
    later = a_context(addon_updates={loaded.name: NOW - timedelta(minutes=5)})
    assert isinstance(decide(assess(told, capable(loaded), later)), UpdateAddon)
    asked = a_context(addon_updates={loaded.name: NOW - timedelta(minutes=1)}, skip_pauses=True)
    assert isinstance(decide(assess(told, capable(loaded), asked)), UpdateAddon)
    healed = after(told, capable(an_addon(default=True)))
    assert find(healed.status, ConditionType.ADDONS_READY).status == "True"


# Deployments that come and go under their addons.


def test_addons_of_a_deployment_that_is_gone_are_not_ready() -> None:
    loaded = an_addon()
    resource = after(a_resource(SPEC, RECORDED), capable(loaded))
    assert find(resource.status, ConditionType.ADDONS_READY).status == "True"
    lost = after(resource, GONE)
    assert find(lost.status, ConditionType.ADDONS_READY).status == "False"
    entries = lost.status.addons or []
    assert [(each.model, each.deployed_model, each.model_identifier) for each in entries] == [(ADDON, None, None)]


def test_an_addon_that_is_leaving_gives_way_to_its_successor() -> None:
    leaving, here = an_addon(state="UNDEPLOYING"), an_addon(state="DEPLOYED")
    for addons in ((leaving, here), (here, leaving)):
        assert addons_by_model(addons) == {ADDON: here}


def test_our_addons_are_unloaded_before_the_deployment_stops_taking_any() -> None:
    resource = a_resource(status=RECORDED)
    first = decide(assess(resource, capable(an_addon()), a_context()))
    assert isinstance(first, UnloadAddon)
    assert summary(after(resource, capable(an_addon()), first).status)[:2] == ("FT", "TF")
    for meanwhile in (capable(an_addon(state="UNDEPLOYING")), Present(a_deployment(enableAddons=True))):
        waiting = decide(assess(resource, meanwhile, a_context()))
        assert isinstance(waiting, Progress)
        assert waiting.reason is Reason.UPDATING
    last = decide(assess(resource, capable(), a_context()))
    assert isinstance(last, Update)
    assert last.fields == ("enableAddons",)


def test_a_deployment_stays_ready_while_one_of_its_addons_goes() -> None:
    known = {**STATUS, "addons": [{"model": ADDON}, {"model": SECOND}]}
    observed = capable(an_addon(), an_addon(SECOND))
    going = after(a_resource(SPEC, known), observed)
    assert decide(assess(a_resource(SPEC, known), observed, a_context())).name == "UnloadAddon"
    assert summary(going.status)[:2] == ("TT", "FF")


def test_an_addon_that_does_not_go_stops_the_switching_off_and_says_the_way_out() -> None:
    resource = a_resource(status=RECORDED)
    resource = pass_at(NOW, resource, capable(an_addon()), REFUSAL)
    refused = decide(assess(resource, capable(an_addon()), a_context(now=seconds(59))))
    assert isinstance(refused, Refuse)
    assert "spec.enableAddons" in refused.message
    assert isinstance(decide(assess(resource, capable(an_addon()), a_context(now=seconds(60)))), UnloadAddon)


def test_addons_that_somebody_has_switched_off_are_switched_on_and_not_unloaded() -> None:
    assert isinstance(decide(assess(a_resource(SPEC, RECORDED), present(an_addon()), a_context())), Update)


def test_what_an_observed_deployment_lacks_is_a_notice() -> None:
    resource = a_resource({"managementPolicy": "Observe", "maxReplicaCount": 7}, STATUS)
    told = after(resource, present(maxReplicaCount=3)).status.notices or ()
    assert "spec.maxReplicaCount is 7, the deployment has 3: not changed while managementPolicy is Observe." in told


def test_an_addon_that_never_comes_is_told_also_if_a_clock_was_ahead_when_the_deployment_began_to_serve() -> None:
    serves = {"type": "Available", "status": "True", "reason": "Serving", "message": "It serves."}
    ahead = {**serves, "lastTransitionTime": (NOW + timedelta(days=30)).isoformat()}
    resource = a_resource(
        {"addons": [{"model": ADDON}]}, {**STATUS, "addons": [{"model": ADDON}], "conditions": [ahead]}
    )
    loading = an_addon(state="DEPLOYING", createTime=(NOW - timedelta(minutes=16)).isoformat())
    status = after(resource, present(loading, enableAddons=True)).status
    assert [each.message for each in status.addons or ()] == [NEVER_READY]
