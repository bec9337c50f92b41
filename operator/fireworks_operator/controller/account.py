"""One Fireworks account: its request budget, its credentials, and the loop that observes it."""

import asyncio
import random
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from logging import getLogger

from fireworks_operator.api.conditions import Reason
from fireworks_operator.core.explain import Explanation, explain
from fireworks_operator.core.observed import DENIED, UNPROVEN, UNSEEN, Absent, Observed, Present, Unknown
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.budget import LIST_SHARE, AccountBudget, Circuit, Lane
from fireworks_operator.fireworks.client import FireworksClient
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.models import DeployedModel, Deployment, Model

from .addon_lists import AddonLists
from .catalogue import Catalogue
from .denials import Denials
from .following import FEW_PAGES, Following
from .observer import STALE_AFTER, Listing, Observer, OnChange
from .pages import list_addons, list_deployments

log = getLogger(__name__)

MOST_STRANGERS = 3
"""Keys that have yet to list the account which are tried in a row: each may take a whole deadline."""
_CREDENTIAL_ERRORS = frozenset({ErrorKind.UNAUTHENTICATED, ErrorKind.PERMISSION_DENIED, ErrorKind.NOT_FOUND})
"""Errors of a LIST that are the fault of the key, or of the account id that came with it."""
TRIAL_SHARE = 0.1
"""Part of the budget that keys may take which do not list the account."""
RATE_LIMIT_PAUSE = 10.0
"""Seconds of silence after a 429 that does not say how long."""


