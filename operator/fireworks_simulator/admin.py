"""The admin API under `/_simulator`: what a test knows and does behind the service's back."""

import json
from collections.abc import Awaitable, Callable

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from fireworks_simulator import admin_catalogue, schema
from fireworks_simulator.admin_account import ACCOUNT_ACTIONS
from fireworks_simulator.admin_request import Admin, AdminError
from fireworks_simulator.bodies import (
    AccountBody,
    AccountEdit,
    AdvanceBody,
    BulkBody,
    ClockBody,
    DeploymentEdit,
    FailBody,
    KeyBody,
    LoadBody,
    TrafficBody,
    WorldBody,
)
from fireworks_simulator.clock import timestamp
from fireworks_simulator.entities import LoadState
from fireworks_simulator.faults import FaultRule
from fireworks_simulator.protojson import parse
from fireworks_simulator.settings import AccountSettings
from fireworks_simulator.stages import StageRule
from fireworks_simulator.staging import create_many, edit
from fireworks_simulator.traffic import Answered
from fireworks_simulator.wire import ApiError, JsonObject, JsonValue, encode
from fireworks_simulator.worlds import Worlds

Action = Callable[[Admin], JsonObject]


def _endpoint(worlds: Worlds, actions: dict[str, Action]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        content = await request.body()
        try:
            status, value = 200, actions[request.method](Admin(worlds, request, content))
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False, include_input=False)
            status, value = 400, {"error": json.dumps(problems, default=str)}
        except AdminError as error:
            status, value = error.status, {"error": str(error)}
        except ApiError as error:
            status, value = 400, {"error": error.message}
        except ValueError as error:
            status, value = 400, {"error": str(error)}
        return Response(encode(value), status, media_type="application/json")

    return endpoint


def admin_routes(worlds: Worlds) -> list[Route | Mount]:
    """Routes to mount under `/_simulator`: those of the shared world, and the same for each other world."""

    def routes(table: dict[str, dict[str, Action]]) -> list[Route]:
        return [Route(path, _endpoint(worlds, actions), methods=sorted(actions)) for path, actions in table.items()]

    of_worlds: dict[str, dict[str, Action]] = {
        "/worlds": {"POST": _add_world},
        "/worlds/{world}": {"DELETE": _remove_world},
    }
    table = _table()
    return [*routes(of_worlds), Mount("/worlds/{world}", routes=routes(table)), *routes(table)]


def _table() -> dict[str, dict[str, Action]]:
    """What can be asked of a world."""
    deployments = "/accounts/{account}/deployments"
    deployment = deployments + "/{deployment}"
    return {
        "/health": {"GET": lambda a: {"status": "ok"}},
        "/reset": {"POST": _reset},
        "/state": {"GET": _state},
        "/journal": {"GET": _journal, "DELETE": _clear_journal},
        "/journal/counts": {"GET": lambda a: a.world.journal.counts()},
        "/clock": {"GET": _clock, "PATCH": _set_clock},
        "/clock/advance": {"POST": _advance},
        "/faults": {"GET": _faults, "POST": _add_fault, "DELETE": _clear_faults},
        "/faults/{fault}": {"DELETE": _remove_fault},
        "/assumptions": {"GET": lambda a: a.dump(a.world.assumptions), "PATCH": _set_assumptions},
        "/timing": {"GET": lambda a: a.dump(a.world.stages.timing), "PATCH": _set_timing},
        "/stages": {"GET": _stages, "POST": _add_stage, "DELETE": _clear_stages},
        "/models": {"POST": admin_catalogue.add_model},
        "/shapes": {"POST": admin_catalogue.add_shape},
        "/accounts": {"POST": _add_account},
        "/accounts/{account}": {"PATCH": _edit_account},
        "/accounts/{account}/keys": {"GET": _keys, "POST": _add_key},
        "/accounts/{account}/keys/{key}": {"DELETE": _revoke_key},
        deployments: {"POST": _create_many},
        deployment: {"GET": lambda a: a.world.wire(a.deployment(), a.now), "PATCH": _edit, "DELETE": _vanish},
        deployment + "/traffic": {"POST": _traffic},
        deployment + "/load": {"PUT": _load},
        deployment + "/fail": {"POST": _fail},
        "/accounts/{account}/deployedModels/{deployed_model}": {"PATCH": _edit_deployed_model},
        **{path: dict(actions) for path, actions in ACCOUNT_ACTIONS.items()},
    }


