"""Quotas: those of a new account, those that a customer lowers, and what they refuse."""

from datetime import UTC, datetime

import pytest

from fireworks_simulator.testing import SimulatorClient
from fireworks_simulator.wire import JsonObject
from tests.simulator.api import H100, LLAMA, SHAPELESS, Api
from tests.simulator.money import DAY

STARTUP = 60


@pytest.fixture
def new_account(sim: SimulatorClient, api: Api) -> Api:
    sim.assume(quota_preset="new-account")
    return api


def create(api: Api, **fields: object) -> tuple[int, str]:
    """Status and message of a creation."""
    answer = api.send("POST", "/deployments", {"baseModel": LLAMA, "acceleratorType": H100, **fields}, **SHAPELESS)
    return answer.status_code, answer.json().get("message", "")


def quotas(api: Api) -> dict[str, JsonObject]:
    found = api.value("GET", "/quotas")["quotas"]
    assert isinstance(found, list)
    return {str(each["name"]).rsplit("/", 1)[-1]: each for each in found if isinstance(each, dict)}


def test_a_new_account_has_gpus_in_global_alone(new_account: Api, sim: SimulatorClient) -> None:
    assert create(new_account, acceleratorCount=8)[0] == 200
    assert create(new_account, acceleratorCount=1) == (
        429,
        "global--h100-count for account acme, in use: 8, quota: 8, requesting: 1",
    )
    assert create(new_account, acceleratorType="NVIDIA_H200_141GB", acceleratorCount=8)[0] == 200
    for placement, quota in (
        ({"multiRegion": "US"}, "us--h100-count"),
        ({"multiRegion": "EUROPE"}, "europe--h100-count"),
        ({"multiRegion": "CANADA"}, "canada--h100-count"),
        ({"region": "US_IOWA_1"}, "h100-us-iowa-1"),
        ({"regions": ["EU_FRANKFURT_1", "US_IOWA_1"]}, "h100-eu-frankfurt-1"),
    ):
        refused = create(new_account, placement=placement)
        assert refused == (429, f"{quota} for account acme, in use: 0, quota: 0, requesting: 1")
    assert create(new_account, placement={"region": "US_IOWA_1"}, maxReplicaCount=0)[0] == 200, "parked"


def test_what_a_new_account_has_is_listed(new_account: Api) -> None:
    create(new_account, acceleratorCount=4)
    found = quotas(new_account)
    h100 = found["global--h100-count"]
    assert (h100["value"], h100["maxValue"], h100["usage"]) == ("8", "8", 4.0)
    assert {"value", "maxValue", "usage"} & found["europe--h100-count"].keys() == set(), "zeros are left out"
    assert found["monthly-spend-usd"]["maxValue"] == "50"
    assert found["serverless-inference-rpm"]["value"] == "6000"


def test_by_default_there_is_no_limit(api: Api) -> None:
    assert create(api, placement={"region": "US_IOWA_1"}, acceleratorCount=8, minReplicaCount=9)[0] == 200
    assert quotas(api)["monthly-spend-usd"]["value"] == "1000000"


def test_growth_is_refused_however_it_is_asked_for(new_account: Api, sim: SimulatorClient) -> None:
    new_account.create(acceleratorCount=4, minReplicaCount=1, maxReplicaCount=3)
    sim.advance(STARTUP)
    message = "global--h100-count for account acme, in use: 0, quota: 8, requesting: 12"
    grown = new_account.patch({"minReplicaCount": 3}, "min_replica_count")
    assert (grown.status_code, grown.json()["message"]) == (429, message)
    scaled = new_account.send("PATCH", "/deployments/chat:scale", {"replicaCount": 3})
    assert (scaled.status_code, scaled.json()["message"]) == (429, message)
    assert new_account.send("PATCH", "/deployments/chat:scale", {"replicaCount": 2}).status_code == 200
    assert new_account.get()["desiredReplicaCount"] == 2


