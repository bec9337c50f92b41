"""What the operator may do at Fireworks, judged by the requests that arrive there."""

from dataclasses import dataclass, field
from typing import Any

from fireworks_operator.core.identity import Owner, deployment_id
from fireworks_simulator.testing import JournalEntry
from testkit.virtual.api_server import ApiServer
from testkit.virtual.fireworks import Snapshot, identifier
from testkit.virtual.process import AGENT, CLUSTER

_MANAGED = frozenset(
    {
        "display_name",
        "description",
        "accelerator_count",
        "min_replica_count",
        "max_replica_count",
        "max_with_revocable_replica_count",
        "num_peft_device_cached",
        "enable_hot_reload_latest_addon",
        "autoscaling_policy",
        "draft_model",
        "draft_token_count",
        "ngram_speculation_length",
        "precision",
        "auto_tune",
        "enable_addons",
        "deployment_shape",
        "max_context_length",
        "max_concurrency_per_replica",
        "enable_session_affinity",
        "direct_route_type",
        "direct_route_api_keys",
    }
)
REFS = ("team-a/chat", "team-a/code", "team-b/chat")
"""The resources of honest users that there can be."""
BYSTANDER = "team-c/calm"
"""A resource that serves, and that nobody does anything to."""
BY_HAND = "by hand"
"""The user agent of people who have the account's key."""
LATE = "late"
"""The user agent of what is carried out after its sender has given up."""
_ADDON_FIELDS = frozenset({"display_name", "description", "default", "public"})
Marks = dict[str, str]


def owner_ref(marks: Marks, cluster: str = CLUSTER) -> str | None:
    """Return the resource that a deployment's marks name, None if it is not one of the cluster."""
    if marks.get("custom/managed-by") != "fireworks-operator" or marks.get("custom/cluster") != cluster:
        return None
    return f"{marks.get('custom/namespace')}/{marks.get('custom/name')}"


def is_released(marks: Marks) -> bool:
    """Tell whether the deployment was let go."""
    return marks.get("custom/released") == "true"


def derived_id(ref: str, cluster: str = CLUSTER) -> str:
    """Return the deployment id of a resource that names none."""
    namespace, name = ref.split("/")
    return deployment_id(Owner(cluster, namespace, name))


def _camel(path: str) -> str:
    first, *rest = path.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _may_take(server: ApiServer, identifier: str) -> bool:
    specs = (raw["spec"] for raw in server.objects.values())
    return any((each.get("deploymentId"), each.get("adoptionPolicy")) == (identifier, "Unowned") for each in specs)


