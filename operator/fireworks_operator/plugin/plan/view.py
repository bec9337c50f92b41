"""A plan for people: in a terminal, in a pipe, and as Markdown for a pull request."""

import json
from collections.abc import Iterator
from html import escape
from typing import Final

from pydantic import JsonValue
from rich.console import Console
from rich.text import Text

from fireworks_operator.core.forecast.changes import FieldChange
from fireworks_operator.plugin.output import clean

from .planned import Planned, Verdict
from .summary import Plan, arrow, bill_text, bills_text, count, dollars

_SIGNS: Final = {
    Verdict.CREATE: ("+", "green"),
    Verdict.UPDATE: ("~", "yellow"),
    Verdict.REPLACE: ("±", "bold red"),
    Verdict.RESTORE: ("+", "green"),
    Verdict.ADOPT: ("~", "yellow"),
    Verdict.RELEASE: ("-", "yellow"),
    Verdict.NOTHING: ("=", "dim"),
    Verdict.REFUSED: ("!", "bold red"),
    Verdict.UNKNOWN: ("?", "bold red"),
}
_LONGEST: Final = 200
"""Characters of a value that are shown."""


def print_plan(plan: Plan, console: Console) -> None:
    """Print a plan, each resource with what changes below it."""
    for each in plan.resources:
        sign, style = _SIGNS[each.verdict]
        console.print(Text(f"{sign} {each.verdict.value:<8} {clean(each.ref)}", style=style), soft_wrap=True)
        for line, dim in _details(each):
            console.print(Text(f"    {line}", style="dim" if dim else ""), soft_wrap=True)
    if plan.resources:
        console.print()
    for note in plan.notes:
        console.print(Text(clean(note), style="dim"), soft_wrap=True)
    if plan.others():
        console.print(Text(clean(plan.others()), style="dim"), soft_wrap=True)
    if not plan.resources:
        console.print("There is no FireworksDeployment in these manifests.")
        return
    console.print(f"Plan: {plan.counts()}.", soft_wrap=True)
    console.print(f"Total: {plan.cost()}.", soft_wrap=True)


def _details(planned: Planned) -> Iterator[tuple[str, bool]]:
    """Yield the lines below a resource, and whether each matters less."""
    for change in planned.changes:
        yield change_text(change), False
    if planned.message:
        yield clean(f"{planned.reason}: {planned.message}" if planned.reason else planned.message), False
    for note in planned.notes:
        yield f"note: {clean(note)}", True
    if planned.verdict is not Verdict.NOTHING:
        yield bills_text(planned.before, planned.after), False
    if planned.both is not None:
        yield f"while both run: {bill_text(planned.both)}; quota and budgets must have room for both", False


def change_text(change: FieldChange) -> str:
    """Return a field with both values."""
    path = clean(change.path)
    if change.old is None and change.new is not None:
        return f"{path}: {value_text(change.new)}"
    return f"{path}: {value_text(change.old)} → {value_text(change.new)}"


def value_text(value: JsonValue) -> str:
    """Return a value on one line."""
    if value is None:
        return "(not set)"
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    text = clean(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def to_markdown(plan: Plan) -> str:
    """Return a plan as a comment for a pull request: a sentence, a table, and the details of each resource folded."""
    lines = ["### Fireworks plan", ""]
    if not plan.resources:
        lines.append("There is no FireworksDeployment in these manifests.")
    else:
        lines += [f"**{plan.counts()}.** {_plain(plan.cost())}.", "", *_table(plan)]
    for each in plan.resources:
        lines += _folded(each)
    lines += [f"<sub>{_plain(each)}</sub>\n" for each in (*plan.notes, *filter(None, (plan.others(),)))]
    return "\n".join(lines).rstrip() + "\n"


def _table(plan: Plan) -> list[str]:
    head = ["| | resource | action | GPUs | cost | GPUs at most | cost at most |", "|---|---|---|---|---|---|---|"]
    rows = []
    for each in plan.resources:
        before, after = each.before, each.after
        cells = (
            _SIGNS[each.verdict][0],
            _plain(each.ref),
            f"**{each.verdict.value}**" if each.verdict.is_error else each.verdict.value,
            arrow(count(before.gpus), count(after.gpus)),
            arrow(dollars(before.hourly), dollars(after.hourly)),
            arrow(count(before.gpus_at_most), count(after.gpus_at_most)),
            arrow(dollars(before.ceiling), dollars(after.ceiling)),
        )
        rows.append(f"| {' | '.join(each.replace('$', '&#36;') for each in cells)} |")
    return [*head, *rows, ""]


def _folded(planned: Planned) -> list[str]:
    details = [line for line, _ in _details(planned)]
    if planned.verdict is Verdict.NOTHING and not planned.notes:
        return []
    opened = " open" if planned.verdict.is_error else ""
    summary = f"<summary>{escape(clean(planned.ref))}: {planned.verdict.value}</summary>"
    return [f"<details{opened}>{summary}", "", *(f"- {_plain(each)}" for each in details), "", "</details>", ""]


def _plain(text: str) -> str:
    """Return text of others so that it is shown as it is, mentions nobody, and begins no markup and no formula."""
    text = clean(text)
    for character in "\\`*_{}[]<>#|~":
        text = text.replace(character, f"\\{character}")
    return text.replace("$", "&#36;").replace("@", "@\u200b").replace("://", ":\u200b//")
