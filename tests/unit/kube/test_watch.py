"""The watch hands every object on, outlives what it can, and ends loudly when it cannot go on."""

import asyncio
import contextlib
import datetime
import itertools
import json
import logging
import threading
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import kopf
import pytest
from aiohttp import web

from fireworks_operator.api.v1alpha1 import FINALIZER
from fireworks_operator.kube.resources import CrdMissingError
from fireworks_operator.kube.watch import (
    DEFAULT_TIMINGS,
    STOP_TIMEOUT,
    KopfWatch,
    Login,
    WatchEndedError,
    WatchTimings,
)
from fireworks_operator.timing import Backoff
from tests.unit.kube.resource_factory import raw_resource
from tests.unit.kube.scripted_server import ScriptedServer, eventually, status_object, write_kubeconfig

QUICK = replace(DEFAULT_TIMINGS, retry=Backoff(0.01, 0.01), sign_in=Backoff(0.0, 0.0))


def served(kind: str, plural: str, *, namespaced: bool = True) -> dict[str, Any]:
    verbs = ["get", "list", "watch", "patch"]
    return {"kind": kind, "name": plural, "singularName": kind.lower(), "namespaced": namespaced, "verbs": verbs}


def group(name: str, version: str) -> dict[str, Any]:
    entry = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [entry], "preferredVersion": entry}


class Api:
    """Discovery, LIST and WATCH of the kind, with knobs to fail; `events` is what the watch sends."""

    def __init__(self, *names: str) -> None:
        self.listed = [raw_resource(name, uid=name, finalizers=[FINALIZER]) for name in names]
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.failures: list[web.Response] = []
        self.tokens = {"t"}
        self.last_token = ""
        self.refused = 0
        self.writes: list[str] = []
        self.watches = 0
        self.since: list[str] = []
        self.over = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.method != "GET":
            self.writes.append(f"{request.method} {request.path}")
            return status_object(500, "nothing may be written")
        self.last_token = request.headers["Authorization"].removeprefix("Bearer ")
        if self.last_token not in self.tokens:
            self.refused += 1
            return status_object(401, "Unauthorized")
        match request.path:
            case "/api":
                return web.json_response({"versions": ["v1"]})
            case "/api/v1":
                return web.json_response({"resources": [served("Namespace", "namespaces", namespaced=False)]})
            case "/apis":
                groups = [group("fireworks.ai", "v1alpha1"), group("apiextensions.k8s.io", "v1")]
                return web.json_response({"groups": groups})
            case "/apis/apiextensions.k8s.io/v1":
                crds = served("CustomResourceDefinition", "customresourcedefinitions", namespaced=False)
                return web.json_response({"resources": [crds]})
            case "/apis/fireworks.ai/v1alpha1":
                return web.json_response({"resources": [served("FireworksDeployment", "fireworksdeployments")]})
        if self.failures:
            return self.failures.pop(0)
        if "watch" in request.query:
            return await self._watch(request)
        return web.json_response({"metadata": {"resourceVersion": "100"}, "items": self.listed})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        self.watches += 1
        self.since.append(request.query["resourceVersion"])
        response = web.StreamResponse()
        await response.prepare(request)
        over = asyncio.ensure_future(self.over.wait())
        while True:
            event = asyncio.ensure_future(self.events.get())
            await asyncio.wait({event, over}, return_when=asyncio.FIRST_COMPLETED)
            if not event.done():
                event.cancel()
                return response
            if event.result()["type"] == "END":
                over.cancel()
                return response
            text = event.result().get("raw") or json.dumps(event.result())
            await response.write(text.encode() + (b"" if event.result()["type"] == "CUT" else b"\n"))
            if event.result()["type"] in ("ERROR", "GARBAGE", "CUT"):
                over.cancel()
                return response


class World:
    def __init__(self, api: Api, task: asyncio.Task[None], seen: list[tuple[str, bool]], token: Path) -> None:
        self.api = api
        self.task = task
        self.seen = seen
        self.token = token


