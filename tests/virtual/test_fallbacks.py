"""Hardware that is not to be had, and the fallbacks: tried before the first service, and never after it."""

import pytest

from fireworks_operator.controller.accounts.accounts import Limits
from fireworks_operator.controller.controller import SLOTS
from testkit.stories.team import Json
from tests.virtual.stage import Stage
from tests.virtual.team import Team, holds

H100, H200, B200 = "NVIDIA_H100_80GB", "NVIDIA_H200_141GB", "NVIDIA_B200_180GB"
AFTER = 900
"""Seconds that a new deployment waits for GPUs, unless its spec says otherwise."""
COLD = 3600
"""Seconds for which a choice that was given up is not tried again."""
ONE = [{"acceleratorType": H200}]
TWO = [*ONE, {"acceleratorType": B200}]


def _deployment(team: Team) -> Json:
    found = team.deployments()
    assert len(found) == 1, found
    return found[0]


def _choice(team: Team, name: str = "chat") -> Json:
    found: Json = team.status(name).get("choice", {})
    return found


def _never_degraded(team: Team, name: str = "chat", since: int = 0) -> bool:
    return all(holds(each, "Stalled") != "True" for each in team.versions(name, since) if each.get("status"))


@pytest.mark.parametrize("status", ["429", "403", "400"])
def test_a_refused_quota_moves_on_at_once_and_says_so(team: Team, status: str) -> None:
    team.simulator.assume(quota_status=status)
    team.simulator.quota("global--h100-count", 0)
    team.create(fallbacks=ONE)
    team.until_ready()
    assert _deployment(team)["acceleratorType"] == H200
    choice = _choice(team)
    assert (choice["index"], choice["acceleratorType"]) == (1, H200)
    assert [(each["index"], each["hardware"], each["reason"]) for each in choice["givenUp"]] == [
        (0, H100, "QuotaExceeded")
    ]
    assert [each.committed for each in team.posts()] == [False, True]
    assert ("Normal", "FallingBack") in team.happened()
    assert _never_degraded(team), "it is progress, not trouble"


def test_an_invalid_spec_does_not_move_on(team: Team) -> None:
    team.create(fallbacks=ONE, precision="NO_SUCH_PRECISION")
    team.until("chat", "Stalled", "True", "RejectedByFireworks")
    team.wait(AFTER + 60)
    assert "choice" not in team.status()
    assert {each.body["acceleratorType"] for each in team.posts() if isinstance(each.body, dict)} == {H100}


def test_a_deployment_that_waits_for_gpus_too_long_is_replaced(team: Team) -> None:
    team.simulator.stage(outcome="stockout", accelerator=H100)
    team.create(fallbacks=ONE)
    began = team.stage.now()
    team.until("chat", "Ready", "False", "CapacityPending", within=300)
    told = ("Normal", "FallingBack")
    team.eventually(lambda: told in team.happened(), "it falls back", within=AFTER)
    assert AFTER - 2 <= team.stage.now() - began <= AFTER + 10
    team.until_ready()
    assert _deployment(team)["acceleratorType"] == H200
    assert team.methods() == ["POST", "DELETE", "POST"]
    assert _choice(team)["givenUp"][0]["reason"] == "CapacityPending"
    assert "replaces" not in _choice(team)
    assert _never_degraded(team)
    team.stage.restart()
    version = team.get()["metadata"]["resourceVersion"]
    team.wait(2 * COLD)
    assert team.get()["metadata"]["resourceVersion"] == version, "and there it stays"
    assert team.methods() == ["POST", "DELETE", "POST"]


