"""What holds over a resource's life: immutability, status, defaults, and 0 against absent."""

from datetime import UTC, datetime
from typing import Any

import pytest

from fireworks_operator.api.bounds import bounded
from fireworks_operator.api.conditions import ConditionType, Reason, set_condition
from fireworks_operator.api.status_choice import ChosenPlacement
from fireworks_operator.api.v1alpha1 import (
    IMMUTABLE_FIELDS,
    REPLACEABLE_FIELDS,
    AddonStatus,
    Choice,
    ConnectionStatus,
    Cost,
    DirectRouteSecret,
    Effective,
    EffectivePlacement,
    FireworksDeployment,
    FireworksDeploymentStatus,
    GivenUp,
    Identifier,
    LastAttempt,
    MonthCost,
    Parked,
    Replacement,
    ReplacementPhase,
    Replicas,
    RouterStatus,
)
from tests.crd.server import MODEL, Create, RefusedError, Server, manifest

CLAIM = {"observedGeneration": 1, "deploymentName": "accounts/acme/deployments/chat", "account": "acme"}
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)

CHANGES: list[tuple[str, object, object]] = [
    ("baseModel", MODEL, "accounts/fireworks/models/qwen2p5-7b-instruct"),
    ("disableSpeculativeDecoding", False, True),
    ("disableSpeculativeDecoding", False, None),
    ("disableSpeculativeDecoding", None, True),
    ("disableAutoDeploy", True, False),
    ("disableAutoDeploy", None, True),
    ("placement", {"region": "US_IOWA_1"}, {"region": "US_TEXAS_2"}),
    ("placement", {"region": "US_IOWA_1"}, {"region": None, "multiRegion": "US"}),
    ("placement", {"regions": ["US_IOWA_1"]}, {"regions": ["US_IOWA_1", "US_TEXAS_2"]}),
    ("placement", {"region": "US_IOWA_1"}, None),
    ("placement", None, {"multiRegion": "GLOBAL"}),
    ("preemptible", True, False),
    ("preemptible", True, None),
    ("preemptible", None, False),
    ("deploymentId", "chat-a", "chat-b"),
    ("deploymentId", "chat-a", None),
    ("deploymentId", None, "chat-a"),
]


def test_every_immutable_field_has_a_change_among_these() -> None:
    assert {name for name, _, _ in CHANGES} == set(IMMUTABLE_FIELDS)


def given(name: str, value: object) -> dict[str, Any]:
    return {} if value is None else {name: value}


@pytest.mark.parametrize(("name", "old", "new"), CHANGES)
def test_before_the_claim_a_typo_can_be_corrected(
    server: Server, create: Create, name: str, old: object, new: object
) -> None:
    resource = create(**given(name, old))
    server.set_status(resource, {"observedGeneration": 1})
    server.dry_change(resource, {name: new})


@pytest.mark.parametrize(("name", "old", "new"), CHANGES)
def test_after_the_claim_change_removal_and_addition_are_refused(
    server: Server, create: Create, name: str, old: object, new: object
) -> None:
    resource = create(**given(name, old))
    server.set_status(resource, CLAIM)
    with pytest.raises(RefusedError) as refused:
        server.dry_change(resource, {name: new})
    assert f"spec.{name} cannot be changed, removed or added once status.deploymentName is set" in str(refused.value)
    assert str(refused.value).count("cannot be changed") == 1, "only the field that was changed is named"


@pytest.mark.parametrize("policy", ["Recreate", "BlueGreen"])
@pytest.mark.parametrize(("name", "old", "new"), CHANGES)
def test_what_may_be_replaced_can_change_and_nothing_else(
    server: Server, create: Create, name: str, old: object, new: object, policy: str
) -> None:
    resource = create(replacePolicy={"type": policy}, **given(name, old))
    server.set_status(resource, CLAIM)
    if name in REPLACEABLE_FIELDS:
        server.dry_change(resource, {name: new})
        return
    with pytest.raises(RefusedError, match=f"spec.{name} cannot be changed"):
        server.dry_change(resource, {name: new})


@pytest.mark.parametrize("policy", [{"type": "Never"}, {"ignoreChecks": True}, {"drain": "1m"}, {}], ids=str)
def test_a_policy_that_never_replaces_loosens_no_rule(
    server: Server, create: Create, policy: dict[str, object]
) -> None:
    resource = create(replacePolicy=policy)
    server.set_status(resource, CLAIM)
    with pytest.raises(RefusedError, match=r"set spec\.replacePolicy\.type to BlueGreen or Recreate"):
        server.dry_change(resource, {"preemptible": True})


