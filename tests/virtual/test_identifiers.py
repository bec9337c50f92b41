"""What users may put into model of an inference request: status lists it, and Fireworks answers to it."""

import pytest

from testkit.stories.addons import add_models, addons, until_loaded
from tests.virtual.replacing import BLUE_GREEN, H200, until_alone
from tests.virtual.team import MODEL, Json, Team

DEFAULT: Json = {"deployedModel": {"default": True}}


def identifiers(team: Team) -> dict[str, str]:
    """What reaches the deployment, by kind, in the order of status."""
    return {each["kind"]: each["value"] for each in team.status()["identifiers"]}


def answers(team: Team, identifier: str) -> bool:
    """Tell whether Fireworks answers a request with this model."""
    question: Json = {"model": identifier, "messages": [{"role": "user", "content": "Hello"}]}
    status, answer = team.ask("/inference/v1/chat/completions", question)
    return status == 200 and bool(answer["choices"])


def base_models(team: Team) -> list[Json]:
    """The deployed models of the base model."""
    return [each for each in team.simulator.deployed_models() if each["model"] == MODEL]


def test_every_identifier_of_a_deployment_works(team: Team) -> None:
    add_models(team).create(addons=addons("tone"))
    until_loaded(team, "tone")
    name = team.status()["deploymentName"]
    assert list(identifiers(team).items()) == [
        ("ModelAndDeployment", f"{MODEL}#{name}"),
        ("Deployment", name),
        ("Model", MODEL),
    ]
    assert team.status()["modelIdentifier"] == identifiers(team)["ModelAndDeployment"]
    for value in identifiers(team).values():
        assert answers(team, value), value
    team.assert_at_rest(seconds=1200)


def test_a_model_whose_default_deployment_is_another_one_is_no_identifier(team: Team) -> None:
    add_models(team).create("first")
    team.until_ready("first")
    team.create(addons=addons("tone"))
    until_loaded(team, "tone")
    assert list(identifiers(team)) == ["ModelAndDeployment", "Deployment"]
    team.assert_at_rest("first", "chat", seconds=1200)


def test_the_default_moves_to_another_deployment(team: Team) -> None:
    add_models(team).create(addons=addons("tone"))
    until_loaded(team, "tone")
    (deployed,) = base_models(team)
    status, _ = team.ask(f"/v1/{deployed['name']}", {"default": False}, "PATCH", updateMask="default")
    assert status == 200
    team.eventually(lambda: "Model" not in identifiers(team), "the model alone reaches it no longer", within=120)
    assert not answers(team, MODEL)
    team.assert_at_rest(seconds=1200)


def test_lists_that_fail_take_no_identifier_away(team: Team) -> None:
    add_models(team).create(addons=addons("tone"))
    until_loaded(team, "tone")
    before = identifiers(team)
    team.fault("status", code="PERMISSION_DENIED", method="GET", path="/deployedModels/?$")
    team.until("chat", "AddonsReady", "Unknown", "PermissionDenied", within=900)
    assert identifiers(team) == before
    assert answers(team, before["Model"])


def test_without_addons_nobody_asks_which_deployment_is_the_default(team: Team) -> None:
    team.create()
    team.until_ready()
    assert list(identifiers(team)) == ["ModelAndDeployment", "Deployment"]
    assert len(base_models(team)) == 1
    assert team.journal("GET", r"/deployedModels") == []


@pytest.mark.parametrize(
    ("spec", "kinds"),
    [({}, ["ModelAndDeployment", "Deployment"]), (DEFAULT, ["ModelAndDeployment", "Deployment", "Model"])],
    ids=["unknown", "asked for"],
)
def test_a_replacement_neither_adds_the_model_nor_takes_it_away(team: Team, spec: Json, kinds: list[str]) -> None:
    team.create(replacePolicy=BLUE_GREEN, **spec)
    team.until_ready()
    team.eventually(lambda: list(identifiers(team)) == kinds, "it is known")
    told = team.told()
    team.change(acceleratorType=H200)
    until_alone(team)
    listed = [each["status"]["identifiers"] for each in team.versions(since=told)]
    assert listed
    assert [[each["kind"] for each in found] for found in listed] == [kinds] * len(listed)
    for value in identifiers(team).values():
        assert answers(team, value), value
    team.assert_at_rest(seconds=1200)