def test_what_others_have_found_out_is_skipped_for_an_hour(team: Team) -> None:
    team.simulator.quota("global--h100-count", 0)
    team.create("first", fallbacks=ONE)
    team.until_ready("first")
    team.create("second", fallbacks=TWO)
    team.until_ready("second")
    assert len(team.posts()) == 3, "H100 was asked for once"
    assert _choice(team, "second")["givenUp"][0]["reason"] == "Skipped"
    assert any("no GPUs within the last hour" in each.message for each in team.events("second")), "it says so"
    team.create("small", acceleratorCount=1, placement={"multiRegion": "US"}, fallbacks=ONE)
    team.until_ready("small")
    assert "choice" not in team.status("small"), "another place was not tried yet"
    team.wait(COLD)
    team.simulator.quota("global--h100-count", 8)
    team.create("later", fallbacks=ONE)
    team.until_ready("later")
    assert "choice" not in team.status("later")


FIFTY = tuple(f"chat-{number}" for number in range(50))


def test_fifty_resources_without_quota_settle_on_the_second_choice_with_few_requests(team: Team) -> None:
    team.simulator.quota("global--h100-count", 0)
    team.create_at_once(*FIFTY, fallbacks=ONE)
    team.eventually(lambda: all(holds(team.get(each), "Ready") == "True" for each in FIFTY), "all serve", within=600)
    assert {each["acceleratorType"] for each in team.deployments()} == {H200}
    assert len(team.deployments()) == 50
    refused = [each for each in team.posts() if not each.committed]
    assert len(refused) <= SLOTS, "no more than were under way before the first answer"
    assert len(team.posts()) - len(refused) == 50
    assert all(_never_degraded(team, each) for each in FIFTY)


def test_fifty_resources_without_stock_settle_on_the_second_choice_with_two_creations_each(team: Team) -> None:
    team.simulator.stage(outcome="stockout", accelerator=H100)
    team.create_at_once(*FIFTY, fallbacks=ONE, disableAutoDeploy=True)
    team.eventually(lambda: len(team.deployments()) == 50, "all wait", within=600)
    team.eventually(
        lambda: all(holds(team.get(each), "Ready") == "True" for each in FIFTY), "all serve", within=AFTER + 600
    )
    assert {each["acceleratorType"] for each in team.deployments()} == {H200}
    assert len(team.posts()) == 100
    assert len(team.simulator.journal(method="DELETE")) == 50
    assert all(_never_degraded(team, each) for each in FIFTY)
    team.wait(COLD)
    assert len(team.posts()) == 100


def test_what_has_served_is_never_touched(team: Team) -> None:
    team.create(fallbacks=ONE, minReplicaCount=1)
    team.until_ready()
    team.simulator.edit(team.deployment_id(), stockedOut=True, lostReplicas=1)
    team.until("chat", "Ready", "False", "CapacityPending", within=300)
    team.wait(2 * AFTER)
    team.stage.restart()
    team.wait(3 * COLD)
    assert team.methods() == ["POST"]
    assert "choice" not in team.status()


def test_a_status_that_was_lost_leaves_alone_what_waits_since_nobody_knows_whether_it_served(team: Team) -> None:
    team.create(fallbacks=ONE, minReplicaCount=1)
    team.until_ready()
    team.simulator.edit(team.deployment_id(), stockedOut=True, lostReplicas=1)
    team.until("chat", "Ready", "False", "CapacityPending", within=300)
    team.stage.server.put_status(team.ref("chat"), {"observedGeneration": -1})
    team.stage.restart()
    team.wait(3 * COLD)
    assert team.methods() == ["POST"]


def test_a_status_that_was_lost_is_found_again_by_what_runs(team: Team) -> None:
    team.simulator.quota("global--h100-count", 0)
    team.create(fallbacks=TWO)
    team.until_ready()
    team.stage.server.put_status(team.ref("chat"), {"observedGeneration": -1})
    team.stage.restart()
    team.until_ready()
    assert _choice(team)["index"] == 1
    assert [each.committed for each in team.posts()] == [False, True]


def test_an_adopted_deployment_is_never_replaced(team: Team) -> None:
    team.simulator.stage(outcome="stockout")
    team.simulator.create_foreign(prefix="old", acceleratorType=H100)
    team.simulator.edit("old-0", stockedOut=True, lostReplicas=1)
    team.create(deploymentId="old-0", adoptionPolicy="Unowned", fallbacks=ONE)
    team.until("chat", "Ready", "False", "CapacityPending", within=300)
    team.wait(3 * COLD)
    assert team.simulator.journal(method="DELETE") == []
    assert "choice" not in team.status()


