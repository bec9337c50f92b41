"""From one of two deployments to the other: what is said on the way, and what may come in between."""

from testkit.promises.specs import H100, H200
from tests.virtual.team import Json, Team, holds

DRAIN = 300.0


def serve(team: Team, **spec: object) -> str:
    """Have a deployment serve that may be replaced; return its name."""
    team.create(spec={"replacePolicy": {"type": "BlueGreen", "drain": "5m"}, **spec})
    return str(team.until_ready()["status"]["deploymentName"])


def live(team: Team) -> dict[str, Json]:
    """Return the deployments that exist, by name."""
    return {each["name"]: each for each in team.deployments() if each["state"] not in ("DELETED", "DELETING")}


def test_a_replacement_that_is_given_up_is_ready_only_once_the_other_changes_are_in_force(team: Team) -> None:
    serve(team)
    team.change(acceleratorType=H200)
    team.until("chat", "Reconciling", "True", "Replacing")
    told = team.told()
    team.simulator.fault("status", match={"method": "PATCH"}, code="UNAVAILABLE", times=100)
    team.change(acceleratorType=H100, displayName="Chat, tuned")
    team.wait(60)
    assert all(holds(each, "Ready") != "True" for each in team.versions(since=told))
    team.simulator.clear_faults()
    team.until_ready()


def test_ready_stays_while_the_former_one_goes(team: Team) -> None:
    serve(team)
    team.change(acceleratorType=H200)
    team.until("chat", "Reconciling", "True", "Replacing")
    team.until_ready()
    told = team.told()
    team.wait(DRAIN + 60)
    assert len(live(team)) == 1
    assert "replacement" not in team.status("chat")
    assert all(holds(each, "Ready") == "True" for each in team.versions(since=told))


def test_the_former_one_stays_while_the_successor_has_lost_its_replicas(team: Team) -> None:
    former = serve(team, minReplicaCount=1)
    team.change(acceleratorType=H200)
    team.until("chat", "Reconciling", "True", "Replacing")
    successor = str(team.until_ready()["status"]["deploymentName"])
    team.simulator.stage(outcome="stockout")
    team.simulator.edit(successor.rsplit("/", 1)[-1], stockedOut=True, readyReplicas=0)
    team.wait(DRAIN + 120)
    assert set(live(team)) == {former, successor}
    team.simulator.clear_stages()
    team.simulator.edit(successor.rsplit("/", 1)[-1], stockedOut=False, readyReplicas=1)
    team.wait(120)
    assert set(live(team)) == {successor}


def test_a_successor_that_a_restored_cluster_does_not_know_of_and_no_list_has_shown_yet_goes_in_the_end(
    team: Team,
) -> None:
    former = serve(team)
    team.change(acceleratorType=H200)
    team.until("chat", "Reconciling", "True", "Replacing")
    team.eventually(lambda: len(live(team)) == 2, "the successor exists")
    unknown = next(name for name in live(team) if name != former)
    team.stage.server.objects[team.ref("chat")]["metadata"]["generation"] = 1  # as of a backup, as is the status
    team.set_status("chat", {"replacement": None})
    team.change(replacePolicy={"type": "BlueGreen", "drain": "5m"}, acceleratorType="NVIDIA_B200_180GB")
    team.until_ready()
    team.wait(2 * DRAIN + 120)
    (name,) = live(team)
    assert name == team.status()["deploymentName"]
    assert name not in (former, unknown)
