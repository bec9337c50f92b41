"""The scale subresource, as kubectl, the HorizontalPodAutoscaler's controller and KEDA use it."""

import json
from collections.abc import Iterator

import pytest

from fireworks_operator.core.identity import pod_selector
from tests.crd.server import NAMESPACE, Cluster, Create, Object, RefusedError, Server, manifest

UID = "4f0c2b9e-8d53-4f7e-9c1a-0b8a4a3f7d10"


class Scaled:
    """A stored resource, and its scale as clients see it."""

    def __init__(self, server: Server, cluster: Cluster, name: str) -> None:
        self.server, self.cluster, self.name = server, cluster, name

    def replicas(self) -> int | None:
        """Return `spec.minReplicaCount` of the resource itself."""
        found = self.spec().get("minReplicaCount")
        return None if found is None else int(found)

    def spec(self) -> Object:
        """Return the spec of the resource itself."""
        spec: Object = self.server.get(self.name)["spec"]
        return spec

    def scale(self, *arguments: str) -> str:
        """Run `kubectl scale`; return what it prints, be it refused or not."""
        done = self.cluster.kubectl("scale", f"fwd/{self.name}", "-n", NAMESPACE, *arguments, check=False)
        return done.stdout + done.stderr

    def read(self) -> Object:
        return self.server.get_scale(self.name)

    def put(self, scale: Object) -> Object:
        return self.server.put_scale(self.name, scale)


@pytest.fixture
def chat(server: Server, cluster: Cluster, create: Create) -> Scaled:
    """A deployment with one to four replicas, of which three are ready."""
    name = create(minReplicaCount=1, maxReplicaCount=4)
    server.set_status(name, {"replicas": {"ready": 3}, "selector": pod_selector(UID)})
    return Scaled(server, cluster, name)


def test_kubectl_scale_sets_the_minimum_also_to_zero(chat: Scaled) -> None:
    for replicas in (2, 0, 4):
        assert chat.scale(f"--replicas={replicas}").endswith(" scaled\n")
        assert chat.replicas() == replicas


def test_kubectl_scale_above_the_maximum_is_refused_with_the_way_out(chat: Scaled) -> None:
    assert "spec.maxReplicaCount must not be less than spec.minReplicaCount; raise it" in chat.scale("--replicas=5")
    assert chat.replicas() == 1


def test_kubectl_scale_reaches_no_further_than_the_bounds_of_the_field(chat: Scaled) -> None:
    assert "spec.minReplicaCount" in chat.scale("--replicas=1001")
    assert chat.replicas() == 1


def test_kubectl_scale_acts_only_upon_the_replicas_that_it_is_told(chat: Scaled) -> None:
    assert "Expected replicas to be 3, was 1" in chat.scale("--current-replicas=3", "--replicas=2")
    assert chat.replicas() == 1
    chat.scale("--current-replicas=1", "--replicas=2")
    assert chat.replicas() == 2


def test_without_a_maximum_any_minimum_is_accepted(server: Server, cluster: Cluster, create: Create) -> None:
    chat = Scaled(server, cluster, create(minReplicaCount=1))
    assert chat.scale("--replicas=7").endswith(" scaled\n")
    assert chat.replicas() == 7


def test_an_absent_minimum_can_be_set_but_not_read_so_autoscalers_need_it(
    server: Server, cluster: Cluster, create: Create
) -> None:
    chat = Scaled(server, cluster, create())
    with pytest.raises(RefusedError, match=r"the spec replicas field .*\.spec\.minReplicaCount.* does not exist"):
        chat.read()
    assert chat.scale("--replicas=0").endswith(" scaled\n")
    assert chat.replicas() == 0
    assert chat.read()["spec"] == {}, "Kubernetes leaves zero out"


def test_a_horizontal_pod_autoscaler_reads_what_it_needs_and_writes_by_put(chat: Scaled) -> None:
    """Its controller gives up on a scale without a selector, and on one that cannot be parsed."""
    scale = chat.read()
    assert (scale["apiVersion"], scale["kind"]) == ("autoscaling/v1", "Scale")
    assert scale["spec"] == {"replicas": 1}
    assert scale["status"] == {"replicas": 3, "selector": pod_selector(UID)}
    assert chat.put(scale | {"spec": {"replicas": 2}})["spec"] == {"replicas": 2}
    assert chat.replicas() == 2


