"""Pairs of a live state and a new manifest, what the plugin plans for them, and what the operator then does."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.core.actions import (
    Adopt,
    Create,
    CreateRouter,
    Delete,
    DeleteRouter,
    LoadAddon,
    Mutation,
    PrepareModel,
    RouterChange,
    SetDeployedModel,
    SetRouter,
    SetTags,
    Undelete,
    UnloadAddon,
    Update,
    UpdateAddon,
)
from fireworks_operator.core.budgets import Room
from fireworks_operator.core.identity import TAG_RELEASED
from fireworks_operator.fireworks.client import FireworksClient
from fireworks_operator.plugin.plan.dry_run import Stored
from fireworks_operator.plugin.plan.looking import Looker, Seen
from fireworks_operator.plugin.plan.operator import Operator
from fireworks_operator.plugin.plan.planned import Planned, planned_of
from fireworks_operator.ports import SecretExcerpt
from fireworks_operator.settings import Settings
from fireworks_simulator.testing import JournalEntry
from testkit.promises.specs import EDITS, H100, H200, changed, is_blue_green
from testkit.stories.addons import add_models, addons, load_elsewhere, model
from testkit.virtual.api_server import RefusedError, check_immutable
from testkit.virtual.process import AGENT, CLUSTER, CLUSTER_UID
from testkit.virtual.simulator import URL
from tests.virtual.stage import Stage
from tests.virtual.team import MODEL, SECRET, Json, Team

WINDOW = 200.0
"""Seconds in which the operator does all that it does at once; a failed deployment is replaced after 300."""
NAME = "chat"
CONFLICT = 409
"""The answer to a create request whose id is taken, which is how the operator finds what no LIST shows."""
_MORE: Mapping[str, tuple[object, ...]] = {
    "addons": (None, ["tone"], ["style"], ["tone", "style"], ["alien"]),
    "enableAddons": (None, True, False),
    "deployedModel": (None, {"default": True}, {"default": False, "public": True}),
    "deploymentShape": (None, None, "fast", "throughput"),
    "deploymentId": (None, None, None, "unowned-0"),
    "loadTargets": (None, {"default": 0.5}, {"requests_per_second": 2.0}),
    "schedule": (None, {"schedule": "0 0 1 1 *", "duration": "5m", "timezone": "UTC", "minReplicaCount": 1}),
    "baseModel": (MODEL, MODEL, "accounts/fireworks/models/nobody-has-it"),
    "preemptible": (None, None, True),
    "expiresAfter": (None, "24h"),
    "placement": (None, None, {"region": "US_IOWA_1"}),
}

_ADOPTS: Json = {"deploymentId": "unowned-0", "adoptionPolicy": "Unowned"}
_TURNS: tuple[tuple[str, Json], ...] = (
    ("new", _ADOPTS),
    ("new", {**_ADOPTS, "minReplicaCount": 1, "tags": {"team": "a"}}),
    ("soft", {"acceleratorType": H200}),
    ("nothing", {"managementPolicy": "Observe"}),
    ("nothing", {"minReplicaCount": 0, "maxReplicaCount": 0}),
    ("rests", {"expiresAfter": "1m"}),
    ("console", {"paused": True}),
    ("addon", {"addons": [], "enableAddons": None}),
    ("nothing", {"acceleratorType": H200, "replacePolicy": {"type": "Recreate"}}),
    ("nothing", {"preemptible": True, "replacePolicy": {"type": "Recreate", "ignoreChecks": True}}),
    ("nothing", {"baseModel": "accounts/fireworks/models/nobody-has-it", "replacePolicy": {"type": "Recreate"}}),
)
"""What hardly comes about otherwise: something that happens, and a change of the manifest after it."""
_WORLDS = (
    *("new", "nothing", "nothing", "nothing", "console", "soft", "hard", "fails", "busy", "tags", "given", "addon"),
    "quota",
)
_ENDS = ("soft", "hard", "fails")
WITHIN = 70.0
"""Seconds until the operator has looked at a deployment at rest."""
_NOT_DRAWN = frozenset({"fallbacks"})
"""What stories of their own are about."""
RARELY = 0.2


@dataclass(frozen=True, slots=True)
class Request:
    """A request that changes something at Fireworks; ids that only Fireworks knows beforehand are left out."""

    method: str
    path: str
    body: object
    mask: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """What was planned, and what came of it.

    Attributes:
        story: what was drawn.
        planned, seen: what the plugin says, and what of.
        requests: what the operator then sent and Fireworks accepted.
        refused: the first request that Fireworks refused; None if there was none.
        status: of the resource afterwards.
    """

    story: str
    planned: Planned
    seen: Seen
    requests: list[Request]
    refused: Request | None
    status: Json


class Secrets:
    """The Secrets of the stage as the plugin reads them."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def read(
        self, namespace: str, name: str, wanted: tuple[str, ...], *, fresh: bool = False
    ) -> SecretExcerpt | None:
        """Read one, as the plugin does."""
        secrets = self._stage.server.secrets
        data = secrets.get((namespace, name))
        return None if data is None else SecretExcerpt.of(data, wanted, *secrets.versions[namespace, name])


