"""The router of spec.router: created once its deployment is ready, kept pointing at it, deleted with it."""

from datetime import datetime

from pydantic import JsonValue

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import FireworksDeployment, RouterStatus
from fireworks_operator.core.actions import (
    CreateRouter,
    DeleteRouter,
    Progress,
    Refuse,
    RouterChange,
    SetRouter,
    Trouble,
)
from fireworks_operator.core.identity import Owner, account_of, is_router_marker, router_marker, router_name
from fireworks_operator.core.observed.router import SeenRouter
from fireworks_operator.core.pauses import (
    BLOCKED,
    DELETE,
    DELETE_IGNORING_CHECKS,
    DELETE_WITH_ADDONS,
    POST_SETTLES,
    UPDATE_SPACING,
    pause_until,
)
from fireworks_operator.core.situation import Situation
from fireworks_operator.fireworks.models import Deployment
from fireworks_operator.fireworks.routers import Router

from .refusals import held_back, still_refused

UNSETTLED_STATES = frozenset({"CREATING", "UPDATING", "DELETING"})
"""States in which requests do not go yet, or no longer, where the router says (Fireworks REST reference, routers)."""

Waits = Progress | Trouble | Refuse


def wanted_router(resource: FireworksDeployment, account: str) -> str | None:
    """Return the full name of the router that the spec asks for, None if it asks for none."""
    return None if resource.spec.router is None else router_name(account, resource.spec.router.id)


def router_in_question(resource: FireworksDeployment, account: str) -> str | None:
    """Return the router that the next step is about: one that the status remembers comes first, wanted or not."""
    known = _known(resource, account)
    return wanted_router(resource, account) if known is None else known.name


def decide_router(situation: Situation, deployment: Deployment) -> RouterChange | Waits | None:
    """Name the next step for the router of a live deployment, None if it is as the spec says."""
    name = router_in_question(situation.resource, deployment.account)
    wanted = wanted_router(situation.resource, deployment.account)
    if name is None:
        return None
    if name != wanted:
        after = None if wanted is None else Progress(Reason.UPDATING, f"Creating the router {wanted}.", situation.now)
        return _decide_removal(situation, name) or after
    if deployment.state != "READY":
        return None
    return _decide_wanted(situation, deployment.name, name)


def decide_router_before_deletion(situation: Situation) -> DeleteRouter | Waits | None:
    """Name the next step for the router of a resource that is deleted; None once nothing is left of it.

    The spec names one that the status does not know, if that was lost or is of an old backup: such a one is asked for
    until the deletion of the deployment has begun, which comes after the router's.
    """
    if situation.target is None:
        return None
    resource, account = situation.resource, account_of(situation.target)
    known = _known(resource, account)
    name = wanted_router(resource, account) if known is None else known.name
    begun = situation.attempt_of(DELETE, DELETE_IGNORING_CHECKS, DELETE_WITH_ADDONS) is not None
    return None if name is None or (known is None and begun) else _decide_removal(situation, name)


def router_settled(situation: Situation) -> bool:
    """Tell whether nothing sends requests to a former deployment any more.

    That is where the spec asks for no router, or the router was seen to send all requests to the present deployment.
    """
    known, seen = situation.status.router, situation.context.router
    if known is None and situation.spec.router is None:
        return True
    if seen is None or seen.trouble is not None:
        return False
    router = seen.router
    if router is None or not is_ours(situation, router):
        return known is None
    return router.deployments == (situation.target,) and router.state not in UNSETTLED_STATES


def is_ours(situation: Situation, router: Router) -> bool:
    """Tell whether a router was created for this resource.

    Two of three must say so: the status remembers when it was created, its display name is the owner marker, and it
    names no deployment but the resource's. So a router that was renamed by hand, or given another deployment, is still
    the resource's; one that somebody else made, even over the same deployment, or under the id of a former one, is not.
    Nor is one with the marker of another resource, whose status may have been restored into this one.
    """
    if router.auto_generated:
        return False
    known, context, owner = situation.status.router, situation.context, situation.owner
    created = None if known is None or known.name != router.name else known.create_time
    remembered = created is not None and created == whole_seconds(router.create_time)
    clusters = (owner.cluster, *context.previous_cluster_ids)
    markers = {router_marker(Owner(cluster, owner.namespace, owner.name)) for cluster in clusters}
    marked = router.display_name in markers
    if is_router_marker(router.display_name) and not marked:
        return False
    alone = own_deployments(situation).issuperset(router.deployments)
    return (remembered, marked, alone).count(True) >= 2


def own_deployments(situation: Situation) -> frozenset[str]:
    """Return the deployments of the resource that a router may name: the present one, and that before or after it."""
    known, replacement = situation.status.router, situation.status.replacement
    names = (
        situation.target,
        None if known is None else known.deployment,
        None if replacement is None else replacement.deployment_name,
    )
    return frozenset(each for each in names if each is not None)


