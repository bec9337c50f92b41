"""What the client puts on the wire, and what it makes of a good answer."""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from fireworks_operator.fireworks.client import ApiKey, FireworksClient, RequestRecord
from fireworks_operator.fireworks.errors import ErrorKind
from tests.unit.fireworks.calls import (
    A_ROUTER,
    ADDON,
    DEPLOYED_MODEL,
    DEPLOYMENT,
    EMPTY,
    KEY,
    NAME,
    ROUTER,
    SECRET,
    failure,
)
from tests.unit.fireworks.raw_server import Answer, RawServer, hangs, replies

Call = Callable[[FireworksClient], Awaitable[object]]

ROUTE_KEYS = (ApiKey("route-key-1"), ApiKey("route-key-2"))
# call, answer, method, target, body
REQUESTS: list[tuple[Call, Answer, str, str, object]] = [
    (lambda c: c.list_accounts(KEY), EMPTY, "GET", "/v1/accounts?pageSize=200", None),
    (
        lambda c: c.get_model(KEY, "accounts/fireworks/models/m"),
        replies(200, '{"name": "accounts/fireworks/models/m"}'),
        "GET",
        "/v1/accounts/fireworks/models/m",
        None,
    ),
    (
        lambda c: c.prepare_model(KEY, "accounts/acme/models/m", "FP8"),
        EMPTY,
        "POST",
        "/v1/accounts/acme/models/m:prepare",
        {"precision": "FP8"},
    ),
    (lambda c: c.list_deployments(KEY, "acme"), EMPTY, "GET", "/v1/accounts/acme/deployments?pageSize=200", None),
    (
        lambda c: c.list_deployments(KEY, "acme", page_token="a&b=", page_size=5, show_deleted=True),
        EMPTY,
        "GET",
        "/v1/accounts/acme/deployments?pageSize=5&pageToken=a%26b%3D&showDeleted=true",
        None,
    ),
    (
        lambda c: c.match_shapes(KEY, "acme", "accounts/fireworks/models/m", addons=True),
        EMPTY,
        "POST",
        "/v1/accounts/acme/deploymentShapeVersions:match",
        {
            "createDeploymentRequest": {
                "parent": "accounts/acme",
                "deployment": {"baseModel": "accounts/fireworks/models/m", "enableAddons": True},
            },
        },
    ),
    (lambda c: c.get_deployment(KEY, NAME), DEPLOYMENT, "GET", f"/v1/{NAME}", None),
    (
        lambda c: c.create_deployment(
            KEY, "acme", "chat", {"baseModel": "m"}, query={"disableSpeculativeDecoding": "true"}
        ),
        DEPLOYMENT,
        "POST",
        "/v1/accounts/acme/deployments?disableSpeculativeDecoding=true&deploymentId=chat",
        {"baseModel": "m"},
    ),
    (
        lambda c: c.validate_deployment(
            KEY, "acme", {"baseModel": "m"}, deployment_id="chat", query={"acceptShapelessRisk": "true"}
        ),
        DEPLOYMENT,
        "POST",
        "/v1/accounts/acme/deployments?acceptShapelessRisk=true&validateOnly=true&deploymentId=chat",
        {"baseModel": "m"},
    ),
    (
        lambda c: c.validate_deployment(KEY, "acme", {"baseModel": "m"}),
        DEPLOYMENT,
        "POST",
        "/v1/accounts/acme/deployments?validateOnly=true",
        {"baseModel": "m"},
    ),
    (
        lambda c: c.update_deployment(
            KEY,
            NAME,
            {"baseModel": "m", "minReplicaCount": 0},
            ["min_replica_count", "autoscaling_policy.load_targets"],
        ),
        DEPLOYMENT,
        "PATCH",
        f"/v1/{NAME}?updateMask=min_replica_count,autoscaling_policy.load_targets",
        {"baseModel": "m", "minReplicaCount": 0},
    ),
    (
        lambda c: c.create_deployment(KEY, "acme", "chat", {"baseModel": "m"}, route_keys=ROUTE_KEYS),
        DEPLOYMENT,
        "POST",
        "/v1/accounts/acme/deployments?deploymentId=chat",
        {"baseModel": "m", "directRouteApiKeys": ["route-key-1", "route-key-2"]},
    ),
    (
        lambda c: c.update_deployment(KEY, NAME, {}, ["direct_route_api_keys"], route_keys=ROUTE_KEYS),
        DEPLOYMENT,
        "PATCH",
        f"/v1/{NAME}?updateMask=direct_route_api_keys",
        {"directRouteApiKeys": ["route-key-1", "route-key-2"]},
    ),
    (
        lambda c: c.update_deployment(KEY, NAME, {"directRouteApiKeys": []}, ["direct_route_api_keys"]),
        DEPLOYMENT,
        "PATCH",
        f"/v1/{NAME}?updateMask=direct_route_api_keys",
        {"directRouteApiKeys": []},
    ),
    (lambda c: c.delete_deployment(KEY, NAME), EMPTY, "DELETE", f"/v1/{NAME}", None),
    (
        lambda c: c.delete_deployment(KEY, NAME, hard=True, ignore_checks=True),
        EMPTY,
        "DELETE",
        f"/v1/{NAME}?hard=true&ignoreChecks=true",
        None,
    ),
    (lambda c: c.undelete_deployment(KEY, NAME), DEPLOYMENT, "POST", f"/v1/{NAME}:undelete", {}),
    (
        lambda c: c.set_tags(KEY, NAME, {"custom/name": "chat"}),
        EMPTY,
        "POST",
        f"/v1/{NAME}:setTags",
        {"tags": {"custom/name": "chat"}},
    ),
    (
        lambda c: c.delete_tags(KEY, NAME, ["custom/name"]),
        EMPTY,
        "POST",
        f"/v1/{NAME}:deleteTags",
        {"keys": ["custom/name"]},
    ),
    (lambda c: c.termination_message(KEY, NAME), EMPTY, "GET", f"/v1/{NAME}/terminationMessage", None),
    (
        lambda c: c.billing_usage(KEY, "acme", datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
        EMPTY,
        "GET",
        "/v1/accounts/acme/billingUsage?startTime=2026-11-01T00%3A00%3A00Z&endTime=2026-12-01T00%3A00%3A00Z"
        "&usageType=DEDICATED_DEPLOYMENT&timezone=UTC",
        None,
    ),
    (
        lambda c: c.list_deployed_models(KEY, "acme", "2"),
        EMPTY,
        "GET",
        "/v1/accounts/acme/deployedModels?pageSize=200&pageToken=2",
        None,
    ),
    (lambda c: c.get_deployed_model(KEY, ADDON), DEPLOYED_MODEL, "GET", f"/v1/{ADDON}", None),
    (
        lambda c: c.load_addon(KEY, "acme", {"model": "m", "deployment": NAME}),
        DEPLOYED_MODEL,
        "POST",
        "/v1/accounts/acme/deployedModels",
        {"model": "m", "deployment": NAME},
    ),
    (
        lambda c: c.load_addon(KEY, "acme", {"model": "m", "deployment": NAME}, replace_merged=True),
        DEPLOYED_MODEL,
        "POST",
        "/v1/accounts/acme/deployedModels?replaceMergedAddon=true",
        {"model": "m", "deployment": NAME},
    ),
    (
        lambda c: c.update_deployed_model(KEY, ADDON, {"default": False}, ["default"]),
        DEPLOYED_MODEL,
        "PATCH",
        f"/v1/{ADDON}?updateMask=default",
        {"default": False},
    ),
    (lambda c: c.unload_addon(KEY, ADDON), EMPTY, "DELETE", f"/v1/{ADDON}", None),
    (
        lambda c: c.list_routers(KEY, "acme", "p2", page_size=50),
        EMPTY,
        "GET",
        "/v1/accounts/acme/routers?pageSize=50&pageToken=p2",
        None,
    ),
    (lambda c: c.get_router(KEY, ROUTER), A_ROUTER, "GET", f"/v1/{ROUTER}", None),
    (
        lambda c: c.create_router(KEY, ROUTER, {"deployments": [NAME]}),
        A_ROUTER,
        "POST",
        "/v1/accounts/acme/routers?routerId=chat",
        {"deployments": [NAME]},
    ),
    (
        lambda c: c.update_router(KEY, ROUTER, {"deployments": [NAME]}, ["deployments"]),
        A_ROUTER,
        "PATCH",
        f"/v1/{ROUTER}?updateMask=deployments",
        {"deployments": [NAME]},
    ),
    (lambda c: c.delete_router(KEY, ROUTER), EMPTY, "DELETE", f"/v1/{ROUTER}", None),
]


@pytest.mark.parametrize(("call", "answer", "method", "target", "body"), REQUESTS)
async def test_each_method_sends_what_the_api_reference_says(
    call: Call,
    answer: Answer,
    method: str,
    target: str,
    body: object,
    client: FireworksClient,
    server: RawServer,
    records: list[RequestRecord],
) -> None:
    server.answer = answer

    await call(client)

    (request,) = server.requests
    assert (request.method, request.target) == (method, target)
    assert (json.loads(request.body) if request.body else None) == body
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert request.headers["user-agent"] == "fireworks-operator/test"
    assert request.headers["accept"] == "application/json"
    assert request.headers.get("content-type") == (None if body is None else "application/json")
    assert [(r.code, r.kind, r.fingerprint) for r in records] == [("200", None, KEY.fingerprint)]


def test_every_method_is_in_the_table() -> None:
    source = "".join(code for row in REQUESTS for code in row[0].__code__.co_names)

    for method in vars(FireworksClient):
        assert method.startswith("_") or method == "aclose" or method in source, method


async def test_a_page_token_of_any_characters_arrives_as_it_was_given(
    client: FireworksClient, server: RawServer
) -> None:
    token = "".join(map(chr, range(0x20, 0x7F))) + " %2F%zz+ä\u2028"

    await client.list_deployments(KEY, "acme", page_token=token)

    assert server.requests[0].query["pageToken"] == token


async def test_answers_are_returned_as_models(client: FireworksClient, server: RawServer) -> None:
    server.answer = replies(
        200,
        json.dumps(
            {
                "deployments": [{"name": NAME, "baseModel": "accounts/fireworks/models/m", "state": "READY"}],
                "nextPageToken": "2",
            }
        ),
    )
    page = await client.list_deployments(KEY, "acme")
    server.answer = replies(200, json.dumps({"message": "OOM"}))
    message = await client.termination_message(KEY, NAME)

    assert [(d.name, d.state) for d in page.deployments] == [(NAME, "READY")]
    assert page.next_page_token == "2"
    assert message == "OOM"


async def test_a_compressed_answer_is_read(client: FireworksClient, server: RawServer) -> None:
    body = gzip.compress(
        json.dumps({"name": NAME, "baseModel": "accounts/fireworks/models/m", "state": "READY"}).encode()
    )
    server.answer = replies(200, body, {"Content-Encoding": "gzip"})

    assert (await client.get_deployment(KEY, NAME)).state == "READY"


async def test_connections_are_kept_and_shared(client: FireworksClient, server: RawServer) -> None:
    for _ in range(5):
        await client.delete_deployment(KEY, NAME)

    assert len(server.requests) == 5
    assert server.connections == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.get_deployment(KEY, NAME),
        lambda c: c.create_deployment(KEY, "acme", "chat", {}),
        lambda c: c.update_deployment(KEY, NAME, {}, ["description"]),
        lambda c: c.undelete_deployment(KEY, NAME),
    ],
)
async def test_an_answer_about_another_deployment_is_not_believed(
    call: Call, client: FireworksClient, server: RawServer
) -> None:
    other = {"name": "accounts/acme/deployments/other", "baseModel": "accounts/fireworks/models/m"}
    server.answer = replies(200, json.dumps(other))

    error = await failure(call(client))

    assert error.kind is ErrorKind.PROTOCOL
    assert "accounts/acme/deployments/other" in error.message


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.get_deployment(KEY, "accounts/acme/deployments/../../x"),
        lambda c: c.create_deployment(KEY, "acme", "../models", {}),
        lambda c: c.create_deployment(KEY, "acme", "", {}),
        lambda c: c.create_deployment(KEY, "a/b", "chat", {}),
        lambda c: c.list_deployments(KEY, ".."),
        lambda c: c.delete_deployment(KEY, "accounts/acme/deployments/"),
        lambda c: c.unload_addon(KEY, NAME),
        lambda c: c.get_router(KEY, NAME),
        lambda c: c.create_router(KEY, "accounts/acme/routers/../deployments", {}),
        lambda c: c.delete_router(KEY, NAME),
        lambda c: c.get_model(KEY, "accounts/acme/models/m#x"),
        lambda c: c.prepare_model(KEY, "accounts/acme/models/m#x", "FP8"),
    ],
)
async def test_a_crafted_name_is_refused_and_nothing_is_sent(
    call: Call, client: FireworksClient, server: RawServer
) -> None:
    error = await failure(call(client))

    assert (error.kind, error.definite) == (ErrorKind.INVALID, True)
    assert server.requests == []


