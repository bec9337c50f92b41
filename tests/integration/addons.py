"""LoRA addons as the operator's users see them: what is loaded, what status says, and whether all is at rest."""

import json
import urllib.request
from collections.abc import Mapping

from fireworks_simulator.testing import JournalEntry
from testkit.kubernetes_api import Json, condition
from testkit.team import MODEL, Team

OTHER_MODEL = "accounts/fireworks/models/llama-v3p2-3b-instruct"
AT_REST = ("True", "False", "False")
STALLED = ("False", "False", "True")
"""Ready, Reconciling and Stalled of a resource that nothing is to be done for."""
POLLS = 3
"""Polls without a write after which a resource counts as at rest."""


def add_models(team: Team) -> Team:
    """Give a team LoRA models for the usual base model, and two for another."""
    for name in ("tone", "style", "terms"):
        team.simulator.add_model(model(team, name), kind="HF_PEFT_ADDON", baseModel=MODEL)
    for name in ("alien", "stranger"):
        team.simulator.add_model(model(team, name), kind="HF_PEFT_ADDON", baseModel=OTHER_MODEL)
    return team


def hide_records(team: Team) -> None:
    """Keep the records of the models that do not fit from being read, so that only Fireworks can tell."""
    team.fault("status", method="GET", path="/models/(alien|stranger)$", status=403, code="PERMISSION_DENIED")


def model(team: Team, name: str) -> str:
    """Return the full name of one of the team's models."""
    return f"accounts/{team.account}/models/{name}"


def addons(*names: str, **settings: object) -> list[Json]:
    """Return spec.addons by bare ids, all with the same settings."""
    return [{"model": name, **settings} for name in names]


def loaded(team: Team) -> dict[str, Json]:
    """Return what is loaded at Fireworks by the last part of its model, the base model aside."""
    found: list[Json] = [dict(each) for each in team.simulator.deployed_models()]
    return {each["model"].rsplit("/", 1)[-1]: each for each in found if each["model"] != MODEL}


def requests(team: Team, method: str, path: str = r"/deployedModels(/[^/]+)?$") -> list[JournalEntry]:
    """Return the operator's requests for loaded addons."""
    found = team.journal(method, path)
    return [each for each in found if each.user_agent.startswith("fireworks-operator/")]


def loads(team: Team) -> list[str]:
    """Return the models that the operator asked to be loaded, in order."""
    bodies = [each.body for each in requests(team, "POST")]
    return [str(body["model"]).rsplit("/", 1)[-1] for body in bodies if isinstance(body, dict)]


def load_elsewhere(team: Team, deployment: str, name: str) -> str:
    """Load an addon as somebody else of the account does; return its name."""
    body = {"model": model(team, name), "deployment": deployment}
    answer = call(team, f"/v1/accounts/{team.account}/deployedModels", body)
    return str(answer["name"])


def call(team: Team, path: str, body: Mapping[str, object] | None, method: str = "POST") -> Json:
    """Send a request with the team's key, not by the operator."""
    headers = {"Authorization": f"Bearer {team.api_key}", "Content-Type": "application/json"}
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{team.simulator.url}{path}", content, headers, method=method)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        value: Json = json.load(answer)
    return value


def until_loaded(team: Team, *names: str, resource: str = "chat") -> Json:
    """Wait until exactly these addons are loaded and status says so; return the resource."""

    def look() -> Json | None:
        found = team.get(resource)
        entries = found["status"].get("addons", [])
        known = {each["model"].rsplit("/", 1)[-1]: each.get("state") for each in entries}
        return found if known == dict.fromkeys(names, "DEPLOYED") else None

    if names:
        team.until(resource, "AddonsReady", "True", "AddonsLoaded", says=f"{len(names)} loaded")
    found: Json = team.eventually(look, f"{', '.join(names) or 'nothing'} is loaded", name=resource)
    return found


def outcome(resource: Json) -> tuple[str, ...]:
    """Return Ready, Reconciling and Stalled."""
    return tuple(str(condition(resource, kind).get("status")) for kind in ("Ready", "Reconciling", "Stalled"))


def until_failed(team: Team, *says: str, resource: str = "chat") -> Json:
    """Wait until AddonsReady says what is wrong; the deployment itself has to look well all the same."""
    for each in says:
        team.until(resource, "AddonsReady", "False", "AddonFailed", says=each)
    found = team.get(resource)
    assert condition(found, "Available")["status"] == "True"
    return found


def assert_at_rest(team: Team, *resources: str, told: tuple[str, ...] = AT_REST) -> None:
    """Assert that it all comes to rest: Ready, or what else is told, and no write anywhere for some polls."""
    names = resources or ("chat",)

    def polled(since: int) -> bool:
        return len(team.journal("GET", "/deployedModels$", since=since)) >= POLLS

    def still() -> bool:
        before, seen = [team.get(name) for name in names], team.simulator.last_sequence()
        team.eventually(lambda: polled(seen), "some polls")
        versions = [each["metadata"]["resourceVersion"] for each in before]
        same = [team.get(name)["metadata"]["resourceVersion"] for name in names] == versions
        return same and team.writes(since=seen) == [] and all(outcome(each) == told for each in before)

    team.eventually(still, f"{', '.join(names)}: {told}, and no more writes")
