"""What status shows of a deployment: what reaches it, its replicas, and the settings in effect."""

import pytest
from pydantic import JsonValue

from fireworks_operator.api.bounds import bounded
from fireworks_operator.api.v1alpha1 import Effective, EffectivePlacement, Identifier
from fireworks_operator.core.actions import Rest
from fireworks_operator.core.observed.observation import Absent, Present
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.situation import assess
from fireworks_operator.core.status.facts import effective, replicas
from fireworks_operator.core.status.report import report
from fireworks_operator.fireworks.models import DeployedModel
from testkit.builders import (
    ADDON,
    BASE_MODEL,
    CREATED,
    NAME,
    a_context,
    a_deployment,
    a_resource,
    an_addon,
    present,
)
from testkit.report_steps import GONE, after, serving

ALWAYS_THERE = [
    Identifier(kind="ModelAndDeployment", value=f"{BASE_MODEL}#{NAME}"),
    Identifier(kind="Deployment", value=NAME),
]
AS_DEFAULT = [*ALWAYS_THERE, Identifier(kind="Model", value=BASE_MODEL)]


def base(state: str = "DEPLOYED", *, default: bool = True, **wire: JsonValue) -> DeployedModel:
    """The base model's own deployed model, the default one."""
    return an_addon(BASE_MODEL, state, default=default, **wire)


@pytest.mark.parametrize(
    ("deployed", "expected", "reason"),
    [
        (None, ALWAYS_THERE, "Nobody knows what is deployed."),
        ((), ALWAYS_THERE, "The model has no default deployment."),
        ((base(),), AS_DEFAULT, "It is the model's default deployment."),
        ((an_addon(default=True), base()), AS_DEFAULT, "Addons make no difference."),
        ((base(default=False),), ALWAYS_THERE, "Another deployment is the default one."),
        ((base(state="DEPLOYING"),), ALWAYS_THERE, "It is not yet."),
        ((base(state="UNDEPLOYING"),), ALWAYS_THERE, "It is no longer."),
        ((an_addon(default=True),), ALWAYS_THERE, "It is an addon's default deployment, not the model's."),
        ((base(deployment="accounts/acme/deployments/other"),), ALWAYS_THERE, "It is about another deployment."),
    ],
)
def test_status_has_what_reaches_the_deployment(
    deployed: tuple[DeployedModel, ...] | None, expected: list[Identifier], reason: str
) -> None:
    resource = a_resource({"deployedModel": {"public": False}}, CREATED)
    status = after(resource, Present(a_deployment(), deployed)).status
    assert status.identifiers == expected, reason
    assert status.model_identifier == expected[0].value
    seen_by_chance = after(a_resource(status=CREATED), Present(a_deployment(), deployed)).status
    assert seen_by_chance.identifiers == ALWAYS_THERE, "it must not come and go with a replacement"


@pytest.mark.parametrize("state", ["FAILED", "DELETING", "DELETED"])
def test_nothing_reaches_what_has_ended(state: str) -> None:
    status = after(serving(), present(state=state), Rest()).status
    assert (status.identifiers, status.model_identifier) == (None, ALWAYS_THERE[0].value)


def test_what_reaches_it_goes_with_the_deployment() -> None:
    assert serving().status.identifiers == ALWAYS_THERE
    assert after(serving(), GONE).status.identifiers is None
    assert after(serving(), Absent(), Rest()).status.identifiers == ALWAYS_THERE, "perhaps it is there"


@pytest.mark.parametrize(
    ("spec", "expected", "reason"),
    [
        ({"addons": [{"model": ADDON}]}, AS_DEFAULT, "The list is on its way, or fails: what was known stays."),
        ({}, ALWAYS_THERE, "Nobody asks for the list any more: what was known may not be so."),
    ],
)
def test_a_list_that_fails_causes_no_writes(
    spec: dict[str, JsonValue], expected: list[Identifier], reason: str
) -> None:
    unlisted = Present(a_deployment(enableAddons=True), None)
    asked = a_resource({"deployedModel": {"public": False}}, CREATED)
    known = after(asked, present(base(), enableAddons=True), Rest())
    assert known.status.identifiers == AS_DEFAULT
    known = known.model_copy(update={"spec": a_resource(spec).spec})
    without = after(known, unlisted, Rest())
    assert without.status.identifiers == expected, reason
    assert after(without, unlisted, Rest()).status == without.status
    renamed = Present(a_deployment(enableAddons=True, baseModel="accounts/acme/models/new"), None)
    assert len(after(known, renamed, Rest()).status.identifiers or ()) == 2, "it was another model's"


