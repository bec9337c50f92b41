"""LIST of deployments: pages, filters, order, masks, and how lists lie."""

import time

import pytest

from fireworks_simulator.testing import SimulatorClient
from tests.simulator.api import LLAMA, Api


def walk(api: Api, **query: str) -> list[list[str]]:
    """Ids page by page, until there is no token."""
    pages, token = [], ""
    while True:
        value = api.value("GET", "/deployments", pageToken=token, **query)
        assert isinstance(value["deployments"], list)
        pages.append([str(d["name"]).rsplit("/", 1)[-1] for d in value["deployments"] if isinstance(d, dict)])
        token = str(value["nextPageToken"])
        if not token or len(pages) > 20:
            return pages


@pytest.mark.parametrize(
    ("size", "pages", "reason"),
    [
        ("", [50, 50, 50, 50, 5], "50 is the default"),
        ("0", [50, 50, 50, 50, 5], "0 means the default"),
        ("100", [100, 100, 5], "what is asked for"),
        ("200", [200, 5], "200 is the limit"),
        ("1000", [200, 5], "more counts as 200"),
    ],
)
def test_pages(api: Api, sim: SimulatorClient, size: str, pages: list[int], reason: str) -> None:
    sim.create_foreign(205)
    found = walk(api, pageSize=size)
    assert [len(page) for page in found] == pages, reason
    assert [name for page in found for name in page] == [f"foreign-{n}" for n in range(205)]


def test_total_size_counts_all_pages(api: Api, sim: SimulatorClient) -> None:
    sim.create_foreign(3)
    api.delete("foreign-0")
    sim.advance(10)
    assert api.value("GET", "/deployments", pageSize="1")["totalSize"] == 2
    assert api.value("GET", "/deployments", pageSize="1", showDeleted="true")["totalSize"] == 3


def test_an_empty_list_is_an_empty_list(api: Api) -> None:
    assert api.value("GET", "/deployments") == {"deployments": [], "nextPageToken": "", "totalSize": 0}


def test_deletions_between_pages_skip_nothing(api: Api, sim: SimulatorClient) -> None:
    sim.create_foreign(6)
    first = api.value("GET", "/deployments", pageSize="3")
    sim.vanish("foreign-0")
    assert api.listed(pageSize="3", pageToken=str(first["nextPageToken"])) == ["foreign-3", "foreign-4", "foreign-5"]


@pytest.mark.parametrize("changed", [{"filter": 'state="READY"'}, {"orderBy": "name"}, {"showDeleted": "true"}])
def test_other_parameters_must_stay_the_same_between_pages(
    api: Api, sim: SimulatorClient, changed: dict[str, str]
) -> None:
    sim.create_foreign(2)
    token = str(api.value("GET", "/deployments", pageSize="1")["nextPageToken"])
    refused = api.send("GET", "/deployments", pageSize="1", pageToken=token, **changed)
    assert (refused.status_code, refused.json()["code"]) == (400, 3)


@pytest.mark.parametrize("query", [{"pageToken": "oops"}, {"pageToken": "e30"}, {"pageSize": "-1"}, {"pageSize": "x"}])
def test_nonsense_in_page_parameters_is_400(api: Api, query: dict[str, str]) -> None:
    assert api.send("GET", "/deployments", **query).json()["code"] == 3


@pytest.mark.parametrize(
    ("text", "found", "reason"),
    [
        ('state="READY"', ["foreign-0"], "by state"),
        ("state=CREATING", ["chat"], "quotes may be left out"),
        ('state!="READY"', ["chat"], "inequality"),
        (f'base_model="{LLAMA}" AND display_name="Chat"', ["chat"], "both must hold, in snake_case"),
        (f'baseModel="{LLAMA}"', ["foreign-0", "chat"], "camelCase does too"),
        ('autoscaling_policy.scale_up_window="45s"', ["chat"], "fields of messages"),
        ("min_replica_count=1", ["foreign-0"], "numbers as text"),
        ('display_name=""', ["foreign-0"], "a missing field is empty"),
        ('state="READY" OR state=CREATING', ["foreign-0", "chat"], "one of them must hold"),
        ("min_replica_count=1 AND state=FAILED OR state=READY", ["foreign-0"], "OR binds more tightly"),
        ('NOT (display_name="Chat" AND state=CREATING)', ["foreign-0"], "the opposite, of all of it"),
        ("min_replica_count>0", ["foreign-0"], "numbers by size"),
        ("min_replica_count<=0", ["chat"], "a missing number is 0"),
        ('display_name>="B"', ["chat"], "texts by letter"),
        ('base_model:"llama"', ["foreign-0", "chat"], "a part of a text"),
        ("display_name:*", ["chat"], "anything"),
    ],
)
def test_filters(api: Api, sim: SimulatorClient, text: str, found: list[str], reason: str) -> None:
    sim.create_foreign(1)
    sim.advance(1)
    api.create(displayName="Chat", autoscalingPolicy={"scaleUpWindow": "45s"})
    assert api.listed(filter=text) == found, reason


