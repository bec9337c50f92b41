"""`kubectl fireworks cost`: what Fireworks has billed, by resource, namespace or tag, beside the operator's meter."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import click
from pydantic import JsonValue

from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.core.identity import is_reserved_tag, parse_marker
from fireworks_operator.core.status.cost import month_gpu_seconds_until, month_until
from fireworks_operator.fireworks.billing import Usage
from fireworks_operator.fireworks.models import Deployment
from fireworks_operator.kube.resources import list_resources
from fireworks_operator.price_file import PriceFile, PriceFileError
from fireworks_operator.settings import Settings

from .connection import Choice, connected
from .cost_lines import SECONDS_PER_HOUR, Known, Line, Sum, to_csv, to_lines, total_by
from .fireworks import Account, read_settings, signed_in
from .form import Form
from .output import Row, new_console, print_columns, print_data, print_table

LONGEST = timedelta(days=31)
"""Of one request (REST: billingUsage)."""
_TAG = "custom/"


@dataclass(frozen=True, slots=True)
class Metered:
    """What the operator has metered of a resource in this month."""

    dollars: Decimal
    gpu_seconds: int


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: since when, and by what it is summed up (`resource`, `namespace`, or a tag's key)."""

    since: datetime
    by: str


async def show_cost(choice: Choice, question: Question, form: Form | None, *, every: bool) -> None:
    """Print what was billed for the deployments of one namespace; of the whole account if `every`.

    Raises:
        click.ClickException: there is no API key, or the price list cannot be used.
        FireworksError: Fireworks does not answer, or not to this key.
    """
    settings, now = read_settings(), datetime.now(UTC)
    prices = read_prices(settings)
    async with signed_in(settings) as account, connected(choice) as connection:
        usage = await _usage(account, question.since, now)
        deployments = await account.deployments()
        namespace = None if every else connection.namespace
        objects, _ = await list_resources(connection.client, namespace)
    resources = [FireworksDeployment.parse(each) for each in objects]
    lines = to_lines(usage, _known(resources, deployments), prices().of(account.id), now)
    if namespace is not None:
        lines = [each for each in lines if each.known.namespace == namespace]
    if form is Form.CSV:
        click.echo(to_csv(lines, account.id), nl=False)
        return
    meters = _meters(resources, question, now)
    if form is not None:
        print_data(_to_data(lines, question, meters), form)
    else:
        _print(lines, question, meters)


def first_of_month() -> datetime:
    """Return when this month began, in UTC."""
    return _midnight(datetime.now(UTC)).replace(day=1)


def read_prices(settings: Settings) -> PriceFile:
    """Return the prices in force here: the published ones, changed by FIREWORKS_OPERATOR_PRICE_FILE.

    Raises:
        click.ClickException: the file cannot be used.
    """
    try:
        return PriceFile(settings.price_file)
    except PriceFileError as error:
        raise click.ClickException(str(error)) from None


async def _usage(account: Account, since: datetime, now: datetime) -> list[Usage]:
    """Ask for all days since then, in as many requests as it takes."""
    found: list[Usage] = []
    end = _midnight(now) + timedelta(days=1)
    start = _midnight(since)
    while start < end:
        until = min(start + LONGEST, end)
        found += await account.client.billing_usage(account.key, account.id, start, until)
        start = until
    return found


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _known(resources: Iterable[FireworksDeployment], deployments: Iterable[Deployment]) -> dict[str, Known]:
    """Return what is known of deployments by id: by the resource that claims one, or else by its owner marker."""
    known: dict[str, Known] = {}
    for deployment in deployments:
        tags = {key.removeprefix(_TAG): value for key, value in deployment.annotations.items() if _is_tag(key)}
        owner = parse_marker(deployment.annotations)
        known[deployment.deployment_id] = Known(
            "" if owner is None else owner.namespace, "" if owner is None else owner.name, tags
        )
    for resource in resources:
        for name in claimed(resource):
            identifier = name.rsplit("/", 1)[-1]
            before = known.get(identifier, Known())
            known[identifier] = replace(before, namespace=resource.metadata.namespace, name=resource.metadata.name)
    return known


