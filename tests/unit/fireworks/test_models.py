"""Answers are read leniently where the API is open, and refused where guessing would be dangerous."""

import dataclasses
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.models import (
    Account,
    BaseModelDetails,
    DeployedModel,
    DeployedModelPage,
    Deployment,
    DeploymentPage,
    Model,
    PeftDetails,
    ReplicaStats,
    parse_accounts,
)
from testkit.properties import examples

NAME = "accounts/acme/deployments/chat-prod"
MODEL = "accounts/fireworks/models/qwen3-8b"


def deployment(**fields: JsonValue) -> Deployment:
    return Deployment.parse({"name": NAME, "baseModel": MODEL, **fields})


def refused(value: JsonValue) -> str:
    with pytest.raises(FireworksError) as caught:
        Deployment.parse(value)
    assert caught.value.kind is ErrorKind.PROTOCOL
    assert not caught.value.definite
    return caught.value.message


def test_a_whole_deployment_is_read() -> None:
    wire: JsonValue = {
        "name": NAME,
        "baseModel": "accounts/fireworks/models/qwen3-8b",
        "displayName": "chat",
        "description": "for the chat",
        "state": "READY",
        "status": {"code": "OK", "message": "fine"},
        "createTime": "2026-07-13T20:28:21.123456Z",
        "updateTime": "2026-07-13T22:28:21+02:00",
        "deleteTime": "2026-07-13T20:34:08Z",
        "purgeTime": "2026-07-20T20:34:08.123456789Z",
        "annotations": {"custom/managed-by": "fireworks-operator"},
        "minReplicaCount": 1,
        "maxReplicaCount": 4,
        "desiredReplicaCount": 2,
        "replicaCount": 3,
        "replicaStats": {
            "pendingSchedulingReplicaCount": 1,
            "downloadingModelReplicaCount": 2,
            "initializingReplicaCount": 3,
            "readyReplicaCount": 4,
            "revocableReplicaCount": 2,
            "effectiveReplicaCount": 3.5,
        },
        "acceleratorType": "NVIDIA_H100_80GB",
        "acceleratorCount": 2,
        "precision": "BF16",
        "region": "US_IOWA_1",
        "deploymentShape": "accounts/fireworks/deploymentShapes/s/versions/v",
        "enableAddons": True,
        "draftModel": "accounts/fireworks/models/drafter",
        "draftTokenCount": 4,
        "ngramSpeculationLength": 3,
        "autoscalingPolicy": {"scaleUpWindow": "30s", "scaleDownWindow": "600s", "scaleToZeroWindow": "3600s"}
        | {"loadTargets": {"default": 0.8, "concurrent_requests": 4}},
        "maxContextLength": 4096,
        "maxConcurrencyPerReplica": 8,
        "preemptible": True,
        "autoTune": {"longPrompt": True},
        "placement": {"region": "US_IOWA_1", "multiRegion": "US", "regions": ["US_IOWA_1", "US_TEXAS_1"]},
        "activeModelVersion": "v1",
        "targetModelVersion": "v2",
        "deploymentTemplate": "accounts/fireworks/deploymentTemplates/t",
        "somethingNew": [1, 2],
    }

    read = Deployment.parse(wire)

    assert dataclasses.replace(read, raw={}) == Deployment(
        name=NAME,
        base_model="accounts/fireworks/models/qwen3-8b",
        display_name="chat",
        description="for the chat",
        state="READY",
        status_code="OK",
        status_message="fine",
        create_time=datetime(2026, 7, 13, 20, 28, 21, 123456, UTC),
        update_time=datetime(2026, 7, 13, 20, 28, 21, 0, UTC),
        delete_time=datetime(2026, 7, 13, 20, 34, 8, 0, UTC),
        purge_time=datetime(2026, 7, 20, 20, 34, 8, 123456, UTC),
        annotations={"custom/managed-by": "fireworks-operator"},
        min_replica_count=1,
        max_replica_count=4,
        desired_replica_count=2,
        replica_count=3,
        replica_stats=ReplicaStats(1, 2, 3, 4, revocable=2, effective=3.5),
        accelerator_type="NVIDIA_H100_80GB",
        accelerator_count=2,
        precision="BF16",
        region="US_IOWA_1",
        deployment_shape="accounts/fireworks/deploymentShapes/s/versions/v",
        enable_addons=True,
        draft_model="accounts/fireworks/models/drafter",
        draft_token_count=4,
        ngram_speculation_length=3,
        scale_up_window="30s",
        scale_down_window="600s",
        scale_to_zero_window="3600s",
        max_context_length=4096,
        max_concurrency_per_replica=8,
        preemptible=True,
        long_prompt=True,
        load_targets={"default": 0.8, "concurrent_requests": 4.0},
        placement_region="US_IOWA_1",
        placement_multi_region="US",
        placement_regions=("US_IOWA_1", "US_TEXAS_1"),
        active_model_version="v1",
        target_model_version="v2",
        deployment_template="accounts/fireworks/deploymentTemplates/t",
    )
    assert read.raw == wire
    assert (read.deployment_id, read.account) == ("chat-prod", "acme")


