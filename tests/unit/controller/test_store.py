"""What the store makes of objects from the watch, of LISTs and of our own writes."""

from typing import Any

import pytest

from fireworks_operator.controller.store import DeploymentStore, Seen, Versions
from testkit.builders import BASE_MODEL, a_resource

REF = "team-a/chat"


def a_raw(**metadata: Any) -> dict[str, Any]:  # noqa: ANN401 - metadata as the API server sends it
    meta = {"name": "chat", "namespace": "team-a", "uid": "uid-1", "resourceVersion": "100", "generation": 1}
    return {"metadata": {**meta, **metadata}, "spec": {"baseModel": BASE_MODEL}}


def versioned(version: int, **others: Any) -> dict[str, Any]:  # noqa: ANN401
    return a_raw(resourceVersion=str(version), **others)


@pytest.mark.parametrize(
    ("second", "seen", "reason"),
    [
        (versioned(100), Seen.NOTHING, "Our own write comes back, or an event is repeated."),
        (versioned(99, generation=2), Seen.OLDER, "It is older than what is stored."),
        (versioned(101), Seen.STATUS, "A status was written."),
        (versioned(101, labels={"a": "b"}), Seen.WISH, "Budgets select by labels."),
        (versioned(101, annotations={"kubectl.kubernetes.io/x": "y"}), Seen.STATUS, "Nor do others' annotations."),
        (versioned(101, generation=2), Seen.WISH, "The spec was changed."),
        (versioned(101, annotations={"fireworks.ai/reconcile-at": "now"}), Seen.WISH, "A person asks for a look."),
        (versioned(101, deletionTimestamp="2026-03-01T12:00:00Z"), Seen.WISH, "It is being deleted."),
        (versioned(101, uid="uid-2"), Seen.NEW, "Another object of the same name."),
        (versioned(99, uid="uid-0"), Seen.NOTHING, "A late word of a former object of the same name."),
    ],
)
def test_what_an_object_brings(second: dict[str, Any], seen: Seen, reason: str) -> None:
    store = DeploymentStore()
    assert store.see(a_raw()) == (REF, Seen.NEW)
    assert store.see(second) == (REF, seen), reason
    stored = store.get(REF)
    assert stored is not None
    newest = second if seen not in (Seen.NOTHING, Seen.OLDER) else a_raw()
    assert stored.metadata.resource_version == newest["metadata"]["resourceVersion"]
    assert len(store) == 1


def test_labels_that_stay_are_no_wish_and_too_many_are_cut() -> None:
    store = DeploymentStore()
    labels = {f"label-{number:04}": "x" for number in range(1000)}
    store.see(versioned(100, labels=labels))
    assert store.see(versioned(101, labels=labels)) == (REF, Seen.STATUS)
    stored = store.get(REF)
    assert stored is not None
    assert list(stored.metadata.labels) == list(labels)[:128]


def test_what_is_known_already_is_not_read_again() -> None:
    store = DeploymentStore()
    store.see(a_raw())
    repeated = a_raw()
    repeated["spec"]["minReplicaCount"] = "could not be read"
    assert store.see(repeated) == (REF, Seen.NOTHING)
    assert store.get(REF) is not None
    assert store.unreadable(REF) is None


def test_versions_are_numbers_not_texts() -> None:
    store = DeploymentStore()
    store.see(versioned(99))
    assert store.see(versioned(100))[1] is Seen.STATUS


def test_an_unreadable_object_is_told_with_the_field_and_harms_nothing_else() -> None:
    store = DeploymentStore()
    store.see(versioned(1, name="other"))
    store.see(a_raw())
    broken = versioned(101)
    broken["spec"]["minReplicaCount"] = "many"
    ref, _ = store.see(broken)
    assert store.get(ref) is None
    unreadable = store.unreadable(ref)
    assert unreadable is not None
    assert "spec.minReplicaCount" in unreadable.problem
    assert [each.ref for each in store] == ["team-a/other"]


def test_a_corrected_object_is_new_again() -> None:
    store = DeploymentStore()
    broken = a_raw()
    broken["spec"] = {}
    store.see(broken)
    assert store.see(versioned(101)) == (REF, Seen.NEW)
    assert store.unreadable(REF) is None


def test_only_the_object_that_is_gone_is_removed() -> None:
    store = DeploymentStore()
    store.see(a_raw())
    assert not store.remove(REF, "uid-0")
    assert store.get(REF) is not None
    assert store.remove(REF, "uid-1")
    assert store.get(REF) is None
    assert not store.remove(REF, "uid-1")