def unsettled_until(known: RouterStatus | None, now: datetime) -> datetime | None:
    """Return until when a request to create the router may yet take effect; None if none can."""
    if known is None or known.request_time is None:
        return None
    until = known.request_time + POST_SETTLES
    return until if until > now else None


def whole_seconds(time: datetime | None) -> datetime | None:
    """Return what Kubernetes keeps of a time."""
    return None if time is None else time.replace(microsecond=0)


def _known(resource: FireworksDeployment, account: str) -> RouterStatus | None:
    """Return the router that the status remembers, if it is of the account."""
    known = resource.status.router
    return known if known is not None and account_of(known.name) == account else None


def _seen(situation: Situation, name: str) -> SeenRouter | None:
    seen = situation.context.router
    return seen if seen is not None and seen.name == name else None


def _decide_wanted(situation: Situation, target: str, name: str) -> RouterChange | Waits | None:
    seen = _seen(situation, name)
    step: RouterChange | None = CreateRouter(target, name, _body(situation, target))
    if seen is None:
        # What the status says of it holds until a LIST says otherwise; else it is asked for before it is created.
        return None if _is_in_place(situation, target, name) else _not_yet(situation, name) or step
    if seen.trouble is not None:
        return _unreadable(situation, seen)
    if seen.router is None:
        # Two requests under way would be one too many to remember: the second answered, the first late.
        return _unanswered(situation, name) or _not_yet(situation, name) or step
    if not is_ours(situation, seen.router):
        return Refuse(
            Reason.ROUTER_CONFLICT,
            f"The router {name} exists and was not created for this resource, so it is left unchanged: set "
            "spec.router.id to an id that is free, or delete that router at Fireworks if nobody needs it.",
        )
    step = _correction(situation, seen.router, target)
    if step is not None and seen.router.state != "DELETING":
        return _not_yet(situation, name) or step
    if seen.router.state in UNSETTLED_STATES:
        return Progress(Reason.UPDATING, f"Waiting for Fireworks to apply the change of the router {name}.")
    return None


def _is_in_place(situation: Situation, target: str, name: str) -> bool:
    known = situation.status.router
    return known is not None and known.name == name and known.request_time is None and known.deployment == target


def _body(situation: Situation, target: str) -> dict[str, JsonValue]:
    return {"displayName": router_marker(situation.owner), "deployments": [target]}


def _correction(situation: Situation, router: Router, target: str) -> SetRouter | None:
    there: dict[str, JsonValue] = {"displayName": router.display_name, "deployments": list(router.deployments)}
    body = {key: value for key, value in _body(situation, target).items() if there[key] != value}
    masks = {"displayName": "display_name"}
    return SetRouter(target, router.name, body, tuple(masks.get(key, key) for key in body)) if body else None


def _not_yet(situation: Situation, name: str) -> Refuse | Progress | None:
    """Say why the router is not created or changed now; None if it is."""
    held = held_back(situation, CreateRouter.name, SetRouter.name)
    sent = situation.context.last_router
    if held is not None or sent is None or situation.context.skip_pauses or situation.is_new:
        return held
    due = sent + UPDATE_SPACING
    return Progress(Reason.UPDATING, f"Changing the router {name}.", due) if due > situation.now else None


def _unreadable(situation: Situation, seen: SeenRouter) -> Refuse | Trouble | None:
    """Say why nothing is known of the router; looked at again after a while."""
    if seen.trouble is None:
        return None
    message, until = f"The router {seen.name} cannot be read. {seen.trouble.message}", situation.now + UPDATE_SPACING
    kind = Refuse if seen.trouble.needs_user else Trouble
    return kind(seen.trouble.reason, message, until)


def _unanswered(situation: Situation, name: str) -> Progress | None:
    """Wait for what a request without an answer may yet create; None if nothing can."""
    settled = unsettled_until(situation.status.router, situation.now)
    if settled is None:
        return None
    message = f"Waiting to confirm that an unanswered request did not create the router {name}."
    return Progress(Reason.UPDATING, message, settled)


def _decide_removal(situation: Situation, name: str) -> DeleteRouter | Waits | None:
    """Delete the router if it is there and ours; None once nothing is left of it."""
    attempt = situation.attempt_of(DeleteRouter.name)
    if attempt is not None and not situation.context.skip_pauses:
        until = pause_until(attempt, BLOCKED)
        if until > situation.now:
            return still_refused(attempt, until)
    seen, delete = _seen(situation, name), DeleteRouter(situation.target or "", name)
    if seen is None or not seen.fresh:
        return delete  # which is done upon an answer of now
    if seen.trouble is not None:
        return _unreadable(situation, seen)
    if seen.router is None:
        return _unanswered(situation, name)
    if not is_ours(situation, seen.router):
        return None
    if seen.router.state == "DELETING":
        return Progress(Reason.UPDATING, f"Waiting for Fireworks to delete the router {name}.")
    return delete
