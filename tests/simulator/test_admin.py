"""The journal, the clock and what the admin API does behind the service's back."""

import json

import httpx
import pytest

from fireworks_simulator.app import Simulator, running
from fireworks_simulator.settings import AccountSettings, Settings
from fireworks_simulator.testing import SimulatorClient, SimulatorError
from tests.simulator.api import H100, LLAMA, SHAPELESS, Api, state_of


def test_the_journal_records_every_request(sim: SimulatorClient, api: Api) -> None:
    api.http.headers["User-Agent"] = "my-operator/1.0"
    api.create()
    api.listed(pageSize="7")
    api.http.get("/v1/accounts", headers={"Authorization": "Bearer wrong"})
    create, listing, refused = sim.journal()
    assert (create.method, create.path, create.query) == (
        "POST",
        "/v1/accounts/acme/deployments",
        {"deploymentId": "chat", **SHAPELESS},
    )
    assert create.body == {"baseModel": LLAMA, "acceleratorType": H100}
    assert (create.status, create.committed, create.account, create.key_id) == (200, True, "acme", "acme-key-1")
    assert create.user_agent == "my-operator/1.0"
    assert listing.query == {"pageSize": "7"}
    assert [e.sequence for e in (create, listing, refused)] == [1, 2, 3]
    assert create.monotonic < listing.monotonic
    assert (refused.status, refused.committed, refused.key_id) == (401, False, "unknown")


def test_the_journal_can_be_searched(sim: SimulatorClient, api: Api) -> None:
    api.create()
    mark = sim.last_sequence()
    api.get()
    api.delete()
    assert [e.method for e in sim.journal(since=mark)] == ["GET", "DELETE"]
    assert [e.method for e in sim.journal(path="/deployments/chat$", method="GET")] == ["GET"]
    assert sim.journal(account="globex") == []
    assert len(sim.journal(account="acme")) == 3


def test_counts_go_by_route(sim: SimulatorClient, api: Api) -> None:
    for _ in range(3):
        api.send("GET", "/deployments/nothing")
    route = "GET /v1/accounts/{account}/deployments/{deployment}"
    counts = sim.counts()
    assert (counts["total"], counts["received"], counts["answered"]) == (3, {route: 3}, {f"{route} 404": 3})
    sim.clear_journal()
    assert (sim.counts()["total"], sim.last_sequence()) == (0, 3)


def test_the_journal_is_bounded(sim: SimulatorClient) -> None:
    with running(Settings(journal_size=3)) as small:
        for number in range(5):
            httpx.get(f"{small.url}/{number}")
        assert [e.path for e in small.journal()] == ["/2", "/3", "/4"]
        assert small.counts()["total"] == 5


@pytest.mark.parametrize("account", ["acmeInc", "Acme-2", "acme_inc", "acme.inc", "7"])
def test_an_account_that_the_command_line_takes_can_be_added_later_too(sim: SimulatorClient, account: str) -> None:
    assert AccountSettings(id=account).id == account
    sim.add_account(account, "fw_later")
    told = httpx.get(sim.url + "/v1/accounts", headers={"Authorization": "Bearer fw_later"}).json()
    assert [each["name"] for each in told["accounts"]] == [f"accounts/{account}"]


def test_no_key_appears_anywhere(sim: SimulatorClient, api: Api) -> None:
    sim.add_account("globex", "fw_secret")
    api.create()
    with httpx.Client(base_url=sim.url, headers={"Authorization": "Bearer fw_secret"}) as other:
        other.get("/v1/accounts", headers={"X-Api-Key": "fw_secret"})
    shown = json.dumps([sim.state(), sim.call("GET", "/journal"), sim.call("GET", "/accounts/globex/keys")])
    assert "globex-key-1" in shown
    assert "fw_secret" not in shown
    assert "fw_simulator" not in shown
    assert "fw_secret" not in repr(AccountSettings(api_key="fw_secret"))


def test_the_clock_moves_by_steps_or_by_itself(sim: SimulatorClient) -> None:
    before = sim.now()
    assert sim.now() == before
    sim.advance(3600)
    assert sim.now() == before + 3600
    sim.set_clock(speed=1_000_000, stepped=False)
    sim.wait_for(lambda: sim.now() > before + 10_000)
    sim.set_clock(stepped=True)
    assert sim.now() == sim.now()


def test_a_fast_clock_makes_deployments_ready(sim: SimulatorClient, api: Api) -> None:
    sim.set_clock(speed=1000, stepped=False)
    api.create()
    sim.wait_for(lambda: state_of(api.get()) == ("READY", 1))


@pytest.mark.parametrize("body", [{"seconds": -1}, {}, {"seconds": 1, "oops": 2}])
def test_the_clock_goes_forward_only(sim: SimulatorClient, body: dict[str, object]) -> None:
    with pytest.raises(SimulatorError, match="400"):
        sim.call("POST", "/clock/advance", body)


def test_reset_forgets_everything(sim: SimulatorClient, api: Api) -> None:
    api.create()
    sim.add_key("fw_second")
    sim.assume(leading_digit_ids=False)
    sim.fault("plain_404")
    sim.reset()
    assert sim.deployments() == []
    assert sim.counts()["total"] == 0
    assert api.listed() == []
    assert httpx.get(sim.url + "/v1/accounts", headers={"X-Api-Key": "fw_second"}).status_code == 401
    api.create("1st")