@pytest.mark.parametrize("mask", [[], ["minReplicaCount"], ["min_replica_count,base_model"], [""], ["a b"], ["*"]])
async def test_an_update_without_a_proper_mask_is_a_mistake_of_the_caller(
    mask: list[str], client: FireworksClient, server: RawServer
) -> None:
    with pytest.raises(ValueError, match="update mask"):
        await client.update_deployment(KEY, NAME, {}, mask)
    with pytest.raises(ValueError, match="update mask"):
        await client.update_deployed_model(KEY, ADDON, {}, mask)

    assert server.requests == []


async def test_a_cancelled_call_is_counted_and_the_client_lives_on(
    client: FireworksClient, server: RawServer, records: list[RequestRecord]
) -> None:
    server.answer = hangs
    call = asyncio.create_task(client.get_deployment(KEY, NAME))
    await server.received(1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    server.answer = DEPLOYMENT

    assert (await client.get_deployment(KEY, NAME)).name == NAME
    assert [r.code for r in records] == ["Cancelled", "200"]


async def test_a_record_names_operation_and_account(
    client: FireworksClient, server: RawServer, records: list[RequestRecord]
) -> None:
    await client.list_accounts(KEY)
    await client.list_deployments(KEY, "acme")

    assert [(r.operation, r.account) for r in records] == [("list_accounts", ""), ("list_deployments", "acme")]
    assert all(0 < r.seconds < 5 for r in records)
