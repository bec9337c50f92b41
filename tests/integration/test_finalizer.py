"""The finalizer outlives the deployment: an answer that is not Fireworks' own never counts as "it is gone"."""

import pytest

from fireworks_operator.api.v1alpha1 import FINALIZER
from testkit.kubernetes_api import condition, resources_path
from testkit.team import Team
from testkit.waiting import steadily


def _held(team: Team) -> bool:
    resource = team.find()
    return resource is not None and FINALIZER in resource["metadata"]["finalizers"]


@pytest.mark.proof
def test_the_finalizer_is_there_before_the_deployment_and_stays(team: Team) -> None:
    with team.api.watch(resources_path(team.namespace)) as watch:
        team.create()
        team.until_ready()
        team.change(displayName="Chat")
        team.until_ready()
    claimed = [each for each in watch.objects if "deploymentName" in each.get("status", {})]
    assert claimed
    assert all(each["metadata"].get("finalizers") == [FINALIZER] for each in claimed)


@pytest.mark.parametrize(
    "page",
    [
        "html_404",
        *(
            pytest.param(each, marks=pytest.mark.proof)
            for each in ("plain_404", "html_502", "wrong_json", "truncate_body")
        ),
    ],
)
def test_a_foreign_answer_to_everything_holds_the_resource_until_fireworks_answers(team: Team, page: str) -> None:
    team.create()
    team.until_ready()
    team.fault(page)
    team.delete()
    resource = team.until("chat", "Ready", "False", "Deleting", says="fireworks.ai/abandon")
    assert condition(resource, "Reconciling")["status"] == "True", "it goes on by itself"
    steadily(lambda: _held(team), "the finalizer holds", seconds=2, explain=team.explain)
    team.simulator.clear_faults()
    team.until_gone()
    assert team.deployments() == []


@pytest.mark.proof
def test_only_an_answer_in_fireworks_own_words_to_a_get_counts_as_absent(team: Team) -> None:
    team.create(externalDeletionPolicy="Report")
    team.until_ready()
    team.simulator.vanish(team.deployment_id())
    fault = team.fault("html_404", method="GET", path=r"/deployments/[^/]+$")
    team.delete()
    team.eventually(lambda: team.simulator.fault_hits(fault) > 0, "a GET met the foreign page")
    steadily(lambda: _held(team), "the finalizer holds", seconds=2, explain=team.explain)
    team.simulator.clear_fault(fault)
    team.until_gone()
