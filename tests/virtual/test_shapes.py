"""A model alone is enough: which shape a deployment is created with, and what is said when it is not in force."""

from dataclasses import replace

import pytest

from tests.virtual.team import MODEL, Team, condition, holds

ALONE = {"acceleratorType": None, "minReplicaCount": None}
MINIMAL = "accounts/fireworks/deploymentShapes/llama-v3p1-8b-minimal"
FAST = "accounts/fireworks/deploymentShapes/llama-v3p1-8b-fast"
AT_REST = 66.0
"""Seconds until the next poll of an account at rest, at most."""


def _settings(team: Team, *, default_shape: bool = True, accept_risk: bool = True) -> None:
    """Start the operator anew with these settings, where Fireworks insists on shapes."""
    team.simulator.assume(shapeless_risk_required=True)
    query = {"acceptShapelessRisk": "true"} if accept_risk else {}
    team.stage.identity = replace(team.stage.identity, default_shape=default_shape, create_query=query)
    team.stage.restart()


def test_a_model_alone_becomes_ready_and_answers(team: Team) -> None:
    team.simulator.assume(shapeless_risk_required=True)
    team.create(spec=ALONE)
    status = team.until_ready()["status"]
    (post,) = team.posts()
    assert isinstance(post.body, dict)
    assert {name: value for name, value in post.body.items() if name != "annotations"} == {
        "baseModel": MODEL,
        "deploymentShape": "default",
    }
    assert set(post.query) == {"deploymentId"}, "the risk of no shape is not accepted beside a shape"
    assert status["appliedFields"] == ["baseModel"], "the shape is nobody's setting"
    assert status["effective"]["deploymentShape"].startswith(f"{MINIMAL}/versions/")
    model = status["modelIdentifier"]
    question = {"messages": [{"role": "user", "content": "Hello"}]}
    assert team.ask("/inference/v1/completions", {"model": model, "prompt": "Hello"})[0] == 200
    assert team.ask("/inference/v1/chat/completions", {"model": model, **question})[0] == 200
    team.wait(AT_REST)
    assert team.methods() == ["POST"]
    assert "shape" not in " ".join(team.status().get("notices", []))


def test_the_shape_that_fireworks_chose_may_change_without_being_put_back(team: Team) -> None:
    team.create(spec=ALONE)
    team.until_ready()
    team.simulator.edit(team.deployment_id(), {"deploymentShape": f"{FAST}/versions/e5f6g7h8"})
    team.wait(AT_REST)
    assert team.methods() == ["POST"]
    assert team.status()["effective"]["deploymentShape"].startswith(FAST)


def test_an_accelerator_without_a_shape_is_accepted_by_default(team: Team) -> None:
    team.simulator.assume(shapeless_risk_required=True)
    team.create()
    team.until_ready()
    (post,) = team.posts()
    assert post.query["acceptShapelessRisk"] == "true"
    assert isinstance(post.body, dict)
    assert "deploymentShape" not in post.body


def test_who_does_not_accept_the_risk_is_told_both_ways_out(team: Team) -> None:
    _settings(team, accept_risk=False)
    team.create()
    resource = team.until("chat", "Stalled", "True", "RejectedByFireworks", says="Set spec.deploymentShape")
    assert "acceptShapelessRisk" in condition(resource, "Stalled")["message"]
    team.change(acceleratorType=None, deploymentShape="fast")
    team.until_ready()
    assert [each.committed for each in team.posts()] == [False, True]


def test_without_the_default_shape_a_model_alone_is_refused_with_both_ways_out(team: Team) -> None:
    _settings(team, default_shape=False)
    team.create(spec=ALONE)
    resource = team.until("chat", "Stalled", "True", "RejectedByFireworks", says="Set spec.acceleratorType")
    assert "spec.deploymentShape" in condition(resource, "Stalled")["message"]
    assert "defaultShape" in condition(resource, "Stalled")["message"]
    team.change(acceleratorType="NVIDIA_H100_80GB")
    team.until_ready()
    assert [each.committed for each in team.posts()] == [False, True]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"baseModel": "accounts/fireworks/models/eagle-llama-v3-8b-instruct-v2"}, "spec.deploymentShape or spec.acc"),
        ({"precision": "FP16"}, "conflicts with: precision"),
    ],
    ids=["no shape for the model", "a field that no shape has"],
)
def test_a_default_shape_that_is_refused_is_explained(team: Team, spec: dict[str, object], says: str) -> None:
    team.create(spec={**ALONE, **spec})
    resource = team.until("chat", "Stalled", "True", "RejectedByFireworks", says=says)
    assert "asked for the default shape" in condition(resource, "Stalled")["message"]
    team.change(acceleratorType="NVIDIA_H100_80GB")
    team.until_ready()


