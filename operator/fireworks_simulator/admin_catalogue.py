"""What the admin API adds to the catalogue: models and deployment shapes, an account's own and Fireworks'."""

from fireworks_simulator.admin_request import Admin
from fireworks_simulator.catalogue import Model
from fireworks_simulator.shapes import ShapeBody
from fireworks_simulator.wire import JsonObject


def add_model(request: Admin) -> JsonObject:
    """Add or replace a model."""
    model = request.body(Model)
    request.world.catalogue.models[model.name] = model
    return model.to_wire(request.world.catalogue.created)


def add_shape(request: Admin) -> JsonObject:
    """Add or replace a deployment shape."""
    shape = request.body(ShapeBody).shape()
    request.world.catalogue.add_shape(shape)
    return shape.version_to_wire(request.world.catalogue.created)
