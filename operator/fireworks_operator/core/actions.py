"""The closed set of next steps that `decide()` can name."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from pydantic import JsonValue

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import Choice, DirectRouteSecret, Parked, Replacement

from .demand import Demand

WAIT = "Wait"
"""What every pass that only waits counts as in metrics and logs."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Do nothing: there is nothing to do, as far as is known. Looked at again at `until`, if not before."""

    until: datetime | None = None
    name: ClassVar[str] = WAIT


@dataclass(frozen=True, slots=True)
class Pending:
    """Do nothing, since what would have to be known is not known yet."""

    name: ClassVar[str] = WAIT


@dataclass(frozen=True, slots=True)
class Progress:
    """Do nothing while Fireworks is at work, or until a change is due; `message` says which."""

    reason: Reason
    message: str
    until: datetime | None = None
    name: ClassVar[str] = WAIT


@dataclass(frozen=True, slots=True)
class Trouble:
    """Do nothing while something is wrong that should pass without the user; `message` says what."""

    reason: Reason
    message: str
    until: datetime | None = None
    name: ClassVar[str] = WAIT


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
class Park:
    """Write `status.parked`, before the first request that parks the deployment."""

    target: str
    parked: Parked
    name: ClassVar[str] = "Park"


@dataclass(frozen=True, slots=True)
class Choose:
    """Write `status.choice`, before anything is created, or deleted, for it.

    `cold` is what the account has turned out not to have, if that is why; `message` says why.
    """

    choice: Choice
    message: str
    cold: Demand | None = None
    name: ClassVar[str] = "Choose"


@dataclass(frozen=True, slots=True)
class SetReplacement:
    """Write `status.replacement`: a second deployment is begun, discarded or called back, or is gone (None).

    `message` says why; `left` is a deployment that goes on existing all the same.
    """

    replacement: Replacement | None
    message: str
    left: str | None = None
    name: ClassVar[str] = "SetReplacement"


@dataclass(frozen=True, slots=True)
class Switch:
    """Make the successor the deployment of the resource, in one write; its former one drains from now on."""

    target: str
    name: ClassVar[str] = "Switch"


@dataclass(frozen=True, slots=True)
class HandBack:
    """Make the former deployment `target` that of the resource again, in one write, since its successor has failed.

    `message` says what happened.
    """

    target: str
    message: str
    name: ClassVar[str] = "HandBack"


@dataclass(frozen=True, slots=True)
class PrepareModel:
    """Have a model of the own account prepared for a precision, before the deployment `target` is claimed."""

    target: str
    model: str
    precision: str
    name: ClassVar[str] = "PrepareModel"


@dataclass(frozen=True, slots=True)
class Create:
    """POST the deployment under the claimed id, with the API keys of its direct route in this version of a Secret."""

    target: str
    body: Mapping[str, JsonValue]
    query: Mapping[str, str]
    fields: tuple[str, ...]
    route_secret: DirectRouteSecret | None = None
    name: ClassVar[str] = "Create"


@dataclass(frozen=True, slots=True)
class Adopt:
    """Write the owner marker onto a deployment that is ours by rule or, `by_request`, by the user's word."""

    target: str
    tags: Mapping[str, str]
    remove: tuple[str, ...] = ()
    by_request: bool = False
    name: ClassVar[str] = "Adopt"


@dataclass(frozen=True, slots=True)
class KeyChange:
    """The API keys of a direct route become those in a version of a Secret or, by None, none at all."""

    secret: DirectRouteSecret | None
    field: ClassVar[str] = "directRoute.apiKeysSecretRef"


@dataclass(frozen=True, slots=True)
class Update:
    """PATCH the drifted managed fields. `mask` has snake_case wire paths, `fields` spec paths."""

    target: str
    body: Mapping[str, JsonValue]
    mask: tuple[str, ...]
    fields: tuple[str, ...]
    route_keys: KeyChange | None = None
    name: ClassVar[str] = "Update"

    @property
    def is_of_keys_alone(self) -> bool:
        """Whether it is about the API keys of the direct route and nothing else; nobody can see that it was made."""
        return self.fields == (KeyChange.field,)


@dataclass(frozen=True, slots=True)
class SetTags:
    """Set the drifted tags of the spec, and delete those that left it. `fields` has spec paths."""

    target: str
    tags: Mapping[str, str]
    remove: tuple[str, ...]
    fields: tuple[str, ...]
    name: ClassVar[str] = "SetTags"