def test_the_selector_is_one_and_selects_no_pod(server: Server, cluster: Cluster, chat: Scaled) -> None:
    selector = chat.read()["status"]["selector"]
    found = cluster.kubectl("get", "pods", "-A", "-o", "name", "--selector", selector)
    assert (found.returncode, found.stdout) == (0, "")


def test_an_autoscaler_that_read_an_older_state_overwrites_nothing(chat: Scaled) -> None:
    scale = chat.read()
    chat.scale("--replicas=2")
    with pytest.raises(RefusedError, match="the object has been modified"):
        chat.put(scale | {"spec": {"replicas": 4}})
    assert chat.replicas() == 2


def test_keda_scales_to_zero_and_from_zero_by_put(chat: Scaled) -> None:
    for replicas in (0, 1):
        chat.put(chat.read() | {"spec": {"replicas": replicas}})
        assert chat.replicas() == replicas


def test_an_autoscaler_above_the_maximum_is_refused_in_the_same_words(chat: Scaled) -> None:
    with pytest.raises(RefusedError, match=r"spec\.maxReplicaCount must not be less than"):
        chat.put(chat.read() | {"spec": {"replicas": 5}})


def test_kubectl_autoscale_makes_an_autoscaler_for_it(cluster: Cluster, chat: Scaled) -> None:
    done = cluster.kubectl("autoscale", f"fwd/{chat.name}", "-n", NAMESPACE, "--min=1", "--max=4", "--dry-run=server")
    assert "autoscaled" in done.stdout


def test_a_scale_sets_nothing_but_the_minimum(chat: Scaled) -> None:
    before = chat.spec()
    chat.put(chat.read() | {"spec": {"replicas": 2, "maxReplicaCount": 9}, "status": {"replicas": 9}})
    assert chat.spec() == before | {"minReplicaCount": 2}
    assert chat.read()["status"]["replicas"] == 3


# --- GitOps ----------------------------------------------------------------------------------------------------------


def apply(cluster: Cluster, name: str, **spec: object) -> str:
    """Apply a manifest as a GitOps tool does, and return what the API server says."""
    text = json.dumps(manifest(dict(spec), name))
    command = ("apply", "--server-side", "--field-manager=gitops", "-f", "-")
    done = cluster.kubectl(*command, input=text, check=False)
    return done.stdout + done.stderr


@pytest.fixture
def managed(server: Server, cluster: Cluster) -> Iterator[Scaled]:
    yield Scaled(server, cluster, "from-git")
    server.delete("from-git")


def test_a_minimum_that_is_not_in_git_stays_as_it_was_scaled(cluster: Cluster, managed: Scaled) -> None:
    apply(cluster, managed.name, maxReplicaCount=4)
    managed.scale("--replicas=3")
    assert "serverside-applied" in apply(cluster, managed.name, maxReplicaCount=4)
    assert managed.replicas() == 3


def test_a_minimum_in_git_conflicts_with_what_was_scaled(cluster: Cluster, managed: Scaled) -> None:
    apply(cluster, managed.name, minReplicaCount=1, maxReplicaCount=4)
    managed.scale("--replicas=3")
    refusal = apply(cluster, managed.name, minReplicaCount=1, maxReplicaCount=4)
    assert "conflict" in refusal
    assert ".spec.minReplicaCount" in refusal
    assert managed.replicas() == 3


def test_a_minimum_that_leaves_git_after_it_was_scaled_stays(cluster: Cluster, managed: Scaled) -> None:
    apply(cluster, managed.name, minReplicaCount=1, maxReplicaCount=4)
    managed.scale("--replicas=3")
    apply(cluster, managed.name, maxReplicaCount=4)
    assert managed.replicas() == 3


def test_a_minimum_that_leaves_git_before_it_was_scaled_is_removed(cluster: Cluster, managed: Scaled) -> None:
    """The page says to scale first; this is why."""
    apply(cluster, managed.name, minReplicaCount=1, maxReplicaCount=4)
    apply(cluster, managed.name, maxReplicaCount=4)
    assert managed.replicas() is None
