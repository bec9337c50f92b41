"""Reading and writing resources: what is absent stays absent, errors name the field, times are Kubernetes' own."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from fireworks_operator.api.bounds import bounded
from fireworks_operator.api.v1alpha1 import (
    AddonStatus,
    AdoptionPolicy,
    Condition,
    DeletionPolicy,
    ExternalDeletionPolicy,
    FireworksDeployment,
    FireworksDeploymentSpec,
    FireworksDeploymentStatus,
    InvalidResourceError,
    LastAttempt,
    ManagementPolicy,
    Replicas,
)

MODEL = "accounts/fireworks/models/llama-v3p2-3b-instruct"


def resource(**spec: object) -> dict[str, Any]:
    return {
        "apiVersion": "fireworks.ai/v1alpha1",
        "kind": "FireworksDeployment",
        "metadata": {"name": "chat", "namespace": "team-a", "uid": "u-1", "resourceVersion": "7", "generation": 2},
        "spec": {"baseModel": MODEL, **spec},
    }


def test_the_key_is_namespace_and_name() -> None:
    assert FireworksDeployment.parse(resource()).ref == "team-a/chat"


def test_a_minimal_resource_reads_with_the_operators_own_policies_only() -> None:
    spec = FireworksDeployment.parse(resource()).spec
    assert spec.to_wire() == {
        "baseModel": MODEL,
        "adoptionPolicy": "Never",
        "deletionPolicy": "Delete",
        "externalDeletionPolicy": "Recreate",
        "managementPolicy": "Manage",
        "paused": False,
    }
    assert spec.adoption_policy is AdoptionPolicy.NEVER
    assert spec.deletion_policy is DeletionPolicy.DELETE
    assert spec.external_deletion_policy is ExternalDeletionPolicy.RECREATE
    assert spec.management_policy is ManagementPolicy.MANAGE


@pytest.mark.parametrize(
    ("wire", "attribute", "value"),
    [
        ("minReplicaCount", "min_replica_count", 0),
        ("maxReplicaCount", "max_replica_count", 0),
        ("draftTokenCount", "draft_token_count", 0),
        ("ngramSpeculationLength", "ngram_speculation_length", 0),
        ("maxContextLength", "max_context_length", 0),
        ("longPrompt", "long_prompt", False),
        ("enableAddons", "enable_addons", False),
        ("displayName", "display_name", ""),
        ("addons", "addons", []),
    ],
)
def test_zero_and_absent_are_two_different_things(wire: str, attribute: str, value: object) -> None:
    given, absent = FireworksDeployment.parse(resource(**{wire: value})), FireworksDeployment.parse(resource())
    assert getattr(given.spec, attribute) == value
    assert getattr(given.spec, attribute) is not None
    assert given.spec.to_wire()[wire] == value
    assert getattr(absent.spec, attribute) is None
    assert wire not in absent.spec.to_wire()


@pytest.mark.parametrize(
    ("raw", "path", "reason"),
    [
        ({"metadata": resource()["metadata"], "spec": {}}, "spec.baseModel", "a required field is missing"),
        (resource(minReplicaCount="two"), "spec.minReplicaCount", "a text stands where a number belongs"),
        (resource(autoscalingPolicy={"loadTargets": {"default": "much"}}), "spec.autoscalingPolicy", "it lies deeper"),
        (resource(addons=[{"displayName": "x"}]), "spec.addons.0.model", "it lies in an entry of a list"),
        (resource(deletionPolicy="Purge"), "spec.deletionPolicy", "the value is unknown"),
        ({"spec": {"baseModel": MODEL}}, "metadata", "the object has no metadata"),
    ],
)
def test_an_unreadable_resource_is_refused_with_the_path_of_the_field(
    raw: dict[str, Any], path: str, reason: str
) -> None:
    with pytest.raises(InvalidResourceError) as caught:
        FireworksDeployment.parse(raw)
    assert path in str(caught.value), reason


def test_every_unreadable_field_is_named() -> None:
    with pytest.raises(InvalidResourceError, match=r"spec\.minReplicaCount: .*; spec\.paused: "):
        FireworksDeployment.parse(resource(minReplicaCount="two", paused="perhaps"))


def test_keys_of_a_newer_crd_are_ignored() -> None:
    assert FireworksDeployment.parse(resource(warpFactor=9)).spec.base_model == MODEL


def test_values_outside_the_bounds_of_the_crd_are_still_read_so_that_the_resource_can_be_deleted() -> None:
    spec = FireworksDeployment.parse(resource(minReplicaCount=5000, displayName="x" * 500)).spec
    assert spec.min_replica_count == 5000


def test_a_resource_without_status_counts_as_never_observed() -> None:
    status = FireworksDeployment.parse(resource()).status
    assert status.observed_generation == -1
    assert status.deployment_name is None
    assert status.conditions == []


def test_a_status_survives_writing_and_reading() -> None:
    now = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    status = FireworksDeploymentStatus(
        observed_generation=2,
        deployment_name="accounts/acme/deployments/chat",
        replicas=Replicas(desired=1),
        applied_fields=["minReplicaCount"],
        last_attempt=LastAttempt(action="Create", generation=2, count=1, time=now, reason="ApiUnavailable"),
        addons=[AddonStatus(model="accounts/acme/models/lora")],
        conditions=[Condition(type="Ready", status="True", reason="Serving", message="", last_transition_time=now)],
    )
    assert FireworksDeploymentStatus.model_validate(status.to_wire()) == status
    assert status.to_wire()["replicas"]["ready"] == 0, "a zero of ours is written, not left out"


def test_a_spec_survives_writing_and_reading() -> None:
    spec = FireworksDeploymentSpec.model_validate(
        {"baseModel": MODEL, "autoscalingPolicy": {"loadTargets": {"default": 0.5}}, "placement": {"regions": ["A"]}}
    )
    assert FireworksDeploymentSpec.model_validate(spec.to_wire()) == spec


@pytest.mark.parametrize(
    "time",
    [
        datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
        datetime(2026, 3, 4, 5, 6, 7, 999_999, tzinfo=UTC),
        datetime(2026, 3, 4, 7, 6, 7, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_times_are_written_in_utc_with_whole_seconds_and_z(time: datetime) -> None:
    wire = FireworksDeploymentStatus(create_time=time).to_wire()
    assert wire["createTime"] == "2026-03-04T05:06:07Z"


def test_an_endless_text_of_somebody_else_is_cut_to_what_the_crd_allows() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    condition = Condition(type="Ready", status="False", reason="X", message="x" * 40_000, last_transition_time=now)
    status = FireworksDeploymentStatus(
        notices=["y" * 5000], addons=[AddonStatus(model="m", message="z" * 5000)], conditions=[condition]
    )
    status = bounded(status)
    (condition,) = status.conditions
    assert len(condition.message) == 32768
    assert condition.message.endswith("x…")
    assert [len(notice) for notice in status.notices or []] == [4096]
    assert [len(addon.message or "") for addon in status.addons or []] == [4096]


@pytest.mark.parametrize(
    ("status", "left"),
    [
        ({"deploymentName": "foo", "account": "acme"}, {"account": "acme"}),
        ({"deploymentName": "accounts/acme/deployments/../x", "account": "acme"}, {"account": "acme"}),
        ({"deploymentName": "accounts/acme/deployments/a b"}, {}),
        ({"deploymentName": "accounts/acme/deployments/.."}, {}),
        (
            {"deploymentName": "accounts/acmeInc/deployments/..a"},
            {"deploymentName": "accounts/acmeInc/deployments/..a"},
        ),
        ({"createTime": "0000-01-01T00:00:00Z", "state": "READY"}, {"state": "READY"}),
        ({"createTime": "0001-01-01T00:00:00+14:00"}, {}),
        ({"lastAttempt": {"action": "Create"}, "state": "READY"}, {"state": "READY"}),
        ({"conditions": [{"type": "Ready"}], "state": "READY"}, {"state": "READY"}),
        ("lost", {}),
    ],
)
def test_what_cannot_be_read_of_a_status_counts_as_lost_and_nothing_else_does(
    status: object, left: dict[str, Any]
) -> None:
    read = FireworksDeployment.parse(resource() | {"status": status}).status
    assert read == FireworksDeploymentStatus.model_validate(left)


def test_a_time_without_a_zone_can_be_compared_with_others() -> None:
    status = FireworksDeploymentStatus.model_validate({"createTime": "2026-03-04T05:06:07"})
    assert status.create_time == datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def test_what_is_wrong_with_the_spec_is_told_also_beside_an_unreadable_status() -> None:
    with pytest.raises(InvalidResourceError, match=r"spec\.paused"):
        FireworksDeployment.parse(resource(paused="perhaps") | {"status": {"deploymentName": "foo"}})


def test_what_is_kept_of_a_resource_does_not_remember_which_fields_were_set() -> None:
    resource = FireworksDeployment.parse(
        {
            "metadata": {"name": "chat", "namespace": "team-a", "uid": "1", "resourceVersion": "1"},
            "spec": {"baseModel": "m", "addons": [{"model": "lora"}]},
            "status": {"cost": {"gpus": 1, "asOf": "2026-03-01T12:00:00Z"}},
        }
    )
    assert resource.spec.addons is not None
    assert resource.status.cost is not None
    kept = (resource, resource.metadata, resource.spec, resource.spec.addons[0], resource.status, resource.status.cost)
    assert [each.model_fields_set for each in kept] == [set()] * len(kept), "two fifths of the memory of a resource"
    changed = resource.status.model_copy(update={"state": "READY"})
    assert changed.to_wire()["state"] == "READY"
    assert resource.status.model_fields_set == set(), "a copy shares nothing with it"
