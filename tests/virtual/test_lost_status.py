"""A status that is lost while a create request has no answer: what only it knew of must not be left behind."""

import pytest

from fireworks_operator.api.v1alpha1 import FINALIZER
from tests.virtual.team import Team

LATE = 30.0


def _lose_status_of_unanswered_create(team: Team) -> None:
    """A create request takes effect long after it was given up; meanwhile a restore takes the status away."""
    rule = team.fault("late_commit", method="POST", path="/deployments$", seconds=LATE, times=1)
    team.create()
    team.eventually(lambda: team.hits(rule) == 1, "the create request is on its way")
    team.stage.stop()
    team.stage.server.restore(team.ref("chat"), new_uid=False)
    assert team.get()["metadata"]["finalizers"] == [FINALIZER]


@pytest.mark.parametrize("claims_again", [False, True])
def test_what_a_create_request_of_before_the_loss_makes_is_deleted_with_the_resource(
    team: Team, claims_again: bool
) -> None:
    _lose_status_of_unanswered_create(team)
    if claims_again:
        team.fault("status", method="POST", path="/deployments$", code="INVALID_ARGUMENT", times=1)
        team.stage.start()
        team.until("chat", "Stalled", "True", "RejectedByFireworks")
        team.delete()
    else:
        team.delete()
        team.stage.start()
    team.until_gone()
    assert any(each.committed for each in team.posts()), "it has taken effect late"
    assert team.deployments() == []


def test_a_resource_without_a_status_goes_a_minute_after_its_deletion_if_nothing_exists(team: Team) -> None:
    team.fault("status", method="POST", path="/deployments$", code="INVALID_ARGUMENT", times=100)
    team.create()
    team.until("chat", "Stalled", "True", "RejectedByFireworks")
    team.stage.stop()
    team.stage.server.restore(team.ref("chat"), new_uid=False)
    team.delete()
    team.stage.start()
    team.polls(2)
    assert team.find() is not None
    team.wait(70)
    assert team.find() is None


def test_a_resource_whose_create_request_was_refused_goes_at_once(team: Team) -> None:
    team.fault("status", method="POST", path="/deployments$", code="INVALID_ARGUMENT", times=100)
    team.create()
    team.until("chat", "Stalled", "True", "RejectedByFireworks")
    team.delete()
    team.wait(5)
    assert team.find() is None