def test_somebody_edits_a_deployment(sim: SimulatorClient, api: Api) -> None:
    api.create(displayName="mine", minReplicaCount=1)
    sim.advance(60)
    sim.edit("chat", {"maxReplicaCount": 5, "annotations": {"custom/x": "y"}}, clear=["displayName"])
    found = api.get()
    assert (found["maxReplicaCount"], found["annotations"]) == (5, {"custom/x": "y"})
    assert "displayName" not in found
    assert api.value("GET", "/deployments")["deployments"] == [found]


def test_a_state_can_be_forced(sim: SimulatorClient, api: Api) -> None:
    api.create(minReplicaCount=2)
    sim.edit("chat", state="UPDATING", statusCode="UNAVAILABLE", statusMessage="busy", readyReplicas=1)
    found = api.get()
    assert (state_of(found), found["status"]) == (("UPDATING", 1), {"code": "UNAVAILABLE", "message": "busy"})
    sim.edit("chat", state="DELETED")
    assert api.listed() == []
    assert "purgeTime" in api.get()


def test_replicas_lose_their_nodes_and_wait_for_others(sim: SimulatorClient, api: Api) -> None:
    api.create(minReplicaCount=3)
    sim.advance(60)
    sim.edit("chat", stockedOut=True, lostReplicas=2)
    stats = {"readyReplicaCount": 1, "effectiveReplicaCount": 1.0, "pendingSchedulingReplicaCount": 2}
    assert (api.get()["replicaStats"], api.get()["desiredReplicaCount"]) == (stats, 3)
    sim.advance(3600)
    assert api.get()["replicaStats"] == stats, "there is no stock"
    sim.edit("chat", stockedOut=False)
    sim.advance(60)
    assert api.get()["replicaStats"] == {"readyReplicaCount": 3, "effectiveReplicaCount": 3.0}
    sim.edit("chat", lostReplicas=9)
    assert api.get()["replicaStats"] == {"pendingSchedulingReplicaCount": 3}
    assert api.get()["state"] == "READY"


@pytest.mark.parametrize("shown", ["SUSPENDED", "", 7])
def test_answers_can_name_a_state_that_nobody_knows(sim: SimulatorClient, api: Api, shown: str | int) -> None:
    api.create()
    sim.advance(60)
    sim.edit("chat", shownState=shown)
    assert api.get()["state"] == shown
    assert api.listed() == ["chat"]
    sim.edit("chat", state="READY")
    assert api.get()["state"] == "READY"


@pytest.mark.parametrize("fields", [{"oops": 1}, {"minReplicaCount": "x"}])
def test_edits_that_make_no_sense_are_refused(sim: SimulatorClient, api: Api, fields: dict[str, object]) -> None:
    api.create()
    with pytest.raises(SimulatorError, match="proto:"):
        sim.edit("chat", fields)
    with pytest.raises(SimulatorError, match="404"):
        sim.edit("nothing", {})
    with pytest.raises(SimulatorError, match="400"):
        sim.edit("chat", state="OOPS")


def test_somebody_deletes_a_deployment(sim: SimulatorClient, api: Api) -> None:
    api.create("one")
    api.create("two")
    sim.vanish("one")
    assert api.send("GET", "/deployments/one").status_code == 404
    sim.vanish("two", soft=True)
    assert api.get("two")["state"] == "DELETING"


def test_what_is_made_anew_under_an_id_is_not_purged_with_what_had_it_before(sim: SimulatorClient, api: Api) -> None:
    api.create("one")
    sim.vanish("one", soft=True)
    sim.advance(60.0)
    sim.vanish("one")
    api.create("one", minReplicaCount=1)
    sim.advance(8 * 86_400.0)
    assert api.get("one")["state"] == "READY"


def test_thousands_of_foreign_deployments(sim: SimulatorClient, api: Api) -> None:
    sim.create_foreign(20_000, prefix="other", displayName="foreign")
    assert api.value("GET", "/deployments", pageSize="1")["totalSize"] == 20_000
    found = api.get("other-19999")
    assert (state_of(found), found["displayName"]) == (("READY", 1), "foreign")


def test_models_are_readable_by_their_account_unless_public(sim: SimulatorClient, api: Api) -> None:
    sim.add_account("globex", "fw_globex")
    sim.add_model("accounts/globex/models/own", public=False)
    body = {"baseModel": "accounts/globex/models/own", "acceleratorType": H100}
    assert api.send("POST", "/deployments", body, **SHAPELESS).json()["code"] == 5
    sim.add_model("accounts/globex/models/own", state="UPLOADING")
    assert api.send("POST", "/deployments", body, **SHAPELESS).json()["message"].endswith("is not ready")
    sim.add_model("accounts/globex/models/own")
    assert api.send("POST", "/deployments", body, **SHAPELESS).status_code == 200


def test_several_accounts_from_the_start() -> None:
    accounts = (AccountSettings(id="one", api_key="k1"), AccountSettings(id="two", api_key="k2"))
    with running(Settings(accounts=accounts)) as client:
        names = [
            httpx.get(client.url + "/v1/accounts", headers={"X-Api-Key": key}).json()["accounts"][0]["name"]
            for key in ("k1", "k2")
        ]
    assert names == ["accounts/one", "accounts/two"]


async def test_without_admin_there_is_no_admin_api() -> None:
    transport = httpx.ASGITransport(app=Simulator(Settings(admin=False)).app)
    async with httpx.AsyncClient(transport=transport, base_url="http://simulator") as client:
        answer = await client.get("/_simulator/state")
        assert (answer.status_code, answer.text) == (404, "fault filter abort")


def test_waiting_gives_up(sim: SimulatorClient) -> None:
    with pytest.raises(TimeoutError):
        sim.wait_for(lambda: None, seconds=0.05)
