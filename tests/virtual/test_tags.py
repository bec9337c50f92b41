"""Tags of the spec: there from the first moment on, put back when they are changed, and others' left alone."""

import pytest

from fireworks_operator.core.identity import MANAGED_BY
from tests.virtual.team import Json, Team, condition, holds, pauses

AT_REST = 66.0
"""Seconds until the next poll of an account at rest, at most."""
SPACING = 30.0
"""Seconds between two changes for the same spec, at least."""
TAGS = {"team": "search", "environment": "production"}


def tags(team: Team) -> dict[str, str]:
    """Return the tags of the team's deployment, those of the operator aside."""
    ours = {f"custom/{each}" for each in ("managed-by", "cluster", "cluster-uid", "namespace", "name", "adopted")}
    found = team.deployment()["annotations"]
    return {key.removeprefix("custom/"): value for key, value in found.items() if key not in ours}


def by_hand(team: Team, /, **tags: str | None) -> None:
    """Set and remove tags as the console does."""
    name = team.status()["deploymentName"]
    given = {f"custom/{key}": value for key, value in tags.items() if value is not None}
    gone = [f"custom/{key}" for key, value in tags.items() if value is None]
    for verb, body in (("setTags", {"tags": given}), ("deleteTags", {"keys": gone})):
        if given if verb == "setTags" else gone:
            status, answer = team.ask(f"/v1/{name}:{verb}", body)
            assert status == 200, answer


def test_tags_are_set_by_the_create_request_itself(team: Team) -> None:
    team.create(tags=TAGS)
    status = team.until_ready()["status"]
    assert tags(team) == TAGS
    assert team.deployment()["annotations"]["custom/managed-by"] == MANAGED_BY
    assert {"tags.team", "tags.environment"} <= set(status["appliedFields"])
    team.wait(AT_REST)
    assert team.methods() == ["POST"], "what was created needs no correction"


@pytest.mark.parametrize(
    ("change", "after", "requests"),
    [
        ({"team": "ads"}, {"team": "ads", "environment": "production"}, ["setTags"]),
        ({"project": "chat"}, {**TAGS, "project": "chat"}, ["setTags"]),
        ({"environment": None}, {"team": "search"}, ["deleteTags"]),
        ({"team": None, "x": "1"}, {"environment": "production", "x": "1"}, ["deleteTags", "setTags"]),
    ],
    ids=["another value", "one more", "one less", "one for another"],
)
def test_a_change_of_tags_is_sent_as_just_that(team: Team, change: Json, after: Json, requests: list[str]) -> None:
    team.create(tags=TAGS)
    team.until_ready()
    by_hand(team, cost_center="42")
    told = team.told()
    seen = team.seen()
    team.change(tags=change)
    team.until_ready(within=10)
    assert tags(team) == {**after, "cost_center": "42"}, "what the spec never named survives"
    assert team.methods(since=seen) == requests
    assert {holds(each, "Available") for each in team.versions(since=told)} == {"True"}
    team.wait(AT_REST)
    assert team.methods(since=seen) == requests


def test_tags_and_fields_change_one_after_the_other_without_waiting(team: Team) -> None:
    team.create(displayName="Chat", tags=TAGS)
    team.until_ready()
    seen = team.seen()
    team.change(displayName="Talk", tags=None)
    team.until_ready(within=10)
    assert team.methods(since=seen) == ["PATCH", "deleteTags"]
    assert tags(team) == {}


@pytest.mark.parametrize("meddled", [{"team": "theirs"}, {"team": None}, {"team": "theirs", "environment": None}])
def test_tags_that_are_changed_in_the_console_are_put_back(team: Team, meddled: Json) -> None:
    team.create(tags=TAGS)
    team.until_ready()
    team.wait(AT_REST)
    by_hand(team, foreign="kept", **meddled)
    seen = team.seen()
    team.eventually(lambda: team.writes(since=seen), "they are put back", within=AT_REST)
    team.until_ready()
    assert tags(team) == {**TAGS, "foreign": "kept"}
    team.wait(AT_REST)
    assert team.methods(since=seen) == ["setTags"]


def test_whoever_changes_a_tag_again_and_again_gets_no_war_of_requests(team: Team) -> None:
    team.create(tags=TAGS)
    team.until_ready()
    seen = team.seen()

    def meddle() -> bool:
        if tags(team)["team"] == "search":
            by_hand(team, team="theirs")
        return True

    team.steadily(meddle, "they change it again and again", seconds=600)
    sent = [each for each in team.writes(since=seen) if each.path.endswith(":setTags")]
    assert all(each >= SPACING for each in pauses(sent)), pauses(sent)
    assert 1 < len(sent) <= 600 / SPACING


