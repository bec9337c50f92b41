"""Argo CD, Flux, Helm and kubectl agree on every state of a resource, and the page that says so is fresh."""

import re
from itertools import product

import pytest
import yaml

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.kinds import KINDS, Kind
from testkit.states import State, all_states
from tests.gitops.generate import ARGOCD, CUSTOMIZATION, HEALTH, UPSTREAM, budgets, generated
from tests.gitops.lua import run_health
from tests.gitops.verdicts import ARGO_HEALTH, condition, health_message, kstatus, kubectl_wait

STATES = all_states()
SCRIPT = HEALTH.read_text()
OVERRIDES: dict[str, str] = yaml.safe_load((ARGOCD / "argocd-cm.yaml").read_text())["data"]
"""What the ConfigMap gives Argo CD."""
LIVING = [each for each in STATES if "deletionTimestamp" not in each.live()["metadata"]]
"""Argo CD overrules the script for what is being deleted."""
NEVER_IN_READY = {
    Reason.AS_DESIRED,
    Reason.ADDONS_LOADED,
    Reason.ADDONS_LOADING,
    Reason.OBSERVED,
    Reason.PROGRESSING,
}
COMPARISON_ERRORS = [
    {"type": "OrphanedResourceWarning", "message": "2 orphaned resources"},
    {"type": "ComparisonError", "message": "helm template failed"},
]
each_state = pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
each_living = pytest.mark.parametrize("state", LIVING, ids=lambda state: state.name)


def test_generated_files_are_up_to_date() -> None:
    late = [path.name for path, text in generated().items() if path.read_text(encoding="utf-8") != text]
    assert late == [], "out of date: run `make docs`"


def test_every_reason_of_ready_is_among_the_states() -> None:
    met = {condition(each.live(), "Ready").get("reason") for each in STATES}
    assert met - {None} == set(Reason) - NEVER_IN_READY
    assert len({each.name for each in STATES}) == len({each.story for each in STATES}) == len(STATES)


@each_state
def test_kubectl_wait_and_kstatus_agree(state: State) -> None:
    assert (kubectl_wait(state.live()) == "done") == (kstatus(state.live()) == "Current")


@each_state
def test_kstatus_fails_exactly_while_a_person_must_act(state: State) -> None:
    live = state.live()
    stalled = condition(live, "Stalled").get("status") == "True"
    assert (kstatus(live) == "Failed") == (stalled and "deletionTimestamp" not in live["metadata"])


@pytest.mark.parametrize("name", ["successor-starting", "replacement-blocked", "draining", "discarding"])
def test_a_replacement_is_never_degraded_while_a_deployment_serves(name: str) -> None:
    live = next(each.live() for each in STATES if each.name == name)
    done = name in ("draining", "discarding")
    assert condition(live, "Available")["status"] == "True"
    assert kstatus(live) == ("Current" if done else "InProgress")
    assert run_health(SCRIPT, live)[0] == ("Healthy" if done else "Progressing")
    assert kubectl_wait(live) == ("done" if done else "waits")


@each_living
def test_argo_cd_agrees_with_kstatus_and_shows_the_deciding_sentence(state: State) -> None:
    live = state.live()
    assert run_health(SCRIPT, live) == (ARGO_HEALTH[kstatus(live)], health_message(live))


@pytest.mark.parametrize("statuses", list(product(("True", "False"), repeat=3)), ids=" ".join)
def test_argo_cd_agrees_with_kstatus_whatever_the_conditions_say(statuses: tuple[str, ...]) -> None:
    live = next(each.live() for each in STATES if each.name == "serving")
    for kind, status in zip(("Ready", "Reconciling", "Stalled"), statuses, strict=True):
        next(each for each in live["status"]["conditions"] if each["type"] == kind)["status"] = status
    assert run_health(SCRIPT, live)[0] == ARGO_HEALTH[kstatus(live)]


