"""The local cluster as its users meet it: real processes, real kubectl."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fireworks_operator.api.kinds import BUDGETS
from testkit.kubernetes import Cluster, ClusterError, GivenCluster, definitions, local_cluster
from testkit.kubernetes.build import PROGRAM, binaries_root, kubernetes_version
from testkit.kubernetes.parts import find_binaries

ROOT = Path(__file__).parents[2]

# The first test waits for the build, which takes minutes on a machine that has not done it before.
pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module", autouse=True)
def _only_our_own_binaries() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("KUBEBUILDER_ASSETS", raising=False)
        patch.delenv("FIREWORKS_TEST_KUBECONFIG", raising=False)
        yield


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for KUBEBUILDER_ASSETS with the programs that this machine has."""
    folder, binaries = tmp_path_factory.mktemp("assets"), find_binaries()
    for name, program in (
        ("etcd", binaries.etcd),
        ("kube-apiserver", binaries.apiserver),
        ("kubectl", binaries.kubectl),
    ):
        (folder / name).symlink_to(program)
    return folder


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster that the tests of this file share; none of them may break it for the others."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster") / "state")
    assert cluster.up()
    yield cluster
    cluster.down()


def test_a_namespace_is_created_and_deleted(running: Cluster) -> None:
    running.kubectl("create", "namespace", "short-lived")
    assert running.kubectl("get", "namespace", "short-lived", "-o", "name").stdout == "namespace/short-lived\n"
    # Waits until it is gone, which is the work of a controller.
    running.kubectl("delete", "namespace", "short-lived", "--timeout=30s")
    assert running.kubectl("get", "namespace", "short-lived", check=False).returncode == 1


def test_an_object_goes_with_its_owner(running: Cluster) -> None:
    running.kubectl("create", "configmap", "owner")
    uid = running.kubectl("get", "configmap", "owner", "-o", "jsonpath={.metadata.uid}").stdout
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    owned = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owned", "ownerReferences": [owner]}}
    running.kubectl("create", "-f", "-", input=json.dumps(owned))
    running.kubectl("delete", "configmap", "owner")
    running.kubectl("wait", "--for=delete", "configmap/owned", "--timeout=30s")