@pytest.mark.parametrize(
    ("field", "wire", "attribute", "value", "reason"),
    [
        ("maxContextLength", 0, "max_context_length", 0, "Zero is told, and is not absent."),
        ("maxContextLength", None, "max_context_length", None, "Null is absent."),
        ("maxContextLength", "4096", "max_context_length", 4096, "protojson accepts and sends integers as strings"),
        ("maxContextLength", -1, "max_context_length", None, "No length is negative."),
        ("maxContextLength", True, "max_context_length", None, "A flag is no number."),
        ("maxContextLength", 2**63, "max_context_length", None, "Kubernetes keeps no such number."),
        ("preemptible", False, "preemptible", False, "False is told, and is not absent."),
        ("preemptible", "yes", "preemptible", None, "A text is no flag."),
        ("activeModelVersion", "a\nb", "active_model_version", "", "A version is one line."),
        ("activeModelVersion", "v" * 257, "active_model_version", "", "No version is that long."),
        ("placement", ["GLOBAL"], "placement_multi_region", "", "A list is no placement."),
        ("placement", {"multiRegion": 7}, "placement_multi_region", "7", "An enum without a name comes as its number."),
        ("placement", {"regions": ["A", {}, "b\n"]}, "placement_regions", ("A",), "What makes no sense is left out."),
        ("placement", {"regions": "A"}, "placement_regions", (), "A text is no list."),
        (
            "autoscalingPolicy",
            {"loadTargets": {"default": 0.5, "a": "x", "b": True, "c": -1, "d": float("nan"), "e": float("inf")}},
            "load_targets",
            {"default": 0.5},
            "What makes no sense is left out.",
        ),
        ("autoscalingPolicy", {"loadTargets": [1]}, "load_targets", {}, "A list is no map."),
        ("autoTune", {"longPrompt": 1}, "long_prompt", None, "A number is no flag."),
        ("replicaStats", {"revocableReplicaCount": 0}, "replica_stats", ReplicaStats(revocable=0), "Zero is told."),
        ("replicaStats", {"effectiveReplicaCount": "NaN"}, "replica_stats", ReplicaStats(), "It is not told."),
        ("replicaStats", {"effectiveReplicaCount": 0}, "replica_stats", ReplicaStats(effective=0.0), "Zero is told."),
    ],
)
def test_nothing_fails_over_what_is_only_shown(
    field: str, wire: JsonValue, attribute: str, value: object, reason: str
) -> None:
    found = getattr(deployment(**{field: wire}), attribute)
    assert found == value, reason
    assert type(found) is type(value), reason


def test_what_is_left_out_is_zero_or_empty() -> None:
    assert dataclasses.replace(deployment(), raw={}) == Deployment(NAME, MODEL)
    assert dataclasses.replace(deployment(minReplicaCount=None, state=None, status=None), raw={}) == Deployment(
        NAME, MODEL
    )


