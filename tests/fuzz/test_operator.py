"""What the API server accepts, the operator reconciles or answers with something that the user can act on."""

from collections import Counter
from collections.abc import Iterable

import pytest

from fireworks_simulator.testing import SimulatorClient
from testkit.factories import OWN_ACCOUNT, MakeTeam, StartOperator
from testkit.kubernetes_api import Json, condition
from testkit.team import Team
from tests.fuzz.batch import WITHOUT_KEY, Batch, reasons
from tests.fuzz.examples import EXAMPLES, drawn
from tests.fuzz.manifests import to_reconcile

AT_ONCE = 200
WITHIN = 180.0
"""Seconds for a batch; after a refusal the next try may be a minute away."""
GONE = ("DELETING", "DELETED")


@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_every_accepted_manifest_is_reconciled_or_says_what_to_do_and_leaves_nothing_behind(
    start_operator: StartOperator, make_team: MakeTeam
) -> None:
    manifests = drawn(to_reconcile, EXAMPLES // 3)
    team = make_team(start_operator())
    outcomes: Counter[str] = Counter()
    kept: set[str] = set()
    for begin in range(0, len(manifests), AT_ONCE):
        batch, some = Batch(team, WITHIN), manifests[begin : begin + AT_ONCE]
        batch.create(some)
        outcomes += reasons(batch.rest())
        assert_one_deployment_each(team)
        changes = batch.change(some[len(some) // 2 :] + some[: len(some) // 2])
        found = batch.rest()
        outcomes += Counter({f"changed: {reason}": count for reason, count in (changes + reasons(found)).items()})
        assert_one_deployment_each(team)
        kept |= may_stay(found)
        batch.delete()
        assert names(living(team)) <= kept, "deployments are left behind"
    print(f"{len(manifests)} manifests: {dict(outcomes)}")
    assert outcomes["Serving"] > len(manifests) / 10, outcomes


def living(team: Team) -> list[Json]:
    """Return the deployments of the team's account and of the operator's own that are not deleted."""
    own = SimulatorClient(team.simulator.url, OWN_ACCOUNT, OWN_ACCOUNT)
    both = [*team.simulator.deployments(), *own.deployments()]
    return [each for each in both if each["state"] not in GONE]


def names(deployments: Iterable[Json]) -> set[str]:
    """Return their names."""
    return {str(each["name"]) for each in deployments}


def assert_one_deployment_each(team: Team) -> None:
    """I1: no resource has two."""
    owners = Counter(str(each["annotations"].get("custom/name")) for each in living(team))
    assert set(owners.values()) <= {1}, owners


def may_stay(resources: Iterable[Json]) -> set[str]:
    """Return the deployments that the resources let go rather than delete."""
    kept = [
        each
        for each in resources
        if each["spec"]["deletionPolicy"] == "Retain"
        or each["spec"]["managementPolicy"] == "Observe"
        or condition(each, "Ready")["reason"] in WITHOUT_KEY
    ]
    return {str(each["status"].get("deploymentName")) for each in kept}
