"""What a pass finds out before it acts: the situation, and the one step that `decide()` names for it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from logging import getLogger

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import FireworksDeployment, Replacement, ReplacementPhase
from fireworks_operator.core.actions import (
    DESTRUCTIVE,
    NEEDS_FRESH_GET,
    Action,
    Claim,
    Delete,
    HandBack,
    LoadAddon,
    Refuse,
    Rest,
    RouterChange,
    Switch,
    UnloadAddon,
    Waiting,
)
from fireworks_operator.core.context import Context
from fireworks_operator.core.decisions.addons import lists_loaded
from fireworks_operator.core.decisions.decide import decide, needs_closer_look
from fireworks_operator.core.decisions.growth import frees_quota, hardware_question
from fireworks_operator.core.decisions.replacement import creation
from fireworks_operator.core.diagnosis import diagnose
from fireworks_operator.core.observed.observation import Absent, Observed, Present, Unknown, is_of_now
from fireworks_operator.core.replacing.handover import decide_both, is_due
from fireworks_operator.core.situation import Situation, assess
from fireworks_operator.core.successor import second
from fireworks_operator.core.target import former_names, target_name
from fireworks_operator.fireworks.errors import ErrorKind

from .access import Access

log = getLogger(__name__)


async def look_and_decide(
    resource: FireworksDeployment,
    access: Access | None,
    context: Context,
    crd_deleting: Callable[[], Awaitable[bool]],
) -> tuple[Situation, Action]:
    """Decide by what is known; what must not be done upon a LIST of a while ago is asked for and decided anew.

    Nothing is changed here, so the process may die anywhere in it.

    Args:
        resource: as stored last.
        access: to its account; None where there is none, so that nothing is known.
        context: what surrounds the pass.
        crd_deleting: asks the API server whether the CRD itself is being deleted.

    Raises:
        FireworksError: a GET failed, or a validation had no answer.
        FencedError: the Lease is too short for a validation.
    """
    replacement, target = resource.status.replacement, target_name(resource, context)
    if access is not None and target is not None:
        context = replace(context, router=access.observe_router(resource, target))
    if replacement is None:
        return await _look_at(resource, access, context, crd_deleting)
    return await _look_at_both(resource, replacement, access, context, crd_deleting)


async def _look_at_both(
    resource: FireworksDeployment,
    replacement: Replacement,
    access: Access | None,
    context: Context,
    crd_deleting: Callable[[], Awaitable[bool]],
) -> tuple[Situation, Action]:
    """Decide for each of two deployments as though it were the only one, and then whose turn it is."""
    view, of_second = second(resource, replacement), replace(context, revision=replacement.revision)
    name = target_name(view, of_second)
    known = Unknown() if access is None or name is None else access.observe(name, with_addons=lists_loaded(resource))
    main, action = await _look_at(resource, access, context, crd_deleting, other=known)
    if replacement.phase is ReplacementPhase.PREPARING or is_due(main, action, replacement):
        other, step = await _look_at(view, access, of_second, crd_deleting, other=main.observed)
    else:
        other, step = assess(view, known, of_second, other=main.observed), Rest(replacement.until)
    main = replace(main, other=other.observed)
    situation, chosen = decide_both(main, action, other, step)
    if isinstance(chosen, Switch) and access is not None and name is not None and not is_of_now(other.observed):
        other = other.answered(await access.look(name))
        situation, chosen = decide_both(replace(main, other=other.observed), action, other, decide(other))
    if isinstance(chosen, HandBack) and access is not None:
        return await _confirm_hand_back(access, main, other, step)
    return situation, chosen


async def _confirm_hand_back(
    access: Access, main: Situation, other: Situation, step: Action
) -> tuple[Situation, Action]:
    """Ask for both deployments before the former one takes over again, and decide anew."""
    if not is_of_now(main.observed):
        main = main.answered(await access.explain_failure(await access.look(main.target or "")))
    if not is_of_now(other.observed):
        other = other.answered(await access.look(other.target or ""))
    situation, chosen = decide_both(replace(main, other=other.observed), decide(main), other, step)
    if isinstance(chosen, HandBack | Waiting):
        return situation, chosen
    return main, Rest(main.now)  # it has not failed after all, and what is to be done is decided with all it takes


async def _look_at(
    resource: FireworksDeployment,
    access: Access | None,
    context: Context,
    crd_deleting: Callable[[], Awaitable[bool]],
    *,
    other: Observed | None = None,
) -> tuple[Situation, Action]:
    """Decide for one deployment; `other` is what is known of the second one, if there is one."""
    target = target_name(resource, context)
    if access is None or target is None:
        situation = assess(resource, Unknown(), context, other)
        return situation, decide(situation)
    situation = assess(resource, await _observe(resource, access, target), context, other)
    situation, action = await _learn_hardware(access, situation, decide(situation))
    context = situation.context
    if isinstance(action, DESTRUCTIVE):
        situation = replace(situation, context=replace(context, crd_deleting=await crd_deleting()))
    if isinstance(action, NEEDS_FRESH_GET):
        if not is_of_now(situation.observed):
            observed = await access.look(target)
            situation = situation.answered(
                await access.explain_failure(observed) if isinstance(action, DESTRUCTIVE) else observed
            )
        situation, action = await _validate(access, situation, decide(situation))
    elif isinstance(action, Claim):
        situation = assess(resource, situation.observed, await _look_for_former(resource, access, context), other)
        action = decide(situation)
    situation, action = await _confirm_router(access, situation, action)
    return await _confirm_load(access, *await _confirm_unload(access, situation, action))


async def _observe(resource: FireworksDeployment, access: Access, target: str) -> Observed:
    observed = access.observe(target, with_addons=lists_loaded(resource))
    if access.must_look(target) or needs_closer_look(resource, observed):
        if isinstance(observed, Absent):
            log.info("%s: missing from the list, fetching it directly", resource.ref, extra={"deployment": target})
        observed = await access.look(target)
    return await access.explain_failure(observed)


async def _learn_hardware(access: Access, situation: Situation, action: Action) -> tuple[Situation, Action]:
    """Ask what a replica would run on, where the budgets have to know, and decide again."""
    question = hardware_question(situation)
    if question is None or not isinstance(action, Refuse) or action.reason is not Reason.BUDGET_EXCEEDED:
        return situation, action
    hardware = await access.hardware(question)
    situation = replace(situation, context=replace(situation.context, hardware=hardware))
    return situation, decide(situation)


async def _validate(access: Access, situation: Situation, action: Action) -> tuple[Situation, Action]:
    """Have Fireworks validate what is to replace a deployment before that is deleted, and decide again."""
    if not isinstance(action, Delete) or not action.replaces:
        return situation, action
    create = creation(situation, action.target)
    error = await access.validate(create)
    if error is None or (error.kind is ErrorKind.QUOTA_EXCEEDED and frees_quota(situation)):
        return situation, action
    situation = replace(situation, context=replace(situation.context, rejected=diagnose(error, create)))
    return situation, decide(situation)


async def _look_for_former(resource: FireworksDeployment, access: Access, context: Context) -> Context:
    """Ask for the deployments of former lives of the cluster by name: one that a LIST omits would be made twice."""
    names = former_names(resource, context, access.account.name)
    found = {name for name in names if isinstance(await access.look(name), Present)}
    return replace(context, exists=found.__contains__)


async def _confirm_router(access: Access, situation: Situation, action: Action) -> tuple[Situation, Action]:
    """Ask for the router itself, too, and decide again: it has no owner but the one that it names."""
    asked: set[str] = set()
    while isinstance(action, RouterChange) and action.router not in asked:
        asked.add(action.router)
        seen = await access.look_at_router(action.router)
        situation = replace(situation, context=replace(situation.context, router=seen))
        action = decide(situation)
    return situation, action


async def _confirm_unload(access: Access, situation: Situation, action: Action) -> tuple[Situation, Action]:
    """Ask for the addon itself, too, and decide again; perhaps it is gone and it is the next one's turn."""
    asked: set[str] = set()
    while isinstance(action, UnloadAddon) and action.deployed_model not in asked:
        if not isinstance(situation.observed, Present):
            break
        asked.add(action.deployed_model)
        situation = situation.answered(await access.look_at_addon(situation.observed, action.deployed_model))
        action = decide(situation)
    return situation, action


async def _confirm_load(access: Access, situation: Situation, action: Action) -> tuple[Situation, Action]:
    """Ask for the record of an addon's model, too, and decide again; one that does not fit gives way to the next."""
    asked: set[str] = set()
    while isinstance(action, LoadAddon) and action.model not in asked and isinstance(situation.observed, Present):
        asked.add(action.model)
        base, anew = situation.observed.deployment.base_model, situation.context.skip_pauses or situation.is_new
        models = {**situation.context.models, **await access.addon_models(action.model, base, anew=anew)}
        situation = replace(situation, context=replace(situation.context, models=models))
        action = decide(situation)
    return situation, action