def draw_spec(team: Team, random: Random, spec: Json, edits: int) -> Json:
    """Return a spec with so many things changed, which the API server would take."""
    for _ in range(edits):
        name = random.choice(sorted({*EDITS, *_MORE} - _NOT_DRAWN))
        value = random.choice(_MORE.get(name) or EDITS[name])
        spec = _edited(team, spec, name, value)
    if spec.get("deploymentShape"):
        spec.pop("acceleratorType", None)
    if spec.get("enableAddons") is False:
        spec.pop("addons", None)
    return spec


def _edited(team: Team, spec: Json, name: str, value: Any) -> Json:  # noqa: ANN401 - any JSON
    if name == "addons":
        without = {key: each for key, each in spec.items() if key != "addons"}
        return without if value is None else {**without, "addons": addons(*value)}
    if name in ("loadTargets", "schedule"):
        policy = {key: each for key, each in spec.get("autoscalingPolicy", {}).items() if key != name}
        policy.pop("scalingSchedules" if name == "schedule" else name, None)
        if value is not None:
            policy |= {"scalingSchedules": {"new-year": value}} if name == "schedule" else {name: value}
        rest = {key: each for key, each in spec.items() if key != "autoscalingPolicy"}
        return {**rest, "autoscalingPolicy": policy} if policy else rest
    return changed(spec, name, value)


def happen(team: Team, random: Random, what: str) -> None:
    """Have something happen to what there is."""
    found = [each for each in team.deployments() if each["name"].endswith(_identifier(team))]
    if what == "quota":
        team.simulator.quota("global--h100-count", 1)
    if not found:
        return
    name, identifier = found[0]["name"], _identifier(team)
    match what:
        case "console":
            fields = random.choice(
                ({"displayName": "Theirs"}, {"minReplicaCount": 1, "maxReplicaCount": 2}, {"precision": "BF16"})
            )
            team.simulator.edit(identifier, fields)
        case "soft" | "hard":
            team.simulator.vanish(identifier, soft=what == "soft")
        case "fails":
            team.simulator.fail(identifier, "out of memory", "CUDA error")
        case "busy":
            team.simulator.load(identifier, 2.0)
            team.wait(300)
            team.simulator.load(identifier, 0.0)
        case "tags":
            team.ask(f"/v1/{name}:setTags", {"tags": {"custom/team": "theirs"}})
        case "given":
            team.ask(f"/v1/{name}:setTags", {"tags": {"custom/cluster": "another"}})
        case "addon" if found[0].get("enableAddons"):
            load_elsewhere(team, name, "terms")


def _keep_awake(team: Team) -> None:
    """Have a replica that is idle stay for the time being."""
    for each in team.deployments():
        if each["name"].endswith(_identifier(team)) and each.get("replicaStats", {}).get("readyReplicaCount"):
            team.simulator.traffic(_identifier(team))


def _identifier(team: Team) -> str:
    raw = team.find(NAME)
    name = (raw or {}).get("status", {}).get("deploymentName", "")
    return str(name).rsplit("/", 1)[-1] or "nothing"


def draw_pair(stage: Stage, random: Random) -> Pair | None:
    """Play one story: a live state, a manifest, its plan, and the operator; None if the API server refuses it."""
    team = add_models(Team.begin(stage))
    team.simulator.create_foreign(prefix="unowned", baseModel=MODEL, acceleratorType=H100, acceleratorCount=1)
    spec: Json = {"baseModel": MODEL, "acceleratorType": H100, "credentialsSecretRef": {"name": SECRET}}
    spec = draw_spec(team, random, spec, random.randint(0, 5))
    story = [f"spec {spec}"]
    world, turn = random.choice(_TURNS) if random.random() < RARELY else (random.choice(_WORLDS), {})
    if world != "new":
        stage.server.create(team.ref(NAME), spec)
        team.wait(300.0 if world == "rests" else random.choice((300.0, 300.0, 300.0, 2.0, 8.0)))
        happen(team, random, world)
        team.wait(random.choice((0.0, 0.0, WITHIN)))
    after = draw_spec(team, random, spec, random.choice((0, 1, 1, 2, 3, 4)))
    after = {key: value for key, value in {**after, **turn}.items() if value is not None}
    story += [world, f"then {after}"]
    if world in _ENDS and is_blue_green(after):
        team.wait(WITHIN)  # what it has not seen to end, it would still have a successor take over from
    _keep_awake(team)
    stored = dry_run(stage, team, after)
    if stored is None:
        return None
    seen = stage.run(look(stage, team, stored))
    planned = planned_of(team.namespace, NAME, "chat.yaml", seen)
    sequence = team.seen()
    if stored.live is None:
        stage.server.create(team.ref(NAME), after)
    else:
        stage.server.edit(team.ref(NAME), after)
    team.wait(WINDOW)
    sent = _writes(team, sequence)
    accepted = _accepted(sent)
    refused = [_sent(each) for each in sent if each.status >= 400 and each.status != CONFLICT]
    return Pair("; ".join(story), planned, seen, accepted, refused[0] if refused else None, team.status(NAME))


