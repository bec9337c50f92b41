"""The closed set of next steps that `decide()` can name."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from pydantic import JsonValue

from fireworks_operator.api.conditions import Reason


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing until something is seen to change, or until a time.

    `reason` None means that the deployment is as desired; otherwise it says what is waited for.
    """

    until: datetime | None = None
    reason: Reason | None = None
    message: str = ""
    name: ClassVar[str] = "Wait"


@dataclass(frozen=True, slots=True)
class AddFinalizer:
    """Put the operator's finalizer on the resource, before anything exists that it must outlive."""

    name: ClassVar[str] = "AddFinalizer"


@dataclass(frozen=True, slots=True)
class Claim:
    """Write `status.deploymentName` and `status.account`, before the first create request."""

    deployment_name: str
    account: str
    name: ClassVar[str] = "Claim"


@dataclass(frozen=True, slots=True)
class Create:
    """POST the deployment under the claimed id."""

    body: Mapping[str, JsonValue]
    query: Mapping[str, str]
    fields: tuple[str, ...]
    name: ClassVar[str] = "Create"


@dataclass(frozen=True, slots=True)
class Adopt:
    """Write the owner marker onto a deployment that is ours by rule or, `by_request`, by the user's word."""

    tags: Mapping[str, str]
    remove: tuple[str, ...] = ()
    by_request: bool = False
    name: ClassVar[str] = "Adopt"


@dataclass(frozen=True, slots=True)
class Update:
    """PATCH the drifted managed fields. `mask` has snake_case wire paths, `fields` spec paths."""

    body: Mapping[str, JsonValue]
    mask: tuple[str, ...]
    fields: tuple[str, ...]
    name: ClassVar[str] = "Update"


@dataclass(frozen=True, slots=True)
class Undelete:
    """Bring a soft-deleted deployment back."""

    name: ClassVar[str] = "Undelete"


@dataclass(frozen=True, slots=True)
class Delete:
    """DELETE the deployment: softly when the resource goes, hard when its id is needed again."""

    hard: bool = False
    ignore_checks: bool = False
    name: ClassVar[str] = "Delete"


@dataclass(frozen=True, slots=True)
class LoadAddon:
    """Load a LoRA addon onto the deployment."""

    model: str
    body: Mapping[str, JsonValue]
    name: ClassVar[str] = "LoadAddon"


@dataclass(frozen=True, slots=True)
class UpdateAddon:
    """PATCH a loaded addon."""

    deployed_model: str
    body: Mapping[str, JsonValue]
    mask: tuple[str, ...]
    name: ClassVar[str] = "UpdateAddon"


@dataclass(frozen=True, slots=True)
class UnloadAddon:
    """Unload an addon that we loaded."""

    model: str
    deployed_model: str
    name: ClassVar[str] = "UnloadAddon"


@dataclass(frozen=True, slots=True)
class RemoveFinalizer:
    """Let the resource go.

    `left` is the deployment that goes on existing, `cause` why in one word; `message` is the event's text.
    """

    message: str
    left: str | None = None
    cause: str = ""
    name: ClassVar[str] = "RemoveFinalizer"


@dataclass(frozen=True, slots=True)
class Refuse:
    """Do nothing, since a person must act; looked at again at `retry`."""

    reason: Reason
    message: str
    retry: datetime | None = None
    name: ClassVar[str] = "Refuse"


Action = (
    Wait
    | AddFinalizer
    | Claim
    | Create
    | Adopt
    | Update
    | Undelete
    | Delete
    | LoadAddon
    | UpdateAddon
    | UnloadAddon
    | RemoveFinalizer
    | Refuse
)

MUTATIONS = (Create, Adopt, Update, Undelete, Delete, LoadAddon, UpdateAddon, UnloadAddon)
"""Actions that change something at Fireworks."""
DESTRUCTIVE = (Delete, UnloadAddon)
"""Actions that are confirmed by a GET in the same pass before they are carried out."""