def test_an_unreadable_object_can_be_removed() -> None:
    store = DeploymentStore()
    broken = a_raw()
    broken["spec"] = {}
    store.see(broken)
    assert not store.remove(REF, "uid-0")
    assert store.remove(REF, "uid-1")
    assert store.unreadable(REF) is None


def test_a_list_removes_what_it_lacks_but_not_what_is_newer_than_it() -> None:
    store = DeploymentStore()
    there = versioned(50, name="there", uid="uid-there")
    store.see(there)
    store.see(versioned(60, name="gone", uid="uid-gone"))
    store.see(versioned(101, name="newer", uid="uid-newer"))
    assert store.take_list([there], 100, Versions()) == (False, ["team-a/gone"])


def test_what_the_writer_returns_is_not_overwritten_by_the_event_before_it() -> None:
    store = DeploymentStore()
    store.see(a_raw())
    store.put(a_resource(status={"deploymentName": "accounts/a/deployments/d"}, resourceVersion="105"))
    assert store.see(versioned(103))[1] is Seen.NOTHING
    stored = store.get(REF)
    assert stored is not None
    assert stored.status.deployment_name == "accounts/a/deployments/d"


def test_versions_that_our_own_writes_left_are_known_until_the_resource_is_gone() -> None:
    store = DeploymentStore()
    for version in range(101, 103):
        store.put(a_resource(resourceVersion=str(version)))
    store.see(versioned(103))
    assert [store.is_own(REF, version) for version in ("101", "102", "103")] == [True, True, False]
    store.remove(REF, "uid-1")
    assert not store.is_own(REF, "102")


def test_our_own_writes_that_come_back_late_are_no_reason_to_wonder() -> None:
    store = DeploymentStore()
    for version in range(101, 120):
        store.put(a_resource(resourceVersion=str(version)))
    for version in range(101, 120):
        assert store.see(versioned(version))[1] is Seen.NOTHING
    assert store.see(versioned(118))[1] is Seen.OLDER, "the watch has told of it before"


def test_after_a_new_beginning_whatever_comes_next_counts_and_then_only_what_is_newer() -> None:
    store = DeploymentStore()
    store.put(a_resource(resourceVersion="900"))
    assert store.take_list([versioned(500, generation=7)], 500, store.versions()) == (True, [])
    assert store.see(versioned(500, generation=7)) == (REF, Seen.WISH)
    assert store.see(versioned(499, generation=8)) == (REF, Seen.OLDER)
    assert store.see(versioned(501)) == (REF, Seen.WISH)
    assert store.versions() == Versions(501, {"uid-1": 501})
    assert not store.is_own(REF, "900"), "numbers are given out again"


def test_after_a_new_beginning_what_a_list_lacks_is_gone_however_new_it_was() -> None:
    store = DeploymentStore()
    store.put(a_resource(resourceVersion="900"))
    assert store.take_list([], 500, store.versions()) == (True, [REF])
    store.see(versioned(510))
    assert store.take_list([], 500, Versions()) == (False, []), "newer than the LIST"


def test_a_new_beginning_holds_also_for_what_cannot_be_read() -> None:
    store = DeploymentStore()
    store.see(versioned(900))
    broken = versioned(500)
    broken["spec"] = {}
    assert store.take_list([broken], 500, store.versions()) == (True, [])
    store.see(broken)
    assert store.see(versioned(501)) == (REF, Seen.NEW)
    assert store.see(versioned(499)) == (REF, Seen.OLDER)


@pytest.mark.parametrize(
    ("listed", "version", "denied", "reason"),
    [
        ([versioned(100)], 120, False, "Nothing has changed."),
        ([versioned(150)], 200, False, "Time goes on."),
        ([], 200, False, "It is gone."),
        ([versioned(99, uid="uid-2")], 200, False, "Another one of the same name."),
        ([versioned(100)], 119, True, "A LIST cannot be older than one before it."),
        ([], 99, True, "Nor than a resource."),
        ([versioned(99)], 200, True, "Nor can a resource in it be older than it was."),
    ],
)
def test_a_list_that_is_older_than_what_was_known_before_it_is_told(
    listed: list[dict[str, Any]], version: int, denied: bool, reason: str
) -> None:
    store = DeploymentStore()
    store.see(versioned(100))
    assert store.take_list([versioned(100)], 120, Versions()) == (False, [])
    assert store.versions().deny(listed, version) is denied, reason
