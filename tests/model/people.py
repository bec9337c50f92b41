"""What people do at Fireworks, in the console and with other tools."""

from typing import Any

from fireworks_operator.api.v1alpha1 import ANNOTATION_ABANDON
from testkit.promises.invariants import holds
from testkit.promises.specs import H100, UNOWNED, named, new_spec
from testkit.virtual.conduct import REFS, owner_ref
from testkit.virtual.fireworks import ACCOUNT, identifier
from testkit.virtual.process import CLUSTER
from tests.model.choices import YES_OR_NO, Count, OneOf, event
from tests.model.scene import AFTERWARDS, Scene

PATIENCE = 1200.0
"""Seconds after which nobody who asks for a replica may be Ready without one."""

_DAY = {"minReplicaCount": 1, "schedule": "0 8 * * 1-5", "duration": "36000s", "timezone": "Europe/Berlin"}
_CONSOLE: tuple[dict[str, Any], ...] = (
    {"displayName": "Somebody's"},
    {"minReplicaCount": 1, "maxReplicaCount": 2},
    {"precision": "BF16"},
    {"autoscalingPolicy": {"scaleUpWindow": "45s"}},
    {"autoscalingPolicy": {"scalingSchedules": {"day": {**_DAY, "disabled": True}}}},
    {"annotations": {}},
    {"annotations": {"custom/team": "x"}},
)