def requests_of(team: Team, since: int) -> list[Request]:
    """Return the requests of the operator that Fireworks has accepted since then."""
    return _accepted(_writes(team, since))


def _writes(team: Team, since: int) -> list[JournalEntry]:
    writes = (each for each in team.writes(since=since) if "validateOnly" not in each.query)  # which changes nothing
    return [each for each in writes if each.user_agent == AGENT]


def _accepted(sent: list[JournalEntry]) -> list[Request]:
    return [_sent(each) for each in sent if each.status < 300 and not _lets_go(each)]


def dry_run(stage: Stage, team: Team, spec: Json) -> Stored | None:
    """Return what the API server would store; the one in memory forgets it again."""
    ref = team.ref(NAME)
    live = stage.server.objects.get(ref)
    if live is None:
        metadata = {"name": NAME, "namespace": team.namespace, "uid": "", "resourceVersion": "", "generation": 1}
        return Stored(FireworksDeployment.parse({"metadata": metadata, "spec": spec}), None)
    generation = live["metadata"]["generation"] + (0 if live["spec"] == spec else 1)
    raw = {**live, "spec": spec, "metadata": {**live["metadata"], "generation": generation}}
    with suppress(RefusedError):
        check_immutable(live, spec)
        return Stored(FireworksDeployment.parse(raw), FireworksDeployment.parse(live))
    return None


async def look(stage: Stage, team: Team, stored: Stored, rooms: tuple[Room, ...] = ()) -> Seen:
    """Ask the plugin what the operator would do with a resource that its budgets leave so much room."""
    settings = Settings(base_url=URL)
    operator = Operator(settings, CLUSTER, CLUSTER_UID, stage.prices)
    now = datetime.fromtimestamp(stage.now(), UTC)
    async with FireworksClient(URL, user_agent="kubectl-fireworks") as client:
        return await Looker(client, Secrets(stage), settings, operator, now).look(stored, rooms)


def _sent(entry: JournalEntry) -> Request:
    return _request(entry.method, entry.path, entry.body, str(entry.query.get("updateMask", "")))


def _lets_go(entry: JournalEntry) -> bool:
    """Tell whether it marks a deployment as no longer managed, which is no change of it."""
    tags = entry.body.get("tags") if isinstance(entry.body, dict) else None
    return isinstance(tags, dict) and TAG_RELEASED in tags


def _request(method: str, path: str, body: object, mask: str = "") -> Request:
    """Return a request, of which the id of a deployed model does not count."""
    head, _, rest = path.partition("/deployedModels/")
    return Request(method, f"{head}/deployedModels/ID" if rest else path, body or None, mask)


def expected(action: Mutation) -> list[Request]:
    """Return the requests that an action is carried out by."""
    path = f"/v1/{action.target}"
    match action:
        case Create(body=body):
            return [_request("POST", path.rpartition("/")[0], dict(body))]
        case Update(body=body, mask=mask):
            return [_request("PATCH", path, dict(body), ",".join(mask))]
        case Undelete():
            return [_request("POST", f"{path}:undelete", {})]
        case Delete():
            return [_request("DELETE", path, None)]
        case PrepareModel(model=name, precision=precision):
            return [_request("POST", f"/v1/{name}:prepare", {"precision": precision})]
        case SetTags() | Adopt():
            deleted = [_request("POST", f"{path}:deleteTags", {"keys": list(action.remove)})] if action.remove else []
            put = [_request("POST", f"{path}:setTags", {"tags": dict(action.tags)})] if action.tags else []
            return [*put, *deleted] if isinstance(action, Adopt) else [*deleted, *put]
        case LoadAddon(body=body) | SetDeployedModel(deployed_model=None, body=body):
            return [_request("POST", f"/v1/{action.target.rpartition('/deployments/')[0]}/deployedModels", dict(body))]
        case UpdateAddon(deployed_model=name, body=body, mask=mask):
            return [_request("PATCH", f"/v1/{name}", dict(body), ",".join(mask))]
        case SetDeployedModel(deployed_model=name, body=body):
            return [_request("PATCH", f"/v1/{name}", dict(body), ",".join(body))]
        case UnloadAddon(deployed_model=name):
            return [_request("DELETE", f"/v1/{name}", None)]
        case CreateRouter() | SetRouter() | DeleteRouter():
            return [_of_router(action)]


def _of_router(action: RouterChange) -> Request:
    match action:
        case CreateRouter(router=name, body=body):
            return _request("POST", f"/v1/{name.rpartition('/')[0]}", dict(body))
        case SetRouter(router=name, body=body, mask=mask):
            return _request("PATCH", f"/v1/{name}", dict(body), ",".join(mask))
        case DeleteRouter(router=name):
            return _request("DELETE", f"/v1/{name}", None)


__all__ = ["Pair", "Request", "draw_pair", "dry_run", "expected", "look", "model", "requests_of"]
