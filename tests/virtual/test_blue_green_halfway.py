"""BlueGreen, and what users do half-way, in each phase: one deployment always serves, never three, nothing is left."""

from collections.abc import Callable

import pytest

from testkit.stories.addons import add_models, addons, last
from tests.virtual.replacing import (
    B200,
    BEFORE,
    BLUE_GREEN,
    DRAIN,
    H100,
    H200,
    HOUR,
    PHASES,
    Witness,
    discarding,
    during,
    existing,
    is_serving,
    reach,
    replacement,
    serve,
    short,
    until_alone,
)
from tests.virtual.team import Team, condition, holds

BY_FORCE = {"type": "Recreate", "ignoreChecks": True}
SOON_GONE = 120.0
"""Seconds within which a successor that is not wanted is gone: it costs money, and nobody uses it."""
AFTER = [each for each in PHASES if each not in BEFORE]


def begin(team: Team, **spec: object) -> Witness:
    """Have a deployment with an addon serve, and be replaced."""
    add_models(team)
    witness = serve(team, addons=addons("tone"), **spec)
    team.until("chat", "AddonsReady", "True")
    team.change(acceleratorType=H200)
    return witness


def addons_of(team: Team, name: str) -> list[str]:
    """Return what is loaded on a deployment, its base model aside."""
    base = existing(team)[name]["baseModel"]
    found = team.simulator.deployed_models()
    return [last(str(each["model"])) for each in found if each["deployment"] == name and each["model"] != base]


# --- the spec -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", BEFORE)
def test_the_old_value_put_back_discards_the_successor(team: Team, phase: str) -> None:
    begin(team)
    former = team.status()["deploymentName"]
    during(team, BEFORE[phase], lambda: team.change(acceleratorType=H100))
    resource = until_alone(team, within=SOON_GONE)
    assert resource["status"]["deploymentName"] == former
    assert addons_of(team, former) == ["tone"]
    assert len(team.posts()) <= 2


@pytest.mark.parametrize("phase", AFTER)
def test_the_old_value_put_back_after_the_switch_ends_with_the_old_value(team: Team, phase: str) -> None:
    begin(team)
    former = team.status()["deploymentName"]
    during(team, PHASES[phase], lambda: team.change(acceleratorType=H100))
    resource = until_alone(team)
    assert team.deployment()["acceleratorType"] == H100
    assert addons_of(team, resource["status"]["deploymentName"]) == ["tone"]
    if phase == "draining":
        assert resource["status"]["deploymentName"] == former, "it still serves, and so it is called back"
        assert len(team.posts()) == 2


@pytest.mark.parametrize("phase", PHASES)
def test_another_spec_half_way_is_what_serves_in_the_end(team: Team, phase: str) -> None:
    witness = begin(team)
    during(team, PHASES[phase], lambda: team.change(acceleratorType=B200))
    resource = until_alone(team)
    assert team.deployment()["acceleratorType"] == B200
    assert addons_of(team, resource["status"]["deploymentName"]) == ["tone"]
    assert witness.most == 2


@pytest.mark.parametrize("policy", [None, {"type": "Never"}, BY_FORCE], ids=["none", "Never", "Recreate"])
@pytest.mark.parametrize("phase", BEFORE)
def test_another_policy_before_the_switch_discards_the_successor(team: Team, phase: str, policy: object) -> None:
    witness = begin(team)
    recreates = policy == BY_FORCE
    witness.stalls = {"ReplaceRequired"}
    former = team.status()["deploymentName"]

    def change() -> None:
        witness.serves = not recreates
        team.change(replacePolicy=None)
        team.change(replacePolicy=policy)

    during(team, BEFORE[phase], change)
    if recreates:
        until_alone(team)
        assert team.deployment()["acceleratorType"] == H200
    else:
        team.until("chat", "Stalled", "True", "ReplaceRequired", within=SOON_GONE)
        team.eventually(lambda: set(existing(team)) == {former}, "the successor goes", within=SOON_GONE)
        team.wait(HOUR)
        assert replacement(team) == {}
        assert set(existing(team)) == {former}