def test_argo_cd_waits_for_a_resource_without_a_status() -> None:
    live = {key: value for key, value in STATES[0].live().items() if key != "status"}
    assert run_health(SCRIPT, live) == ("Progressing", "Waiting for the operator")


def test_argo_cds_own_test_covers_what_lies_beside_it() -> None:
    tests = yaml.safe_load((CUSTOMIZATION / "health_test.yaml").read_text())["tests"]
    files = {path.relative_to(CUSTOMIZATION).as_posix() for path in (CUSTOMIZATION / "testdata").iterdir()}
    assert {each["inputPath"] for each in tests} == files
    assert len(files) == len(UPSTREAM)
    assert {each["healthStatus"]["status"] for each in tests} == {"Healthy", "Progressing", "Degraded"}
    for each in tests:
        live = yaml.safe_load((CUSTOMIZATION / each["inputPath"]).read_text())
        expected = (each["healthStatus"]["status"], each["healthStatus"]["message"])
        assert run_health(SCRIPT, live) == expected


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_config_map_holds_the_same_script(kind: Kind) -> None:
    assert OVERRIDES[f"resource.customizations.health.fireworks.ai_{kind.name}"] == SCRIPT


@pytest.mark.parametrize(
    ("state", "health", "waited_for", "wait"),
    [
        ("new", "Progressing", "InProgress", "waits"),
        ("enforced", "Healthy", "Current", "done"),
        ("unseen-change", "Progressing", "InProgress", "waits"),
        ("not-enforced", "Progressing", "InProgress", "waits"),
    ],
)
def test_a_budget_is_waited_for_until_it_is_enforced(state: str, health: str, waited_for: str, wait: str) -> None:
    live = budgets()[state]
    assert run_health(SCRIPT, live) == (health, health_message(live))
    assert (kstatus(live), kubectl_wait(live)) == (waited_for, wait)


@pytest.mark.parametrize(
    ("status", "health", "message", "reason"),
    [
        (None, "Progressing", "Waiting for Argo CD to compare it with Git", "it has just been created"),
        ({"health": {"status": "Healthy"}}, "Progressing", "Waiting for Argo CD to compare it with Git", "the same"),
        (
            {"sync": {"status": "Unknown"}, "health": {"status": "Healthy"}, "conditions": COMPARISON_ERRORS},
            "Degraded",
            "helm template failed",
            "a chart that cannot be rendered has no resources, which Argo CD calls Healthy",
        ),
        (
            {"sync": {"status": "Unknown"}, "health": {"status": "Healthy"}},
            "Degraded",
            "Argo CD cannot compare it with Git",
            "without a reason it is no better",
        ),
        (
            {"sync": {"status": "OutOfSync"}, "health": {"status": "Healthy"}},
            "Progressing",
            "Waiting for a sync",
            "what is Healthy now is not what Git says",
        ),
        (
            {"sync": {"status": "Synced"}, "health": {"status": "Degraded", "message": "no key"}},
            "Degraded",
            "no key",
            "its own health counts",
        ),
        ({"sync": {"status": "Synced"}, "health": {"status": "Healthy"}}, "Healthy", "None", "the next wave begins"),
        ({"sync": {"status": "Synced"}}, "Progressing", "Waiting for Argo CD to compare it with Git", "none as yet"),
    ],
)
def test_an_application_is_healthy_only_once_it_is_synced(
    status: dict[str, object] | None, health: str, message: str, reason: str
) -> None:
    resource = {"kind": "Application", **({} if status is None else {"status": status})}
    script = OVERRIDES["resource.customizations.health.argoproj.io_Application"]
    assert run_health(script, resource) == (health, message), reason


def test_the_script_uses_nothing_that_argo_cd_withholds_from_it() -> None:
    scripts = [SCRIPT, OVERRIDES["resource.customizations.health.argoproj.io_Application"]]
    assert not any(re.search(r"\b(require|io|os|load\w*|debug)\b", re.sub(r"--.*", "", each)) for each in scripts)