def test_policy_and_field_can_change_together_and_the_policy_can_go_back(server: Server, create: Create) -> None:
    resource = create()
    server.set_status(resource, CLAIM)
    server.dry_change(resource, {"preemptible": True, "replacePolicy": {"type": "Recreate"}})
    with pytest.raises(RefusedError, match=r"spec\.preemptible cannot be changed"):
        server.dry_change(resource, {"preemptible": True, "replacePolicy": {"type": "Never"}})


@pytest.mark.parametrize(
    "change",
    [
        {"acceleratorType": "NVIDIA_H200_141GB"},
        {"acceleratorType": None},
        {"minReplicaCount": 3},
        {"displayName": "New"},
        {"deletionPolicy": "Retain"},
        {"deploymentShape": "fast", "acceleratorType": None},
        {"paused": True},
    ],
    ids=str,
)
def test_after_the_claim_everything_else_can_change(server: Server, create: Create, change: dict[str, object]) -> None:
    resource = create(acceleratorType="NVIDIA_H100_80GB", placement={"multiRegion": "US"}, deploymentId="chat-a")
    server.set_status(resource, CLAIM)
    server.dry_change(resource, change)


def test_once_the_claim_is_given_up_the_field_can_change_again(server: Server, create: Create) -> None:
    resource = create(deploymentId="chat-a")
    server.set_status(resource, CLAIM)
    server.set_status(resource, {"deploymentName": None})
    assert server.dry_change(resource, {"deploymentId": "chat-b"})["spec"]["deploymentId"] == "chat-b"


def test_the_order_of_regions_is_no_change(server: Server, create: Create) -> None:
    resource = create(placement={"regions": ["US_IOWA_1", "US_TEXAS_2"]})
    server.set_status(resource, CLAIM)
    server.dry_change(resource, {"placement": {"regions": ["US_TEXAS_2", "US_IOWA_1"]}})


def test_a_new_resource_has_a_status_that_says_not_yet_observed(server: Server) -> None:
    assert server.dry_create(manifest({}))["status"] == {"observedGeneration": -1}


def test_a_status_in_a_manifest_is_ignored_so_that_git_cannot_claim_a_deployment(server: Server) -> None:
    stored = server.dry_create(manifest({}) | {"status": CLAIM})
    assert stored["status"] == {"observedGeneration": -1}


def test_a_status_without_observed_generation_gets_the_default(server: Server, create: Create) -> None:
    stored = server.set_status(create(), {"observedGeneration": None, "state": "CREATING"})
    assert stored["status"] == {"observedGeneration": -1, "state": "CREATING"}


def test_a_spec_change_does_not_touch_the_status(server: Server, create: Create) -> None:
    resource = create()
    server.set_status(resource, CLAIM)
    changed = server.dry_change(resource, {"minReplicaCount": 1})
    assert changed["status"] == CLAIM
    assert changed["metadata"]["generation"] == 2


def test_a_status_write_does_not_raise_the_generation(server: Server, create: Create) -> None:
    assert server.set_status(create(), CLAIM)["metadata"]["generation"] == 1


def full_replacement() -> Replacement:
    """A second deployment with every field that there is."""
    conditions = set_condition([], ConditionType.READY, "False", Reason.CREATING, "It starts.", generation=1, now=NOW)
    return Replacement(
        phase=ReplacementPhase.DRAINING,
        start_time=NOW,
        until=NOW,
        revision=0,
        fields=["acceleratorType", "placement"],
        hand_backs=1,
        message="",
        deployment_name="accounts/acme/deployments/chat-2",
        state="READY",
        replicas=Replicas(desired=1, ready=1),
        create_time=NOW,
        created_from="0123456789abcdef",
        applied_fields=["minReplicaCount"],
        addons=[AddonStatus(model="accounts/acme/models/lora", state="DEPLOYING")],
        direct_route_secret=DirectRouteSecret(name="route", keys=["apiKey"], uid="u", resource_version="1"),
        last_attempt=LastAttempt(action="Create", generation=1, count=0, time=NOW, reason="Creating"),
        recreations=[NOW],
        observed_generation=1,
        conditions=conditions,
    )


