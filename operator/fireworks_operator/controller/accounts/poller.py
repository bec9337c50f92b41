"""The loop that lists one account: how often, with whose key, and what is tried where none works."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from logging import getLogger
from typing import TypeVar

from fireworks_operator.core.diagnosis import Diagnosis
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.client import FireworksClient
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.request_budget import LIST_SHARE, RequestBudget

from .bindings import Bindings
from .keyring import CREDENTIAL_ERRORS, MOST_STRANGERS, Credential, Keyring, explain_list
from .observer import AddonListing, Listing, Observer
from .pages import Addons, list_addons, list_deployments, list_routers
from .routers import RouterListing, Routers
from .side_list import SideList

log = getLogger(__name__)

Found = TypeVar("Found")


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
class _Round:
    """What the LISTs of one round have come to.

    Attributes:
        listed: whether any key lists the account.
        error: why it is not listed.
        odd: what failed for another reason than that the key may not.
    """

    listed: bool
    error: FireworksError | None = None
    odd: list[tuple[Credential, FireworksError]] = field(default_factory=list)

    def healed(self) -> None:
        """Note that the account has been listed."""
        self.listed, self.error = True, None

    def failed(self, error: FireworksError) -> None:
        """Note that another key has not listed it."""
        if not self.listed:
            self.error = error


@dataclass(frozen=True, slots=True)
class _AddonTaker:
    """Takes in the LIST of the loaded addons."""

    observer: Observer

    @property
    def wanted(self) -> bool:
        """Whether any resource wants it."""
        return self.observer.addons_wanted

    def listed(self, started: float, found: Addons) -> None:
        """Take in a complete LIST that began at a time."""
        self.observer.addons_listed(AddonListing(started, found))

    def failed(self, diagnosis: Diagnosis) -> bool:
        """Take in that it failed; return whether the words are news."""
        return self.observer.addons_failed(diagnosis)


class Poller:
    """Lists the deployments of an account, its loaded addons and routers, for as long as any resource uses it."""

    def __init__(
        self,
        client: FireworksClient,
        budget: RequestBudget,
        observer: Observer,
        routers: Routers,
        keyring: Keyring,
        bindings: Bindings,
        pace: Pace,
    ) -> None:
        """Set it up; `start()` begins."""
        self._account = observer.account
        self._client = client
        self._budget = budget
        self._observer = observer
        self._keyring = keyring
        self._bindings = bindings
        self._pace = pace
        self._clock = observer.clock
        self._side_lists = (
            SideList(self._account, "addons", _AddonTaker(observer), self._list_addons, self._clock),
            SideList(self._account, "routers", routers, self._list_routers, self._clock),
        )
        self._changed_at = self._clock()
        self._touched = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.pages = 1

    def start(self) -> None:
        """Begin to observe, in a task of the running loop."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"observe {self._account}")

    async def stop(self) -> None:
        """Stop observing."""
        for each in self._side_lists:
            await each.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def touch(self) -> None:
        """Observe often for a while, since something is changing."""
        self._changed_at = self._clock()
        self._touched.set()

    def wake(self) -> None:
        """Look whether there is anything to do: a key has come."""
        self._touched.set()

    @property
    def hot(self) -> bool:
        """Whether something has changed just now."""
        return self._clock() - self._changed_at < self._pace.hot_for

    def interval(self) -> float:
        """Return the seconds from one LIST to the next: by the age of the last change, within a fifth of the budget."""
        age = self._clock() - self._changed_at
        pace = self._pace
        seconds = pace.hot if age < pace.hot_for else pace.warm if age < pace.warm_for else pace.idle
        return max(seconds, self.pages * 60.0 / (LIST_SHARE * self._budget.rate_per_minute))

    async def poll(self) -> None:
        """List the deployments once; addons and routers, if anybody wants them, each in a task of their own."""
        self._keyring.forget_replaced(self._bindings.uses_key)
        await self._list_deployments()
        if self._observer.failure is None:
            for each in self._side_lists:
                each.begin()

    async def _run(self) -> None:
        while True:
            while not self._bindings.uses(self._account):
                await self._touched.wait()
                self._touched.clear()
            self._touched.clear()
            started = self._clock()
            await self.poll()
            await self._sleep(started)

    async def _sleep(self, started: float) -> None:
        """Sleep until the next LIST is due; a change on the way brings it nearer."""
        spread = 1.0 + self._pace.jitter * (2.0 * random.random() - 1.0)  # noqa: S311 - no secret
        while True:
            pause = started + self.interval() * spread - self._clock()
            if pause <= 0:
                return
            try:
                # Not wait_for: before Python 3.12 it swallows a cancellation that meets the end of the wait.
                async with asyncio.timeout(min(pause, self._keyring.trial_pause)):
                    await self._touched.wait()
            except TimeoutError:
                pass
            else:
                self._touched.clear()
                if self._keyring.has_untried():
                    return
            if self._keyring.has_due():
                healthy = self._observer.failure is None
                await self._try_strangers(_Round(listed=bool(self._keyring.listers()) and healthy))

    async def _list_deployments(self) -> None:
        """List once, with the first key that can.

        Anybody may put this account's id beside any key: what fails while another key lists is that key's own
        trouble, whatever it is.
        """
        error: FireworksError | None = None
        for credential in self._keyring.listers():
            error = await self._list_with(credential)
            if error is None:
                break
            self._keyring.refused(credential, error, listing=True)
            if error.kind not in CREDENTIAL_ERRORS:
                self._note_failure(error)
                return
        if error is not None:
            self._observer.tell(None)
        await self._try_strangers(_Round(listed=bool(self._keyring.listers()), error=error))

    async def _try_strangers(self, so_far: _Round) -> None:
        """Try some of the keys that do not list the account: each in turn, and none that does waits for them."""
        if so_far.listed and self._keyring.rests():
            return
        refused = self._keyring.refused_keys()
        for _ in range(MOST_STRANGERS):
            credential = self._keyring.begin_trial()
            if credential is None:
                break
            error = await self._list_with(credential)
            if error is None:
                if self._observer.failure is None:
                    so_far.healed()
                continue
            so_far.failed(error)
            if error.kind in CREDENTIAL_ERRORS:
                self._keyring.refused(credential, error, listing=True)
                continue
            so_far.odd.append((credential, error))
            if error.kind is ErrorKind.UNREACHABLE:
                break
        self._conclude(so_far, refused)

    def _conclude(self, tried: _Round, refused: set[ApiKey]) -> None:
        """Say what a round of trials has come to; `refused` are the keys that were refused before it."""
        if tried.listed:
            self._keyring.blame(tried.odd)
            if self._keyring.refused_keys() - refused:
                self._observer.tell(None)  # who uses a key that is refused from now on is told
        elif tried.error is not None:
            if tried.odd:
                self._keyring.refused(*tried.odd[-1], listing=True)
            self._note_failure(tried.error)

    async def _list_with(self, credential: Credential) -> FireworksError | None:
        """List with one key; return why it did not work."""
        started = self._clock()
        try:
            listing = await self._list(credential.api_key, started)
        except FireworksError as error:
            return error
        except Exception as error:
            log.exception("observing account %s failed", self._account)
            return FireworksError(ErrorKind.PROTOCOL, f"{type(error).__name__}.")
        first = credential.listed_at is None
        credential.listed({*listing.deployments, *listing.unreadable}, started)
        credential.circuit.close()
        if not self._makes_the_picture(credential):
            # Another key sees more: what this one does not see is not gone.
            self._observer.tell(None)
            return None
        for name in self._keyring.take_due_denials():
            self._observer.ask(name)
        self._observer.listed(listing)
        self._keyring.forget_gone(credential.seen)
        if first:
            self._observer.tell(None)  # whoever uses this key has waited for its own LIST
        return None

    def _makes_the_picture(self, credential: Credential) -> bool:
        """Tell whether a key's LIST is the account's: what may be a stranger's makes nothing look gone."""
        picture = self._observer.listing
        if not credential.belongs and picture is not None and picture.deployments:
            return False
        return self._keyring.listers()[0] is credential or self._observer.failure is not None

    def _note_failure(self, error: FireworksError) -> None:
        diagnosis = explain_list(error, self._account)
        if self._observer.failed(diagnosis):
            log.warning("could not observe account %s: %s", self._account, diagnosis.message)

    async def _list(self, api_key: ApiKey, started: float) -> Listing:
        known = self._observer.listing.deployments if self._observer.listing is not None else {}
        found = await list_deployments(self._client, self._budget, api_key, self._account, known)
        self.pages = found.pages
        return Listing(started, found.deployments, found.unreadable)

    async def _list_addons(self) -> Addons:
        return await self._with_any_key(lambda key: list_addons(self._client, self._budget, key, self._account))

    async def _list_routers(self) -> RouterListing:
        return await self._with_any_key(lambda key: list_routers(self._client, self._budget, key, self._account))

    async def _with_any_key(self, ask: Callable[[ApiKey], Awaitable[Found]]) -> Found:
        """Ask with the first key that may: one that lists deployments need not be allowed to list others."""
        refusal: FireworksError | None = None
        for credential in self._keyring.listers()[:MOST_STRANGERS]:
            try:
                return await ask(credential.api_key)
            except FireworksError as error:
                if error.kind not in CREDENTIAL_ERRORS:
                    raise
                refusal = refusal or error
        raise refusal or FireworksError(ErrorKind.UNREACHABLE, "no API key can list the account")
