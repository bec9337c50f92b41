"""What the admin API adds to the catalogue: models and deployment shapes, an account's own and Fireworks'."""

from typing import Protocol, TypeVar

from pydantic import BaseModel

from fireworks_simulator.catalogue import Model
from fireworks_simulator.shapes import ShapeBody
from fireworks_simulator.wire import JsonObject
from fireworks_simulator.world import World

B = TypeVar("B", bound=BaseModel)


class Request(Protocol):
    """An admin request: the world that it is about, and its body."""

    world: World

    def body(self, model: type[B]) -> B:
        """The body as a model."""


def add_model(request: Request) -> JsonObject:
    """Add or replace a model."""
    model = request.body(Model)
    request.world.catalogue.models[model.name] = model
    return model.to_wire(request.world.catalogue.created)


def add_shape(request: Request) -> JsonObject:
    """Add or replace a deployment shape."""
    shape = request.body(ShapeBody).shape()
    request.world.catalogue.add_shape(shape)
    return shape.version_to_wire(request.world.catalogue.created)