def full_status() -> FireworksDeploymentStatus:
    """A status with every field that there is."""
    conditions = set_condition([], ConditionType.READY, "True", Reason.SERVING, "It serves.", generation=1, now=NOW)
    return FireworksDeploymentStatus(
        observed_generation=1,
        selector="fireworks.ai/deployment=chat",
        deployment_name="accounts/acme/deployments/chat",
        account="acme",
        state="READY",
        model_identifier=f"{MODEL}#accounts/acme/deployments/chat",
        identifiers=[
            Identifier(kind="ModelAndDeployment", value=f"{MODEL}#accounts/acme/deployments/chat"),
            Identifier(kind="Deployment", value="accounts/acme/deployments/chat"),
            Identifier(kind="Model", value=MODEL),
            Identifier(kind="Router", value="accounts/acme/routers/chat"),
        ],
        endpoint="https://api.fireworks.ai/inference/v1",
        direct_route_handle="acme-chat.direct.fireworks.ai",
        connection=ConnectionStatus(
            config_map_name="chat-connection", pending_config_map_name="chat-next", hash="0815", message="taken"
        ),
        router=RouterStatus(
            name="accounts/acme/routers/chat",
            state="READY",
            deployment="accounts/acme/deployments/chat",
            create_time=NOW,
            request_time=NOW,
        ),
        direct_route_secret=DirectRouteSecret(name="route", keys=["apiKey"], uid="u", resource_version="1"),
        replicas=Replicas(
            desired=1,
            ready=0,
            pending_scheduling=1,
            downloading_model=2,
            initializing=3,
            revocable=0,
            effective=0.5,
            waiting_since=NOW,
        ),
        effective=Effective(
            accelerator_type="NVIDIA_H100_80GB",
            accelerator_count=1,
            precision="FP8",
            min_replica_count=0,
            max_replica_count=0,
            scale_up_window="30s",
            scale_down_window="600s",
            scale_to_zero_window="3600s",
            draft_model="accounts/fireworks/models/drafter",
            draft_token_count=0,
            ngram_speculation_length=0,
            deployment_shape="accounts/fireworks/deploymentShapes/s/versions/v",
            region="US_IOWA_1",
            scaling_schedules=["office"],
            load_targets={"default": 0.8, "concurrent_requests": 4.0},
            placement=EffectivePlacement(region="US_IOWA_1", multi_region="US", regions=["US_IOWA_1"]),
            max_context_length=0,
            max_concurrency_per_replica=0,
            enable_addons=False,
            long_prompt=False,
            preemptible=False,
            deployment_template="accounts/fireworks/deploymentTemplates/t",
            active_model_version="v1",
            target_model_version="v2",
        ),
        cost=Cost(
            gpus=0,
            hourly="0.00",
            gpu_ceiling=8,
            hourly_ceiling="32.00",
            gpu_seconds=3600,
            unpriced_gpu_seconds=60,
            total="8.00",
            month=MonthCost(name="2026-03", gpu_seconds=1800, total="4.00"),
            as_of=NOW,
            estimated=True,
        ),
        choice=Choice(
            accelerator_type="NVIDIA_H200_141GB",
            accelerator_count=2,
            placement=ChosenPlacement(region="US_IOWA_1"),
            deployment_shape="fast",
            index=1,
            since=NOW,
            requested="NVIDIA_H100_80GB",
            revision="0123",
            replaces=NOW,
            given_up=[GivenUp(index=0, hardware="NVIDIA_H100_80GB", reason="QuotaExceeded", time=NOW)],
        ),
        replacement=full_replacement(),
        applied_fields=["minReplicaCount", "autoscalingPolicy.scaleUpWindow", "tags.team"],
        last_attempt=LastAttempt(action="Update", generation=1, count=2, time=NOW, reason="ApiUnavailable"),
        addons=[
            AddonStatus(
                model="accounts/acme/models/lora",
                deployed_model="accounts/acme/deployedModels/lora-abc",
                state="DEPLOYED",
                model_identifier="accounts/acme/models/lora#accounts/acme/deployments/chat",
                message="",
            )
        ],
        notices=["A notice."],
        recreations=[NOW],
        expires_at=NOW,
        parked=Parked(
            reason="Expired",
            since=NOW,
            min_replica_count=1,
            max_replica_count=3,
            max_with_revocable_replica_count=4,
        ),
        create_time=NOW,
        created_from="0123456789abcdef",
        purge_time=NOW,
        conditions=conditions,
    )


