"""Stories of hard times, each told in full: strangers, people at the console, backups, clocks, and another cluster."""

from collections.abc import Iterator

import pytest

from testkit.promises.invariants import holds
from testkit.virtual.conduct import derived_id
from testkit.virtual.fireworks import ADDONS
from testkit.virtual.loop import VirtualLoop
from testkit.virtual.simulator import MemorySimulator
from tests.model.machine import Machine
from tests.model.strangers import ANNOTATIONS, FORGED, SECRETS

CHAT, CODE, OWN = "team-a/chat", "team-a/code", "team-b/chat"
Edits = list[tuple[str, object]]
SERVES: Edits = [("minReplicaCount", 1)]


@pytest.fixture
def machine(loop: VirtualLoop, simulator: MemorySimulator) -> Iterator[Machine]:
    """A world with a bystander and two resources that serve; in the end all must become well."""
    machine = Machine(loop, simulator)
    try:
        machine.there_is_a_resource(CHAT, SERVES, serves=True)
        machine.a_user_creates(OWN, SERVES, "wait")
        for _ in range(2):
            machine.time_passes(62.0, "poll")
        machine.promises_are_kept()
        yield machine
        machine.promises_are_kept()
    except BaseException:
        machine.world.close()
        raise
    machine.teardown()


# Strangers


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_that_opens_nothing_opens_nothing(machine: Machine, kind: str) -> None:
    for policy in ("Manage", "Observe"):
        for deployment in (None, "unowned-0", derived_id(OWN)):
            machine.a_stranger_comes(kind, policy, deployment, "Unowned", "wait")
            machine.time_passes(62.0, "poll")
            machine.promises_are_kept()
    machine.world.restart()
    machine.time_passes(62.0, "poll")


def test_a_crowd_of_strangers_makes_nobody_elses_key_invalid(machine: Machine) -> None:
    machine.a_crowd_of_strangers_comes("wait")
    machine.world.restart()
    for _ in range(4):
        machine.time_passes(16.0, "poll")


def test_a_key_that_was_refused_once_works_again_although_strangers_stand_in_line(machine: Machine) -> None:
    machine.a_working_key_is_refused_once(strangers=True, then="wait")
    machine.time_passes(62.0, "poll")


def test_a_stranger_that_exchanges_secrets_leaves_nothing_behind(machine: Machine) -> None:
    machine.a_stranger_comes("bogus", "Manage", None, "Never", "wait")
    for kind in SECRETS:
        machine.a_stranger_exchanges_a_secret(0, kind, 2, "poll")


@pytest.mark.parametrize("numbers", [range(0, len(FORGED), 2), range(1, len(FORGED), 2)], ids=["even", "odd"])
def test_a_forged_status_shows_and_changes_nothing_of_others(machine: Machine, numbers: range) -> None:
    for kind in ("bogus, beside the account", "twin", "another account's"):
        machine.a_stranger_comes(kind, "Manage", None, "Unowned", "wait")
    for number in numbers:
        for which in range(3):
            machine.a_stranger_forges_a_status(which, FORGED[number], "wait")
            machine.promises_are_kept()
    machine.a_stranger_goes(0, "wait")


@pytest.mark.parametrize("number", range(len(ANNOTATIONS)))
def test_a_huge_annotation_keeps_nobody_waiting(machine: Machine, number: int) -> None:
    machine.a_stranger_comes("another account's", "Manage", None, "Unowned", "wait")
    machine.a_stranger_annotates(0, ANNOTATIONS[number], "wait")
    machine.time_passes(62.0, "poll")


