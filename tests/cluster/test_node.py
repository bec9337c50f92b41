"""A node that really runs pods, and that leaves nothing of itself behind."""

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from testkit.kubernetes import Cluster, ClusterError, node
from testkit.kubernetes.pause import IMAGE, write_archive
from testkit.kubernetes.processes import Processes

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "waits", "namespace": "default"},
    "spec": {
        "containers": [{"name": "waits", "image": IMAGE, "imagePullPolicy": "Never"}],
        "terminationGracePeriodSeconds": 1,
    },
}

requested = pytest.mark.skipif(
    not os.environ.get("FIREWORKS_E2E"), reason="needs root, and builds a node: `make e2e` runs it"
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with a node."""
    cluster = Cluster(tmp_path_factory.mktemp("node") / "state")
    assert cluster.up(with_node=True)
    yield cluster
    cluster.down()


@requested
@pytest.mark.timeout(1500)
def test_a_pod_runs_and_its_log_can_be_read(running: Cluster) -> None:
    running.kubectl("create", "-f", "-", input=json.dumps(POD))
    running.kubectl("wait", "--for=condition=Ready", "pod/waits", "--timeout=60s")
    assert running.kubectl("logs", "waits").stdout == ""


@requested
def test_the_service_of_the_api_server_leads_to_where_pods_reach_it(running: Cluster) -> None:
    service = running.kubectl("get", "endpointslice", "kubernetes", "-o", "jsonpath={.endpoints[0].addresses[0]}")
    assert service.stdout == node.HOST_ADDRESS


@requested
def test_a_second_node_on_the_machine_is_refused(running: Cluster, tmp_path: Path) -> None:
    other = Cluster(tmp_path / "state")
    with pytest.raises(
        ClusterError, match=f"another cluster with a node runs on this machine, in {running.directory};"
    ):
        other.up(with_node=True)
    other.down()
    assert running.running()


@requested
def test_a_cluster_without_a_node_is_not_taken_for_one_with_it(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path / "state")
    cluster.up()
    try:
        with pytest.raises(ClusterError, match="runs without a node; take it down first"):
            cluster.up(with_node=True)
        with pytest.raises(ClusterError, match="has no node; start it with `up --node`"):
            cluster.load(write_archive(Path("/bin/true"), tmp_path / "image.tar"))
    finally:
        cluster.down()


@requested
def test_down_leaves_nothing_behind(running: Cluster) -> None:
    """Comes last: the module's cluster ends here."""
    mine = running.directory
    running.down()
    assert not mine.exists()
    assert str(mine) not in Path("/proc/mounts").read_text()
    assert not Path("/sys/class/net", node.LINK).exists()
    assert list(Path("/sys/fs/cgroup").glob("**/k8s.io")) == []
    assert node.HOST_ADDRESS not in subprocess.run(["ip", "address"], capture_output=True, text=True).stdout
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert os.fsencode(mine) not in each.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue


@pytest.mark.parametrize(
    ("platform", "user", "path", "sentence"),
    [
        ("darwin", 0, "", "a node needs Linux"),
        ("linux", 1000, "", "a node needs root"),
        ("linux", 0, "/nowhere", "apt-get install containernetworking-plugins iproute2 iptables mount runc util-linux"),
    ],
)
def test_a_machine_that_cannot_run_a_node_is_told_why(
    platform: str, user: int, path: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setattr(node, "_PATH", path)
    monkeypatch.setattr(node, "_PLUGINS", ())
    assert sentence in str(node.problem())


def test_folders_that_a_node_does_not_see_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FIREWORKS_CLUSTER_BIN", str(tmp_path))
    run = Path("/var/lib/somewhere/run")
    with pytest.raises(ClusterError, match="a node cannot use /var/lib/somewhere/run"):
        node.Node(run, Processes(run)).make_namespaces()


def test_the_image_of_the_sandbox_holds_one_program(tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(b"binary")
    with tarfile.open(write_archive(program, tmp_path / "pause.tar")) as files:
        (manifest,) = json.load(content(files, "manifest.json"))
        assert manifest["RepoTags"] == [IMAGE]
        with tarfile.open(fileobj=content(files, manifest["Layers"][0])) as layer:
            assert layer.getnames() == ["pause"]
            assert layer.getmember("pause").mode == 0o755
            assert content(layer, "pause").read() == b"binary"


def content(files: tarfile.TarFile, name: str) -> io.BytesIO:
    found = files.extractfile(name)
    assert found is not None
    return io.BytesIO(found.read())
