"""What a user sees in a terminal of 100 columns, and what a pipe gets."""

import io
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from rich.console import Console

from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.plugin.changes import pending_changes
from fireworks_operator.plugin.listing import HEAD
from fireworks_operator.plugin.output import Row, print_columns, print_table
from fireworks_operator.plugin.progress import stage_of, stage_text
from fireworks_operator.plugin.status_view import View, print_view
from fireworks_operator.plugin.summary import UNREADABLE, UNSEEN, age_text, summarize, summary_of
from testkit.builders import BASE_MODEL, BORN, NAME, NOW, a_resource

IDENTIFIER = f"{BASE_MODEL}#{NAME}"
WIDTH = 100


def a_condition(kind: str, status: str, reason: str, message: str = "", generation: int = 1) -> dict[str, Any]:
    """A condition as the API server has it."""
    since = (NOW - timedelta(minutes=5)).isoformat()
    about = {"reason": reason, "message": message, "observedGeneration": generation, "lastTransitionTime": since}
    return {"type": kind, "status": status, **about}


def a_seen_resource(
    *conditions: dict[str, Any], spec: Mapping[str, Any] | None = None, generation: int = 1, **status: object
) -> FireworksDeployment:
    """A resource whose deployment exists."""
    usual = {
        "observedGeneration": 1,
        "deploymentName": NAME,
        "account": "acme",
        "state": "READY",
        "createTime": BORN,
        "modelIdentifier": IDENTIFIER,
        "endpoint": "https://api.fireworks.ai/inference/v1",
        "replicas": {"desired": 1, "ready": 1},
        "effective": {
            "acceleratorType": "NVIDIA_H100_80GB",
            "acceleratorCount": 2,
            "minReplicaCount": 0,
            "maxReplicaCount": 4,
        },
        "conditions": list(conditions) or [a_condition("Ready", "True", "Serving", "1 of 1 replicas serving.")],
    }
    return a_resource(spec, {**usual, **status}, generation=generation)


def shown(resource: FireworksDeployment, *, terminal: bool) -> str:
    """The status page of a resource."""
    out = io.StringIO()
    console = Console(file=out, width=WIDTH, force_terminal=terminal, color_system="standard" if terminal else None)
    print_view(View.of(resource), console)
    return out.getvalue()


def plain(text: str) -> list[str]:
    """Lines without colours and trailing blanks."""
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()]


# --- one resource in words --------------------------------------------------------------------------------------------


def test_a_row_has_state_replicas_with_bounds_and_gpus() -> None:
    summary = summary_of(a_seen_resource())
    assert (summary.state, summary.replicas, summary.gpus) == ("READY", "1 [0,4]", "2 x NVIDIA_H100_80GB")
    assert summary.ready
    assert not summary.stalled


def test_ready_counts_only_for_the_spec_as_it_is_now() -> None:
    summary = summary_of(a_seen_resource(generation=2))
    assert (summary.ready, summary.settled, summary.reason) == (False, False, UNSEEN)
    assert "this change" in summary.message


def test_a_condition_about_an_older_spec_does_not_count_either() -> None:
    old = a_condition("Ready", "True", "Serving", generation=1)
    assert not summary_of(a_seen_resource(old, generation=2, observedGeneration=2)).ready


def test_a_resource_that_nobody_has_seen_points_to_the_operator() -> None:
    summary = summary_of(a_resource())
    assert (summary.reason, summary.replicas, summary.gpus, summary.state) == (UNSEEN, "", "", "")
    assert "check that the operator is running" in summary.message


def test_one_unreadable_resource_does_not_hide_the_others() -> None:
    summary = summarize({"metadata": {"namespace": "team-a", "name": "odd"}, "spec": {"baseModel": 7}})
    assert (summary.namespace, summary.name, summary.reason) == ("team-a", "odd", UNREADABLE)
    assert "spec.baseModel" in summary.message


