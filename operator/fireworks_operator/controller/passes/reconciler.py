"""One pass over one resource: look, decide, act."""

from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.controller.accounts.accounts import Accounts, Resolved
from fireworks_operator.controller.accounts.bindings import Bindings
from fireworks_operator.controller.accounts.route_keys import RouteKeys
from fireworks_operator.controller.budgets.ledger import Ledger
from fireworks_operator.controller.measure.startups import Startups
from fireworks_operator.controller.store import DeploymentStore
from fireworks_operator.core.actions import Action, Pending, Progress, Refuse, Rest, Trouble
from fireworks_operator.core.context import Context, Unusable, pinned_account
from fireworks_operator.core.decisions.decide import decide
from fireworks_operator.core.decisions.growth import asked_for, granted_still, parked_by_budget
from fireworks_operator.core.desired.wanted import is_new
from fireworks_operator.core.diagnosis import diagnose
from fireworks_operator.core.observed.observation import Present, Unknown
from fireworks_operator.core.pauses import set_clock_right
from fireworks_operator.core.prices import Prices
from fireworks_operator.core.situation import Situation, assess
from fireworks_operator.core.successor import second
from fireworks_operator.core.target import second_name, target_name
from fireworks_operator.fireworks.errors import FireworksError
from fireworks_operator.ports import ConfigMapWriter, EventRecorder, MutationFence, ResourceWriter

from .access import Access, FencedError
from .acting import FENCED_RETRY, Actor
from .connecting import Connecting
from .looking import look_and_decide
from .recent import Recent
from .result import After, Now, PassResult, Retry, nothing_done, sooner
from .surroundings import Identity, surroundings

LONG_AGO = 1e6
"""Seconds since a deployment was looked at that nobody has ever looked at."""