def _add_world(a: Admin) -> JsonObject:
    body = a.body(WorldBody)
    a.worlds.add(AccountSettings(id=body.id, api_key=body.api_key))
    return {}


def _remove_world(a: Admin) -> JsonObject:
    a.worlds.remove(a.name)
    return {}


def _reset(a: Admin) -> JsonObject:
    a.worlds.reset(a.name)
    return {}


def _state(a: Admin) -> JsonObject:
    accounts: JsonObject = {}
    for account in a.world.accounts.values():
        accounts[account.id] = {
            **account.to_wire(),
            "deployments": [a.world.wire(d, a.now) for d in account.deployments.values()],
            "deployedModels": [m.to_wire() for m in account.deployed_models.values()],
            "routers": [router.to_wire(a.now) for router in a.world.routers.of(account.id).values()],
            "quotas": dict[str, JsonValue](account.quotas),
        }
    return {"now": timestamp(a.now), "accounts": accounts}


def _journal(a: Admin) -> JsonObject:
    found = a.world.journal.find(
        method=a.query.get("method"),
        path=a.query.get("path"),
        account=a.query.get("account"),
        since=int(a.query.get("since", "0")),
    )
    return {"entries": [entry.to_wire() for entry in found]}


def _clear_journal(a: Admin) -> JsonObject:
    a.world.journal.clear()
    return {}


def _clock(a: Admin) -> JsonObject:
    clock = a.world.clock
    return {"now": timestamp(a.now), "virtual": a.now, "speed": clock.speed, "stepped": clock.stepped}


def _set_clock(a: Admin) -> JsonObject:
    body = a.body(ClockBody)
    a.world.clock.configure(speed=body.speed, stepped=body.stepped)
    return _clock(a)


def _advance(a: Admin) -> JsonObject:
    a.now = a.world.clock.advance(a.body(AdvanceBody).seconds)
    a.world.settle(a.now)
    return _clock(a)


def _faults(a: Admin) -> JsonObject:
    return {"rules": [rule.to_wire() for rule in a.world.faults.rules]}


def _add_fault(a: Admin) -> JsonObject:
    rule = a.world.faults.add(a.body(FaultRule))
    a.world.thaw(a.now)
    return rule.to_wire()


def _clear_faults(a: Admin) -> JsonObject:
    a.world.faults.clear()
    a.world.thaw(a.now)
    return {}


def _remove_fault(a: Admin) -> JsonObject:
    if not a.world.faults.remove(a.params["fault"]):
        raise AdminError(404, f"no fault rule {a.params['fault']}")
    a.world.thaw(a.now)
    return {}


def _patch(a: Admin, model: BaseModel) -> JsonObject:
    """Set the fields that the body names, all or none."""
    changes = json.loads(a.content or b"{}")
    if not isinstance(changes, dict):
        raise AdminError(400, "the body must be a JSON object")
    checked = type(model).model_validate({**model.model_dump(), **changes})
    for name in changes:
        setattr(model, name, getattr(checked, name))
    for d in a.world.every_deployment():
        d.forget_encoding()
    return a.dump(model)


def _set_assumptions(a: Admin) -> JsonObject:
    return _patch(a, a.world.assumptions)


def _set_timing(a: Admin) -> JsonObject:
    """Durations from now on; deployments that exist keep theirs."""
    timing = a.world.stages.timing = a.world.stages.timing.model_copy()
    return _patch(a, timing)


def _stages(a: Admin) -> JsonObject:
    return {"rules": [a.dump(rule) for rule in a.world.stages.rules]}


