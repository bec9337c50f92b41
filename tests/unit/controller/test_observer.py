"""The picture of an account: what of LISTs, GETs and answers to our own writes counts."""

from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import JsonValue

from fireworks_operator.api.conditions import Reason
from fireworks_operator.controller.accounts.observer import (
    LAG_PATIENCE,
    STALE_AFTER,
    WORDS_LAST,
    AddonListing,
    Listing,
    Observer,
)
from fireworks_operator.core.diagnosis import Diagnosis
from fireworks_operator.core.identity import TAG_ADOPTED, TAG_RELEASED
from fireworks_operator.core.observed.observation import Absent, Present, Unknown
from fireworks_operator.fireworks.models import DeployedModel, Deployment
from testkit.builders import BORN, NAME, OWNER, a_deployment, an_addon
from tests.unit.controller.fakes import Changes

OTHER = "accounts/acme/deployments/other"
NO_ANSWER = Diagnosis(Reason.API_UNAVAILABLE, "No answer.", needs_user=False)
SUSPENDED = Diagnosis(Reason.ACCOUNT_SUSPENDED, "Suspended.", needs_user=True)


class Scene:
    """An observer, its clock, and what it told."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.changes = Changes()
        self.observer = Observer("acme", self.changes, lambda: self.now)

    def listed(
        self,
        *deployments: Deployment,
        began: float | None = None,
        unreadable: frozenset[str] = frozenset(),
    ) -> None:
        """Take in a LIST that began at a time, by default now."""
        started = self.now if began is None else began
        self.observer.listed(Listing(started, {each.name: each for each in deployments}, unreadable))

    def addons_listed(self, *addons: DeployedModel, began: float | None = None) -> None:
        """Take in a LIST of what is loaded into the deployment."""
        started = self.now if began is None else began
        self.observer.addons_listed(AddonListing(started, {NAME: addons} if addons else {}))

    def observe(self, name: str = NAME) -> object:
        return self.observer.observe(name, with_addons=False)

    def news(self) -> list[frozenset[str] | None]:
        """Return what was told since the last call."""
        told, self.changes.told = self.changes.told, []
        return told


@pytest.fixture
def scene() -> Scene:
    return Scene()


READY = a_deployment()
CREATING = a_deployment(state="CREATING")
BLUE = a_deployment(displayName="blue", updateTime=(BORN + timedelta(minutes=1)).isoformat())


SUCCESSOR = f"{NAME}-successor"
YOUNGER = (BORN + timedelta(days=1)).isoformat()
IDLE: JsonValue = {"readyReplicaCount": 0}


@pytest.mark.parametrize(
    ("listed", "expected", "reason"),
    [
        ([], None, "There is none."),
        ([{"name": SUCCESSOR}], SUCCESSOR, "The one of the name is gone, and another one has its marker."),
        ([{"name": SUCCESSOR}, {}], None, "The one of the name is alive."),
        ([{"name": SUCCESSOR}, {"state": "DELETED"}], SUCCESSOR, "It is deleted."),
        ([{"name": SUCCESSOR, "state": "DELETING"}], None, "The other one goes as well."),
        ([{"name": OTHER, "createTime": YOUNGER}, {"name": SUCCESSOR}], SUCCESSOR, "The oldest of two."),
        ([{"name": OTHER}, {"name": SUCCESSOR, "replicaStats": IDLE}], OTHER, "The one that serves."),
        ([{"name": SUCCESSOR, "annotations": {}}], None, "It is nobody's."),
        (
            [{"name": SUCCESSOR, "annotations": {**OWNER.marker(), TAG_RELEASED: "true"}}],
            None,
            "An operator has let go of it.",
        ),
        (
            [{"name": SUCCESSOR, "annotations": replace(OWNER, name="other").marker()}],
            None,
            "It is another resource's.",
        ),
        (
            [{"name": SUCCESSOR, "annotations": replace(OWNER, uid="kube-system/2").marker()}],
            None,
            "Another cluster has the same id.",
        ),
    ],
)
def test_what_stands_in_for_a_deployment_that_has_ended(
    scene: Scene, listed: list[dict[str, JsonValue]], expected: str | None, reason: str
) -> None:
    here = replace(OWNER, uid="kube-system/1")
    assert scene.observer.heir(here, NAME) is None, "nothing is listed yet"
    scene.listed(*(a_deployment(**each) for each in listed))
    assert scene.observer.heir(here, NAME) == expected, reason
    scene.listed()
    assert scene.observer.heir(here, NAME) is None, "the next LIST counts"


def test_what_another_life_of_the_cluster_has_marked_stands_in_too(scene: Scene) -> None:
    scene.listed(a_deployment(name=SUCCESSOR, annotations={**replace(OWNER, uid="kube-system/2").marker()}))
    here = replace(OWNER, uid="kube-system/1")
    assert scene.observer.heir(here, NAME, ("2",)) == SUCCESSOR


@pytest.mark.parametrize(
    ("other", "expected", "reason"),
    [
        ({}, [SUCCESSOR], "It was created for the resource."),
        ({"state": "DELETED"}, [], "It is deleted."),
        ({"annotations": {**OWNER.marker(), TAG_ADOPTED: "true"}}, [], "It was adopted."),
        ({"annotations": OWNER.marker()}, [], "Nobody knows whether it was."),
        ({"annotations": {**OWNER.marker(), TAG_ADOPTED: "false", TAG_RELEASED: "true"}}, [], "It was let go."),
    ],
)
def test_what_was_left_beside_the_deployment_of_a_resource(
    scene: Scene, other: dict[str, JsonValue], expected: list[str], reason: str
) -> None:
    created: dict[str, JsonValue] = {"annotations": {**OWNER.marker(), TAG_ADOPTED: "false"}}
    assert scene.observer.leftovers(OWNER, NAME) == [], "nothing is listed yet"
    scene.listed(a_deployment(**created), a_deployment(**{"name": SUCCESSOR, **created, **other}))
    assert scene.observer.leftovers(OWNER, NAME) == expected, reason


def test_what_was_just_deleted_is_not_left_though_the_list_has_it(scene: Scene) -> None:
    marker = {**OWNER.marker(), TAG_ADOPTED: "false"}
    scene.listed(a_deployment(), a_deployment(name=SUCCESSOR, annotations={**marker}))
    scene.observer.wrote(SUCCESSOR)
    assert scene.observer.leftovers(OWNER, NAME) == []


def test_what_was_just_seen_to_be_anothers_is_not_left_though_the_list_says_so(scene: Scene) -> None:
    """Or it is taken up and let go of in turn, as fast as the operator can, until the next LIST."""
    marker = {**OWNER.marker(), TAG_ADOPTED: "false"}
    scene.listed(a_deployment(), a_deployment(name=SUCCESSOR, annotations={**marker}))
    given = a_deployment(name=SUCCESSOR, annotations={**marker, **replace(OWNER, cluster="another").marker()})
    scene.observer.learn(SUCCESSOR, Present(given), asked=scene.now)
    assert scene.observer.leftovers(OWNER, NAME) == []


def test_before_the_first_list_nothing_is_known(scene: Scene) -> None:
    assert scene.observe() == Unknown()


def test_a_list_tells_what_is_there_and_that_the_rest_is_not_in_it(scene: Scene) -> None:
    scene.listed(READY)
    assert scene.observe() == Present(READY)
    assert scene.observe(OTHER) == Absent(confirmed=False)


def test_an_entry_that_cannot_be_read_is_unknown_not_gone(scene: Scene) -> None:
    scene.listed(READY)
    scene.listed(unreadable=frozenset({NAME}))
    assert scene.observe() == Unknown(unreadable=True)


def test_a_list_begun_before_the_end_of_our_write_does_not_count(scene: Scene) -> None:
    scene.listed(READY)
    scene.now += 10
    scene.observer.wrote(NAME)
    assert scene.observe() == Unknown()
    scene.listed(READY, began=scene.now - 1)
    assert scene.observe() == Unknown()
    assert scene.observe(OTHER) == Absent()
    scene.now += 1
    scene.listed(BLUE)
    assert scene.observe() == Present(BLUE)


def test_a_list_begun_at_the_very_end_of_our_write_does_not_count(scene: Scene) -> None:
    scene.listed(READY)
    scene.now += 10
    scene.observer.wrote(NAME)
    scene.listed(READY)
    assert scene.observe() == Unknown()
    scene.now += 0.001
    scene.listed(BLUE)
    assert scene.observe() == Present(BLUE)


def test_the_answer_to_our_write_counts_until_a_later_list(scene: Scene) -> None:
    scene.listed(READY)
    scene.now += 10
    scene.observer.wrote(NAME)
    scene.observer.learn(NAME, Present(BLUE), asked=scene.now)
    assert scene.observe() == Present(BLUE)
    scene.listed(READY, began=scene.now - 5)
    assert scene.observe() == Present(BLUE)


def test_an_answer_asked_for_before_our_write_does_not_count(scene: Scene) -> None:
    scene.listed(READY)
    scene.now += 10
    asked, scene.now = scene.now, scene.now + 2
    scene.observer.wrote(NAME)
    scene.observer.learn(NAME, Present(READY), asked=asked)
    assert scene.observe() == Unknown()


def test_an_answer_heard_before_our_write_counts_no_longer_after_it(scene: Scene) -> None:
    scene.listed(READY)
    scene.now += 5
    scene.observer.learn(NAME, Present(READY), asked=scene.now)
    scene.now += 5
    scene.observer.wrote(NAME)
    assert scene.observe() == Unknown()


def test_a_list_that_lags_is_ignored_for_two_minutes(scene: Scene) -> None:
    scene.listed(READY)
    scene.observer.wrote(NAME)
    scene.observer.learn(NAME, Present(BLUE), asked=scene.now)
    scene.now += LAG_PATIENCE
    scene.listed(READY)
    assert scene.observe() == Present(BLUE)
    scene.now += 1
    scene.listed(READY)
    assert scene.observe() == Present(READY)


def test_a_list_that_lacks_what_we_were_told_may_be_right(scene: Scene) -> None:
    scene.listed(READY)
    scene.observer.learn(NAME, Present(BLUE), asked=scene.now)
    scene.now += 1
    scene.listed()
    assert scene.observe() == Absent(confirmed=False)


def test_a_404_is_confirmed_only_in_the_pass_that_asked(scene: Scene) -> None:
    scene.listed(READY)
    scene.now += 1
    scene.observer.learn(NAME, Absent(confirmed=True), asked=scene.now)
    assert scene.observe() == Absent(confirmed=False)


def test_a_failed_list_keeps_the_picture_for_ten_minutes(scene: Scene) -> None:
    scene.listed(READY)
    scene.observer.failed(NO_ANSWER)
    scene.now += STALE_AFTER
    assert scene.observe() == Present(READY)
    scene.now += 1
    assert scene.observe() == Unknown()


def test_a_picture_without_trouble_stands_however_long_the_next_list_takes(scene: Scene) -> None:
    scene.listed(READY)
    scene.now += 10 * STALE_AFTER
    assert scene.observe() == Present(READY)
    assert scene.observe(OTHER) == Absent()


def test_an_answer_is_forgotten_after_ten_minutes_without_a_list(scene: Scene) -> None:
    scene.observer.learn(NAME, Present(READY), asked=scene.now)
    scene.now += STALE_AFTER
    assert scene.observe() == Present(READY)
    scene.now += 1
    assert scene.observe() == Unknown()


def test_a_picture_that_has_become_too_old_is_told_once(scene: Scene) -> None:
    scene.listed(READY)
    scene.observer.failed(NO_ANSWER)
    scene.news()
    for _ in range(20):
        scene.now += 60
        scene.observer.failed(NO_ANSWER)
    assert scene.news() == [None]
    scene.listed(READY)
    scene.observer.failed(NO_ANSWER)
    assert scene.news() == [None, None]


def test_trouble_is_told_when_it_begins_changes_and_ends(scene: Scene) -> None:
    scene.listed(READY)
    assert scene.news() == [None]
    began = scene.now
    scene.observer.failed(NO_ANSWER)
    scene.now += 60
    scene.observer.failed(NO_ANSWER)
    assert scene.news() == [None]
    scene.observer.failed(SUSPENDED)
    assert scene.news() == [None]
    failure = scene.observer.failure
    assert failure is not None
    assert (failure.since, failure.diagnosis) == (began, SUSPENDED)
    scene.listed(READY)
    assert scene.news() == [None]
    assert scene.observer.failure is None


def test_an_outage_that_says_something_else_each_time_is_told_every_five_minutes(scene: Scene) -> None:
    scene.listed(READY)
    scene.news()
    taken = 0
    for count in range(100):
        taken += scene.observer.failed(replace(NO_ANSWER, message=f"No answer to {chr(ord('a') + count % 26)}{count}."))
        scene.now += 3
    assert scene.news() == [None], "one outage"
    assert taken == 1
    assert scene.observer.failed(replace(NO_ANSWER, message="No answer to the last."))
    assert scene.observer.failure is not None
    assert scene.observer.failure.diagnosis.message == "No answer to the last."
    assert scene.news() == [None], "what is said is not from the day before yesterday"


def test_an_outage_that_takes_turns_with_a_suspension_is_told_as_the_graver_of_both(scene: Scene) -> None:
    scene.listed(READY)
    scene.news()
    for _ in range(50):
        scene.observer.failed(NO_ANSWER)
        scene.now += 2
        scene.observer.failed(SUSPENDED)
        scene.now += 2
    assert scene.news() == [None, None]
    assert scene.observer.failure is not None
    assert scene.observer.failure.diagnosis == SUSPENDED
    scene.now += WORDS_LAST
    scene.observer.failed(NO_ANSWER)
    assert scene.observer.failure.diagnosis == NO_ANSWER, "it is said no longer than that"


def test_an_outage_that_begins_anew_is_told_at_once(scene: Scene) -> None:
    for message in ("No answer.", "No route."):
        scene.listed(READY)
        scene.news()
        assert scene.observer.failed(replace(NO_ANSWER, message=message))
        assert scene.news() == [None]


def test_addons_that_cannot_be_listed_for_ever_new_reasons_are_told_every_five_minutes(scene: Scene) -> None:
    scene.observer.want_addons("team-a/chat", NAME)
    for count in range(100):
        scene.observer.addons_failed(replace(NO_ANSWER, message=f"No answer to {count}."))
        scene.now += 3
    assert scene.news() == [frozenset({NAME})]
    assert scene.observer.addons_failed(replace(NO_ANSWER, message="No route."))
    assert scene.news() == [frozenset({NAME})]


def test_only_what_looks_different_is_told(scene: Scene) -> None:
    other = a_deployment(name=OTHER)
    scene.listed(READY, other)
    scene.news()
    scene.listed(READY, other)
    assert scene.news() == []
    scene.listed(BLUE, other)
    assert scene.news() == [frozenset({NAME})]
    scene.listed(BLUE)
    assert scene.news() == [frozenset({OTHER})]
    scene.listed(BLUE, unreadable=frozenset({OTHER}))
    assert scene.news() == [frozenset({OTHER})]
    scene.listed(BLUE, unreadable=frozenset({OTHER}))
    assert scene.news() == []


def test_who_got_no_answer_is_told_of_the_next_list_also_if_it_shows_no_change(scene: Scene) -> None:
    scene.listed(READY)
    scene.now += 1
    scene.observer.wrote(NAME)
    assert scene.observe() == Unknown()
    scene.news()
    scene.now += 1
    scene.listed(READY)
    assert scene.news() == [frozenset({NAME})]
    scene.listed(READY)
    assert scene.news() == []


def test_who_was_shown_an_answer_is_told_when_the_list_does_not_follow(scene: Scene) -> None:
    scene.listed(READY)
    scene.observer.learn(NAME, Present(BLUE), asked=scene.now)
    scene.news()
    scene.now += LAG_PATIENCE + 1
    scene.listed(READY)
    assert scene.news() == [frozenset({NAME})]


def test_who_was_shown_an_answer_of_the_very_moment_of_a_list_is_told_when_the_next_does_not_follow(
    scene: Scene,
) -> None:
    scene.listed(READY)
    scene.observer.learn(NAME, Present(BLUE), asked=scene.now)
    scene.news()
    scene.now += LAG_PATIENCE - 1
    scene.listed(READY)
    assert scene.news() == [frozenset({NAME})]


@pytest.mark.parametrize("answer", [Present(a_deployment(state="DELETED")), Absent(confirmed=True)])
def test_who_was_shown_that_it_is_deleted_is_told_when_it_is_listed_again(
    scene: Scene, answer: Present | Absent
) -> None:
    scene.listed()
    scene.now += 1
    scene.observer.learn(NAME, answer, asked=scene.now)
    scene.news()
    for _ in range(10):
        scene.now += 60
        scene.listed()
    assert scene.news() == [], "lists never hold what is deleted"
    scene.listed(READY)
    assert scene.news() == [frozenset({NAME})]


def test_addons_are_listed_only_when_somebody_wants_them(scene: Scene) -> None:
    scene.listed(READY)
    wanted = [scene.observer.addons_wanted]
    scene.observer.want_addons("team-a/chat", NAME)
    assert scene.observer.observe(NAME, with_addons=True) == Present(READY, None)
    assert [*wanted, scene.observer.addons_wanted] == [False, True]
    scene.news()
    scene.addons_listed()
    assert scene.news() == [frozenset({NAME})]
    assert scene.observer.observe(NAME, with_addons=True) == Present(READY, ())
    scene.addons_listed(an_addon())
    assert scene.news() == [frozenset({NAME})]
    assert scene.observer.observe(NAME, with_addons=True) == Present(READY, (an_addon(),))
    scene.addons_listed(an_addon())
    assert scene.news() == []


def test_addons_are_wanted_for_as_long_as_any_resource_wants_them(scene: Scene) -> None:
    scene.observer.want_addons("team-a/chat", NAME)
    scene.observer.want_addons("team-b/chat", OTHER)
    scene.observer.unwant_addons("team-a/chat")
    scene.observer.addons_failed(NO_ANSWER)
    wanted = [scene.observer.addons_wanted]
    scene.observer.want_addons("team-b/chat", NAME)
    scene.observer.unwant_addons("team-b/chat", OTHER)
    assert scene.observer.addons_wanted, "of the other one of its two deployments"
    scene.observer.unwant_addons("team-b/chat", NAME)
    assert [*wanted, scene.observer.addons_wanted] == [True, False]
    assert scene.observer.addons_failure is None, "nobody is in trouble"


def test_addons_that_cannot_be_listed_are_unknown_and_told_once_to_those_who_want_them(scene: Scene) -> None:
    scene.listed(READY, a_deployment(name=OTHER))
    scene.observer.want_addons("team-a/chat", NAME)
    scene.addons_listed(an_addon())
    scene.news()
    for _ in range(3):
        scene.observer.addons_failed(NO_ANSWER)
        scene.now += 60
    assert scene.news() == [frozenset({NAME})]
    assert scene.observer.observe(NAME, with_addons=True) == Present(READY, None)
    assert scene.observe(OTHER) == Present(a_deployment(name=OTHER))
    assert scene.observer.failure is None
    scene.addons_listed(an_addon())
    assert scene.news() == [frozenset({NAME})]
    assert scene.observer.observe(NAME, with_addons=True) == Present(READY, (an_addon(),))


def test_addons_listed_before_our_write_do_not_count(scene: Scene) -> None:
    scene.observer.want_addons("team-a/chat", NAME)
    scene.listed(READY)
    scene.addons_listed(an_addon())
    scene.now += 1
    scene.observer.wrote(NAME)
    scene.observer.learn(NAME, Present(READY), asked=scene.now)
    assert scene.observer.observe(NAME, with_addons=True) == Present(READY, None)
    scene.now += 1
    scene.listed(READY)
    assert scene.observer.observe(NAME, with_addons=True) == Present(READY, None), "not the addons from before either"
    scene.news()
    scene.addons_listed(an_addon(), began=scene.now)
    assert scene.news() == [frozenset({NAME})], "who was told nothing waits for it, though it shows no change"
    assert scene.observer.observe(NAME, with_addons=True) == Present(READY, (an_addon(),))


def test_a_new_resource_of_an_old_name_does_not_take_the_list_from_before_for_the_truth(scene: Scene) -> None:
    scene.listed(READY)
    scene.now += 1
    scene.observer.wrote(NAME)
    scene.observer.learn(NAME, Present(BLUE), asked=scene.now)
    scene.observer.forget(NAME)
    assert scene.observe() == Unknown()


def test_a_deployment_that_a_list_under_way_while_it_was_created_shows_ready_is_told_by_the_next_list(
    scene: Scene,
) -> None:
    scene.listed()
    scene.now += 1.0
    began = scene.now
    scene.now += 1.0
    scene.observer.wrote(NAME)
    scene.observer.learn(NAME, Present(CREATING), asked=scene.now)
    scene.now += 1.0
    scene.listed(READY, began=began)
    assert scene.observe() == Present(CREATING), "that LIST began before the end of the write and does not count"
    scene.news()
    scene.now += 1.0
    scene.listed(READY)
    assert scene.news() == [frozenset({NAME})], "nothing has changed from LIST to LIST, but from what was known"
    assert scene.observe() == Present(READY)
    scene.now += 1.0
    scene.listed(READY)
    assert scene.news() == []
