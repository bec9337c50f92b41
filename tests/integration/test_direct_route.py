"""A direct route on a real API server: its API keys come from a Secret, follow it, and are removed with the route."""

import pytest

from fireworks_simulator.testing import JournalEntry
from testkit.kubernetes_api import Json, condition, core_path
from testkit.team import Team

ROUTE = "route"
PLACE = {"region": "US_IOWA_1"}
DIRECT = {"type": "INTERNET", "apiKeysSecretRef": {"name": ROUTE, "keys": ["current"]}}
FIRST, SECOND = "route-key-of-the-first-day", "route-key-of-the-next-day"
NOTICED = 130.0
"""Seconds within which a change of the Secret is noticed: it is read every minute, and believed for one."""


def _keys(team: Team) -> list[str]:
    """Return the keys that Fireworks was sent last."""
    bodies = (each.body for each in team.writes() if isinstance(each.body, dict))
    sent = [each["directRouteApiKeys"] for each in bodies if "directRouteApiKeys" in each]
    return [str(key) for key in sent[-1]] if sent and isinstance(sent[-1], list) else []


def _masks(team: Team) -> list[set[str]]:
    patches: list[JournalEntry] = team.journal("PATCH", r"/deployments/")
    return [set(each.query["updateMask"].split(",")) for each in patches]


def _version(team: Team) -> Json:
    """Return what the status should say of the Secret as it is now."""
    metadata = team.api.request("GET", core_path(team.namespace, "secrets", ROUTE))["metadata"]
    return {"name": ROUTE, "keys": ["current"], "uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}


@pytest.mark.timeout(240)
def test_the_keys_of_a_direct_route_are_created_rotated_and_removed(team: Team) -> None:
    team.create(placement=PLACE, directRoute=DIRECT)
    team.until("chat", "Stalled", "True", "CredentialsMissing", says=f"kubectl create secret generic {ROUTE}")
    assert team.posts() == []

    team.put_secret(ROUTE, current=FIRST)
    status = team.until_ready(within=NOTICED)["status"]
    assert (len(team.posts()), _keys(team)) == (1, [FIRST])
    assert status["directRouteSecret"] == _version(team)
    assert status["directRouteHandle"].endswith(".direct.fireworks.example.com")

    team.put_secret(ROUTE, current=SECOND)
    team.eventually(lambda: team.status()["directRouteSecret"] == _version(team), "it is rotated", within=NOTICED)
    assert _keys(team) == [SECOND]
    assert _masks(team) == [{"direct_route_api_keys"}]
    assert condition(team.get(), "Ready")["status"] == "True"

    team.change(directRoute=None)
    status = team.until_ready()["status"]
    assert _masks(team)[1:] == [{"direct_route_type", "direct_route_api_keys"}]
    assert _keys(team) == []
    assert not {"directRouteSecret", "directRouteHandle"} & status.keys()
    assert len(team.posts()) == 1
    team.assert_no_secret(FIRST, SECOND)
    assert team.operator is not None
    team.operator.check_log(FIRST, SECOND)
