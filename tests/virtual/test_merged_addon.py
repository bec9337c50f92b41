"""One addon that is merged into the base model, and exchanged for another while the deployment serves."""

import pytest

from testkit.stories.addons import add_models, addons, last, loaded, loads, until_loaded
from tests.virtual.team import Team, holds


@pytest.fixture
def merged(team: Team) -> Team:
    """A team with LoRA models whose deployment has one of them merged."""
    add_models(team)
    team.create(enableHotReloadLatestAddon=True, addons=addons("tone"))
    until_loaded(team, "tone")
    return team


def test_the_only_addon_is_merged_and_called_by_the_name_of_the_deployment(merged: Team) -> None:
    merged.assert_at_rest()
    (entry,) = merged.status()["addons"]
    assert entry["modelIdentifier"] == merged.status()["deploymentName"]
    (load,) = merged.journal("POST", "/deployedModels$")
    assert load.query["replaceMergedAddon"] == "true"
    assert "enableAddons" not in merged.deployment() or not merged.deployment()["enableAddons"]


def test_another_addon_takes_its_place_without_an_unload_and_without_an_outage(merged: Team) -> None:
    told = merged.told()
    merged.change(addons=addons("style"))
    until_loaded(merged, "style")
    merged.assert_at_rest()
    assert (loads(merged), [*loaded(merged)]) == (["tone", "style"], ["style"])
    assert merged.journal("DELETE") == []
    assert {holds(each, "Available") for each in merged.versions(since=told)} == {"True"}
    assert [last(each["model"]) for each in merged.status()["addons"]] == ["style"]


def test_an_addon_that_leaves_the_spec_without_a_successor_is_unloaded(merged: Team) -> None:
    merged.change(addons=None)
    until_loaded(merged)
    merged.assert_at_rest()
    assert len(merged.journal("DELETE", "/deployedModels/")) == 1


def test_an_addon_that_somebody_else_merges_gives_way_again(merged: Team) -> None:
    merged.wait(10)
    deployment = merged.status()["deploymentName"]
    status, _ = merged.ask(
        f"/v1/accounts/{merged.account}/deployedModels",
        {"model": f"accounts/{merged.account}/models/style", "deployment": deployment},
        replaceMergedAddon="true",
    )
    assert status == 200
    merged.eventually(lambda: loaded(merged).keys() == {"tone"}, "the addon of the spec is back", within=120)
    until_loaded(merged, "tone")
    merged.assert_at_rest()


def test_a_deployment_with_an_addon_of_its_own_learns_to_merge_it(team: Team) -> None:
    add_models(team)
    team.create(addons=addons("tone"))
    until_loaded(team, "tone")
    team.change(enableHotReloadLatestAddon=True)
    team.until_ready()
    until_loaded(team, "tone")
    team.wait(60)
    team.assert_at_rest()
    assert loads(team) == ["tone", "tone"]
    assert team.deployment()["enableHotReloadLatestAddon"] is True
