"""A replacement by BlueGreen as its stories see it: how far it has come, and what holds at each of its moments."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from fireworks_operator.controller.measure.inventory import Inventory
from testkit.virtual.process import CLUSTER, CLUSTER_UID
from tests.virtual.team import OTHER_MODEL, Json, Team, condition, holds

H100, H200, B200 = "NVIDIA_H100_80GB", "NVIDIA_H200_141GB", "NVIDIA_B200_180GB"
DRAIN = 300.0
"""Seconds that a former deployment drains in these stories."""
BLUE_GREEN: Json = {"type": "BlueGreen", "drain": "5m"}
BY_FORCE_BLUE_GREEN: Json = {**BLUE_GREEN, "ignoreChecks": True}
HOUR = 3600.0
SOON = 150.0
"""Seconds within which a successor serves, where nothing is in its way."""
OTHER_FIELDS: dict[str, Json] = {
    "accelerator": {"acceleratorType": H200},
    "model": {"baseModel": OTHER_MODEL},
    "placement": {"placement": {"multiRegion": "EUROPE"}},
    "preemptible": {"preemptible": True},
}
"""What Fireworks cannot change, each as a change of the spec."""

Phase = Callable[[Json], bool]
"""Tells by `status.replacement` whether a replacement has come so far."""


def _preparing(state: str | None, *, claimed: bool = True) -> Phase:
    def look(replacement: Json) -> bool:
        named = "deploymentName" in replacement
        return replacement["phase"] == "Preparing" and named == claimed and replacement.get("state") == state

    return look


def _draining(state: str) -> Phase:
    return lambda replacement: replacement["phase"] == "Draining" and replacement.get("state") == state


BEFORE: dict[str, Phase] = {
    "begun": _preparing(None, claimed=False),
    "claimed": _preparing(None),
    "creating": _preparing("CREATING"),
    "loading": _preparing("READY"),
}
"""The phases before the switch; in `loading` the successor has yet to load its addons."""
DRAINS = _draining("READY")
PHASES: dict[str, Phase] = {**BEFORE, "draining": DRAINS, "deleting": _draining("DELETING")}
"""All phases, in the order in which they come."""


def discarding(replacement: Json) -> bool:
    """Tell whether a successor is being discarded."""
    return bool(replacement["phase"] == "Discarding")


@dataclass(slots=True)
class Witness:
    """Looks at Fireworks and at the status after each jump of the clock, and asserts what holds at any moment.

    Attributes:
        team: whose resource it is.
        name: of the resource.
        stalls: reasons that Stalled may have, since the story brings them about.
        serves: whether one deployment has to serve; a story that takes it away says no.
        orphans: whether there may be orphans, since the status was lost.
    """

    team: Team
    name: str = "chat"
    stalls: set[str] = field(default_factory=set)
    serves: bool = True
    orphans: bool = False
    most: int = 0
    _told: int = 0

    def look(self) -> None:
        """Assert what holds at any moment."""
        found = existing(self.team, self.name)
        self.most = max(self.most, len(found))
        assert len(found) <= 2, f"never three: {self._explain(found)}"
        resource = self.team.stage.server.objects.get(self.team.ref(self.name))
        if self.team.stage.operator is not None and not self.orphans and resource is not None:
            assert orphans(self.team) == (), self._explain(found)
        for each in self._versions():
            self._judge(each, found)
        if self.serves and resource is not None and "deletionTimestamp" not in resource["metadata"]:
            named = found.get(resource["status"].get("deploymentName", ""), {})
            assert is_serving(named), f"the deployment of the status always serves: {self._explain(found)}"

    def _versions(self) -> Iterator[Json]:
        since, self._told = self._told, self.team.told()
        yield from self.team.versions(self.name, since)

    def _judge(self, version: Json, found: dict[str, Json]) -> None:
        """Judge one version of the resource."""
        stalled = condition(version, "Stalled")
        assert not (holds(version, "Stalled") == "True" == holds(version, "Reconciling")), version
        if not self.serves or "deletionTimestamp" in version["metadata"] or version["status"].get("conditions") is None:
            return
        assert holds(version, "Available") == "True", self._explain(found)
        may_stall = stalled["status"] == "False" or stalled["reason"] in self.stalls
        assert may_stall, f"Stalled, although one serves: {stalled}"

    def _explain(self, found: dict[str, Json]) -> str:
        states = {name: (each["state"], each.get("replicaStats")) for name, each in found.items()}
        return f"{states}\n{self.team.explain(self.name)}"


def serve(team: Team, name: str = "chat", /, **spec: object) -> Witness:
    """Have a deployment serve that may be replaced, and somebody look from then on."""
    team.create(name, spec={"replacePolicy": BLUE_GREEN, **spec})
    team.until_ready(name)
    return watch(team, name)


def watch(team: Team, name: str = "chat") -> Witness:
    """Have somebody look from now on."""
    witness = Witness(team, name, _told=team.told())
    team.stage.onlookers.append(witness.look)
    return witness


def existing(team: Team, name: str = "chat") -> dict[str, Json]:
    """Return the deployments that were made for a resource and are not deleted, nor of no use, by full name."""
    of_all: list[Json] = [dict(each) for each in team.simulator.deployments() if each["state"] != "DELETED"]
    return {each["name"]: each for each in of_all if each.get("annotations", {}).get("custom/name") == name}


def is_serving(deployment: Json) -> bool:
    """Tell whether a deployment answers requests."""
    ready = deployment.get("replicaStats", {}).get("readyReplicaCount", 0)
    return deployment.get("state") in ("READY", "UPDATING") and ready > 0


def orphans(team: Team) -> tuple[str, ...]:
    """Return what the metric of orphans counts in the team's account."""
    operator = team.stage.operator
    assert operator is not None
    inventory = Inventory(operator.store, operator.accounts, (CLUSTER,), lambda namespace: True, CLUSTER_UID)
    found = inventory.holdings().get(team.account)
    return () if found is None else found.orphans


