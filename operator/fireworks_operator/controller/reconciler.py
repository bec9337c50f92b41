"""One pass over one resource: observe, decide, act, report."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from logging import getLogger

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import FINALIZER, FireworksDeployment
from fireworks_operator.core.actions import (
    DESTRUCTIVE,
    Action,
    AddFinalizer,
    Adopt,
    Claim,
    Create,
    LoadAddon,
    Refuse,
    RemoveFinalizer,
    Undelete,
    UnloadAddon,
    Update,
    Wait,
)
from fireworks_operator.core.addons import uses_addons
from fireworks_operator.core.context import Context, Unusable, pinned_account
from fireworks_operator.core.decide import decide, former_names, needs_closer_look, target_name
from fireworks_operator.core.explain import explain
from fireworks_operator.core.identity import Ownership
from fireworks_operator.core.observed import Absent, Observed, Present, Unknown, is_of_now
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.report import report
from fireworks_operator.core.retry import set_clock_right
from fireworks_operator.core.story import tell
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError

from .account import Account, Credential
from .accounts import Accounts, Resolved
from .ports import EventRecorder, EventType, MutationFence, ResourceWriter
from .recent import Recent
from .session import FencedError, Mutation, Session, Sessions, looked_at
from .startups import Startups
from .store import Store
from .surroundings import Identity, surroundings

log = getLogger(__name__)

CREDENTIAL_RETRY = 30.0
"""Seconds until a resource without a usable credential looks at its Secret again."""
SECRET_RETRY = 60.0
"""Seconds until a resource that is refused looks at its Secret again: another key may be what is done about it."""
UNLISTED_RETRY = 5.0
"""Seconds until it is asked again for what no LIST shows: a deployment's progress, the account of a key."""
FENCED_RETRY = 2.0
"""Seconds until a change is tried again that the Lease was too short for."""
RELEASE_PATIENCE = 30.0
"""Seconds that a resource waits for the mark on the deployment that it leaves: it goes without, too."""
LOOK_KEEPS = timedelta(seconds=60)
"""A change waits no longer than this for its turn, as in a pause of the account, without another look."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a pass ended in.

    `again` None: nothing to do until something changes; else seconds until the next pass. `failed` asks for the
    queue's growing pause instead. `drift`: it put back what somebody else had changed. `inconclusive`: nothing was
    known or done yet, so it says nothing about failures before it, and who asked for it has yet to be answered.
    `looks`: the next pass only looks how far a creation has come.
    """

    action: Action
    again: float | None = None
    failed: bool = False
    error: FireworksError | None = None
    drift: bool = False
    inconclusive: bool = False
    looks: bool = False