@pytest.mark.parametrize("shape", ["fast", FAST])
def test_a_shape_that_is_written_later_takes_the_place_of_the_default_one(team: Team, shape: str) -> None:
    team.create(spec=ALONE)
    team.until_ready()
    team.change(deploymentShape=shape)
    team.eventually(lambda: team.deployment()["deploymentShape"].startswith(FAST), "the shape is another")
    status = team.until_ready()["status"]
    assert [each.query["updateMask"] for each in team.patches()] == ["deployment_shape"]
    assert "deploymentShape" in status["appliedFields"]
    assert len(team.deployments()) == 1


@pytest.mark.parametrize(
    ("accelerator", "reason"), [("NVIDIA_H100_80GB", None), ("NVIDIA_H200_141GB", "ReplaceRequired")]
)
def test_an_accelerator_that_is_written_later_is_compared_with_the_one_in_force(
    team: Team, accelerator: str, reason: str | None
) -> None:
    team.create(spec=ALONE)
    team.until_ready()
    team.change(acceleratorType=accelerator)
    if reason is None:
        assert "acceleratorType" in team.until_ready()["status"]["appliedFields"]
    else:
        team.until("chat", "Stalled", "True", reason, says=f"is NVIDIA_H100_80GB, wanted {accelerator}")
    assert team.methods() == ["POST"]


@pytest.mark.parametrize("gone", ["softly", "for good"])
def test_a_model_alone_comes_back_after_a_deletion_elsewhere(team: Team, gone: str) -> None:
    team.create(spec=ALONE)
    before = team.until_ready()["status"]
    hard = {"hard": "true"} if gone == "for good" else {}
    path = f"/v1/{before['deploymentName']}"
    assert team.ask(path, None, "DELETE", ignoreChecks="true", **hard)[0] == 200
    team.eventually(lambda: team.deployments() and team.deployment()["state"] == "READY", "it is back")
    after = team.until_ready()["status"]
    assert after["effective"]["deploymentShape"] == before["effective"]["deploymentShape"]
    assert "shape" not in " ".join(after.get("notices", []))


def test_a_model_alone_adopts_what_is_there_as_it_is(team: Team) -> None:
    team.simulator.create_foreign(prefix="theirs")
    team.create(spec=ALONE, deploymentId="theirs-0", adoptionPolicy="Unowned")
    status = team.until_ready()["status"]
    assert team.methods() == ["setTags"]
    assert "deploymentShape" not in status["effective"]
    assert "shape" not in " ".join(status.get("notices", []))


def test_a_deployment_of_before_the_default_shape_stays_as_it_is(team: Team) -> None:
    model = "accounts/fireworks/models/qwen3-embedding-8b"
    _settings(team, default_shape=False)
    team.create(spec={**ALONE, "baseModel": model})
    team.until_ready()
    _settings(team)
    team.wait(AT_REST)
    team.until_ready()
    assert team.methods() == ["POST"]


def test_a_default_shape_that_was_dropped_is_a_notice_and_no_trouble(team: Team) -> None:
    team.create(spec=ALONE)
    team.until_ready()
    team.simulator.edit(team.deployment_id(), clear=["deploymentShape"])
    team.wait(AT_REST)
    assert "the deployment has no shape" in " ".join(team.status()["notices"])
    assert holds(team.get(), "Ready") == "True"
    assert team.methods() == ["POST"]


def test_a_shape_that_was_asked_for_and_dropped_stalls_with_a_way_out(team: Team) -> None:
    team.create(spec={**ALONE, "deploymentShape": "minimal", "enableAddons": True})
    team.until_ready()
    team.fault("ignore_patch", method="PATCH")
    team.simulator.edit(team.deployment_id(), clear=["deploymentShape"])
    resource = team.until("chat", "Stalled", "True", "NotConverging", says="not validated for the model", within=180)
    assert "set another spec.deploymentShape" in condition(resource, "Stalled")["message"]
    assert "drops one that is not validated" in " ".join(resource["status"]["notices"])
    assert holds(resource, "Available") == "True", "it serves on"
    team.change(deploymentShape=None)
    team.until_ready()


def test_without_credit_the_way_out_is_the_billing_page_and_it_is_tried_again(team: Team) -> None:
    rule = team.fault("status", method="POST", status=402, code="FAILED_PRECONDITION", message="Out of credits.")
    team.create()
    page = "https://fireworks.ai/account/billing"
    team.until("chat", "Stalled", "True", "AccountSuspended", says=page)
    team.simulator.clear_fault(rule)
    team.until_ready(within=400)
    assert len(team.deployments()) == 1
