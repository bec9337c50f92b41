"""OpenAI-compatible inference: routing by model identifier, cold starts, and an answer that is always the same."""

import json
import zlib

from fireworks_simulator.clock import timestamp
from fireworks_simulator.entities import DeployedModel, Deployment, LoadState, State
from fireworks_simulator.traffic import Answered
from fireworks_simulator.wire import Call, InferenceError, JsonObject, JsonValue, Reply, encode, ok
from fireworks_simulator.world import World

_SCALING_UP = "Deployment is currently scaled to zero and is scaling up. Please retry your request in a few minutes."
_NOT_DEPLOYED = "Model not found, inaccessible, and/or not deployed"
RETRY_AFTER_SECONDS = "30"
_PROMPT_TOKENS = 1
"""Of every request, whatever it says."""


def chat_completions(world: World, call: Call) -> Reply:
    """POST /chat/completions."""
    body = _body(call)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise InferenceError(400, "messages must be a non-empty list", "INVALID_ARGUMENT", param="messages")
    model, d = _serve(world, call, body)
    text = _text(model, d)
    if body.get("stream") is True:
        delta: JsonObject = {"role": "assistant", "content": text}
        choice: JsonObject = {"index": 0, "delta": delta, "finish_reason": "stop"}
        return _stream(call, body, "chat.completion.chunk", choice)
    message: JsonObject = {"role": "assistant", "content": text}
    return _complete(call, body, d, "chat.completion", {"index": 0, "message": message, "finish_reason": "stop"})


def completions(world: World, call: Call) -> Reply:
    """POST /completions."""
    body = _body(call)
    if "prompt" not in body:
        raise InferenceError(400, "prompt is required", "INVALID_ARGUMENT", param="prompt")
    model, d = _serve(world, call, body)
    choice: JsonObject = {"index": 0, "text": _text(model, d), "finish_reason": "stop"}
    if body.get("stream") is True:
        return _stream(call, body, "text_completion", choice)
    return _complete(call, body, d, "text_completion", choice)


def list_models(world: World, call: Call) -> Reply:
    """GET /inference/v1/models: what the account can call now."""
    account = world.accounts[call.identity.account]
    data: list[JsonValue] = [
        {
            "id": f"{m.model}#{m.deployment.name}",
            "object": "model",
            "owned_by": account.id,
            "created": int(m.create_time),
        }
        for m in account.deployed_models.values()
        if m.state is LoadState.DEPLOYED
    ]
    return ok({"object": "list", "data": data})


def _body(call: Call) -> JsonObject:
    try:
        body = json.loads(call.body)
    except ValueError:
        raise InferenceError(400, "could not parse the request body as JSON", "INVALID_ARGUMENT") from None
    if not isinstance(body, dict):
        raise InferenceError(400, "the request body must be a JSON object", "INVALID_ARGUMENT")
    return body


def _serve(world: World, call: Call, body: JsonObject) -> tuple[str, Deployment]:
    """The model and the deployment that answer; the request counts as traffic, and wakes the deployment.

    Raises:
        InferenceError: nothing serves the model now.
    """
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise InferenceError(400, "model is required", "INVALID_ARGUMENT", param="model")
    d, addon = _route(world, call, model)
    try:
        _admit(world, call, d, addon)
    except InferenceError as error:
        world.traffic.note(d, Answered(call.now, error.reply.status))
        raise
    served = model if addon is None or not _merges(d) else f"{addon.model}#{d.name}"
    world.traffic.note(d, Answered(call.now, 200, _PROMPT_TOKENS, len(_text(served, d).split())))
    return served, d


def _admit(world: World, call: Call, d: Deployment, addon: DeployedModel | None) -> None:
    """Let a request through to a ready replica.

    Raises:
        InferenceError: there is none, or the addon is not loaded.
    """
    if d.state not in (State.DELETING, State.DELETED, State.FAILED):
        d.last_request = d.idle_since = call.now
    ready = d.ready(call.now)
    if ready == 0:
        raise _not_serving(world, d, call.now)
    delay = world.assumptions.routing_delay_seconds
    since = d.ready_since if addon is None else addon.ready_time
    if since is None or call.now < since + delay or (addon is not None and addon.state is not LoadState.DEPLOYED):
        raise _missing()


def _route(world: World, call: Call, model: str) -> tuple[Deployment, DeployedModel | None]:
    """What an identifier means: `MODEL#DEPLOYMENT`, a deployment, a router, or a model with a default deployment.

    Raises:
        InferenceError: 404, nothing by that name is deployed.
    """
    name, hash_, target = model.partition("#")
    if hash_:
        return _on_deployment(_deployment(world, call, target), name)
    if "/deployments/" in name:
        d = _deployment(world, call, name)
        return d, next((each for each in d.deployed_models if each.addon and _merges(d)), None)
    if "/routers/" in name:
        return _routed(world, call, name), None
    for deployed in world.accounts[call.identity.account].deployed_models.values():
        hidden = deployed.addon and _merges(deployed.deployment)
        if not hidden and (deployed.name == name or (deployed.model == name and deployed.default)):
            return deployed.deployment, deployed if deployed.addon else None
    raise _missing()


def _on_deployment(d: Deployment, name: str) -> tuple[Deployment, DeployedModel | None]:
    """The base model, or the addon, of that name on a deployment."""
    if name == d.base_model or name == _short(d.base_model):
        return d, None
    for deployed in d.deployed_models:
        if deployed.addon and not _merges(d) and name in (deployed.model, _short(deployed.model)):
            return d, deployed
    model = f"{name}#{d.name}"
    raise InferenceError(404, f"The model `{model}` does not exist.", 404, kind="NotFoundError", param="model")


