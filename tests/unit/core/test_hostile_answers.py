"""Whatever Fireworks says of a deployment, nothing breaks, and the status is one that the API server accepts."""

import contextlib
import copy
import json
import re
from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator, FormatChecker
from pydantic import JsonValue

from fireworks_operator.api.crd import crd
from fireworks_operator.api.kinds import DEPLOYMENTS
from fireworks_operator.api.v1alpha1 import FireworksDeployment, FireworksDeploymentStatus
from fireworks_operator.core.actions import AddFinalizer, Mutation, RemoveFinalizer, Rest
from fireworks_operator.core.decisions.decide import decide
from fireworks_operator.core.observed.observation import Absent, Observed, Present, Unknown
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.pauses import set_clock_right
from fireworks_operator.core.situation import assess
from fireworks_operator.core.status.dropped_fields import LAST_APPLIED
from fireworks_operator.core.status.report import report
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.models import DeployedModel, Deployment
from testkit.builders import ADDON, BORN, CREATED, NAME, NOW, a_context, a_deployment_json, a_resource, an_attempt
from testkit.properties import examples
from tests.unit.core.strategies import resources

_STATUS = crd(DEPLOYMENTS)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
_TIMES = FormatChecker(())
_TIMES.checks("date-time")(lambda text: re.fullmatch(r"\d{4}(-\d\d){2}T\d\d(:\d\d){2}Z", str(text)) is not None)
ACCEPTED = Draft7Validator(_STATUS, format_checker=_TIMES)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from([-1, 2**31, 2**63 - 1, 1e308, -0.0, 0.5])
    | st.text(max_size=10)
    | st.sampled_from(
        ["x" * 300, "a\nb", "\x1b[31mred", "\u202eabc", "9999-12-31T23:59:59Z", "0009-01-01T00:00:00Z", "-1s"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
FULL: dict[str, JsonValue] = a_deployment_json(
    status={"code": "OK", "message": "fine"},
    autoscalingPolicy={"scaleUpWindow": "30s", "scaleToZeroWindow": "3600s", "loadTargets": {"default": 0.8}},
    placement={"multiRegion": "GLOBAL"},
    autoTune={"longPrompt": False},
    precision="FP16",
    region="US_IOWA_1",
    deploymentShape="accounts/fireworks/deploymentShapes/s/versions/v",
    draftModel="accounts/fireworks/models/d",
    draftTokenCount=3,
    ngramSpeculationLength=0,
    enableAddons=True,
    maxContextLength=4096,
    maxConcurrencyPerReplica=8,
    enableSessionAffinity=True,
    preemptible=False,
    displayName="chat",
    description="talks",
    replicaStats={"readyReplicaCount": 1, "revocableReplicaCount": 1, "effectiveReplicaCount": 1.5},
    activeModelVersion="v1",
    targetModelVersion="v2",
    deploymentTemplate="accounts/fireworks/deploymentTemplates/t",
    deleteTime=None,
    purgeTime=None,
)
SPEC = {
    "acceleratorCount": 2,
    "autoscalingPolicy": {"scaleUpWindow": "1m", "loadTargets": {"default": 0.5}},
    "placement": {"regions": ["US_IOWA_1"]},
    "longPrompt": True,
    "deploymentShape": "fast",
    "draftTokenCount": 3,
    "maxContextLength": 8,
    "precision": "BF16",
    "preemptible": True,
    "addons": [{"model": ADDON}],
}
"""A spec that is compared with nearly everything that Fireworks says."""


def _paths(value: object, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    inner = value.items() if isinstance(value, dict) else ()
    return [path for key, each in inner for path in ((*before, key), *_paths(each, (*before, key)))]


@st.composite
def answers(draw: st.DrawFn) -> Any:  # noqa: ANN401 - any JSON
    """Draw a deployment with one to three of its values replaced by anything, at any depth."""
    answer = copy.deepcopy(dict(FULL))
    for *place, last in draw(st.lists(st.sampled_from(_paths(FULL)), min_size=1, max_size=3)):
        where: Any = answer
        for key in place:
            where = where.get(key) if isinstance(where, dict) else None
        if isinstance(where, dict):
            where[last] = draw(JSON)
    return answer


@examples(150)
@given(resources() | st.just(a_resource(SPEC, CREATED)), answers(), JSON, JSON)
def test_whatever_fireworks_says_of_a_deployment_its_status_is_accepted(
    resource: FireworksDeployment,
    answer: JsonValue,
    state: JsonValue,
    words: JsonValue,
) -> None:
    addon = {"name": "accounts/acme/deployedModels/a-1", "model": ADDON, "deployment": NAME, "state": state}
    observed: Observed
    try:
        loaded = DeployedModel.parse({**addon, "status": {"code": "OK", "message": words}})
        observed = Present(Deployment.parse(answer), (loaded,), fresh=True)
    except FireworksError:
        observed = Unknown(unreadable=True)
    action = decide(assess(resource, observed, a_context()))
    if isinstance(action, AddFinalizer | RemoveFinalizer):
        return
    status = report(assess(resource, observed, a_context()), Outcome(action))
    assert wrong(status) == []


ENDLESS = st.sampled_from(["x" * 40_000, "y" * 1_025, "a\nb", "\x1b[31mred", "\ud800", "fine"])
STORED = st.fixed_dictionaries(
    {},
    optional={
        "state": ENDLESS,
        "modelIdentifier": ENDLESS,
        "identifiers": st.lists(st.fixed_dictionaries({"kind": ENDLESS, "value": ENDLESS}), max_size=10),
        "endpoint": ENDLESS,
        "effective": st.fixed_dictionaries({}, optional={"region": ENDLESS, "draftModel": ENDLESS}),
        "appliedFields": st.lists(ENDLESS, min_size=60, max_size=70),
        "lastAttempt": st.builds(
            lambda name, message: {**an_attempt(name, "FromAnotherVersion", ago=5), "message": message},
            st.sampled_from(["Create", "Update", "Delete", "Old"]),
            ENDLESS,
        ),
        "addons": st.lists(
            st.fixed_dictionaries({"model": st.sampled_from([ADDON, "other"]), "message": ENDLESS}), max_size=300
        ),
        "notices": st.lists(ENDLESS, max_size=70),
        "conditions": st.integers(0, 16).map(
            lambda count: [
                {"type": f"Theirs{number}", "status": "True", "reason": "X", "message": "z", "lastTransitionTime": BORN}
                for number in range(count)
            ]
        ),
    },
)
APPLIED = st.recursive(
    st.none() | st.integers() | ENDLESS,
    lambda inner: (
        st.lists(inner, max_size=12) | st.dictionaries(ENDLESS | st.sampled_from([*SPEC]), inner, max_size=12)
    ),
    max_leaves=12,
)


@examples(150)
@given(resources(), STORED, APPLIED, answers(), ENDLESS, st.booleans())
def test_whatever_is_stored_and_annotated_the_next_status_is_accepted(
    resource: FireworksDeployment,
    stored: Mapping[str, Any],
    applied: JsonValue,
    answer: JsonValue,
    words: str,
    known: bool,
) -> None:
    annotations = {**resource.metadata.annotations, LAST_APPLIED: json.dumps({"spec": applied})}
    status = FireworksDeploymentStatus.model_validate({**resource.status.model_dump(exclude_none=True), **stored})
    resource = resource.model_copy(
        update={"status": status, "metadata": resource.metadata.model_copy(update={"annotations": annotations})}
    )
    observed: Observed = Unknown()
    with contextlib.suppress(FireworksError):
        observed = Present(Deployment.parse(answer), termination=words) if known else Unknown()
    context = a_context(unreachable_since=BORN, unreachable=words, inference_url=f"https://{words}")
    action = decide(assess(resource, observed, context))
    if isinstance(action, AddFinalizer | RemoveFinalizer):
        return
    error = FireworksError(ErrorKind.INVALID, words) if isinstance(action, Mutation) else None
    status = report(assess(resource, observed, context), Outcome(action, error))
    assert status is resource.status or wrong(status) == []


def test_a_key_of_5000_characters_in_what_was_applied_does_not_keep_the_status_from_being_written() -> None:
    applied = json.dumps({"spec": {"k" * 5000: 1}})
    resource = a_resource(status=CREATED, annotations={LAST_APPLIED: applied})
    status = report(assess(resource, Present(Deployment.parse(FULL)), a_context()), Outcome(Rest()))
    assert wrong(status) == []
    assert any("is not a field" in each for each in status.notices or ())


STATUS_FIELDS = sorted(info.alias or "" for info in FireworksDeploymentStatus.model_fields.values())
GARBAGE = JSON | st.sampled_from(
    [
        "foo",
        "accounts/acme",
        "accounts/acme/deployments/..",
        "accounts//deployments/x",
        f"{NAME}?force=true",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-01:00",
        "2026-03-01T12:00:00",
        ["9999-12-31T23:59:59Z"] * 3,
        {"action": "Delete", "generation": 1, "count": 2**62, "time": "9999-12-31T23:59:59Z", "reason": "Conflict"},
        {"action": "Create", "generation": 1, "count": -1, "time": "0001-01-01T00:00:00Z", "reason": ""},
        [{"model": "", "message": ""}] * 3,
    ]
)


@examples(150)
@given(resources(), st.dictionaries(st.sampled_from(STATUS_FIELDS), GARBAGE, max_size=3), answers(), st.booleans())
def test_whatever_somebody_writes_into_the_status_the_next_pass_has_an_answer(
    resource: FireworksDeployment, garbage: Mapping[str, JsonValue], answer: JsonValue, known: bool
) -> None:
    wire = resource.to_wire()
    resource = FireworksDeployment.parse({**wire, "status": {**wire["status"], **garbage}})
    resource = resource.model_copy(update={"status": set_clock_right(resource.status, NOW)})
    observed: Observed = Unknown()
    with contextlib.suppress(FireworksError):
        observed = Present(Deployment.parse(answer)) if known else Absent(confirmed=True)
    action = decide(assess(resource, observed, a_context()))
    if isinstance(action, AddFinalizer | RemoveFinalizer):
        return
    status = report(assess(resource, observed, a_context()), Outcome(action))
    FireworksDeployment.parse({**wire, "status": status.to_wire()})


def wrong(status: FireworksDeploymentStatus) -> list[str]:
    """Return what the API server would refuse, and what would not be one printable line."""
    wire = status.to_wire()
    refused = [f"{each.json_path}: {each.message}" for each in ACCEPTED.iter_errors(wire)]
    return refused + [f"{text!r} is no printable line" for text in _texts(wire) if not text.isprintable()]


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inner for text in _texts(each)]
