"""What the status remembers of the router of spec.router, and the identifier that it is."""

from fireworks_operator.api.v1alpha1 import Identifier, RouterStatus
from fireworks_operator.core.actions import CreateRouter, DeleteRouter
from fireworks_operator.core.connection import ROUTER
from fireworks_operator.core.decisions.router import (
    is_ours,
    own_deployments,
    unsettled_until,
    wanted_router,
    whole_seconds,
)
from fireworks_operator.core.identity import account_of
from fireworks_operator.core.observed.router import SeenRouter
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.situation import Situation
from fireworks_operator.fireworks.models import Deployment
from fireworks_operator.fireworks.routers import Router


def router_after(situation: Situation, outcome: Outcome) -> RouterStatus | None:
    """Return what is known of the router; written before it is created, and kept until it is known to be gone."""
    known, seen, action = situation.status.router, situation.context.router, outcome.action
    if isinstance(action, CreateRouter) and outcome.begun:
        now = whole_seconds(situation.now)
        return RouterStatus(name=action.router, deployment=action.target, request_time=now)
    if isinstance(action, DeleteRouter) and outcome.error is None:
        return None
    if isinstance(action, CreateRouter) and outcome.error is not None and outcome.error.definite:
        return None  # it is certain that nothing was created
    if seen is None or seen.trouble is not None or (known is not None and known.name != seen.name):
        return known
    if seen.router is not None and is_ours(situation, seen.router):
        return _told(situation, seen.router)
    return None if known is None else _missing(situation, known, seen)


def _missing(situation: Situation, known: RouterStatus, seen: SeenRouter) -> RouterStatus | None:
    """Return what is still remembered of a router that is not there, or another's in its place."""
    may_come = unsettled_until(known, situation.now) is not None
    wanted = wanted_router(situation.resource, account_of(known.name)) == known.name
    is_gone = seen.router is not None or (seen.fresh and not wanted)
    return None if is_gone and not may_come else known.model_copy(update={"state": None})


def router_identifiers(situation: Situation, deployment: Deployment) -> list[Identifier]:
    """Return the router as an identifier of the deployment; while nothing new is known of it, as before."""
    name, seen = wanted_router(situation.resource, deployment.account), situation.context.router
    if name is None:
        return []
    entry = Identifier(kind=ROUTER, value=name)
    if seen is None or seen.trouble is not None or seen.name != name:
        return [entry] if entry in (situation.status.identifiers or ()) else []
    return [entry] if seen.router is not None and _reaches(situation, seen.router) else []


def _reaches(situation: Situation, router: Router) -> bool:
    """Tell whether requests to the router reach the resource's deployment; while it changes, the one before."""
    if router.state in ("CREATING", "DELETING") or not is_ours(situation, router):
        return False
    return not own_deployments(situation).isdisjoint(router.deployments)


def _told(situation: Situation, router: Router) -> RouterStatus:
    known, own = situation.status.router, own_deployments(situation)
    before = None if known is None else known.deployment
    return RouterStatus(
        name=router.name,
        state=router.state or None,
        deployment=next((each for each in router.deployments if each in own), before),
        create_time=whole_seconds(router.create_time),
    )