def _merges(d: Deployment) -> bool:
    """Whether its addon is merged into the base model: the deployment's name then means the addon."""
    return d.config.get("enableHotReloadLatestAddon") is True


def _deployment(world: World, call: Call, target: str) -> Deployment:
    """A deployment by full name or `account/id`; another account's only where a public model serves there."""
    parts = target.split("/")
    if len(parts) == 4 and parts[0] == "accounts" and parts[2] == "deployments":
        account_id, deployment_id = parts[1], parts[3]
    elif len(parts) == 2:
        account_id, deployment_id = parts
    else:
        raise _missing()
    account = world.accounts.get(account_id)
    d = account.deployments.get(deployment_id) if account is not None else None
    if d is None or d.gone:
        raise _missing()
    if account_id != call.identity.account and not any(m.public for m in d.deployed_models):
        raise _missing()
    return d


def _routed(world: World, call: Call, name: str) -> Deployment:
    """The deployment that a router chooses for this request."""
    router = world.routers.named(name)
    account = name.split("/")[1]
    if router is None or not (account == call.identity.account or router.config.get("public") is True):
        raise _missing()
    d = world.routers.pick(world.accounts[account], router, call.now)
    if d is None:
        raise _missing()
    return d


def _not_serving(world: World, d: Deployment, now: float) -> InferenceError:
    """Why no replica answers; a deployment that is scaled to zero wakes up."""
    if d.state is State.FAILED:
        return _missing()
    if d.maximum == 0:
        return _scaling_up(world) if world.assumptions.parked_inference_status == "503" else _missing()
    if d.state is State.CREATING:
        return _scaling_up(world) if world.assumptions.creating_inference_status == "503" else _missing()
    world.lifecycle.wake(d, now)
    world.changed(d, now)
    return _scaling_up(world)


def _scaling_up(world: World) -> InferenceError:
    error = InferenceError(503, _SCALING_UP, "DEPLOYMENT_SCALING_UP")
    if world.assumptions.retry_after:
        error.reply = Reply(503, error.reply.body, headers=(("retry-after", RETRY_AFTER_SECONDS),))
    return error


def _missing() -> InferenceError:
    return InferenceError(404, _NOT_DEPLOYED, "NOT_FOUND", param="model")


def _short(model: str) -> str:
    """`x/m` for `accounts/x/models/m`."""
    parts = model.split("/")
    return f"{parts[1]}/{parts[3]}" if len(parts) == 4 else model


def _text(model: str, d: Deployment) -> str:
    return f"This is {model.partition('#')[0]} on {d.name}, simulated."


def _complete(call: Call, body: JsonObject, d: Deployment, kind: str, choice: JsonObject) -> Reply:
    answer = _answer(call, body, kind, choice)
    metrics = _performance(call, body, d, _words(choice))
    if body.get("perf_metrics_in_response") is True:
        answer["perf_metrics"] = dict[str, JsonValue](metrics)
    headers = (
        ("fireworks-deployment", d.name),
        ("x-simulated-time", timestamp(call.now)),
        *((f"fireworks-{name}", value) for name, value in metrics.items()),
    )
    return Reply(200, encode(answer), headers=headers)


def _performance(call: Call, body: JsonObject, d: Deployment, words: int) -> dict[str, str]:
    """Metrics by the names that their headers have after `fireworks-`.

    A drafter proposes a token for each word and is always right; with `disable_speculation` none of them counts.
    One user's requests go to one replica where the deployment has session affinity.
    """
    drafts = bool(d.text("draftModel") or d.config.get("ngramSpeculationLength"))
    matched = words if drafts and body.get("disable_speculation") is not True else 0
    user = str(body.get("user") or "") if d.config.get("enableSessionAffinity") is True else ""
    replica = zlib.crc32(user.encode()) % max(d.ready(call.now), 1)
    metrics = {
        "prompt-tokens": str(_PROMPT_TOKENS),
        "backend-host": f"{d.id}-{replica}",
        "num-concurrent-requests": "1",
    }
    if drafts:
        metrics |= {"speculation-generated-tokens": str(words), "speculation-matched-tokens": str(matched)}
    return metrics


def _words(choice: JsonObject) -> int:
    text = choice.get("text") or choice.get("message") or choice.get("delta")
    return len(str(text.get("content") if isinstance(text, dict) else text).split())


def _answer(call: Call, body: JsonObject, kind: str, choice: JsonObject) -> JsonObject:
    """The answer with its usage; a word is a token."""
    words = _words(choice)
    return {
        "id": "simulated-1",
        "object": kind,
        "created": int(call.now),
        "model": str(body["model"]),
        "choices": [choice],
        "usage": {
            "prompt_tokens": _PROMPT_TOKENS,
            "completion_tokens": words,
            "total_tokens": words + _PROMPT_TOKENS,
        },
    }


def _stream(call: Call, body: JsonObject, kind: str, choice: JsonObject) -> Reply:
    """The same answer as server-sent events: one chunk with everything, the usage too, then the end."""
    chunk = _answer(call, body, kind, choice)
    return Reply(200, b"data: " + encode(chunk) + b"\n\ndata: [DONE]\n\n", "text/event-stream")