@contextlib.asynccontextmanager
async def watching(
    folder: Path, api: Api, namespaces: tuple[str, ...] = (), timings: WatchTimings = QUICK
) -> AsyncIterator[World]:
    seen: list[tuple[str, bool]] = []
    token = folder / "token"
    token.write_text("t")

    def on_object(raw: Mapping[str, Any], deleted: bool) -> None:
        seen.append((raw["metadata"]["name"], deleted))
        if raw["metadata"]["name"] == "poison":
            raise ValueError("this object cannot be taken in")

    async with ScriptedServer(api.handle) as server:
        kubeconfig = write_kubeconfig(folder / "config", server.url, tokenFile=str(token))
        watch = KopfWatch(on_object, kubeconfig=kubeconfig, namespaces=namespaces, timings=timings)
        task = asyncio.create_task(watch.run())
        try:
            yield World(api, task, seen, token)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            api.over.set()


def event(kind: str, name: str) -> dict[str, Any]:
    return {"type": kind, "object": raw_resource(name, uid=name, resourceVersion="101")}


def bookmark(version: str) -> dict[str, Any]:
    return {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}}


async def test_objects_that_are_there_and_every_change_are_handed_on(tmp_path: Path) -> None:
    async with watching(tmp_path, Api("a", "b")) as world:
        await eventually(lambda: len(world.seen) == 2)
        assert sorted(world.seen) == [("a", False), ("b", False)]
        for kind in ("MODIFIED", "DELETED"):
            world.api.events.put_nowait(event(kind, "a"))
        await eventually(lambda: len(world.seen) == 4)
    assert world.seen[2:] == [("a", False), ("a", True)]


async def test_nothing_is_ever_written_by_the_watch(tmp_path: Path) -> None:
    async with watching(tmp_path, Api("a")) as world:
        world.api.events.put_nowait(event("ADDED", "b"))
        deleting = event("MODIFIED", "a")
        deleting["object"]["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": [FINALIZER]}
        world.api.events.put_nowait(deleting)
        world.api.events.put_nowait(event("DELETED", "c"))
        await eventually(lambda: ("c", True) in world.seen and ("b", False) in world.seen)
    assert world.api.writes == []


async def test_each_namespace_is_watched_by_itself(tmp_path: Path) -> None:
    async with watching(tmp_path, Api("a"), ("one", "two")) as world:
        await eventually(lambda: world.api.watches == 2)
    assert world.seen == [("a", False), ("a", False)]