@pytest.mark.parametrize("policy", [None, BY_FORCE], ids=["none", "Recreate"])
@pytest.mark.parametrize("phase", AFTER)
def test_another_policy_after_the_switch_lets_the_former_one_drain_and_go(
    team: Team, phase: str, policy: object
) -> None:
    begin(team)

    def change() -> None:
        team.change(replacePolicy=None)
        team.change(replacePolicy=policy)

    during(team, PHASES[phase], change)
    until_alone(team)
    assert team.deployment()["acceleratorType"] == H200


def test_the_old_value_put_back_while_the_successor_is_discarded_is_nothing_new(team: Team) -> None:
    begin(team)
    former = team.status()["deploymentName"]
    during(team, BEFORE["creating"], lambda: team.change(acceleratorType=B200))
    during(team, discarding, lambda: team.change(acceleratorType=H100))
    resource = until_alone(team)
    assert resource["status"]["deploymentName"] == former


def test_back_and_forth_and_back_again_ends_where_the_spec_does(team: Team) -> None:
    witness = begin(team)
    during(team, PHASES["draining"], lambda: team.change(acceleratorType=H100))
    team.wait(DRAIN / 2)
    team.change(acceleratorType=H200)
    until_alone(team)
    assert team.deployment()["acceleratorType"] == H200
    assert len(team.posts()) == 2, "both exist already"
    assert witness.most == 2


# --- the resource ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", PHASES)
def test_deleted_half_way_nothing_is_left(team: Team, phase: str) -> None:
    begin(team)
    during(team, PHASES[phase], team.delete)
    team.until_gone(within=SOON_GONE)
    team.wait(HOUR)
    assert existing(team) == {}
    assert team.simulator.deployed_models() == []


@pytest.mark.parametrize("phase", PHASES)
def test_deleted_half_way_with_retain_the_one_that_serves_stays(team: Team, phase: str) -> None:
    begin(team, deletionPolicy="Retain")
    serves = ""

    def delete() -> None:
        nonlocal serves
        serves = team.status()["deploymentName"]
        team.delete()

    during(team, PHASES[phase], delete)
    team.until_gone(within=SOON_GONE)
    team.wait(HOUR)
    assert set(existing(team)) == {serves}
    assert is_serving(existing(team)[serves])


@pytest.mark.parametrize("phase", PHASES)
def test_abandoned_half_way_both_stay_and_it_says_so(team: Team, phase: str) -> None:
    begin(team)
    named: set[str] = set()

    def abandon() -> None:
        named.update({team.status()["deploymentName"], replacement(team).get("deploymentName", "")} - {""})
        team.annotate("chat", "abandon", "true")
        team.delete()

    during(team, PHASES[phase], abandon)
    team.until_gone(within=SOON_GONE)
    team.wait(HOUR)
    assert set(existing(team)) <= named
    if phase not in ("begun", "claimed", "deleting"):
        assert set(existing(team)) == named
        assert {each["annotations"]["custom/released"] for each in existing(team).values()} == {"true"}
        warnings = [each.message for each in team.events() if each.kind == "Warning"]
        assert any(all(name in text for name in named) for text in warnings), warnings


@pytest.mark.parametrize("phase", PHASES)
def test_only_observed_half_way_one_is_left_and_serves(team: Team, phase: str) -> None:
    begin(team)
    during(team, PHASES[phase], lambda: team.change(managementPolicy="Observe"))
    serves = team.status()["deploymentName"]
    team.eventually(lambda: set(existing(team)) == {serves}, "the other one goes", within=SOON_GONE)
    team.wait(HOUR)
    assert set(existing(team)) == {serves}
    assert team.get()["metadata"]["finalizers"] == []
    assert replacement(team) == {}


