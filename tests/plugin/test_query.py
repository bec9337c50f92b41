"""A question to a deployment: through its cold start, and why there is no answer. Waiting costs nothing here."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import click
import pytest

from fireworks_operator.fireworks.client import ApiKey
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.inference import InferenceClient, Piece, Question
from fireworks_operator.kube.secrets import KubernetesSecrets
from fireworks_operator.plugin.keys import FoundKey, find_key
from fireworks_operator.plugin.query import Conversation, Query
from fireworks_operator.plugin.refusals import explain_refusal
from fireworks_operator.plugin.target import Target, find_target
from fireworks_operator.ports import SecretExcerpt, SecretForbiddenError
from fireworks_operator.settings import Settings
from fireworks_simulator.app import running
from fireworks_simulator.testing import SimulatorClient
from testkit.builders import ADDON, BASE_MODEL, NAME, a_resource
from testkit.virtual.loop import run

IDENTIFIER = f"{BASE_MODEL}#{NAME}"
ENDPOINT = "https://api.fireworks.ai/inference/v1"
TARGET = Target("chat", "team-a", "acme", ENDPOINT, IDENTIFIER, addon=False)
FOUND = FoundKey(ApiKey("fw_of-the-tests-of-query"), "the Secret team-a/fireworks")
QUESTION = Question("", "Who are you?")
READY = {"type": "Ready", "status": "True", "reason": "Serving", "message": "1 of 1 replicas serving."}
SINCE = {"lastTransitionTime": "2026-03-01T12:00:00Z", "observedGeneration": 1}


def status(ready: int = 1, condition: Mapping[str, str] = READY, **fields: object) -> dict[str, Any]:
    """The status of a resource whose deployment exists."""
    return {
        "account": "acme",
        "state": "READY",
        "modelIdentifier": IDENTIFIER,
        "endpoint": ENDPOINT,
        "replicas": {"desired": 1, "ready": ready},
        "observedGeneration": 1,
        "conditions": [{**condition, **SINCE}],
        **fields,
    }


# --- whom to ask ------------------------------------------------------------------------------------------------------


def settings(**values: object) -> Settings:
    """Settings of an empty environment."""
    return Settings.model_validate(values)


def test_a_deployment_is_asked_at_its_endpoint_by_its_identifier() -> None:
    assert find_target(a_resource(status=status()), None, settings()) == TARGET


def test_a_base_url_of_the_environment_wins() -> None:
    found = find_target(a_resource(status=status()), None, settings(base_url="http://127.0.0.1:8090/"))
    assert found.endpoint == "http://127.0.0.1:8090/inference/v1"


@pytest.mark.parametrize("addon", [ADDON, "lora-1"])
def test_an_addon_is_asked_by_its_full_name_or_its_id(addon: str) -> None:
    addons = [{"model": "lora-1", "state": "DEPLOYED", "modelIdentifier": f"{ADDON}#{NAME}"}]
    found = find_target(a_resource(status=status(addons=addons)), addon, settings())
    assert (found.identifier, found.addon, found.new) == (f"{ADDON}#{NAME}", True, True)


NOT_READY = {"type": "Ready", "status": "False", "reason": "Creating", "message": "Waiting for GPUs."}
EXPIRED = {"type": "Ready", "status": "True", "reason": "Expired", "message": "Raise or remove spec.expiresAfter."}
STALLED = {"type": "Stalled", "status": "True", "reason": "QuotaExceeded", "message": "", **SINCE}
LOADING = {"model": ADDON, "state": "DEPLOYING", "modelIdentifier": f"{ADDON}#{NAME}"}
WATCH = "Wait for it with `kubectl fireworks status chat -n team-a --watch`."


@pytest.mark.parametrize(
    ("found", "addon", "says", "reason"),
    [
        ({}, None, f"chat is not ready yet. {WATCH} NotSeenYet: ", "nobody has seen it"),
        (status(0, NOT_READY), None, f"chat is not ready yet. {WATCH} Creating: Waiting for GPUs.", "on its way"),
        (
            status(0, conditions=[{**NOT_READY, **SINCE, "reason": "QuotaExceeded"}, STALLED]),
            None,
            "chat is not ready yet. Fix this first. QuotaExceeded: Waiting for GPUs.",
            "waiting does not help",
        ),
        (status(modelIdentifier=None), None, f"chat has no model identifier yet. {WATCH}", "no identifier"),
        (status(endpoint=None), None, f"chat has no model identifier yet. {WATCH}", "no endpoint"),
        (
            status(0, effective={"maxReplicaCount": 0}),
            None,
            "chat is parked, and requests do not wake it: set spec.maxReplicaCount to 1 or more.",
            "parked",
        ),
        (
            status(
                0,
                EXPIRED,
                effective={"maxReplicaCount": 0},
                parked={"reason": "Expired", "since": SINCE["lastTransitionTime"]},
            ),
            None,
            "chat is parked, and requests do not wake it. Expired: Raise or remove spec.expiresAfter.",
            "expired",
        ),
        (status(), "tone", 'chat has no addon "tone"; it has: none. Name one of them', "no addons"),
        (status(addons=[LOADING]), "tone", f'has no addon "tone"; it has: {ADDON}.', "another addon"),
        (
            status(addons=[LOADING]),
            ADDON,
            f"The addon {ADDON} is not loaded yet: its state is DEPLOYING. Wait for it: kubectl wait "
            "--for=condition=AddonsReady fwd/chat -n team-a --timeout=10m",
            "still loading",
        ),
        (
            status(addons=[LOADING | {"state": "DEPLOYED"}, LOADING | {"model": "accounts/x/models/lora-1"}]),
            "lora-1",
            'has no addon "lora-1"; it has: accounts/acme/models/lora-1, accounts/x/models/lora-1.',
            "two by one id",
        ),
    ],
)
def test_what_cannot_be_asked_says_what_comes_first(
    found: dict[str, Any], addon: str | None, says: str, reason: str
) -> None:
    with pytest.raises(click.ClickException) as caught:
        find_target(a_resource(status=found), addon, settings())
    assert says in caught.value.message, reason


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (status(0, READY | {"reason": "ScaledToZero"}), "scaled to zero: the request wakes it"),
        (status(1, NOT_READY), "an update has failed, and the former version serves"),
    ],
)
def test_what_may_answer_is_asked(found: dict[str, Any], reason: str) -> None:
    assert find_target(a_resource(status=found), None, settings()) == TARGET, reason


# --- whose key --------------------------------------------------------------------------------------------------------


class _Secrets:
    """Answers for each Secret."""

    def __init__(self, answer: SecretExcerpt | Exception | None) -> None:
        self._answer = answer

    async def read(self, namespace: str, name: str, wanted: Sequence[str]) -> SecretExcerpt | None:
        assert (namespace, name, wanted[0]) == ("team-a", "fireworks", "apiKey")
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


OWN, THEIRS = "fw_the-users-own-key", "fw_the-key-of-the-resource"
REFERENCE = {"credentialsSecretRef": {"name": "fireworks"}}


async def find(
    answer: SecretExcerpt | Exception | None, own: str | None, spec: Mapping[str, Any] = REFERENCE
) -> FoundKey:
    """Look for a key."""
    secrets = cast("KubernetesSecrets", _Secrets(answer))
    return await find_key(secrets, a_resource(spec), settings(api_key=own))


@pytest.mark.parametrize(
    ("answer", "spec", "key", "source", "reason"),
    [
        (
            SecretExcerpt({"apiKey": THEIRS.encode()}, "apiKey"),
            REFERENCE,
            THEIRS,
            'the Secret team-a/fireworks (key "apiKey")',
            "own",
        ),
        (SecretForbiddenError("no"), REFERENCE, OWN, "FIREWORKS_API_KEY", "who may not read it uses another"),
        (None, {}, OWN, "FIREWORKS_API_KEY", "the operator's own cannot be read"),
    ],
)
async def test_the_key_is_that_of_the_resource(
    answer: SecretExcerpt | Exception | None, spec: Mapping[str, Any], key: str, source: str, reason: str
) -> None:
    found = await find(answer, OWN, spec)
    assert (found.key.reveal(), found.source) == (key, source), reason


@pytest.mark.parametrize(
    ("answer", "spec", "says", "reason"),
    [
        (None, REFERENCE, "the Secret team-a/fireworks does not exist. Way out: kubectl create secret", "missing"),
        (SecretExcerpt({}, "other"), REFERENCE, 'no usable API key under "apiKey"', "empty"),
        (SecretForbiddenError("no"), REFERENCE, "you may not read the Secret team-a/fireworks. Set FIREWORKS_", "403"),
        (None, {}, "chat uses the operator's own, which the plugin cannot read. Set FIREWORKS_API_KEY", "own"),
    ],
)
async def test_without_a_key_it_says_where_one_belongs(
    answer: SecretExcerpt | Exception | None, spec: Mapping[str, Any], says: str, reason: str
) -> None:
    with pytest.raises(click.ClickException) as caught:
        await find(answer, None, spec)
    assert says in caught.value.message, reason


async def test_a_secret_that_is_wrong_is_not_passed_over() -> None:
    with pytest.raises(click.ClickException, match="does not exist"):
        await find(None, OWN)


# --- through a cold start ---------------------------------------------------------------------------------------------

WAKING = FireworksError(ErrorKind.NO_ANSWER, "Deployment is currently scaled to zero", status=503)
MISSING = FireworksError(ErrorKind.WRONG_ENDPOINT, "Model not found", status=404)
ANSWER = (Piece("I am "), Piece("a model.", finish="stop", tokens=4))


class _Deployment:
    """Refuses until a moment of the clock, and then answers a piece each second."""

    def __init__(self, refusal: FireworksError, until: float, pieces: Sequence[Piece] = ANSWER) -> None:
        self._refusal, self._until, self._pieces = refusal, until, pieces
        self.asked: list[float] = []
        self.models: set[str] = set()

    async def ask(self, _key: ApiKey, question: Question) -> AsyncGenerator[Piece]:
        loop = asyncio.get_running_loop()
        self.asked.append(loop.time() - 1000.0)
        self.models.add(question.model)
        if loop.time() - 1000.0 < self._until:
            raise self._refusal
        for piece in self._pieces:
            await asyncio.sleep(1.0)
            yield piece


STAGES = ((20, "pendingScheduling"), (40, "downloadingModel"), (60, "initializing"))


async def look() -> Any:  # noqa: ANN401 - a resource
    """The resource while its deployment wakes, for a minute."""
    now = asyncio.get_running_loop().time() - 1000.0
    stage = next((stage for until, stage in STAGES if now < until), "ready")
    return a_resource(status=status(replicas={"desired": 1, stage: 1}))


def hold(deployment: _Deployment, target: Target = TARGET, **query: Any) -> None:  # noqa: ANN401 - of Query
    """Ask on a clock that jumps."""
    client = cast("InferenceClient", deployment)
    run(Conversation(look, client, FOUND, target, Query(QUESTION, **query)).hold())


def test_a_deployment_that_serves_answers_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    deployment = _Deployment(WAKING, 0)
    hold(deployment)
    out, err = capsys.readouterr()
    assert out == "I am a model.\n"
    assert err == "first token after 1.00 s; 4 tokens in 2.00 s, 2.0 tokens/s\n"
    assert (deployment.asked, deployment.models) == ([0.0], {IDENTIFIER})


def test_a_cold_start_is_waited_for_and_each_stage_told(capsys: pytest.CaptureFixture[str]) -> None:
    deployment = _Deployment(WAKING, 60)
    hold(deployment)
    out, err = capsys.readouterr()
    assert out == "I am a model.\n"
    assert err.splitlines()[:-1] == [
        "chat: scheduling (stage 1 of 4)",
        "chat: downloading (stage 2 of 4)",
        "chat: initializing (stage 3 of 4)",
        "chat: ready (stage 4 of 4)",
    ]
    pauses = [later - earlier for earlier, later in zip(deployment.asked, deployment.asked[1:], strict=False)]
    assert pauses[:3] == pytest.approx([5.0, 7.5, 11.25])
    assert 60 <= deployment.asked[-1] <= 62, "it asks again as soon as a replica is ready"


def test_the_server_may_ask_for_longer_pauses_but_not_for_ever() -> None:
    patient = FireworksError(ErrorKind.NO_ANSWER, "wait", status=503, retry_after=3600.0)
    deployment = _Deployment(patient, 1)
    hold(deployment)
    assert 59 <= deployment.asked[1] <= 61


def test_with_stream_each_piece_is_printed_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[float, str]] = []

    def echo(text: str = "", **_options: object) -> None:
        said.append((asyncio.get_running_loop().time() - 1000.0, text))

    monkeypatch.setattr(click, "echo", echo)
    hold(_Deployment(WAKING, 0), stream=True)
    assert said[:3] == [(1.0, "I am "), (2.0, "a model."), (2.0, "")]


def test_an_answer_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    hold(_Deployment(WAKING, 0, [Piece("a\x1b[2J\tb\nc", finish="stop")]))
    assert capsys.readouterr().out == "a [2J\tb\nc\n"


def test_an_answer_that_is_cut_off_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    hold(_Deployment(WAKING, 0, [Piece("I am", finish="length")]))
    assert capsys.readouterr().err.endswith("raise --max-tokens.\n")


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_breaks_off_is_no_answer(stream: bool, capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(_Deployment):
        async def ask(self, _key: ApiKey, _question: Question) -> AsyncGenerator[Piece]:
            yield Piece("I am")
            raise FireworksError(ErrorKind.NO_ANSWER, "the answer breaks off before its end")

    with pytest.raises(click.ClickException, match="breaks off"):
        hold(Broken(WAKING, 0), stream=stream)
    assert capsys.readouterr().out == ("I am\n" if stream else "")


def test_a_deployment_that_does_not_wake_is_given_up(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(click.ClickException) as caught:
        hold(_Deployment(WAKING, 3600), timeout=30.0)
    assert caught.value.message == (
        "chat did not answer within 30 s. Last seen: downloading (stage 2 of 4). Raise --timeout, and see "
        "`kubectl fireworks status chat -n team-a`."
    )
    assert capsys.readouterr().out == ""


NEW = replace(TARGET, new=True)


def test_what_is_new_is_waited_for_some_minutes_until_requests_are_routed_to_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    late = _Deployment(MISSING, 100)
    hold(late, NEW)
    assert late.asked[-1] >= 100
    assert "chat: requests are not routed to it yet" in capsys.readouterr().err
    never = _Deployment(MISSING, 3600)
    with pytest.raises(click.ClickException, match="Nothing answers to"):
        hold(never, NEW)
    assert 180 <= never.asked[-1] < 215


def test_what_is_not_new_and_not_found_is_told_at_once() -> None:
    deployment = _Deployment(MISSING, 3600)
    with pytest.raises(click.ClickException, match="Nothing answers to"):
        hold(deployment)
    assert deployment.asked == [0.0]


def test_what_has_just_woken_counts_as_new() -> None:
    class Waking(_Deployment):
        async def ask(self, key: ApiKey, question: Question) -> AsyncGenerator[Piece]:
            self._refusal = MISSING if self.asked else WAKING
            async for piece in super().ask(key, question):
                yield piece

    deployment = Waking(WAKING, 30)
    hold(deployment)
    assert deployment.asked[-1] >= 30


@pytest.mark.parametrize(("minutes", "new"), [(14, True), (16, False)])
def test_a_deployment_is_new_for_a_quarter_of_an_hour(minutes: int, new: bool) -> None:
    born = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()
    assert find_target(a_resource(status=status(createTime=born)), None, settings()).new is new


@pytest.mark.parametrize(
    ("status", "addon", "says", "reason"),
    [
        (401, False, "Put a valid API key into the Secret team-a/fireworks.", "which key"),
        (402, False, "no credits left or no paid plan: see https://fireworks.ai/account/billing.", "pay"),
        (403, False, "Use an API key that may call deployments of the account acme", "another key"),
        (404, False, f"Nothing answers to {IDENTIFIER}: check that the Secret team-a/fireworks has a key", "which one"),
        (412, False, "If the account is suspended, see https://fireworks.ai/account/billing.", "pay"),
        (412, True, "If the addon cannot be loaded, see `kubectl fireworks status chat -n team-a`.", "the addon"),
        (429, False, "at its capacity, or the account at its rate limit: try again in a minute", "later"),
        (400, False, "Correct the request", "the prompt"),
        (500, False, "Check FIREWORKS_BASE_URL and the network.", "as all other commands"),
    ],
)
def test_a_refusal_is_told_with_the_way_out(status: int, addon: bool, says: str, reason: str) -> None:
    kind = ErrorKind.NO_ANSWER if status == 500 else ErrorKind.INVALID
    target = Target("chat", "team-a", "acme", ENDPOINT, IDENTIFIER, addon=addon)
    told = explain_refusal(FireworksError(kind, "Their words.", status=status), FOUND, target).message
    assert told.startswith(f"Fireworks: Their words. (HTTP {status}). "), reason
    assert says in told, reason


def test_it_is_not_asked_again_after_another_refusal() -> None:
    deployment = _Deployment(FireworksError(ErrorKind.RATE_LIMITED, "slow down", status=429), 3600)
    with pytest.raises(click.ClickException, match="at its capacity"):
        hold(deployment)
    assert deployment.asked == [0.0]


# --- the simulator ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorClient]:
    """A simulator with one deployment that serves."""
    with running() as client:
        client.create_foreign(prefix="chat")
        yield client


@pytest.mark.parametrize("chat", [True, False])
async def test_the_simulator_answers(
    simulator: SimulatorClient, chat: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "accounts/acme/deployments/chat-0"
    target = Target("chat", "team-a", "acme", f"{simulator.url}/inference/v1", name, addon=False)
    found = FoundKey(ApiKey("fw_simulator"), "FIREWORKS_API_KEY")
    async with InferenceClient(target.endpoint, user_agent="kubectl-fireworks/test") as client:
        await Conversation(look, client, found, target, Query(Question("", "Hi", chat=chat))).hold()
    out, err = capsys.readouterr()
    assert out == f"This is {name} on {name}, simulated.\n"
    assert "first token after" in err
