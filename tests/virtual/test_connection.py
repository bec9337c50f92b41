"""The ConfigMap that applications read: when it is written, and what happens when it cannot be."""

import pytest

from testkit.stories.addons import add_models, addons, until_loaded
from testkit.virtual.api_server import ConfigMap
from tests.virtual.team import Team

CONNECTION = {"configMapName": "chat-connection"}


def config_map(team: Team, name: str = "chat-connection") -> ConfigMap | None:
    return team.stage.server.config_maps.get(team.ref(name))


def data(team: Team, name: str = "chat-connection") -> dict[str, str]:
    found = config_map(team, name)
    return {} if found is None else found.data


def requests(team: Team) -> int:
    return team.stage.server.config_map_requests


def until_noticed(team: Team, words: str) -> None:
    team.eventually(
        lambda: any(words in each for each in team.status().get("notices") or ()), "a notice says so", within=900
    )


def test_it_is_there_when_the_deployment_is_ready_and_nothing_is_written_afterwards(team: Team) -> None:
    team.create(connection=CONNECTION)
    status = team.until_ready()["status"]
    assert data(team) == {
        "OPENAI_BASE_URL": status["endpoint"],
        "OPENAI_MODEL": status["modelIdentifier"],
        "FIREWORKS_DEPLOYMENT": status["deploymentName"],
    }
    found = config_map(team)
    assert found is not None
    assert found.owner == team.get()["metadata"]["uid"]
    team.assert_at_rest()


def test_a_restart_writes_nothing_and_reads_nothing(team: Team) -> None:
    team.create(connection=CONNECTION)
    team.until_ready()
    team.assert_at_rest()
    written, asked = team.stage.server.writes, requests(team)
    team.stage.restart()
    team.wait(120)
    team.simulator.load(team.deployment_id(), 1)
    team.wait(900)
    assert requests(team) == asked == 1, "what was written is remembered"
    assert team.stage.server.writes >= written


def test_without_the_field_there_is_none(team: Team) -> None:
    team.create()
    team.until_ready()
    assert team.stage.server.config_maps == {}
    assert "connection" not in team.status()


def test_one_that_is_somebody_elses_is_left_alone_until_it_is_gone(team: Team) -> None:
    team.stage.server.config_maps[team.ref("chat-connection")] = ConfigMap({"theirs": "1"})
    team.create(connection=CONNECTION)
    team.until_ready()
    until_noticed(team, "does not belong to this resource")
    assert data(team) == {"theirs": "1"}
    team.assert_at_rest(seconds=900)
    del team.stage.server.config_maps[team.ref("chat-connection")]
    team.eventually(lambda: "OPENAI_MODEL" in data(team), "it is written once there is room", within=400)
    team.eventually(lambda: "notices" not in team.status(), "the notice is gone")


def test_without_the_right_a_notice_says_so_and_all_else_works(team: Team) -> None:
    team.stage.server.may_write_config_maps = False
    windows = {"scaleUpWindow": "0s", "scaleDownWindow": "0s"}
    team.create(connection=CONNECTION, minReplicaCount=1, maxReplicaCount=2, autoscalingPolicy=windows)
    team.until_ready()
    until_noticed(team, "forbidden")
    team.wait(20)
    asked = requests(team)
    team.assert_at_rest(seconds=900)
    assert 1 <= requests(team) - asked <= 4, "every five minutes"
    asked, told = requests(team), team.told()
    for load in (2, 0) * 3:
        team.simulator.load(team.deployment_id(), load)
        team.wait(80)
    assert team.told() - told >= 4, "there are passes all the time"
    assert requests(team) - asked <= 2, "and this one is not made more often for them"
    team.change(maxReplicaCount=3)
    team.eventually(lambda: team.deployment()["maxReplicaCount"] == 3, "a change takes effect")
    team.until_ready()
    team.stage.server.may_write_config_maps = True
    team.annotate("chat", "reconcile-at", "now")
    team.eventually(lambda: "OPENAI_MODEL" in data(team), "asked for, it is tried at once", within=5)


def test_another_name_moves_it_and_no_name_deletes_it(team: Team) -> None:
    team.create(connection=CONNECTION)
    team.until_ready()
    before = data(team)
    team.change(connection={"configMapName": "other"})
    team.eventually(lambda: data(team, "other") == before and config_map(team) is None, "it has moved")
    team.change(connection=None)
    team.eventually(lambda: team.stage.server.config_maps == {}, "it is deleted")
    team.eventually(lambda: "connection" not in team.status(), "and forgotten")
    team.assert_at_rest()