@pytest.mark.parametrize(
    "text",
    ["oops", 'nothing="x"', 'state="READY" OR', 'state="READY" AND', 'annotations="x"', "(a=b)", "(state=A", "x<y"],
)
def test_filters_that_are_refused(api: Api, text: str) -> None:
    assert api.send("GET", "/deployments", filter=text).json()["code"] == 3


def test_orders(api: Api, sim: SimulatorClient) -> None:
    for name in ("b", "a", "c"):
        api.create(name)
        sim.advance(1)
    assert api.listed() == ["b", "a", "c"]
    assert walk(api, orderBy="create_time desc", pageSize="2") == [["c", "a"], ["b"]]
    assert walk(api, orderBy="name", pageSize="2") == [["a", "b"], ["c"]]
    assert walk(api, orderBy="name desc", pageSize="2") == [["c", "b"], ["a"]]
    api.patch({"displayName": "x"}, "display_name", "b")
    assert walk(api, orderBy="display_name desc,create_time desc", pageSize="2") == [["b", "c"], ["a"]]
    assert api.listed(order_by="create_time") == ["b", "a", "c"]
    assert api.send("GET", "/deployments", orderBy="name downwards").json()["code"] == 3
    assert api.send("GET", "/deployments", orderBy="size").json()["code"] == 3


def test_read_masks(api: Api) -> None:
    api.create(displayName="Chat")
    expected = {"name": "accounts/acme/deployments/chat", "displayName": "Chat"}
    assert api.value("GET", "/deployments/chat", readMask="name,display_name") == expected
    assert api.value("GET", "/deployments", readMask="name,displayName")["deployments"] == [expected]
    assert api.value("GET", "/deployments/chat", readMask="*") == api.get()
    assert api.send("GET", "/deployments/chat", readMask="oops").json()["code"] == 3


def test_undelete_puts_a_deployment_back_into_its_place(api: Api, sim: SimulatorClient) -> None:
    for name in ("a", "b", "c"):
        api.create(name)
        sim.advance(1)
    api.delete("b")
    sim.advance(10)
    api.value("POST", "/deployments/b:undelete", {})
    assert api.listed() == ["a", "b", "c"]


def test_a_stale_list_shows_the_past(api: Api, sim: SimulatorClient) -> None:
    api.create("old")
    sim.advance(100)
    api.create("new")
    api.patch({"displayName": "renamed"}, "display_name", "old")
    fault = sim.fault("stale_list", seconds=50)
    listed = api.value("GET", "/deployments")["deployments"]
    assert isinstance(listed, list)
    assert [(d["name"], d.get("displayName")) for d in listed if isinstance(d, dict)] == [
        ("accounts/acme/deployments/old", None)
    ]
    assert api.get("new")["state"] == "CREATING"
    sim.clear_fault(fault)
    assert api.listed() == ["old", "new"]


def test_a_stale_list_still_shows_what_was_deleted_since(api: Api, sim: SimulatorClient) -> None:
    api.create()
    sim.advance(100)
    api.delete(hard="true")
    sim.advance(20)
    assert api.listed() == []
    sim.fault("stale_list", seconds=60)
    listed = api.value("GET", "/deployments")["deployments"]
    assert isinstance(listed, list)
    assert [d["state"] for d in listed if isinstance(d, dict)] == ["READY"]


def test_a_page_of_a_thousand_takes_a_few_milliseconds(api: Api, sim: SimulatorClient) -> None:
    sim.create_foreign(1000)
    walk(api, pageSize="200")
    started = time.perf_counter()
    for _ in range(4):
        assert len(walk(api, pageSize="200")) == 5
    assert (time.perf_counter() - started) / 20 < 0.1
