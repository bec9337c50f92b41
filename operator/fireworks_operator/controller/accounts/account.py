"""One Fireworks account: what is shared by the resources that use it."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from logging import getLogger

from fireworks_operator.core.observed.observation import DENIED, UNPROVEN, UNSEEN, Absent, Observed, Present, Unknown
from fireworks_operator.core.observed.router import SeenRouter
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.client import FireworksClient
from fireworks_operator.fireworks.deployment_shapes import DeploymentShape
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.models import Deployment, Model
from fireworks_operator.fireworks.request_budget import LIST_SHARE, Circuit, Lane, RequestBudget

from .bindings import Bindings
from .catalogue import KNOWN_FOR, Catalogue
from .cold import Cold
from .following import FEW_PAGES, Following
from .keyring import CREDENTIAL_ERRORS, Credential, Keyring
from .observer import STALE_AFTER, ChangeHandler, Observer
from .poller import Pace, Poller
from .routers import Routers

log = getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Termination:
    """Why a replica of a deployment died, that failed at a time; `asked` in monotonic seconds."""

    failed_at: datetime | None
    message: str
    asked: float


class Account:
    """Everything that is shared by the resources of one account; `ref` is a resource's `namespace/name`."""

    def __init__(
        self,
        name: str,
        client: FireworksClient,
        *,
        budget: RequestBudget,
        pace: Pace,
        clock: Callable[[], float],
        bindings: Bindings,
        handler: ChangeHandler,
    ) -> None:
        """Set an account up; `start()` begins to observe it, for as long as any resource uses it."""
        self.name = name
        self.client = client
        self.budget = budget
        self.observer = Observer(name, handler, clock)
        self.routers = Routers(self.observer, clock)
        self.catalogue: Catalogue[Model] = Catalogue(clock)
        self.cold = Cold(clock)
        self._shapes: Catalogue[tuple[DeploymentShape, ...]] = Catalogue(clock)
        self.keyring = Keyring(name, budget, clock, shortest_pause=pace.hot)
        self.poller = Poller(client, budget, self.observer, self.routers, self.keyring, bindings, pace)
        self._bindings = bindings
        self._clock = clock
        self._terminations: dict[str, _Termination] = {}
        # They may take half of what observing may: the LIST goes on meanwhile.
        most = max(1, int(LIST_SHARE * budget.rate_per_minute / 60.0 * pace.hot / 2))
        self._following = Following(self.observer, self._look_again, bindings, most=most, pause=pace.hot)

    def start(self) -> None:
        """Begin to observe, in a task of the running loop."""
        self.poller.start()

    async def stop(self) -> None:
        """Stop observing."""
        await self._following.stop()
        await self.poller.stop()

    def credential(self, api_key: ApiKey, circuit: Circuit, *, namespace: str = "", own: bool = False) -> Credential:
        """Register a key of this account; the newest is the first that lists."""
        known = self.keyring.get(api_key)
        if known is None:
            known = self.keyring.add(api_key, circuit, own=own)
            self.poller.wake()
        known.namespace = namespace
        return known

    @property
    def in_use(self) -> bool:
        """Whether any resource uses it; an account that none does is not observed."""
        return self._bindings.uses(self.name)

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
        return tuple(self.keyring)

    def keep(self, api_keys: Collection[ApiKey]) -> None:
        """Forget all other keys: no resource uses them any more."""
        self.keyring.keep(api_keys)

    def touch(self) -> None:
        """Observe often for a while, since something is changing."""
        self.poller.touch()
        self._following.begin(self._needs_following)

    def refused(self, credential: Credential, error: FireworksError, *, listing: bool = False) -> None:
        """Draw the account-wide and credential-wide consequences of an error."""
        self.keyring.refused(credential, error, listing=listing)

    async def look(self, credential: Credential, name: str, ref: str, *, lane: Lane = Lane.OTHER) -> Observed:
        """GET one deployment.

        Absent is confirmed only if the key has listed the account lately, and belongs to it: a 404 may also mean "not
        for you". Nor does it count while the last LIST has the deployment: one of the two is wrong, and is asked again
        after some LIST.

        Raises:
            FireworksError: no answer that says anything about the deployment.
        """
        await self.budget.acquire(lane=lane, ref=ref)
        asked = self._clock()
        try:
            deployment = await self.client.get_deployment(credential.api_key, name)
        except FireworksError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                self.refused(credential, error)
                if error.kind is ErrorKind.PERMISSION_DENIED and not credential.belongs:
                    await self._verify(credential, ref, anew=True)  # whether it is a stranger's, its LIST tells
                raise
            await self._verify(credential, ref)
            belongs = await self._belongs(credential, ref)
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

    async def look_at_addon(self, credential: Credential, observed: Present, name: str, ref: str) -> Present:
        """GET one addon of a deployment, and put what is said of it into the place of what the LIST said.

        Raises:
            FireworksError: no answer that says anything about the addon.
        """
        others = tuple(each for each in observed.addons or () if each.name != name)
        await self.budget.acquire(lane=Lane.FINISH, ref=ref)
        try:
            addon = await self.client.get_deployed_model(credential.api_key, name)
        except FireworksError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                self.refused(credential, error)
                raise
            return replace(observed, addons=others)
        ours = (addon,) if addon.deployment == observed.deployment.name else ()
        return replace(observed, addons=(*others, *ours))

    async def look_at_router(self, credential: Credential, name: str, ref: str) -> SeenRouter:
        """GET one router. That there is none is believed of a key that has listed the account lately.

        Raises:
            FireworksError: no answer that says anything about the router.
        """
        await self.budget.acquire(lane=Lane.FINISH, ref=ref)
        try:
            router = await self.client.get_router(credential.api_key, name)
        except FireworksError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                self.refused(credential, error)
                raise
            await self._verify(credential, ref)
            return SeenRouter(name, None, fresh=True)
        return SeenRouter(name, router, fresh=True)

    async def termination_message(self, credential: Credential, deployment: Deployment, ref: str) -> str:
        """Return why a replica died, asked for once per failure; empty if Fireworks does not tell."""
        self._terminations = {name: each for name, each in self._terminations.items() if self._is_there(name, each)}
        known = self._terminations.get(deployment.name)
        if known is not None and known.failed_at == deployment.update_time:
            return known.message
        await self.budget.acquire(lane=Lane.OTHER, ref=ref)
        asked = self._clock()
        try:
            message = await self.client.termination_message(credential.api_key, deployment.name)
        except FireworksError as error:
            # It only adds to what is known: neither the key nor the account is in trouble over it.
            log.info("could not query why a replica of %s died: %s", deployment.name, error)
            message = ""
        self._terminations[deployment.name] = _Termination(deployment.update_time, message, asked)
        return message

    def _is_there(self, name: str, termination: _Termination) -> bool:
        """Tell whether a deployment was not gone when the account was last listed."""
        listing = self.observer.listing
        return listing is None or name in listing.deployments or termination.asked >= listing.started

    async def models(
        self, credential: Credential, names: Iterable[str], ref: str, *, within: float = KNOWN_FOR
    ) -> dict[str, Model]:
        """Return the records of models, without those that cannot be had; none is older than `within` seconds."""

        async def ask(name: str) -> Model:
            # Asked for once a day, in the middle of passes that have had their turn.
            await self.budget.acquire(lane=Lane.FINISH, ref=ref)
            return await self.client.get_model(credential.api_key, name)

        found = {name: await self.catalogue.find(name, ask, within=within) for name in names}
        return {name: model for name, model in found.items() if model is not None}

    async def shapes(
        self, credential: Credential, model: str, ref: str, *, addons: bool
    ) -> tuple[DeploymentShape, ...]:
        """Return the shapes that fit a model; none if Fireworks does not tell."""

        async def ask(_: str) -> tuple[DeploymentShape, ...]:
            await self.budget.acquire(lane=Lane.FINISH, ref=ref)
            return await self.client.match_shapes(credential.api_key, self.name, model, addons=addons)

        return await self._shapes.find(f"{model} with addons" if addons else model, ask) or ()

    async def _verify(self, credential: Credential, ref: str, *, anew: bool = False) -> None:
        lately = credential.listed_at is not None and self._clock() - credential.listed_at < STALE_AFTER
        if lately and not anew:
            return
        await self.budget.acquire(lane=Lane.FINISH, ref=ref)
        asked = self._clock()
        try:
            await self.client.list_deployments(credential.api_key, self.name, page_size=1)
        except FireworksError as error:
            self.refused(credential, error, listing=True)
            raise
        credential.listed_at = asked

    async def _belongs(self, credential: Credential, ref: str) -> bool:
        """Tell whether what a key does not see does not exist; only of one that has seen nothing yet that is asked."""
        if not credential.belongs:
            await self.budget.acquire(lane=Lane.FINISH, ref=ref)
            try:
                accounts = await self.client.list_accounts(credential.api_key)
            except FireworksError as error:
                if error.kind not in CREDENTIAL_ERRORS:
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

    async def _look_again(self, name: str) -> None:
        """GET a deployment with a key that lists the account, as a part of observing it."""
        listers = self.keyring.listers()
        if listers:
            await self.look(listers[0], name, "", lane=Lane.LIST)

    def _needs_following(self) -> bool:
        return self.poller.hot and self.poller.pages > FEW_PAGES and self.in_use
