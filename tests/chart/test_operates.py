"""The operator as a process with what the chart gives its container: settings, key and service account."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testkit.chart.installation import Installation
from testkit.kubernetes_api import resources_path
from testkit.processes import Operator, SimulatorProcess
from testkit.waiting import eventually

pytestmark = pytest.mark.slow


@pytest.fixture
def operator(installed: Installation, simulator: SimulatorProcess, tmp_path: Path) -> Iterator[Operator]:
    """The operator of the chart."""
    process = installed.operator(simulator.url, tmp_path).start()
    yield process
    process.stop()
    process.check_log()


def test_a_deployment_is_created_and_deleted_with_the_rights_of_the_chart(
    installed: Installation, simulator: SimulatorProcess, operator: Operator
) -> None:
    """Nothing is refused on the way: leader election, claim, status, finalizer, events."""
    team = installed.make_team(simulator, operator, installed.managed)
    eventually(lambda: operator.metric("fireworks_operator_leader") == 1, "it leads", within=60, explain=operator.tail)
    team.create()
    team.until_ready(within=60)
    team.eventually(lambda: team.events(), "there are events", within=60)
    team.delete()
    team.until_gone(within=60)
    assert operator.metric("fireworks_operator_kubernetes_writes_total", result="forbidden") == 0
    assert operator.metric("fireworks_operator_kubernetes_writes_total", result="ok") > 0
    refused = [line for line in operator.log().splitlines() if "forbidden" in line]
    assert len(refused) == (0 if installed.everywhere else 1), refused  # the CRD, which Roles cannot give
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{installed.namespace}/leases/fireworks-fireworks-operator"
    held = team.api.find(lease)
    assert held is not None
    assert held["spec"]["holderIdentity"]


def test_only_managed_namespaces_are_managed(
    installed: Installation, simulator: SimulatorProcess, operator: Operator
) -> None:
    outside = installed.make_team(simulator, operator, installed.other)
    outside.create()
    if installed.everywhere:
        outside.until_ready(within=60)
        outside.delete()
        outside.until_gone(within=60)
        return
    inside = installed.make_team(simulator, operator, installed.managed)
    inside.create("later")
    inside.until_ready("later", within=60)
    assert "status" not in outside.get() or outside.status() == {"observedGeneration": -1}
    assert "finalizers" not in outside.get()["metadata"]
    assert not outside.posts()
    inside.delete("later")
    inside.until_gone("later", within=60)
    outside.api.request("DELETE", resources_path(installed.other, "chat"))


def test_an_account_that_nobody_uses_any_more_raises_no_alarm(
    installed: Installation, simulator: SimulatorProcess, operator: Operator
) -> None:
    """Its last list would grow old, and what was let go on purpose would look like an orphan in it."""
    team = installed.make_team(simulator, operator, installed.managed)
    team.create(deletionPolicy="Retain")
    team.until_ready(within=60)
    account = f'account="{team.account}"'

    def gauges() -> list[str]:
        names = ("fireworks_operator_observation_age_seconds", "fireworks_operator_orphaned_deployments")
        return [line for line in operator.metrics().splitlines() if line.startswith(names) and account in line]

    eventually(lambda: len(gauges()) == 2, "the account is measured", explain=operator.tail)
    team.delete()
    team.until_gone(within=60)
    eventually(lambda: not gauges(), "the account is not measured any more", explain=lambda: "\n".join(gauges()))
    assert operator.metric("fireworks_operator_deployments_left_running_total", cause="Retain") >= 1
    assert "carries this cluster's owner marker" not in operator.log()
