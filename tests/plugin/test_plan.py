"""`kubectl fireworks plan`: what it reads, what it would send, and how it is shown."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import pytest
from rich.console import Console

from fireworks_operator.api.budget import FireworksBudget
from fireworks_operator.core.budgets import Ceiling
from fireworks_operator.core.forecast.bill import UNKNOWN_BILL, Bill
from fireworks_operator.core.forecast.changes import FieldChange
from fireworks_operator.plugin.plan import dry_run
from fireworks_operator.plugin.plan.budgets import Namespace
from fireworks_operator.plugin.plan.planned import Planned, Verdict, bill_data
from fireworks_operator.plugin.plan.reading import Manifests, read_manifests
from fireworks_operator.plugin.plan.summary import Plan
from fireworks_operator.plugin.plan.view import change_text, print_plan, to_markdown
from testkit.builders import NOW, a_resource

KIND = "apiVersion: fireworks.ai/v1alpha1\nkind: FireworksDeployment\n"
CHAT = f"{KIND}metadata: {{name: chat}}\nspec: {{baseModel: m}}\n"


def read(folder: Path, text: str, namespace: str = "team-a", *, chosen: bool = False) -> Manifests:
    file = folder / "manifests.yaml"
    file.write_text(text)
    return read_manifests([str(file)], namespace, recursive=False, chosen=chosen)


# --- reading ---------------------------------------------------------------------------------------------------------


def test_documents_of_other_kinds_are_counted_and_empty_ones_are_nothing(tmp_path: Path) -> None:
    found = read(tmp_path, f"{CHAT}---\n---\nkind: Secret\n---\nkind: Secret\n---\n{{}}\n")
    assert [each.ref for each in found.found] == ["team-a/chat"]
    assert found.skipped == {"Secret": 2, "without a kind": 1}


def test_a_kind_of_this_name_in_another_group_is_another_kind(tmp_path: Path) -> None:
    found = read(tmp_path, CHAT.replace("fireworks.ai", "fireworks.example.com"))
    assert (found.found, found.skipped) == ([], {"FireworksDeployment": 1})


REFUSED = [
    (f"{CHAT}---\n{CHAT}", "remove one of the two", "the same resource twice"),
    (f"{KIND}metadata: {{generateName: chat-}}\n", "no metadata.name", "nothing to compare with"),
    ("a: [", "neither YAML nor JSON", "no YAML"),
    ("- 1\n", "is not an object", "a list is no manifest"),
    ("kind: List\nitems: [1]\n", "item of a List is not an object", "nor is a number in one"),
]


@pytest.mark.parametrize(("text", "says", "reason"), REFUSED)
def test_what_cannot_be_read_is_said_with_its_file(text: str, says: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(click.ClickException) as refused:
        read(tmp_path, text)
    assert says in refused.value.message, reason
    assert "manifests.yaml" in refused.value.message


def test_a_namespace_that_was_asked_for_is_that_of_all_manifests(tmp_path: Path) -> None:
    other = CHAT.replace("name: chat", "name: chat, namespace: team-b")
    assert [each.ref for each in read(tmp_path, other).found] == ["team-b/chat"]
    with pytest.raises(click.ClickException, match="omit -n"):
        read(tmp_path, other, chosen=True)


def test_aliases_that_stand_for_millions_are_refused_at_once(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(click.ClickException, match="more values"):
        read(tmp_path, CHAT + "\n".join(lines))


def test_a_folder_without_manifests_and_a_missing_file_are_said(tmp_path: Path) -> None:
    for name, says in ((str(tmp_path), "-R also reads"), (str(tmp_path / "nothing.yaml"), "cannot be read")):
        with pytest.raises(click.ClickException, match=says):
            read_manifests([name], "team-a", recursive=False, chosen=False)


# --- what would be sent ----------------------------------------------------------------------------------------------


def test_the_merge_of_three_is_that_of_kubectl_apply() -> None:
    before: dict[str, Any] = {"metadata": {"name": "chat"}, "spec": {"a": 1, "b": {"x": 1, "y": 2}, "gone": 1}}
    manifest = {"metadata": {"name": "chat"}, "spec": {"a": 2, "b": {"x": 1}, "new": [1]}}
    live = {
        "metadata": {"name": "chat", "uid": "u", "annotations": {"theirs": "x"}},
        "spec": {"a": 1, "b": {"x": 1, "y": 2}, "gone": 1, "theirs": 1},
        "status": {},
    }
    patch = dry_run._merge_patch(before, manifest, live)
    assert patch == {"spec": {"a": 2, "b": {"y": None}, "new": [1], "gone": None}}
    assert dry_run._merge_patch({}, live, live) == {}


# --- budgets ---------------------------------------------------------------------------------------------------------


def budget(**spec: object) -> FireworksBudget:
    metadata = {"name": "small", "namespace": "team-a", "uid": "b", "resourceVersion": "1"}
    month = {"name": "2026-03", "ofDeleted": "10"}
    return FireworksBudget.parse({"metadata": metadata, "spec": spec, "status": {"month": month}})


def test_a_budget_counts_what_it_selects_and_what_is_planned_before() -> None:
    cost: dict[str, Any] = {"gpus": 2, "hourly": "16.00", "gpuCeiling": 4, "hourlyCeiling": "32.00", "asOf": NOW}
    cost["month"] = {"name": "2026-03", "total": "100"}
    theirs = a_resource(status={"cost": cost}, name="theirs", labels={"team": "search"})
    other = a_resource(status={"cost": cost}, name="other")
    ours = a_resource(name="ours", labels={"team": "search"})
    small = budget(limits={"gpus": 8, "monthlyCost": 50}, selector={"matchLabels": {"team": "search"}})
    place = Namespace([small], {"theirs": theirs, "other": other})
    (room,) = place.rooms(ours, NOW)
    assert (room.budget, room.others.gpus, room.spent, room.parks) == ("small", 4, Decimal(110), False)
    assert room.month_is_spent
    place.plan(theirs, Ceiling(6, Decimal(48)))
    place.plan(a_resource(name="new", labels={"team": "search"}), Ceiling(1, Decimal(8)))
    (room,) = place.rooms(ours, NOW)
    assert room.others.gpus == 7
    assert place.rooms(other, NOW) == (), "not selected"
    observed = a_resource({"managementPolicy": "Observe"}, name="seen", labels={"team": "search"})
    assert place.rooms(observed, NOW) == (), "not managed"


# --- how it is shown -------------------------------------------------------------------------------------------------


def bill(gpus: int, hourly: int) -> Bill:
    return Bill(gpus, Decimal(hourly), gpus * 2, Decimal(hourly * 2))


def planned(verdict: Verdict = Verdict.UPDATE, **more: Any) -> Planned:  # noqa: ANN401 - fields of it
    return Planned("team-a", "chat", "chat.yaml", verdict, **{"before": bill(1, 8), "after": bill(2, 16), **more})


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ((), 0),
        ((Verdict.NOTHING,), 0),
        ((Verdict.NOTHING, Verdict.UPDATE), 2),
        ((Verdict.RELEASE,), 2),
        ((Verdict.CREATE, Verdict.REFUSED), 1),
        ((Verdict.UNKNOWN,), 1),
    ],
)
def test_the_exit_code_tells_nothing_changes_and_errors_apart(verdicts: tuple[Verdict, ...], code: int) -> None:
    assert Plan([planned(each) for each in verdicts]).exit_code == code


def test_the_sum_of_something_unknown_is_unknown() -> None:
    known = Plan([planned(), planned()])
    assert known.cost() == "GPUs 2 → 4, at most 4 → 8 (+4); cost $16.00/h → $32.00/h, at most $32.00/h → $64.00/h"
    unknown = Plan([planned(), planned(after=UNKNOWN_BILL)])
    assert unknown.cost() == (
        "GPUs 2 → unknown, at most 4 → unknown; cost $16.00/h → unknown, at most $32.00/h → unknown"
    )
    data = unknown.to_data()
    assert data["after"] == {"gpus": None, "hourly": None, "gpusAtMost": None, "hourlyCeiling": None}


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (None, "x", "f: x"),
        ("x", None, "f: x → (not set)"),
        ("x", "", 'f: x → ""'),
        (False, True, "f: false → true"),
        (1, 0, "f: 1 → 0"),
        ({"a": 1}, {"a": 2}, 'f: {"a": 1} → {"a": 2}'),
        (None, "x\x1b[31m\ny", "f: x [31m y"),
        (None, "x" * 300, f"f: {'x' * 199}…"),
    ],
)
def test_values_are_shown_on_one_line_that_steers_no_terminal(old: Any, new: Any, text: str) -> None:  # noqa: ANN401
    assert change_text(FieldChange("f", old, new)) == text


def test_markdown_shows_the_text_of_others_as_it_is() -> None:
    hostile = "</details> @everyone ![x](https://example.com/x.png) <script> | `a` $a$ #1 **b**"
    change = FieldChange("displayName", None, hostile)
    text = to_markdown(Plan([planned(changes=(change,), message=hostile, reason="X")], {"<b>": 1}))
    assert "<script>" not in text
    assert "@everyone" not in text
    assert "[x](" not in text
    assert "https://" not in text
    assert text.count("</details>") == 1
    assert "$" not in text


def test_a_refusal_is_open_in_markdown_and_what_stays_is_only_in_the_table() -> None:
    text = to_markdown(Plan([planned(Verdict.REFUSED, reason="R", message="why"), planned(Verdict.NOTHING)]))
    assert "| ! | team-a/chat | **refused** |" in text
    assert text.count("<details open>") == text.count("<details") == 1
    assert "**1 refused, 1 unchanged.**" in text


def test_in_a_pipe_there_are_no_colours(capsys: pytest.CaptureFixture[str]) -> None:
    print_plan(Plan([planned(notes=("mind this",))], {"ConfigMap": 2}, ("assumed",)), Console())
    assert capsys.readouterr().out == (
        "~ update   team-a/chat\n"
        "    note: mind this\n"
        "    GPUs 1 → 2, at most 2 → 4 (+2); cost $8.00/h → $16.00/h, at most $16.00/h → $32.00/h\n"
        "\n"
        "assumed\n"
        "Objects of other kinds, which are not looked at: 2 ConfigMap.\n"
        "Plan: 1 to update.\n"
        "Total: GPUs 1 → 2, at most 2 → 4 (+2); cost $8.00/h → $16.00/h, at most $16.00/h → $32.00/h.\n"
    )


def test_what_both_deployments_cost_is_said_where_one_takes_the_place_of_the_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plan = Plan([planned(Verdict.REPLACE, both=bill(3, 24))])
    print_plan(plan, Console(width=200))
    both = (
        "while both run: GPUs 3, at most 6; cost $24.00/h, at most $48.00/h; quota and budgets must have room for both"
    )
    assert capsys.readouterr().out.splitlines()[2] == f"    {both}"
    assert f"- {both}".replace("$", "&#36;") in to_markdown(plan).splitlines()
    assert plan.resources[0].to_data()["whileBothRun"] == bill_data(bill(3, 24))
    assert planned().to_data()["whileBothRun"] is None


def test_without_a_resource_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    print_plan(Plan((), {"Secret": 1}), Console())
    assert "There is no FireworksDeployment in these manifests." in capsys.readouterr().out
