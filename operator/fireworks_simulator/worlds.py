"""The worlds of one simulator: the one that most accounts share, and those that an account has to itself."""

from fireworks_simulator.journal import Sequence
from fireworks_simulator.service import Service
from fireworks_simulator.settings import AccountSettings, Settings
from fireworks_simulator.world import World

SHARED = ""
"""The name of the world that all accounts share which have none of their own."""


class Worlds:
    """Which world answers whom.

    A world of an account's own has its own clock, fault rules, switches, durations, models and journal, as if a
    simulator had been started for it alone. It is named after the account.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sequence = Sequence()
        self._services = {SHARED: self._begin(settings.accounts)}

    def _begin(self, accounts: tuple[AccountSettings, ...]) -> Service:
        settings = self._settings.model_copy(deep=True, update={"accounts": accounts})
        return Service(World(settings, self._sequence))

    @property
    def shared(self) -> World:
        """The world that all accounts share which have none of their own."""
        return self._services[SHARED].world

    def get(self, name: str) -> World | None:
        """The world of that name, None if there is none."""
        service = self._services.get(name)
        return None if service is None else service.world

    def add(self, account: AccountSettings) -> None:
        """Give an account a world of its own, in the place of the one that it has."""
        self._services[account.id] = self._begin((account,))

    def remove(self, name: str) -> bool:
        """End a world; False if there is none of that name."""
        return name != SHARED and self._services.pop(name, None) is not None

    def reset(self, name: str) -> None:
        """Start a world over: the shared one as the simulator began, so that there is no other."""
        if name == SHARED:
            self._sequence = Sequence()
            self._services = {SHARED: self._begin(self._settings.accounts)}
            return
        (first, *_) = self._services[name].world.settings.accounts
        self.add(first)

    def answering(self, key: str, account: str) -> Service:
        """The service for a request: of the world that knows its key, else of the one with the account in its path."""
        shared = self._services[SHARED]
        if len(self._services) == 1:
            return shared
        for service in self._services.values():
            if key in service.world.keys:
                return service
        return self._services[self._home(account)]

    def concerned(self, service: Service, account: str) -> World | None:
        """The world that a request is about by its path, if another one answers it."""
        world = self._services[self._home(account)].world
        return None if world is service.world or account not in world.accounts else world

    def _home(self, account: str) -> str:
        for name, service in self._services.items():
            if account in service.world.accounts:
                return name
        return SHARED
