"""What a pass does: the one step that was decided, the status that says so, and the events of its transitions."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from logging import getLogger

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import FINALIZER, FireworksDeployment
from fireworks_operator.controller.budgets.ledger import Ledger
from fireworks_operator.controller.measure.startups import Startups
from fireworks_operator.controller.queue import Priority
from fireworks_operator.controller.store import DeploymentStore
from fireworks_operator.core.actions import (
    NEEDS_FRESH_GET,
    Action,
    AddFinalizer,
    Adopt,
    Choose,
    Claim,
    Create,
    CreateRouter,
    Delete,
    HandBack,
    LoadAddon,
    Mutation,
    Park,
    Pending,
    Progress,
    Refuse,
    RemoveFinalizer,
    Rest,
    SetDeployedModel,
    SetReplacement,
    SetRouter,
    SetTags,
    Switch,
    Trouble,
    Turn,
    Undelete,
    Update,
    Waiting,
)
from fireworks_operator.core.context import Context
from fireworks_operator.core.decisions.addons import observed_addons, uses_addons
from fireworks_operator.core.decisions.growth import ceiling_after
from fireworks_operator.core.diagnosis import diagnose, needs_unloading
from fireworks_operator.core.identity import Ownership
from fireworks_operator.core.observed.observation import Absent, Present, Unknown
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.replacing.report import report_resource
from fireworks_operator.core.situation import Situation
from fireworks_operator.core.status.facts import was_settled
from fireworks_operator.core.status.transitions import tell
from fireworks_operator.core.successor import second
from fireworks_operator.core.target import target_name
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.ports import EventRecorder, EventType, MutationFence, ResourceWriter

from .access import Access, FencedError
from .recent import Recent, Unwritten
from .repeating import next_look
from .result import After, Now, PassResult, Retry, nothing_done

log = getLogger(__name__)

FENCED_RETRY = 2.0
"""Seconds until a change is tried again that the Lease was too short for."""
RELEASE_RETRY = 60.0
"""Seconds until the finalizer is removed again from a resource that the watch still has."""
RELEASE_PATIENCE = 30.0
"""Seconds that a resource waits for the mark on the deployment that it leaves: it goes without, too."""
LOOK_KEEPS = timedelta(seconds=60)
"""A change waits no longer than this for its turn, as in a pause of the account, without another look."""


class Actor:
    """Carries out what `decide()` names and writes what `report()` derives.

    Above each step stands what is true if the process dies there.
    """

    def __init__(
        self,
        store: DeploymentStore,
        writer: ResourceWriter,
        events: EventRecorder,
        fence: MutationFence,
        startups: Startups,
        ledger: Ledger,
        wall_clock: Callable[[], datetime],
    ) -> None:
        """Connect the parts; `startups` is shown every status that is written, `ledger` asked before anything grows."""
        self._store = store
        self._writer = writer
        self._events = events
        self._fence = fence
        self._startups = startups
        self._ledger = ledger
        self._wall_clock = wall_clock

    async def act(self, situation: Situation, action: Action, access: Access | None, recent: Recent) -> PassResult:
        """Carry out one action.

        Args:
            situation: upon which it was decided.
            action: what was decided.
            access: to the account; None where there is none, which no change at Fireworks is decided without.
            recent: what was lately done for the resource.

        Raises:
            ResourceChangedError, ResourceGoneError, KubernetesUnavailableError: as the writer does.
            WithdrawnError: it was interrupted, before a request.
        """
        match action:
            case AddFinalizer():
                return await self._add_finalizer(situation, action, recent)
            case RemoveFinalizer():
                return await self._release(situation, action, access, recent)
            case Claim():
                if not self._grants(situation, action):
                    return nothing_done(Now())
                # Dying before the write: nothing has happened. After it: the name is known before anything can exist
                # under it, and the next pass creates what is absent there.
                await self._write(situation, Outcome(action), recent)
                recent.finalized = False
                return PassResult(action, Now())
            case Park() | Choose():
                # Dying before the write: nothing has happened. After it: what the deployment gets back, or is given up
                # for, is known before anything of it is changed, and the next pass goes on.
                await self._write(situation, Outcome(action), recent)
                return PassResult(action, Now())
            case SetReplacement() | Switch() | HandBack():
                return await self._turn(situation, action, recent)
            case Rest() | Pending() | Progress() | Trouble() | Refuse():
                return await self._wait(situation, action, recent)
            case _:
                if access is None:
                    raise AssertionError(f"decided {action.name} without access to an account")
                return await self._mutate(situation, action, access, recent)

    async def _add_finalizer(self, situation: Situation, action: AddFinalizer, recent: Recent) -> PassResult:
        # Dying on either side: a finalizer without a claim, and nothing at Fireworks.
        stored = await self._writer.add_finalizer(situation.resource)
        recent.finalized = True
        self._store.put(stored)
        return PassResult(action, Now() if FINALIZER in stored.metadata.finalizers else Retry())

    async def _turn(self, situation: Situation, action: SetReplacement | Turn, recent: Recent) -> PassResult:
        """Begin, switch or end the replacement of a deployment; nothing is asked of Fireworks."""
        resource = situation.subject
        # Dying before the write: nothing has happened. After it: the status names both deployments, and which of them
        # is to serve, so that each later step is known to belong to this replacement.
        before = recent.stored_status(resource)
        stored = await self._write(situation, Outcome(action), recent)
        recent.new_deployment()
        message = f"{action.target} has taken over." if isinstance(action, Switch) else action.message
        warns = isinstance(action, HandBack) or (isinstance(action, SetReplacement) and action.left is not None)
        if warns or message not in {said for _, _, said in tell(before, stored.status)}:
            self._events.record(resource, "Warning" if warns else "Normal", Reason.REPLACING, message)
        return PassResult(action, Now())

    async def _wait(self, situation: Situation, action: Waiting, recent: Recent) -> PassResult:
        resource = situation.resource
        told = {each.message for each in situation.status.conditions}
        if isinstance(action, Refuse) and action.reason is Reason.CONFLICT and action.message not in told:
            log.warning("%s: %s", resource.ref, action.message)
        # Dying on either side: the status says what was true before, and the next pass says this.
        await self._write(situation, Outcome(action), recent)
        conclusive = not _knows_too_little(situation, action)
        if conclusive:
            recent.change = None
        return PassResult(action, next_look(situation, action), conclusive=conclusive)

    async def _mutate(self, situation: Situation, action: Mutation, access: Access, recent: Recent) -> PassResult:
        resource = situation.resource
        await access.reserve(action)
        decided, situation = situation.now, situation.at(self._wall_clock())
        later = self._later(situation, action, decided, access)
        if later is not None:
            return nothing_done(later)
        if isinstance(action, Create | Adopt | Undelete | LoadAddon | CreateRouter) or _replaces(action):
            # Dying after this write: what is begun is found again by the status, which names it as without an answer.
            asked = situation.status.applied_fields is not None
            situation = situation.stored(await self._write(situation, Outcome(action, begun=True), recent))
            if isinstance(action, Adopt) and action.by_request and not asked:
                return nothing_done(Now())  # the next look, right before it, decides anew
        if isinstance(action, Update):
            recent.update = situation.now
        if isinstance(action, SetTags):
            recent.tags = situation.now
        if isinstance(action, CreateRouter | SetRouter):
            recent.router = situation.now
        log.info("%s: %s", resource.ref, action.name, extra={"deployment": action.target})
        # Dying before the answer is written down: a create, an adoption or an undelete is remembered as begun; a
        # PATCH, a tag, a deletion or an addon shows in the next LIST, and is sent again if it has not taken effect.
        try:
            answer = await access.carry_out(action)
        except FencedError:
            return nothing_done(After(FENCED_RETRY))
        except FireworksError as error:
            return await self._failed(situation, action, error, recent)
        if isinstance(action, Create) and answer is None:
            return await self._look_at_taken(situation, action, access, recent)
        return await self._done(situation if answer is None else situation.answered(answer), action, recent)

    def _later(self, situation: Situation, action: Mutation, decided: datetime, access: Access) -> Now | After | None:
        """Return when to decide anew, where what was decided must not be begun any more; None where it may."""
        stale = _is_stale(action, situation.now - decided) or access.has_turned_cold(situation, action)
        if stale or self._changed(situation.subject):
            return Now()
        if not self._fence.may_mutate():
            return After(FENCED_RETRY)
        return None if self._grants(situation, action) else Now()

    def _grants(self, situation: Situation, action: Action) -> bool:
        """Have the budgets grant what an action leads to; another pass may have taken the room since it was decided."""
        asked = ceiling_after(situation, action)
        return asked is None or self._ledger.reserve(situation.subject, asked)

    async def _done(self, situation: Situation, action: Mutation, recent: Recent) -> PassResult:
        """Write down what a request that was accepted has come to."""
        observed, in_vain = situation.observed, recent.made(action, situation.now)
        if in_vain:
            log.warning("%s: %s was accepted earlier but had no effect", situation.resource.ref, action.name)
        if isinstance(action, Update) and action.route_keys is not None:
            # Should the write below fail, the API keys count as sent all the same.
            self._defer(situation, Outcome(action), recent)
        if isinstance(action, Create) and isinstance(observed, Present) and observed.deployment.state == "CREATING":
            # Dying before the next pass writes it: the create counts as unanswered, and is found by its name.
            self._defer(situation, Outcome(action), recent)
            return PassResult(action, Retry() if in_vain else Now(Priority.PROGRESS))
        await self._write(situation, Outcome(action), recent)
        return PassResult(action, Retry() if in_vain else Now(), drift=_puts_back(situation, action))

    def _changed(self, resource: FireworksDeployment) -> bool:
        """Tell whether a resource is another one by now than what was decided upon."""
        stored = self._store.get(resource.ref)
        return stored is None or stored.metadata != resource.metadata

    async def _failed(
        self, situation: Situation, action: Mutation, error: FireworksError, recent: Recent
    ) -> PassResult:
        ref = situation.resource.ref
        log.warning("%s: %s failed: %s", ref, action.name, error, extra={"deployment": action.target})
        await self._write(situation, Outcome(action, error), recent)
        unloads = isinstance(action, Delete) and needs_unloading(error, action)
        at_once = unloads or diagnose(error, action).needs_user
        return PassResult(action, Now() if at_once else Retry(), error=error)

    async def _look_at_taken(self, situation: Situation, action: Create, access: Access, recent: Recent) -> PassResult:
        """See what is there under the id, perhaps soft-deleted and in no LIST: whose it is decides what comes next."""
        # Dying here: the create counts as unanswered, and the next pass finds the same id taken.
        try:
            observed = await access.look(action.target)
        except FireworksError as error:
            return PassResult(action, Retry(), error=error)
        if not isinstance(observed, Absent):
            return PassResult(action, Now())
        # One that is still being created, or deleted for good, perhaps.
        taken = FireworksError(
            ErrorKind.PROTOCOL, f"the id of {action.target} is reported as taken, but no such deployment exists."
        )
        await self._write(situation.answered(observed), Outcome(action, taken), recent)
        return PassResult(action, Retry(), error=taken)

    async def _release(
        self, situation: Situation, action: RemoveFinalizer, access: Access | None, recent: Recent
    ) -> PassResult:
        resource, deleting = situation.resource, situation.is_deleting
        if action.left is not None:
            log.warning("%s: %s", resource.ref, action.message, extra={"deployment": action.left})
            if access is not None:
                await self._mark_released(resource, situation.context, access)
        # Dying between the mark and the finalizer: what is marked as released is found so, and let go all the same.
        kind: EventType = "Warning" if action.left is not None else "Normal"
        self._events.record(resource, kind, Reason.DELETING if deleting else Reason.OBSERVED, action.message)
        if await self._remove_finalizer(resource, recent):
            return PassResult(action, None if deleting else Now())  # from now on it is only observed, and must say so
        return PassResult(action, None if recent.released is None else After(RELEASE_RETRY))

    async def release_again(self, resource: FireworksDeployment, since: datetime, recent: Recent) -> PassResult:
        """Remove the finalizer of a resource that was released, if it is still there after a while.

        Mostly the watch is late. But a restored etcd may have brought it back, finalizer and all, in the very version
        that is known, so that no event and no LIST says anything new.
        """
        waited = (self._wall_clock() - since).total_seconds()
        if waited < RELEASE_RETRY:
            return nothing_done(After(RELEASE_RETRY - waited))
        kept = await self._remove_finalizer(resource, recent)
        return nothing_done(Now() if kept else After(RELEASE_RETRY))

    async def _remove_finalizer(self, resource: FireworksDeployment, recent: Recent) -> bool:
        """Remove the finalizer; return whether the resource is kept without it.

        If not, it is gone; one that the watch still has is remembered as released, since `release_again` follows it up.
        """
        # Dying on either side: nothing is left to be done at Fireworks, and the next pass finds either no resource or
        # one to remove the finalizer of.
        stored = await self._writer.remove_finalizer(resource)
        if stored is not None:
            recent.released = None
            self._store.put(stored)
        elif self._store.get(resource.ref) is not None:
            recent.released = (resource.metadata.uid, self._wall_clock())
        return stored is not None

    async def _mark_released(self, resource: FireworksDeployment, context: Context, access: Access) -> None:
        """Mark what is let go, both deployments of a resource that has two."""
        replacement = resource.status.replacement
        # Of two, one has often been changed since the last LIST, so that only a look tells of it.
        asks = replacement is not None and context.unreachable_since is None
        await self._mark_one(resource, context, access, asks=asks)
        if replacement is not None and replacement.deployment_name is not None:
            await self._mark_one(second(resource, replacement), context, access, asks=asks)

    async def _mark_one(self, resource: FireworksDeployment, context: Context, access: Access, *, asks: bool) -> None:
        """Mark one deployment, if it still is the resource's; what cannot be had soon is not waited for."""
        target = target_name(resource, context)
        known = Absent() if target is None else access.observe(target, with_addons=False)
        if target is None or not (isinstance(known, Present) or (asks and isinstance(known, Unknown))):
            return
        try:
            async with asyncio.timeout(RELEASE_PATIENCE):
                observed = await access.look(target)
                if isinstance(observed, Present) and context.ownership(resource, observed.deployment) is Ownership.OURS:
                    await access.release(target)
        except (FireworksError, FencedError, TimeoutError) as error:
            log.warning("%s could not be marked as released: %s", target, str(error) or type(error).__name__)

    async def _write(self, situation: Situation, outcome: Outcome, recent: Recent) -> FireworksDeployment:
        """Write the status if it says anything new, and tell its transitions as events."""
        resource, before = situation.subject, recent.stored_status(situation.subject)
        status = report_resource(situation, outcome)
        if status == before:
            return resource
        stored = await self._writer.write_status(resource, status)
        recent.unwritten = None
        self._store.put(stored)
        self._startups.see(resource, status, situation.now)
        for kind, reason, message in tell(before, status):
            self._events.record(resource, kind, reason, message)
        return self._store.get(resource.ref) or stored

    def _defer(self, situation: Situation, outcome: Outcome, recent: Recent) -> None:
        """Leave a status to the next pass to write: in a flood of creations that one may have READY to tell as well."""
        resource, status = situation.subject, report_resource(situation, outcome)
        self._startups.see(resource, status, situation.now)
        recent.unwritten = Unwritten(recent.stored_status(resource), status)


def _replaces(action: Mutation) -> bool:
    """Tell whether a deployment is deleted to be created anew."""
    return isinstance(action, Delete) and bool(action.replaces)


def _puts_back(situation: Situation, action: Mutation) -> bool:
    """Tell whether a change puts back what others have changed; tags also follow a PATCH for the same new spec."""
    if isinstance(action, SetTags | SetDeployedModel | SetRouter):
        return was_settled(situation.resource)
    return isinstance(action, Update) and not situation.is_new and not action.is_of_keys_alone


def _is_stale(action: Mutation, waited: timedelta) -> bool:
    """Tell whether the look that a change needs was too long ago, since it waited for its turn."""
    return isinstance(action, NEEDS_FRESH_GET) and waited > LOOK_KEEPS


def _knows_too_little(situation: Situation, action: Waiting) -> bool:
    """Tell whether a pass waits only since the deployment, or its addons, have yet to be observed."""
    unlisted = isinstance(situation.observed, Present) and observed_addons(situation.observed) is None
    unknown = isinstance(situation.observed, Unknown) or (unlisted and uses_addons(situation.resource))
    return unknown and (isinstance(action, Pending) or action == Rest())
