"""What comes back from the past, and what is wrong about the time: backups, clocks, the Lease; and another cluster."""

from typing import Any

from testkit.promises.specs import UNOWNED, named, new_spec
from testkit.virtual.api_server import Raw
from testkit.virtual.conduct import REFS
from testkit.virtual.copying import copied
from testkit.virtual.neighbour import OTHER_ID, SAME_ID, Neighbour
from testkit.virtual.process import Process
from tests.model.choices import YES_OR_NO, AnEdit, Count, OneOf, event
from tests.model.scene import A_REF, AFTERWARDS, Scene

_DAY = 86_400.0


class History(Scene):
    """Restores, clocks, leases, clusters."""

    backup: tuple[dict[str, Raw], int] | None = None

    def _wiped(self, raw: Raw) -> None:
        uid = raw["metadata"]["uid"]
        self.world.promises.wiped.add(uid)
        self.world.promises.forget(uid)

    # Backups

    @event(which=Count(0, 2), of=Count(0, 3), age=Count(0, 19), then=AFTERWARDS)
    def an_old_status_is_restored(self, which: int, of: int, age: int, then: str) -> None:
        """Of another day, or of another resource, as where namespaces are mapped."""
        world = self.world
        ref = self._resource(which)
        past = world.promises.past[(*REFS, ref)[of]]
        if ref not in world.server.objects or not past:
            return
        if "deletionTimestamp" in world.server.objects[ref]["metadata"]:
            return
        status = past[age % len(past)]
        owned = {each["name"] for each in world.promises.owned(ref, world.fireworks.state())}
        world.promises.left |= owned - named(status)  # counted as orphaned
        world.overwrite_status(ref, status)
        self._wiped(world.server.objects[ref])
        self._then(then)

    @event(
        which=Count(0, 2),
        trouble=OneOf("no Secret", "no answer", "nothing"),
        lost=YES_OR_NO,
        then=AFTERWARDS,
    )
    def a_namespace_is_deleted(self, which: int, trouble: str, lost: bool, then: str) -> None:
        """Secrets go before resources; perhaps the status was lost before, as in a restore that is undone."""
        world = self.world
        ref = self._resource(which)
        if ref not in world.server.objects:
            return
        if lost and "deletionTimestamp" not in world.server.objects[ref]["metadata"]:
            self._orphan_all_but_one(ref)
            world.overwrite_status(ref, {"observedGeneration": -1})
            self._wiped(world.server.objects[ref])
            world.restart()
        if trouble == "no Secret":
            world.remove_secret()
        elif trouble == "no answer":
            world.fireworks.fault("status", method="GET", times=6, code="UNAVAILABLE")
            self._then("poll")
        world.server.delete(ref)
        self._then(then)

    @event()
    def etcd_is_backed_up(self) -> None:
        """Someone may need it."""
        self.backup = self.world.server.backed_up()

    @event(edit=AnEdit(), which=Count(0, 2), then=AFTERWARDS)
    def etcd_is_restored(self, edit: tuple[str, object], which: int, then: str) -> None:
        """All is as it was then, versions, too; the operator lists anew and users go on."""
        if self.backup is None:
            return
        world = self.world
        world.judge()
        there = {each["metadata"]["uid"] for each in self.backup[0].values()}
        for ref, raw in world.server.objects.items():
            if raw["metadata"]["uid"] not in there:  # nobody remembers it
                names = {each["name"] for each in world.promises.owned(ref, world.fireworks.state())}
                world.promises.left |= names | named(raw["status"])
        world.server.roll_back(copied(self.backup))
        for ref, raw in world.server.objects.items():
            self._wiped(raw)
            world.promises.left |= {
                each["name"]
                for each in world.promises.owned(ref, world.fireworks.state())
                if each["name"] not in named(raw["status"])
            }
        world.promises.routers.forget_gone(world.server.objects)
        world.objects_before = {}

        async def sweep(process: Process) -> None:
            process.rewind()
            await process.work()

        world.run(sweep)
        self._edit(self._resource(which), *edit)
        self._then(then)

    # Time

    @event(seconds=OneOf(-_DAY, -3600.0, 3600.0, _DAY), there=Count(0, 3), then=AFTERWARDS)
    def the_clock_is_wrong(self, seconds: float, there: int, then: str) -> None:
        """For a while, on the operator's node."""
        self.world.clock_off = seconds
        self._live(*(20.0 for _ in range(there)))
        self._then(then)

    @event(then=AFTERWARDS)
    def the_clock_is_set_right(self, then: str) -> None:
        """And everything that began in the future begins now."""
        self.world.clock_off = 0.0
        self._then(then)

    @event(writes=Count(1, 6), left=OneOf(-4.0, 0.0, 5.0, 8.5), edit=AnEdit(), which=Count(0, 2))
    def the_lease_runs_out_at_a_write(self, writes: int, left: float, edit: tuple[str, object], which: int) -> None:
        """To Kubernetes, which took long; what was to come after it must not."""
        world = self.world
        self._edit(self._resource(which), *edit)
        world.server.plan(writes, lambda: world.lease.runs_out(left))
        self._live(0.0, 1.0, 62.0)
        world.server.calm()
        world.lease.renewed()

    @event(crossings=Count(1, 16), left=OneOf(-4.0, 0.0, 5.0, 8.5), edit=AnEdit(), which=Count(0, 2))
    def the_lease_runs_out(self, crossings: int, left: float, edit: tuple[str, object], which: int) -> None:
        """At any moment of a pass; from then on nothing may be begun that may take longer."""
        world = self.world
        self._edit(self._resource(which), *edit)
        world.process.gate.plan(crossings, lambda: world.lease.runs_out(left))
        for seconds in (0.0, 1.0):
            world.advance(seconds, armed=True)
            world.poll(armed=True)
        world.process.gate.disarm()
        world.lease.renewed()

    # Another cluster

    def _neighbour(self, same: bool) -> Neighbour:
        return self.world.add_neighbour(cluster=SAME_ID if same else OTHER_ID, uid="kube-system/another")

    @event(same=YES_OR_NO, ref=A_REF, adopts=YES_OR_NO, then=AFTERWARDS)
    def the_neighbour_wishes(self, same: bool, ref: str, adopts: bool, then: str) -> None:
        """Another cluster with a key of the account, perhaps with the same id, wants something, perhaps the same."""
        changes: list[tuple[str, Any]] = [("deploymentId", UNOWNED), ("adoptionPolicy", "Unowned")] if adopts else []
        neighbour = self._neighbour(same)
        neighbour.wish(ref, new_spec(ref.split("/")[0], changes))
        neighbour.live()
        self._then(then)

    @event(ref=A_REF, then=AFTERWARDS)
    def the_neighbour_deletes(self, ref: str, then: str) -> None:
        """What was its own goes, and nothing else."""
        if self.world.neighbour is not None:
            self.world.neighbour.delete(ref)
            self.world.neighbour.live()
            self._then(then)

    @event(same=YES_OR_NO, which=Count(0, 2), ours_goes=YES_OR_NO)
    def both_want_the_same(self, same: bool, which: int, ours_goes: bool) -> None:
        """Each adopts what belongs to nobody, between two LISTs of the other; then one of them goes."""
        world, ref = self.world, REFS[which]
        if ref in world.server.objects:
            return
        self._live(1.0)
        changes: list[tuple[str, Any]] = [("deploymentId", UNOWNED), ("adoptionPolicy", "Unowned")]
        neighbour = self._neighbour(same)
        neighbour.live()
        neighbour.wish(ref, new_spec(ref.split("/")[0], changes))
        neighbour.live()
        world.judge()
        world.server.create(ref, new_spec(ref.split("/")[0], changes))
        self._then("work")
        self._live(3.0)
        if ours_goes and ref in world.server.objects:
            world.server.delete(ref)
            self._live(3.0)
        else:
            neighbour.delete(ref)
            neighbour.live()
