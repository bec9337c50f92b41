"""Routers: made and changed on the virtual clock, one name for several deployments of a model."""

from collections import Counter
from collections.abc import Callable

import pytest

from fireworks_simulator.testing import SimulatorClient
from fireworks_simulator.wire import JsonObject
from tests.simulator.api import LLAMA, Api

ROUTER = "accounts/acme/routers/front"
OTHER_MODEL = "accounts/fireworks/models/llama-v3p2-3b-instruct"


def name(deployment_id: str) -> str:
    return f"accounts/acme/deployments/{deployment_id}"


def deploy(api: Api, sim: SimulatorClient, **replicas: int) -> None:
    """Deployments that serve with so many replicas each."""
    for deployment_id, count in replicas.items():
        api.create(deployment_id, minReplicaCount=count, maxReplicaCount=count)
    sim.advance(60)


def route(api: Api, *deployments: str, **fields: object) -> JsonObject:
    body = {"deployments": [name(each) for each in deployments], **fields}
    return api.value("POST", "/routers", body, routerId="front")


def served(api: Api, requests: int) -> Counter[str]:
    """How many of some requests to the router each deployment answered."""
    answers = [api.chat(ROUTER) for _ in range(requests)]
    assert {answer.status_code for answer in answers} == {200}
    return Counter(answer.headers["fireworks-deployment"].rsplit("/", 1)[-1] for answer in answers)


def test_create_get_list_delete(api: Api, sim: SimulatorClient) -> None:
    deploy(api, sim, one=1)
    made = route(api, "one", displayName="Front")
    assert made == {
        "name": ROUTER,
        "displayName": "Front",
        "deployments": [name("one")],
        "weightedRandom": {},
        "state": "CREATING",
        "status": {"code": "OK", "message": ""},
        "createTime": made["createTime"],
        "createdBy": "acme-key-1@acme.example.com",
    }
    assert api.chat(ROUTER).status_code == 404, "it serves nothing yet"
    sim.advance(5)
    found = api.value("GET", "/routers/front")
    assert found == {**made, "state": "READY"}
    assert api.value("GET", "/routers") == {"routers": [found], "nextPageToken": "", "totalSize": 1}
    assert api.chat(ROUTER).status_code == 200
    assert api.value("DELETE", "/routers/front") == {}
    assert api.send("GET", "/routers/front").json()["code"] == 5
    assert api.chat(ROUTER).status_code == 404
    assert api.get("one")["state"] == "READY"


def test_requests_are_split_by_ready_replicas(api: Api, sim: SimulatorClient) -> None:
    deploy(api, sim, one=3, two=1)
    api.create("starting", minReplicaCount=8, maxReplicaCount=8)
    route(api, "one", "two", "starting")
    sim.advance(5)
    counts = served(api, 400)
    assert counts.keys() == {"one", "two"}
    assert 250 <= counts["one"] <= 350, "about three quarters"


def test_an_even_load_is_exact(api: Api, sim: SimulatorClient) -> None:
    deploy(api, sim, one=3, two=1)
    route(api, "one", "two", evenLoad={})
    sim.advance(5)
    assert served(api, 40) == {"one": 30, "two": 10}


def test_a_change_takes_effect_without_a_gap(api: Api, sim: SimulatorClient) -> None:
    deploy(api, sim, blue=1, green=1)
    route(api, "blue")
    sim.advance(5)
    body = {"deployments": [name("green")], "evenLoad": {}}
    changed = api.value("PATCH", "/routers/front", body, updateMask="deployments,even_load")
    assert (changed["state"], changed["deployments"]) == ("UPDATING", [name("green")])
    assert (changed.get("evenLoad"), changed.get("weightedRandom")) == ({}, None)
    assert served(api, 5) == {"blue": 5}
    sim.advance(5)
    assert api.value("GET", "/routers/front")["state"] == "READY"
    assert served(api, 5) == {"green": 5}


