"""What doctor says of the CRD, and of the operator by what it has seen."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from fireworks_operator.api.crd import crd
from fireworks_operator.api.kinds import DEPLOYMENTS
from fireworks_operator.kube.client import KubernetesClient, KubernetesForbiddenError
from fireworks_operator.plugin.check import State
from fireworks_operator.plugin.doctor import check_crd, check_operator
from fireworks_operator.ports import ResourceGoneError

ESTABLISHED = {"conditions": [{"type": "Established", "status": "True"}]}


class _ApiServer:
    """Answers for the CRD, and for a list of the kind."""

    def __init__(self, definition: Mapping[str, Any] | Exception, listing: Mapping[str, Any] | Exception) -> None:
        self._definition = definition
        self._listing = listing

    async def request(self, method: str, path: str, **_options: object) -> Mapping[str, Any]:
        answer = self._definition if "customresourcedefinitions" in path else self._listing
        if isinstance(answer, Exception):
            raise answer
        return answer


def changed(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any part of the definition
    """The CRD as the API server has it, with other parts."""
    return {**crd(DEPLOYMENTS), "status": ESTABLISHED, **changes}


def of_another_version() -> dict[str, Any]:
    """The CRD with a field less."""
    found = changed()
    del found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["paused"]
    return found


@pytest.mark.parametrize(
    ("definition", "listing", "state", "says"),
    [
        (changed(), {}, State.OK, "matches this version"),
        (of_another_version(), {}, State.FAILED, "from a different version"),
        (changed(status={}), {}, State.FAILED, "not established"),
        (changed(metadata={"deletionTimestamp": "now"}), {}, State.FAILED, "is being deleted"),
        (ResourceGoneError("404"), {}, State.FAILED, "not installed"),
        (KubernetesForbiddenError("403"), {}, State.OK, "its version is unknown"),
        (KubernetesForbiddenError("403"), ResourceGoneError("404"), State.FAILED, "not installed"),
        (
            KubernetesForbiddenError("403"),
            KubernetesForbiddenError("403"),
            State.SKIPPED,
            "you may not read fireworksdeployments",
        ),
    ],
)
async def test_the_crd_must_be_there_and_of_this_version(
    definition: Mapping[str, Any] | Exception, listing: Mapping[str, Any] | Exception, state: State, says: str
) -> None:
    client = cast("KubernetesClient", _ApiServer(definition, listing))
    found = await check_crd(client, "team-a", DEPLOYMENTS)
    assert (found.state, says in found.message) == (state, True), found
    assert bool(found.way_out) == (state is State.FAILED)


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def an_object(name: str, generation: int, observed: int | None, seconds: float = 3600) -> dict[str, Any]:
    """A resource that was created so long ago."""
    created = (NOW - timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
    metadata = {"namespace": "team-a", "name": name, "generation": generation, "creationTimestamp": created}
    return {"metadata": metadata, "status": {} if observed is None else {"observedGeneration": observed}}


@pytest.mark.parametrize(
    ("objects", "state", "says"),
    [
        ([], State.SKIPPED, "there is no resource that shows whether"),
        ([an_object("chat", 2, 2)], State.OK, "has seen the one resource as it is now"),
        ([an_object("chat", 2, 2), an_object("code", 1, 1)], State.OK, "has seen all 2 resources as they are now"),
        ([an_object("chat", 2, 2), an_object("code", 2, 1)], State.FAILED, "as they are now: team-a/code"),
        ([an_object("chat", 1, -1)], State.FAILED, "as they are now: team-a/chat"),
        ([an_object("chat", 1, None)], State.FAILED, "as they are now: team-a/chat"),
        ([an_object("chat", 1, -1, seconds=5)], State.OK, "has seen"),
        ([an_object(f"m{n}", 1, -1) for n in range(7)], State.FAILED, "team-a/m4 and 2 more"),
    ],
)
def test_the_operator_is_judged_by_what_it_has_seen(objects: list[dict[str, Any]], state: State, says: str) -> None:
    found = check_operator(objects, NOW)
    assert (found.state, says in found.message) == (state, True), found
    assert bool(found.way_out) == (state is State.FAILED)
