"""Delete, the week of a deleted deployment, undelete, and the checks before."""

from datetime import datetime, timedelta

import pytest

from fireworks_simulator.testing import SimulatorClient
from tests.simulator.api import Api, state_of

DAY = 86_400


def test_delete_is_soft_and_keeps_the_id_for_a_week(api: Api, sim: SimulatorClient) -> None:
    api.create(minReplicaCount=2)
    sim.advance(60)
    assert api.delete().json() == {}
    assert state_of(api.get()) == ("DELETING", 0)
    assert api.listed() == ["chat"]
    sim.advance(10)
    gone = api.get()
    assert (gone["state"], gone["status"]) == ("DELETED", {"code": "OK", "message": ""})
    assert (gone["minReplicaCount"], gone["maxReplicaCount"]) == (2, 2)
    deleted, purged = (datetime.fromisoformat(str(gone[name])) for name in ("deleteTime", "purgeTime"))
    assert purged - deleted == timedelta(days=7)
    assert api.listed() == []
    assert api.listed(showDeleted="true") == ["chat"]
    sim.advance(7 * DAY)
    assert api.send("GET", "/deployments/chat").status_code == 404
    assert api.create()["state"] == "CREATING"


def test_hard_delete_frees_the_id(api: Api, sim: SimulatorClient) -> None:
    api.create()
    assert api.delete(hard="true").status_code == 200
    assert api.get()["state"] == "DELETING"
    sim.advance(10)
    assert api.send("GET", "/deployments/chat").status_code == 404
    api.create()


def test_a_soft_deleted_one_can_be_deleted_hard(api: Api, sim: SimulatorClient) -> None:
    api.create()
    api.delete()
    sim.advance(10)
    assert api.delete(hard="true", ignoreChecks="true").status_code == 200
    sim.advance(10)
    api.create()


def test_hard_delete_overtakes_a_soft_one_on_its_way(api: Api, sim: SimulatorClient) -> None:
    api.create()
    api.delete()
    api.delete(hard="true")
    sim.advance(10)
    assert api.send("GET", "/deployments/chat").status_code == 404


def test_a_deleted_one_is_404_to_a_second_delete_and_refuses_changes(api: Api, sim: SimulatorClient) -> None:
    api.create()
    api.delete()
    sim.advance(10)
    assert api.delete().json()["code"] == 5
    assert api.patch({"displayName": "x"}, "display_name").json()["code"] == 9
    assert api.send("PATCH", "/deployments/chat:scale", {"replicaCount": 1}).json()["code"] == 9


def test_undelete_starts_again(api: Api, sim: SimulatorClient) -> None:
    api.create(minReplicaCount=1, displayName="Chat")
    sim.advance(60)
    api.delete()
    sim.advance(DAY)
    back = api.value("POST", "/deployments/chat:undelete", {})
    assert (back["state"], back["displayName"]) == ("CREATING", "Chat")
    assert "deleteTime" not in back
    assert "purgeTime" not in back
    assert api.listed() == ["chat"]
    sim.advance(60)
    assert state_of(api.get()) == ("READY", 1)
    sim.advance(8 * DAY)
    assert state_of(api.get()) == ("READY", 1)


def test_undelete_also_revives_a_failed_one_but_no_other(api: Api, sim: SimulatorClient) -> None:
    api.create()
    refused = api.send("POST", "/deployments/chat:undelete", {})
    assert (refused.status_code, refused.json()["code"]) == (400, 9)
    sim.fail("chat")
    assert api.value("POST", "/deployments/chat:undelete")["status"] == {"code": "OK", "message": ""}


def test_undelete_respects_the_quota(api: Api, sim: SimulatorClient) -> None:
    api.create()
    api.delete()
    sim.advance(10)
    sim.quota("global--h100-count", 0)
    assert api.send("POST", "/deployments/chat:undelete", {}).json()["code"] == 8


@pytest.mark.parametrize(("seconds_ago", "status"), [(3599, 400), (3600, 200)])
def test_traffic_counts_for_an_hour(api: Api, sim: SimulatorClient, seconds_ago: float, status: int) -> None:
    api.create()
    sim.traffic("chat", seconds_ago)
    assert api.delete().status_code == status


def test_ignore_checks_deletes_what_is_in_use(api: Api, sim: SimulatorClient) -> None:
    api.create()
    sim.load("chat", 1)
    assert api.delete().status_code == 400
    assert api.delete(ignoreChecks="true").status_code == 200


def test_the_default_deployment_goes_last(api: Api, sim: SimulatorClient) -> None:
    api.create("first")
    api.create("second")
    refused = api.delete("first")
    assert (refused.status_code, refused.json()["code"]) == (400, 9)
    assert "cannot delete a default deployment" in refused.json()["message"]
    assert api.delete("second").status_code == 200
    assert api.delete("first").status_code == 200


def test_another_default_lets_the_first_go(api: Api, sim: SimulatorClient) -> None:
    model = str(api.create("first")["baseModel"])
    api.create("second")
    sim.advance(60)
    body = {"model": model, "deployment": "accounts/acme/deployments/second", "default": True}
    assert api.value("POST", "/deployedModels", body)["default"] is True
    assert api.delete("first").status_code == 200
    assert api.delete("second").status_code == 200


def test_without_auto_deploy_there_is_no_default(api: Api) -> None:
    api.create("first", {"disableAutoDeploy": "true"})
    assert api.value("GET", "/deployedModels")["deployedModels"] == []
    api.create("second")
    assert api.delete("first").status_code == 200
