"""Troubles of the Kubernetes side: nothing is created twice or forgotten, and all heals without anybody's help."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from fireworks_operator.api.v1alpha1 import FINALIZER
from testkit.factories import MakeTeam, StartOperator
from testkit.faults.kubernetes_proxy import KubernetesProxy
from testkit.kubernetes import Cluster, GivenCluster
from testkit.kubernetes_api import MERGE_PATCH, Json, resources_path
from testkit.team import Team
from testkit.waiting import eventually, steadily

HEALS_WITHIN = 60.0
"""The watch comes back with growing pauses."""
OTHER_MODEL = "accounts/fireworks/models/qwen2p5-7b-instruct"
KOPF_WORDS = "will retry"
"""What Kopf calls an error is the API server's absence here."""


def _merge(team: Team, body: Json, name: str = "chat") -> None:
    team.api.request("PATCH", resources_path(team.namespace, name), body, content_type=MERGE_PATCH)


# --- the API server goes and comes back -----------------------------------------------------------------------------


@pytest.fixture
def own_cluster(cluster: Cluster | GivenCluster) -> Cluster:
    """The session's cluster, if its API server is ours to stop."""
    if isinstance(cluster, GivenCluster):
        pytest.skip("this cluster's API server is not ours to stop")
    return cluster


@pytest.mark.parametrize("abruptly", [False, True], ids=["restarted", "killed"])
def test_the_operator_outlives_its_api_server(
    start_operator: StartOperator, make_team: MakeTeam, own_cluster: Cluster, abruptly: bool
) -> None:
    operator = start_operator()
    operator.tolerated = KOPF_WORDS
    team = make_team(operator)
    team.create("ready")
    team.until_ready("ready")
    team.create("going")
    team.until_ready("going")
    # A create request is under way, and a deletion has been asked for, when the API server goes.
    team.fault("latency", method="POST", path="/deployments$", seconds=1)
    team.create("coming")
    team.eventually(lambda: len(team.posts()) == 3, "the create request is sent")
    rule = team.fault("status", method="DELETE", code="UNAVAILABLE")
    team.delete("going")
    team.eventually(lambda: team.simulator.fault_hits(rule) >= 1, "a DELETE is sent")
    own_cluster.stop_apiserver(abruptly=abruptly)
    try:
        team.simulator.clear_faults()
        seen = team.simulator.last_sequence()
        eventually(lambda: len(team.journal("GET", "/deployments$", since=seen)) >= 3, "it goes on observing")
        assert operator.running
    finally:
        own_cluster.start_apiserver()
    team.until_ready("coming", within=HEALS_WITHIN)
    team.until_gone("going", within=HEALS_WITHIN)
    team.change("ready", displayName="after")
    team.until_ready("ready", within=HEALS_WITHIN)
    assert len(team.deployments()) == 2
    assert [each.committed for each in team.posts()].count(True) == 3


# --- the watch ends -------------------------------------------------------------------------------------------------


@pytest.fixture
def proxy(cluster: Cluster | GivenCluster) -> KubernetesProxy:
    """A proxy that is not in use yet."""
    return KubernetesProxy(cluster.kubeconfig)


@pytest.fixture
def through_proxy(proxy: KubernetesProxy, tmp_path: Path) -> Iterator[str]:
    """Path of a kubeconfig that leads through the proxy; asked for first, since it must outlive the operator."""
    with proxy.running(tmp_path) as kubeconfig:
        yield str(kubeconfig)


def test_what_a_watch_missed_is_found_when_it_ends_with_410(
    through_proxy: str, start_operator: StartOperator, make_team: MakeTeam, proxy: KubernetesProxy
) -> None:
    operator = start_operator(KUBECONFIG=through_proxy)
    team = make_team(operator)
    team.create("changed")
    team.create("deleted", baseModel=OTHER_MODEL)  # or it might be its model's default deployment, which must stay
    team.until_ready("changed")
    team.until_ready("deleted")
    assert proxy.open_watches() >= 1
    proxy.silent = True
    team.change("changed", displayName="after")
    team.delete("deleted")
    team.create("created")
    seen = team.simulator.last_sequence()
    team.eventually(lambda: len(team.journal("GET", "/deployments$", since=seen)) >= 3, "three polls")
    assert team.writes(since=seen) == [], "nobody has told the operator"
    proxy.silent = False
    proxy.expire_watches()
    team.until_ready("changed")
    team.until_ready("created")
    team.until_gone("deleted")
    assert sorted(each.get("displayName", "") for each in team.deployments()) == ["", "after"]
    assert len(team.posts()) == 3
    assert operator.running


@pytest.mark.parametrize("code", [429, 500, 504])
def test_an_error_in_the_middle_of_a_watch_does_not_end_the_operator(
    through_proxy: str, start_operator: StartOperator, make_team: MakeTeam, proxy: KubernetesProxy, code: int
) -> None:
    operator = start_operator(KUBECONFIG=through_proxy)
    team = make_team(operator)
    team.create("before")
    team.until_ready("before")
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
    for name in ("first", "second"):
        eventually(lambda: proxy.open_watches() >= 1, "it watches")
        proxy.silent = True
        team.create(name)
        proxy.silent = False
        proxy.break_watches({"type": "ERROR", "object": status | {"message": "etcdserver: leader changed"}})
        team.until_ready(name)
    assert operator.running


# --- it does not let the operator in --------------------------------------------------------------------------------


