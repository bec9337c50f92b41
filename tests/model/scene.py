"""What every set of events has: the world, and who may be meant."""

from hypothesis.stateful import RuleBasedStateMachine

from testkit.promises.outcome import wanted_name
from testkit.promises.specs import changed
from testkit.virtual.api_server import RefusedError
from testkit.virtual.conduct import REFS
from testkit.virtual.fireworks import Json
from testkit.virtual.loop import VirtualLoop
from testkit.virtual.simulator import MemorySimulator
from testkit.virtual.world import World
from tests.model.choices import OneOf

A_REF = OneOf(*REFS)
AFTERWARDS = OneOf("nothing", "work", "work", "poll", "poll", "wait")
"""How far the operator comes before the next thing happens."""


class Scene(RuleBasedStateMachine):
    """A world, and the words in which events are told."""

    def __init__(self, loop: VirtualLoop, simulator: MemorySimulator) -> None:
        super().__init__()
        self.world = World(loop, simulator)

    def _then(self, afterwards: str) -> None:
        if afterwards in ("work", "wait"):
            self.world.work()
        if afterwards == "wait":
            self.world.advance(5.0)
        if afterwards in ("poll", "wait"):
            self.world.poll()
            self.world.work()

    def _live(self, *pauses: float) -> None:
        """Let time go by, with a poll after each pause."""
        for seconds in pauses:
            self.world.advance(seconds)
            self.world.poll()

    def _resource(self, which: int) -> str:
        """Pick a resource that exists, if there is any."""
        there = [ref for ref in REFS if ref in self.world.server.objects] or REFS
        return there[which % len(there)]

    def _edit(self, ref: str, name: str, value: object) -> None:
        raw = self.world.server.objects.get(ref)
        if raw is None or (name == "deploymentId" and raw["metadata"]["uid"] in self.world.promises.wiped):
            return
        try:
            self.world.server.edit(ref, changed(raw["spec"], name, value))
        except RefusedError:
            return

    def _lose_status(self, ref: str, *, new_uid: bool) -> None:
        """Have a restore from backup lose the status: one deployment is found again, and any other is an orphan."""
        world = self.world
        self._orphan_all_but_one(ref)
        world.server.restore(ref, new_uid=new_uid)
        uid = world.server.objects[ref]["metadata"]["uid"]
        world.promises.wiped.add(uid)
        world.promises.forget(uid)

    def _orphan_all_but_one(self, ref: str) -> None:
        world = self.world
        owned = world.promises.owned(ref, world.fireworks.state())
        # Of a successor the id is not known any more: it is found by its marker, if a LIST shows it.
        world.promises.left |= {each["name"] for each in owned} - {wanted_name(world.server.objects[ref])}

    def _deployment(self, which: int) -> str | None:
        """Pick a deployment of the account that this cluster manages and that is not going."""
        names = [name for name in self.world.ours() if "/acme/" in name]
        return names[which % len(names)] if names else None

    def _as_it_is(self, name: str) -> Json:
        return self.world.fireworks.state().deployments.get(name, {})
