"""BlueGreen, and a status that is lost or of an old backup: nothing is made twice, what is not known is an orphan."""

import pytest

from testkit.stories.addons import add_models, addons
from testkit.virtual.copying import copied
from tests.virtual.replacing import (
    DRAINS,
    H200,
    HOUR,
    PHASES,
    Witness,
    during,
    existing,
    orphans,
    reach,
    serve,
    short,
    until_alone,
)
from tests.virtual.team import Json, Team, holds


def begin(team: Team) -> Witness:
    """Have a deployment with an addon serve, and be replaced."""
    add_models(team)
    witness = serve(team, addons=addons("tone"))
    team.until("chat", "AddonsReady", "True")
    team.change(acceleratorType=H200)
    return witness


def remove_orphans(team: Team) -> None:
    """Delete in the console what nobody looks after."""
    for name in orphans(team):
        team.simulator.vanish(short(name))


def settled(team: Team) -> Json:
    """Wait until all has settled, and return the resource."""
    team.wait(2 * HOUR)
    return team.get()


@pytest.mark.parametrize("phase", PHASES)
def test_a_status_lost_half_way_leads_to_no_third_deployment_and_the_rest_is_an_orphan(team: Team, phase: str) -> None:
    witness = begin(team)
    witness.orphans = True
    before: set[str] = set()

    def lose() -> None:
        witness.serves = False
        before.update(existing(team))
        team.stage.server.restore(team.ref("chat"), new_uid=False)

    during(team, PHASES[phase], lose)
    resource = settled(team)
    name = resource["status"]["deploymentName"]
    found = existing(team)
    assert name in found, "one of them is found by its marker"
    assert set(orphans(team)) == set(found) - {name}, "and who it concerns can see the other"
    assert holds(resource, "Available") == "True"
    assert len([each for each in team.posts() if each.committed]) <= 3
    remove_orphans(team)


@pytest.mark.parametrize("phase", PHASES)
def test_the_status_from_before_the_replacement_leads_to_no_third_deployment(team: Team, phase: str) -> None:
    add_models(team)
    witness = serve(team, addons=addons("tone"))
    team.until("chat", "AddonsReady", "True")
    old = copied(team.status())
    team.change(acceleratorType=H200)
    witness.orphans = True
    witness.stalls = {"ReplaceRequired", "DeploymentLost", "Conflict"}

    def set_back() -> None:
        witness.serves = False
        team.stage.server.put_status(team.ref("chat"), old)

    during(team, PHASES[phase], set_back)
    resource = settled(team)
    found = existing(team)
    assert resource["status"]["deploymentName"] in found
    assert len(found) <= 2
    assert set(orphans(team)) == set(found) - {resource["status"]["deploymentName"]}
    remove_orphans(team)


def test_the_status_lost_after_a_replacement_finds_the_successor(team: Team) -> None:
    serve(team)
    team.change(acceleratorType=H200)
    until_alone(team)
    name, seen = team.status()["deploymentName"], team.seen()
    team.stage.server.restore(team.ref("chat"), new_uid=False)
    resource = team.until_ready()
    assert resource["status"]["deploymentName"] == name
    assert [each for each in team.methods(since=seen) if each == "POST"] == []
    until_alone(team)


@pytest.mark.parametrize("policy", ["Delete", "Retain"])
def test_the_status_lost_before_a_deletion_finds_the_successor_also_where_the_users_id_is_anothers_by_now(
    team: Team, policy: str
) -> None:
    witness = serve(team, deploymentId="mine", deletionPolicy=policy)
    team.change(acceleratorType=H200)
    until_alone(team)
    name, witness.serves = team.status()["deploymentName"], False
    team.simulator.vanish("mine")
    body = {"baseModel": "accounts/fireworks/models/llama-v3p2-1b-instruct", "acceleratorType": H200}
    path = f"/v1/accounts/{team.account}/deployments"
    assert team.ask(path, body, deploymentId="mine", acceptShapelessRisk="true")[0] == 200
    team.stage.stop()
    team.stage.server.put_status(team.ref("chat"), {"observedGeneration": -1})
    team.delete()
    team.stage.start()
    team.until_gone(within=HOUR)
    assert set(existing(team)) == (set() if policy == "Delete" else {name})
    marks = [each["annotations"].get("custom/released") for each in existing(team).values()]
    assert marks == ([] if policy == "Delete" else ["true"])
    assert "mine" in {short(str(each["name"])) for each in team.deployments()}, "it is somebody else's"


def test_an_old_status_after_a_replacement_finds_the_successor(team: Team) -> None:
    witness = serve(team)
    old = copied(team.status())
    team.change(acceleratorType=H200)
    until_alone(team)
    name = team.status()["deploymentName"]
    witness.serves = False
    team.stage.server.put_status(team.ref("chat"), old)
    team.eventually(lambda: team.status().get("deploymentName") == name, "it is found", within=HOUR)
    team.until_ready(within=HOUR)
    assert len(team.posts()) == 2
    assert set(existing(team)) == {name}


def test_the_status_of_the_middle_of_a_replacement_that_is_over_ends_it_once_more(team: Team) -> None:
    witness = serve(team)
    team.change(acceleratorType=H200)
    reach(team, DRAINS)
    old = copied(team.status())
    until_alone(team)
    seen = team.seen()
    witness.serves = False
    team.stage.server.put_status(team.ref("chat"), old)
    team.wait(10)
    until_alone(team)
    assert team.methods(since=seen) == []