def test_when_all_is_refused_it_says_what_was_tried_and_asks_rarely(team: Team) -> None:
    for kind in ("h100", "h200", "b200"):
        team.simulator.quota(f"global--{kind}-count", 0)
    team.create(fallbacks=TWO)
    resource = team.until("chat", "Stalled", "True", "QuotaExceeded", says="Tried: ")
    message = next(each["message"] for each in resource["status"]["conditions"] if each["type"] == "Stalled")
    assert all(f"{each} (QuotaExceeded)" in message for each in (H100, H200, B200)), message
    team.wait(COLD - 60)
    assert len(team.posts()) <= 4 + 2, "the first after 1, 5 and 15 minutes, the others once an hour"
    assert holds(team.get(), "Stalled") == "True"
    team.wait(3 * COLD)
    assert len(team.posts()) <= 4 * (4 + 2)
    team.simulator.quota("global--b200-count", 8)
    team.until_ready(within=2 * COLD)
    assert _deployment(team)["acceleratorType"] == B200


def test_when_nobody_has_gpus_it_keeps_its_place_in_line_and_tries_again_after_an_hour(team: Team) -> None:
    team.simulator.stage(outcome="stockout")
    team.create(fallbacks=ONE, fallbackAfter="5m")
    team.eventually(lambda: _choice(team).get("index") == 1, "the second", within=400)
    team.until("chat", "Ready", "False", "CapacityPending", says=f"Tried: {H100} (CapacityPending)", within=300)
    team.wait(COLD - 600)
    assert team.methods() == ["POST", "DELETE", "POST"]
    team.eventually(lambda: _choice(team).get("index") == 0, "the first again", within=1800)
    team.wait(3 * COLD)
    assert len(team.posts()) <= 2 + 2 * 4, "each of them at most once an hour"
    assert _never_degraded(team)
    assert len(team.deployments()) == 1
    team.simulator.clear_stages()
    team.until_ready()


def test_paused_nothing_is_given_up(team: Team) -> None:
    team.simulator.stage(outcome="stockout", accelerator=H100)
    team.create(fallbacks=ONE)
    team.until("chat", "Ready", "False", "CapacityPending", within=300)
    team.change(paused=True)
    team.until("chat", "Stalled", "True", "Paused", says="Choose", within=AFTER + 60)
    assert team.methods() == ["POST"]
    team.change(paused=None)
    team.until_ready()
    assert _deployment(team)["acceleratorType"] == H200


def test_a_new_list_starts_over_before_the_first_service(team: Team) -> None:
    team.simulator.stage(outcome="stockout")
    team.create(fallbacks=ONE, fallbackAfter="5m")
    team.eventually(lambda: _choice(team).get("index") == 1, "the second", within=400)
    team.until("chat", "Ready", "False", "CapacityPending", within=300)
    team.simulator.stage(accelerator=B200)
    team.change(fallbacks=[{"acceleratorType": B200}])
    team.until_ready()
    assert _deployment(team)["acceleratorType"] == B200
    assert _choice(team)["index"] == 1
    assert len(team.deployments()) == 1


def test_without_fallbacks_any_more_it_goes_back_to_the_spec_before_the_first_service(team: Team) -> None:
    team.simulator.stage(outcome="stockout")
    team.create(fallbacks=ONE, fallbackAfter="5m")
    team.eventually(lambda: _choice(team).get("index") == 1, "the second", within=400)
    team.until("chat", "Ready", "False", "CapacityPending", within=300)
    team.change(fallbacks=None)
    team.eventually(lambda: _choice(team).get("index") == 0, "the first", within=60)
    team.eventually(lambda: _deployment(team)["acceleratorType"] == H100, "H100 again", within=60)
    team.wait(3 * COLD)
    assert len(team.posts()) == 3