def test_a_customer_lowers_a_quota_and_raises_it_again(new_account: Api) -> None:
    path = "/quotas/global--h100-count"
    lowered = new_account.value("PATCH", path, {"value": "2"}, updateMask="value")
    assert (lowered["value"], lowered["maxValue"]) == ("2", "8")
    assert create(new_account, acceleratorCount=3)[1].endswith("in use: 0, quota: 2, requesting: 3")
    refused = new_account.send("PATCH", path, {"value": "9"})
    assert (refused.status_code, refused.json()["message"]) == (400, "value must be between 0 and max_value 8")
    assert new_account.send("PATCH", path, {"value": "-1"}).status_code == 400
    new_account.value("PATCH", path, {"value": "8"})
    assert create(new_account, acceleratorCount=3)[0] == 200
    none = new_account.value("PATCH", path, {"value": "0"})
    assert "value" not in none
    assert none["maxValue"] == "8"


@pytest.mark.parametrize("quota", ["nothing", "global--z9-count", "h100-mars-1"])
def test_there_are_no_other_quotas(api: Api, quota: str) -> None:
    assert api.send("GET", f"/quotas/{quota}").json()["code"] == 5
    assert api.send("PATCH", f"/quotas/{quota}", {"value": "1"}).json()["code"] == 5


def test_quotas_are_for_administrators_to_change(api: Api, sim: SimulatorClient) -> None:
    sim.add_key("fw_user", "user")
    answer = api.http.patch(
        f"{api.prefix}/quotas/global--h100-count", json={"value": "1"}, headers={"Authorization": "Bearer fw_user"}
    )
    assert answer.status_code == 403


def month_begins(sim: SimulatorClient) -> None:
    """Go on to the first day of the next month."""
    now = datetime.fromtimestamp(sim.now(), UTC)
    begin = now.replace(
        year=now.year + now.month // 12, month=now.month % 12 + 1, day=1, hour=0, minute=0, second=0, microsecond=0
    )
    sim.advance(begin.timestamp() - sim.now())


def test_a_spent_month_suspends_the_account(new_account: Api, sim: SimulatorClient) -> None:
    month_begins(sim)
    sim.advance(DAY - 3 * 3600 - STARTUP)
    new_account.create(minReplicaCount=1)
    sim.advance(STARTUP + 6 * 3600)
    assert quotas(new_account)["monthly-spend-usd"]["usage"] == 48.0
    assert new_account.send("GET", "/deployments").status_code == 200
    sim.advance(3600)
    suspended = new_account.send("GET", "/deployments")
    assert (suspended.status_code, "is suspended" in suspended.text) == (412, True)
    assert new_account.chat("accounts/acme/deployments/chat").status_code == 412
    sim.quota("monthly-spend-usd", 1000)
    assert new_account.send("GET", "/deployments").status_code == 200


def test_the_next_month_lifts_it_if_nothing_runs(new_account: Api, sim: SimulatorClient) -> None:
    month_begins(sim)
    new_account.create(minReplicaCount=1)
    sim.advance(STARTUP + 7 * 3600)
    sim.assume(suspension_blocks_control_plane=False)
    assert new_account.value("GET", "")["suspendState"] == "MONTHLY_SPEND_LIMIT_EXCEEDED"
    assert new_account.delete().status_code == 200
    sim.advance(DAY)
    month_begins(sim)
    assert new_account.value("GET", "")["suspendState"] == "UNSUSPENDED"


@pytest.mark.parametrize(
    "state", ["CREDIT_DEPLETED", "MONTHLY_SPEND_LIMIT_EXCEEDED", "FAILED_PAYMENTS", "BLOCKED_BY_ABUSE_RULE"]
)
def test_a_suspended_account_gets_412_everywhere(api: Api, sim: SimulatorClient, state: str) -> None:
    sim.suspend(state)
    answers = [
        api.send("GET", ""),
        api.send("GET", "/quotas"),
        api.send("GET", "/routers"),
        api.send("GET", "/billingUsage"),
        api.send("POST", "/deployments", {"baseModel": LLAMA}),
        api.chat("accounts/acme/deployments/chat"),
    ]
    assert {answer.status_code for answer in answers} == {412}
    sim.suspend("UNSUSPENDED")
    assert api.value("GET", "")["suspendState"] == "UNSUSPENDED"
