"""`kubectl fireworks query`: one request to a deployment, through a cold start if need be."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import Final

import click

from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.fireworks.errors import FireworksError
from fireworks_operator.fireworks.inference import InferenceClient, Piece, Question
from fireworks_operator.kube.secrets import KubernetesSecrets
from fireworks_operator.ports import KubernetesUnavailableError

from .connection import Choice, connected
from .fireworks import read_settings
from .keys import FoundKey, find_key
from .output import clean, printable
from .progress import stage_of, stage_text
from .refusals import NOT_ROUTED, WAKING, explain_refusal
from .status import get_resource
from .target import Target, find_target

LOOK_SECONDS: Final = 2.0
"""Between two looks at the resource while its deployment wakes."""
FIRST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 30.0
"""Seconds between two tries; they grow by half (Fireworks documentation, autoscaling: client retries)."""
LONGEST_RETRY_AFTER: Final = 60.0
"""Seconds; what a server asks for beyond that is not waited for."""
ROUTED_WITHIN: Final = 180.0
"""Seconds for which "not found" is waited out: a deployment is routed to only minutes after it is READY."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked, and how the answer is shown.

    Attributes:
        question: its model is filled in from the resource.
        addon: the addon to ask instead of the base model; None for the base model.
        stream: show the answer as it comes.
        timeout: seconds for everything: waking up and answering.
    """

    question: Question
    addon: str | None = None
    stream: bool = False
    timeout: float = 900.0


async def ask(choice: Choice, name: str, query: Query) -> None:
    """Print the answer on standard output; what it took, and what is waited for, on standard error.

    Raises:
        click.ClickException: it cannot be asked, or does not answer; says what to do.
        FireworksError: Fireworks cannot be reached, or its answer not be understood.
    """
    settings = read_settings()
    async with connected(choice) as connection:
        resource = await get_resource(connection, name)
        target = find_target(resource, query.addon, settings)
        found = await find_key(KubernetesSecrets(connection.client), resource, settings)
        agent = f"kubectl-fireworks/{version('fireworks-operator')}"
        try:
            client = InferenceClient(target.endpoint, user_agent=agent, allow_http=settings.allow_http)
        except ValueError as error:
            raise click.ClickException(
                f"No API key is sent to the endpoint {clean(target.endpoint)}: {error}."
            ) from None
        async with client:
            await Conversation(partial(get_resource, connection, name), client, found, target, query).hold()


class Conversation:
    """One question to one deployment, until it is answered or cannot be.

    Args:
        look: reads the resource.
        client: of its endpoint.
        found: the key to ask with.
        target: whom to ask.
        query: what is asked.
    """

    def __init__(
        self,
        look: Callable[[], Awaitable[FireworksDeployment]],
        client: InferenceClient,
        found: FoundKey,
        target: Target,
        query: Query,
    ) -> None:
        self._read = look
        self._client = client
        self._found = found
        self._target = target
        self._query = query
        self._told = ""
        self._new = target.new
        self._missing_since: float | None = None

    async def hold(self) -> None:
        """Ask, and ask again while the deployment wakes."""
        try:
            async with asyncio.timeout(self._query.timeout):
                await self._persist()
        except TimeoutError:
            said = f" Last seen: {self._told}." if self._told else ""
            raise click.ClickException(
                f"{self._target.name} did not answer within {self._query.timeout:g} s.{said} Raise --timeout, and see "
                f"`{self._target.status_command}`."
            ) from None

    async def _persist(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                await self._answer()
            except FireworksError as error:
                if not self._passes(error):
                    raise explain_refusal(error, self._found, self._target) from None
                await self._wait(max(pause, min(error.retry_after or 0.0, LONGEST_RETRY_AFTER)))
                pause = min(pause * 1.5, LONGEST_PAUSE)
            else:
                return

    def _passes(self, error: FireworksError) -> bool:
        """Tell whether waiting may help: it wakes, or is not routed to yet."""
        if error.status == WAKING:
            self._new = True
            return True
        if error.status != NOT_ROUTED or not self._new:
            return False
        now = asyncio.get_running_loop().time()
        if self._missing_since is None:
            self._missing_since = now
            click.echo(f"{self._target.name}: requests are not routed to it yet", err=True)
        return now - self._missing_since < ROUTED_WITHIN

    async def _wait(self, seconds: float) -> None:
        """Wait, and tell how far the deployment is; shorter once a replica has become ready."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        ready = await self._look()
        while (left := until - loop.time()) > 0:
            await asyncio.sleep(min(LOOK_SECONDS, left))
            before, ready = ready, await self._look()
            if ready and not before:
                return

    async def _look(self) -> bool:
        """Tell what is new of the resource, and whether a replica is ready."""
        try:
            status = (await self._read()).status
        except KubernetesUnavailableError:
            return False
        stage = stage_of(status)
        words = "scaled to zero, it wakes up" if stage is None else stage_text(stage)
        if words != self._told:
            self._told = words
            click.echo(f"{self._target.name}: {words}", err=True)
        return status.replicas is not None and status.replicas.ready > 0

    async def _answer(self) -> None:
        """Ask once and show the answer."""
        clock = _Clock(asyncio.get_running_loop().time())
        question = replace(self._query.question, model=self._target.identifier)
        shown: list[str] = []
        try:
            async with aclosing(self._client.ask(self._found.key, question)) as pieces:
                async for piece in _visible(pieces):
                    clock.note(piece, asyncio.get_running_loop().time())
                    shown.append(piece.text)
                    if self._query.stream:
                        click.echo(piece.text, nl=False)
        finally:
            if self._query.stream and any(shown):
                click.echo()
        if not self._query.stream:
            click.echo("".join(shown))
        click.echo(clock.summary(asyncio.get_running_loop().time()), err=True)
        if clock.finish == "length":
            click.echo("The answer is cut off at the most tokens allowed: raise --max-tokens.", err=True)


async def _visible(pieces: AsyncIterator[Piece]) -> AsyncIterator[Piece]:
    async for piece in pieces:
        yield replace(piece, text=printable(piece.text))


class _Clock:
    """What an answer took: `began` and all other moments are seconds of one clock."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._first: float | None = None
        self._tokens: int | None = None
        self.finish = ""

    def note(self, piece: Piece, now: float) -> None:
        """Take a piece in."""
        if self._first is None and (piece.text or piece.thought):
            self._first = now
        self._tokens = self._tokens if piece.tokens is None else piece.tokens
        self.finish = piece.finish or self.finish

    def summary(self, now: float) -> str:
        """Return it in words."""
        seconds = now - self._began
        first = "no token" if self._first is None else f"first token after {self._first - self._began:.2f} s"
        if self._tokens is None or seconds <= 0:
            return f"{first}; {seconds:.2f} s in all"
        return f"{first}; {self._tokens} tokens in {seconds:.2f} s, {self._tokens / seconds:.1f} tokens/s"