class Reconciler:
    """Makes passes: finds out what surrounds a resource, looks and decides, and has it acted upon."""

    def __init__(
        self,
        store: DeploymentStore,
        accounts: Accounts,
        bindings: Bindings,
        writer: ResourceWriter,
        config_maps: ConfigMapWriter,
        events: EventRecorder,
        fence: MutationFence,
        identity: Identity,
        *,
        crd_deleting: Callable[[], Awaitable[bool]],
        startups: Startups,
        prices: Callable[[], Prices],
        ledger: Ledger,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Connect the parts.

        `crd_deleting` asks the API server whether the CRD itself is being deleted; `startups` is shown every status
        that is written; `prices` returns what a GPU-hour costs by now; `ledger` knows what budgets leave.
        """
        self._store = store
        self._accounts = accounts
        self._bindings = bindings
        self._writer = writer
        self._fence = fence
        self._identity = identity
        self._crd_deleting = crd_deleting
        self._startups = startups
        self._prices = prices
        self._ledger = ledger
        self._wall_clock = wall_clock
        self._actor = Actor(store, writer, events, fence, startups, ledger, wall_clock)
        self._connecting = Connecting(store, config_maps, writer, fence, wall_clock)
        self._started = wall_clock()
        self._recent: defaultdict[str, Recent] = defaultdict(Recent)

    def interrupt(self, ref: str) -> None:
        """Take a resource out of the line for its budget, since what it waits to do may no longer be wanted."""
        self._accounts.withdraw(ref)

    def forget(self, ref: str) -> None:
        """Drop what is remembered of a resource that is gone."""
        self._recent.pop(ref, None)
        self._bindings.forget(ref)
        self._accounts.forget(ref)
        self._startups.forget(ref)
        self._ledger.forget(ref)

    async def reconcile(self, ref: str, *, skip_pauses: bool, release_slot: Callable[[], None]) -> PassResult | None:
        """Make one pass; None if the resource is gone.

        Args:
            ref: `namespace/name` of the resource.
            skip_pauses: pauses after refusals no longer count.
            release_slot: called before anything that may take long, so that others can work meanwhile.

        Raises:
            ResourceChangedError, ResourceGoneError, KubernetesUnavailableError: as the writer and Secrets do.
            WithdrawnError: it was interrupted, before a request.
        """
        stored = self._store.get(ref)
        if stored is None:
            return None
        recent = self._recent[ref]
        if recent.released is not None and recent.released[0] == stored.metadata.uid:
            return await self._actor.release_again(stored, recent.released[1], recent)
        resource = recent.latest(stored)
        if await self._set_clock_right(resource):
            return nothing_done(Now())
        resolved = await self._accounts.resolve(resource, release_slot)
        result = await self._look_and_act(resource, resolved, recent, release_slot, skip_pauses=skip_pauses)
        recent.key_changed = recent.key_changed and not result.conclusive
        come_back = await self._connecting.connect(ref, recent, look=skip_pauses)
        return result if come_back is None else replace(result, next=sooner(result.next, come_back))

    async def _look_and_act(
        self,
        resource: FireworksDeployment,
        resolved: Resolved,
        recent: Recent,
        release_slot: Callable[[], None],
        *,
        skip_pauses: bool,
    ) -> PassResult:
        """Look at the deployment with the key that was found, and take the next step."""
        # With another key than before, pauses after refusals no longer count, once there is something to decide by.
        recent.key_changed = self._bindings.switch_key(resource.ref, resolved.credential) or recent.key_changed
        if is_new(resource):
            recent.new_spec()
        context = self._context(resource, resolved, skip_pauses=recent.key_changed or skip_pauses)
        target, replacement = target_name(resource, context), resource.status.replacement
        if resolved.account is not None:
            self._bindings.note(resource.ref, resolved.account, target, second_name(resource, context))
        access = None if target is None else self._access(resource, resolved, release_slot)
        if access is not None:
            keys = await self._accounts.route_keys(resource)
            access, context = _with_route_keys(access, context, keys)
            if recent.changes_route_secret(context.route_secret):
                context, recent.key_changed = replace(context, skip_pauses=True), True
            to_claim = resource if replacement is None else second(resource, replacement)
            context = replace(context, models=await access.model_to_prepare(to_claim))
        try:
            situation, action = await look_and_decide(resource, access, context, self._crd_deleting)
        except FireworksError as error:
            return await self._looking_failed(resource, access, context, error)
        except FencedError:
            return nothing_done(After(FENCED_RETRY))
        if access is not None and isinstance(situation.observed, Present):
            recent.listed(situation.observed)
            models = {**situation.context.models, **await access.models(resource)}
            situation = replace(situation, context=replace(situation.context, models=models))
        return await self._act_within_budgets(situation, action, access, recent)

    async def _act_within_budgets(
        self, situation: Situation, action: Action, access: Access | None, recent: Recent
    ) -> PassResult:
        """Act, and tell the ledger what a resource has, what it waits for, and whether a request had no answer."""
        ref = situation.resource.ref
        ago = LONG_AGO if access is None else min(access.seen_ago(situation.observed), LONG_AGO)
        seen = situation.now - timedelta(seconds=ago)
        self._ledger.observe(ref, granted_still(situation, action, self._ledger.granted(ref)), seen)
        result = await self._actor.act(situation, action, access, recent)
        if access is not None:
            access.note_cold(situation, result)
        if result.error is not None and not result.error.definite:
            self._ledger.doubt(ref)
        exceeded = isinstance(result.action, Refuse) and result.action.reason is Reason.BUDGET_EXCEEDED
        if result.conclusive:
            waits = exceeded and not situation.spec.paused and situation.parking is None
            self._ledger.wait(ref, asked_for(situation) if waits else None)
        latest = self._store.get(ref)
        if latest is not None:
            self._ledger.see(latest)
        return result

    async def _set_clock_right(self, resource: FireworksDeployment) -> bool:
        """Let pauses begin now that began in the future: a clock was ahead, and they would last for as long."""
        now = self._wall_clock()
        self._started = min(self._started, now)
        recent = self._recent[resource.ref]
        recent.set_clock_right(now)
        status = set_clock_right(resource.status, now)
        if status is resource.status:
            return False
        self._store.put(await self._writer.write_status(resource, status))
        recent.unwritten = None
        return True

    async def _looking_failed(
        self, resource: FireworksDeployment, access: Access | None, context: Context, error: FireworksError
    ) -> PassResult:
        """A GET failed: nothing is known, so only what needs no knowledge may happen."""
        diagnosis = diagnose(error)
        context = replace(
            context,
            unreachable_since=context.unreachable_since or context.now,
            unreachable=diagnosis.message,
            unreachable_reason=Reason.API_UNAVAILABLE if diagnosis.needs_user else diagnosis.reason,
        )
        situation = assess(resource, Unknown(), context)
        result = await self._actor.act(situation, decide(situation), access, self._recent[resource.ref])
        waits = isinstance(result.action, Rest | Pending | Progress | Trouble)
        return replace(result, next=Retry(), error=error, conclusive=not waits)

    def _context(self, resource: FireworksDeployment, resolved: Resolved, *, skip_pauses: bool) -> Context:
        recent, rooms = self._recent[resource.ref], self._ledger.rooms(resource)
        return replace(
            surroundings(self._identity, resolved, self._prices(), self._wall_clock(), started=self._started),
            skip_pauses=skip_pauses,
            rooms=rooms,
            parked_by=parked_by_budget(rooms),
            granted=self._ledger.granted(resource.ref),
            last_update=recent.update,
            last_tags=recent.tags,
            may_have_claimed=not recent.finalized,
            last_router=recent.router,
            addon_updates=dict(recent.addon_updates),
            addon_loads=dict(recent.addon_loads),
        )

    def _access(
        self, resource: FireworksDeployment, resolved: Resolved, release_slot: Callable[[], None]
    ) -> Access | None:
        """Return the access to the resource's account, None where there is no key for it."""
        if resolved.account is None or resolved.credential is None:
            return None
        if pinned_account(resource) not in (None, resolved.account.name):
            return None
        deleting = resource.metadata.deletion_timestamp is not None
        return Access(resolved.account, resolved.credential, resource.ref, release_slot, self._fence, deleting)


def _with_route_keys(access: Access, context: Context, keys: RouteKeys | Unusable | None) -> tuple[Access, Context]:
    """Give the access the API keys of a direct route, and the context no more than the version of their Secret."""
    if not isinstance(keys, RouteKeys):
        return access, replace(context, route_secret=keys)
    return replace(access, route_keys=keys), replace(context, route_secret=keys.secret)
