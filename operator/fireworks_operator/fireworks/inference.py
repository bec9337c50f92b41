"""Requests to a deployment itself, by the OpenAI-compatible API; the answer is read piece by piece, as it comes."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from pydantic import JsonValue

from .api_key import ApiKey
from .base_url import BaseUrl
from .body import MAX_RESPONSE_BYTES
from .errors import ErrorKind, FireworksError
from .fields import protocol_error
from .request import WRITE_DEADLINE, Call
from .transport import Deadlines, Transport
from .wire import JsonObject, decode_json

_DONE: Final = b"[DONE]"
_FIELD: Final = b"data:"


@dataclass(frozen=True, slots=True)
class Question:
    """What a deployment is asked.

    Attributes:
        model: a model identifier.
        text: the prompt, or the message of a chat.
        chat: by chat/completions; else by completions.
        max_tokens: of the answer; None leaves it to Fireworks.
    """

    model: str
    text: str
    chat: bool = True
    max_tokens: int | None = None

    def to_call(self) -> Call:
        """Return the request."""
        body: dict[str, JsonValue] = {"model": self.model, "stream": True}
        if self.chat:
            body["messages"] = [{"role": "user", "content": self.text}]
        else:
            body["prompt"] = self.text
        if self.max_tokens is not None:
            body["max_tokens"] = self.max_tokens
        return Call("ask", "POST", "chat/completions" if self.chat else "completions", body=body)


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an answer.

    Attributes:
        text: of the answer; empty while the model only thinks.
        thought: of the reasoning before the answer, which is no part of it.
        finish: why the answer ends, `stop` or `length`; empty before its end.
        tokens: of the whole answer, the reasoning included; None before that is known.
    """

    text: str = ""
    thought: str = ""
    finish: str = ""
    tokens: int | None = None


class InferenceClient:
    """Client of one inference API; never sends a request twice."""

    def __init__(self, endpoint: str, *, user_agent: str, allow_http: bool = False) -> None:
        """Set the client up; nothing is sent.

        Args:
            endpoint: base URL such as `https://api.fireworks.ai/inference/v1`.
            user_agent: for the header of that name.
            allow_http: permit plain http to hosts other than loopback.

        Raises:
            ValueError: an endpoint that cannot be one or would send keys in plain text, or a proxy or authorities of
                the environment that are of no use.
        """
        base = BaseUrl.parse(endpoint.rstrip("/").removesuffix("/v1"), allow_http=allow_http)
        deadlines = Deadlines(WRITE_DEADLINE, WRITE_DEADLINE)
        self._transport = Transport(base, deadlines, user_agent=user_agent, observe=None, ssl_context=None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self._transport.close()

    async def ask(self, api_key: ApiKey, question: Question) -> AsyncGenerator[Piece]:
        """Ask and yield the answer as it comes.

        Raises:
            FireworksError: it is refused, or breaks off before its end; `status` tells why.
        """
        finished = False
        async with aclosing(self._transport.stream(api_key, question.to_call())) as chunks:
            async for event in _events(chunks):
                piece = _piece(event)
                finished = finished or piece.finish != ""
                yield piece
        if not finished:
            raise FireworksError(ErrorKind.NO_ANSWER, "the answer breaks off before its end")


async def _events(chunks: AsyncIterator[bytes]) -> AsyncIterator[JsonObject]:
    """Yield the data of server-sent events (HTML standard, event streams), each a JSON object on one line."""
    rest, seen = b"", 0
    async for chunk in chunks:
        seen += len(chunk)
        if seen > MAX_RESPONSE_BYTES:
            raise FireworksError(ErrorKind.NO_ANSWER, f"the answer is larger than {MAX_RESPONSE_BYTES // 2**20} MiB")
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            data = line.strip().removeprefix(_FIELD).strip() if line.startswith(_FIELD) else b""
            if data == _DONE:
                return
            if data:
                yield _decoded(data)


def _decoded(data: bytes) -> JsonObject:
    try:
        event = decode_json(data)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise protocol_error("an event of the answer is not a JSON object")
    error = event.get("error")
    if error is not None:
        words = error.get("message") if isinstance(error, dict) else error
        raise FireworksError(ErrorKind.NO_ANSWER, f"the answer breaks off: {words}")
    return event


def _piece(event: JsonObject) -> Piece:
    """Read an event; what is not of the promised type counts as absent, since the API grows."""
    choices = event.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    delta, usage = choice.get("delta"), event.get("usage")
    content = delta if isinstance(delta, dict) else {"content": choice.get("text")}
    tokens = usage.get("completion_tokens") if isinstance(usage, dict) else None
    return Piece(
        text=_text(content.get("content")),
        thought=_text(content.get("reasoning_content")),
        finish=_text(choice.get("finish_reason")),
        tokens=tokens if isinstance(tokens, int) else None,
    )


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else ""
