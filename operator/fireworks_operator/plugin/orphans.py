"""`kubectl fireworks orphans`: deployments of this cluster whose resource does not exist. Never deletes anything."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import click
from pydantic import JsonValue

from fireworks_operator.core.identity import Owner, orphaned_from
from fireworks_operator.fireworks.models import Deployment
from fireworks_operator.kube.cluster import read_cluster_id, read_cluster_uid
from fireworks_operator.kube.resources import list_resources
from fireworks_operator.settings import Settings

from .connection import Choice, Connection, connected
from .fireworks import read_settings, signed_in
from .form import Form
from .output import Row, new_console, print_columns, print_data, print_table

HEAD = ("NAMESPACE", "NAME", "STATE", "REPLICAS", "GPUS")


@dataclass(frozen=True, slots=True)
class Orphan:
    """A deployment and the resource that it was made for."""

    owner: Owner
    deployment: Deployment

    def row(self) -> Row:
        """Return the columns of HEAD, the deployment below."""
        each = self.deployment
        replicas = f"{each.replica_stats.ready} [{each.min_replica_count},{each.max_replica_count}]"
        gpus = f"{each.accelerator_count or 1} x {each.accelerator_type or 'GPU'}"
        return Row((self.owner.namespace, self.owner.name, each.state, replicas, gpus), below=each.name)

    def to_data(self) -> dict[str, JsonValue]:
        """Return the same for programs."""
        each = self.deployment
        return {
            "deploymentName": each.name,
            "namespace": self.owner.namespace,
            "name": self.owner.name,
            "state": each.state,
            "readyReplicas": each.replica_stats.ready,
            "acceleratorType": each.accelerator_type,
            "acceleratorCount": each.accelerator_count,
            "baseModel": each.base_model,
        }


async def show_orphans(choice: Choice, form: Form | None, *, every: bool) -> None:
    """Print the orphans of one namespace; of all if `every`, or where none is chosen."""
    choice = replace(choice, namespace=None) if every else choice
    settings = read_settings()
    async with signed_in(settings) as account, connected(choice) as connection:
        clusters = await _cluster_ids(settings, connection)
        uid = await read_cluster_uid(connection.client)
        # First Fireworks, then Kubernetes: what is created in between must not look like an orphan.
        deployments = await account.deployments()
        objects, _ = await list_resources(connection.client, choice.namespace)
    claims = {_key(each): _claimed(each.get("status", {})) for each in objects}
    found = [each for each in find_orphans(deployments, clusters, claims, uid) if _judged(choice, each)]
    if form is Form.NAME:
        for each in found:
            click.echo(each.deployment.name)
    elif form is not None:
        print_data([each.to_data() for each in found], form)
    else:
        _print(found, account.id)


def _key(raw: Mapping[str, Any]) -> str:
    return f"{raw['metadata']['namespace']}/{raw['metadata']['name']}"


def _claimed(status: Mapping[str, Any]) -> Collection[str] | None:
    """Return the deployments that a status names; None while it names none."""
    names = status.get("deploymentName"), status.get("replacement", {}).get("deploymentName")
    return [each for each in names if each is not None] or None


def find_orphans(
    deployments: Iterable[Deployment],
    clusters: Collection[str],
    claims: Mapping[str, Collection[str] | None],
    uid: str = "",
) -> list[Orphan]:
    """Return what carries the marker of one of these clusters, was not let go, and is claimed by no resource."""
    found = []
    for each in deployments:
        owner = orphaned_from(each.name, each.annotations, clusters, claims, uid)
        if owner is not None:
            found.append(Orphan(owner, each))
    return sorted(found, key=lambda each: (each.owner.namespace, each.owner.name, each.deployment.name))


def _judged(choice: Choice, orphan: Orphan) -> bool:
    return choice.namespace is None or orphan.owner.namespace == choice.namespace


async def _cluster_ids(settings: Settings, connection: Connection) -> frozenset[str]:
    cluster = settings.cluster_id or await read_cluster_id(connection.client)
    if cluster is None:
        raise click.ClickException(
            "You are not allowed to read the namespace kube-system, so this cluster's id is unknown: for this "
            "command, set FIREWORKS_OPERATOR_CLUSTER_ID to the id in the first lines of the operator's log."
        )
    return frozenset((cluster, *settings.previous_cluster_ids))


def _print(found: list[Orphan], account: str) -> None:
    console = new_console()
    if not found:
        click.echo(f"No orphans: every deployment of this cluster in account {account} has its FireworksDeployment.")
        return
    if not console.is_terminal:
        print_columns(HEAD, [each.row() for each in found], "DEPLOYMENT")
        return
    print_table(console, HEAD, [each.row() for each in found], names=2)
    console.print(
        "\nThey are running and billed, but nobody manages them. To inspect one:\n  firectl get deployment "
        f"{found[0].deployment.deployment_id}\nTo manage one again, apply a FireworksDeployment with its name in its "
        "namespace. Delete the others at Fireworks; this command deletes nothing.",
        soft_wrap=True,
    )
