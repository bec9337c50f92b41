"""The state machine: what can happen, in any order."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fireworks_operator.api.v1alpha1 import (
    ANNOTATION_ABANDON,
    ANNOTATION_IGNORE_CHECKS,
    ANNOTATION_RECONCILE_AT,
)
from fireworks_simulator.testing import SimulatorClient
from model.api_server import RefusedError
from model.conduct import KEYS
from model.fireworks import identifier
from model.outcome import check_settled
from model.process import Process
from model.specs import changed, edits, new_spec
from model.virtual_loop import VirtualLoop
from model.world import World

keys = st.sampled_from(KEYS)
afterwards = st.sampled_from(("nothing", "work", "work", "poll", "poll", "wait"))
"""How far the operator comes before the next thing happens."""
methods = st.sampled_from(("GET", "POST", "POST", "PATCH", "DELETE"))
_REFUSALS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "code": "UNAVAILABLE"},
    {"kind": "status", "code": "INTERNAL"},
    {"kind": "status", "code": "UNAUTHENTICATED"},
    {"kind": "status", "code": "PERMISSION_DENIED"},
    {"kind": "status", "code": "INVALID_ARGUMENT"},
    {"kind": "status", "code": "NOT_FOUND"},
    {"kind": "rate_limit"},
    {"kind": "rate_limit", "retryAfter": 20},
    {"kind": "drop_before_commit"},
    {"kind": "drop_after_commit"},
    {"kind": "drop_after_commit"},
    {"kind": "truncate_body"},
    {"kind": "wrong_json"},
    {"kind": "html_404"},
    {"kind": "plain_404"},
    {"kind": "html_502"},
    {"kind": "ignore_patch"},
)
_CONSOLE: tuple[dict[str, Any], ...] = (
    {"displayName": "Somebody's"},
    {"minReplicaCount": 1, "maxReplicaCount": 2},
    {"precision": "BF16"},
    {"autoscalingPolicy": {"scaleUpWindow": "45s"}},
    {"annotations": {}},
    {"annotations": {"custom/team": "x"}},
)


class Machine(RuleBasedStateMachine):
    """Users, the console, Fireworks' troubles, time and the operator's death, interleaved."""

    def __init__(self, loop: VirtualLoop, simulator: SimulatorClient) -> None:
        super().__init__()
        self.world = World(loop, simulator)

    def teardown(self) -> None:
        try:
            check_settled(self.world)
        finally:
            self.world.close()

    def _then(self, afterwards: str) -> None:
        if afterwards in ("work", "wait"):
            self.world.work()
        if afterwards == "wait":
            self.world.advance(5.0)
        if afterwards in ("poll", "wait"):
            self.world.poll()
            self.world.work()

    # Users

    @initialize(key=keys, changes=st.lists(edits, max_size=3), serves=st.booleans())
    def there_is_a_resource(self, key: str, changes: list[tuple[str, object]], serves: bool) -> None:
        self.world.server.create(key, new_spec(key.split("/")[0], changes))
        if serves:
            for seconds in (0.0, 3.0, 62.0):
                self.world.advance(seconds)
                self.world.poll()

    @rule(key=keys, changes=st.lists(edits, max_size=3), then=afterwards)
    def a_user_creates(self, key: str, changes: list[tuple[str, object]], then: str) -> None:
        if key not in self.world.server.objects:
            self.world.server.create(key, new_spec(key.split("/")[0], changes))
            self._then(then)

    @rule(which=st.integers(0, 2), changes=st.lists(edits, min_size=1, max_size=2), then=afterwards)
    def a_user_edits(self, which: int, changes: list[tuple[str, object]], then: str) -> None:
        key = self._resource(which)
        for name, value in changes:
            self._edit(key, name, value)
        self._then(then)

    def _resource(self, which: int) -> str:
        """Pick a resource that exists, if there is any."""
        there = sorted(self.world.server.objects) or KEYS
        return there[which % len(there)]

    def _edit(self, key: str, name: str, value: object) -> None:
        raw = self.world.server.objects.get(key)
        if raw is None or (name == "deploymentId" and raw["metadata"]["uid"] in self.world.promises.wiped):
            return
        try:
            self.world.server.edit(key, changed(raw["spec"], name, value))
        except RefusedError:
            return

    @rule(which=st.integers(0, 2), then=afterwards)
    def a_user_deletes(self, which: int, then: str) -> None:
        key = self._resource(which)
        if key in self.world.server.objects:
            self.world.server.delete(key)
            self._then(then)

    @rule(
        which=st.integers(0, 2),
        annotation=st.sampled_from(
            (ANNOTATION_ABANDON, ANNOTATION_IGNORE_CHECKS, ANNOTATION_RECONCILE_AT, ANNOTATION_RECONCILE_AT)
        ),
        value=st.sampled_from(("true", "true", "yes", None)),
        then=afterwards,
    )
    def a_user_annotates(self, which: int, annotation: str, value: str | None, then: str) -> None:
        key = self._resource(which)
        if key in self.world.server.objects:
            self.world.server.annotate(key, annotation, value)
            self._then(then)

    @rule(which=st.integers(0, 2), new_uid=st.booleans(), then=afterwards)
    def a_backup_is_restored(self, which: int, new_uid: bool, then: str) -> None:
        key = self._resource(which)
        if key in self.world.server.objects:
            self._restore(key, new_uid=new_uid)
            self._then(then)

    def _restore(self, key: str, *, new_uid: bool) -> None:
        if "deletionTimestamp" not in self.world.server.objects[key]["metadata"]:
            self.world.server.restore(key, new_uid=new_uid)
            uid = self.world.server.objects[key]["metadata"]["uid"]
            self.world.promises.wiped.add(uid)
            self.world.promises.forget(uid)

    @rule(what=st.sampled_from(("removed", "exchanged", "restored", "restored")), then=afterwards)
    def the_secret_changes(self, what: str, then: str) -> None:
        world = self.world
        {"removed": world.remove_secret, "exchanged": world.exchange_secret, "restored": world.restore_secret}[what]()
        self._then(then)

    # Others at Fireworks

    @rule(which=st.integers(0, 9), fields=st.sampled_from(_CONSOLE), then=afterwards)
    def somebody_edits_in_the_console(self, which: int, fields: dict[str, Any], then: str) -> None:
        name = self._deployment(which)
        if name is not None:
            clear = [key for key, value in fields.items() if value == {}]
            self.world.fireworks.simulator.edit(
                identifier(name), {key: value for key, value in fields.items() if value != {}}, clear=clear
            )
            self.world.judge_later(name)
            self._then(then)

    @rule(which=st.integers(0, 9), soft=st.booleans(), then=afterwards)
    def somebody_deletes_behind_our_back(self, which: int, soft: bool, then: str) -> None:
        name = self._deployment(which)
        if name is not None:
            self.world.fireworks.simulator.vanish(identifier(name), soft=soft)
            self.world.judge_later(name)
            self._then(then)

    @rule(which=st.integers(0, 9), then=afterwards)
    def a_deployment_fails(self, which: int, then: str) -> None:
        name = self._deployment(which)
        if name is not None:
            self.world.fireworks.simulator.fail(identifier(name), "out of memory", "CUDA error")
            self.world.judge_later(name)
            self._then(then)

    @rule(which=st.integers(0, 9))
    def a_deployment_has_traffic(self, which: int) -> None:
        name = self._deployment(which)
        if name is not None:
            self.world.fireworks.simulator.traffic(identifier(name))

    def _deployment(self, which: int) -> str | None:
        """Pick a deployment of the account that this cluster manages and that is not going."""
        names = [name for name in self.world.ours() if "/acme/" in name]
        return names[which % len(names)] if names else None

    # Stories that chance alone would rarely tell

    @rule(
        answer=st.sampled_from(("late", "late", "never", "drop_after_commit", "drop_before_commit", "truncate_body")),
        next_answer=st.sampled_from((None, None, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "UNAVAILABLE")),
        then=st.sampled_from(("deletes", "deletes", "renames", "renames", "restores", "kills", "waits")),
        rounds=st.integers(1, 3),
        seconds=st.sampled_from((1.0, 16.0, 50.0, 62.0)),
    )
    def a_create_is_not_answered(
        self, answer: str, next_answer: str | None, then: str, rounds: int, seconds: float
    ) -> None:
        """What was asked for may come into being long after somebody has changed their mind."""
        world = self.world
        key = next((each for each in KEYS if each not in world.server.objects), None)
        if key is None:
            return
        world.heal()
        if answer in ("late", "never"):
            world.fireworks.hang("POST", late=answer == "late")
        else:
            world.fireworks.fault(answer, method="POST")
        if next_answer is not None:
            world.fireworks.fault("status", method="POST", code=next_answer)
        world.server.create(key, new_spec(key.split("/")[0], []))
        for _ in range(rounds):
            self._then("wait")
        self._change_mind(key, then)
        for pause in (1.0, 3.0, seconds):
            world.advance(pause)
            world.poll()

    def _change_mind(self, key: str, then: str) -> None:
        if key not in self.world.server.objects:
            return
        if then == "deletes":
            self.world.server.delete(key)
        elif then == "renames":
            self._edit(key, "deploymentId", "renamed")
        elif then == "restores":
            self._restore(key, new_uid=False)
        elif then == "kills":
            self.world.restart()

    # Troubles of Fireworks and of the API server

    @rule(method=methods, action=st.sampled_from(_REFUSALS), times=st.integers(1, 2), then=afterwards)
    def requests_go_wrong(self, method: str, action: dict[str, Any], times: int, then: str) -> None:
        action = dict(action)
        self.world.fireworks.fault(action.pop("kind"), method=method, times=times, **action)
        self._then(then)

    @rule(method=methods, late=st.booleans(), then=afterwards)
    def a_request_is_not_answered(self, method: str, late: bool, then: str) -> None:
        self.world.fireworks.hang(method, late=late)
        self._then(then)

    @precondition(lambda self: self.world.fireworks.late)
    @rule(which=st.integers(0, 3), then=afterwards)
    def a_late_request_is_carried_out(self, which: int, then: str) -> None:
        late = self.world.fireworks.late
        self.world.fireworks.land(late[which % len(late)])
        self.world.judge_later(*self.world.ours())
        self._then(then)

    @rule(seconds=st.sampled_from((5.0, 30.0)), times=st.integers(1, 3), then=afterwards)
    def lists_lag(self, seconds: float, times: int, then: str) -> None:
        self.world.fireworks.fault("stale_list", method="GET", seconds=seconds, times=times)
        self.world.judge_later(*self.world.ours())
        self._then(then)

    @rule(which=st.integers(0, 9), then=afterwards)
    def a_list_omits(self, which: int, then: str) -> None:
        name = self._deployment(which)
        if name is not None:
            self.world.fireworks.fault("omit_from_list", method="GET", names=[name])
            self.world.judge_later(name)
            self._then(then)

    @rule(gpus=st.sampled_from((0, 1, 10_000)), then=afterwards)
    def the_quota_changes(self, gpus: int, then: str) -> None:
        self.world.fireworks.simulator.quota("global--h100-count", gpus)
        self._then(then)

    @rule(state=st.sampled_from(("CREDIT_DEPLETED", "UNSUSPENDED")), then=afterwards)
    def the_account_is_suspended(self, state: str, then: str) -> None:
        self.world.fireworks.simulator.suspend(state)
        self._then(then)

    @rule(check=st.booleans())
    def default_deployments_are_protected(self, check: bool) -> None:
        self.world.fireworks.check_defaults(check)

    @rule(when=st.sampled_from(("before", "after")), then=afterwards)
    def the_api_server_does_not_answer(self, when: str, then: str) -> None:
        self.world.server.trouble.append(when)
        self._then(then)

    @rule()
    def all_is_well_again(self) -> None:
        self.world.heal()

    # The operator

    @rule()
    def the_operator_works(self) -> None:
        self.world.work()

    @rule()
    def the_operator_polls(self) -> None:
        self.world.poll()

    @rule(which=st.integers(0, 2))
    def a_pass_is_made(self, which: int) -> None:
        key = self._resource(which)

        async def look(process: Process) -> None:
            process.queue.add(key)
            await process.work()

        self.world.run(look)

    @rule(most=st.integers(1, 3))
    def the_watch_is_slow(self, most: int) -> None:
        async def hear(process: Process) -> None:
            process.watch(most)
            await process.work()

        self.world.run(hear)

    @rule()
    def all_resources_are_listed(self) -> None:
        async def sweep(process: Process) -> None:
            process.sweep()
            await process.work()

        self.world.run(sweep)

    @rule(crossings=st.integers(1, 14), which=st.integers(0, 2), edit=edits, how=st.sampled_from(("work", "poll")))
    def the_operator_is_killed(self, crossings: int, which: int, edit: tuple[str, object], how: str) -> None:
        self._edit(self._resource(which), *edit)
        self.world.process.gate.plan(crossings, None)
        self._then(how)

    @rule(crossings=st.integers(1, 20), seconds=st.sampled_from((0.0, 3.0, 65.0)), deletes=st.booleans())
    def the_operator_is_killed_on_its_way(self, crossings: int, seconds: float, deletes: bool) -> None:
        if deletes and self._resource(0) in self.world.server.objects:
            self.world.server.delete(self._resource(0))
        self.world.process.gate.plan(crossings, None)
        for _ in range(3):
            self.world.advance(seconds, armed=True)
            self.world.poll(armed=True)
        self.world.process.gate.disarm()

    @rule(
        crossings=st.integers(1, 14),
        which=st.integers(0, 2),
        changes=st.lists(edits, min_size=2, max_size=2),
        how=st.sampled_from(("work", "poll")),
    )
    def a_user_edits_during_a_pass(
        self, crossings: int, which: int, changes: list[tuple[str, object]], how: str
    ) -> None:
        key = self._resource(which)
        self._edit(key, *changes[0])
        self.world.process.gate.plan(crossings, lambda: self._edit(key, *changes[1]))
        self._then(how)

    @rule(which=st.integers(0, 2), edit=edits)
    def a_poll_is_overtaken(self, which: int, edit: tuple[str, object]) -> None:
        """The answer to a LIST arrives only after passes that changed something."""
        self._edit(self._resource(which), *edit)
        self.world.poll_overtaken()

    @rule(seconds=st.sampled_from((1.0, 4.0, 16.0, 31.0, 62.0, 65.0, 125.0, 310.0, 910.0, 3700.0)), then=afterwards)
    def time_passes(self, seconds: float, then: str) -> None:
        self.world.advance(seconds)
        self._then(then)

    @invariant()
    def promises_are_kept(self) -> None:
        self.world.judge()
