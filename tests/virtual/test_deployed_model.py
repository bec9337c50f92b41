"""The base model's own name: which deployment it reaches, and whether other accounts may use it."""

from collections.abc import Mapping

import pytest

from testkit.stories.addons import add_models, addons, until_loaded
from tests.virtual.team import MODEL, Json, Team, holds, pauses

AT_REST = 66.0
"""Seconds until the next poll of an account at rest, at most."""


def entries(team: Team) -> dict[str, Json]:
    """Return what is loaded of the base model, by the id of the deployment."""
    found = (each for each in team.simulator.deployed_models() if each["model"] == MODEL)
    return {str(each["deployment"]).rsplit("/", 1)[-1]: each for each in found}


def settings(team: Team, name: str = "chat") -> tuple[bool, bool]:
    """Return `default` and `public` of a resource's deployment."""
    entry = entries(team).get(team.deployment_id(name), {})
    return bool(entry.get("default")), bool(entry.get("public"))


def by_hand(team: Team, name: str, **changes: bool) -> None:
    entry = entries(team)[team.deployment_id(name)]["name"]
    status, answer = team.ask(f"/v1/{entry}", changes, "PATCH", updateMask=",".join(changes))
    assert status == 200, answer


def until(team: Team, name: str, default: bool, public: bool) -> None:
    team.eventually(lambda: settings(team, name) == (default, public), f"{name} is {default, public}", within=AT_REST)


@pytest.mark.parametrize(
    ("wanted", "is_sent", "after"),
    [
        ({"default": True}, False, (True, False)),
        ({"public": False}, False, (True, False)),
        ({"default": True, "public": True}, True, (True, True)),
        ({"default": False}, True, (False, False)),
        ({}, False, (True, False)),
    ],
)
def test_what_differs_from_what_fireworks_chose_is_set(
    team: Team, wanted: Mapping[str, bool], is_sent: bool, after: tuple[bool, bool]
) -> None:
    team.create(deployedModel=wanted)
    team.until_ready()
    until(team, "chat", *after)
    team.assert_at_rest()
    assert team.methods() == ["POST", "PATCH"][: 1 + is_sent]


def test_a_second_deployment_becomes_the_default_and_gives_it_back(team: Team) -> None:
    team.create("first")
    team.until_ready("first")
    team.create("second", deployedModel={"default": True})
    team.until_ready("second")
    until(team, "second", True, False)
    assert settings(team, "first") == (False, False), "one is the default"
    team.assert_at_rest("first", "second")
    team.change("second", deployedModel=None)
    team.change("first", deployedModel={"default": True})
    until(team, "first", True, False)
    assert settings(team, "second") == (False, False)
    team.assert_at_rest("first", "second")
    assert team.journal("DELETE") == [], "the base model is never unloaded"


@pytest.mark.parametrize("meddled", [{"default": False}, {"public": True}])
def test_what_is_changed_by_hand_is_put_back(team: Team, meddled: dict[str, bool]) -> None:
    team.create(deployedModel={"default": True, "public": False})
    team.until_ready()
    team.wait(AT_REST)
    told = team.told()
    by_hand(team, "chat", **meddled)
    until(team, "chat", True, False)
    team.until_ready()
    team.assert_at_rest()
    assert team.methods() == ["POST", "PATCH"]
    assert {holds(each, "Available") for each in team.versions(since=told)} == {"True"}


def test_two_that_both_want_to_be_the_default_are_told_so_without_a_war_of_requests(team: Team) -> None:
    for name in ("first", "second"):
        team.create(name, deployedModel={"default": True})
    for name in ("first", "second"):
        team.until(name, "Stalled", "True", "NotConverging", says="another resource", within=600)
    seen = team.seen()
    team.wait(3600)
    sent = team.writes(since=seen)
    assert len(sent) <= 2 * 3600 / 300
    assert all(each >= 1 for each in pauses(sent))
    team.change("second", deployedModel=None)
    team.until_ready("first", within=400)
    team.until_ready("second", within=400)
    team.assert_at_rest("first", "second")


def test_a_refused_change_is_told_tried_rarely_and_keeps_the_deployment_serving(team: Team) -> None:
    rule = team.fault("status", method="PATCH", path="/deployedModels/", code="FAILED_PRECONDITION", message="not so")
    team.create(deployedModel={"public": True})
    resource = team.until("chat", "Stalled", "True", "RejectedByFireworks", says="not so")
    assert holds(resource, "Available") == "True"
    team.wait(1800)
    assert team.hits(rule) <= 5
    team.simulator.clear_faults()
    team.annotate("chat", "reconcile-at", "now")
    until(team, "chat", True, True)
    team.until_ready()


def test_the_base_model_is_no_addon(team: Team) -> None:
    add_models(team)
    team.create(deployedModel={"public": True}, addons=addons("tone"))
    until_loaded(team, "tone")
    until(team, "chat", True, True)
    team.assert_at_rest()
    team.change(addons=None, enableAddons=True, deployedModel=None)
    until_loaded(team)
    team.assert_at_rest()
    assert settings(team) == (True, True), "it stays as it is"
    assert len(team.journal("DELETE", "/deployedModels/")) == 1


def test_a_restart_repeats_nothing(team: Team) -> None:
    team.create(deployedModel={"default": True, "public": True})
    team.until_ready()
    until(team, "chat", True, True)
    team.wait(10)
    before, seen, writes = team.get(), team.seen(), team.stage.server.writes
    team.stage.restart()
    team.polls(3)
    assert (team.get(), team.writes(since=seen), team.stage.server.writes) == (before, [], writes)


def test_who_does_not_ask_for_it_has_nothing_listed(team: Team) -> None:
    team.create()
    team.until_ready()
    team.wait(AT_REST)
    assert team.journal("GET", "/deployedModels$") == []
