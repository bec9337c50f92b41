"""LoRA addons as users see them on the virtual stage: what is loaded, what status says, and whether all is at rest."""

from fireworks_simulator.testing import JournalEntry
from testkit.virtual.api_server import Raw
from tests.virtual.team import MODEL, Json, Team, holds

OTHER_BASE = "accounts/fireworks/models/llama-v3p2-3b-instruct"
AT_REST = ("True", "False", "False")
"""Ready, Reconciling and Stalled of a resource that nothing is to be done for."""
LOADING = ("False", "True", "False")
STALLED = ("False", "False", "True")
REFUSED_LOAD = "Fireworks refuses the addon: LoRA validation failed"
MISFIT = "It was trained on"


def add_models(team: Team) -> Team:
    """Give a team LoRA models for the usual base model, and two for another."""
    for name in ("tone", "style", "terms"):
        team.simulator.add_model(model(team, name), kind="HF_PEFT_ADDON", baseModel=MODEL)
    for name in ("alien", "stranger"):
        team.simulator.add_model(model(team, name), kind="HF_PEFT_ADDON", baseModel=OTHER_BASE)
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


def last(name: str) -> str:
    """Return the last part of a full name."""
    return name.rsplit("/", 1)[-1]


def loaded(team: Team) -> dict[str, Json]:
    """Return what is loaded at Fireworks by the last part of its model, the base model aside."""
    return {last(str(each["model"])): each for each in team.simulator.deployed_models() if each["model"] != MODEL}


def requests(team: Team, method: str) -> list[JournalEntry]:
    return team.journal(method, r"/deployedModels(/[^/]+)?$")


def loads(team: Team) -> list[str]:
    """Return the models that the operator asked to be loaded, in order."""
    bodies = [each.body for each in requests(team, "POST")]
    return [last(str(body["model"])) for body in bodies if isinstance(body, dict)]


def load_elsewhere(team: Team, deployment: str, name: str) -> str:
    """Load an addon as somebody else of the account does; return its name."""
    status, answer = team.ask(
        f"/v1/accounts/{team.account}/deployedModels", {"model": model(team, name), "deployment": deployment}
    )
    assert status == 200, answer
    return str(answer["name"])


def states(team: Team, resource: str = "chat") -> dict[str, str | None]:
    return {last(each["model"]): each.get("state") for each in team.status(resource).get("addons", [])}


def until_loaded(team: Team, *names: str, resource: str = "chat", within: float = 120) -> Raw:
    """Let time pass until exactly these addons are loaded and status says so; return the resource."""
    if names:
        loaded = f"{len(names)} loaded"
        team.until(resource, "AddonsReady", "True", "AddonsLoaded", says=loaded, within=within)
    return team.eventually(
        lambda: team.get(resource) if states(team, resource) == dict.fromkeys(names, "DEPLOYED") else None,
        f"{', '.join(names) or 'nothing'} is loaded",
        within=within,
    )


def outcome(resource: Raw) -> tuple[str, ...]:
    return tuple(holds(resource, kind) for kind in ("Ready", "Reconciling", "Stalled"))


def until_failed(team: Team, *says: str) -> Raw:
    """Let time pass until AddonsReady says what is wrong; the base model serves all the same."""
    for each in says:
        team.until("chat", "AddonsReady", "False", "AddonFailed", says=each)
    found = team.get()
    assert holds(found, "Available") == "True"
    return found


def assert_at_rest(team: Team, *resources: str, seconds: float = 40.0, told: tuple[str, ...] = AT_REST) -> None:
    """Assert that all is at rest: Ready, or what else is told, and no write anywhere for a while."""
    names = resources or ("chat",)
    team.wait(10)
    seen, writes = team.seen(), team.stage.server.writes
    team.wait(seconds)
    assert team.writes(since=seen) == [], team.explain()
    assert team.stage.server.writes == writes
    assert [outcome(team.get(each)) for each in names] == [told] * len(names)
