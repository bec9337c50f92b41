"""Each kind of fault, as a client on a real socket meets it, and what the service did meanwhile."""

import http.client
import socket
import time
import urllib.parse
from collections.abc import Callable

import httpx
import pytest

from fireworks_simulator.app import Simulator
from fireworks_simulator.faults import FaultKind
from fireworks_simulator.testing import SimulatorClient, SimulatorError
from tests.simulator.api import H100, LLAMA, SHAPELESS, Api

CREATE = {"method": "POST", "path": "/deployments$"}
BODY = {"baseModel": LLAMA, "acceleratorType": H100}


def raw_create(sim: SimulatorClient, timeout: float = 10.0) -> bytes:
    """POST a deployment over a bare socket; everything that comes back until the connection ends."""
    parts = urllib.parse.urlsplit(sim.url)
    body = httpx.Request("POST", "http://x", json=BODY).content
    head = (
        "POST /v1/accounts/acme/deployments?deploymentId=chat&acceptShapelessRisk=true HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer fw_simulator\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    received = b""
    with socket.create_connection((str(parts.hostname), parts.port or 80), timeout=timeout) as connection:
        connection.sendall(head.encode() + body)
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except ConnectionResetError:
            pass
    return received


def post(api: Api) -> httpx.Response:
    return api.send("POST", "/deployments", BODY, deploymentId="chat", **SHAPELESS)


def exists(sim: SimulatorClient) -> bool:
    return [d["name"] for d in sim.deployments()] == ["accounts/acme/deployments/chat"]


def test_a_connection_dropped_before_commit_leaves_nothing(sim: SimulatorClient) -> None:
    sim.fault("drop_before_commit", match=CREATE, times=1)
    assert raw_create(sim) == b""
    assert not exists(sim)
    entry = sim.journal()[-1]
    assert (entry.status, entry.committed, entry.fault) == (0, False, "fault-1")


def test_a_connection_dropped_after_commit_leaves_a_deployment(sim: SimulatorClient, api: Api) -> None:
    sim.fault("drop_after_commit", match=CREATE, times=1)
    assert raw_create(sim) == b""
    assert exists(sim)
    assert sim.journal()[-1].committed
    assert post(api).json()["code"] == 6


def test_a_dropped_connection_is_a_protocol_error_to_an_http_client(sim: SimulatorClient, api: Api) -> None:
    sim.fault("drop_after_commit", match=CREATE, times=1)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        post(api)
    assert exists(sim)


def test_a_hanging_request_never_commits(sim: SimulatorClient) -> None:
    sim.fault("hang", match=CREATE, times=1)
    with pytest.raises(TimeoutError):
        raw_create(sim, timeout=0.2)
    assert not exists(sim)


def test_a_late_commit_happens_after_the_client_gave_up(sim: SimulatorClient, api: Api) -> None:
    sim.fault("late_commit", match=CREATE, times=1, seconds=1)
    with pytest.raises(TimeoutError):
        raw_create(sim, timeout=0.1)
    assert not exists(sim)
    sim.wait_for(lambda: exists(sim))
    assert post(api).json()["code"] == 6


def test_half_a_body(sim: SimulatorClient) -> None:
    sim.fault("truncate_body", match=CREATE, times=1)
    head, _, body = raw_create(sim).partition(b"\r\n\r\n")
    length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length"))
    assert head.startswith(b"HTTP/1.1 200")
    assert 0 < len(body) < int(length.split(b":")[1])
    assert exists(sim)


def test_half_a_body_is_an_error_to_an_http_client(sim: SimulatorClient, api: Api) -> None:
    api.create()
    sim.fault("truncate_body", match={"method": "GET"})
    with pytest.raises(httpx.RemoteProtocolError):
        api.send("GET", "/deployments/chat")


def test_latency_adds_up_and_then_the_service_answers(sim: SimulatorClient, api: Api) -> None:
    sim.fault("latency", match=CREATE, seconds=0.1)
    sim.fault("latency", match=CREATE, seconds=0.15)
    started = time.perf_counter()
    assert post(api).status_code == 200
    assert time.perf_counter() - started >= 0.25


@pytest.mark.parametrize(
    ("kind", "action", "status", "content_type", "text"),
    [
        ("status", {"code": "INTERNAL", "message": "boom"}, 500, "application/json", '"message":"boom"'),
        ("status", {"code": "UNAVAILABLE"}, 503, "application/json", '"code":14'),
        ("status", {"status": 418, "body": "teapot", "contentType": "text/plain"}, 418, "text/plain", "teapot"),
        ("plain_404", {}, 404, "text/plain", "fault filter abort"),
        ("html_404", {}, 404, "text/html", "<h1>Not Found</h1>"),
        ("html_502", {}, 502, "text/html", "<h1>Bad gateway</h1>"),
        ("rate_limit", {}, 429, "application/json", "Rate limit exceeded"),
    ],
)
def test_answers_in_place_of_the_services(
    sim: SimulatorClient, api: Api, kind: str, action: dict[str, object], status: int, content_type: str, text: str
) -> None:
    sim.call("POST", "/faults", {"match": CREATE, "action": {"kind": kind, **action}})
    answer = post(api)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith(content_type)
    assert text in answer.text
    assert not exists(sim)


@pytest.mark.parametrize(("kind", "status"), [("rate_limit", 429), ("status", 503)])
def test_retry_after_comes_if_asked_for(sim: SimulatorClient, api: Api, kind: str, status: int) -> None:
    sim.fault(kind, times=1, retryAfter=7)
    sim.fault(kind)
    answers = [api.send("GET", "/deployments") for _ in range(2)]
    assert [a.status_code for a in answers] == [status, status]
    assert [a.headers.get("retry-after") for a in answers] == ["7", None]


@pytest.mark.parametrize("kind", ["wrong_json", "wrong_content_type"])
def test_answers_that_are_not_what_they_say(sim: SimulatorClient, api: Api, kind: str) -> None:
    sim.fault(kind, match=CREATE)
    answer = post(api)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(
        "text/html" if kind == "wrong_content_type" else "application/json"
    )
    assert answer.text.startswith("<<" if kind == "wrong_json" else "{")
    assert exists(sim)


def test_omitted_from_the_list_but_not_gone(sim: SimulatorClient, api: Api) -> None:
    sim.create_foreign(3)
    sim.fault("omit_from_list", names=["foreign-0", "accounts/acme/deployments/foreign-2"])
    assert api.listed() == ["foreign-1"]
    assert api.get("foreign-0")["state"] == "READY"


def test_one_page_fails(sim: SimulatorClient, api: Api) -> None:
    sim.create_foreign(5)
    fault = sim.fault("fail_page", page=2)
    first = api.value("GET", "/deployments", pageSize="2")
    query = {"pageSize": "2", "pageToken": str(first["nextPageToken"])}
    assert api.send("GET", "/deployments", **query).status_code == 500
    sim.clear_fault(fault)
    assert api.listed(**query) == ["foreign-2", "foreign-3"]


def test_page_tokens_that_lead_back(sim: SimulatorClient, api: Api) -> None:
    sim.create_foreign(5)
    sim.fault("duplicate_page_token")
    token = ""
    for _ in range(3):
        value = api.value("GET", "/deployments", pageSize="2", pageToken=token)
        token = str(value["nextPageToken"])
        assert token
        assert api.listed(pageSize="2", pageToken=token) == ["foreign-0", "foreign-1"]


def test_a_patch_that_is_answered_but_ignored(sim: SimulatorClient, api: Api) -> None:
    before = api.create()
    sim.fault("ignore_patch", times=1)
    answer = api.patch({"displayName": "x"}, "display_name")
    assert (answer.status_code, answer.json()) == (200, before)
    assert api.patch({"displayName": "x"}, "display_name").json()["displayName"] == "x"


def test_times_after_and_order(sim: SimulatorClient, api: Api) -> None:
    rule = sim.fault("plain_404", match={"method": "GET"}, after=1, times=2)
    sim.fault("html_502", match={"method": "GET"}, after=4)
    statuses = [api.send("GET", "/deployments").status_code for _ in range(7)]
    assert statuses == [200, 404, 404, 200, 200, 200, 502]
    assert sim.fault_hits(rule) == 2


def test_probability_is_repeatable_by_seed(sim: SimulatorClient, api: Api) -> None:
    runs = []
    for _ in range(2):
        sim.reset()
        sim.fault("plain_404", probability=0.5)
        runs.append([api.send("GET", "/deployments").status_code for _ in range(30)])
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 404}


