"""`kubectl fireworks doctor`: what a deployment needs to come about, and the way out where it is missing."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import click
from rich.text import Text

from fireworks_operator.api.crd import crd
from fireworks_operator.api.kinds import KINDS, Kind
from fireworks_operator.api.v1alpha1 import VERSION
from fireworks_operator.kube.client import Json, KubernetesClient, KubernetesForbiddenError
from fireworks_operator.kube.credentials import CredentialsError
from fireworks_operator.kube.resources import CrdMissingError, collection_path, list_resources
from fireworks_operator.kube.secrets import KubernetesSecrets
from fireworks_operator.ports import KubernetesUnavailableError, ResourceGoneError

from .access import User, check_rights
from .check import Check, State
from .connection import Choice, Connection, connected
from .fireworks import open_client, read_settings
from .form import Form
from .keys import SecretKey, check_own, check_secret
from .output import new_console, print_data
from .running import INSTALL_CRD, way_out

_INSTALL = f"install the operator's chart, or the CRDs alone: run {INSTALL_CRD} with the operator's version"

_NOTICED_WITHIN: Final = timedelta(seconds=30)
"""After its creation, a resource may go unseen for so long."""
_MOST_NAMES: Final = 5


@dataclass(frozen=True, slots=True)
class Questions:
    """What doctor is to look at.

    Attributes:
        subject: whose rights to ask about; None: those of who asks.
        secret: a Secret to look at besides those that resources name; None: only those.
    """

    subject: User | None = None
    secret: SecretKey | None = None


async def examine(choice: Choice, questions: Questions, form: Form | None = None) -> bool:
    """Print each check as it is made, or all as data, and tell whether none failed."""
    if form is not None:
        checks = [each async for each in _checks(choice, questions)]
        print_data([each.to_data() for each in checks], form)
        return all(each.state is not State.FAILED for each in checks)
    console = new_console()
    styles = {State.OK: "green", State.FAILED: "bold red", State.SKIPPED: "dim"}
    healthy, said = True, ""
    async for each in _checks(choice, questions):
        healthy = healthy and each.state is not State.FAILED
        line = Text.assemble((f"{each.state:<8}", styles[each.state]), (f"{each.subject:<12}", "bold"), each.message)
        console.print(line, soft_wrap=True)
        if each.way_out and each.way_out != said:
            console.print(f"{'':<20}→ {each.way_out}", soft_wrap=True)
        said = each.way_out
    return healthy


async def _checks(choice: Choice, questions: Questions) -> AsyncIterator[Check]:
    """Make all checks; without an API server only that of the own key is left."""
    settings = read_settings()
    tried = False
    async with open_client(settings) as fireworks:
        try:
            async with connected(choice) as connection:
                async for each in _cluster_checks(connection, choice, questions):
                    yield each
                objects = await _resources(connection, choice)
                yield check_operator(objects, datetime.now(UTC))
                secrets = KubernetesSecrets(connection.client)
                for where in _secrets(objects, connection, questions):
                    tried = True
                    yield await check_secret(fireworks, secrets, where)
        except (CredentialsError, click.ClickException) as error:
            message = error.message if isinstance(error, click.ClickException) else str(error)
            yield Check.failed("Kubernetes", message, "check the kubeconfig and its context: kubectl cluster-info")
        except KubernetesUnavailableError as error:
            yield Check.failed("Kubernetes", str(error), way_out(error))
        own = await check_own(fireworks, settings)
        if own is not None:
            yield own
        elif not tried:
            yield Check.skipped(
                "API key",
                "no resource names a Secret, and FIREWORKS_API_KEY is not set",
                "set FIREWORKS_API_KEY, or name a Secret with --secret, to have a key tested at Fireworks",
            )


async def _cluster_checks(connection: Connection, choice: Choice, questions: Questions) -> AsyncIterator[Check]:
    version = await connection.client.request("GET", "/version")
    yield Check.ok("Kubernetes", f"API server {version.get('gitVersion', 'of an unknown version')} is reachable")
    for kind in KINDS:
        yield await check_crd(connection.client, connection.namespace, kind)
    user = questions.subject or (User(choice.impersonate) if choice.impersonate else None)
    namespace = choice.namespace if user is not None and user.is_service_account else connection.namespace
    async for each in check_rights(connection.client, namespace, user, ask_about=questions.subject is not None):
        yield each


def check_operator(objects: Sequence[Json], now: datetime) -> Check:
    """Tell by the resources whether the operator looks after them; it may run outside of the cluster."""
    if not objects:
        return Check.skipped("operator", "there is no resource that shows whether the operator is running")
    unseen = sorted(filter(None, (_unseen(each, now) for each in objects)))
    if not unseen:
        many = "the one resource as it is" if len(objects) == 1 else f"all {len(objects)} resources as they are"
        return Check.ok("operator", f"has seen {many} now")
    names = ", ".join(unseen[:_MOST_NAMES]) + (f" and {len(unseen) - _MOST_NAMES} more" if unseen[_MOST_NAMES:] else "")
    return Check.failed(
        "operator",
        f"has not seen these resources as they are now: {names}",
        "check that it is running and manages their namespace: kubectl get deployments -A -l "
        "app.kubernetes.io/name=fireworks-operator",
    )


def _unseen(raw: Json, now: datetime) -> str | None:
    """Return the name of a resource that the operator has not seen as it is now, None if it has or is about to."""
    metadata = raw["metadata"]
    if raw.get("status", {}).get("observedGeneration", -1) == metadata.get("generation"):
        return None
    young = now - datetime.fromisoformat(metadata["creationTimestamp"]) < _NOTICED_WITHIN
    return None if young else f"{metadata['namespace']}/{metadata['name']}"


async def check_crd(client: KubernetesClient, namespace: str, kind: Kind) -> Check:
    """Look whether a CRD is there, and the one that belongs to this version; `namespace` is where you may list."""
    try:
        found = await client.request("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{kind.crd}")
    except ResourceGoneError:
        return Check.failed("CRD", f"{kind.crd} is not installed", _INSTALL)
    except KubernetesForbiddenError:
        return await _check_served(client, namespace, kind)
    conditions = {each["type"]: each["status"] for each in found.get("status", {}).get("conditions", [])}
    if found["metadata"].get("deletionTimestamp"):
        return Check.failed("CRD", f"{kind.crd} is being deleted", "wait until it is gone, then reinstall it")
    if conditions.get("Established") != "True":
        return Check.failed("CRD", f"{kind.crd} is not established", f"kubectl describe crd {kind.crd}")
    if _schema(found) != _schema(crd(kind)):
        return Check.failed("CRD", f"{kind.crd} is installed, but from a different version", _INSTALL)
    return Check.ok("CRD", f"{kind.crd} {VERSION} is installed and matches this version")


async def _check_served(client: KubernetesClient, namespace: str, kind: Kind) -> Check:
    """Without the right to read CRDs: see whether the kind is known at all."""
    try:
        await client.request("GET", collection_path(namespace, kind), query={"limit": "1"})
    except ResourceGoneError:
        return Check.failed("CRD", f"{kind.crd} is not installed", _INSTALL)
    except KubernetesForbiddenError:
        return Check.skipped("CRD", f"you may not read {kind.crd}, so its version is unknown")
    return Check.ok("CRD", f"{kind.crd} is installed; you may not read it, so its version is unknown")


def _schema(definition: Json) -> object:
    versions = {each["name"]: each["schema"]["openAPIV3Schema"] for each in definition["spec"]["versions"]}
    return versions.get(VERSION)


async def _resources(connection: Connection, choice: Choice) -> list[Json]:
    """Return the resources that may be listed."""
    try:
        objects, _ = await list_resources(connection.client, choice.namespace)
    except (CrdMissingError, KubernetesForbiddenError):
        return []
    return objects


def _secrets(objects: Sequence[Json], connection: Connection, questions: Questions) -> list[SecretKey]:
    """Return the Secret that was asked about and those that resources name."""
    found = set() if questions.secret is None else {questions.secret.within(connection.namespace)}
    for each in objects:
        reference = each.get("spec", {}).get("credentialsSecretRef")
        if reference:
            found.add(SecretKey(reference["name"], reference.get("key", "apiKey"), each["metadata"]["namespace"]))
    return sorted(found)