def test_the_settings_in_effect_are_shown() -> None:
    found = effective(
        a_deployment(
            maxContextLength=4096,
            maxConcurrencyPerReplica=8,
            enableAddons=True,
            autoTune={"longPrompt": True},
            preemptible=True,
            autoscalingPolicy={"loadTargets": {"default": 0.8}},
            placement={"regions": ["US_IOWA_1", "US_TEXAS_1"]},
            activeModelVersion="v1",
            targetModelVersion="v2",
            deploymentTemplate="accounts/fireworks/deploymentTemplates/t",
        )
    )
    assert (found.max_context_length, found.max_concurrency_per_replica) == (4096, 8)
    assert (found.enable_addons, found.long_prompt, found.preemptible) == (True, True, True)
    assert found.load_targets == {"default": 0.8}
    assert found.placement == EffectivePlacement(regions=["US_IOWA_1", "US_TEXAS_1"])
    assert (found.active_model_version, found.target_model_version) == ("v1", "v2")
    assert found.deployment_template == "accounts/fireworks/deploymentTemplates/t"


def test_what_fireworks_does_not_tell_is_absent_and_zero_is_zero() -> None:
    bare = effective(a_deployment()).to_wire()
    assert set(bare) == {"acceleratorType", "acceleratorCount", "minReplicaCount", "maxReplicaCount"}
    told = effective(
        a_deployment(
            maxContextLength=0,
            maxConcurrencyPerReplica=0,
            enableAddons=False,
            autoTune={"longPrompt": False},
            preemptible=False,
            placement={},
        )
    ).to_wire()
    assert {key: value for key, value in told.items() if key not in bare} == {
        "maxContextLength": 0,
        "maxConcurrencyPerReplica": 0,
        "enableAddons": False,
        "longPrompt": False,
        "preemptible": False,
    }


@pytest.mark.parametrize(
    ("stats", "revocable", "parts", "reason"),
    [
        ({}, None, None, "Neither is told."),
        ({"revocableReplicaCount": 0, "effectiveReplicaCount": 0}, 0, 0.0, "Zero is told."),
        ({"revocableReplicaCount": 2, "effectiveReplicaCount": 3.46}, 2, 3.5, "Tenths are enough."),
    ],
)
def test_replicas_that_may_be_taken_back_and_those_that_begin_to_serve(
    stats: JsonValue, revocable: int | None, parts: float | None, reason: str
) -> None:
    found = replicas(a_deployment(replicaStats=stats), None)
    assert (found.revocable, found.effective) == (revocable, parts), reason
    assert ("revocable" in found.to_wire(), "effective" in found.to_wire()) == (revocable is not None,) * 2


def test_a_whole_number_of_replicas_is_written_once() -> None:
    observed = present(replicaStats={"readyReplicaCount": 1, "effectiveReplicaCount": 1})
    resource = after(a_resource(status=CREATED), observed)
    assert report(assess(resource, observed, a_context()), Outcome(Rest())) == resource.status


def test_more_than_the_crd_takes_is_cut() -> None:
    many: JsonValue = {f"target_{number:03}": 1 for number in reversed(range(40))}
    regions = [f"REGION_{number}" for number in range(40)]
    found = effective(a_deployment(autoscalingPolicy={"loadTargets": many}, placement={"regions": [*regions]}))
    cut = bounded(found)
    assert list(cut.load_targets or ()) == [f"target_{number:03}" for number in range(16)]
    assert cut.placement is not None
    assert cut.placement.regions == regions[:32]
    few = Effective(load_targets={"default": 0.8})
    assert bounded(few) is few