def test_a_definition_that_something_holds_back_can_be_changed_and_goes_in_the_end(
    running: Cluster, crds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(definitions, "_NUDGE", 0.5)
    file = crds / BUDGETS.crd_file
    definitions.apply_crds(running, file)
    held = '{"metadata": {"finalizers": ["example.com/held", "customresourcecleanup.apiextensions.k8s.io"]}}'
    running.kubectl("patch", "crd", BUDGETS.crd, "--type=merge", "--patch", held)
    running.kubectl("delete", "crd", BUDGETS.crd, "--wait=false")
    with pytest.raises(ClusterError, match="not gone within 2 s"):
        definitions.until_gone(running, BUDGETS.crd, within=2)
    assert "testkit/asked-again" in running.kubectl("get", "crd", BUDGETS.crd, "-o", "json").stdout
    running.kubectl("patch", "crd", BUDGETS.crd, "--type=merge", "--patch", '{"metadata": {"finalizers": []}}')
    definitions.until_gone(running, BUDGETS.crd)


def test_it_says_which_kubernetes_it_is(running: Cluster) -> None:
    versions = json.loads(running.kubectl("version", "-o", "json").stdout)
    major, minor, patch = kubernetes_version() or (0, 0, 0)
    assert versions["serverVersion"]["gitVersion"].startswith(f"v{major}.{minor}.")
    assert abs(int(versions["clientVersion"]["minor"]) - minor) <= 1
    if find_binaries().apiserver.resolve().name == PROGRAM:  # compiled here
        assert versions["serverVersion"]["gitVersion"] == f"v{major}.{minor}.{patch}"


def test_the_user_operator_may_do_what_a_role_grants_and_nothing_else(running: Cluster) -> None:
    def may(verb: str, what: str) -> bool:
        done = running.kubectl("--kubeconfig", operator, "auth", "can-i", verb, what, "-n", "default", check=False)
        return done.stdout.strip() == "yes"

    operator = str(running.kubeconfig_of("operator"))
    assert not may("get", "configmaps")
    running.kubectl("create", "role", "reader", "--verb=get", "--resource=configmaps", "-n", "default")
    running.kubectl("create", "rolebinding", "reader", "--role=reader", "--user=operator", "-n", "default")
    assert may("get", "configmaps")
    assert not may("delete", "configmaps")
    with pytest.raises(ClusterError, match="no user nobody, only admin, operator"):
        running.kubeconfig_of("nobody")


def test_a_service_account_gets_a_token_that_the_server_knows(running: Cluster) -> None:
    token = running.kubectl("create", "token", "default").stdout.strip()
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    answer = running.kubectl("create", "-f", "-", "-o", "json", input=json.dumps(review)).stdout
    assert json.loads(answer)["status"]["user"]["username"] == "system:serviceaccount:default:default"


def test_what_only_its_owner_may_read(running: Cluster) -> None:
    run = running.kubeconfig.parent
    secret = [run / "tokens.csv", running.kubeconfig, *sorted((run / "certificates").glob("*.key"))]
    assert len(secret) == 4
    assert {path.stat().st_mode & 0o777 for path in secret} == {0o600}


def test_up_again_leaves_a_running_cluster_as_it_is(running: Cluster) -> None:
    before = processes_of(running)
    assert len(before) == 3
    assert not Cluster(running.directory).up()
    assert processes_of(running) == before


def test_restart_of_the_api_server_keeps_address_and_data(running: Cluster) -> None:
    running.kubectl("create", "configmap", "kept")
    before, kubeconfig = processes_of(running), running.kubeconfig.read_text()
    running.restart_apiserver()
    running.kubectl("get", "configmap", "kept")
    after = processes_of(running)
    assert len(after - before) == 1, "the API server is another process"
    assert len(after & before) == 2, "etcd and the controllers are the same"
    assert running.kubeconfig.read_text() == kubeconfig


@pytest.mark.parametrize("abruptly", [False, True])
def test_a_stopped_api_server_is_away_until_it_is_started(abruptly: bool, running: Cluster) -> None:
    running.stop_apiserver(abruptly=abruptly)
    try:
        assert not running.running()
        assert running.kubectl("get", "--raw", "/readyz", check=False).returncode != 0
    finally:
        running.start_apiserver()
    assert running.running()


def test_two_clusters_side_by_side_and_down_leaves_nothing(running: Cluster, tmp_path: Path) -> None:
    other = Cluster(tmp_path / "other")
    assert other.up()
    started = processes_of(other)
    try:
        other.kubectl("create", "namespace", "only-here")
        assert running.kubectl("get", "namespace", "only-here", check=False).returncode == 1
        assert len(started) == 3
    finally:
        other.down()
    assert processes_of(other) == set()
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)
    assert list(tmp_path.iterdir()) == []
    assert not other.running()
    assert running.running()
    other.down()  # once more does no harm


def test_a_half_dead_cluster_is_replaced_by_a_new_one(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path / "state")
    cluster.up()
    try:
        before = processes_of(cluster)
        cluster.kubectl("create", "namespace", "lost")
        record = json.loads((cluster.kubeconfig.parent / "etcd.json").read_text())
        os.kill(record["pid"], signal.SIGKILL)
        os.waitpid(record["pid"], 0)
        assert cluster.up()
        assert processes_of(cluster).isdisjoint(before)
        assert cluster.kubectl("get", "namespace", "lost", check=False).returncode == 1
    finally:
        cluster.down()


def test_down_keeps_files_that_are_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()  # all that is left of an `up` that was killed at once
    (tmp_path / "mine.txt").write_text("mine")
    Cluster(tmp_path).down()
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_folder_that_no_cluster_made_is_never_deleted(tmp_path: Path) -> None:
    foreign = tmp_path / "run" / "lock" / "of-the-system"  # as FIREWORKS_CLUSTER_DIR=/var would have it
    foreign.parent.mkdir(parents=True)
    foreign.touch()
    for command in (Cluster(tmp_path).down, Cluster(tmp_path).up):
        with pytest.raises(ClusterError, match="run was not made by a cluster"):
            command()
    assert foreign.exists()