@pytest.mark.parametrize(
    ("field", "wire", "attribute", "value", "reason"),
    [
        ("minReplicaCount", "7", "min_replica_count", 7, "protojson accepts and sends integers as strings"),
        ("minReplicaCount", 7.0, "min_replica_count", 7, "a double that is whole"),
        ("minReplicaCount", "9223372036854775807", "min_replica_count", 2**63 - 1, "the largest int64"),
        ("state", "HIBERNATING", "state", "HIBERNATING", "a state that nobody knew yet is kept"),
        ("state", 42, "state", "42", "an enum value without a name comes as its number"),
        ("acceleratorType", "NVIDIA_X1", "accelerator_type", "NVIDIA_X1", "a new GPU needs no new operator"),
        ("createTime", "0001-01-01T00:00:00Z", "create_time", None, "Go's zero time is no time"),
        ("createTime", "", "create_time", None, "an empty time is no time"),
        ("base_model", "accounts/a/models/other", "base_model", MODEL, "only the API's spelling of a name counts"),
    ],
)
def test_what_the_api_may_send_is_accepted(
    field: str, wire: JsonValue, attribute: str, value: object, reason: str
) -> None:
    assert getattr(deployment(**{field: wire}), attribute) == value, reason


@pytest.mark.parametrize(
    ("field", "wire", "reason"),
    [
        ("minReplicaCount", "seven", "no number"),
        ("minReplicaCount", "", "no number"),
        ("minReplicaCount", "٣", "digits of another script"),
        ("minReplicaCount", 1.5, "no whole number"),
        ("minReplicaCount", float("nan"), "not a number"),
        ("minReplicaCount", True, "true is not 1"),
        ("minReplicaCount", 2**63, "beyond int64"),
        ("minReplicaCount", "9223372036854775808", "beyond int64"),
        ("minReplicaCount", "-9223372036854775809", "beyond int64"),
        ("minReplicaCount", -1, "nothing has fewer than none"),
        ("replicaStats.readyReplicaCount", -1, "nothing has fewer than none"),
        ("minReplicaCount", [], "no number"),
        ("state", "READY\x1b[2J", "would be sent to terminals"),
        ("state", "R" * 65, "longer than any name of a value"),
        ("state", 10**64, "a number with more digits than the name of a value has letters"),
        ("region", "US\nIOWA", "more than one line"),
        ("deploymentShape", "s" * 257, "longer than any name"),
        ("autoscalingPolicy.scaleUpWindow", "1" * 32 + "s", "longer than any duration"),
        ("baseModel", 5, "no text"),
        ("state", True, "neither name nor number"),
        ("enableAddons", "true", "no bool"),
        ("enableAddons", 0, "no bool"),
        ("annotations.custom/name", 1, "an owner marker that cannot be trusted"),
        ("annotations", ["a"], "no map"),
        ("status", "OK", "no object"),
        ("replicaStats", [], "no object"),
        ("autoscalingPolicy.scaleUpWindow", 30, "a duration is a text"),
        ("createTime", "20260713T202821Z", "not RFC 3339"),
        ("createTime", "2026-07-13T20:28:21", "a time without a zone"),
        ("createTime", "2026-13-13T20:28:21Z", "month 13"),
        ("createTime", "0001-01-01T00:00:00+23:00", "before the beginning of time"),
        ("createTime", 1784000000, "no text"),
        ("createTime", "9999-12-31T23:59:59Z", "no time can be counted from it"),
        ("createTime", "0800-01-01T00:00:00Z", "Kubernetes could not store it"),
    ],
)
def test_what_contradicts_its_type_is_refused_by_name(field: str, wire: JsonValue, reason: str) -> None:
    path = field.split(".")
    value = wire if len(path) == 1 else {path[1]: wire}

    assert path[-1] in refused({"name": NAME, "baseModel": MODEL, path[0]: value}), reason


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "text",
        {},
        {"name": 5},
        {"name": "chat"},
        {"name": "accounts/acme/models/chat"},
        {"name": "accounts/acme/deployments/"},
        {"name": "accounts//deployments/chat"},
        {"name": "accounts/acme/deployments/chat/x"},
        {"name": "accounts/acme/deployments/.."},
        {"name": "accounts/acme/deployments/a b"},
    ],
)
def test_a_deployment_without_a_name_is_none(value: JsonValue) -> None:
    assert refused(value)


@pytest.mark.parametrize("base_model", [None, ""])
def test_a_deployment_without_a_base_model_is_not_believed(base_model: str | None) -> None:
    with pytest.raises(FireworksError, match="without baseModel"):
        deployment(baseModel=base_model)