async def test_an_object_that_cannot_be_taken_in_does_not_stop_the_next(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with watching(tmp_path, Api("poison")) as world:
        world.api.events.put_nowait(event("ADDED", "good"))
        await eventually(lambda: ("good", False) in world.seen)
    assert "An event of poison could not be processed" in caplog.text


async def test_a_connection_that_ends_is_opened_again(tmp_path: Path) -> None:
    async with watching(tmp_path, Api("a")) as world:
        world.api.events.put_nowait({"type": "END"})
        await eventually(lambda: world.api.watches == 2)
        world.api.events.put_nowait(event("ADDED", "b"))
        await eventually(lambda: ("b", False) in world.seen)


async def test_a_watch_goes_on_after_the_last_event_that_was_handed_on(tmp_path: Path) -> None:
    async with watching(tmp_path, Api("a")) as world:
        for each in (event("MODIFIED", "a"), event("DELETED", "a"), bookmark("107"), {"type": "END"}):
            world.api.events.put_nowait(each)
        await eventually(lambda: world.api.watches == 2)
        world.api.events.put_nowait(event("ADDED", "b"))
        world.api.events.put_nowait({"type": "END"})
        await eventually(lambda: world.api.watches == 3)
    assert world.api.since == ["100", "107", "101"]
    assert world.seen == [("a", False), ("a", False), ("a", True), ("b", False)]


async def test_what_is_gone_right_after_a_long_list_stays_gone(tmp_path: Path) -> None:
    names = [f"n{number}" for number in range(300)]
    async with watching(tmp_path, Api(*names)) as world:
        for name in names:
            world.api.events.put_nowait(event("DELETED", name))
        await eventually(lambda: len(world.seen) == 600)
    assert world.seen == [(name, deleted) for deleted in (False, True) for name in names]


@pytest.mark.parametrize(
    "broken",
    [
        {"type": "GARBAGE", "raw": '{"type": "MODIFIED"}'},
        {"type": "GARBAGE", "raw": '{"type": "MODIFIED", "object": {}}'},
        {"type": "GARBAGE", "raw": '{"type": "MODIFIED", "object": []}'},
        {"type": "CUT", "raw": '{"type": "MODIFIED", "obj'},
    ],
    ids=["no object", "no version", "another object", "cut off"],
)
async def test_an_event_that_cannot_be_read_is_made_up_for_by_a_list(
    tmp_path: Path, broken: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with watching(tmp_path, Api("a")) as world:
        await eventually(lambda: world.api.watches == 1)
        world.api.listed.append(raw_resource("missed", uid="missed"))
        world.api.events.put_nowait(broken)
        await eventually(lambda: ("missed", False) in world.seen)
        assert not world.task.done()
    assert "an event that cannot be read" in caplog.text


async def test_an_outage_of_the_api_server_is_waited_out(tmp_path: Path) -> None:
    api = Api("a")
    api.failures = [status_object(code, "no") for code in (429, 500, 503, 403) for _ in range(15)]
    async with watching(tmp_path, api) as world:
        await eventually(lambda: ("a", False) in world.seen)
        assert not world.task.done()


async def test_a_replaced_token_is_picked_up(tmp_path: Path) -> None:
    async with watching(tmp_path, Api("a")) as world:
        await eventually(lambda: world.api.watches == 1)
        world.api.tokens = {"rotated"}
        world.token.write_text("rotated")
        world.api.events.put_nowait({"type": "END"})
        await eventually(lambda: world.api.watches == 2)
        assert not world.task.done()


async def test_an_expired_session_is_replaced_before_its_token_is_refused(tmp_path: Path) -> None:
    short_lived = replace(QUICK, session=datetime.timedelta(seconds=0.3))
    async with watching(tmp_path, Api("a"), timings=short_lived) as world:
        await eventually(lambda: world.api.watches == 1)
        began = time.monotonic()
        world.token.write_text("rotated")
        await eventually(lambda: time.monotonic() - began > 0.5)
        world.api.tokens.add("rotated")
        world.api.events.put_nowait({"type": "END"})
        await eventually(lambda: world.api.watches == 2)
        world.api.events.put_nowait(event("ADDED", "b"))
        await eventually(lambda: ("b", False) in world.seen)
    assert world.api.refused == 0
    assert world.api.last_token == "rotated"


@pytest.mark.slow  # Kopf takes 5 s to give up
async def test_a_deleted_crd_ends_the_watch_and_says_so(tmp_path: Path) -> None:
    async with watching(tmp_path, Api("a")) as world:
        await eventually(lambda: world.api.watches == 1)
        world.api.failures = [status_object(404, "page not found") for _ in range(2)]
        world.api.events.put_nowait({"type": "END"})
        with pytest.raises(CrdMissingError, match="kubectl apply"):
            await asyncio.wait_for(asyncio.shield(world.task), 8)


@pytest.mark.parametrize("code", [429, 500, 503, 504, 403])
async def test_an_error_in_the_middle_of_a_watch_means_to_list_and_watch_again(
    tmp_path: Path, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with watching(tmp_path, Api("a")) as world:
        await eventually(lambda: world.api.watches == 1)
        for name in ("missed", "missed too"):
            world.api.listed.append(raw_resource(name, uid=name))
            broken = {"kind": "Status", "code": code, "message": "etcdserver: leader changed"}
            world.api.events.put_nowait({"type": "ERROR", "object": broken})
            await eventually(lambda: (world.api.listed[-1]["metadata"]["name"], False) in world.seen)
        await eventually(lambda: world.api.watches == 3)
        world.api.events.put_nowait(event("ADDED", "b"))
        await eventually(lambda: ("b", False) in world.seen)
        assert not world.task.done()
    assert f"etcdserver: leader changed ({code})" in caplog.text


async def test_errors_in_one_namespace_leave_the_watch_of_the_other_alone(tmp_path: Path) -> None:
    async with watching(tmp_path, Api("a"), ("one", "two")) as world:
        await eventually(lambda: world.api.watches == 2)
        broken = {"kind": "Status", "code": 504, "message": "etcdserver: leader changed"}
        world.api.events.put_nowait({"type": "ERROR", "object": broken})
        await eventually(lambda: world.api.watches == 3)
    assert world.seen == [("a", False)] * 3


async def test_what_is_no_event_in_a_watch_means_to_list_and_watch_again(tmp_path: Path) -> None:
    async with watching(tmp_path, Api("a")) as world:
        await eventually(lambda: world.api.watches == 1)
        world.api.events.put_nowait({"type": "GARBAGE", "raw": "<html>Sign in</html>"})
        await eventually(lambda: world.api.watches == 2)
        world.api.events.put_nowait(event("ADDED", "b"))
        await eventually(lambda: ("b", False) in world.seen)


@pytest.mark.slow  # Kopf takes 5 s to give up
@pytest.mark.parametrize("code", [400, 410, 406])
async def test_a_list_that_is_refused_in_an_unusual_way_is_made_again(tmp_path: Path, code: int) -> None:
    api = Api("a")
    api.failures = [status_object(code, "not now")]
    async with watching(tmp_path, api) as world:
        await eventually(lambda: ("a", False) in world.seen, 20)  # Kopf takes 5 s to end


@pytest.mark.slow  # Kopf takes 5 s to give up
async def test_the_crd_deleted_while_a_watch_ends_with_an_error_ends_the_process(tmp_path: Path) -> None:
    async with watching(tmp_path, Api("a")) as world:
        await eventually(lambda: world.api.watches == 1)
        world.api.failures = [status_object(404, "page not found") for _ in range(2)]
        world.api.events.put_nowait({"type": "ERROR", "object": {"kind": "Status", "code": 404, "message": "gone"}})
        with pytest.raises(CrdMissingError, match="kubectl apply"):
            await asyncio.wait_for(asyncio.shield(world.task), 8)


async def test_a_fault_of_kopf_itself_ends_the_watch_and_no_task_of_the_operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(**_: object) -> None:
        raise TypeError("this is a bug")

    monkeypatch.setattr(kopf, "operator", broken)
    async with watching(tmp_path, Api("a")) as world:
        other = asyncio.create_task(asyncio.Event().wait())
        with pytest.raises(WatchEndedError, match="this is a bug"):
            await asyncio.wait_for(asyncio.shield(world.task), 8)
        await asyncio.sleep(0)
        assert not other.done()
        other.cancel()


async def test_stopping_is_quick_and_leaves_no_thread(tmp_path: Path) -> None:
    async with watching(tmp_path, Api("a")) as world:
        await eventually(lambda: world.api.watches == 1)
        began = time.monotonic()
        world.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await world.task
        assert time.monotonic() - began < 2
        await eventually(lambda: "kopf" not in {thread.name for thread in threading.enumerate()})


@pytest.mark.slow  # Kopf takes 5 s to give up
async def test_it_can_be_stopped_before_it_has_begun(tmp_path: Path) -> None:
    async with watching(tmp_path, Api("a")) as world:
        await asyncio.sleep(0)
        world.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(world.task, 2 * STOP_TIMEOUT)  # Kopf alone may take 5 s to give up a start


async def test_the_log_stays_quiet(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="fireworks_operator")
    async with watching(tmp_path, Api("a", "b")) as world:
        world.api.events.put_nowait(event("MODIFIED", "a"))
        await eventually(lambda: len(world.seen) == 3)
    assert [record.message for record in caplog.records if record.name.startswith("kopf")] == []


def test_a_stream_that_does_not_want_to_be_closed_at_the_end_is_no_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Kopf's streams lie one in the other, and the end of its loop closes them in any order: once in 100 stops."""

    async def stream() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            raise RuntimeError("generator didn't stop after athrow()")

    left_open: list[AsyncIterator[int]] = []

    async def operator(**_: object) -> None:
        left_open.append(stream())
        await anext(left_open[0])

    async def run() -> None:
        with contextlib.suppress(WatchEndedError):
            await KopfWatch(lambda *_: None).run()

    monkeypatch.setattr(kopf, "operator", operator)
    asyncio.run(run())
    assert left_open
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING] == []


def test_the_pauses_between_tries_grow_to_half_a_minute_and_never_end() -> None:
    pauses = list(itertools.islice(DEFAULT_TIMINGS.retry, 1000))
    assert pauses[0] <= 1.25
    assert all(22.5 <= pause <= 37.5 for pause in pauses[8:])
    assert len({*pauses}) > 900
    assert sum(itertools.islice(DEFAULT_TIMINGS.retry, 8)) > 40


async def test_refused_credentials_are_tried_more_and_more_slowly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    login = Login(tmp_path / "absent", lambda _: None)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    for _ in range(7):
        with pytest.raises(kopf.TemporaryError):
            await login()
    assert pauses == [0, 1, 2, 4, 8, 16, 30]


async def test_credentials_that_cannot_be_read_now_are_tried_again(tmp_path: Path) -> None:
    with pytest.raises(kopf.TemporaryError, match="absent"):
        await Login(tmp_path / "absent", lambda _: None)()