@dataclass(frozen=True, slots=True)
class Undelete:
    """Bring a soft-deleted deployment back."""

    target: str
    name: ClassVar[str] = "Undelete"


@dataclass(frozen=True, slots=True)
class Delete:
    """DELETE the deployment: softly when the resource goes, hard when its id is needed again.

    `replaces`: fields of the spec for whose sake it is deleted, to be created anew by spec.replacePolicy. `of_two`: it
    is the one of two deployments that is to go, while the other one serves. `with_addons`: addons that are loaded on it
    for the resource go with it.
    """

    target: str
    hard: bool = False
    ignore_checks: bool = False
    replaces: tuple[str, ...] = ()
    of_two: bool = False
    with_addons: bool = False
    name: ClassVar[str] = "Delete"


@dataclass(frozen=True, slots=True)
class LoadAddon:
    """Load a LoRA addon onto the deployment; `replaces`: in the place of the one that is merged into its base model."""

    target: str
    model: str
    body: Mapping[str, JsonValue]
    replaces: bool = False
    name: ClassVar[str] = "LoadAddon"


@dataclass(frozen=True, slots=True)
class UpdateAddon:
    """PATCH a loaded addon."""

    target: str
    deployed_model: str
    body: Mapping[str, JsonValue]
    mask: tuple[str, ...]
    name: ClassVar[str] = "UpdateAddon"


@dataclass(frozen=True, slots=True)
class UnloadAddon:
    """Unload an addon that we loaded."""

    target: str
    model: str
    deployed_model: str
    name: ClassVar[str] = "UnloadAddon"


@dataclass(frozen=True, slots=True)
class SetDeployedModel:
    """PATCH the base model's DeployedModel, or make one where there is none (None). `fields` has spec paths.

    `inherited`: only to take over from the deployment that was replaced; the spec does not ask for it.
    """

    target: str
    deployed_model: str | None
    body: Mapping[str, JsonValue]
    fields: tuple[str, ...]
    inherited: bool = False
    name: ClassVar[str] = "SetDeployedModel"

    @property
    def remembered_as(self) -> str:
        """What the change is remembered by: a DeployedModel that is made has its name from Fireworks."""
        return f"base model of {self.target}"


@dataclass(frozen=True, slots=True)
class CreateRouter:
    """POST the router by whose name `target` is reached."""

    target: str
    router: str
    body: Mapping[str, JsonValue]
    name: ClassVar[str] = "CreateRouter"


@dataclass(frozen=True, slots=True)
class SetRouter:
    """PATCH the router, so that it sends requests to `target`. `mask` has snake_case wire paths."""

    target: str
    router: str
    body: Mapping[str, JsonValue]
    mask: tuple[str, ...]
    name: ClassVar[str] = "SetRouter"


@dataclass(frozen=True, slots=True)
class DeleteRouter:
    """DELETE the router; the deployment `target` stays."""

    target: str
    router: str
    name: ClassVar[str] = "DeleteRouter"


RouterChange = CreateRouter | SetRouter | DeleteRouter
"""Actions about the router of spec.router, which is looked at right before each of them."""


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
    """Do nothing, since the user must act; looked at again at `until`."""

    reason: Reason
    message: str
    until: datetime | None = None
    name: ClassVar[str] = "Refuse"


Waiting = Rest | Pending | Progress | Trouble | Refuse
"""Actions that do nothing."""

Mutation = (
    PrepareModel
    | Create
    | Adopt
    | Update
    | SetTags
    | Undelete
    | Delete
    | LoadAddon
    | UpdateAddon
    | UnloadAddon
    | SetDeployedModel
    | CreateRouter
    | SetRouter
    | DeleteRouter
)
"""Actions that change something at Fireworks. `target` is the full name of the deployment that they are about."""

Turn = Switch | HandBack
"""Actions that make the other one of two deployments that of the resource."""

Action = Waiting | AddFinalizer | Claim | Choose | Park | SetReplacement | Turn | Mutation | RemoveFinalizer

DESTRUCTIVE = (Delete, UnloadAddon, DeleteRouter)
"""Actions that are confirmed by a GET in the same pass before they are carried out."""
NEEDS_FRESH_GET = (*DESTRUCTIVE, Park, Switch, Update, SetTags, Adopt, Undelete, CreateRouter, SetRouter)
"""Actions that are decided upon an answer of the same pass: a PATCH is merged into what is there, whose a
deployment is may have changed since the last LIST, and so may what it gets back once it is no longer parked."""