def test_keys_of_enterprise_routes_are_never_kept() -> None:
    read = deployment(directRouteApiKeys=["route-secret-1"], directRouteType="INTERNET")

    assert "directRouteApiKeys" not in read.raw
    assert read.raw["directRouteType"] == "INTERNET"
    assert "route-secret-1" not in repr(read)


def test_a_field_of_the_api_that_is_called_raw_is_one_of_many() -> None:
    read = deployment(raw={"name": "another"})

    assert read.raw == {"name": NAME, "baseModel": MODEL, "raw": {"name": "another"}}


def test_of_many_wrong_values_only_the_first_is_looked_at() -> None:
    values: list[JsonValue] = [1.5] * 100_000
    map_of_values = {str(number): value for number, value in enumerate(values)}
    tracemalloc.start()
    with pytest.raises(FireworksError, match="supportedPrecisions"):
        Model.parse({"name": "accounts/a/models/m", "supportedPrecisions": values})
    with pytest.raises(FireworksError, match="annotations"):
        deployment(annotations=map_of_values)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 2**20


def test_a_page_tells_what_it_holds_and_what_could_not_be_read() -> None:
    page = DeploymentPage.parse(
        {
            "deployments": [
                {"name": NAME, "baseModel": MODEL},
                {"name": "accounts/acme/deployments/odd", "minReplicaCount": "x"},
            ],
            "nextPageToken": "2",
            "totalSize": 400,
        }
    )

    assert [entry.name for entry in page.deployments] == [NAME]
    assert page.unreadable == {"accounts/acme/deployments/odd"}
    assert page.next_page_token == "2"


def test_what_is_the_same_in_the_next_list_is_the_same_object() -> None:
    same: JsonValue = {"name": NAME, "baseModel": MODEL, "directRouteApiKeys": ["route-secret-1"]}
    other = NAME + "-2"
    before = DeploymentPage.parse({"deployments": [same, {"name": other, "baseModel": MODEL, "state": "CREATING"}]})
    known = {each.name: each for each in before.deployments}

    after = DeploymentPage.parse({"deployments": [same, {"name": other, "baseModel": MODEL, "state": "READY"}]}, known)

    assert after.deployments[0] is before.deployments[0]
    assert [each.state for each in after.deployments] == ["", "READY"]
    now_unreadable = DeploymentPage.parse({"deployments": [{"name": NAME, "minReplicaCount": "x"}]}, known)
    assert now_unreadable.unreadable == {NAME}


@pytest.mark.parametrize(
    "value", [{}, {"deployments": []}, {"totalSize": 0, "nextPageToken": ""}, {"deployments": None}]
)
def test_an_account_without_deployments_is_an_empty_page(value: JsonValue) -> None:
    assert DeploymentPage.parse(value) == DeploymentPage((), frozenset(), "")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "no object"),
        ({"status": "ok"}, "somebody else's JSON must not be read as: there are no deployments"),
        ({"code": 5, "message": "not found"}, "an error that came with status 200"),
        ({"error": {"message": "x"}}, "an error that came with status 200"),
        ({"deployedModels": []}, "another list"),
        ({"deployments": {}}, "no list"),
        ({"deployments": "none"}, "no list"),
        ({"deployments": [None]}, "an entry that is nothing"),
        ({"deployments": [{"state": "READY"}]}, "an entry without a name: any deployment might be the one"),
        ({"deployments": [{"name": "accounts/acme/models/m"}]}, "an entry of another kind"),
        ({"deployments": [], "nextPageToken": 2}, "no next page can be asked for"),
    ],
)
def test_what_is_no_page_is_never_taken_for_an_empty_one(value: JsonValue, reason: str) -> None:
    with pytest.raises(FireworksError) as caught:
        DeploymentPage.parse(value)

    assert caught.value.kind is ErrorKind.PROTOCOL, reason


