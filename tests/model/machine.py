"""The state machine: what can happen, in any order."""

from hypothesis.stateful import initialize, invariant

from fireworks_operator.api.v1alpha1 import (
    ANNOTATION_ABANDON,
    ANNOTATION_IGNORE_CHECKS,
    ANNOTATION_RECONCILE_AT,
)
from testkit.promises.invariants import holds
from testkit.promises.outcome import check_settled
from testkit.promises.specs import new_spec
from testkit.virtual.conduct import BYSTANDER, REFS
from testkit.virtual.process import Process
from tests.model.choices import YES_OR_NO, AnEdit, Count, Edits, OneOf, event
from tests.model.choosing import Choosing
from tests.model.history import History
from tests.model.people import People
from tests.model.replacing import Replacing
from tests.model.scene import A_REF, AFTERWARDS
from tests.model.strangers import Strangers
from tests.model.troubles import Troubles


class Machine(Troubles, People, Strangers, History, Replacing, Choosing):
    """Users, the console, Fireworks' troubles, time and the operator's death, interleaved."""

    def teardown(self) -> None:
        try:
            check_settled(self.world)
        finally:
            self.world.close()

    def begin_anew(self) -> None:
        """Have people clear up what only they can, so that a history that goes on for long stays a lively one."""
        world, server = self.world, self.world.server
        for ref, raw in tuple(server.objects.items()):
            if ref != BYSTANDER and not holds(raw["status"], "Ready"):
                server.annotate(ref, ANNOTATION_ABANDON, "true")
                server.delete(ref)
        if world.neighbour is not None:
            world.neighbour.delete_all()
            world.neighbour.live()
        self._live(1.0, 3.0)
        world.clear_up()

    # Users

    @initialize(ref=A_REF.strategy(), changes=Edits(0, 3).strategy(), serves=YES_OR_NO.strategy())
    def there_is_a_resource(self, ref: str, changes: list[tuple[str, object]], serves: bool) -> None:
        self.world.add_bystander()
        self.world.server.create(ref, new_spec(ref.split("/")[0], changes))
        if serves:
            for seconds in (0.0, 3.0, 62.0):
                self.world.advance(seconds)
                self.world.poll()

    @event(ref=A_REF, changes=Edits(0, 3), then=AFTERWARDS)
    def a_user_creates(self, ref: str, changes: list[tuple[str, object]], then: str) -> None:
        if ref not in self.world.server.objects:
            self.world.server.create(ref, new_spec(ref.split("/")[0], changes))
            self._then(then)

    @event(which=Count(0, 2), changes=Edits(1, 2), then=AFTERWARDS)
    def a_user_edits(self, which: int, changes: list[tuple[str, object]], then: str) -> None:
        ref = self._resource(which)
        for name, value in changes:
            self._edit(ref, name, value)
        self._then(then)

    @event(which=Count(0, 2), changes=Edits(0, 2), renewed=OneOf(True, False, None), then=AFTERWARDS)
    def a_lifetime_ends(self, which: int, changes: list[tuple[str, object]], renewed: bool | None, then: str) -> None:
        """It is parked, perhaps changed meanwhile, and perhaps renewed, or expires just as the operator looks away."""
        ref = self._resource(which)
        self._edit(ref, "expiresAfter", "1m")
        if renewed is None:
            return self._then(then)
        self._live(62.0, 3.0, 31.0)
        for name, value in changes:
            self._edit(ref, name, value)
        self._then(then)
        if renewed:
            self._edit(ref, "expiresAfter", None)
            self._then(then)
        return None

    @event(which=Count(0, 2), then=AFTERWARDS)
    def a_user_deletes(self, which: int, then: str) -> None:
        ref = self._resource(which)
        if ref in self.world.server.objects:
            self.world.server.delete(ref)
            self._then(then)

    @event(
        which=Count(0, 2),
        annotation=OneOf(
            ANNOTATION_ABANDON, ANNOTATION_IGNORE_CHECKS, ANNOTATION_RECONCILE_AT, ANNOTATION_RECONCILE_AT
        ),
        value=OneOf("true", "true", "yes", None),
        then=AFTERWARDS,
    )
    def a_user_annotates(self, which: int, annotation: str, value: str | None, then: str) -> None:
        ref = self._resource(which)
        if ref in self.world.server.objects:
            self.world.server.annotate(ref, annotation, value)
            self._then(then)

    @event(which=Count(0, 2), new_uid=YES_OR_NO, then=AFTERWARDS)
    def a_backup_is_restored(self, which: int, new_uid: bool, then: str) -> None:
        ref = self._resource(which)
        if ref in self.world.server.objects:
            self._restore(ref, new_uid=new_uid)
            self._then(then)

    def _restore(self, ref: str, *, new_uid: bool) -> None:
        if "deletionTimestamp" not in self.world.server.objects[ref]["metadata"]:
            self._lose_status(ref, new_uid=new_uid)

    @event(what=OneOf("removed", "exchanged", "restored", "restored"), then=AFTERWARDS)
    def the_secret_changes(self, what: str, then: str) -> None:
        world = self.world
        {"removed": world.remove_secret, "exchanged": world.exchange_secret, "restored": world.restore_secret}[what]()
        self._then(then)

    # Stories that chance alone would rarely tell

    @event(
        answer=OneOf("late", "late", "never", "drop_after_commit", "drop_before_commit", "truncate_body"),
        next_answer=OneOf(None, None, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "UNAVAILABLE"),
        then=OneOf("deletes", "deletes", "renames", "renames", "restores", "kills", "waits"),
        rounds=Count(1, 3),
        seconds=OneOf(1.0, 16.0, 50.0, 62.0),
    )
    def a_create_is_not_answered(
        self, answer: str, next_answer: str | None, then: str, rounds: int, seconds: float
    ) -> None:
        """What was asked for may come into being long after somebody has changed their mind."""
        world = self.world
        ref = next((each for each in REFS if each not in world.server.objects), None)
        if ref is None:
            return
        world.heal()
        if answer in ("late", "never"):
            world.fireworks.hang("POST", late=answer == "late")
        else:
            world.fireworks.fault(answer, method="POST")
        if next_answer is not None:
            world.fireworks.fault("status", method="POST", code=next_answer)
        world.server.create(ref, new_spec(ref.split("/")[0], []))
        for _ in range(rounds):
            self._then("wait")
        self._change_mind(ref, then)
        for pause in (1.0, 3.0, seconds):
            world.advance(pause)
            world.poll()

    def _change_mind(self, ref: str, then: str) -> None:
        if ref not in self.world.server.objects:
            return
        if then == "deletes":
            self.world.server.delete(ref)
        elif then == "renames":
            self._edit(ref, "deploymentId", "renamed")
        elif then == "restores":
            self._restore(ref, new_uid=False)
        elif then == "kills":
            self.world.restart()

    # The operator

    @event()
    def the_operator_works(self) -> None:
        self.world.work()

    @event()
    def the_operator_polls(self) -> None:
        self.world.poll()

    @event(which=Count(0, 2))
    def a_pass_is_made(self, which: int) -> None:
        ref = self._resource(which)

        async def look(process: Process) -> None:
            process.queue.add(ref)
            await process.work()

        self.world.run(look)

    @event(most=Count(1, 3))
    def the_watch_is_slow(self, most: int) -> None:
        async def hear(process: Process) -> None:
            process.watch(most)
            await process.work()

        self.world.run(hear)

    @event()
    def all_resources_are_listed(self) -> None:
        async def sweep(process: Process) -> None:
            process.sweep()
            await process.work()

        self.world.run(sweep)

    @event(crossings=Count(1, 14), which=Count(0, 2), edit=AnEdit(), how=OneOf("work", "poll"))
    def the_operator_is_killed(self, crossings: int, which: int, edit: tuple[str, object], how: str) -> None:
        self._edit(self._resource(which), *edit)
        self.world.process.gate.plan(crossings, None)
        self._then(how)

    @event(crossings=Count(1, 20), seconds=OneOf(0.0, 3.0, 65.0), deletes=YES_OR_NO)
    def the_operator_is_killed_on_its_way(self, crossings: int, seconds: float, deletes: bool) -> None:
        if deletes and self._resource(0) in self.world.server.objects:
            self.world.server.delete(self._resource(0))
        self.world.process.gate.plan(crossings, None)
        for _ in range(3):
            self.world.advance(seconds, armed=True)
            self.world.poll(armed=True)
        self.world.process.gate.disarm()

    @event(
        crossings=Count(1, 14),
        which=Count(0, 2),
        changes=Edits(2, 2),
        how=OneOf("work", "poll"),
    )
    def a_user_edits_during_a_pass(
        self, crossings: int, which: int, changes: list[tuple[str, object]], how: str
    ) -> None:
        ref = self._resource(which)
        self._edit(ref, *changes[0])
        self.world.process.gate.plan(crossings, lambda: self._edit(ref, *changes[1]))
        self._then(how)

    @event(which=Count(0, 2), edit=AnEdit())
    def a_poll_is_overtaken(self, which: int, edit: tuple[str, object]) -> None:
        """The answer to a LIST arrives only after passes that changed something."""
        self._edit(self._resource(which), *edit)
        self.world.poll_overtaken()

    @event(seconds=OneOf(1.0, 4.0, 16.0, 31.0, 62.0, 65.0, 125.0, 310.0, 910.0, 3700.0), then=AFTERWARDS)
    def time_passes(self, seconds: float, then: str) -> None:
        self.world.advance(seconds)
        self._then(then)

    @invariant()
    def promises_are_kept(self) -> None:
        self.world.judge()
