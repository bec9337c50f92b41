"""Replaced by a successor while applications send requests: not one of them fails."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest

from testkit.factories import NewTeam
from testkit.kubernetes_api import Json
from testkit.stories.addons import OTHER_BASE, add_models, addons, model, until_loaded
from testkit.team import MODEL, Team
from tests.integration.stories import Stories, Story, side_by_side
from tests.integration.stream import Seen, Stream, Whom, counted, watching

H100, H200 = "NVIDIA_H100_80GB", "NVIDIA_H200_141GB"
DRAIN_SECONDS = 8
IN_USE_SECONDS = 3600.0
PER_SECOND = 20.0
RUNS = 10
Spec = Mapping[str, object]

CHANGES: Mapping[str, tuple[Spec, Spec]] = {
    "accelerator": ({"acceleratorType": H100, "addons": addons("tone")}, {"acceleratorType": H200}),
    "model": (
        {"baseModel": MODEL, "addons": addons("tone")},
        {"baseModel": OTHER_BASE, "addons": addons("alien")},
    ),
    "placement": (
        {"placement": {"multiRegion": "GLOBAL"}, "addons": addons("tone")},
        {"placement": {"multiRegion": "EUROPE"}},
    ),
}
"""What a deployment is, and what it becomes."""


def by_config_map(team: Team) -> Whom:
    """Whom to ask by the ConfigMap of the resource: the base model, and each addon."""
    data = team.api.request("GET", f"/api/v1/namespaces/{team.namespace}/configmaps/chat")["data"]
    of_addons = [text for key, text in data.items() if key.startswith("FIREWORKS_ADDON_")]
    return Whom(data["OPENAI_BASE_URL"], (data["OPENAI_MODEL"], *of_addons))


def by_router(team: Team) -> Whom:
    """Whom to ask where the spec has a router: always the same."""
    return Whom(str(team.status()["endpoint"]), (f"accounts/{team.account}/routers/chat",))


def by_status(team: Team) -> Whom:
    """Whom to ask by the status: the deployment itself, and each addon."""
    status = team.status()
    of_addons = [str(each["modelIdentifier"]) for each in status["addons"]]
    return Whom(str(status["endpoint"]), (str(status["modelIdentifier"]), *of_addons))


@dataclass(frozen=True, slots=True)
class Way:
    """How applications find out whom to ask.

    Attributes:
        spec: what it takes in the spec.
        look: says whom to ask now.
        late: says whom to ask by name: the deployment that serves now.
        rereads: whether they look again.
    """

    spec: Spec
    look: Callable[[Team], Whom]
    late: Callable[[Team], Whom]
    rereads: bool


WAYS: Mapping[str, Way] = {
    "config-map": Way({"connection": {"configMapName": "chat"}}, by_config_map, by_config_map, rereads=True),
    "router": Way({"router": {"id": "chat"}}, by_router, by_status, rereads=False),
}


def replaced_under_load(team: Team, way: Way, change: str) -> int:
    """Have a deployment replaced while applications ask it; return how many requests they have sent.

    Another one asks the former deployment by name, as long as that drains.
    """
    spec, changed = CHANGES[change]
    add_models(team).simulator.timing(addon=1, router=1)
    team.create(spec={"replacePolicy": {"type": "BlueGreen", "drain": f"{DRAIN_SECONDS}s"}, **spec, **way.spec})
    former = str(until_loaded(team, "tone")["status"]["deploymentName"])
    team.until_ready()
    team.eventually(lambda: way.late(team).identifiers[1:], "applications know the addon, too")
    with (
        watching(team) as seen,
        Stream(lambda: way.look(team), team.api_key, per_second=PER_SECOND, rereads=way.rereads) as stream,
        Stream(lambda: way.late(team), team.api_key, per_second=PER_SECOND / 2, rereads=False) as late,
    ):
        team.change(**changed)
        status = team.eventually(lambda: _switched(team, former), "the successor serves")
        moment, successor = time.monotonic(), str(status["deploymentName"])
        assert status["replacement"]["phase"] == "Draining"
        team.eventually(lambda: len(late.since(moment)) >= PER_SECOND, "the late one asks on", within=DRAIN_SECONDS)
        late.stop()
        team.eventually(lambda: set(counted(stream.answers[-20:])) == {successor}, "all ask the successor")
        settled = time.monotonic()
        team.pass_time(IN_USE_SECONDS)
        team.eventually(lambda: _is_over(team), "the former is gone", within=100)
        team.until_ready()
        stream.stop()
    answers = [*stream.answers, *late.answers]
    failed = [f"{each.began - moment:+.2f} s: {each.identifier}: {each.failure}" for each in answers if each.failure]
    assert failed == []
    assert set(counted(late.answers)) >= {former}
    assert set(counted(stream.answers)) == {former, successor}
    assert set(counted(stream.since(settled))) == {successor}
    _check(team, seen, successor)
    return len(answers)


def _switched(team: Team, former: str) -> Json | None:
    status = team.status()
    return status if status["deploymentName"] != former else None


def _is_over(team: Team) -> bool:
    """Whether the replacement is over; what was asked a moment ago is in use, and is deleted an hour later."""
    replacement = team.status().get("replacement")
    if replacement is not None and "in the last hour" in replacement.get("message", ""):
        team.pass_time(IN_USE_SECONDS)
        team.hurry()
    return replacement is None


def _check(team: Team, seen: Seen, successor: str) -> None:
    """Assert what there was meanwhile: never more than two, in the end one, and addons before the status names it."""
    assert seen.most == 2, "at most two at any moment"
    assert seen.looks > 20
    assert [each["name"] for each in team.deployments()] == [successor]
    (wanted,) = team.get()["spec"]["addons"]
    assert seen.named[successor] == {model(team, wanted["model"]): "DEPLOYED"}, "it serves before anybody is told"


@pytest.fixture(scope="module")
def stories(stage: NewTeam) -> Iterator[Stories]:
    """Each way and each change once, all at once."""
    told: dict[str, Story] = {_name(by, change): _story(WAYS[by], change, []) for by in WAYS for change in CHANGES}
    with side_by_side(stage, told) as stories:
        yield stories


def _name(by: str, change: str) -> str:
    return f"{by}: {change}"


def _story(way: Way, change: str, sent: list[int]) -> Story:
    return lambda team: sent.append(replaced_under_load(team, way, change))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("by", WAYS)
def test_not_one_request_fails_while_a_deployment_is_replaced(stories: Stories, by: str, change: str) -> None:
    stories.hear(_name(by, change))


@pytest.mark.proof
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("by", WAYS)
def test_nor_does_one_in_ten_runs(
    stage: NewTeam, by: str, record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]
) -> None:
    begun, sent = time.monotonic(), {change: list[int]() for change in CHANGES}
    for _ in range(RUNS):
        with side_by_side(stage, {change: _story(WAYS[by], change, sent[change]) for change in CHANGES}) as stories:
            for change in CHANGES:
                stories.hear(change)
    seconds = round(time.monotonic() - begun)
    for change, requests in sent.items():
        assert len(requests) == RUNS
        record_property(change, sum(requests))
    with capsys.disabled():
        print(
            f"\n{by}: requests in {RUNS} runs each, none failed, in {seconds} s:", {c: sum(n) for c, n in sent.items()}
        )
