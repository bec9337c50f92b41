"""What a deployment that is to be created would take from an account's GPUs."""

import json
from collections.abc import Mapping

from pydantic import JsonValue

from fireworks_operator.core.ceiling import bounded, gpus_of_replica, replicas_of_new
from fireworks_operator.core.demand import Demand

from .shapes import DEFAULT_SHAPE


def demand_of(values: Mapping[str, JsonValue]) -> Demand:
    """Return the demand of a deployment with these wire values, by field path."""
    kind, shape = values.get("acceleratorType"), values.get("deploymentShape") or DEFAULT_SHAPE
    place = values.get("placement") or {"multiRegion": "GLOBAL"}  # what Fireworks chooses
    gpus = bounded(replicas_of_new(values) * gpus_of_replica(values))
    return Demand(str(kind or f"{shape} of {values.get('baseModel')}"), json.dumps(place, sort_keys=True), gpus)
