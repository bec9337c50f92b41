"""Answers of a deployment, read piece by piece off the wire."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from fireworks_operator.fireworks.client import ApiKey
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.inference import InferenceClient, Piece, Question
from tests.unit.fireworks.calls import KEY, SECRET
from tests.unit.fireworks.raw_server import Answer, RawServer, replies

MODEL = "accounts/fireworks/models/m#accounts/acme/deployments/chat"
CHAT = Question(MODEL, "Hello!", max_tokens=7)


def event(**choice: object) -> str:
    """An event with one choice."""
    return f"data: {json.dumps({'choices': [choice]})}\n\n"


def delta(text: str, finish: str | None = None) -> str:
    """An event of a chat."""
    return event(delta={"content": text}, finish_reason=finish)


def events(*texts: str) -> Answer:
    """An answer with these events."""
    return replies(200, "".join(texts), {"Content-Type": "text/event-stream"})


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer(events(delta("Hi", "stop"), "data: [DONE]\n\n")).running() as running:
        yield running


async def asked(server: RawServer, question: Question = CHAT, api_key: ApiKey = KEY) -> list[Piece]:
    """The pieces of an answer."""
    async with InferenceClient(f"{server.url}/inference/v1", user_agent="test") as client, asyncio.timeout(10):
        return [each async for each in client.ask(api_key, question)]


async def refused(server: RawServer) -> FireworksError:
    """The error that a question ends with, after a look that it does not show the key."""
    with pytest.raises(FireworksError) as caught:
        await asked(server)
    assert SECRET not in f"{caught.value} {caught.value!r}"
    return caught.value


@pytest.mark.parametrize(
    ("question", "path", "body", "reason"),
    [
        (
            CHAT,
            "/inference/v1/chat/completions",
            {"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 7},
            "a chat by default",
        ),
        (
            Question(MODEL, "Once", chat=False),
            "/inference/v1/completions",
            {"prompt": "Once"},
            "completions have a prompt; what is not asked for is not sent",
        ),
    ],
)
async def test_a_question_is_one_streamed_request(
    server: RawServer, question: Question, path: str, body: dict[str, object], reason: str
) -> None:
    await asked(server, question)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", path), reason
    assert json.loads(request.body) == {"model": MODEL, "stream": True, **body}, reason
    assert request.headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("texts", "pieces", "reason"),
    [
        ((delta("Hi", "stop"),), [Piece("Hi", finish="stop")], "the last event need not be [DONE]"),
        ((delta("H"), delta("i", "stop"), "data: [DONE]\n\n"), [Piece("H"), Piece("i", finish="stop")], "two pieces"),
        ((event(text="Hi", finish_reason="length"),), [Piece("Hi", finish="length")], "a completion"),
        ((": ping\n\n", "event: x\r\n", delta("é", "stop")), [Piece("é", finish="stop")], "other lines are skipped"),
        (
            (event(delta={"reasoning_content": "Hm"}), delta("Hi", "stop")),
            [Piece(thought="Hm"), Piece("Hi", finish="stop")],
            "what is thought is no part of the answer",
        ),
        (
            (delta("Hi", "stop"), 'data: {"choices": [], "usage": {"completion_tokens": 2}}\n\n'),
            [Piece("Hi", finish="stop"), Piece(tokens=2)],
            "tokens may come in an event of their own",
        ),
        (('data: {"choices": 3}\n\n', delta("Hi", "stop")), [Piece(), Piece("Hi", finish="stop")], "odd is empty"),
    ],
)
async def test_an_answer_is_read_piece_by_piece(
    server: RawServer, texts: tuple[str, ...], pieces: list[Piece], reason: str
) -> None:
    server.answer = events(*texts)
    assert await asked(server) == pieces, reason


async def test_a_piece_is_there_before_the_answer_ends_and_an_event_may_come_in_parts(server: RawServer) -> None:
    goes_on = asyncio.Event()
    text = (delta("Hi") + delta("!", "stop")).encode()
    part = len(delta("Hi")) + 9

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text[:part])
        await goes_on.wait()
        writer.write(text[part:])

    server.answer = answer
    async with InferenceClient(f"{server.url}/inference/v1", user_agent="test") as client, asyncio.timeout(10):
        pieces = client.ask(KEY, CHAT)
        assert await anext(pieces) == Piece("Hi")
        goes_on.set()
        assert [each async for each in pieces] == [Piece("!", finish="stop")]


@pytest.mark.parametrize(
    ("answer", "kind", "says", "reason"),
    [
        (events(delta("Hi")), ErrorKind.NO_ANSWER, "breaks off before its end", "half an answer is none"),
        (events("data: {\n\n"), ErrorKind.PROTOCOL, "not a JSON object", "a broken event"),
        (
            events('data: {"error": {"message": "out of memory"}}\n\n'),
            ErrorKind.NO_ANSWER,
            "out of memory",
            "its words",
        ),
        (replies(200, "<html>"), ErrorKind.NO_ANSWER, "breaks off", "a page of somebody in between"),
    ],
)
async def test_an_answer_that_is_not_whole_is_an_error(
    server: RawServer, answer: Answer, kind: ErrorKind, says: str, reason: str
) -> None:
    server.answer = answer
    error = await refused(server)
    assert error.kind is kind, reason
    assert says in error.message, reason


@pytest.mark.parametrize("status", [401, 402, 404, 412, 429, 503])
async def test_a_refusal_has_its_status_and_words(server: RawServer, status: int) -> None:
    server.answer = replies(status, json.dumps({"error": {"message": f"no, {SECRET}", "code": "X", "type": "error"}}))
    error = await refused(server)
    assert (error.status, error.message.startswith("no, ")) == (status, True)


async def test_nobody_there_is_told(server: RawServer) -> None:
    async with InferenceClient("http://127.0.0.1:1/inference/v1", user_agent="test") as client:
        with pytest.raises(FireworksError) as caught:
            await anext(client.ask(KEY, CHAT))
    assert caught.value.kind is ErrorKind.UNREACHABLE


@pytest.mark.parametrize("endpoint", ["http://example.com/inference/v1", "ftp://x/v1", "https://a@b/v1", ""])
def test_no_key_goes_to_an_endpoint_without_https(endpoint: str) -> None:
    with pytest.raises(ValueError, match="FIREWORKS_BASE_URL"):
        InferenceClient(endpoint, user_agent="test")
