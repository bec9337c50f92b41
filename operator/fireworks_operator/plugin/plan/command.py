"""`kubectl fireworks plan`: the command itself."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from fireworks_operator.core.forecast.bill import UNKNOWN_BILL, metered
from fireworks_operator.core.forecast.forecast import EndlessError
from fireworks_operator.fireworks.errors import FireworksError
from fireworks_operator.kube.secrets import KubernetesSecrets
from fireworks_operator.plugin.advice import explain
from fireworks_operator.plugin.connection import Choice, Connection, connected
from fireworks_operator.plugin.fireworks import open_client, read_settings
from fireworks_operator.plugin.form import Form
from fireworks_operator.plugin.output import new_console, print_data

from .budgets import Namespace, read_namespace
from .dry_run import DryRun, NotStored, Stored
from .looking import Looker, NoKeyError
from .operator import find_operator
from .planned import Planned, Verdict, ceiling_of_plan, planned_of
from .reading import Manifest, Manifests, read_manifests
from .summary import Plan
from .view import print_plan, to_markdown

AT_ONCE: Final = 8
"""Manifests that are looked at at the same time."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be planned, and how it would be applied.

    Attributes:
        names: files, directories, or `-`.
        recursive: also the directories below.
        price_file: price list; None: that of the operator.
        manager: field manager of server-side apply; None: as before.
        force: take fields over from other managers.
    """

    names: tuple[str, ...]
    recursive: bool = False
    price_file: str | None = None
    manager: str | None = None
    force: bool = False


async def show_plan(choice: Choice, question: Question, form: Form | None) -> int:
    """Print the plan and return the exit code.

    Raises:
        click.ClickException: a manifest cannot be read, or something that every plan needs is missing.
        CrdMissingError: the cluster does not know the kind.
        KubernetesUnavailableError: the API server does not answer.
    """
    async with connected(choice) as connection:
        manifests = read_manifests(
            question.names,
            connection.namespace,
            recursive=question.recursive,
            chosen=choice.namespace is not None,
        )
        plan = await _plan(connection, question, manifests)
    if form is Form.MARKDOWN:
        click.echo(to_markdown(plan), nl=False)
    elif form is not None:
        print_data(plan.to_data(), form)
    else:
        print_plan(plan, new_console())
    return plan.exit_code


async def _plan(connection: Connection, question: Question, manifests: Manifests) -> Plan:
    if not manifests.found:
        return Plan((), manifests.skipped)
    settings = read_settings()
    if question.price_file is not None:
        settings = settings.model_copy(update={"price_file": Path(question.price_file)})
    operator = await find_operator(connection.client, settings)
    dry_run = DryRun(connection.client, question.manager, question.force)
    async with open_client(settings) as client:
        looker = Looker(client, KubernetesSecrets(connection.client), settings, operator, datetime.now(UTC))
        places = asyncio.Semaphore(AT_ONCE)
        by_namespace: dict[str, list[Manifest]] = {}
        for each in manifests.found:
            by_namespace.setdefault(each.namespace, []).append(each)
        done = await asyncio.gather(*(_plan_namespace(each, dry_run, looker, places) for each in by_namespace.values()))
    found = {each.ref: each for planned, _ in done for each in planned}
    notes = (*operator.notes, *(note for _, note in done if note))
    return Plan([found[each.ref] for each in manifests.found], manifests.skipped, notes)


async def _plan_namespace(
    manifests: Sequence[Manifest], dry_run: DryRun, looker: Looker, places: asyncio.Semaphore
) -> tuple[list[Planned], str]:
    """Plan the manifests of one namespace, each counting on the room in budgets that those before it leave."""
    budgets, note = await read_namespace(dry_run.client, manifests[0].namespace)
    if not budgets.budgets:
        return list(await asyncio.gather(*(_place(each, dry_run, looker, budgets, places) for each in manifests))), note
    return [await _place(each, dry_run, looker, budgets, places) for each in manifests], note


async def _place(
    manifest: Manifest, dry_run: DryRun, looker: Looker, budgets: Namespace, places: asyncio.Semaphore
) -> Planned:
    async with places:
        return await _planned(manifest, dry_run, looker, budgets)


async def _planned(manifest: Manifest, dry_run: DryRun, looker: Looker, budgets: Namespace) -> Planned:
    """Say what would become of one manifest; what cannot be found out about it keeps nothing from the others."""
    unknown = Planned(manifest.namespace, manifest.name, manifest.source, Verdict.UNKNOWN)
    stored = await dry_run.of(manifest)
    before = metered(stored.live)
    if isinstance(stored, NotStored):
        if stored.refused:
            return replace(unknown, verdict=Verdict.REFUSED, message=stored.message, before=before, after=before)
        return replace(unknown, message=stored.message, before=UNKNOWN_BILL, after=UNKNOWN_BILL)
    refusal = _not_managed(stored, looker)
    if refusal:
        return replace(unknown, verdict=Verdict.REFUSED, message=refusal, before=before, after=before)
    try:
        seen = await looker.look(stored, budgets.rooms(stored.resource, looker.now))
        budgets.plan(stored.resource, ceiling_of_plan(seen))
        return planned_of(manifest.namespace, manifest.name, manifest.source, seen)
    except (NoKeyError, EndlessError, click.ClickException, FireworksError) as error:
        message = explain(error) if isinstance(error, FireworksError) else str(error)
        return replace(unknown, message=message, before=before, after=UNKNOWN_BILL)


def _not_managed(stored: Stored, looker: Looker) -> str:
    """Say why the operator would not look at a resource; empty if it would."""
    metadata, watched = stored.resource.metadata, looker.operator.settings.watch_namespaces
    if metadata.deletion_timestamp is not None:
        return "The resource is being deleted: apply the manifest again once it is gone."
    if watched and metadata.namespace not in watched:
        return f"The operator does not manage namespace {metadata.namespace}: add it to its setting watchNamespaces."
    return ""
