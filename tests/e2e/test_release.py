"""The image in real pods, installed by Helm: what an administrator does, and what becomes of deployments meanwhile."""

from pathlib import Path

import pytest

from testkit.waiting import eventually
from tests.e2e.release import DEPLOYMENT, PODS, Release
from tests.e2e.world import EXAMPLE, KIND, NAME, NAMESPACES, SYSTEM, TEAM, World

# The first one waits for images and programs to be built.
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def applied(release: Release, world: World) -> World:
    """The example, applied and Ready."""
    world.kubectl("apply", "-n", TEAM, "-f", str(EXAMPLE))
    world.wait_for_ready()
    return world


def test_the_pods_run_the_image_that_was_built_under_pod_security_restricted(release: Release, world: World) -> None:
    pods = release.pods()
    assert len(pods) == 2
    for pod in pods:
        (status,) = pod["status"]["containerStatuses"]
        assert world.runs("operator", status)
        assert status["ready"]
        assert status["restartCount"] == 0
        print(f"{pod['metadata']['name']}: ready, image {status['image']}, {status['imageID']}")
    for namespace in NAMESPACES:
        labels = world.get("namespace", namespace)["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
        refused = world.cluster.kubectl(
            *("run", "root", "--image=fireworks-operator:dev", "-n", namespace, "--dry-run=server"), check=False
        )
        assert 'violates PodSecurity "restricted' in refused.stderr, "the label has no effect"
        print(f"namespace {namespace}: Pod Security restricted is enforced")


def test_a_completion_through_the_service_is_answered_by_the_deployment(applied: World) -> None:
    status = applied.resource()["status"]
    assert status["state"] == "READY"
    answer = applied.ask()
    assert answer["answered_by"] == status["deploymentName"]
    print(f"{NAME} is READY as {status['modelIdentifier']}; answered by {answer['answered_by']}: {answer['text']}")


def test_commands_of_the_documentation_that_need_pods(applied: World, tmp_path: Path) -> None:
    log_of_the_example = f"{TEAM}/{NAME}: "
    # The release has another name here, which is a part of the Deployment's.
    table = {"OPERATOR": SYSTEM, "NAME": NAME, "deployment/fireworks-operator": f"deployment/{DEPLOYMENT}"}
    with applied.follow("docs/alerts.md", table, tmp_path / "alerts") as page:
        assert log_of_the_example in page.run("kubectl get")
    with applied.follow("docs/troubleshooting.md", table, tmp_path / "troubleshooting") as page:
        assert log_of_the_example in page.run("kubectl logs")


def test_upgrade_and_rollback_leave_resource_and_deployment_as_they_are(applied: World, release: Release) -> None:
    before, pods = applied.resource(), {pod["metadata"]["name"] for pod in release.pods()}
    changes = applied.simulator().last_sequence()
    release.upgrade(logLevel="DEBUG")
    assert release.log_level() == "DEBUG"
    upgraded = {pod["metadata"]["name"] for pod in release.pods()}
    assert len(upgraded) == 2
    assert upgraded.isdisjoint(pods)
    release.rollback()
    assert release.log_level() == "INFO"
    applied.wait_for_ready()
    after = applied.resource()
    assert after["status"] == before["status"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    requests = applied.simulator().journal(since=changes)
    assert {each.method for each in requests} == {"GET"}, "the new pods looked, and changed nothing"


def test_when_the_leader_is_killed_the_standby_acts(applied: World, release: Release) -> None:
    first = eventually(release.leader, "a leader", within=60)
    (standby,) = (pod["metadata"]["name"] for pod in release.pods() if pod["metadata"]["name"] != first)
    nodes = applied.kubectl("get", "nodes", "-o", "name").split()
    applied.kubectl("cordon", *nodes)  # so that no new pod can be the one that acts
    try:
        applied.kubectl("delete", "pod", first, "-n", SYSTEM, "--force", "--grace-period=0")
        patch = '{"spec": {"maxReplicaCount": 2}}'
        applied.kubectl("patch", KIND, NAME, "-n", TEAM, "--type=merge", "--patch", patch)

        def in_force() -> bool:
            deployment_id = applied.resource()["status"]["deploymentName"].rpartition("/")[2]
            return applied.simulator().deployment(deployment_id).get("maxReplicaCount") == 2

        eventually(in_force, "the change reaches Fireworks", within=90, interval=0.5)
        assert release.leader() == standby
    finally:
        applied.kubectl("uncordon", *nodes)
    applied.wait_for_ready()
    assert applied.creations() == 1
    applied.kubectl("rollout", "status", f"deployment/{DEPLOYMENT}", "-n", SYSTEM, "--timeout=120s")


def test_uninstalling_keeps_the_resources_and_a_new_installation_finds_them(applied: World, release: Release) -> None:
    before = applied.resource()
    release.uninstall()
    eventually(lambda: not applied.get("pods", "-n", SYSTEM, "-l", PODS)["items"], "no operator runs", within=60)
    kept = applied.resource()
    assert kept["status"] == before["status"]
    assert "deletionTimestamp" not in kept["metadata"]
    changes = applied.simulator().last_sequence()

    release.install()
    look = "fireworks.ai/reconcile-at=now"
    applied.kubectl("annotate", KIND, NAME, "-n", TEAM, look)
    listed = eventually(
        lambda: applied.simulator().journal(method="GET", path=r"/deployments", since=changes), "it looks", within=60
    )
    assert listed
    applied.wait_for_ready()
    assert applied.resource()["status"]["deploymentName"] == before["status"]["deploymentName"]
    assert applied.creations() == 1


def test_a_deleted_resource_takes_its_deployment_along(applied: World) -> None:
    # It answered a request a moment ago, and for an hour Fireworks does not let go of what is in use.
    applied.simulator().advance(3601)
    applied.kubectl("delete", KIND, NAME, "-n", TEAM, "--timeout=120s")
    deployments = applied.simulator().journal(method="DELETE", path=r"/deployments/")
    assert [each.committed for each in deployments][-1:] == [True]