def test_what_serves_on_a_fallback_stays_whatever_becomes_of_the_list(team: Team) -> None:
    team.simulator.quota("global--h100-count", 0)
    team.create(fallbacks=ONE)
    team.until_ready()
    team.change(fallbacks=None)
    team.until_ready()
    team.change(fallbacks=[{"acceleratorType": B200}], displayName="New")
    team.until_ready()
    assert _deployment(team)["acceleratorType"] == H200
    assert _deployment(team)["displayName"] == "New"
    team.change(acceleratorType=B200, fallbacks=None)
    team.until("chat", "Stalled", "True", "ReplaceRequired", says=H200)
    team.change(acceleratorType=H200)
    team.until_ready()
    assert "choice" not in team.status(), "the spec asks for what runs"
    assert [each.committed for each in team.posts()] == [False, True]
    assert team.simulator.journal(method="DELETE") == []


def test_deleted_half_way_nothing_is_left(team: Team) -> None:
    team.simulator.stage(outcome="stockout")
    team.simulator.timing(deleting=60)
    team.create(fallbacks=ONE, fallbackAfter="5m")
    team.eventually(lambda: "DELETE" in team.methods(), "it is given up", within=400)
    team.delete()
    team.until_gone(within=300)
    assert team.deployments() == []
    assert team.methods() == ["POST", "DELETE"]


def test_a_fallback_that_no_budget_has_room_for_is_skipped_and_what_waits_is_not_given_up_for_it(team: Team) -> None:
    team.limit(gpus=2)
    team.simulator.stage(outcome="stockout", accelerator=H100)
    team.create(acceleratorCount=1, fallbacks=[{"acceleratorType": H200, "acceleratorCount": 4}])
    team.until("chat", "Ready", "False", "CapacityPending", within=300)
    team.wait(2 * AFTER)
    assert team.methods() == ["POST"]
    team.limit(gpus=4)
    team.until_ready(within=900)
    assert _deployment(team)["acceleratorCount"] == 4
    assert team.methods() == ["POST", "DELETE", "POST"]


def test_a_place_may_fall_back_too(team: Team) -> None:
    team.simulator.stage(outcome="stockout", place="EUROPE")
    team.create(placement={"multiRegion": "EUROPE"}, fallbacks=[{"placement": {"multiRegion": "US"}}])
    team.until_ready(within=AFTER + 60)
    assert _deployment(team)["placement"] == {"multiRegion": "US"}
    assert _choice(team)["givenUp"][0]["hardware"] == f"{H100} in EUROPE"


def test_the_default_deployment_of_a_model_waits_until_it_can_be_deleted(team: Team) -> None:
    team.simulator.assume(ignore_checks_covers_default=False)
    team.simulator.stage(outcome="stockout", accelerator=H100)
    team.create(fallbacks=ONE)
    team.until("chat", "Ready", "False", "CapacityPending", within=300)
    team.create("other", acceleratorType=H200)
    team.until_ready("other")
    team.until("chat", "Ready", "False", "FallingBack", says="default deployment", within=AFTER)
    assert holds(team.get(), "Stalled") == "False"
    team.delete("other")
    team.until_gone("other")
    team.until_ready(within=700)
    assert _deployment(team)["acceleratorType"] == H200


def test_who_waits_for_a_turn_at_the_api_does_not_ask_for_what_was_refused_meanwhile() -> None:
    stage = Stage(limits=Limits(rate_per_minute=60.0, burst=4))
    team = Team.begin(stage)
    team.simulator.quota("global--h100-count", 0)
    team.create_at_once(*FIFTY, fallbacks=ONE)
    team.eventually(lambda: all(holds(team.get(each), "Ready") == "True" for each in FIFTY), "all serve", within=1200)
    refused = [each for each in team.posts() if not each.committed]
    assert len(refused) <= 5, "those that were sent before the first answer"
    team.check()
    stage.close()