@dataclass(slots=True)
class Conduct:
    """Follows who owns each deployment, request by request, and refuses what the operator must not do.

    Attributes:
        cluster: the id of the operator's cluster.
        agent: the user agent of the operator.
        owned: deployments that a resource has ever owned, as (ref, deployment name).
        loaded: addons that the operator has asked for, as (deployment name, model).
        raced: deployments that somebody changed in the middle of a pass, which no look can rule out.
        routers: names of routers that the operator has created.
        holders: the user agent of who has created or taken a deployment last, by name: markers may be the same.
    """

    cluster: str = CLUSTER
    agent: str = AGENT
    owned: set[tuple[str, str]] = field(default_factory=set)
    loaded: set[tuple[str, str]] = field(default_factory=set)
    holders: dict[str, str] = field(default_factory=dict)
    raced: set[str] = field(default_factory=set)
    routers: set[str] = field(default_factory=set)

    def judge(self, entries: list[JournalEntry], before: Snapshot, server: ApiServer) -> None:
        """Judge the requests since a snapshot.

        Raises:
            AssertionError: one of them breaks a promise.
        """
        marks = {name: dict(each.get("annotations", {})) for name, each in before.deployments.items()}
        for name, tags in marks.items():
            ref = owner_ref(tags, self.cluster)
            if ref is not None and self.holders.get(name, self.agent) == self.agent:
                self.owned.add((ref, name))
        for entry in entries:
            raced = entry.path.removeprefix("/v1/").partition(":")[0] in self.raced
            if entry.method != "GET" and entry.user_agent == self.agent and not raced:
                self._judge_change(entry, marks, before, server)
                self._judge_holder(entry, marks)
            if entry.committed and entry.method != "GET" and "validateOnly" not in entry.query:
                self._follow_router(entry)
                self._follow(entry, marks)

    def forget(self, name: str) -> None:
        """A deployment is gone for good."""
        self.holders.pop(name, None)
        self.owned = {each for each in self.owned if each[1] != name}

    def _judge_change(self, entry: JournalEntry, marks: dict[str, Marks], before: Snapshot, server: ApiServer) -> None:
        name, _, verb = entry.path.removeprefix("/v1/").partition(":")
        what = f"{entry.method} {entry.path} {dict(entry.query)} {entry.body}"
        if "/routers" in name:
            made = entry.method == "POST" or name in self.routers
            assert made, f"I3: {what} is about a router that the operator did not create"
            return
        if "/deployedModels" in name:
            self._judge_addon(entry, name, before, what)
        elif verb in ("setTags", "deleteTags"):
            self._judge_tags(entry, name, marks.get(name), server, what)
        elif not (entry.method == "POST" and verb == ""):
            free = "custom/managed-by" not in marks.get(name, {})
            if not (free and verb == "undelete" and _may_take(server, identifier(name))):
                self._judge_owned(name, marks.get(name), before, what, marked=entry.method == "PATCH")
        if entry.method == "PATCH":
            self._judge_mask(entry, what)

    def _judge_holder(self, entry: JournalEntry, marks: dict[str, Marks]) -> None:
        """Refuse a change of what another operator holds, whatever the markers say.

        Two clusters with the same id derive the same ids: where somebody has removed the marks, nothing tells any more
        which of the two has created it, and who looks first marks it again.
        """
        name, _, verb = entry.path.removeprefix("/v1/").partition(":")
        holder = self.holders.get(name, self.agent)
        if verb == "setTags" and "custom/managed-by" not in marks.get(name, {}):
            return
        if name in marks and holder not in (self.agent, BY_HAND) and not is_released(marks[name]):
            raise AssertionError(f"I3: {entry.method} {entry.path} {entry.body}: it is the {holder}'s")

    def _judge_owned(self, name: str, marks: Marks | None, before: Snapshot, what: str, *, marked: bool) -> None:
        if marks is None:
            return  # it is gone, or was created in between: nothing of anybody's is touched
        ref = owner_ref(marks, self.cluster)
        if ref is None and not marked and "custom/managed-by" not in marks:
            # Somebody has removed the marks of what is ours all the same, by its id or by its past.
            ids = {derived_id(each, self.cluster) for each in (*REFS, BYSTANDER)}
            assert identifier(name) in ids or any(each == name for _, each in self.owned), f"I3: {what}: nobody's"
            return
        assert ref is not None, f"I3: {what} touches what nobody of this cluster owns: {marks}"
        gone = before.deployments.get(name, {}).get("state") in ("DELETING", "DELETED")
        # A deleted one takes no marks: its own resource brings it back first.
        assert gone or not is_released(marks), f"I3: {what} touches what was let go"

    def _judge_tags(self, entry: JournalEntry, name: str, marks: Marks | None, server: ApiServer, what: str) -> None:
        if marks is None:
            return
        body: Any = entry.body
        claimant = owner_ref(body.get("tags", {}), self.cluster)
        owner = owner_ref(marks, self.cluster)
        if claimant is None or claimant == owner:
            assert owner is not None, f"I3: {what} marks what nobody of this cluster owns"
            return
        foreign = "custom/managed-by" in marks and not is_released(marks)
        assert not foreign, f"I3: {what} takes what another resource owns: {marks}"
        raw = server.objects.get(claimant) or server.departed.get(claimant)
        by_request = raw is not None and raw["spec"].get("adoptionPolicy") == "Unowned"
        known = (claimant, name) in self.owned or identifier(name) == derived_id(claimant, self.cluster)
        assert by_request or known, f"I3: {what} takes what it was not asked to"

    def _judge_addon(self, entry: JournalEntry, name: str, before: Snapshot, what: str) -> None:
        if entry.method == "POST":
            return
        addon = before.addons.get(name)
        if addon is not None and entry.method == "DELETE":
            pair = (addon["deployment"], addon["model"])
            assert pair in self.loaded, f"I3: {what} unloads what the operator did not load"

    def _judge_mask(self, entry: JournalEntry, what: str) -> None:
        mask = [path for path in entry.query.get("updateMask", "").split(",") if path]
        assert mask, f"I5: {what} without a mask"
        allowed = _ADDON_FIELDS if "/deployedModels/" in entry.path else _MANAGED
        assert set(mask) <= allowed, f"I5: {what} changes {set(mask) - allowed}"
        body: Any = entry.body
        beyond = set(body) - {_camel(path) for path in mask} - {"baseModel"}
        assert not beyond, f"I5: {what} names {beyond} beyond its mask"

    def _follow_router(self, entry: JournalEntry) -> None:
        """Note a router that the operator has created."""
        collection = entry.path.removeprefix("/v1/")
        if entry.method == "POST" and collection.endswith("/routers") and entry.user_agent in (self.agent, LATE):
            self.routers.add(f"{collection}/{entry.query['routerId']}")

    def _follow(self, entry: JournalEntry, marks: dict[str, Marks]) -> None:
        """Note whose a deployment is after a request that was carried out."""
        body: Any = entry.body
        name, _, verb = entry.path.removeprefix("/v1/").partition(":")
        if entry.status >= 400:
            return
        if entry.method == "POST" and "/deployedModels" in name:
            self.loaded.add((body["deployment"], body["model"]))
            return
        if entry.method == "POST" and name.endswith("/deployments"):
            name = f"{name}/{entry.query['deploymentId']}"
            marks[name] = dict(body.get("annotations", {}))
            self.holders[name] = AGENT if entry.user_agent == LATE else entry.user_agent
        elif verb == "setTags":
            marks.setdefault(name, {}).update(body["tags"])
            if "custom/managed-by" in body["tags"]:
                self.holders[name] = AGENT if entry.user_agent == LATE else entry.user_agent
        elif verb == "deleteTags":
            for key in body["keys"]:
                marks.get(name, {}).pop(key, None)
            if "custom/managed-by" in body["keys"]:
                self.holders.pop(name, None)
        owner = owner_ref(marks.get(name, {}), self.cluster)
        if owner is not None and self.holders.get(name, self.agent) == self.agent:
            self.owned.add((owner, name))
