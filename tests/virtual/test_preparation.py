"""Models that are prepared for a precision first: asked for once, waited for, and only then is anything created."""

from collections.abc import Callable

import pytest

from tests.virtual.team import Team, holds

MODEL = "mine"
MINUTES = 60.0


def add_model(team: Team, *precisions: str) -> None:
    """Give the team a model of its own, or another record for it."""
    name = f"accounts/{team.account}/models/{MODEL}"
    team.simulator.add_model(name, supportedPrecisions=["FP16", "BF16", *precisions])


def create(team: Team) -> None:
    team.create(baseModel=MODEL, precision="FP8", prepareModel=True)


def never_done(team: Team) -> None:
    """Have Fireworks accept the preparation and not come to its end."""
    team.fault("status", method="POST", path=":prepare$", status=200, body="{}")


def asked_for(team: Team) -> int:
    """Return how often the model's record was asked for."""
    return len(team.journal("GET", f"/models/{MODEL}$"))


def test_a_model_is_prepared_before_its_deployment_is_created(team: Team) -> None:
    add_model(team)
    create(team)
    resource = team.until("chat", "Ready", "False", "PreparingModel", says="can take 30 minutes")
    assert (holds(resource, "Reconciling"), holds(resource, "Stalled")) == ("True", "False")
    assert "deploymentName" not in resource["status"], "nothing is claimed yet, so the spec can still be corrected"
    assert team.deployments() == []
    team.until_ready()
    assert team.methods() == ["prepare", "POST"]
    (prepared, _) = team.writes()
    assert (prepared.path, prepared.body) == (
        f"/v1/accounts/{team.account}/models/{MODEL}:prepare",
        {"precision": "FP8"},
    )
    assert team.deployment()["precision"] == "FP8"
    assert "lastAttempt" not in team.status()
    known = asked_for(team)
    team.wait(5 * MINUTES)
    assert (team.methods(), asked_for(team)) == (["prepare", "POST"], known), "what serves asks for no record"


def test_a_model_that_supports_the_precision_is_not_prepared(team: Team) -> None:
    add_model(team, "FP8")
    create(team)
    team.until_ready()
    assert team.methods() == ["POST"]


def test_without_the_record_the_create_request_tells_what_is_wrong(team: Team) -> None:
    create(team)
    team.until("chat", "Stalled", "True", "ModelNotFound")
    assert set(team.methods()) == {"POST"}


@pytest.mark.parametrize(
    "disturb",
    [
        lambda team: team.stage.restart(),
        lambda team: team.change(displayName="Chat"),
        lambda team: team.change(minReplicaCount=2),
        lambda team: team.fault("status", method="GET", path="/models/", status=503, code="UNAVAILABLE", times=2),
    ],
    ids=["a restart", "a new name", "another minimum", "an outage"],
)
def test_a_preparation_that_was_begun_is_not_asked_for_again(team: Team, disturb: Callable[[Team], object]) -> None:
    add_model(team)
    never_done(team)
    create(team)
    team.until("chat", "Ready", "False", "PreparingModel")
    team.wait(5)
    disturb(team)
    team.wait(2 * MINUTES)
    assert (team.methods(), team.deployments()) == (["prepare"], [])
    team.until("chat", "Ready", "False", "PreparingModel")
    add_model(team, "FP8")
    team.until_ready(within=15 * MINUTES)
    assert team.methods() == ["prepare", "POST"]


def test_while_a_model_is_prepared_its_record_is_asked_for_seldom_and_nothing_is_written(team: Team) -> None:
    add_model(team)
    never_done(team)
    create(team)
    team.until("chat", "Ready", "False", "PreparingModel")
    team.wait(10)
    known, writes = asked_for(team), team.stage.server.writes
    team.wait(10 * MINUTES)
    assert 15 <= asked_for(team) - known <= 20
    assert team.stage.server.writes == writes
    assert team.methods() == ["prepare"]


def test_a_preparation_that_takes_too_long_is_told_with_a_way_out_and_still_waited_for(team: Team) -> None:
    add_model(team)
    never_done(team)
    create(team)
    team.until("chat", "Ready", "False", "PreparingModel")
    team.steadily(lambda: holds(team.get(), "Stalled") == "False", "30 minutes are usual", seconds=29 * MINUTES)
    team.until("chat", "Stalled", "True", "PreparingModel", says="or remove spec.prepareModel", within=2 * MINUTES)
    team.wait(10 * MINUTES)
    assert team.methods() == ["prepare"]
    team.change(displayName="try again")
    team.until("chat", "Stalled", "False", "AsDesired", within=30)
    assert team.methods() == ["prepare", "prepare"]
    add_model(team, "FP8")
    team.until_ready(within=MINUTES)


def test_a_refused_preparation_is_told_and_creates_nothing(team: Team) -> None:
    add_model(team)
    team.fault(
        "status", method="POST", path=":prepare$", status=400, code="INVALID_ARGUMENT", message="no such precision"
    )
    create(team)
    team.until("chat", "Stalled", "True", "RejectedByFireworks", says="no such precision")
    team.wait(30)
    assert team.methods() == ["prepare"]
    team.change(prepareModel=None, precision="BF16")
    team.until_ready()


def test_a_preparation_whose_answer_is_lost_is_asked_for_again(team: Team) -> None:
    add_model(team)
    team.fault("drop_after_commit", method="POST", path=":prepare$", times=1)
    create(team)
    team.until_ready()
    assert team.methods()[-1] == "POST"
    assert 1 <= team.methods().count("prepare") <= 2


def test_models_of_other_accounts_are_never_prepared(team: Team) -> None:
    team.create(precision="FP8", prepareModel=True)
    team.until("chat", "Stalled", "True", "InvalidSpec", says="belongs to another one")
    team.wait(MINUTES)
    assert team.writes() == []


def test_a_resource_is_deleted_at_once_while_its_model_is_prepared(team: Team) -> None:
    add_model(team)
    never_done(team)
    create(team)
    team.until("chat", "Ready", "False", "PreparingModel")
    team.delete()
    team.until_gone(within=10)
    assert team.methods() == ["prepare"]
