"""The operator that would act: its settings and its prices, as far as the cluster shows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote

import click
from pydantic import ValidationError

from fireworks_operator.core.prices import Prices
from fireworks_operator.kube.client import Json, KubernetesClient, KubernetesForbiddenError
from fireworks_operator.kube.cluster import read_cluster_id, read_cluster_uid
from fireworks_operator.ports import ResourceGoneError
from fireworks_operator.price_file import PriceFile, PriceFileError, over_published, parse, published
from fireworks_operator.settings import Settings, variable

_LABEL: Final = "app.kubernetes.io/name=fireworks-operator"
_RELEVANT: Final = (
    *("cluster_id", "previous_cluster_ids", "adoption_namespaces", "credential_namespaces", "watch_namespaces"),
    *("default_shape", "accept_shapeless_risk", "disable_auto_deploy"),
)
"""Settings that decide what the operator does with a resource."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Whoever would act.

    Attributes:
        settings: its settings, those of the environment first.
        cluster_id: as in its owner markers.
        cluster_uid: what tells the cluster from another one with the same id.
        prices: what a GPU-hour costs.
        has_key: whether it has an API key of its own; None if that is not known.
        notes: what had to be assumed.
    """

    settings: Settings
    cluster_id: str
    cluster_uid: str
    prices: Prices
    has_key: bool | None = None
    notes: tuple[str, ...] = ()

    @property
    def create_query(self) -> Mapping[str, str]:
        """What it adds to every create request."""
        switches = {
            "disableAutoDeploy": self.settings.disable_auto_deploy,
            "acceptShapelessRisk": self.settings.accept_shapeless_risk,
        }
        return {name: "true" for name, on in switches.items() if on}


async def find_operator(client: KubernetesClient, settings: Settings) -> Operator:
    """Look for the operator in the cluster.

    Raises:
        click.ClickException: the cluster's id is not known, or a price list is of no use.
        KubernetesUnavailableError: no answer.
    """
    pod, notes = await _pod(client)
    variables = _variables(pod)
    given = {
        name: variables[variable(name)]
        for name in _RELEVANT
        if variable(name) in variables and name not in settings.model_fields_set
    }
    try:
        known = Settings(**{**settings.model_dump(exclude_unset=True), **given})
    except ValidationError:
        known, notes = settings, (*notes, "The settings of the operator cannot be read; the defaults are assumed.")
    cluster = known.cluster_id or await read_cluster_id(client)
    if cluster is None:
        raise click.ClickException(
            "You are not allowed to read the namespace kube-system, so this cluster's id is unknown: for this "
            "command, set FIREWORKS_OPERATOR_CLUSTER_ID to the id in the first lines of the operator's log."
        )
    prices, about = await _prices(client, settings, pod, variables)
    has_key = None if pod is None or _container(pod).get("envFrom") else "FIREWORKS_API_KEY" in _names(pod)
    return Operator(known, cluster, await read_cluster_uid(client), prices, has_key, (*notes, *about))


async def _pod(client: KubernetesClient) -> tuple[Json | None, tuple[str, ...]]:
    """Return the pods' template of the operator's Deployment, with its namespace; None if that is not known."""
    assumed = "the operator's settings are assumed to be the defaults and those of the environment."
    try:
        found = await client.request("GET", "/apis/apps/v1/deployments", query={"labelSelector": _LABEL})
    except KubernetesForbiddenError:
        return None, (f"You may not list the Deployments of the cluster: {assumed}",)
    items = found.get("items") or []
    if len(items) != 1:
        many = "No operator runs" if not items else f"{len(items)} operators run"
        return None, (f"{many} in this cluster by the label {_LABEL}: {assumed}",)
    spec = items[0]["spec"]["template"]["spec"]
    return {**spec, "namespace": items[0]["metadata"]["namespace"]}, ()


def _container(pod: Json | None) -> Mapping[str, Any]:
    containers = (pod or {}).get("containers") or [{}]
    first: Mapping[str, Any] = containers[0]
    return first


def _names(pod: Json | None) -> frozenset[str]:
    return frozenset(str(each.get("name")) for each in _container(pod).get("env") or ())


def _variables(pod: Json | None) -> dict[str, str]:
    """Return the variables whose values the Deployment itself says."""
    return {each["name"]: each["value"] for each in _container(pod).get("env") or () if "value" in each}


async def _prices(
    client: KubernetesClient, settings: Settings, pod: Json | None, variables: Mapping[str, str]
) -> tuple[Prices, tuple[str, ...]]:
    """Return the prices of the file that is named here, else those of the operator, else the published ones."""
    if settings.price_file is not None:
        try:
            return PriceFile(settings.price_file)(), ()
        except PriceFileError as error:
            raise click.ClickException(str(error)) from None
    named = variables.get(variable("price_file"))
    if named is None or pod is None:
        return published(), ()
    try:
        text = await _mounted(client, pod, PurePosixPath(named))
        return (published() if text is None else over_published(parse(text))), ()
    except (KubernetesForbiddenError, ResourceGoneError, PriceFileError):
        return published(), (
            "The operator's own price list cannot be read, so the published prices are used: name it with --prices.",
        )


async def _mounted(client: KubernetesClient, pod: Json, file: PurePosixPath) -> str | None:
    """Return a file that a ConfigMap brings into the pod; None if it is none."""
    mounts = {PurePosixPath(each["mountPath"]): each["name"] for each in _container(pod).get("volumeMounts") or ()}
    volumes = {each["name"]: each.get("configMap") for each in pod.get("volumes") or ()}
    source = volumes.get(mounts.get(file.parent, ""))
    if not source:
        raise PriceFileError("it is in no ConfigMap")
    path = f"/api/v1/namespaces/{quote(pod['namespace'], safe='')}/configmaps/{quote(source['name'], safe='')}"
    found = await client.request("GET", path)
    text = (found.get("data") or {}).get(file.name)
    return text if isinstance(text, str) else None