def _add_stage(a: Admin) -> JsonObject:
    rule = a.body(StageRule)
    a.world.stages.rules.append(rule)
    return a.dump(rule)


def _clear_stages(a: Admin) -> JsonObject:
    """No rules any more: waiting replicas get their nodes."""
    a.world.stages.rules.clear()
    for d in a.world.every_deployment():
        if d.stocked_out:
            a.world.remember(d, a.now)
            a.world.lifecycle.release_stock(d, a.now)
            a.world.changed(d, a.now)
    return {}


def _add_account(a: Admin) -> JsonObject:
    body = a.body(AccountBody)
    key = a.world.add_key(body.id, body.api_key, body.role)
    return {**a.world.accounts[body.id].to_wire(), "keyId": key.id}


def _edit_account(a: Admin) -> JsonObject:
    account = a.account()
    account.suspend_state = a.body(AccountEdit).suspend_state
    account.update_time = a.now
    return account.to_wire()


def _keys(a: Admin) -> JsonObject:
    account = a.account()
    return {"keys": [{"id": k.id, "role": k.role} for k in a.world.keys.values() if k.account == account.id]}


def _add_key(a: Admin) -> JsonObject:
    body = a.body(KeyBody)
    key = a.world.add_key(a.account().id, body.api_key, body.role)
    return {"id": key.id, "role": key.role}


def _revoke_key(a: Admin) -> JsonObject:
    found = [text for text, key in a.world.keys.items() if key.id == a.params["key"]]
    if not found:
        raise AdminError(404, f"no key {a.params['key']}")
    for text in found:
        del a.world.keys[text]
    return {}


def _create_many(a: Admin) -> JsonObject:
    body = a.body(BulkBody)
    names = create_many(a.world, a.account(), body, a.now)
    return {"created": len(names), "first": names[0], "last": names[-1]}


def _edit(a: Admin) -> JsonObject:
    """A change by someone else: in the console, by firectl, or by the service itself."""
    d = a.deployment()
    body = a.body(DeploymentEdit)
    fields = parse(schema.DEPLOYMENT, json.dumps(body.fields).encode()).value
    edit(a.world, d, body, fields, a.now)
    return a.show(d)


def _vanish(a: Admin) -> JsonObject:
    """Gone as if it had never been; or, with soft=true, deleted by someone else."""
    d = a.deployment()
    a.world.remember(d, a.now)
    if a.query.get("soft") == "true":
        a.world.lifecycle.delete(d, a.now, hard=False)
        return a.show(d)
    a.world.remove(d)
    return {}


def _traffic(a: Admin) -> JsonObject:
    """Requests were served just now, or `secondsAgo`."""
    d = a.deployment()
    d.last_request = d.idle_since = a.now - a.body(TrafficBody).seconds_ago
    a.world.traffic.note(d, Answered(d.last_request, 200))
    return a.show(d)


def _load(a: Admin) -> JsonObject:
    """Steady load, in replicas' worth."""
    d = a.deployment()
    a.world.remember(d, a.now)
    d.load = a.body(LoadBody).replicas
    d.last_request = d.idle_since = a.now
    a.world.lifecycle.load_changed(d, a.now)
    return a.show(d)


def _fail(a: Admin) -> JsonObject:
    d = a.deployment()
    body = a.body(FailBody)
    a.world.remember(d, a.now)
    a.world.lifecycle.fail(d, a.now, body.message, body.termination_message)
    return a.show(d)


def _edit_deployed_model(a: Admin) -> JsonObject:
    """Force the state or the status of a deployed model."""
    deployed = a.account().deployed_models.get(a.params["deployed_model"])
    if deployed is None:
        raise AdminError(404, f"no deployed model {a.params['deployed_model']}")
    body = a.body(DeploymentEdit)
    if body.state is not None:
        deployed.state = LoadState(body.state)
        deployed.transition_at = float("inf")
    if body.status_code is not None:
        deployed.status_code = body.status_code
    if body.status_message is not None:
        deployed.status_message = body.status_message
    deployed.update_time = a.now
    return deployed.to_wire()
