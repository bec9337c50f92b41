"""What this process has lately done for one resource, beside what its status remembers."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fireworks_operator.api.v1alpha1 import DirectRouteSecret, FireworksDeployment, FireworksDeploymentStatus
from fireworks_operator.core.actions import LoadAddon, Mutation, SetDeployedModel, Update, UpdateAddon
from fireworks_operator.core.context import Unusable
from fireworks_operator.core.observed.observation import Present

CONNECT_PAUSE = timedelta(minutes=5)
"""How long a ConfigMap that must not be written is left alone, unless the spec changes."""


@dataclass(frozen=True, slots=True)
class Unwritten:
    """A status that the next pass writes, and the one that is stored until then."""

    stored: FireworksDeploymentStatus
    status: FireworksDeploymentStatus


@dataclass(slots=True)
class Recent:
    """One resource's memory, gone with the process.

    Attributes:
        key_changed: its API key is another one than before, and no pass with it has come to anything yet.
        finalized: this process has added the finalizer, and claimed nothing since.
        update: when the last PATCH was sent.
        tags: when tags were last changed.
        router: when the last request that creates or changes its router was sent.
        addon_updates: when which loaded addon was last changed for the spec as it is now.
        addon_loads: when which model was last loaded that no LIST has shown since.
        change: the last change that was made, while nothing else has been found to do since.
        released: the uid of the resource whose finalizer was removed, and when the API server was last told to.
        unwritten: what has come of a request, while the status does not say it yet.
        connect_at: when its ConfigMap is tried again, after it could not be written.
        route_secret: the version of the Secret with the API keys of its direct route that was read last.
    """

    key_changed: bool = False
    finalized: bool = False
    update: datetime | None = None
    tags: datetime | None = None
    router: datetime | None = None
    addon_updates: dict[str, datetime] = field(default_factory=dict)
    addon_loads: dict[str, datetime] = field(default_factory=dict)
    change: Mutation | None = None
    released: tuple[str, datetime] | None = None
    unwritten: Unwritten | None = None
    connect_at: datetime | None = None
    route_secret: DirectRouteSecret | None = None

    def changes_route_secret(self, secret: DirectRouteSecret | Unusable | None) -> bool:
        """Remember the version of the Secret of a direct route; True if it was another one before."""
        before = self.route_secret
        if isinstance(secret, DirectRouteSecret):
            self.route_secret = secret
        return before is not None and before != self.route_secret

    def latest(self, stored: FireworksDeployment) -> FireworksDeployment:
        """Return a resource with the status that was derived for it last, whether or not that is written yet."""
        if self.unwritten is None:
            return stored
        if stored.status != self.unwritten.stored:
            self.unwritten = None  # another status was written meanwhile, and counts
            return stored
        return stored.model_copy(update={"status": self.unwritten.status})

    def stored_status(self, resource: FireworksDeployment) -> FireworksDeploymentStatus:
        """Return the status as it is stored, of a resource that `latest()` gave."""
        return resource.status if self.unwritten is None else self.unwritten.stored

    def new_spec(self) -> None:
        """Forget what holds for one generation of the spec."""
        self.connect_at = None
        self.addon_updates.clear()
        self.addon_loads.clear()

    def new_deployment(self) -> None:
        """Forget what was done to a deployment, as the next steps are about another one."""
        self.update = self.tags = self.router = self.change = None
        self.addon_updates.clear()
        self.addon_loads.clear()

    def listed(self, observed: Present) -> None:
        """Forget loads that have led to an addon, so that it is loaded at once when it is lost later."""
        for addon in observed.addons or ():
            self.addon_loads.pop(addon.model, None)

    def made(self, change: Mutation, now: datetime) -> bool:
        """Note a change; True if the same one was made right before, and so has come to nothing."""
        if isinstance(change, UpdateAddon):
            self.addon_updates[change.deployed_model] = now
        if isinstance(change, SetDeployedModel):
            self.addon_updates[change.remembered_as] = now
        if isinstance(change, LoadAddon):
            self.addon_loads[change.model] = now
        before, self.change = self.change, change
        return before == change and not isinstance(change, Update)  # PATCHes have their own pauses

    def set_clock_right(self, now: datetime) -> None:
        """Let pauses begin now that began in the future."""
        if self.released is not None:
            self.released = (self.released[0], min(self.released[1], now))
        if self.connect_at is not None:
            self.connect_at = min(self.connect_at, now + CONNECT_PAUSE)
        self.update = None if self.update is None else min(self.update, now)
        self.tags = None if self.tags is None else min(self.tags, now)
        self.router = None if self.router is None else min(self.router, now)
        self.addon_updates = {name: min(time, now) for name, time in self.addon_updates.items()}
        self.addon_loads = {name: min(time, now) for name, time in self.addon_loads.items()}
