"""A steady stream of inference requests, and what there was at Fireworks meanwhile, seen from outside the operator."""

import asyncio
import contextlib
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import httpx

from testkit.kubernetes_api import Json, resources_path
from testkit.team import Team

REREAD_SECONDS = 0.5
"""How often an application looks whom to ask."""
_AT_ONCE = 16
_PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Whom:
    """What an application asks: an API, and the identifiers there, in turn."""

    url: str
    identifiers: Sequence[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request; `deployment` is that which answered, `failure` is empty unless it failed."""

    identifier: str
    began: float
    deployment: str
    failure: str


class Stream:
    """An application that sends requests at a steady pace, in a thread of its own; a context manager.

    Args:
        look: says whom to ask; it is asked again every half second.
        api_key: of the account.
        per_second: requests.
        rereads: False: it asks whom it was told to at the beginning, as one does that was not restarted.
    """

    def __init__(self, look: Callable[[], Whom], api_key: str, *, per_second: float, rereads: bool = True) -> None:
        self.answers: list[Answer] = []
        self._look, self._rereads, self._per_second = look, rereads, per_second
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._whom = look()
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._trouble: list[BaseException] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Send nothing more, and wait for the answers that are due."""
        self._over.set()
        self._thread.join(2 * _PATIENCE)
        assert not self._thread.is_alive(), "requests hang"
        assert not self._trouble, self._trouble

    @property
    def failures(self) -> list[Answer]:
        """The requests that failed."""
        return [each for each in list(self.answers) if each.failure]

    def since(self, moment: float) -> list[Answer]:
        """Return the answers to requests that were sent after a moment of the monotonic clock."""
        return [each for each in list(self.answers) if each.began > moment]

    async def _run(self) -> None:
        gate = asyncio.Semaphore(_AT_ONCE)
        async with (
            httpx.AsyncClient(trust_env=False, timeout=_PATIENCE, headers=self._headers) as client,
            asyncio.TaskGroup() as tasks,
        ):
            reading = tasks.create_task(self._read())
            begun = time.monotonic()
            for number in itertools.count():
                await asyncio.sleep(max(0.0, begun + number / self._per_second - time.monotonic()))
                if self._over.is_set():
                    break
                await gate.acquire()
                whom = self._whom
                identifier = whom.identifiers[number % len(whom.identifiers)]
                asking = tasks.create_task(self._ask(client, whom.url, identifier))
                asking.add_done_callback(lambda _: gate.release())
            reading.cancel()

    async def _read(self) -> None:
        while self._rereads:
            await asyncio.sleep(REREAD_SECONDS)
            self._whom = await asyncio.to_thread(self._look)

    async def _ask(self, client: httpx.AsyncClient, url: str, identifier: str) -> None:
        began, deployment, failure = time.monotonic(), "", ""
        body = {"model": identifier, "messages": [{"role": "user", "content": "Hello!"}]}
        try:
            answer = await client.post(f"{url}/chat/completions", json=body)
            deployment = answer.headers.get("fireworks-deployment", "")
            failure = "" if answer.status_code == 200 else f"{answer.status_code} {answer.text}"
        except httpx.HTTPError as error:
            failure = repr(error)
        self.answers.append(Answer(identifier, began, deployment, failure))


@dataclass(slots=True)
class Seen:
    """What there was at Fireworks, and what the status said of it.

    Attributes:
        most: how many deployments there were at once, at most.
        looks: how often that was looked at.
        named: of each deployment that the status named, the states of its addons when it did so first.
    """

    most: int = 0
    looks: int = 0
    named: dict[str, dict[str, str]] = field(default_factory=dict)


@contextlib.contextmanager
def watching(team: Team) -> Iterator[Seen]:
    """Look at the account again and again, and whenever the status names another deployment."""
    seen, over = Seen(), threading.Event()

    def count() -> None:
        while not over.is_set():
            existing = [each for each in team.simulator.deployments() if each["state"] != "DELETED"]
            seen.most, seen.looks = max(seen.most, len(existing)), seen.looks + 1
            time.sleep(0.1)

    def take(_: str, resource: Json) -> None:
        name = resource.get("status", {}).get("deploymentName")
        if name is not None and name not in seen.named:
            seen.named[name] = addons_on(team, name)

    thread = threading.Thread(target=count, daemon=True)
    thread.start()
    try:
        with team.api.follow(resources_path(team.namespace), take):
            yield seen
    finally:
        over.set()
        thread.join(10)


def addons_on(team: Team, deployment: str) -> dict[str, str]:
    """Return the states of the team's own models on a deployment, which are addons, by their names."""
    loaded = (each for each in team.simulator.deployed_models() if each["deployment"] == deployment)
    own = f"accounts/{team.account}/models/"
    return {str(each["model"]): str(each["state"]) for each in loaded if str(each["model"]).startswith(own)}


def counted(answers: Sequence[Answer]) -> Counter[str]:
    """Return how many requests each deployment has answered."""
    return Counter(each.deployment for each in answers)
