"""Many resources at a time: created, changed, deleted, and waited for together."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from testkit.kubernetes_api import Json, KubernetesError, condition, resources_path
from testkit.team import Team
from tests.fuzz.manifests import Manifest, Spec
from tests.fuzz.verdict import answer, complaints, settled

WITHOUT_KEY = ("AccountMismatch", "CredentialsMissing", "CredentialsInvalid", "CredentialsNotAllowed")
"""Why a deployment cannot be reached any more."""
WAYS_OUT = {"DeletionBlocked": "ignore-checks", **dict.fromkeys(WITHOUT_KEY, "abandon")}
"""Annotations that end a deletion which hangs, by the reason that it hangs for."""
_AT_ONCE = 6
_LOOK_SECONDS = 0.5


class Batch:
    """Resources of one namespace, made of sound manifests.

    Args:
        team: whose they are.
        within: seconds for all of them to come to rest, or to go.
    """

    def __init__(self, team: Team, within: float) -> None:
        self._team = team
        self._within = within
        self._path = resources_path(team.namespace)

    def create(self, manifests: Sequence[Manifest]) -> None:
        """Create them, under names that are unique."""
        bodies = [each.body(self._team.namespace, f"-{number}") for number, each in enumerate(manifests)]
        self._each(lambda body: self._team.api.request("POST", self._path, body), bodies)

    def change(self, manifests: Sequence[Manifest]) -> Counter[str]:
        """Give each resource the spec of another manifest; return how many were taken, and refused for what."""
        pairs = list(zip(self._team.resources(), manifests, strict=False))
        return Counter(self._each(lambda pair: self._replace(pair[0]["metadata"]["name"], pair[1].spec), pairs))

    def _replace(self, name: str, spec: Spec) -> str:
        path = resources_path(self._team.namespace, name)
        for _ in range(20):
            said = answer(self._team.api, "PUT", path, {**self._team.get(name), "spec": spec})
            if not isinstance(said, KubernetesError):
                return "accepted"
            if said.status != 409:  # or the operator has just written
                assert said.status == 422, said
                assert "put the old value back" in str(said), f"{name} → {spec}: {said}"
                return "immutable"
        raise AssertionError(f"{name} changes all the time")

    def rest(self) -> list[Json]:
        """Wait until all are at rest, hear what they say, and return them."""
        found = self._until(lambda resources: all(map(settled, resources)), "all are at rest")
        wrong = {_title(each): complaints(each) for each in found}
        assert not any(wrong.values()), "\n".join(f"{name}\n  {what}" for name, what in wrong.items() if what)
        return found

    def delete(self) -> None:
        """Delete them all, and wait until they are gone; who is told of an annotation that helps sets it."""
        self._team.api.request("DELETE", self._path)
        helped: set[str] = set()

        def gone(resources: list[Json]) -> bool:
            for each in resources:
                name, reason = each["metadata"]["name"], condition(each, "Stalled").get("reason")
                if reason in WAYS_OUT and name not in helped:
                    with contextlib.suppress(KubernetesError):  # it has just gone
                        self._team.annotate(name, WAYS_OUT[reason], "true")
                    helped.add(name)
            return not resources

        self._until(gone, "all are gone")

    def _until(self, met: Callable[[list[Json]], bool], what: str) -> list[Json]:
        deadline = time.monotonic() + self._within
        while not met(found := self._team.resources()):
            if time.monotonic() > deadline:
                stuck = [each for each in found if not settled(each) or "gone" in what]
                told = "\n".join([*map(_title, stuck[:10]), self._team.explain(stuck[0]["metadata"]["name"])])
                raise AssertionError(f"not so within {self._within:g} s: {what}: {len(stuck)} are not\n{told}")
            time.sleep(_LOOK_SECONDS)
        return found

    def _each(self, act: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(act, items))


def reasons(resources: Iterable[Json]) -> Counter[str]:
    """Count the reasons of Ready."""
    return Counter(condition(each, "Ready").get("reason", "none") for each in resources)


def _title(resource: Json) -> str:
    return f"{resource['metadata']['name']}: {resource['spec']} {condition(resource, 'Ready')}"