@pytest.mark.parametrize(
    "match",
    [
        {"method": "GET"},
        {"path": "deployments/ch.t$"},
        {"deployment": "chat"},
        {"account": "acme"},
        {"keyId": "acme-key-1"},
    ],
)
def test_rules_hit_only_what_they_match(
    sim: SimulatorClient, api: Api, login: Callable[..., Api], match: dict[str, str]
) -> None:
    sim.add_account("globex", "fw_globex")
    login("fw_globex", "globex").create("other")
    api.create()
    sim.fault("plain_404", match=match)
    assert api.send("GET", "/deployments/chat").status_code == 404
    assert login("fw_globex", "globex").delete("other").status_code == 200


def test_create_matches_a_deployment_by_its_future_id(sim: SimulatorClient, api: Api) -> None:
    sim.fault("plain_404", match={"deployment": "chat"})
    assert post(api).status_code == 404
    api.create("other")


def test_rules_can_be_cleared(sim: SimulatorClient, api: Api) -> None:
    sim.fault("plain_404")
    sim.fault("html_404")
    sim.clear_faults()
    assert api.send("GET", "/deployments").status_code == 200


@pytest.mark.parametrize("body", [{"kind": "oops"}, {"kind": "status", "code": "OOPS"}, {"kind": "hang", "extra": 1}])
def test_rules_that_make_no_sense_are_refused(sim: SimulatorClient, body: dict[str, object]) -> None:
    with pytest.raises(SimulatorError, match="400"):
        sim.call("POST", "/faults", {"action": body})


def test_the_admin_api_is_out_of_reach_of_faults(sim: SimulatorClient) -> None:
    sim.fault("drop_before_commit")
    assert sim.deployments() == []


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE_COMMIT, FaultKind.TRUNCATE_BODY])
async def test_without_a_connection_a_drop_is_an_exception(kind: FaultKind) -> None:
    simulator = Simulator()
    transport = httpx.ASGITransport(app=simulator.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://simulator") as client:
        answer = await client.post("/_simulator/faults", json={"action": {"kind": kind.value}})
        assert answer.status_code == 200
        with pytest.raises(ConnectionResetError, match="dropped by a fault rule"):
            await client.get("/v1/accounts")


def test_a_dropped_connection_harms_no_other(sim: SimulatorClient, api: Api) -> None:
    parts = urllib.parse.urlsplit(sim.url)
    other = http.client.HTTPConnection(str(parts.hostname), parts.port or 80, timeout=10)
    headers = {"Authorization": "Bearer fw_simulator"}
    try:
        for _ in range(2):
            other.request("GET", "/v1/accounts", headers=headers)
            assert other.getresponse().read()
            sim.fault("drop_before_commit", match=CREATE, times=1)
            assert raw_create(sim) == b""
    finally:
        other.close()