def test_deployed_models_are_read_page_by_page() -> None:
    wire: dict[str, JsonValue] = {
        "name": "accounts/acme/deployedModels/m-abc",
        "model": "accounts/acme/models/lora",
        "deployment": NAME,
        "state": "DEPLOYED",
        "status": {"code": "OK", "message": "fine"},
        "default": True,
        "public": True,
        "displayName": "lora",
        "description": "for tests",
        "createTime": "2026-07-13T20:28:21Z",
        "updateTime": "2026-07-13T20:28:22Z",
    }
    odd: JsonValue = {"name": "accounts/acme/deployedModels/odd", "default": "yes"}

    page = DeployedModelPage.parse({"deployedModels": [wire, odd], "nextPageToken": "n"})

    assert page == DeployedModelPage(
        (
            DeployedModel(
                name="accounts/acme/deployedModels/m-abc",
                model="accounts/acme/models/lora",
                deployment=NAME,
                state="DEPLOYED",
                status_code="OK",
                status_message="fine",
                default=True,
                public=True,
                display_name="lora",
                description="for tests",
                create_time=datetime(2026, 7, 13, 20, 28, 21, 0, UTC),
                update_time=datetime(2026, 7, 13, 20, 28, 22, 0, UTC),
                raw=wire,
            ),
        ),
        frozenset({"accounts/acme/deployedModels/odd"}),
        "n",
    )


def test_accounts_are_read_with_their_suspension() -> None:
    accounts = parse_accounts(
        {"accounts": [{"name": "accounts/acme", "state": "READY", "suspendState": "CREDIT_DEPLETED"}], "totalSize": 1}
    )

    assert accounts == (Account("accounts/acme", state="READY", suspend_state="CREDIT_DEPLETED"),)
    assert accounts[0].id == "acme"


@pytest.mark.parametrize("name", ["", "acme", "accounts/", "accounts/a/b", "users/acme"])
def test_an_account_without_a_name_is_none(name: str) -> None:
    with pytest.raises(FireworksError, match="without a name"):
        Account.parse({"name": name})


def test_a_model_is_read_with_what_notices_need() -> None:
    model = Model.parse(
        {
            "name": "accounts/fireworks/models/mixtral",
            "kind": "HF_BASE_MODEL",
            "state": "READY",
            "contextLength": 32768,
            "supportsLora": True,
            "defaultDraftModel": "accounts/fireworks/models/eagle",
            "defaultDraftTokenCount": 3,
            "supportedPrecisions": ["FP16", "FP8"],
            "supportedPrecisionsWithCalibration": ["FP8_MM"],
            "calibrated": True,
            "baseModelDetails": {
                "modelType": "mixtral",
                "moe": True,
                "worldSize": 2,
                "parameterCount": "46700000000",
                "defaultPrecision": "FP16",
            },
            "peftDetails": {"baseModel": "accounts/fireworks/models/base", "r": 16},
        }
    )

    assert model == Model(
        name="accounts/fireworks/models/mixtral",
        kind="HF_BASE_MODEL",
        state="READY",
        context_length=32768,
        supports_lora=True,
        default_draft_model="accounts/fireworks/models/eagle",
        default_draft_token_count=3,
        supported_precisions=("FP16", "FP8"),
        supported_precisions_with_calibration=("FP8_MM",),
        calibrated=True,
        base_model_details=BaseModelDetails("mixtral", True, 2, 46_700_000_000, "FP16"),
        peft_details=PeftDetails("accounts/fireworks/models/base", 16),
    )
    assert Model.parse({"name": "accounts/a/models/m"}) == Model("accounts/a/models/m")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = [
    *["name", "baseModel", "state", "suspendState", "status", "createTime", "annotations", "minReplicaCount"],
    *["replicaStats", "enableAddons", "autoscalingPolicy", "supportedPrecisions", "baseModelDetails", "peftDetails"],
]


@examples(50)
@given(st.dictionaries(st.sampled_from(FIELDS), json_values), st.booleans())
def test_no_json_whatever_raises_anything_but_a_protocol_error(obj: dict[str, JsonValue], named: bool) -> None:
    entry: JsonValue = {**obj, "name": NAME} if named else {**obj}
    parsers: list[Callable[[JsonValue], object]] = [Deployment.parse, DeployedModel.parse, Account.parse, Model.parse]

    assert {failure(parse, entry) for parse in parsers} <= {None, ErrorKind.PROTOCOL}
    assert failure(DeploymentPage.parse, {"deployments": [entry]}) in {None, None if named else ErrorKind.PROTOCOL}


def failure(parse: Callable[[JsonValue], object], value: JsonValue) -> ErrorKind | None:
    try:
        parse(value)
    except FireworksError as error:
        return error.kind
    return None