@pytest.mark.parametrize("phase", PHASES)
def test_paused_half_way_nothing_is_changed_until_it_goes_on(team: Team, phase: str) -> None:
    witness = begin(team)
    witness.stalls = {"Paused"}
    during(team, PHASES[phase], lambda: team.change(paused=True))
    team.wait(10)
    seen = team.seen()
    team.wait(2 * HOUR)
    assert team.writes(since=seen) == []
    if phase != "deleting":
        team.until("chat", "Stalled", "True", "Paused")
    team.change(paused=None)
    until_alone(team)
    assert team.deployment()["acceleratorType"] == H200


@pytest.mark.parametrize("phase", PHASES)
def test_a_restart_half_way_repeats_nothing(team: Team, phase: str) -> None:
    begin(team)

    def kill() -> None:
        assert team.stage.operator is not None
        team.stage.operator.gate.kill()

    during(team, PHASES[phase], kill)
    team.stage.restart()
    until_alone(team)
    assert team.deployment()["acceleratorType"] == H200
    assert len([each for each in team.posts() if each.committed]) == 2
    assert len([each for each in team.journal("DELETE", "/deployments/") if each.committed]) == 1


@pytest.mark.parametrize("phase", PHASES)
def test_the_operator_is_away_for_an_hour_half_way(team: Team, phase: str) -> None:
    begin(team)

    def kill() -> None:
        assert team.stage.operator is not None
        team.stage.operator.gate.kill()

    during(team, PHASES[phase], kill)
    team.stage.stop()
    team.wait(HOUR)
    team.stage.start()
    until_alone(team)
    assert team.deployment()["acceleratorType"] == H200


# --- the console ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("soft", [True, False], ids=["softly", "for good"])
@pytest.mark.parametrize("phase", ["creating", "loading"])
def test_a_successor_deleted_in_the_console_is_made_again(team: Team, phase: str, soft: bool) -> None:
    witness = begin(team)
    during(team, BEFORE[phase], lambda: team.simulator.vanish(short(replacement(team)["deploymentName"]), soft=soft))
    until_alone(team)
    assert team.deployment()["acceleratorType"] == H200
    assert witness.most == 2


@pytest.mark.parametrize("soft", [True, False], ids=["softly", "for good"])
@pytest.mark.parametrize("phase", AFTER)
def test_a_former_one_deleted_in_the_console_is_not_missed(team: Team, phase: str, soft: bool) -> None:
    begin(team)
    during(team, PHASES[phase], lambda: team.simulator.vanish(short(replacement(team)["deploymentName"]), soft=soft))
    serves = team.status()["deploymentName"]
    resource = until_alone(team)
    assert resource["status"]["deploymentName"] == serves
    assert len(team.posts()) == 2


@pytest.mark.parametrize("soft", [True, False], ids=["softly", "for good"])
@pytest.mark.parametrize("phase", BEFORE)
def test_the_present_one_deleted_in_the_console_leaves_the_successor_to_serve(
    team: Team, phase: str, soft: bool
) -> None:
    witness = begin(team)
    former = team.status()["deploymentName"]

    def vanish() -> None:
        witness.serves = False
        team.simulator.vanish(short(former), soft=soft)

    during(team, BEFORE[phase], vanish)
    team.until_ready(within=SOON_GONE)
    resource = until_alone(team)
    assert team.deployment()["acceleratorType"] == H200
    assert resource["status"]["deploymentName"] != former


@pytest.mark.parametrize("soft", [True, False], ids=["softly", "for good"])
def test_the_present_one_deleted_in_the_console_while_the_former_drains_is_brought_back(team: Team, soft: bool) -> None:
    witness = begin(team)

    def vanish() -> None:
        witness.serves = False
        team.simulator.vanish(team.deployment_id(), soft=soft)

    former = team.status()["deploymentName"]
    during(team, PHASES["draining"], vanish)
    team.eventually(lambda: is_serving(existing(team).get(team.status()["deploymentName"], {})), "it is back")
    assert former in existing(team), "the former one goes on serving meanwhile"
    until_alone(team)
    assert team.deployment()["acceleratorType"] == H200


# --- keys -----------------------------------------------------------------------------------------------------------