def test_a_name_that_is_taken_leaves_the_former_one_in_use(team: Team) -> None:
    team.create(connection=CONNECTION)
    team.until_ready()
    before = data(team)
    team.stage.server.config_maps[team.ref("taken")] = ConfigMap({"theirs": "1"})
    team.change(connection={"configMapName": "taken"})
    until_noticed(team, "the ConfigMap taken exists")
    assert data(team) == before
    team.change(connection=CONNECTION)
    team.eventually(lambda: "notices" not in team.status(), "the notice is gone")
    assert data(team) == before
    assert data(team, "taken") == {"theirs": "1"}


RENAMES = {
    "another name": {"configMapName": "third"},
    "the first name again": CONNECTION,
    "no name": None,
}
"""What the spec says once the answer to the write of a second ConfigMap was lost."""


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("dies", [True, False])
@pytest.mark.parametrize("then", RENAMES)
def test_a_name_that_changes_before_the_write_has_an_answer_leaves_nothing_behind(
    team: Team, then: str, dies: bool, first: bool
) -> None:
    team.create(connection=None if first else CONNECTION)
    team.until_ready()
    team.stage.server.lost_config_maps.add("second")
    team.change(connection={"configMapName": "second"})
    team.eventually(lambda: data(team, "second"), "it is written, and the operator does not know")
    assert team.status().get("connection", {}).get("configMapName") == (None if first else "chat-connection")
    if dies:
        team.stage.stop()
    team.change(connection=RENAMES[then])
    if dies:
        team.stage.start()
    wanted = RENAMES[then]
    left = set() if wanted is None else {team.ref(wanted["configMapName"])}
    team.eventually(lambda: set(team.stage.server.config_maps) == left, "what is left is what is wanted", within=60)
    team.until_ready()
    team.eventually(lambda: "pendingConfigMapName" not in team.status().get("connection", {}), "and it is remembered")
    team.assert_at_rest()


def test_nothing_of_a_second_name_is_left_where_the_third_one_is_taken(team: Team) -> None:
    team.create(connection=CONNECTION)
    before = team.until_ready() and data(team)
    team.stage.server.config_maps[team.ref("taken")] = ConfigMap({"theirs": "1"})
    team.stage.server.lost_config_maps.add("second")
    team.change(connection={"configMapName": "second"})
    team.eventually(lambda: data(team, "second"), "it is written, and the operator does not know")
    team.change(connection={"configMapName": "taken"})
    until_noticed(team, "the ConfigMap taken exists")
    assert config_map(team, "second") is None
    assert data(team) == before, "the first one is used until there is another"
    team.assert_at_rest(seconds=900)
    team.change(connection=None)
    team.eventually(lambda: set(team.stage.server.config_maps) == {team.ref("taken")}, "theirs is left alone")


def test_what_somebody_has_deleted_or_changed_is_put_right_when_it_is_asked_for(team: Team) -> None:
    team.create(connection=CONNECTION)
    team.until_ready()
    team.assert_at_rest()
    before = data(team)
    found = config_map(team)
    assert found is not None
    found.data = {"OPENAI_MODEL": "another"}
    team.annotate("chat", "reconcile-at", "1")
    team.eventually(lambda: data(team) == before, "it is as it was", within=5)


def test_it_stays_while_the_deployment_is_down(team: Team) -> None:
    team.create(connection=CONNECTION, externalDeletionPolicy="Report")
    team.until_ready()
    before = data(team)
    team.simulator.vanish(team.deployment_id(), soft=False)
    team.until("chat", "Stalled", "True", "DeploymentLost")
    assert "modelIdentifier" not in team.status()
    team.wait(900)
    assert data(team) == before
    team.change(externalDeletionPolicy="Recreate")
    team.until_ready()
    assert data(team) == before


def test_it_names_the_addons_that_are_loaded(team: Team) -> None:
    add_models(team)
    team.create(connection=CONNECTION, addons=addons("tone"))
    (tone,) = until_loaded(team, "tone")["status"]["addons"]
    team.eventually(lambda: data(team).get("FIREWORKS_ADDON_TONE") == tone["modelIdentifier"], "it is named")
    team.change(addons=None)
    team.eventually(lambda: "FIREWORKS_ADDON_TONE" not in data(team), "it is named no more")
    team.assert_at_rest()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_write_without_an_answer_is_repeated_to_the_same_end(team: Team, when: str) -> None:
    team.create()
    team.until_ready()
    team.stage.server.trouble.append(when)
    team.change(connection=CONNECTION)
    team.eventually(lambda: "OPENAI_MODEL" in data(team), "it is written", within=120)
    team.until_ready()
    team.eventually(lambda: "connection" in team.status(), "and remembered", within=120)
    team.assert_at_rest()


def test_it_goes_with_the_resource(team: Team) -> None:
    team.create(connection=CONNECTION)
    team.until_ready()
    team.delete()
    team.until_gone()
    assert team.stage.server.config_maps == {}
