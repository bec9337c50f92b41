"""The state of the simulated service, and the passing of virtual time over it."""

import heapq
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from fireworks_simulator.catalogue import Catalogue
from fireworks_simulator.clock import VirtualClock
from fireworks_simulator.entities import Account, ApiKey, DeployedModel, Deployment, Plan, Shown, State
from fireworks_simulator.faults import Faults
from fireworks_simulator.journal import Journal, Sequence
from fireworks_simulator.lifecycle import Lifecycle
from fireworks_simulator.meter import Meter
from fireworks_simulator.prices import Prices
from fireworks_simulator.routing import Routers
from fireworks_simulator.settings import Settings
from fireworks_simulator.stages import StageRules
from fireworks_simulator.traffic import Traffic
from fireworks_simulator.wire import JsonObject

_ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_HISTORY = 20_000


@dataclass(slots=True)
class _Listing:
    """Deployments of an account in LIST order, and what they looked like before their latest changes."""

    visible: list[Deployment] | None = None
    everything: list[Deployment] | None = None
    past: deque[tuple[float, Deployment, bytes | None]] = field(default_factory=lambda: deque(maxlen=_HISTORY))


class World:
    """Everything that the simulated service knows.

    Requests are handled one at a time and synchronously, each at one virtual moment, so there is nothing to lock.
    """

    def __init__(self, settings: Settings, sequence: Sequence | None = None) -> None:
        self.settings = settings
        self.assumptions = settings.assumptions
        self.clock = VirtualClock(settings.speed, stepped=settings.stepped)
        self.journal = Journal(settings.journal_size, sequence)
        self.random = random.Random(settings.seed)  # noqa: S311 - repeatable on purpose
        self.faults = Faults(self.random)
        self.stages = StageRules(settings.timing)
        self.accounts: dict[str, Account] = {}
        self.keys: dict[str, ApiKey] = {}
        self.catalogue = Catalogue(self.clock.now())
        self.meter = Meter()
        self.routers = Routers(self.random)
        self.prices = Prices(dict(settings.prices))
        self.traffic = Traffic()
        self.lifecycle = Lifecycle(
            self.assumptions, before_change=self.remember, gone=self.remove, unloaded=self.remove_model
        )
        self._listings: dict[str, _Listing] = {}
        self._agenda: list[tuple[float, int, Deployment]] = []
        self._sequence = 0
        for account in settings.accounts:
            self.add_key(account.id, account.api_key)

    # --- accounts and keys ---------------------------------------------------------------------------------------

    def add_account(self, account_id: str) -> Account:
        """The account of that id, created if there is none."""
        account = self.accounts.get(account_id)
        if account is None:
            now = self.clock.now()
            account = self.accounts[account_id] = Account(account_id, now, now)
            self._listings[account_id] = _Listing()
        return account

    def add_key(self, account_id: str, api_key: str, role: str = "admin") -> ApiKey:
        """Let an API key into an account; a key that exists already moves there."""
        self.add_account(account_id)
        number = sum(key.account == account_id for key in self.keys.values()) + 1
        key = self.keys[api_key] = ApiKey(f"{account_id}-key-{number}", account_id, role)
        return key

    # --- deployments ---------------------------------------------------------------------------------------------

    def next_sequence(self) -> int:
        """A number that grows with each thing created."""
        self._sequence += 1
        return self._sequence

    def generate_id(self, length: int = 8) -> str:
        """A random resource id, repeatable by seed."""
        return "".join(self.random.choices(_ID_ALPHABET, k=length))

    def new_deployment(self, account_id: str, deployment_id: str, config: JsonObject, now: float) -> Deployment:
        """A deployment that is not part of the world yet."""
        name = f"accounts/{account_id}/deployments/{deployment_id}"
        plan = self.stages.plan(name, config)
        return Deployment(name, account_id, deployment_id, self.next_sequence(), config, plan, now, now)

    def add(self, d: Deployment, now: float) -> None:
        """Make a deployment part of the world."""
        self.remember(d, now)
        d.frozen = d.frozen or self.faults.freezes(d.account, d.id)
        self.accounts[d.account].deployments[d.id] = d
        self.relist(d.account)
        self.changed(d, now)

    def remove(self, d: Deployment) -> None:
        """A deployment ceases to exist."""
        self.accounts[d.account].deployments.pop(d.id, None)
        self.traffic.forget(d)
        for model in list(d.deployed_models):
            self.remove_model(model)
        self.relist(d.account)

    def remove_model(self, model: DeployedModel) -> None:
        """A deployed model ceases to exist."""
        model.deployment.deployed_models.remove(model)
        account = self.accounts[model.deployment.account]
        account.deployed_models.pop(model.name.rsplit("/", 1)[-1], None)

    def changed(self, d: Deployment, now: float) -> None:
        """Something about a deployment changed at `now`: forget its text, plan its next moment."""
        d.forget_encoding()
        state = d.state
        self.lifecycle.settle(d, now)
        if d.state is not state or d.gone:
            self.relist(d.account)
        self.schedule(d)

    def schedule(self, d: Deployment) -> None:
        """Put a deployment's next moment on the agenda."""
        if d.due < float("inf"):
            heapq.heappush(self._agenda, (d.due, self.next_sequence(), d))

    def settle(self, now: float) -> None:
        """Let everything happen that was due up to `now`."""
        agenda = self._agenda
        while agenda and agenda[0][0] <= now:
            due, _, d = heapq.heappop(agenda)
            if due == d.due and self.accounts[d.account].deployments.get(d.id) is d:
                d.due = float("inf")
                self.changed(d, now)

    def encoded(self, d: Deployment, now: float) -> bytes:
        """A deployment's JSON text."""
        return d.encoded(now, self._shown())

    def wire(self, d: Deployment, now: float) -> JsonObject:
        """A deployment's JSON value."""
        return d.to_wire(now, self._shown())

    def _shown(self) -> Shown:
        assumptions = self.assumptions
        return Shown(
            assumptions.emit_zero_values,
            assumptions.materialise_autoscaling_defaults,
            assumptions.direct_route_api_keys_readable,
        )

    def every_deployment(self) -> Iterator[Deployment]:
        """All deployments of all accounts, deleted ones included."""
        for account in self.accounts.values():
            yield from account.deployments.values()

    # --- lists ---------------------------------------------------------------------------------------------------

    def relist(self, account_id: str) -> None:
        """The membership of an account's lists changed."""
        listing = self._listings[account_id]
        listing.visible = listing.everything = None

    def listing(self, account_id: str, *, show_deleted: bool) -> list[Deployment]:
        """Deployments of an account by create time, as LIST shows them."""
        listing = self._listings[account_id]
        if listing.everything is None or listing.visible is None:
            found = self.accounts[account_id].deployments.values()
            listing.everything = sorted(found, key=lambda d: (d.create_time, d.sequence))
            listing.visible = [d for d in listing.everything if d.state is not State.DELETED]
        return listing.everything if show_deleted else listing.visible

    def remember(self, d: Deployment, moment: float) -> None:
        """Keep what LIST shows of a deployment before it changes at `moment`, and what it used."""
        self.meter.read(d, moment)
        account = self.accounts.get(d.account)
        listed = account is not None and account.deployments.get(d.id) is d and d.state is not State.DELETED
        shown = self.encoded(d, moment) if listed else None
        self._listings[d.account].past.append((moment, d, shown))

    def listing_as_of(self, account_id: str, moment: float, now: float) -> list[tuple[Deployment, bytes]]:
        """What LIST (without deleted ones) showed at an earlier moment."""
        shown: dict[Deployment, bytes | None] = {
            d: self.encoded(d, now) for d in self.listing(account_id, show_deleted=False)
        }
        for changed, d, text in reversed(self._listings[account_id].past):
            if changed <= moment:
                break
            shown[d] = text
        entries = [(d, text) for d, text in shown.items() if text is not None]
        entries.sort(key=lambda entry: (entry[0].create_time, entry[0].sequence))
        return entries

    # --- rules ---------------------------------------------------------------------------------------------------

    def replan(self, d: Deployment) -> Plan:
        """The plan that the rules of today give a deployment."""
        return self.stages.plan(d.name, d.config)

    def thaw(self, now: float) -> None:
        """Freeze and unfreeze deployments as the fault rules say."""
        for d in self.every_deployment():
            frozen = self.faults.freezes(d.account, d.id)
            if frozen != d.frozen:
                d.frozen = frozen
                self.changed(d, now)
