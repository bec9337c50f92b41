"""What an application needs to reach a deployment, and what has to be done for the ConfigMap that it reads it from."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fireworks_operator.api.v1alpha1 import (
    AddonStatus,
    ConnectionStatus,
    FireworksDeployment,
    FireworksDeploymentStatus,
)

BASE_URL, MODEL, DEPLOYMENT = "OPENAI_BASE_URL", "OPENAI_MODEL", "FIREWORKS_DEPLOYMENT"
ADDON_PREFIX = "FIREWORKS_ADDON_"
ROUTER = "Router"
"""The kind of the identifier in the status that survives the deployment."""

_LONGEST_KEY = 253  # Kubernetes: keys of a ConfigMap
_NO_ENVIRONMENT_NAME = re.compile(r"[^A-Z0-9]")


@dataclass(frozen=True, slots=True)
class ConnectionStep:
    """What is to be done for the ConfigMap of a resource.

    Attributes:
        name: of the ConfigMap that is wanted; None if none is.
        data: what it shall contain.
        former: name of one that was written before, and is to be deleted once `name` is written.
        stale: name of one that may have been written, and that nobody has been told of: it is deleted first.
    """

    name: str | None
    data: Mapping[str, str]
    former: str | None
    stale: str | None = None

    @property
    def done(self) -> ConnectionStatus | None:
        """What is remembered once it is done."""
        return None if self.name is None else ConnectionStatus(config_map_name=self.name, hash=_hash(self.data))

    def announced(self, before: ConnectionStatus | None) -> ConnectionStatus | None:
        """Return what is remembered before the ConfigMap is written: its name, unless it is known already."""
        known = before or ConnectionStatus()
        if self.name in (None, known.config_map_name):
            return before
        return known.model_copy(update={"pending_config_map_name": self.name})

    def refused(self, before: ConnectionStatus | None, message: str) -> ConnectionStatus:
        """Return what is remembered where it cannot be done: what was written before is still there."""
        return (before or ConnectionStatus()).model_copy(update={"message": message})


def connection_step(resource: FireworksDeployment) -> ConnectionStep | None:
    """Return what the spec and the identifiers in the status ask for; None if nothing can or has to be done.

    The ConfigMap stays as it is while the deployment has no identifiers: it is back under the same ones, mostly.
    """
    status, wanted = resource.status, resource.spec.connection
    if resource.metadata.deletion_timestamp is not None:
        return None  # its owner goes, and it with it
    known = status.connection or ConnectionStatus()
    written, pending = known.config_map_name, known.pending_config_map_name
    if wanted is None:
        return None if status.connection is None else ConnectionStep(None, {}, written, pending)
    data = connection_data(status)
    if data is None:
        return None
    name = wanted.config_map_name
    former, stale = (None if each == name else each for each in (written, pending))
    return ConnectionStep(name, data, former, stale)


def connection_data(status: FireworksDeploymentStatus) -> dict[str, str] | None:
    """Return what an application needs to reach the deployment; None while that is not known."""
    identifier = preferred_identifier(status)
    if not (status.endpoint and identifier and status.deployment_name):
        return None
    return {
        BASE_URL: status.endpoint,
        MODEL: identifier,
        DEPLOYMENT: status.deployment_name,
        **_addons(status.addons or ()),
    }


def preferred_identifier(status: FireworksDeploymentStatus) -> str | None:
    """Return the model identifier that applications should use: the router, which survives the deployment, if any."""
    routers = (each.value for each in status.identifiers or () if each.kind == ROUTER)
    return next(routers, status.model_identifier)


def connection_notices(status: FireworksDeploymentStatus) -> list[str]:
    """Return what is to be told in the notices."""
    told = None if status.connection is None else status.connection.message
    return [] if told is None else [f"spec.connection: {told}"]


def _addons(addons: Iterable[AddonStatus]) -> dict[str, str]:
    """Return the identifiers of addons by the ids of their models, with the account where an id alone is ambiguous."""
    found = sorted((each.model, each.model_identifier) for each in addons if each.model_identifier)
    ids = Counter(_key(_id(model)) for model, _ in found)
    keyed: dict[str, str] = {}
    for model, identifier in found:
        short = _key(_id(model))
        keyed.setdefault(short if ids[short] == 1 else _key(_with_account(model)), identifier)
    return keyed


def _id(model: str) -> str:
    return model.rpartition("/")[2]


def _with_account(model: str) -> str:
    """Return `ACCOUNT_ID` of a full name, `accounts/ACCOUNT/models/ID`."""
    parts = model.split("/")
    return f"{parts[1]}_{parts[-1]}" if len(parts) > 2 else model


def _key(text: str) -> str:
    return (ADDON_PREFIX + _NO_ENVIRONMENT_NAME.sub("_", text.upper()))[:_LONGEST_KEY]


def _hash(data: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]