def test_zero_replicas_are_shown_as_zero_and_not_as_unknown() -> None:
    parked = a_seen_resource(
        replicas={"desired": 0, "ready": 0}, effective={"minReplicaCount": 0, "maxReplicaCount": 0}
    )
    assert summary_of(parked).replicas == "0 [0,0]"
    assert summary_of(a_seen_resource(replicas=None)).replicas == ""


def test_all_values_of_model_that_reach_it_are_shown() -> None:
    found = [
        {"kind": "ModelAndDeployment", "value": IDENTIFIER},
        {"kind": "Deployment", "value": NAME},
        {"kind": "Model", "value": "accounts/fireworks/models/m"},
    ]
    resource = a_seen_resource(identifiers=found)
    assert f"Also reached as: {NAME}, accounts/fireworks/models/m" in plain(shown(resource, terminal=False))
    assert "Also reached as" in shown(resource, terminal=True)
    assert View.of(resource).to_data()["identifiers"] == found
    assert "Also reached as" not in shown(a_seen_resource(), terminal=False)


# --- progress ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replicas", "state", "expected", "reason"),
    [
        (None, "CREATING", "scheduling", "nothing is known of replicas while a deployment comes about"),
        (None, None, None, "there is no deployment"),
        ({"desired": 1}, "CREATING", "scheduling", "replicas are being requested"),
        ({"desired": 1, "pendingScheduling": 1}, "CREATING", "scheduling", "it waits for GPUs"),
        ({"desired": 2, "pendingScheduling": 1, "downloadingModel": 1}, "READY", "downloading", "the first one counts"),
        ({"desired": 1, "initializing": 1}, "READY", "initializing", "READY is no proof of serving"),
        ({"desired": 2, "initializing": 1, "ready": 1}, "READY", "ready", "one replica answers"),
        ({"desired": 0}, "READY", None, "scaled to zero: nothing is on its way"),
    ],
)
def test_the_stage_is_that_of_the_most_advanced_replica(
    replicas: dict[str, int] | None, state: str | None, expected: str | None, reason: str
) -> None:
    found = stage_of(a_seen_resource(replicas=replicas, state=state).status)
    assert (None if found is None else found.value) == expected, reason


def test_a_stage_is_told_with_how_many_there_are() -> None:
    stage = stage_of(a_seen_resource(replicas={"desired": 1, "downloadingModel": 1}).status)
    assert stage is not None
    assert stage_text(stage) == "downloading (stage 2 of 4)"


# --- what is not in force ---------------------------------------------------------------------------------------------


def test_only_fields_that_differ_from_what_is_in_force_are_shown() -> None:
    spec = {"minReplicaCount": 0, "maxReplicaCount": 5, "autoscalingPolicy": {"scaleUpWindow": "1m"}}
    resource = a_seen_resource(
        spec=spec, effective={"minReplicaCount": 0, "maxReplicaCount": 4, "scaleUpWindow": "60.000s"}
    )
    assert [str(each) for each in View.of(resource).changes] == ["maxReplicaCount: 4 → 5"]


def test_tags_and_schedules_that_are_not_applied_yet_are_shown() -> None:
    schedule = {"minReplicaCount": 1, "schedule": "0 8 * * *", "duration": "1h", "timezone": "UTC"}
    spec = {
        "tags": {"team": "a", "kept": "b"},
        "autoscalingPolicy": {"scalingSchedules": {"minReplicaCount": schedule}},
    }
    applied = ["baseModel", "tags.kept", "tags.gone"]
    shown = [str(each) for each in View.of(a_seen_resource(spec=spec, appliedFields=applied)).changes]
    assert shown[0].startswith("autoscalingPolicy.scalingSchedules.minReplicaCount: not set → {")
    assert shown[1:] == ["tags.gone: set → not set", "tags.team: not set → a"]
    assert View.of(a_seen_resource(spec=spec)).changes == (), "what was applied is not known"


# --- pages ------------------------------------------------------------------------------------------------------------