def test_the_users_own_kubernetes_settings_are_not_touched(running: Cluster, assets: Path, tmp_path: Path) -> None:
    config = tmp_path / ".kube" / "config"
    config.parent.mkdir()
    config.write_text("this is not even a kubeconfig: {")
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "KUBECONFIG": str(config),
        "KUBEBUILDER_ASSETS": str(assets),
        "FIREWORKS_CLUSTER_BIN": str(binaries_root()),
        "FIREWORKS_CLUSTER_DIR": str(tmp_path / "state"),
    }
    try:
        path = script("up", environment=environment).stdout.strip()
        assert script("kubeconfig", environment=environment).stdout.strip() == path
        namespaces = script("kubectl", "get", "namespaces", "-o", "name", environment=environment).stdout
        assert "namespace/default" in namespaces
    finally:
        script("down", environment=environment)
    assert [path.name for path in config.parent.iterdir()] == ["config"]
    assert config.read_text() == "this is not even a kubeconfig: {"
    assert not (tmp_path / "state").exists()


def test_given_binaries_are_used_instead_of_built_ones(
    assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    monkeypatch.setenv("FIREWORKS_CLUSTER_BIN", str(tmp_path / "unused"))
    cluster = Cluster(tmp_path / "state")
    try:
        assert cluster.up(controllers=False)
        assert not cluster.has_controllers
        assert len(processes_of(cluster)) == 2
        cluster.kubectl("create", "namespace", "here")
        cluster.restart_apiserver()
        cluster.kubectl("get", "namespace", "here")
    finally:
        cluster.down()
    assert not (tmp_path / "unused").exists()


def test_given_binaries_that_are_incomplete_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etcd").touch()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with pytest.raises(ClusterError, match=r"KUBEBUILDER_ASSETS=.* holds no kube-apiserver"):
        Cluster(tmp_path / "state").up()
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("dead", ["etcd", "kube-apiserver"])
def test_a_part_that_does_not_start_is_named_with_its_last_words(
    dead: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("etcd", "kube-apiserver", "kubectl"):
        last_words = "echo the disk is on fire; exit 1" if name == dead else "exec sleep 1000"
        (tmp_path / name).write_text(f"#!/bin/sh\n{last_words}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    cluster = Cluster(tmp_path / "state")
    with pytest.raises(ClusterError, match=rf"(?s){dead} ended .*{dead}\.log.*the disk is on fire"):
        cluster.up(controllers=False)
    assert processes_of(cluster) == set()
    cluster.down()
    assert not (tmp_path / "state").exists()


def test_a_given_kubeconfig_is_used_as_it_is(
    running: Cluster, assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIREWORKS_TEST_KUBECONFIG", str(running.kubeconfig))
    monkeypatch.setenv("FIREWORKS_CLUSTER_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    given = local_cluster()
    assert isinstance(given, GivenCluster)
    assert not given.up()
    assert given.kubeconfig == running.kubeconfig
    assert "namespace/default" in given.kubectl("get", "namespaces", "-o", "name").stdout
    with pytest.raises(ClusterError, match="not ours to stop"):
        given.restart_apiserver()
    given.down()
    assert running.running()
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_kubectl_shows_its_message_but_not_its_arguments(running: Cluster) -> None:
    create = ("create", "secret", "generic", "twice", "--from-literal=apiKey=fw_hidden")
    running.kubectl(*create)
    with pytest.raises(ClusterError, match=r"kubectl create failed .*already exists") as caught:
        running.kubectl(*create)
    assert "fw_hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "sentence", "reason"),
    [
        (["load", "image.tar"], "there is no cluster in ", "there is no node to load an image into"),
        (["kubectl", "get", "pods"], "there is no cluster in ", "kubectl must not fall back to another cluster"),
        (["kubeconfig"], "the cluster is not up", "a path to a file that is not there helps nobody"),
    ],
)
def test_commands_that_cannot_work_say_why(arguments: list[str], sentence: str, reason: str, tmp_path: Path) -> None:
    environment = {**os.environ, "FIREWORKS_CLUSTER_DIR": str(tmp_path / "state")}
    done = script(*arguments, environment=environment, check=False)
    assert done.returncode == 1, reason
    assert sentence in done.stderr, reason
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def script(*arguments: str, environment: dict[str, str], check: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs the command as a user does."""
    command = [sys.executable, "-m", "testkit.kubernetes", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=check, timeout=600)


def processes_of(cluster: Cluster) -> set[int]:
    """Returns the ids of all processes that name the cluster's folder on their command line."""
    found = set()
    for command_line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            named = os.fsencode(cluster.directory) in command_line.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if named:
            found.add(int(command_line.parent.name))
    return found