class People(Scene):
    """Somebody else has the account's key."""

    @event(which=Count(0, 9), fields=OneOf(*_CONSOLE), then=AFTERWARDS)
    def somebody_edits_in_the_console(self, which: int, fields: dict[str, Any], then: str) -> None:
        name = self._deployment(which)
        if name is not None:
            clear = [key for key, value in fields.items() if value == {}]
            self.world.fireworks.simulator.edit(
                identifier(name), {key: value for key, value in fields.items() if value != {}}, clear=clear
            )
            self.world.judge_later(name)
            self._then(then)

    @event(which=Count(0, 9), soft=YES_OR_NO, then=AFTERWARDS)
    def somebody_deletes_behind_our_back(self, which: int, soft: bool, then: str) -> None:
        name = self._deployment(which)
        if name is not None:
            self.world.fireworks.simulator.vanish(identifier(name), soft=soft)
            self.world.judge_later(name)
            self._then(then)

    @event(which=Count(0, 9), then=AFTERWARDS)
    def a_deployment_fails(self, which: int, then: str) -> None:
        name = self._deployment(which)
        if name is not None:
            self.world.fireworks.simulator.fail(identifier(name), "out of memory", "CUDA error")
            self.world.judge_later(name)
            self._then(then)

    @event(which=Count(0, 9))
    def a_deployment_has_traffic(self, which: int) -> None:
        name = self._deployment(which)
        if name is not None:
            self.world.fireworks.simulator.traffic(identifier(name))

    @event(which=Count(0, 9), then=AFTERWARDS)
    def somebody_undeletes_in_the_console(self, which: int, then: str) -> None:
        """What was deleted, by the operator or by people, is back."""
        gone = [each for each in self.world.fireworks.state().deployments.values() if each["state"] == "DELETED"]
        names = [each["name"] for each in gone if "/acme/" in each["name"]]
        if not names:
            return
        self._bring_back(names[which % len(names)])
        self._then(then)

    def _bring_back(self, name: str) -> None:
        self.world.fireworks.by_hand("POST", f"{name}:undelete", {})
        ref = owner_ref(self._as_it_is(name).get("annotations", {}))
        if ref is None or name not in named(self.world.server.objects.get(ref, {}).get("status", {})):
            self.world.promises.left.add(name)  # whoever brings it back looks after it
        self.world.judge_later(name)

    @event(which=Count(0, 9), what=OneOf("renamed", "deleted", "pointed elsewhere"), then=AFTERWARDS)
    def somebody_changes_a_router(self, which: int, what: str, then: str) -> None:
        """In the console: it is put right, unless nobody can tell any more whose it is."""
        names = sorted(self.world.fireworks.state().routers)
        if not names:
            return
        name = names[which % len(names)]
        if what == "deleted":
            self.world.fireworks.by_hand("DELETE", name)
        elif what == "renamed":
            self.world.fireworks.by_hand("PATCH", name, {"displayName": "Chat"}, updateMask="display_name")
        else:
            body = {"deployments": [f"accounts/{ACCOUNT}/deployments/{UNOWNED}"]}
            self.world.fireworks.by_hand("PATCH", name, body, updateMask="deployments")
        self.world.judge()
        self._then(then)

    def _claims(self, ref: str) -> str | None:
        raw = self.world.server.objects.get(ref)
        return None if raw is None else raw["status"].get("deploymentName")

    @event(which=Count(0, 9), owner=OneOf("another cluster", "another resource", "nobody"), then=AFTERWARDS)
    def somebody_gives_a_deployment_away(self, which: int, owner: str, then: str) -> None:
        """The marker says somebody else from now on."""
        name = self._deployment(which)
        if name is None:
            return
        self._give(name, owner)
        self._then(then)

    def _give(self, name: str, owner: str) -> None:
        fireworks = self.world.fireworks
        if owner == "nobody":
            keys = ["custom/managed-by", "custom/cluster", "custom/namespace", "custom/name"]
            fireworks.by_hand("POST", f"{name}:deleteTags", {"keys": keys})
        else:
            cluster = "another" if owner == "another cluster" else CLUSTER
            marks = {"custom/managed-by": "fireworks-operator", "custom/cluster": cluster}
            marks |= {"custom/namespace": "team-z", "custom/name": "moved"}
            fireworks.by_hand("POST", f"{name}:setTags", {"tags": marks})
        self.world.promises.left.add(name)
        self.world.promises.given.add(name)
        self.world.judge_later(name)

    @event(owner=OneOf("another cluster", "another cluster", "nobody"), which=Count(0, 2), then=AFTERWARDS)
    def somebody_takes_what_we_are_about_to_adopt(self, owner: str, which: int, then: str) -> None:
        """The operator's last LIST still says that it is nobody's."""
        world = self.world
        self._live(1.0)
        self._give(f"accounts/{ACCOUNT}/deployments/{UNOWNED}", owner)
        ref = REFS[which]
        if ref not in world.server.objects:
            changes: list[tuple[str, object]] = [("deploymentId", UNOWNED), ("adoptionPolicy", "Unowned")]
            world.server.create(ref, new_spec(ref.split("/")[0], changes))
        self._then("work")
        self._then(then)

    @event(which=Count(0, 9), copied=YES_OR_NO, then=AFTERWARDS)
    def somebody_makes_it_anew(self, which: int, copied: bool, then: str) -> None:
        """Deleted for good, and another one made under the same id: by hand, perhaps from a copy of its JSON."""
        name = self._deployment(which)
        if name is None:
            return
        was = self._as_it_is(name)
        self.world.fireworks.simulator.vanish(identifier(name))
        self.world.loop.advance(2.0)
        self.world.fireworks.catch_up()
        body = {"baseModel": was["baseModel"], "acceleratorType": was.get("acceleratorType", H100)}
        if copied:
            body["annotations"] = was.get("annotations", {})
        collection, _, deployment = name.rpartition("/")
        self.world.fireworks.by_hand("POST", collection, body, deploymentId=deployment, acceptShapelessRisk="true")
        self.world.promises.left.add(name)
        self.world.judge_later(name)
        self._then(then)

    @event(which=Count(0, 9), happens=OneOf("deleted", "edited", "given away", "brought back"))
    def an_answer_comes_late(self, which: int, happens: str) -> None:
        """A GET is answered with what was, after a person has changed it and a LIST has told of it."""
        name = self._deployment(which)
        if name is None:
            return
        self._edit(self._resource(which), "displayName", f"Late {happens}")

        def happen() -> None:
            fireworks = self.world.fireworks
            if happens == "deleted":
                fireworks.simulator.vanish(identifier(name), soft=True)
            elif happens == "edited":
                fireworks.simulator.edit(identifier(name), {"minReplicaCount": 1, "maxReplicaCount": 2})
            elif happens == "given away":
                self._give(name, "another cluster")
            else:
                fireworks.by_hand("POST", f"{name}:undelete", {})
            self.world.judge_later(name)
            self.world.promises.raced.add(name)

        self.world.look_overtaken(happen)

    @event(
        answer=OneOf("late", "late", "never", "drop_after_commit", "drop_before_commit"),
        then=OneOf("deletes", "deletes", "kills", "abandons", "waits"),
        which=Count(0, 9),
        seconds=OneOf(1.0, 16.0, 50.0, 62.0),
    )
    def an_undelete_is_not_answered(self, answer: str, then: str, which: int, seconds: float) -> None:
        """Somebody deletes a deployment, and nobody knows whether the operator's wish to have it back was heard."""
        world = self.world
        name = self._deployment(which)
        ref = None if name is None else owner_ref(self._as_it_is(name).get("annotations", {}))
        if name is None or ref not in REFS or self._claims(ref) != name:
            return
        world.heal()
        if answer in ("late", "never"):
            world.fireworks.hang("POST", late=answer == "late", path=":undelete")
        else:
            world.fireworks.fault(answer, method="POST", path=":undelete$")
        world.fireworks.simulator.vanish(identifier(name), soft=True)
        world.judge_later(name)
        self._live(1.0)
        if then == "kills":
            world.restart()
        elif then != "waits" and ref in world.server.objects:
            if then == "abandons":
                world.server.annotate(ref, ANNOTATION_ABANDON, "true")
            world.server.delete(ref)
        self._live(1.0, 3.0, seconds)

    @event(which=Count(0, 9), brings_back=YES_OR_NO, lists=YES_OR_NO, then=AFTERWARDS)
    def it_is_deleted_and_brought_back_in_the_console(
        self, which: int, brings_back: bool, lists: bool, then: str
    ) -> None:
        """Under the policy Report; then its resource is deleted, perhaps while no LIST comes through."""
        world = self.world
        name = self._deployment(which)
        ref = None if name is None else owner_ref(self._as_it_is(name).get("annotations", {}))
        if name is None or ref not in REFS or self._claims(ref) != name:
            return
        self._edit(ref, "externalDeletionPolicy", "Report")
        self._live(1.0)
        world.fireworks.simulator.vanish(identifier(name), soft=True)
        world.judge_later(name)
        self._live(62.0)
        if brings_back:
            self._bring_back(name)
        if not lists:
            world.fireworks.fault("status", method="GET", path="/deployments$", times=4, code="UNAVAILABLE")
            self._live(62.0)
        if ref in world.server.objects:
            world.server.delete(ref)
        self._then("work")
        self._then(then)

    @event(which=Count(0, 9), pending=YES_OR_NO)
    def a_deployment_loses_its_replicas(self, which: int, pending: bool) -> None:
        """No GPU is free: who has asked for at least one replica must learn of it."""
        world = self.world
        world.heal()
        self._live(1.0, 62.0, 62.0)
        name = self._deployment(which)
        ref = None if name is None else owner_ref(self._as_it_is(name).get("annotations", {}))
        if name is None or ref not in REFS or self._claims(ref) != name:
            return
        if self._as_it_is(name)["state"] != "READY" or self._as_it_is(name).get("minReplicaCount", 0) == 0:
            return
        if pending:
            world.fireworks.simulator.stage(outcome="stockout")
        world.fireworks.simulator.edit(identifier(name), stockedOut=True, readyReplicas=0)
        world.judge_later(name)
        self._live(*(62.0 for _ in range(round(PATIENCE / 62.0) + 2)))
        raw, there = world.server.objects[ref], self._as_it_is(name)
        asked = raw["spec"].get("minReplicaCount", 0) > 0 and not raw["spec"].get("paused")
        serves = there.get("replicaStats", {}).get("readyReplicaCount", 0) > 0
        if asked and not serves and self._claims(ref) == name:
            assert not holds(raw["status"], "Ready"), f"{ref} is Ready without a replica for {PATIENCE} s"
        world.fireworks.simulator.clear_stages()
        world.fireworks.simulator.edit(identifier(name), stockedOut=False, readyReplicas=1)
        world.judge_later(name)
        self._live(16.0, 62.0)
