"""Where a question goes: endpoint and model identifier of a resource, or why there are none yet."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import click

from fireworks_operator.api.conditions import ConditionType
from fireworks_operator.api.v1alpha1 import AddonStatus, FireworksDeployment
from fireworks_operator.core.connection import preferred_identifier
from fireworks_operator.core.identity import full_model_name
from fireworks_operator.settings import Settings

from .output import clean
from .summary import summary_of

NEW_FOR: Final = timedelta(minutes=15)
"""For so long after its creation, Fireworks may not route requests to a deployment although it is READY."""


@dataclass(frozen=True, slots=True)
class Target:
    """A deployment or one of its addons, as a client reaches it.

    Attributes:
        name, namespace: of the resource.
        account: that the deployment belongs to.
        endpoint: base URL of the inference API.
        identifier: what goes into `model` of a request.
        addon: whether it is an addon.
        new: whether requests may not be routed to it yet: it has just been created, or is an addon, of which is not
            known when it was loaded.
    """

    name: str
    namespace: str
    account: str
    endpoint: str
    identifier: str
    addon: bool
    new: bool = False

    @property
    def status_command(self) -> str:
        """How to look at it."""
        return f"kubectl fireworks status {self.name} -n {self.namespace}"


def find_target(resource: FireworksDeployment, addon: str | None, settings: Settings) -> Target:
    """Return where to ask a resource, or one of its addons.

    With FIREWORKS_BASE_URL set, Fireworks is reached there: a simulator in the cluster has another address outside.

    Raises:
        click.ClickException: it cannot serve; says what comes first.
    """
    status, metadata = resource.status, resource.metadata
    endpoint = status.endpoint
    if "base_url" in settings.model_fields_set:
        endpoint = f"{settings.base_url.rstrip('/')}/inference/v1"
    _check_serving(resource)
    identifier = preferred_identifier(status) if addon is None else _addon_identifier(resource, addon)
    if not endpoint or not identifier:
        raise click.ClickException(f"{metadata.name} has no model identifier yet. {_advice(resource)}")
    created = status.create_time
    young = created is not None and datetime.now(UTC) - created < NEW_FOR
    return Target(
        metadata.name,
        metadata.namespace,
        account=status.account or "",
        endpoint=endpoint,
        identifier=identifier,
        addon=addon is not None,
        new=young or addon is not None,
    )


def _check_serving(resource: FireworksDeployment) -> None:
    """Refuse what no request can wake; one that is scaled to zero is Ready."""
    status, name = resource.status, resource.metadata.name
    if status.replicas is not None and status.replicas.ready > 0:
        return
    if status.parked is not None:
        found = summary_of(resource)
        raise click.ClickException(
            f"{name} is parked, and requests do not wake it. {found.reason}: {clean(found.message)}"
        )
    if status.effective is not None and status.effective.max_replica_count == 0:
        raise click.ClickException(
            f"{name} is parked, and requests do not wake it: set spec.maxReplicaCount to 1 or more."
        )
    ready = next((each for each in status.conditions if each.type == ConditionType.READY), None)
    if ready is None or ready.status != "True":
        raise click.ClickException(f"{name} is not ready yet. {_advice(resource)}")


def _advice(resource: FireworksDeployment) -> str:
    summary, metadata = summary_of(resource), resource.metadata
    watch = f"Wait for it with `kubectl fireworks status {metadata.name} -n {metadata.namespace} --watch`."
    return f"{'Fix this first.' if summary.stalled else watch} {summary.reason}: {clean(summary.message)}"


def _addon_identifier(resource: FireworksDeployment, addon: str) -> str:
    """Return the identifier of an addon by its full name or its id.

    Raises:
        click.ClickException: there is no such addon, or it is not loaded.
    """
    name, status = resource.metadata.name, resource.status
    addons = {full_model_name(status.account, each.model): each for each in status.addons or ()}
    found = _find(addons, addon)
    if found is None:
        there = ", ".join(clean(each) for each in sorted(addons)) or "none"
        raise click.ClickException(
            f'{name} has no addon "{clean(addon)}"; it has: {there}. Name one of them, or list it in spec.addons.'
        )
    if not found.model_identifier or found.state != "DEPLOYED":
        why = clean(found.message or f"its state is {found.state or 'not known yet'}")
        wait = f"kubectl wait --for=condition=AddonsReady fwd/{name} -n {resource.metadata.namespace} --timeout=10m"
        raise click.ClickException(f"The addon {clean(found.model)} is not loaded yet: {why}. Wait for it: {wait}")
    return found.model_identifier


def _find(addons: dict[str, AddonStatus], addon: str) -> AddonStatus | None:
    if addon in addons:
        return addons[addon]
    same = [each for name, each in addons.items() if name.rsplit("/", 1)[-1] == addon]
    return same[0] if len(same) == 1 else None
