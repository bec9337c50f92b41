"""What the admin API does to deployments behind the service's back."""

import math

from fireworks_simulator import schema
from fireworks_simulator.bodies import BulkBody, DeploymentEdit
from fireworks_simulator.entities import GONE_STATES, NEVER, PURGE_AFTER, Account, Deployment, State
from fireworks_simulator.protojson import parse
from fireworks_simulator.wire import JsonObject, encode
from fireworks_simulator.world import World

_DEFAULTS: JsonObject = {
    "baseModel": "accounts/fireworks/models/llama-v3p1-8b-instruct",
    "acceleratorType": "NVIDIA_H100_80GB",
    "acceleratorCount": 1,
    "precision": "FP16",
    "minReplicaCount": 1,
    "maxReplicaCount": 1,
    "placement": {"multiRegion": "GLOBAL"},
    "region": "US_IOWA_1",
}


def create_many(world: World, account: Account, body: BulkBody, now: float) -> list[str]:
    """Create deployments `PREFIX-0`, `PREFIX-1`, … that serve already; existing ids are passed over.

    Returns:
        Their full names, never none.

    Raises:
        ApiError: the fields are not ones that a deployment has.
    """
    fields = {**_DEFAULTS, **parse(schema.DEPLOYMENT, encode(body.fields)).value}
    names: list[str] = []
    number = 0
    while len(names) < body.count:
        deployment_id = f"{body.prefix}-{number}"
        number += 1
        if deployment_id in account.deployments:
            continue
        d = world.new_deployment(account.id, deployment_id, dict(fields), now)
        world.lifecycle.start(d, State.CREATING, now)
        serve(d, d.desired, now)
        d.state = State.READY
        d.transition_at = NEVER
        world.add(d, now)
        names.append(d.name)
    return names


def edit(world: World, d: Deployment, body: DeploymentEdit, fields: JsonObject, now: float) -> None:
    """Change configuration and state without any check; the service takes it from there.

    Raises:
        ValueError: the state is not one of the service's.
    """
    state = None if body.state is None else State(body.state)
    world.remember(d, now)
    d.config = {key: value for key, value in {**d.config, **fields}.items() if key not in body.clear}
    d.update_time = now
    if fields.keys() & {"minReplicaCount", "maxReplicaCount", "autoscalingPolicy"}:
        world.lifecycle.bounds_changed(d, now)
    if body.stocked_out is True:
        d.stocked_out = True
    elif body.stocked_out is False:
        world.lifecycle.release_stock(d, now)
    if state is not None:
        _force(d, state, now)
        d.shown_state = None
    if body.shown_state is not None:
        d.shown_state = body.shown_state
    if body.ready_replicas is not None:
        serve(d, body.ready_replicas, now)
    _lose(d, body.lost_replicas, now)
    if body.status_code is not None:
        d.status_code = body.status_code
    if body.status_message is not None:
        d.status_message = body.status_message
    if body.termination_message is not None:
        d.termination_message = body.termination_message


def serve(d: Deployment, replicas: int, now: float) -> None:
    """Have exactly that many replicas, all ready."""
    d.desired = replicas
    d.replicas = [now - d.plan.timing.startup] * replicas
    d.progressed = d.idle_since = now
    d.ready_since = now if replicas else None


def _lose(d: Deployment, replicas: int, now: float) -> None:
    """Take the nodes of replicas that serve, the oldest first; each starts anew, once there is a node for it."""
    serving = sorted(
        started for started in d.replicas if started is not None and now - started >= d.plan.timing.startup
    )
    lost = serving[:replicas]
    for started in lost:
        d.replicas[d.replicas.index(started)] = None if d.stocked_out else now
    if lost:
        d.progressed = math.nextafter(now, 0.0)
        d.ready_since = d.ready_since if d.ready(now) else None


def _force(d: Deployment, state: State, now: float) -> None:
    """Put a deployment into a state in which it stays until something else happens."""
    d.state = state
    d.transition_at = d.scale_at = NEVER
    if state in GONE_STATES:
        d.desired, d.replicas, d.ready_since = 0, [], None
        d.delete_time = now
        d.purge_time = now + PURGE_AFTER
    else:
        d.delete_time = d.purge_time = None