def claimed(resource: FireworksDeployment) -> Iterator[str]:
    """Yield the deployments of a resource: two while one replaces the other."""
    replacement = resource.status.replacement
    for name in (resource.status.deployment_name, None if replacement is None else replacement.deployment_name):
        if name is not None:
            yield name


def _is_tag(key: str) -> bool:
    return key.startswith(_TAG) and not is_reserved_tag(key.removeprefix(_TAG))


def _meters(
    resources: Iterable[FireworksDeployment], question: Question, now: datetime
) -> dict[tuple[str, ...], Metered] | None:
    """Return what the operator's meter says of this month, by resource; None where another period is asked for."""
    if question.by != "resource" or question.since != _midnight(now).replace(day=1):
        return None
    return {
        (each.metadata.namespace, each.metadata.name): Metered(
            month_until(each.status.cost, now), month_gpu_seconds_until(each.status.cost, now)
        )
        for each in resources
        if each.status.cost is not None
    }


def _grouping(by: str) -> tuple[tuple[str, ...], Callable[[Line], tuple[str, ...]]]:
    """Return the head of the first columns, and what stands in them."""
    if by == "namespace":
        return ("NAMESPACE",), lambda line: (line.known.namespace,)
    if by == "resource":
        return ("NAMESPACE", "NAME"), lambda line: (
            line.known.namespace,
            line.known.name or line.usage.deployment_id,
        )
    return (by.upper(),), lambda line: (line.known.tags.get(by, ""),)


def _print(lines: list[Line], question: Question, meters: Mapping[tuple[str, ...], Metered] | None) -> None:
    head, of = _grouping(question.by)
    sums = total_by(lines, of)
    if not sums:
        click.echo(f"Fireworks has billed nothing since {question.since:%Y-%m-%d}.")
        return
    total = Sum()
    for line in lines:
        total = total.plus(line)
    columns = (*head, "GPU-HOURS", "USD", *(("METER",) if meters is not None else ()))
    rows = [Row(_cells(key, each, meters)) for key, each in sums.items()]
    console = new_console()
    if not console.is_terminal:
        print_columns(columns[:-1], [Row(each.cells[:-1], below=each.cells[-1]) for each in rows], columns[-1])
        return
    print_table(console, columns, rows)
    console.print(f"\n{_summary(total, question)}", soft_wrap=True)


def _cells(key: tuple[str, ...], each: Sum, meters: Mapping[tuple[str, ...], Metered] | None) -> tuple[str, ...]:
    hours = f"{Decimal(each.gpu_seconds) / SECONDS_PER_HOUR:.1f}"
    dollars = "unknown" if each.unpriced == each.gpu_seconds > 0 else f"{each.dollars:.2f}"
    named = tuple(part or "-" for part in key)
    if meters is None:
        return (*named, hours, dollars)
    return (*named, hours, dollars, f"{meters[key].dollars:.2f}" if key in meters else "-")


def _summary(total: Sum, question: Question) -> str:
    hours = Decimal(total.gpu_seconds) / SECONDS_PER_HOUR
    text = f"Since {question.since:%Y-%m-%d}: {hours:.1f} GPU-hours, {total.dollars:.2f} US dollars by the price list."
    if total.unpriced:
        text += (
            f" The price of {Decimal(total.unpriced) / SECONDS_PER_HOUR:.1f} GPU-hours is not known: add it to the "
            "file that FIREWORKS_OPERATOR_PRICE_FILE names."
        )
    return text


def _to_data(
    lines: list[Line], question: Question, meters: Mapping[tuple[str, ...], Metered] | None
) -> list[JsonValue]:
    head, of = _grouping(question.by)
    names = [{"NAMESPACE": "namespace", "NAME": "name"}.get(each, "tag") for each in head]
    data: list[JsonValue] = []
    for key, each in total_by(lines, of).items():
        entry: dict[str, Any] = {**dict(zip(names, key, strict=True)), **each.to_data()}
        if meters is not None and key in meters:
            entry["meteredDollars"] = f"{meters[key].dollars:.2f}"
            entry["meteredGpuSeconds"] = meters[key].gpu_seconds
        data.append(entry)
    return data
