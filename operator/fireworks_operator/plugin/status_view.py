"""What `kubectl fireworks status` shows of one resource: a page for people, lines for pipes, data for programs."""

from dataclasses import dataclass

from pydantic import JsonValue
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from fireworks_operator.api.v1alpha1 import Condition, FireworksDeployment, FireworksDeploymentStatus
from fireworks_operator.core.desired.choices import told, tried_before

from .changes import Change, pending_changes
from .output import clean, identifier_text, new_table
from .progress import STAGES, Stage, stage_of, stage_text
from .replacement_view import ReplacementView
from .summary import Summary, summary_of

_BAR_WIDTH = 44
_STYLES = {"True": "green", "False": "yellow", "Unknown": "magenta"}


@dataclass(frozen=True, slots=True)
class View:
    """Everything that is shown of a resource; `stage` is that of the deployment that is on its way, if one is."""

    summary: Summary
    stage: Stage | None
    replacement: ReplacementView | None
    changes: tuple[Change, ...]
    notices: tuple[str, ...]
    conditions: tuple[Condition, ...]

    @classmethod
    def of(cls, resource: FireworksDeployment) -> "View":
        """Describe a resource."""
        status, replacement = resource.status, ReplacementView.of(resource.status)
        successor = replacement if replacement is not None and replacement.preparing else None
        return cls(
            summary_of(resource),
            stage_of(status) if successor is None else successor.stage,
            replacement,
            tuple(pending_changes(resource)),
            tuple(status.notices or ()),
            tuple(status.conditions),
        )

    def to_data(self) -> dict[str, JsonValue]:
        """Return it for programs."""
        return self.summary.to_data() | {
            "stage": None if self.stage is None else self.stage.value,
            "replacement": None if self.replacement is None else self.replacement.to_data(),
            "changes": [{"path": each.path, "now": each.now, "wanted": each.wanted} for each in self.changes],
            "conditions": [each.to_wire() for each in self.conditions],
            "notices": list(self.notices),
        }

    def lines(self) -> list[str]:
        """Return it as plain lines, one fact each."""
        facts = [f"{name}: {value}" for name, value in self._facts() if value]
        stage = [] if self.stage is None else [f"{self._stage_of()}: {stage_text(self.stage)}"]
        changes = [f"Not applied yet: {each}" for each in self.changes]
        conditions = [f"Condition {each.type}: {_condition_text(each)}" for each in self.conditions]
        notices = [f"Notice: {each}" for each in self.notices]
        return [*facts, *stage, *changes, *conditions, *notices]

    def brief(self) -> str:
        """Return one line that changes when something happens."""
        summary = self.summary
        stage = stage_text(self.stage) if self.stage is not None and not summary.ready else ""
        if stage and self._prepares:
            stage = f"successor {stage}"
        replacement = "" if self.replacement is None or not summary.ready else self.replacement.brief()
        parts = (summary.state, summary.replicas, stage, replacement, f"{summary.reason}: {summary.message}")
        return clean(f"{summary.name}: " + ", ".join(each for each in parts if each))

    def page(self) -> RenderableType:
        """Return it for a terminal."""
        parts: list[RenderableType] = [self._title()]
        grid = self._grid()
        if grid.row_count:
            parts.append(Padding(grid, (1, 0, 0, 2)))
        if self.stage is not None:
            title = [Text(self._stage_of(), style="bold")] if self._prepares else []
            parts.append(Padding(Group(*title, _bar(self.stage)), (1, 0, 0, 2)))
        if self.changes:
            parts.append(_block("Not applied yet", [str(each) for each in self.changes]))
        if self.conditions:
            parts.append(Padding(_conditions(self.conditions), (1, 0, 0, 2)))
        if self.notices:
            parts.append(_block("Notices", self.notices))
        return Group(*parts)

    def _facts(self) -> list[tuple[str, str]]:
        summary, status = self.summary, self.summary.status
        return [
            ("Resource", f"{summary.namespace}/{summary.name}"),
            ("Ready", f"{'yes' if summary.ready else 'no'}, {summary.reason}: {summary.message}"),
            ("State", summary.state),
            ("Replicas", summary.replicas),
            ("GPUs per replica", summary.gpus),
            ("Deployment", status.deployment_name or ""),
            ("Model identifier", summary.model_identifier),
            ("Also reached as", ", ".join(each for each in _identifiers(status) if each != summary.model_identifier)),
            ("Endpoint", status.endpoint or ""),
            ("Direct route", status.direct_route_handle or ""),
            ("Choice", _choice(status)),
            ("Expires", "" if status.expires_at is None else f"{status.expires_at:%Y-%m-%dT%H:%M:%SZ}"),
            *(() if self.replacement is None else self.replacement.facts()),
        ]

    @property
    def _prepares(self) -> bool:
        """Whether a successor is prepared, so that the stage is its."""
        return self.replacement is not None and self.replacement.preparing

    def _stage_of(self) -> str:
        return "Stage of the successor" if self._prepares else "Stage"

    def _title(self) -> Text:
        summary = self.summary
        style = "green" if summary.ready else "red" if summary.stalled else "yellow"
        waiting = "Being replaced" if self._prepares else "Not ready yet"
        word = "Ready" if summary.ready else "Stalled" if summary.stalled else waiting
        return Text.assemble(
            (summary.name, "bold"), f" in namespace {summary.namespace}: ", (f"{word}, {summary.reason}", style)
        )

    def _grid(self) -> Table:
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="bold", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in self._facts():
            if value and name not in ("Resource", "Ready"):
                grid.add_row(name, identifier_text(value) if name == "Model identifier" else clean(value))
        return grid


