"""One request to the admin API: the world, the account and the deployment that it is about."""

from typing import TypeVar

from pydantic import BaseModel
from starlette.requests import Request

from fireworks_simulator.entities import Account, Deployment
from fireworks_simulator.wire import JsonObject
from fireworks_simulator.worlds import SHARED, Worlds

B = TypeVar("B", bound=BaseModel)


class AdminError(Exception):
    """An admin request is refused."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Admin:
    """One admin request: the world that it is about, path and query parameters, body.

    Raises:
        AdminError: there is no such world.
    """

    def __init__(self, worlds: Worlds, request: Request, body: bytes) -> None:
        self.worlds = worlds
        self.params = {name: str(value) for name, value in request.path_params.items()}
        self.name = self.params.get("world", SHARED)
        world = worlds.get(self.name)
        if world is None:
            raise AdminError(404, f"no account {self.name} with a world of its own")
        self.world = world
        self.now = world.clock.now()
        self.query = request.query_params
        self.content = body
        self.world.settle(self.now)

    def body(self, model: type[B]) -> B:
        """The body as a model; an empty one has all defaults."""
        return model.model_validate_json(self.content or b"{}")

    def account(self) -> Account:
        """The account in the path."""
        account = self.world.accounts.get(self.params["account"])
        if account is None:
            raise AdminError(404, f"no account {self.params['account']}")
        return account

    def deployment(self) -> Deployment:
        """The deployment in the path."""
        d = self.account().deployments.get(self.params["deployment"])
        if d is None:
            raise AdminError(404, f"no deployment {self.params['deployment']}")
        return d

    def show(self, d: Deployment) -> JsonObject:
        """A deployment, changed or not, as clients see it."""
        self.world.relist(d.account)
        self.world.changed(d, self.now)
        return self.world.wire(d, self.now)

    def dump(self, model: BaseModel) -> JsonObject:
        """A model as JSON."""
        return model.model_dump(mode="json", by_alias=True)