@pytest.mark.parametrize("code", ["PERMISSION_DENIED", "NOT_FOUND", "INTERNAL", "UNIMPLEMENTED"])
def test_addons_that_cannot_be_listed_harm_nobody_without_addons(machine: Machine, code: str) -> None:
    machine.a_user_creates(CODE, [*SERVES, ("addons", ADDONS[:1])], "wait")
    machine.time_passes(62.0, "poll")
    machine.addons_cannot_be_listed(code, 1000)
    for _ in range(12):
        machine.time_passes(62.0, "poll")
    machine.a_user_edits(2, [("displayName", "Chat")], "wait")
    machine.time_passes(62.0, "poll")
    edited = machine.world.server.objects[OWN]
    assert edited["status"]["observedGeneration"] == edited["metadata"]["generation"]


def test_an_empty_list_with_a_strangers_key_shows_nothing(machine: Machine) -> None:
    machine.strangers_are_told_of_an_empty_account("nothing")
    for deployment in (derived_id(OWN), derived_id(CHAT), "unowned-0"):
        machine.a_stranger_comes("another account's, beside the account", "Observe", deployment, "Unowned", "wait")
    for _ in range(3):
        machine.time_passes(16.0, "poll")


def test_an_outage_is_told_once_whatever_its_words(machine: Machine) -> None:
    machine.an_outage_says_something_else_each_time(16, 62.0)


# People


@pytest.mark.parametrize("owner", ["another cluster", "nobody"])
def test_what_others_have_taken_is_not_taken_from_them(machine: Machine, owner: str) -> None:
    machine.somebody_takes_what_we_are_about_to_adopt(owner, 1, "wait")
    machine.promises_are_kept()
    if CODE in machine.world.server.objects:
        machine.a_user_deletes(1, "wait")


@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize("deletes", [False, True])
def test_what_people_make_anew_under_the_same_id_is_theirs(machine: Machine, copied: bool, deletes: bool) -> None:
    machine.somebody_makes_it_anew(0, copied, "nothing" if deletes else "wait")
    if deletes:
        machine.a_user_deletes(0, "wait")


@pytest.mark.parametrize("owner", ["another cluster", "another resource", "nobody"])
@pytest.mark.parametrize("purged", [False, True])
def test_what_was_given_away_is_let_alone_and_not_shown_as_serving(machine: Machine, owner: str, purged: bool) -> None:
    machine.somebody_gives_a_deployment_away(0, owner, "wait")
    machine.time_passes(62.0, "poll")
    if purged:
        machine.somebody_deletes_behind_our_back(0, True, "wait")
        machine.time_passes(8 * 86_400.0, "poll")


@pytest.mark.parametrize("answer", ["late", "drop_after_commit"])
@pytest.mark.parametrize("then", ["deletes", "kills", "abandons"])
def test_an_undelete_without_an_answer_leaves_nothing_running(machine: Machine, answer: str, then: str) -> None:
    machine.an_undelete_is_not_answered(answer, then, 0, 62.0)
    machine.time_passes(62.0, "poll")


@pytest.mark.parametrize("lists", [False, True])
def test_what_was_brought_back_in_the_console_is_deleted_with_its_resource(machine: Machine, lists: bool) -> None:
    machine.it_is_deleted_and_brought_back_in_the_console(0, True, lists, "wait")


@pytest.mark.parametrize("happens", ["deleted", "edited", "given away", "brought back"])
def test_a_late_answer_does_not_stand_for_the_truth(machine: Machine, happens: str) -> None:
    machine.an_answer_comes_late(0, happens)
    machine.time_passes(16.0, "poll")


@pytest.mark.parametrize("pending", [False, True])
def test_nobody_is_ready_for_long_without_a_replica(machine: Machine, pending: bool) -> None:
    machine.a_deployment_loses_its_replicas(0, pending)


# The past, and time


@pytest.mark.parametrize("of", [0, 1, 2, 3])
@pytest.mark.parametrize("age", [3])
def test_an_old_status_leads_to_nothing_that_is_not_undone(machine: Machine, of: int, age: int) -> None:
    machine.an_old_status_is_restored(0, of, age, "wait")
    machine.promises_are_kept()
    machine.a_user_deletes(0, "wait")