def test_a_tag_that_fireworks_accepts_but_does_not_set_is_named_after_three_times(team: Team) -> None:
    team.create()
    team.until_ready()
    seen = team.seen()

    team.change(tags={"team": "search"})
    for _ in range(3):
        team.eventually(lambda: "team" in tags(team), "it is set")
        by_hand(team, team=None)
    resource = team.until("chat", "Stalled", "True", "NotConverging", says="spec.tags.team (stays not set)")
    assert holds(resource, "Available") == "True"
    assert team.methods(since=seen) == ["setTags"] * 3


def test_tags_that_fireworks_refuses_are_explained_and_set_once_they_are_corrected(team: Team) -> None:
    team.create()
    team.until_ready()
    foreign = {f"foreign-{number}": "x" for number in range(57)}
    by_hand(team, **foreign)
    team.change(tags=dict.fromkeys("abcd", "x"))
    resource = team.until("chat", "Stalled", "True", "RejectedByFireworks", says="at most 64")
    assert (holds(resource, "Ready"), holds(resource, "Available")) == ("False", "True")
    team.wait(30)
    assert len(team.writes()) == 2, "it is not asked again and again"
    team.change(tags={"b": None, "c": None, "d": None})
    team.until_ready(within=10)
    assert tags(team) == {**foreign, "a": "x"}


@pytest.mark.parametrize(
    ("refused", "says"),
    [
        ({"managed-by": "me"}, 'the key "managed-by", which is reserved'),
        ({"fireworks.ai/released": "true"}, 'the key "fireworks.ai/released", which is reserved'),
        ({"team": "search\u00a0"}, 'a value for "team"'),
        ({"team": "a\u0085b"}, 'a value for "team"'),
        ({"-team": "a"}, 'the key "-team"'),
        ({f"t{number}": "x" for number in range(58)}, "58 entries"),
    ],
    ids=["reserved", "reserved by prefix", "blank at the end", "control character", "key", "too many"],
)
def test_tags_that_cannot_be_are_refused_in_words_before_anything_is_created(
    team: Team, refused: dict[str, str], says: str
) -> None:
    team.create(tags=refused)
    team.until("chat", "Stalled", "True", "InvalidSpec", says=says)
    assert team.writes() == []
    team.change(tags=None)
    team.until_ready()


def test_a_lost_status_has_the_tags_of_the_spec_kept_and_all_others_left_alone(team: Team) -> None:
    team.create(tags={**TAGS, "project": "chat"})
    team.until_ready()
    team.wait(2 * AT_REST)
    team.stage.stop()
    by_hand(team, foreign="kept", team="theirs")
    team.set_status("chat", dict.fromkeys(team.status()))
    team.change(tags={"project": None})
    team.stage.start()
    team.until_ready()
    team.wait(AT_REST)
    assert tags(team) == {**TAGS, "project": "chat", "foreign": "kept"}, "who has set what is no longer known"


def test_a_deployment_that_is_taken_over_gets_the_tags_of_the_spec_and_keeps_its_own(team: Team) -> None:
    team.ask(
        f"/v1/accounts/{team.account}/deployments",
        {
            "baseModel": "accounts/fireworks/models/llama-v3p1-8b-instruct",
            "acceleratorType": "NVIDIA_H100_80GB",
            "minReplicaCount": 1,
            "annotations": {"custom/team": "ads", "custom/foreign": "kept"},
        },
        deploymentId="by-hand",
        acceptShapelessRisk="true",
    )
    team.create(deploymentId="by-hand", adoptionPolicy="Unowned", tags={"team": "search"})
    team.until_ready()
    assert tags(team) == {"team": "search", "foreign": "kept"}
    team.change(tags=None)
    team.until_ready()
    assert tags(team) == {"foreign": "kept"}, "what the spec has set goes with it"


def test_observing_only_tells_and_pausing_withholds(team: Team) -> None:
    team.create(tags=TAGS)
    team.until_ready()
    team.change(paused=True, tags={"team": "ads"})
    resource = team.until("chat", "Stalled", "True", "Paused", says="SetTags")
    assert holds(resource, "Available") == "True"
    team.change(paused=None, managementPolicy="Observe")
    team.until("chat", "Ready", "True")
    assert any("spec.tags.team is ads" in each for each in team.status()["notices"])
    assert tags(team)["team"] == "search"


def test_a_name_that_is_applied_again_without_tags_comes_back_without_those_of_before(team: Team) -> None:
    team.create(tags=TAGS)
    team.until_ready()
    team.delete()
    team.until_gone()
    team.create(tags={"team": "ads"})
    team.until_ready()
    team.wait(AT_REST)
    assert tags(team) == {"team": "ads"}, "cost goes to whom the spec names"


def test_what_is_let_go_keeps_its_tags(team: Team) -> None:
    team.create(tags=TAGS, deletionPolicy="Retain")
    team.until_ready()
    team.delete()
    team.until_gone()
    assert tags(team) == {**TAGS, "released": "true"}
    assert condition(team.find(), "Ready") == {}
