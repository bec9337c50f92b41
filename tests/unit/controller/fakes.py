"""A Fireworks API and Secrets in memory, for tests that are not about the wire."""

from collections import Counter
from collections.abc import Mapping

from pydantic import JsonValue

from fireworks_operator.controller.accounts.bindings import Bindings
from fireworks_operator.controller.accounts.keyring import Credential
from fireworks_operator.controller.accounts.observer import Changed
from fireworks_operator.controller.budgets.ledger import Ledger
from fireworks_operator.core.prices import Prices
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.models import Account, DeployedModel, DeployedModelPage, Deployment, DeploymentPage
from fireworks_operator.ports import SecretExcerpt, SecretForbiddenError
from testkit.builders import NOW

GOOD = "fw_good_key_1234567890"
OTHER = "fw_other_key_1234567890"


class FakeFireworks:
    """Answers like the client does.

    `errors` maps a method, or a method and a key (`"list_deployments fw_…"`), to what it fails with; `calls`
    counts both ways.
    """

    def __init__(self) -> None:
        self.deployments: dict[str, Deployment] = {}
        self.pages: list[DeploymentPage] = []
        self.addons: list[DeployedModelPage] = []
        self.accounts: dict[str, tuple[str, ...]] = {}
        self.errors: dict[str, FireworksError] = {}
        self.calls: Counter[str] = Counter()

    def fail(self, what: str, kind: ErrorKind, message: str = "the server's words") -> None:
        """Have a method fail from now on."""
        self.errors[what] = FireworksError(kind, message, status=400)

    def heal(self) -> None:
        """Have nothing fail any more."""
        self.errors.clear()

    def _call(self, method: str, api_key: ApiKey) -> None:
        for what in (method, f"{method} {api_key.reveal()}"):
            self.calls[what] += 1
            if what in self.errors:
                raise self.errors[what]

    async def list_accounts(self, api_key: ApiKey) -> tuple[Account, ...]:
        self._call("list_accounts", api_key)
        return tuple(Account(f"accounts/{name}") for name in self.accounts.get(api_key.reveal(), ("acme",)))

    async def list_deployments(
        self,
        api_key: ApiKey,
        account: str,
        *,
        page_token: str | None = None,
        page_size: int = 200,
        known: Mapping[str, Deployment] | None = None,
    ) -> DeploymentPage:
        self._call("list_deployments", api_key)
        if self.pages:
            return self.pages[min(self.calls["list_deployments"], len(self.pages)) - 1]
        start = int(page_token or 0)
        end = start + page_size
        found = tuple(self.deployments.values())
        entries: list[JsonValue] = [dict(each.raw) for each in found[start:end]]
        return DeploymentPage.parse(
            {"deployments": entries, "nextPageToken": str(end) if end < len(found) else ""}, known
        )

    async def list_deployed_models(
        self, api_key: ApiKey, account: str, page_token: str | None = None
    ) -> DeployedModelPage:
        self._call("list_deployed_models", api_key)
        return self.addons[0] if self.addons else DeployedModelPage(())

    async def get_deployed_model(self, api_key: ApiKey, name: str) -> DeployedModel:
        self._call("get_deployed_model", api_key)
        for addon in (each for page in self.addons for each in page.deployed_models):
            if addon.name == name:
                return addon
        raise FireworksError(ErrorKind.NOT_FOUND, "not found", status=404)

    async def get_deployment(self, api_key: ApiKey, name: str) -> Deployment:
        self._call("get_deployment", api_key)
        if name not in self.deployments:
            raise FireworksError(ErrorKind.NOT_FOUND, "not found", status=404)
        return self.deployments[name]

    async def termination_message(self, api_key: ApiKey, name: str) -> str:
        self._call("termination_message", api_key)
        return "out of memory"


class FakeSecrets:
    """Secrets by `namespace/name`; reads past the cache are counted in `fresh`."""

    def __init__(self) -> None:
        self.stored: dict[str, Mapping[str, bytes]] = {}
        self.forbidden = False
        self.fresh = 0

    async def read(
        self, namespace: str, name: str, wanted: tuple[str, ...], *, fresh: bool = False
    ) -> SecretExcerpt | None:
        self.fresh += fresh
        if self.forbidden:
            raise SecretForbiddenError
        data = self.stored.get(f"{namespace}/{name}")
        return None if data is None else SecretExcerpt.of(data, wanted, f"uid-of-{namespace}/{name}", "1")


class AllInUse(Bindings):
    """Bindings of resources that look at everything, with every key."""

    def uses(self, account: str) -> bool:
        return True

    def uses_key(self, credential: Credential) -> bool:
        return True

    def watches(self, name: str) -> bool:
        return True


class Changes:
    """What observers have told: names of deployments, None for all of an account."""

    def __init__(self) -> None:
        self.told: list[frozenset[str] | None] = []

    def on_change(self, changed: Changed) -> None:
        self.told.append(changed.names)


def no_budgets() -> Ledger:
    """Return a ledger that knows of no budget."""
    return Ledger(lambda _: (), lambda: (), Prices, lambda: NOW)