_REFUSED = Explanation(Reason.CREDENTIALS_INVALID, "", final=True)


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two LISTs: right after a change, some time after one, and at rest."""

    hot: float = 3.0
    hot_for: float = 120.0
    warm: float = 15.0
    warm_for: float = 600.0
    idle: float = 60.0
    jitter: float = 0.1


@dataclass(slots=True)
class Credential:
    """An API key in use and its circuit; times are monotonic seconds.

    `listed_at`: when it last listed the account; None until it has, and once it was refused. `tried_at`: when that was
    last tried while it did not. `namespace`: whose resources use it. `trusted`: it is the operator's own, or has
    listed the account before. `extent`: how many deployments its last two LISTs had. `refusal`: why the circuit is
    open. `belongs`: it has shown that it sees the account, since an empty LIST may be what Fireworks tells strangers.
    `seen`: the deployments that its own last LIST, a GET or an answer to a change has shown to this very key.
    """

    key: ApiKey
    circuit: Circuit
    listed_at: float | None = None
    tried_at: float = float("-inf")
    namespace: str = ""
    trusted: bool = False
    extent: int = 0
    refusal: Explanation = _REFUSED
    denials: Denials = field(default_factory=Denials)
    belongs: bool = False
    seen: set[str] = field(default_factory=set)

    def saw(self, name: str) -> None:
        """Note that Fireworks has shown a deployment to this key."""
        self.belongs = True
        self.seen.add(name)
        self.denials.clear(name)

    def listed(self, names: set[str], started: float) -> None:
        """Note a LIST with this key; one that is shorter than the one before may be a slip."""
        self.listed_at, self.trusted = started, True
        self.extent, self.seen = max(len(names), len(self.seen)), names
        self.belongs = self.belongs or bool(names)


class Account:
    """Everything that is shared by the resources of one account."""

    def __init__(
        self,
        name: str,
        client: FireworksClient,
        *,
        budget: AccountBudget,
        pace: Pace,
        rate_per_minute: float,
        clock: Callable[[], float],
        on_change: OnChange,
        in_use: Callable[[], bool],
        uses_key: Callable[[Credential], bool],
        watches: Callable[[str], bool],
    ) -> None:
        """Set an account up; `start()` begins to observe it, for as long as any resource uses it."""
        self.name = name
        self.client = client
        self.budget = budget
        self.observer = Observer(on_change, clock)
        self._in_use = in_use
        self._uses_key = uses_key
        self._pace = pace
        self._rate = rate_per_minute
        self._clock = clock
        self._credentials: dict[ApiKey, Credential] = {}
        self.catalogue = Catalogue(clock)
        self._terminations: dict[str, tuple[tuple[str, datetime | None], str]] = {}
        self._changed_at = clock()
        self._touched = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._pages = 1
        self._turns: dict[str, float] = {}
        self._strangers_at = float("-inf")
        # They may take half of what observing may: the LIST goes on meanwhile.
        most = max(1, int(LIST_SHARE * rate_per_minute / 60.0 * pace.hot / 2))
        self._addon_lists = AddonLists(name, self.observer, self._list_addons)
        self._following = Following(self.observer, self._look_again, watches, most=most, pause=pace.hot)

    def start(self) -> None:
        """Begin to observe, in a task of the running loop."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"observe {self.name}")

    async def stop(self) -> None:
        """Stop observing."""
        await self._following.stop()
        await self._addon_lists.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def credential(self, key: ApiKey, circuit: Circuit, *, namespace: str = "", own: bool = False) -> Credential:
        """Register a key of this account; the newest is the first that lists."""
        known = self._credentials.get(key)
        if known is None:
            known = self._credentials[key] = Credential(key, circuit, trusted=own)
            self._touched.set()
        known.namespace = namespace
        return known

    @property
    def in_use(self) -> bool:
        """Whether any resource uses it; an account that none does is not observed."""
        return self._in_use()

    @property
    def proven(self) -> bool:
        """Whether any key has ever listed it, so that its name is one."""
        return self.observer.listing is not None

    def observed_for(self) -> float:
        """Return the seconds since the last complete LIST began; infinite before the first."""
        listing = self.observer.listing
        return float("inf") if listing is None else self._clock() - listing.started

    def credentials(self) -> tuple[Credential, ...]:
        """Return the keys in use."""
        return tuple(self._credentials.values())

    def keep(self, keys: Collection[ApiKey]) -> None:
        """Forget all other keys: no resource uses them any more."""
        self._credentials = {key: each for key, each in self._credentials.items() if key in keys}

    def touch(self) -> None:
        """Observe often for a while, since something is changing."""
        self._changed_at = self._clock()
        self._touched.set()
        self._following.begin(self._needs_following)

    def refused(self, credential: Credential, error: FireworksError, *, listing: bool = False) -> None:
        """Draw the account-wide and credential-wide consequences of an error."""
        if error.kind is ErrorKind.UNAUTHENTICATED or (listing and error.kind in _CREDENTIAL_ERRORS):
            self._refuse(credential, _explain_list(error, self.name) if listing else explain(error))
        elif error.kind is ErrorKind.RATE_LIMITED:
            self.budget.pause(error.retry_after or RATE_LIMIT_PAUSE)

    @staticmethod
    def _refuse(credential: Credential, explanation: Explanation) -> None:
        credential.listed_at = None
        credential.refusal = explanation
        credential.circuit.open(explanation.message)

    async def look(self, credential: Credential, name: str, resource: str, *, lane: Lane = Lane.OTHER) -> Observed:
        """GET one deployment.

        Absent is confirmed only if the key has listed the account lately, and belongs to it: a 404 may also mean "not
        for you". Nor does it count while the last LIST has the deployment: one of the two is wrong, and is asked again
        after some LIST.

        Raises:
            FireworksError: no answer that says anything about the deployment.
        """
        await self.budget.acquire(lane=lane, key=resource)
        asked = self._clock()
        try:
            deployment = await self.client.get_deployment(credential.key, name)
        except FireworksError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                self.refused(credential, error)
                if error.kind is ErrorKind.PERMISSION_DENIED and not credential.belongs:
                    await self._verify(credential, resource, anew=True)  # whether it is a stranger's, its LIST tells
                raise
            await self._verify(credential, resource)
            belongs = await self._belongs(credential, resource)
            if not belongs or self.observer.has(name):
                return self._doubt(credential, name)
            credential.denials.clear(name)
            self.observer.learn(name, Absent(), asked=asked)
            return Absent(confirmed=True)
        credential.saw(name)
        self.observer.learn(name, Present(deployment), asked=asked)
        known = self.observer.observe(name, with_addons=self.observer.addons_wanted)
        addons = known.addons if isinstance(known, Present) else None
        return Present(deployment, addons, fresh=True)

    async def look_at_addon(self, credential: Credential, observed: Present, name: str, resource: str) -> Present:
        """GET one addon of a deployment, and put what is said of it into the place of what the LIST said.

        Raises:
            FireworksError: no answer that says anything about the addon.
        """
        others = tuple(each for each in observed.addons or () if each.name != name)
        await self.budget.acquire(lane=Lane.FINISH, key=resource)
        try:
            addon = await self.client.get_deployed_model(credential.key, name)
        except FireworksError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                self.refused(credential, error)
                raise
            return replace(observed, addons=others)
        ours = (addon,) if addon.deployment == observed.deployment.name else ()
        return replace(observed, addons=(*others, *ours))

    async def termination_message(self, credential: Credential, deployment: Deployment, resource: str) -> str:
        """Return why a replica died, asked for once per failure; empty if Fireworks does not tell."""
        failure = (deployment.name, deployment.update_time)
        if self._terminations.get(deployment.name, (None, ""))[0] != failure:
            await self.budget.acquire(lane=Lane.OTHER, key=resource)
            try:
                message = await self.client.termination_message(credential.key, deployment.name)
            except FireworksError as error:
                # It only adds to what is known: neither the key nor the account is in trouble over it.
                log.info("why a replica of %s died cannot be asked: %s", deployment.name, error)
                message = ""
            self._terminations[deployment.name] = (failure, message)
        return self._terminations[deployment.name][1]

    async def models(self, credential: Credential, names: Iterable[str], resource: str) -> dict[str, Model]:
        """Return the records of models, without those that cannot be had."""

        async def ask(name: str) -> Model:
            # Asked for once a day, in the middle of passes that have had their turn.
            await self.budget.acquire(lane=Lane.FINISH, key=resource)
            return await self.client.get_model(credential.key, name)

        found = {name: await self.catalogue.find(name, ask) for name in names}
        return {name: model for name, model in found.items() if model is not None}

    async def _verify(self, credential: Credential, resource: str, *, anew: bool = False) -> None:
        lately = credential.listed_at is not None and self._clock() - credential.listed_at < STALE_AFTER
        if lately and not anew:
            return
        await self.budget.acquire(lane=Lane.FINISH, key=resource)
        asked = self._clock()
        try:
            await self.client.list_deployments(credential.key, self.name, page_size=1)
        except FireworksError as error:
            self.refused(credential, error, listing=True)
            raise
        credential.listed_at = asked

    async def _belongs(self, credential: Credential, resource: str) -> bool:
        """Tell whether what a key does not see does not exist; only of one that has seen nothing yet that is asked."""
        if not credential.belongs:
            await self.budget.acquire(lane=Lane.FINISH, key=resource)
            try:
                accounts = await self.client.list_accounts(credential.key)
            except FireworksError as error:
                if error.kind not in _CREDENTIAL_ERRORS:
                    raise
                accounts = ()
            credential.belongs = any(each.name == f"accounts/{self.name}" for each in accounts)
        return credential.belongs

    def _doubt(self, credential: Credential, name: str) -> Unknown:
        """Return what a 404 is worth that cannot be believed, or not yet; some LIST from now asks again."""
        lasts = credential.denials.note(name, self._clock())
        if name in credential.seen:
            return Unknown(doubt=DENIED if lasts else "")
        return Unknown(doubt=UNSEEN if self.observer.has(name) else UNPROVEN)

    async def _run(self) -> None:
        while True:
            while not self._in_use():
                await self._touched.wait()
                self._touched.clear()
            self._touched.clear()
            started = self._clock()
            self._forget_replaced_keys()
            await self._observe_deployments()
            if self.observer.trouble is None:
                self._addon_lists.begin()
            await self._sleep(started)

    def _forget_replaced_keys(self) -> None:
        """Ask no more for keys that were refused and that no resource uses any more."""
        for each in self.credentials():
            if each.circuit.retry_at is not None and not self._uses_key(each):
                del self._credentials[each.key]

    async def _sleep(self, started: float) -> None:
        """Sleep until the next LIST is due; a change on the way brings it nearer."""
        spread = 1.0 + self._pace.jitter * (2.0 * random.random() - 1.0)  # noqa: S311 - no secret
        while True:
            pause = started + self.interval() * spread - self._clock()
            if pause <= 0:
                return
            try:
                # Not wait_for: before Python 3.12 it swallows a cancellation that meets the end of the wait.
                async with asyncio.timeout(min(pause, self._trial_pause())):
                    await self._touched.wait()
            except TimeoutError:
                pass
            else:
                self._touched.clear()
                if any(each.tried_at == float("-inf") and not _lists(each) for each in self._credentials.values()):
                    return  # a new key waits to be tried
            if self._next_stranger() is not None:
                await self._try_strangers(listed=bool(self._listers()) and self.observer.trouble is None)

    def interval(self) -> float:
        """Return the seconds from one LIST to the next: by the age of the last change, within a fifth of the budget."""
        age = self._clock() - self._changed_at
        pace = self._pace
        seconds = pace.hot if age < pace.hot_for else pace.warm if age < pace.warm_for else pace.idle
        return max(seconds, self._pages * 60.0 / (LIST_SHARE * self._rate))

    async def _observe(self) -> None:
        """List once what is wanted, one after the other."""
        await self._observe_deployments()
        if self.observer.trouble is None:
            await self._addon_lists.update()

    async def _observe_deployments(self) -> None:
        """List once, with the first key that can.

        Anybody may put this account's id beside any key: what fails while another key lists is that key's own
        trouble, whatever it is.
        """
        trouble: FireworksError | None = None
        for credential in self._listers():
            trouble = await self._poll(credential)
            if trouble is None:
                break
            if trouble.kind not in _CREDENTIAL_ERRORS:
                self.refused(credential, trouble, listing=True)
                self._note_failure(_explain_list(trouble, self.name))
                return
            self.refused(credential, trouble, listing=True)
        listed = bool(self._listers())
        if trouble is not None:
            self.observer.on_change(None)
        await self._try_strangers(listed=listed, trouble=trouble)

    async def _try_strangers(self, *, listed: bool, trouble: FireworksError | None = None) -> None:
        """Try some of the keys that do not list the account: each in turn, and none that does waits for them."""
        if listed and self._clock() - self._strangers_at < self._trial_pause():
            return
        odd: list[tuple[Credential, FireworksError]] = []
        refused = self._refused_keys()
        for _ in range(MOST_STRANGERS):
            credential = self._next_stranger()
            if credential is None:
                break
            self._strangers_at = self._clock()
            credential.tried_at = self._turns[credential.namespace] = self._clock()
            credential.circuit.allow()
            error = await self._poll(credential)
            if error is None:
                healed = self.observer.trouble is None
                listed, trouble = listed or healed, None if healed else trouble
                continue
            if not listed:
                trouble = error
            if error.kind in _CREDENTIAL_ERRORS:
                self.refused(credential, error, listing=True)
                continue
            odd.append((credential, error))
            if error.kind is ErrorKind.UNREACHABLE:
                break
        if listed:
            self._blame(odd)
            if self._refused_keys() - refused:
                self.observer.on_change(None)  # who uses a key that is refused from now on is told
        elif trouble is not None:
            if odd:
                self.refused(*odd[-1], listing=True)
            self._note_failure(_explain_list(trouble, self.name))

    def _blame(self, odd: list[tuple[Credential, FireworksError]]) -> None:
        """Anybody may put this account's id beside any key: what fails while another key lists is its own trouble."""
        for each, why in odd:
            self._refuse(each, _explain_list(why, self.name))

    def _refused_keys(self) -> set[ApiKey]:
        return {each.key for each in self._credentials.values() if each.circuit.retry_at is not None}

    def _next_stranger(self) -> Credential | None:
        """Return the key to try next: one that has listed the account before, then each namespace's in turn.

        Within a namespace the one that was tried least recently comes first, so that each gets its turn.
        """
        due = [each for each in self._credentials.values() if not _lists(each) and self._is_due(each)]
        turns = {each.namespace: self._turns.get(each.namespace, float("-inf")) for each in self._credentials.values()}
        self._turns = turns
        return min(due, key=lambda each: (not each.trusted, turns[each.namespace], each.tried_at), default=None)

    def _is_due(self, credential: Credential) -> bool:
        now, retry_at = self._clock(), credential.circuit.retry_at
        return now - credential.tried_at >= self._trial_pause() if retry_at is None else now >= retry_at

    def _trial_pause(self) -> float:
        """Return the seconds between two rounds of trials: strangers get no more than a tenth of the budget."""
        return max(self._pace.hot, MOST_STRANGERS * 60.0 / (TRIAL_SHARE * self._rate))

    async def _poll(self, credential: Credential) -> FireworksError | None:
        """List with one key; return why it did not work."""
        started = self._clock()
        try:
            listing = await self._list(credential.key, started)
        except FireworksError as error:
            return error
        except Exception as error:
            log.exception("observing account %s failed", self.name)
            return FireworksError(ErrorKind.PROTOCOL, f"{type(error).__name__}.")
        first = credential.listed_at is None
        credential.listed({*listing.deployments, *listing.unreadable}, started)
        credential.circuit.close()
        if not self._makes_the_picture(credential):
            # Another key sees more: what this one does not see is not gone.
            self.observer.on_change(None)
            return None
        for name in {name for each in self.credentials() for name in each.denials.take_due(self._clock())}:
            self.observer.ask(name)
        self.observer.listed(listing)
        for each in self.credentials():
            if len(each.seen) > 2 * len(each.seen & credential.seen) + 100:
                each.seen &= credential.seen  # most of it is gone
        self._terminations = {name: told for name, told in self._terminations.items() if self.observer.has(name)}
        if first:
            self.observer.on_change(None)  # whoever uses this key has waited for its own LIST
        return None

    def _makes_the_picture(self, credential: Credential) -> bool:
        """Tell whether a key's LIST is the account's: what may be a stranger's makes nothing look gone."""
        picture = self.observer.listing
        if not credential.belongs and picture is not None and picture.deployments:
            return False
        return self._listers()[0] is credential or self.observer.trouble is not None

    def _note_failure(self, explanation: Explanation) -> None:
        if self.observer.failed(explanation):
            log.warning("account %s cannot be observed: %s", self.name, explanation.message)

    async def _list(self, key: ApiKey, started: float) -> Listing:
        known = self.observer.listing.deployments if self.observer.listing is not None else {}
        found = await list_deployments(self.client, self.budget, key, self.name, known)
        self._pages = found.pages
        return Listing(started, found.deployments, found.unreadable)

    async def _list_addons(self) -> dict[str, tuple[DeployedModel, ...]]:
        """List the loaded addons with the first key that may: one that lists deployments need not be allowed to."""
        refusal: FireworksError | None = None
        for credential in self._listers()[:MOST_STRANGERS]:
            try:
                return await list_addons(self.client, self.budget, credential.key, self.name)
            except FireworksError as error:
                if error.kind not in _CREDENTIAL_ERRORS:
                    raise
                refusal = refusal or error
        raise refusal or FireworksError(ErrorKind.UNREACHABLE, "no API key lists the account")

    def _listers(self) -> list[Credential]:
        """Return the keys that list the account, in the order in which they do.

        First the one that sees most and is no stranger, so that nothing looks gone to others since one key may see
        less; of equals the newest, since the older ones were replaced by it.
        """
        newest_first = [each for each in reversed(self._credentials.values()) if _lists(each)]
        return sorted(newest_first, key=lambda each: (not each.belongs, -each.extent))

    async def _look_again(self, name: str) -> None:
        """GET a deployment with a key that lists the account, as a part of observing it."""
        listers = self._listers()
        if listers:
            await self.look(listers[0], name, "", lane=Lane.LIST)

    def _needs_following(self) -> bool:
        hot = self._clock() - self._changed_at < self._pace.hot_for
        return hot and self._pages > FEW_PAGES and self._in_use()


def _lists(credential: Credential) -> bool:
    return credential.listed_at is not None and credential.circuit.retry_at is None


def _explain_list(error: FireworksError, account: str) -> Explanation:
    if error.kind is ErrorKind.NOT_FOUND:
        return Explanation(
            Reason.CREDENTIALS_INVALID,
            f'Fireworks knows no account "{account}" for this API key: correct the account id beside the key '
            "(accountId in the Secret, or FIREWORKS_ACCOUNT_ID).",
            final=True,
        )
    return explain(error)