def replacement(team: Team, name: str = "chat") -> Json:
    """Return `status.replacement`, empty if there is none."""
    return dict(team.status(name).get("replacement", {}))


def successor(team: Team, name: str = "chat") -> str:
    """Return the full name of the second deployment."""
    return str(replacement(team, name)["deploymentName"])


def short(name: str) -> str:
    """Return the id at the end of a full name."""
    return name.rsplit("/", 1)[-1]


def reach(team: Team, phase: Phase, name: str = "chat", *, within: float = SOON + DRAIN) -> Json:
    """Wait until a replacement has come so far, and return `status.replacement`."""

    def look() -> Json | None:
        found = replacement(team, name)
        return found if found and phase(found) else None

    return team.eventually(look, "the replacement has come so far", name=name, within=within)


def during(
    team: Team, phase: Phase, act: Callable[[], None], name: str = "chat", *, within: float = SOON + DRAIN
) -> None:
    """Do something in the very moment in which the status says that a replacement has come so far.

    Nothing that the operator does afterwards has happened by then, not even in the same instant.
    """
    server, done = team.stage.server, False
    tell = server.watched

    def look() -> None:
        nonlocal done
        tell()
        found = server.objects.get(team.ref(name), {"status": {}})["status"].get("replacement")
        if found and phase(found) and not done:
            done = True
            team.stage.loop.call_soon(act)

    server.watched = look
    team.eventually(lambda: done, "the replacement comes so far", name=name, within=within)
    if team.stage.operator is not None and server.watched is look:
        server.watched = tell


def until_alone(team: Team, name: str = "chat", *, within: float = HOUR) -> Json:
    """Wait until a resource is Ready with one deployment, assert that no other is left, and return the resource."""

    def look() -> bool:
        resource = team.get(name)
        current = resource["status"].get("observedGeneration") == resource["metadata"]["generation"]
        return current and holds(resource, "Ready") == "True" and "replacement" not in resource["status"]

    team.eventually(look, "one deployment is left, and Ready", name=name, within=within)
    assert_alone(team, name)
    return team.get(name)


def assert_alone(team: Team, name: str = "chat") -> None:
    """Assert that the deployment of the status is the only one, and that it is what the spec asks for."""
    resource, found = team.get(name), existing(team, name)
    assert list(found) == [resource["status"]["deploymentName"]], team.explain(name)
    (deployment,) = found.values()
    for each in ("baseModel", "acceleratorType"):
        assert deployment[each] == resource["spec"][each]
    team.assert_at_rest(name)


def told_once(team: Team, since: int = 0, name: str = "chat", *, reasons: Collection[str] = ()) -> None:
    """Assert that no event was recorded twice."""
    said = Counter((each.reason, each.message) for each in team.events(name)[since:])
    repeated = {key: count for key, count in said.items() if count > 1 and (not reasons or key[0] in reasons)}
    assert not repeated, repeated