def test_every_field_of_the_status_models_is_stored_and_none_is_pruned(server: Server, create: Create) -> None:
    status = full_status()
    assert status.model_fields_set == set(FireworksDeploymentStatus.model_fields)
    assert Effective.model_fields.keys() == (status.effective or Effective()).model_fields_set
    assert Cost.model_fields.keys() == (status.cost or Cost(as_of=NOW)).model_fields_set
    assert Replicas.model_fields.keys() == (status.replicas or Replicas()).model_fields_set
    assert ConnectionStatus.model_fields.keys() == (status.connection or ConnectionStatus()).model_fields_set
    assert Replacement.model_fields.keys() == full_replacement().model_fields_set
    resource = create()
    assert server.set_status(resource, status.to_wire())["status"] == status.to_wire()


def test_the_longest_texts_that_the_models_write_are_accepted(server: Server, create: Create) -> None:
    long = "x" * 100_000
    long_addon = AddonStatus(model="lora", message=long)
    status = FireworksDeploymentStatus(
        notices=[long],
        addons=[long_addon],
        replacement=full_replacement().model_copy(update={"message": long, "addons": [long_addon]}),
        conditions=set_condition([], ConditionType.STALLED, "True", Reason.CONFLICT, long, generation=1, now=NOW),
    )
    status = bounded(status)
    assert server.set_status(create(), status.to_wire())["status"] == status.to_wire()


CONDITION = {
    "type": "Ready",
    "status": "True",
    "reason": "Serving",
    "message": "",
    "lastTransitionTime": "2026-03-04T05:06:07Z",
}


@pytest.mark.parametrize(
    ("conditions", "message", "reason"),
    [
        ([CONDITION, CONDITION], "status.conditions[1]: Duplicate value", "there is one condition per type"),
        ([CONDITION | {"reason": ""}], "status.conditions[0].reason", "a reason is never empty"),
        ([CONDITION | {"reason": "not one word"}], "status.conditions[0].reason", "a reason is one word"),
        ([CONDITION | {"type": "Ready!"}], "status.conditions[0].type", "a type is a qualified name"),
        ([CONDITION | {"status": "true"}], 'supported values: "True", "False", "Unknown"', "capitals matter"),
        ([{"type": "Ready"}], "status.conditions[0].status: Required value", "metav1 requires all but the generation"),
        ([CONDITION | {"lastTransitionTime": "now"}], "must be of type date-time", "times are RFC 3339"),
        ([CONDITION | {"type": f"T{n}"} for n in range(17)], "must have at most 16 items", "every list is bounded"),
    ],
)
def test_conditions_have_the_shape_of_the_kubernetes_api(
    server: Server, create: Create, conditions: list[object], message: str, reason: str
) -> None:
    resource = create()
    with pytest.raises(RefusedError) as refused:
        server.set_status(resource, {"conditions": conditions})
    assert message in str(refused.value), reason


@pytest.mark.parametrize(
    ("field", "attribute"),
    [
        ("minReplicaCount", "min_replica_count"),
        ("maxReplicaCount", "max_replica_count"),
        ("draftTokenCount", "draft_token_count"),
        ("maxContextLength", "max_context_length"),
        ("maxConcurrencyPerReplica", "max_concurrency_per_replica"),
    ],
)
def test_zero_stays_zero_and_absent_stays_absent(server: Server, create: Create, field: str, attribute: str) -> None:
    zero, absent = server.dry_change(create(**{field: 0}), {}), server.dry_change(create(), {})
    assert zero["spec"][field] == 0
    assert field not in absent["spec"]
    assert getattr(FireworksDeployment.parse(zero).spec, attribute) == 0
    assert getattr(FireworksDeployment.parse(absent).spec, attribute) is None


def test_only_the_operators_own_policies_are_defaulted(server: Server) -> None:
    stored = server.dry_create(manifest({"credentialsSecretRef": {"name": "fireworks"}}))
    assert stored["spec"] == {
        "baseModel": MODEL,
        "adoptionPolicy": "Never",
        "deletionPolicy": "Delete",
        "externalDeletionPolicy": "Recreate",
        "managementPolicy": "Manage",
        "credentialsSecretRef": {"name": "fireworks", "key": "apiKey"},
    }


def test_what_the_server_stores_is_what_the_models_write(server: Server) -> None:
    stored = server.dry_create(manifest({"minReplicaCount": 0, "paused": False, "placement": {"regions": ["A"]}}))
    stored["metadata"]["resourceVersion"] = "0"
    resource = FireworksDeployment.parse(stored)
    assert resource.spec.to_wire() == stored["spec"]
    assert resource.status.observed_generation == -1