def test_an_old_status_that_knows_of_no_replica_is_put_right(machine: Machine) -> None:
    states = [each.get("state") for each in machine.world.promises.past[CHAT]]
    machine.an_old_status_is_restored(0, 0, states.index("CREATING"), "nothing")
    machine.promises_are_kept()
    assert not holds(machine.world.server.objects[CHAT]["status"], "Available"), "nobody has looked at it yet"
    machine.the_operator_works()
    assert holds(machine.world.server.objects[CHAT]["status"], "Available")


@pytest.mark.parametrize("trouble", ["no Secret", "no answer", "nothing"])
@pytest.mark.parametrize("lost", [False, True])
def test_a_namespace_that_goes_leaves_nothing_unknown(machine: Machine, trouble: str, lost: bool) -> None:
    machine.a_namespace_is_deleted(0, trouble, lost, "wait")
    machine.time_passes(62.0, "poll")


def test_after_a_restore_of_etcd_wishes_count_again(machine: Machine) -> None:
    machine.etcd_is_backed_up()
    machine.a_user_edits(0, [("displayName", "Chat"), ("minReplicaCount", 2)], "wait")
    machine.time_passes(62.0, "poll")
    machine.etcd_is_restored(("description", "For the team"), 0, "wait")
    for _ in range(3):
        machine.time_passes(62.0, "poll")
    raw = machine.world.server.objects[CHAT]
    assert raw["status"]["observedGeneration"] == raw["metadata"]["generation"]


@pytest.mark.parametrize("seconds", [-86_400.0, 86_400.0])
def test_recreations_count_by_the_right_time(machine: Machine, seconds: float) -> None:
    machine.the_clock_is_wrong(seconds, 1, "wait")
    for _ in range(3):
        machine.somebody_deletes_behind_our_back(0, False, "wait")
        machine.time_passes(62.0, "poll")
        machine.time_passes(62.0, "poll")
    machine.the_clock_is_set_right("wait")
    machine.time_passes(86_400.0, "poll")
    machine.somebody_deletes_behind_our_back(0, False, "wait")
    for _ in range(3):
        machine.time_passes(62.0, "poll")
    assert holds(machine.world.server.objects[CHAT]["status"], "Ready"), "the first loss of this day"


@pytest.mark.parametrize("writes", [1, 2, 3, 5])
def test_nothing_is_begun_that_outlives_the_lease(machine: Machine, writes: int) -> None:
    machine.requests_go_wrong("POST", {"kind": "status", "code": "UNAVAILABLE"}, 1, "nothing")
    machine.a_user_creates(CODE, [("addons", ADDONS[:1])], "nothing")
    machine.the_lease_runs_out_at_a_write(writes, -4.0, ("paused", None), 0)


# Another cluster


@pytest.mark.parametrize("same", [False, True], ids=["with its own id", "with the same id"])
@pytest.mark.parametrize("ours_goes", [False, True])
def test_of_two_clusters_that_adopt_the_same_one_gets_it(machine: Machine, same: bool, ours_goes: bool) -> None:
    machine.both_want_the_same(same, 1, ours_goes)


@pytest.mark.parametrize("same", [False, True], ids=["with its own id", "with the same id"])
def test_what_another_cluster_deletes_is_its_own(machine: Machine, same: bool) -> None:
    machine.the_neighbour_wishes(same, CHAT, False, "wait")
    machine.promises_are_kept()
    machine.the_neighbour_deletes(CHAT, "wait")


@pytest.mark.parametrize("same", [False, True], ids=["with its own id", "with the same id"])
def test_what_we_delete_is_not_another_clusters(machine: Machine, same: bool) -> None:
    machine.the_neighbour_wishes(same, CODE, False, "wait")
    machine.a_user_creates(CODE, SERVES, "wait")
    machine.promises_are_kept()
    machine.a_user_deletes(1, "wait")
