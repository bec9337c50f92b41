"""`status.replacement` is lost half-way: an operator of before BlueGreen writes whole statuses, and drops it."""

from collections.abc import Mapping

import pytest

from fireworks_operator.core.identity import TAG_ADOPTED, Owner
from testkit.virtual.process import CLUSTER, CLUSTER_UID
from tests.virtual.replacing import B200, BLUE_GREEN, DRAIN, H200, HOUR
from tests.virtual.team import Json, Team, holds

PHASES = ("Preparing", "Draining")
LATER: Mapping[str, Mapping[str, object]] = {
    "as it was": {},
    "changed again": {"acceleratorType": B200},
    "put back": {"acceleratorType": "NVIDIA_H100_80GB"},
}
"""What the spec is once the present version is back."""


def serve(team: Team) -> str:
    """Have a deployment serve that may be replaced; return its name."""
    team.create(spec={"replacePolicy": BLUE_GREEN})
    return str(team.until_ready()["status"]["deploymentName"])


def live(team: Team) -> dict[str, Json]:
    """Return the deployments that exist and do not go, by name."""
    return {each["name"]: dict(each) for each in team.deployments() if each["state"] not in ("DELETED", "DELETING")}


def stop_at(team: Team, phase: str) -> str:
    """End the operator in a phase of a replacement in which both deployments exist; return which one serves."""
    serve(team)
    team.change(acceleratorType=H200)
    team.eventually(lambda: team.status().get("replacement", {}).get("phase") == phase and len(live(team)) == 2, phase)
    team.stage.stop()
    return str(team.status()["deploymentName"])


def becomes_one(team: Team) -> str:
    """Start the operator, and see that there is one deployment in the end, and never more than two; return its name."""
    told, most = team.told(), 0
    team.stage.start()
    for _ in range(90):
        team.wait(10)
        most = max(most, len(live(team)))
    assert most <= 2
    (name,) = live(team)
    status = team.until_ready()["status"]
    assert (status["deploymentName"], status.get("replacement")) == (name, None)
    assert live(team)[name]["acceleratorType"] == team.get()["spec"]["acceleratorType"]
    for each in team.versions(since=told):
        assert holds(each, "Available") == "True"
    team.assert_at_rest("chat")
    return name


@pytest.mark.parametrize("later", LATER)
@pytest.mark.parametrize("phase", PHASES)
def test_what_the_replacement_has_left_is_taken_up_and_never_are_there_three(
    team: Team, phase: str, later: str
) -> None:
    serving = stop_at(team, phase)
    team.set_status("chat", {"replacement": None})
    team.change(replacePolicy={"type": "Never"})
    team.wait(HOUR)
    assert live(team)[serving]["state"] == "READY"
    team.change(replacePolicy=BLUE_GREEN, **LATER[later])
    becomes_one(team)


@pytest.mark.parametrize("phase", PHASES)
def test_nor_where_nobody_has_touched_the_spec(team: Team, phase: str) -> None:
    serving = stop_at(team, phase)
    team.set_status("chat", {"replacement": None})
    assert (becomes_one(team) == serving) == (phase == "Draining")


@pytest.mark.parametrize("phase", PHASES)
def test_nor_where_the_whole_status_is_lost(team: Team, phase: str) -> None:
    stop_at(team, phase)
    team.stage.server.put_status(team.ref("chat"), {"observedGeneration": -1})
    becomes_one(team)


def test_the_former_deployment_drains_once_more(team: Team) -> None:
    serving = stop_at(team, "Draining")
    (former,) = live(team).keys() - {serving}
    team.set_status("chat", {"replacement": None})
    team.stage.start()
    team.until_ready()
    team.eventually(lambda: team.status().get("replacement", {}).get("deploymentName") == former, "it is found")
    team.wait(DRAIN - 30)
    assert set(live(team)) == {serving, former}
    team.wait(60)
    assert set(live(team)) == {serving}


def test_without_blue_green_it_is_left_alone(team: Team) -> None:
    serving = stop_at(team, "Draining")
    before = set(live(team))
    team.set_status("chat", {"replacement": None})
    team.change(replacePolicy=None)
    team.stage.start()
    team.wait(HOUR)
    assert set(live(team)) == before
    vanish_all_but(team, serving)


@pytest.mark.parametrize("adopted", ["true", "false"])
def test_what_has_the_marker_and_no_id_of_ours_is_left_alone(team: Team, adopted: str) -> None:
    name = serve(team)
    marker = Owner(CLUSTER, team.namespace, "chat", CLUSTER_UID).marker()
    team.simulator.create_foreign(annotations={**marker, TAG_ADOPTED: adopted})
    team.wait(HOUR)
    assert len(live(team)) == 2
    vanish_all_but(team, name)


def vanish_all_but(team: Team, name: str) -> None:
    """Remove what must not be there otherwise."""
    for each in live(team).keys() - {name}:
        team.simulator.vanish(each.rsplit("/", 1)[-1])