def test_the_page_of_a_waking_resource_fits_the_terminal() -> None:
    resource = a_seen_resource(
        a_condition("Ready", "False", "Creating", "Replicas are downloading the model."),
        a_condition("Stalled", "False", "AsDesired"),
        spec={"maxReplicaCount": 5},
        state="CREATING",
        replicas={"desired": 1, "downloadingModel": 1},
        notices=["scaleToZeroWindow has no effect while minReplicaCount is above 0."],
    )
    text = shown(resource, terminal=True)
    lines = plain(text)
    assert "\x1b[" in text
    assert max(map(len, lines)) <= WIDTH
    assert lines == [
        "chat in namespace team-a: Not ready yet, Creating",
        "",
        "  State             CREATING",
        "  Replicas          0 [0,4]",
        "  GPUs per replica  2 x NVIDIA_H100_80GB",
        f"  Deployment        {NAME}",
        f"  Model identifier  {BASE_MODEL}",
        f"                    #{NAME}",
        "  Endpoint          https://api.fireworks.ai/inference/v1",
        "",
        "  ━━━━━━━━━━━╺━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━",
        "  scheduling → downloading → initializing → ready",
        "",
        "  Not applied yet",
        "  - maxReplicaCount: 4 → 5",
        "",
        "  CONDITION   STATUS   REASON      MESSAGE",
        f"  {'─' * 68}",
        "  Ready       False    Creating    Replicas are downloading the model.",
        "  Stalled     False    AsDesired",
        "",
        "  Notices",
        "  - scaleToZeroWindow has no effect while minReplicaCount is above 0.",
    ]


@pytest.mark.parametrize(("word", "pending"), [("throughput", True), ("coding-throughput", False)])
def test_another_shape_is_a_change_that_is_not_applied_yet(word: str, pending: bool) -> None:
    shape = f"accounts/fireworks/deploymentShapes/{BASE_MODEL.rpartition('/')[2]}-coding-throughput/versions/v1"
    resource = a_seen_resource(spec={"deploymentShape": word}, effective={"deploymentShape": shape})
    assert [change.wanted for change in pending_changes(resource)] == [word] * pending


def test_a_pipe_gets_one_fact_per_line_without_colours_and_unbroken() -> None:
    long = "A long sentence. " * 20
    text = shown(a_seen_resource(a_condition("Ready", "False", "Creating", long)), terminal=False)
    assert "\x1b" not in text
    assert f"Model identifier: {IDENTIFIER}" in text.splitlines()
    assert f"Condition Ready: False Creating: {long}".rstrip() in plain(text)


@pytest.mark.parametrize("terminal", [True, False])
def test_texts_of_others_cannot_steer_the_terminal(terminal: bool) -> None:
    evil = "one\x1b]0;title\x07\x1b[2J\ntwo"
    resource = a_seen_resource(a_condition("Ready", "False", "Creating", evil), notices=[evil], state="\x1b[2J")
    text = shown(resource, terminal=terminal)
    assert [each for each in ("\x1b]", "\x1b[2J", "\x07") if each in text] == []
    assert text.count("one ]0;title [2J two") >= 1
    assert "\x1b" not in View.of(resource).brief()


@pytest.mark.parametrize(("status", "colour"), [("False", 32), ("True", 33)])
@pytest.mark.parametrize("kind", ["Reconciling", "Stalled", "CapacityPending"])
def test_a_condition_that_is_good_when_false_is_green_then(kind: str, status: str, colour: int) -> None:
    ready = a_condition("Ready", "True", "Serving", "1 of 1 replicas serving.")
    text = shown(a_seen_resource(ready, a_condition(kind, status, "AsDesired")), terminal=True)
    (row,) = (line for line in text.splitlines() if kind in line)
    assert f"\x1b[{colour}m{status}" in row