def test_a_standby_that_the_api_server_does_not_let_in_is_not_ready_until_it_does(
    through_proxy: str, start_operator: StartOperator, proxy: KubernetesProxy
) -> None:
    election = {"FIREWORKS_OPERATOR_LEADER_ELECTION": "true", "FIREWORKS_OPERATOR_LEASE_NAME": "not-let-in"}
    leader = start_operator(**election)
    eventually(lambda: leader.metric("fireworks_operator_leader") == 1, "the first one leads", explain=leader.tail)
    standby = start_operator(KUBECONFIG=through_proxy, **election)
    standby.tolerated = "Connector is closed"  # by kopf, which may still be reading what kinds there are
    standby.stop()
    proxy.refuses = True
    standby.launch()
    eventually(lambda: "Unauthorized (401)" in standby.log(), "it is refused", explain=standby.tail)
    steadily(lambda: not standby.ready(), "it is not ready", seconds=3, explain=standby.tail)
    proxy.refuses = False
    eventually(standby.ready, "it is ready", explain=standby.tail)
    leader.stop()
    eventually(lambda: standby.metric("fireworks_operator_leader") == 1, "it takes over", explain=standby.tail)


# --- somebody else writes, or an answer gets lost -------------------------------------------------------------------

TIMES = 3
"""Writes of each kind that go wrong before one succeeds."""


class _Meddler:
    """Does something before the operator's writes to a team's resource reach the API server."""

    def __init__(self, team: Team, path: str, act: Callable[[int], None], *, loses: bool) -> None:
        self._prefix = resources_path(team.namespace)
        self._end = path
        self._act = act
        self._loses = loses
        self.met = 0

    def __call__(self, method: str, path: str) -> bool:
        mine = path.startswith(self._prefix) and path.partition("?")[0].endswith(self._end)
        if not mine or method != "PATCH" or self.met >= TIMES:
            return False
        self.met += 1
        self._act(self.met)
        return self._loses


WRITES: Mapping[str, str] = {"the finalizer": "/chat", "the status": "/chat/status"}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("meddling", ["labels", "changes the spec", "loses the answer"])
def test_a_write_that_somebody_gets_in_the_way_of_is_made_in_the_end(
    through_proxy: str,
    start_operator: StartOperator,
    make_team: MakeTeam,
    proxy: KubernetesProxy,
    write: str,
    meddling: str,
) -> None:
    operator = start_operator(KUBECONFIG=through_proxy)
    team = make_team(operator)

    def act(time: int) -> None:
        if meddling == "labels":
            _merge(team, {"metadata": {"labels": {"written-by": f"somebody-{time}"}}})
        elif meddling == "changes the spec":
            _merge(team, {"spec": {"displayName": f"version {time}"}})

    meddler = _Meddler(team, WRITES[write], act, loses=meddling == "loses the answer")
    proxy.before_write = meddler
    team.create()
    team.eventually(lambda: meddler.met == (TIMES if write == "the status" else meddler.met) > 0, "it was met")
    resource = team.until_ready(within=HEALS_WITHIN)
    result = "unavailable" if meddling == "loses the answer" else "conflict"
    assert operator.metric("fireworks_operator_kubernetes_writes_total", result=result) >= 1
    if meddling == "labels":
        assert resource["metadata"]["labels"]["written-by"].startswith("somebody-"), "the other's write stands"
    if meddling == "changes the spec":
        assert team.deployment()["displayName"] == resource["spec"]["displayName"]
    assert [each.committed for each in team.posts()].count(True) == 1
    assert len(team.simulator.deployments()) == 1
    team.delete()
    team.until_gone()
    assert team.deployments() == []


def test_a_resource_deleted_just_before_its_claim_is_written_creates_nothing(
    through_proxy: str, start_operator: StartOperator, make_team: MakeTeam, proxy: KubernetesProxy
) -> None:
    operator = start_operator(KUBECONFIG=through_proxy)
    team = make_team(operator)
    meddler = _Meddler(team, "/chat/status", lambda time: team.delete() if time == 1 else None, loses=False)
    proxy.before_write = meddler
    team.create()
    team.until_gone()
    assert meddler.met >= 1
    assert team.posts() == []


# --- another resource of the same name ------------------------------------------------------------------------------

AGAIN: Mapping[str, Mapping[str, object]] = {
    "as before": {},
    "with another text": {"displayName": "second"},
    "with another model": {"baseModel": OTHER_MODEL},
}


@pytest.mark.proof
@pytest.mark.parametrize("again", AGAIN)
def test_a_resource_deleted_and_created_again_while_the_operator_was_down_keeps_its_deployment(
    start_operator: StartOperator, make_team: MakeTeam, again: str
) -> None:
    operator = start_operator()
    team = make_team(operator)
    team.create(displayName="first")
    before = team.until_ready()
    operator.stop()
    team.delete()
    _merge(team, {"metadata": {"finalizers": [each for each in _finalizers(team) if each != FINALIZER]}})
    assert team.find() is None, "somebody was impatient and took the finalizer away"
    team.create(spec={"displayName": "first", **AGAIN[again]})
    operator.start()
    if again == "with another model":
        team.until("chat", "Stalled", "True", "ReplaceRequired", says="spec.baseModel")
    else:
        assert team.until_ready()["metadata"]["uid"] != before["metadata"]["uid"]
        assert team.status()["createTime"] == before["status"]["createTime"]
        assert team.deployment()["displayName"] == team.get()["spec"]["displayName"]
    assert len(team.simulator.deployments()) == 1
    assert [each.committed for each in team.posts()].count(True) == 1
    team.delete()
    team.until_gone()
    assert team.deployments() == [], "it goes with its new resource"


def _finalizers(team: Team) -> list[str]:
    found: list[str] = team.get()["metadata"].get("finalizers", [])
    return found