class Reconciler:
    """Carries out what `decide()` names and writes what `report()` derives."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        writer: ResourceWriter,
        events: EventRecorder,
        fence: MutationFence,
        identity: Identity,
        *,
        crd_deleting: Callable[[], Awaitable[bool]],
        startups: Startups,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Connect the parts.

        `crd_deleting` asks the API server whether the CRD itself is being deleted; `startups` is shown every status
        that is written.
        """
        self._store = store
        self._accounts = accounts
        self._writer = writer
        self._events = events
        self._fence = fence
        self._identity = identity
        self._crd_deleting = crd_deleting
        self._startups = startups
        self._wall_clock = wall_clock
        self._started = wall_clock()
        self._recent: defaultdict[str, Recent] = defaultdict(Recent)
        self._sessions = Sessions()

    def interrupt(self, key: str) -> None:
        """Take a resource out of the line for its budget, since what it waits to do may no longer be wanted."""
        self._accounts.withdraw(key)
        account = self._sessions.account_of(key)
        if account is not None:
            account.budget.withdraw(key)

    def forget(self, key: str) -> None:
        """Drop what is remembered of a resource that is gone."""
        self._recent.pop(key, None)
        self._sessions.forget(key)
        self._accounts.forget(key)
        self._startups.forget(key)

    def concerned(self, account: Account, names: frozenset[str] | None) -> Collection[str]:
        """Return the keys of the resources that look at these deployments; None: at any of the account."""
        return self._sessions.of_account(account) if names is None else self._sessions.of_deployments(names)

    def uses(self, account: Account) -> bool:
        """Tell whether any resource looks at an account."""
        return self._sessions.uses(account)

    def watches(self, name: str) -> bool:
        """Tell whether any resource looks at a deployment."""
        return bool(self._sessions.of_deployments((name,)))

    def uses_key(self, credential: Credential) -> bool:
        """Tell whether any resource used an API key last."""
        return any(each.using is credential for each in self._recent.values())

    async def reconcile(self, key: str, *, forced: bool, make_room: Callable[[], None]) -> Result | None:
        """Make one pass; None if the resource is gone.

        Args:
            key: of the resource.
            forced: pauses after refusals no longer count.
            make_room: called before anything that may take long, so that others can work meanwhile.

        Raises:
            ResourceChangedError, ResourceGoneError, KubernetesUnavailableError: as the writer and Secrets do.
            WithdrawnError: it was interrupted, before a request.
        """
        resource = self._store.get(key)
        if resource is None:
            return None
        recent = self._recent[key]
        if resource.metadata.uid == recent.let_go:
            return None
        if await self._set_clock_right(resource):
            return Result(Wait(), again=0.0, inconclusive=True)
        resolved = await self._accounts.resolve(resource, make_room)
        # With another key than before, pauses after refusals no longer count.
        forced = recent.uses(resolved.using) or forced
        context = self._context(resource, resolved, forced=forced)
        session = self._session(resource, resolved, context, make_room)
        try:
            observed, action, context = await self._observe_and_decide(resource, session, context)
        except FireworksError as error:
            return await self._observing_failed(resource, session, context, error)
        if session is not None and isinstance(observed, Present):
            recent.listed(observed)
            context = replace(context, models=await session.models(resource))
        return await self._act(resource, session, observed, action, context)

    async def _observe_and_decide(
        self, resource: FireworksDeployment, session: Session | None, context: Context
    ) -> tuple[Observed, Action, Context]:
        """Decide by what is known; what must not be done by a LIST of a while ago is looked at and decided anew.

        Raises:
            FireworksError: a GET failed.
        """
        observed = await self._observe(resource, session)
        action = decide(resource, observed, context)
        if session is None:
            return observed, action, context
        if isinstance(action, DESTRUCTIVE):
            context = replace(context, crd_deleting=await self._crd_deleting())
            if not is_of_now(observed):
                observed = await session.explain_failure(await session.look())
            action = decide(resource, observed, context)
        elif isinstance(action, Update | Adopt | Undelete) and not is_of_now(observed):
            # A PATCH is merged into what is there, and whose a deployment is may have changed since the last LIST.
            observed = await session.look()
            action = decide(resource, observed, context)
        elif isinstance(action, Claim):
            action = decide(resource, observed, await self._look_for_former(resource, session, context))
        if isinstance(action, UnloadAddon):
            observed, action = await self._confirm_unload(resource, session, observed, action, context)
        return observed, action, context

    async def _look_for_former(self, resource: FireworksDeployment, session: Session, context: Context) -> Context:
        """Ask for the deployments of former lives of the cluster by name: one that a LIST omits would be made twice."""
        names = former_names(resource, context, session.account.name)
        found = {name for name in names if isinstance(await replace(session, name=name).look(), Present)}
        return replace(context, exists=found.__contains__)

    async def _confirm_unload(
        self, resource: FireworksDeployment, session: Session, observed: Observed, action: Action, context: Context
    ) -> tuple[Observed, Action]:
        """Ask for the addon itself, too, and decide again; perhaps it is gone and it is the next one's turn."""
        asked: set[str] = set()
        while isinstance(action, UnloadAddon) and isinstance(observed, Present) and action.deployed_model not in asked:
            asked.add(action.deployed_model)
            observed = await session.look_at_addon(observed, action.deployed_model)
            action = decide(resource, observed, context)
        return observed, action

    async def _set_clock_right(self, resource: FireworksDeployment) -> bool:
        """Let pauses begin now that began in the future: a clock was ahead, and they would last for as long."""
        now = self._wall_clock()
        self._started = min(self._started, now)
        self._recent[resource.key].set_clock_right(now)
        status = set_clock_right(resource.status, now)
        if status is resource.status:
            return False
        self._store.put(await self._writer.write_status(resource, status))
        return True

    async def _observe(self, resource: FireworksDeployment, session: Session | None) -> Observed:
        if session is None:
            return Unknown()
        observed = session.observe(with_addons=uses_addons(resource))
        if needs_closer_look(resource, observed):
            if isinstance(observed, Absent):
                log.info("%s: no longer listed, looking closer", resource.key, extra={"deployment": session.name})
            observed = await session.look()
        return await session.explain_failure(observed)

    async def _observing_failed(
        self, resource: FireworksDeployment, session: Session | None, context: Context, error: FireworksError
    ) -> Result:
        """A GET failed: nothing is known, so only what needs no knowledge may happen."""
        explanation = explain(error)
        since = context.unreachable_since or context.now
        context = replace(
            context,
            unreachable_since=since,
            unreachable=explanation.message,
            unreachable_reason=Reason.API_UNAVAILABLE if explanation.final else explanation.reason,
        )
        observed = Unknown()
        action = decide(resource, observed, context)
        result = await self._act(resource, session, observed, action, context)
        return replace(result, failed=True, error=error, inconclusive=isinstance(result.action, Wait))

    def _context(self, resource: FireworksDeployment, resolved: Resolved, *, forced: bool) -> Context:
        recent = self._recent[resource.key]
        if resource.status.observed_generation != resource.metadata.generation:
            recent.new_spec()
        return replace(
            surroundings(self._identity, resolved, self._wall_clock(), started=self._started),
            forced=forced,
            last_update=recent.update,
            addon_updates=dict(recent.addon_updates),
            addon_loads=dict(recent.addon_loads),
        )

    def _session(
        self, resource: FireworksDeployment, resolved: Resolved, context: Context, make_room: Callable[[], None]
    ) -> Session | None:
        name = target_name(resource, context)
        if resolved.account is not None:
            self._sessions.note(resource.key, resolved.account, name)
        if name is None or resolved.account is None or resolved.using is None:
            return None
        if pinned_account(resource) not in (None, resolved.account.name):
            return None
        deleting = resource.metadata.deletion_timestamp is not None
        return Session(resolved.account, resolved.using, name, resource.key, make_room, self._fence, deleting)

    async def _act(
        self,
        resource: FireworksDeployment,
        session: Session | None,
        observed: Observed,
        action: Action,
        context: Context,
    ) -> Result:
        match action:
            case AddFinalizer():
                stored = await self._writer.add_finalizer(resource)
                self._store.put(stored)
                return Result(action, again=0.0, failed=FINALIZER not in stored.metadata.finalizers)
            case RemoveFinalizer():
                return await self._release(resource, session, action, context)
            case Claim():
                await self._write(resource, observed, Outcome(action), context)
                return Result(action, again=0.0)
            case Wait() | Refuse():
                await self._write(resource, observed, Outcome(action), context)
                inconclusive = isinstance(observed, Unknown) and action == Wait()
                if not inconclusive:
                    self._recent[resource.key].change = None
                return Result(action, *_next_look(resource, action, observed, context), inconclusive=inconclusive)
            case _:
                if session is None:
                    raise AssertionError(f"decided {action.name} without a session")
                return await self._mutate(resource, session, observed, action, context)

    async def _mutate(
        self, resource: FireworksDeployment, session: Session, observed: Observed, action: Mutation, context: Context
    ) -> Result:
        await session.reserve(action)
        if self._store.get(resource.key) is not resource:
            return Result(Wait(), again=0.0, inconclusive=True)  # it changed while this change waited for its turn
        asked, context = context.now, replace(context, now=self._wall_clock())
        if looked_at(action) and context.now - asked > LOOK_KEEPS:
            return Result(Wait(), again=0.0, inconclusive=True)
        if not self._fence.may_mutate():
            return Result(Wait(), again=FENCED_RETRY, inconclusive=True)
        if isinstance(action, Create | Adopt | Undelete | LoadAddon):
            # What is begun here must be found again, whatever happens before its answer is written down.
            unasked = resource.status.applied_fields is None
            resource = await self._write(resource, observed, Outcome(action, begun=True), context)
            if isinstance(action, Adopt) and action.by_request and unasked:
                return Result(Wait(), again=0.0, inconclusive=True)  # the next look, right before it, decides anew
        if isinstance(action, Update):
            self._recent[resource.key].update = context.now
        log.info("%s: %s", resource.key, action.name, extra={"deployment": session.name})
        try:
            answer = await session.carry_out(action)
        except FencedError:
            return Result(Wait(), again=FENCED_RETRY, inconclusive=True)
        except FireworksError as error:
            log.warning("%s: %s failed: %s", resource.key, action.name, error, extra={"deployment": session.name})
            await self._write(resource, observed, Outcome(action, error), context)
            explanation = explain(error, action)
            return Result(action, again=0.0 if explanation.final else None, failed=not explanation.final, error=error)
        if isinstance(action, Create) and answer is None:
            return await self._look_at_taken(resource, session, action, context)
        in_vain = self._recent[resource.key].made(action, context.now)
        if in_vain:
            log.warning("%s: %s was accepted before, and has come to nothing", resource.key, action.name)
        await self._write(resource, answer or observed, Outcome(action), context)
        known = resource.status.observed_generation == resource.metadata.generation
        drift = isinstance(action, Update) and known
        looks = isinstance(answer, Present) and answer.deployment.state == "CREATING"
        return Result(action, again=0.0, failed=in_vain, drift=drift, looks=looks)

    async def _look_at_taken(
        self, resource: FireworksDeployment, session: Session, action: Create, context: Context
    ) -> Result:
        """See what is there under the id, perhaps soft-deleted and in no LIST: whose it is decides what comes next."""
        try:
            observed = await session.look()
        except FireworksError as error:
            return Result(action, failed=True, error=error)
        if not isinstance(observed, Absent):
            return Result(action, again=0.0)
        # One that is still being created, or deleted for good, perhaps.
        taken = FireworksError(ErrorKind.PROTOCOL, f"the id of {session.name} is taken, but by no deployment.")
        await self._write(resource, observed, Outcome(action, taken), context)
        return Result(action, failed=True, error=taken)

    async def _release(
        self, resource: FireworksDeployment, session: Session | None, action: RemoveFinalizer, context: Context
    ) -> Result:
        if action.left is not None:
            log.warning("%s: %s", resource.key, action.message, extra={"deployment": action.left})
            await self._mark_released(resource, session, context)
        kind: EventType = "Warning" if action.left is not None else "Normal"
        deleted = resource.metadata.deletion_timestamp is not None
        self._events.record(resource, kind, Reason.DELETING if deleted else Reason.OBSERVED, action.message)
        stored = await self._writer.remove_finalizer(resource)
        if stored is None:
            if self._store.get(resource.key) is not None:  # the watch has yet to tell that it is gone
                self._recent[resource.key].let_go = resource.metadata.uid
            return Result(action)
        self._store.put(stored)
        return Result(action, again=None if deleted else 0.0)  # from now on it is only observed, and must say so

    async def _mark_released(self, resource: FireworksDeployment, session: Session | None, context: Context) -> None:
        """Mark what is let go, if it still is the resource's; what cannot be had soon is not waited for."""
        if session is None or not isinstance(session.observe(with_addons=False), Present):
            return
        try:
            async with asyncio.timeout(RELEASE_PATIENCE):
                observed = await session.look()
                if isinstance(observed, Present) and context.ownership(resource, observed.deployment) is Ownership.OURS:
                    await session.release()
        except (FireworksError, FencedError, TimeoutError) as error:
            log.warning("%s could not be marked as released: %s", session.name, str(error) or type(error).__name__)

    async def _write(
        self, resource: FireworksDeployment, observed: Observed, outcome: Outcome, context: Context
    ) -> FireworksDeployment:
        """Write the status if it says anything new, and tell its transitions as events."""
        status = report(resource, observed, outcome, context)
        if status == resource.status:
            return resource
        stored = await self._writer.write_status(resource, status)
        self._store.put(stored)
        self._startups.see(resource, status, context.now)
        for kind, reason, message in tell(resource.status, status):
            self._events.record(resource, kind, reason, message)
        return self._store.get(resource.key) or stored


def _next_look(
    resource: FireworksDeployment, action: Wait | Refuse, observed: Observed, context: Context
) -> tuple[float | None, bool]:
    """Return when a pass that changed nothing is repeated, and whether by the queue's growing pauses."""
    if isinstance(context.credential, Unusable) and not context.credential.final:
        return UNLISTED_RETRY, False
    if isinstance(context.credential, Unusable) or action.reason is Reason.ACCOUNT_MISMATCH:
        return CREDENTIAL_RETRY, False
    due = action.until if isinstance(action, Wait) else action.retry
    if due is not None:
        return max((due - context.now).total_seconds(), 0.0) + 0.5, False
    if isinstance(observed, Present) and observed.fresh and isinstance(action, Wait) and action.reason is not None:
        return UNLISTED_RETRY, False
    if isinstance(action, Refuse) and resource.spec.credentials_secret_ref is not None:
        return SECRET_RETRY, False
    return None, False
