"""Hardware that is not to be had, and the fallbacks: tried before the first service, and never after it."""

import pytest

from testkit.stories.team import Json
from tests.virtual.team import Team, holds

H100, H200, B200 = "NVIDIA_H100_80GB", "NVIDIA_H200_141GB", "NVIDIA_B200_180GB"
AFTER = 900
"""Seconds that a new deployment waits for GPUs, unless its spec says otherwise."""
COLD = 3600
"""Seconds for which a choice that was given up is not tried again."""
ONE = [{"acceleratorType": H200}]
TWO = [*ONE, {"acceleratorType": B200}]


def _deployment(team: Team) -> Json:
    (found,) = team.deployments()
    return found


def _choice(team: Team, name: str = "chat") -> Json:
    found: Json = team.status(name).get("choice", {})
    return found


def _never_degraded(team: Team, name: str = "chat", since: int = 0) -> bool:
    return all(holds(each, "Stalled") != "True" for each in team.versions(name, since) if each.get("status"))


@pytest.mark.parametrize("status", ["429", "403", "400"])
def test_a_refused_quota_moves_on_at_once_and_says_so(team: Team, status: str) -> None:
    team.simulator.assume(quota_status=status)
    team.simulator.quota("global--h100-count", 0)
    team.create(fallbacks=ONE)
    team.until_ready()
    assert _deployment(team)["acceleratorType"] == H200
    choice = _choice(team)
    assert (choice["index"], choice["acceleratorType"]) == (1, H200)
    assert [(each["index"], each["hardware"], each["reason"]) for each in choice["givenUp"]] == [
        (0, H100, "QuotaExceeded")
    ]
    assert [each.committed for each in team.posts()] == [False, True]
    assert ("Normal", "FallingBack") in team.happened()
    assert _never_degraded(team), "it is progress, not trouble"


def test_an_invalid_spec_does_not_move_on(team: Team) -> None:
    team.create(fallbacks=ONE, precision="NO_SUCH_PRECISION")
    team.until("chat", "Stalled", "True", "RejectedByFireworks")
    team.wait(AFTER + 60)
    assert "choice" not in team.status()
    assert {each.body["acceleratorType"] for each in team.posts() if isinstance(each.body, dict)} == {H100}


def test_a_deployment_that_waits_for_gpus_too_long_is_replaced(team: Team) -> None:
    team.simulator.stage(outcome="stockout", accelerator=H100)
    team.create(fallbacks=ONE)
    began = team.stage.now()
    team.until("chat", "Ready", "False", "CapacityPending", within=300)
    told = ("Normal", "FallingBack")
    team.eventually(lambda: told in team.happened(), "it falls back", within=AFTER)
    assert AFTER - 2 <= team.stage.now() - began <= AFTER + 10
    team.until_ready()
    assert _deployment(team)["acceleratorType"] == H200
    assert team.methods() == ["POST", "DELETE", "POST"]
    assert _choice(team)["givenUp"][0]["reason"] == "CapacityPending"
    assert "replaces" not in _choice(team)
    assert _never_degraded(team)
    team.stage.restart()
    version = team.get()["metadata"]["resourceVersion"]
    team.wait(2 * COLD)
    assert team.get()["metadata"]["resourceVersion"] == version, "and there it stays"
    assert team.methods() == ["POST", "DELETE", "POST"]
