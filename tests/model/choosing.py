"""Routers, and hardware that is not to be had: what chance alone would rarely bring about."""

from fireworks_operator.api.v1alpha1 import ANNOTATION_ABANDON
from testkit.promises.specs import EDITS, H100, H200, OTHER_MODEL, new_spec
from tests.model.choices import YES_OR_NO, Count, OneOf, event
from tests.model.scene import A_REF, AFTERWARDS, Scene

_ROUTERS = OneOf({"id": "chat"}, {"id": "talk"})
_FALLBACKS = OneOf(*(each for each in EDITS["fallbacks"] if each is not None))
_STEPS = (0.0, 1.0, 3.0, 5.0, 31.0, 62.0, 62.0, 62.0, 310.0)
"""Seconds between the polls in which a router comes about, or a fallback is tried."""
_CHANGES: dict[str, tuple[str, object]] = {
    "another id": ("router", {"id": "talk"}),
    "no router": ("router", None),
    "observed": ("managementPolicy", "Observe"),
    "kept": ("deletionPolicy", "Retain"),
    "paused": ("paused", True),
    "parked": ("expiresAfter", "1m"),
    "other hardware": ("acceleratorType", H200),
    "another model": ("baseModel", OTHER_MODEL),
    "no fallbacks": ("fallbacks", None),
    "other fallbacks": ("fallbacks", [{"acceleratorCount": 2}]),
    "unlisted": ("acceleratorType", None),
}


class Choosing(Scene):
    """`spec.router` and `spec.fallbacks`."""

    @event(
        ref=A_REF,
        router=_ROUTERS,
        policy=OneOf(None, {"type": "BlueGreen", "drain": "1m"}, {"type": "Recreate"}),
        polls=Count(0, len(_STEPS)),
        late=YES_OR_NO,
        meanwhile=OneOf(
            *("nothing", "another id", "no router", "observed", "kept", "paused", "parked"),
            *("other hardware", "another model", "deleted", "abandoned", "killed", "status lost"),
        ),
        then=AFTERWARDS,
    )
    def a_router_is_asked_for(
        self, ref: str, router: object, policy: object, polls: int, late: bool, meanwhile: str, then: str
    ) -> None:
        """Perhaps one that another resource has already; perhaps its creation is not answered."""
        self._exists(ref)
        self._edit(ref, "replacePolicy", policy)
        self._edit(ref, "router", router)
        if late:
            self.world.fireworks.hang("POST", late=True, path="/routers")
        self._live(*_STEPS[:polls])
        self._happens_to(ref, meanwhile)
        self._then(then)
        self._live(*_STEPS[polls:])

    @event(
        ref=A_REF,
        lacks=OneOf("stock", "quota"),
        fallbacks=_FALLBACKS,
        polls=Count(0, len(_STEPS)),
        meanwhile=OneOf(
            *("nothing", "there is some", "no fallbacks", "other fallbacks", "unlisted", "paused", "parked"),
            *("other hardware", "another model", "deleted", "abandoned", "killed", "status lost"),
        ),
        then=AFTERWARDS,
    )
    def gpus_are_not_to_be_had(
        self, ref: str, lacks: str, fallbacks: object, polls: int, meanwhile: str, then: str
    ) -> None:
        """The next of the fallbacks is tried, and on the way something else happens."""
        world = self.world
        if ref in world.server.objects:
            return
        world.heal()
        if lacks == "stock":
            world.fireworks.simulator.stage(outcome="stockout", accelerator=H100)
        else:
            world.fireworks.simulator.quota("global--h100-count", 0)
        changes = [("fallbacks", fallbacks), ("fallbackAfter", "1m"), ("minReplicaCount", 1)]
        world.server.create(ref, new_spec(ref.split("/")[0], changes))
        self._live(*_STEPS[:polls])
        if meanwhile == "there is some":
            world.heal()
        else:
            self._happens_to(ref, meanwhile)
        self._then(then)
        self._live(*_STEPS[polls:])

    def _exists(self, ref: str) -> None:
        """Have a resource that serves, if there is none of that name."""
        if ref not in self.world.server.objects:
            self.world.heal()
            self.world.server.create(ref, new_spec(ref.split("/")[0], []))
            self._live(0.0, 3.0, 62.0)

    def _happens_to(self, ref: str, what: str) -> None:
        server = self.world.server
        if ref not in server.objects:
            return
        if what in _CHANGES:
            self._edit(ref, *_CHANGES[what])
        elif what == "killed":
            self.world.restart()
        elif what == "status lost" and "deletionTimestamp" not in server.objects[ref]["metadata"]:
            self._lose_status(ref, new_uid=False)
        elif what in ("deleted", "abandoned"):
            if what == "abandoned":
                server.annotate(ref, ANNOTATION_ABANDON, "true")
            server.delete(ref)