def test_only_what_the_mask_names_is_changed(api: Api, sim: SimulatorClient) -> None:
    deploy(api, sim, one=1)
    made = route(api, "one", displayName="Front")
    sim.advance(5)
    same = api.value("PATCH", "/routers/front", {"displayName": "Front"}, updateMask="display_name")
    assert same == {**made, "state": "READY"}
    changed = api.value("PATCH", "/routers/front", {"displayName": "Door"})
    assert (changed["displayName"], changed["deployments"]) == ("Door", [name("one")])


def test_what_is_asleep_wakes_up(api: Api, sim: SimulatorClient) -> None:
    api.create("one", autoscalingPolicy={"scaleToZeroWindow": "300s"})
    sim.advance(60 + 300)
    route(api, "one")
    sim.advance(5)
    assert api.chat(ROUTER).json()["error"]["code"] == "DEPLOYMENT_SCALING_UP"
    sim.advance(60)
    assert served(api, 1) == {"one": 1}


def test_a_deleted_deployment_gets_no_requests(api: Api, sim: SimulatorClient) -> None:
    deploy(api, sim, one=1, two=1)
    route(api, "one", "two")
    sim.advance(5)
    api.delete("two")
    assert served(api, 10) == {"one": 10}
    assert api.value("GET", "/routers/front")["deployments"] == [name("one"), name("two")]
    sim.fail("one")
    assert api.chat(ROUTER).status_code == 404


@pytest.mark.parametrize(
    ("body", "query", "code", "message"),
    [
        ({}, {}, 3, "deployments is required"),
        ({"deployments": [name("none")]}, {}, 5, f"deployment {name('none')} not found"),
        ({"deployments": ["one"]}, {}, 5, "deployment one not found"),
        ({"deployments": [name("one"), name("pinned")]}, {}, 3, f"deployment {name('pinned')} is not a multi-region"),
        ({"deployments": [name("one"), name("other")]}, {}, 3, "deployments of a router must have the same base model"),
        ({"deployments": [name("one")], "model": OTHER_MODEL}, {}, 3, f"model {OTHER_MODEL} is not deployed"),
        ({"deployments": [name("one")], "evenLoad": {}, "weightedRandom": {}}, {}, 3, "proto:"),
        ({"deployments": [name("one")], "oops": 1}, {}, 3, "proto:"),
        ({"deployments": [name("one")], "displayName": "x" * 64}, {}, 3, "display_name must be fewer"),
        ({"deployments": [name("one")]}, {"routerId": "Bad"}, 3, 'invalid router id "Bad"'),
        ({"deployments": [name("one")]}, {"routerId": "taken"}, 6, "router accounts/acme/routers/taken already exists"),
    ],
)
def test_routers_that_are_refused(
    api: Api, sim: SimulatorClient, body: dict[str, object], query: dict[str, str], code: int, message: str
) -> None:
    deploy(api, sim, one=1)
    api.create("pinned", placement={"region": "US_IOWA_1"})
    api.create("other", baseModel=OTHER_MODEL)
    api.value("POST", "/routers", {"deployments": [name("one")], "model": LLAMA}, routerId="taken")
    answer = api.send("POST", "/routers", body, **query)
    assert answer.json()["code"] == code
    assert str(answer.json()["message"]).startswith(message)


def test_generated_routers_are_read_only(api: Api, sim: SimulatorClient) -> None:
    deploy(api, sim, one=1)
    sim.add_router("front", ["one"])
    sim.advance(5)
    assert api.value("GET", "/routers/front")["autoGenerated"] is True
    assert served(api, 1) == {"one": 1}
    for answer in (api.send("PATCH", "/routers/front", {"displayName": "x"}), api.send("DELETE", "/routers/front")):
        assert (answer.status_code, answer.json()["code"]) == (400, 9)


def test_only_public_routers_answer_to_other_accounts(
    api: Api, sim: SimulatorClient, login: Callable[..., Api]
) -> None:
    sim.add_account("globex", "fw_globex")
    deploy(api, sim, one=1)
    route(api, "one")
    sim.advance(5)
    other = login("fw_globex", "globex")
    assert other.chat(ROUTER).status_code == 404
    api.value("PATCH", "/routers/front", {"public": True})
    assert other.chat(ROUTER).status_code == 200
