"""A zero in a create request is lost (proto3 without presence); the operator notices and says it again in a PATCH."""

from tests.virtual.team import Team

WITH_DRAFTER = "accounts/fireworks/models/llama-v3p3-70b-instruct"


def test_a_drafter_that_was_inherited_in_spite_of_a_zero_is_turned_off(team: Team) -> None:
    team.create(spec={"baseModel": WITH_DRAFTER, "draftTokenCount": 0})
    team.until_ready()
    team.eventually(lambda: not team.deployment().get("draftTokenCount"), "the zero has arrived")
    (patch,) = team.patches()
    assert "draft_token_count" in patch.query["updateMask"].split(",")
    team.wait(300)
    assert len(team.patches()) == 1, "once is enough"


def test_what_shall_be_parked_is_parked_although_it_was_created_running(team: Team) -> None:
    team.simulator.assume(create_parked=False)
    team.create(spec={"minReplicaCount": 0, "maxReplicaCount": 0})
    team.eventually(lambda: [d["maxReplicaCount"] for d in team.deployments()] == [0], "the zero has arrived")
    (patch,) = team.patches()
    assert "max_replica_count" in patch.query["updateMask"].split(",")
    team.wait(300)
    assert (len(team.patches()), team.deployment()["replicaCount"]) == (1, 0)
