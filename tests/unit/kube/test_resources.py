"""Lists of resources: whole or not at all, and a missing CRD is said so."""

from collections.abc import Mapping
from typing import Any

import pytest

from fireworks_operator.kube.client import KubernetesForbiddenError, KubernetesRefusedError
from fireworks_operator.kube.resources import (
    STARTS_WITHIN,
    CrdMissingError,
    collection_path,
    ensure_served,
    list_resources,
    resource_path,
)
from fireworks_operator.ports import KubernetesUnavailableError, ResourceGoneError
from testkit.virtual.loop import run
from tests.unit.kube.scripted_server import Call, FakeClient

Answer = Mapping[str, Any] | Exception


def in_turn(*answers: Answer) -> FakeClient:
    """Return a client that gives these answers one after another."""
    rest = list(answers)

    async def answer(call: Call) -> Mapping[str, Any]:
        given = rest.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    return FakeClient(answer)


def page(*names: str, token: str | None = None, version: str = "7") -> Mapping[str, Any]:
    metadata = {"resourceVersion": version} | ({} if token is None else {"continue": token})
    return {"metadata": metadata, "items": [{"metadata": {"name": name}} for name in names]}


EXPIRED = KubernetesRefusedError("expired", status=410)


async def test_all_pages_make_one_list() -> None:
    client = in_turn(page("a", "b", token="t1"), page("c", token="t2"), page("d"))
    items, version = await list_resources(client, "team")
    assert [item["metadata"]["name"] for item in items] == ["a", "b", "c", "d"]
    assert version == "7"
    assert [call.query.get("continue") for call in client.calls] == [None, "t1", "t2"]
    assert {call.query["limit"] for call in client.calls} == {"500"}
    assert {call.path for call in client.calls} == {collection_path("team")}


async def test_a_list_that_expires_between_pages_is_read_from_the_start() -> None:
    client = in_turn(page("a", token="t1"), EXPIRED, page("b", token="t2", version="9"), page("c", version="9"))
    items, version = await list_resources(client)
    assert [item["metadata"]["name"] for item in items] == ["b", "c"]
    assert version == "9"


async def test_a_list_that_always_expires_is_no_list() -> None:
    answers: list[Mapping[str, Any] | Exception] = [page("a", token="t"), EXPIRED]
    client = in_turn(*answers * 4)
    with pytest.raises(KubernetesUnavailableError, match="expires faster"):
        await list_resources(client)
    assert len(client.calls) == 8


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (KubernetesUnavailableError("503"), "a part must never be taken for the whole"),
        (KubernetesForbiddenError("403"), "a permission may go in the middle, too"),
        (KubernetesRefusedError("400", status=400), "a bad token does not get better"),
    ],
)
async def test_a_list_with_a_failed_page_is_no_list(failure: Exception, reason: str) -> None:
    with pytest.raises(type(failure)):
        await list_resources(in_turn(page("a", token="t"), failure))


async def test_a_list_without_the_crd_says_how_to_install_it() -> None:
    with pytest.raises(CrdMissingError, match=r"fireworksdeployments\.fireworks\.ai is not installed.*kubectl apply"):
        await list_resources(in_turn(ResourceGoneError("404")))


async def test_the_kind_is_served_when_each_namespace_can_be_listed() -> None:
    client = in_turn(page(), page())
    await ensure_served(client, ["a", "b"])
    assert [call.path for call in client.calls] == [collection_path("a"), collection_path("b")]
    everywhere = in_turn(page())
    await ensure_served(everywhere)
    assert [call.path for call in everywhere.calls] == [collection_path(None)]


def test_a_missing_crd_is_no_start() -> None:
    client = in_turn(*[ResourceGoneError("404")] * 20)
    with pytest.raises(CrdMissingError, match="kubectl apply"):
        run(ensure_served(client))
    assert len(client.calls) == 1 + STARTS_WITHIN / 2, "every two seconds"


def test_an_api_server_that_starts_may_not_know_the_kind_yet() -> None:
    client = in_turn(page(), ResourceGoneError("404"), ResourceGoneError("404"), page())
    run(ensure_served(client, ["a", "b"]))
    assert [call.path for call in client.calls] == [collection_path("a"), *[collection_path("b")] * 3]


async def test_one_namespace_without_permission_is_no_start() -> None:
    with pytest.raises(KubernetesForbiddenError):
        await ensure_served(in_turn(page(), KubernetesForbiddenError("403")), ["a", "b"])


def test_a_name_cannot_leave_its_place_in_the_path() -> None:
    assert resource_path("a/b", "../c?d", "status").endswith("/namespaces/a%2Fb/fireworksdeployments/..%2Fc%3Fd/status")
