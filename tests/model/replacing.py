"""Deployments that are replaced while they serve, and what may come in between."""

from fireworks_operator.api.v1alpha1 import ANNOTATION_ABANDON
from testkit.promises.specs import H100, H200
from testkit.virtual.fireworks import ADDONS, identifier
from tests.model.choices import YES_OR_NO, Count, OneOf, event
from tests.model.scene import AFTERWARDS, Scene

_DRAINS = OneOf(None, "0s", "1m", "10m")
_HARDWARE = {H100: H200, H200: H100}
_STEPS = (0.0, 1.0, 3.0, 5.0, 15.0, 31.0, 62.0, 62.0, 310.0)
"""Seconds between the polls in which a replacement comes about, up to the deletion of a former one that drained."""


class Replacing(Scene):
    """`spec.replacePolicy: {type: BlueGreen}`."""

    @event(
        which=Count(0, 2),
        drain=_DRAINS,
        addons=YES_OR_NO,
        calm=YES_OR_NO,
        polls=Count(0, len(_STEPS)),
        meanwhile=OneOf(
            *("nothing", "put back", "put back", "changed again", "deleted", "abandoned", "paused", "killed"),
            *("no policy", "recreate", "observed", "parked", "status lost", "annotated"),
            *("first vanishes", "second vanishes", "first fails", "second fails", "first has traffic"),
        ),
        then=AFTERWARDS,
    )
    def a_deployment_is_replaced_while_it_serves(
        self, which: int, drain: str | None, addons: bool, calm: bool, polls: int, meanwhile: str, then: str
    ) -> None:
        """And half-way somebody changes their mind, or something else happens."""
        ref = self._resource(which)
        if ref not in self.world.server.objects:
            return
        if calm:
            self.world.heal()
        policy = {"type": "BlueGreen"} if drain is None else {"type": "BlueGreen", "drain": drain}
        self._edit(ref, "replacePolicy", policy)
        if addons:
            self._edit(ref, "addons", ADDONS)
        self._replace(ref)
        self._live(*_STEPS[:polls])
        self._meanwhile(ref, meanwhile)
        self._then(then)

    @event(which=Count(0, 2), then=AFTERWARDS)
    def other_hardware_is_asked_for(self, which: int, then: str) -> None:
        """Perhaps that which it had before."""
        self._replace(self._resource(which))
        self._then(then)

    @event(which=Count(0, 2), polls=Count(0, 3), crossings=Count(1, 14), then=AFTERWARDS)
    def the_operator_is_killed_while_it_replaces(self, which: int, polls: int, crossings: int, then: str) -> None:
        ref = self._resource(which)
        self._edit(ref, "replacePolicy", {"type": "BlueGreen", "drain": "1m"})
        self._replace(ref)
        self._live(*_STEPS[:polls])
        self.world.process.gate.plan(crossings, None)
        for seconds in (3.0, 62.0, 62.0):
            self.world.advance(seconds, armed=True)
            self.world.poll(armed=True)
        self.world.process.gate.disarm()
        self._then(then)

    def _replace(self, ref: str) -> None:
        raw = self.world.server.objects.get(ref)
        if raw is not None:
            self._edit(ref, "acceleratorType", _HARDWARE.get(raw["spec"].get("acceleratorType"), H100))

    def _meanwhile(self, ref: str, what: str) -> None:
        if ref not in self.world.server.objects:
            return
        edits: dict[str, tuple[str, object]] = {
            "no policy": ("replacePolicy", None),
            "recreate": ("replacePolicy", {"type": "Recreate"}),
            "observed": ("managementPolicy", "Observe"),
            "parked": ("expiresAfter", "1m"),
            "paused": ("paused", True),
            "changed again": ("precision", "BF16"),
        }
        if what in edits:
            self._edit(ref, *edits[what])
        elif what == "put back":
            self._replace(ref)
        elif what == "killed":
            self.world.restart()
        elif what == "annotated":
            self.world.server.annotate(ref, ANNOTATION_ABANDON, "true")
        elif what in ("deleted", "abandoned"):
            if what == "abandoned":
                self.world.server.annotate(ref, ANNOTATION_ABANDON, "true")
            self.world.server.delete(ref)
        elif what == "status lost":
            self._lose_status(ref, new_uid=False)
        else:
            self._happens(ref, *what.split(maxsplit=1))

    def _happens(self, ref: str, which: str, what: str = "nothing") -> None:
        """Something happens at Fireworks to one of two deployments."""
        world, status = self.world, self.world.server.objects[ref]["status"]
        place = status if which == "first" else status.get("replacement", {})
        name = place.get("deploymentName")
        if name is None or name not in world.ours() or "/acme/" not in name:
            return
        if what == "vanishes":
            world.fireworks.simulator.vanish(identifier(name), soft=False)
        elif what == "fails":
            world.fireworks.simulator.fail(identifier(name), "out of memory", "CUDA error")
        else:
            world.fireworks.simulator.traffic(identifier(name))
            return
        world.judge_later(name)