def _choice(status: FireworksDeploymentStatus) -> str:
    """Return which of the spec and its fallbacks it runs on, and what was given up; empty if none was."""
    choice = status.choice
    if choice is None:
        return ""
    which = f"fallback {choice.index}" if choice.index else "as the spec asks"
    tried = "" if not choice.given_up else f". {tried_before(choice.given_up)}"
    return f"{told(choice)} ({which}), since {choice.since:%Y-%m-%dT%H:%M:%SZ}{tried}"


def _identifiers(status: FireworksDeploymentStatus) -> list[str]:
    return [each.value for each in status.identifiers or ()]


def print_view(view: View, console: Console) -> None:
    """Print a page in a terminal, else plain lines."""
    if console.is_terminal:
        console.print(view.page())
        return
    for line in view.lines():
        console.out(clean(line), highlight=False)


def _bar(stage: Stage) -> Table:
    """Return the bar with its stages below, the one that is reached in bold."""
    reached = STAGES.index(stage)
    done = len(STAGES) if stage is Stage.READY else reached
    bar = ProgressBar(total=len(STAGES), completed=done, width=_BAR_WIDTH)
    names = [Text(each, style="green" if STAGES.index(each) < done else "dim") for each in STAGES]
    names[reached].stylize("bold green" if stage is Stage.READY else "bold yellow")
    grid = Table.grid()
    grid.add_row(bar)
    grid.add_row(Text(" → ").join(names))
    return grid


def _conditions(conditions: tuple[Condition, ...]) -> Table:
    table = new_table("CONDITION", "STATUS", "REASON", "MESSAGE")
    for each in conditions:
        # False is the good news of these.
        good = "False" if each.type in ("Reconciling", "Stalled", "CapacityPending") else "True"
        style = "green" if each.status == good else _STYLES.get(each.status, "") if good == "True" else "yellow"
        table.add_row(each.type, Text(each.status, style=style), each.reason, clean(each.message))
    return table


def _condition_text(condition: Condition) -> str:
    text = f"{condition.status} {condition.reason}"
    return f"{text}: {condition.message}" if condition.message else text


def _block(title: str, lines: list[str] | tuple[str, ...]) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    for line in lines:
        grid.add_row("-", clean(line))
    return Padding(Group(Text(title, style="bold"), grid), (1, 0, 0, 2))