def _rotate(team: Team) -> None:
    team.keys.add(team.api_key)
    team.api_key = team.new_key("next")
    team.simulator.add_key(team.api_key)
    team.put_secret(apiKey=team.api_key)


@pytest.mark.parametrize("phase", PHASES)
def test_a_key_that_is_rotated_half_way_is_no_matter(team: Team, phase: str) -> None:
    begin(team)
    during(team, PHASES[phase], lambda: _rotate(team))
    until_alone(team)
    assert team.deployment()["acceleratorType"] == H200


KEY_TROUBLE: dict[str, tuple[Callable[[Team], None], str]] = {
    "missing": (lambda team: team.delete_secret(), "SecretNotFound"),
    "refused": (lambda team: team.put_secret(apiKey=team.new_key("of-nobody")), "CredentialsInvalid"),
}


@pytest.mark.parametrize("trouble", KEY_TROUBLE)
@pytest.mark.parametrize("phase", PHASES)
def test_without_a_key_half_way_it_is_said_and_goes_on_once_there_is_one(team: Team, phase: str, trouble: str) -> None:
    witness = begin(team)
    act, _ = KEY_TROUBLE[trouble]
    witness.stalls = {"CredentialsInvalid", "CredentialsMissing", "SecretNotFound"}
    during(team, PHASES[phase], lambda: act(team))
    team.until("chat", "Stalled", "True", within=HOUR)
    team.wait(HOUR)
    assert condition(team.get(), "Stalled")["reason"] in witness.stalls
    assert holds(team.get(), "Available") == "True"
    team.put_secret(apiKey=team.api_key)
    until_alone(team, within=2 * HOUR)
    assert team.deployment()["acceleratorType"] == H200


# --- parking --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", PHASES)
def test_expired_half_way_one_is_left_and_parked_and_is_replaced_once_renewed(team: Team, phase: str) -> None:
    add_models(team)
    witness = serve(team, addons=addons("tone"))
    team.wait(60)
    team.change(acceleratorType=H200)

    witness.stalls = {"ReplaceRequired"}

    def expire() -> None:
        witness.serves = False
        team.change(expiresAfter="1m")

    during(team, PHASES[phase], expire)
    if phase in AFTER:
        team.until("chat", "Ready", "True", "Expired", within=HOUR)
    else:
        team.until("chat", "Stalled", "True", "ReplaceRequired", within=HOUR, says="no longer parked")
    team.eventually(lambda: len(existing(team)) == 1, "one is left", within=HOUR)
    team.wait(HOUR)
    assert team.deployment()["maxReplicaCount"] == 0
    assert replacement(team) == {}
    team.change(expiresAfter=None)
    until_alone(team)
    assert team.deployment()["acceleratorType"] == H200


@pytest.mark.parametrize("phase", PHASES)
def test_a_budget_whose_month_is_spent_half_way_parks_what_serves_and_discards_the_rest(team: Team, phase: str) -> None:
    witness = begin(team)
    witness.stalls = {"BudgetExceeded", "ReplaceRequired"}

    def spend() -> None:
        witness.serves = False
        team.put_budget(limits={"monthlyCost": "0"}, onMonthlyLimit="Park")

    during(team, PHASES[phase], spend)
    team.eventually(lambda: len(existing(team)) == 1, "one is left", within=HOUR)
    team.eventually(lambda: team.deployment()["maxReplicaCount"] == 0, "it is parked", within=HOUR)
    team.wait(HOUR)
    assert replacement(team) == {}
    team.delete_budget()
    until_alone(team)
    assert team.deployment()["acceleratorType"] == H200


@pytest.mark.parametrize("phase", ["creating", "draining"])
def test_every_field_can_be_put_back(team: Team, phase: str) -> None:
    serve(team, placement={"multiRegion": "US"}, replacePolicy=BLUE_GREEN)
    team.change(placement={"multiRegion": "EUROPE"})
    reach(team, PHASES[phase])
    team.change(placement={"multiRegion": "US"})
    until_alone(team)
    assert team.deployment()["placement"] == {"multiRegion": "US"}
    assert len(team.posts()) == 2