def test_the_end_of_a_lifetime_is_shown_and_what_is_parked_is_no_pending_change() -> None:
    off = {"acceleratorType": "NVIDIA_H100_80GB", "minReplicaCount": 0, "maxReplicaCount": 0}
    expired = a_condition("Ready", "True", "Expired", "Expired.")
    status: dict[str, Any] = {"expiresAt": NOW, "effective": off}
    spec = {"expiresAfter": "8h", "minReplicaCount": 1, "maxReplicaCount": 2}
    resource = a_seen_resource(expired, spec=spec, parked={"reason": "Expired", "since": NOW}, **status)
    lines = plain(shown(resource, terminal=False))
    assert f"Expires: {NOW:%Y-%m-%dT%H:%M:%SZ}" in lines
    assert not any(line.startswith("Not applied yet") for line in lines)
    assert View.of(resource).to_data()["expiresAt"] == f"{NOW:%Y-%m-%dT%H:%M:%SZ}"
    assert [each.path for each in pending_changes(a_seen_resource(expired, spec=spec, **status))] == [
        "minReplicaCount",
        "maxReplicaCount",
    ]


def test_the_choice_is_shown_with_what_was_given_up() -> None:
    given_up = [{"index": 0, "hardware": "NVIDIA_H100_80GB", "reason": "QuotaExceeded", "time": NOW}]
    choice = {
        "index": 1,
        "acceleratorType": "NVIDIA_H200_141GB",
        "since": NOW,
        "requested": "of-then",
        "revision": "of-then",
        "givenUp": given_up,
    }
    ready = a_condition("Ready", "True", "Serving", "1 of 1 replicas serving.")
    text = f"Choice: NVIDIA_H200_141GB (fallback 1), since {NOW:%Y-%m-%dT%H:%M:%SZ}. Tried: NVIDIA_H100_80GB "
    assert f"{text}(QuotaExceeded)." in plain(shown(a_seen_resource(ready, choice=choice), terminal=False))
    assert not any(line.startswith("Choice") for line in plain(shown(a_seen_resource(ready), terminal=False)))


def test_a_table_in_a_terminal_keeps_identifiers_in_one_piece() -> None:
    out = io.StringIO()
    console = Console(file=out, width=WIDTH, force_terminal=True)
    row = Row(("team-a", "chat", "READY", "1 [0,4]", "2 x NVIDIA_H100_80GB", ""), "green", IDENTIFIER * 2)
    print_table(console, HEAD, [row])
    assert plain(out.getvalue()) == [
        "NAMESPACE  NAME  STATE  REPLICAS  GPUS                  REASON",
        "team-a     chat  READY  1 [0,4]   2 x NVIDIA_H100_80GB",
        f"  {IDENTIFIER * 2}",
    ]


def test_a_table_in_a_pipe_has_one_line_per_row_and_no_empty_cell(capsys: pytest.CaptureFixture[str]) -> None:
    print_columns(("NAME", "STATE"), [Row(("a", ""), "red", ""), Row(("longer", "READY"), below="id")], "ID")
    assert capsys.readouterr().out.splitlines() == ["NAME    STATE  ID", "a       -      -", "longer  READY  id"]


@pytest.mark.parametrize(("length", "apart"), [(7, False), (8, True), (63, True)])
def test_in_80_columns_long_names_have_a_line_of_their_own(length: int, apart: bool) -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True)
    names = ["n" * length, "chat"]
    cells = ["UPDATING", "1 [0,16]", "8 x NVIDIA_H100_80GB", "CredentialsInvalid"]
    print_table(console, HEAD, [Row(["t" * 9, name, *cells], "red", IDENTIFIER) for name in names], names=2)
    lines = [line for line in plain(out.getvalue()) if IDENTIFIER not in line]
    assert [len(line) for line in lines if len(line) > 80] == []
    assert len(lines) == (6 if apart else 3)
    columns = {line.index(word) for line in lines for word in ("STATE", "UPDATING") if word in line}
    assert len(columns) == 1, "the columns stand below their heads"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (119, "119s"), (120, "2m"), (7300, "2h"), (172800, "2d"), (86400 * 400, "400d")]
)
def test_an_age_is_as_brief_as_that_of_kubectl(seconds: int, text: str) -> None:
    assert age_text(NOW - timedelta(seconds=seconds), NOW) == text
    assert age_text(None, NOW) == ""
