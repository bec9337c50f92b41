"""What users write arrives at Fireworks under its wire name, and nothing else does."""

import pytest

from testkit.stories.create_request import ROWS, Row, create
from testkit.team import MODEL, Team


@pytest.mark.proof
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.reason.replace(" ", "-"))
def test_the_create_request_says_what_the_user_said(team: Team, row: Row) -> None:
    create(team, row)


def test_a_refused_spec_is_explained_in_fireworks_words_and_created_once_it_is_corrected(team: Team) -> None:
    team.create(acceleratorType="NVIDIA_H100_90GB")
    team.until("chat", "Stalled", "True", "RejectedByFireworks", says="NVIDIA_H100_90GB")
    team.change(acceleratorType="NVIDIA_H100_80GB")
    team.until_ready()
    assert [each.committed for each in team.posts()] == [False, True]


@pytest.mark.proof
def test_a_model_that_does_not_exist_can_be_corrected_although_the_field_is_immutable(team: Team) -> None:
    team.create(baseModel="accounts/fireworks/models/llama-v3p1-9b-instruct")
    team.until("chat", "Stalled", "True", "ModelNotFound", says="spec.baseModel")
    team.change(baseModel=MODEL)
    team.until_ready()
    assert len(team.deployments()) == 1
