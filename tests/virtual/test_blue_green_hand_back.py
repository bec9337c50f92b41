"""BlueGreen, and a successor that fails after it has taken over: the former deployment takes over again."""

import copy

import pytest

from tests.virtual.replacing import (
    B200,
    DRAIN,
    DRAINS,
    H100,
    H200,
    HOUR,
    PHASES,
    Phase,
    Witness,
    during,
    existing,
    is_serving,
    orphans,
    reach,
    replacement,
    serve,
    short,
    told_once,
    until_alone,
)
from tests.virtual.team import MODEL, Json, Team, condition, holds, pauses
from tests.virtual.test_router import ROUTER, routers, until_routed

BACK_SOON = 120.0
"""Seconds within which the former deployment serves again; what changed at rest is seen within a minute."""


def switched(team: Team, **spec: object) -> tuple[Witness, str]:
    """Have a successor take over, and return the name of its former deployment, which drains."""
    witness = serve(team, **spec)
    former = str(team.status()["deploymentName"])
    team.change(acceleratorType=H200)
    reach(team, DRAINS)
    team.until_ready()
    return witness, former


def fail(team: Team, witness: Witness) -> str:
    """Have the deployment of the status fail, and return its name."""
    witness.serves = False
    name = str(team.status()["deploymentName"])
    team.simulator.fail(short(name), "out of memory", "CUDA error")
    return name


def until_back(team: Team, witness: Witness, former: str) -> None:
    """Wait until the former deployment is that of the status again, and nothing is wrong with what serves."""
    team.eventually(lambda: team.status()["deploymentName"] == former, "it serves again", within=BACK_SOON)
    witness.serves = True
    resource = team.get()
    assert (holds(resource, "Ready"), holds(resource, "Available"), holds(resource, "Stalled")) == (
        "False",
        "True",
        "False",
    )
    assert condition(resource, "Ready")["reason"] == "ReplacementBlocked"


def default(team: Team) -> str:
    """Return the default deployment of the model."""
    found = [each for each in team.simulator.deployed_models() if each["model"] == MODEL and each.get("default")]
    return str(found[0]["deployment"]) if found else ""


def handed_back(found: Json) -> bool:
    """Tell whether the former deployment serves again."""
    return found["phase"] == "Preparing" and "handBacks" in found


MOMENTS: dict[str, Phase] = {
    "back": lambda found: handed_back(found) and found.get("state") == "FAILED",
    "deleted": lambda found: handed_back(found) and found.get("state") == "DELETING",
    "anew": lambda found: handed_back(found) and found.get("state") == "CREATING",
}
"""What becomes of a failed successor, in this order."""


def at(team: Team, witness: Witness, former: str, moment: str) -> None:
    """Wait until a failed successor has come so far; the first moment is that in which nobody has seen it yet."""
    if moment != "failed":
        until_back(team, witness, former)
        reach(team, MOMENTS[moment], within=HOUR)


@pytest.mark.parametrize("spec", [{}, {"disableAutoDeploy": True}], ids=["default", "disableAutoDeploy"])
def test_a_successor_that_fails_after_the_switch_hands_back_and_is_made_anew(
    team: Team, spec: dict[str, object]
) -> None:
    witness, former = switched(team, **spec)
    since, failed = len(team.events()), fail(team, witness)
    until_back(team, witness, former)
    found = replacement(team)
    assert (found["phase"], found["deploymentName"], found["handBacks"]) == ("Preparing", failed, 1)
    assert team.status()["modelIdentifier"].endswith(former)
    until_alone(team, within=2 * HOUR)
    assert team.deployment()["acceleratorType"] == H200
    assert witness.most == 2
    told_once(team, since, reasons={"ReplacementBlocked"})
    warnings = [each.message for each in team.events()[since:] if each.kind == "Warning" and each.reason == "Replacing"]
    assert len(warnings) == 1
    assert all(word in warnings[0] for word in (failed, former, "CUDA error"))


def test_the_default_of_the_model_is_the_former_one_before_the_failed_one_is_deleted(team: Team) -> None:
    witness, former = switched(team)
    failed, seen = fail(team, witness), team.seen()
    until_back(team, witness, former)
    team.eventually(lambda: default(team) == former, "the default is back", within=BACK_SOON)
    until_alone(team, within=2 * HOUR)
    refused = [each for each in team.journal("DELETE", "/deployments/", since=seen) if not each.committed]
    assert refused == [], "nothing that Fireworks refuses was tried"
    assert default(team) == failed, "which it is again, now that it serves"


def test_router_and_config_map_lead_to_the_former_one_again(team: Team) -> None:
    witness, former = switched(team, router=ROUTER, connection={"configMapName": "chat-connection"})
    until_routed(team)
    failed, seen = fail(team, witness), team.seen()
    until_back(team, witness, former)
    team.eventually(lambda: routers(team)["chat"]["deployments"] == [former], "it leads there", within=60)
    connection = team.stage.server.config_maps[team.ref("chat-connection")]
    team.eventually(lambda: connection.data["FIREWORKS_DEPLOYMENT"] == former, "the ConfigMap, too", within=60)
    assert {each["kind"] for each in team.status()["identifiers"]} >= {"Router", "Deployment"}
    until_alone(team, within=2 * HOUR)
    until_routed(team)
    assert routers(team)["chat"]["deployments"] == [failed]
    refused = [each for each in team.journal("DELETE", "/deployments/", since=seen) if not each.committed]
    assert refused == [], "nothing that Fireworks refuses was tried"


def test_one_that_fails_each_time_is_made_anew_ever_more_rarely(team: Team) -> None:
    witness, former = switched(team)
    for turn in (1, 2, 3, 4):
        fail(team, witness)
        until_back(team, witness, former)
        assert replacement(team)["handBacks"] == turn
        reach(team, DRAINS, within=8 * HOUR)
        team.until_ready()
    between = [round(each, -2) for each in pauses(team.posts()[2:])]
    assert between[0] >= 900
    assert between[1] >= 3600
    assert between[2] >= 3 * 3600
    assert witness.most == 2
    until_alone(team)


def test_one_that_does_not_even_start_any_more_is_a_successor_that_fails(team: Team) -> None:
    witness, former = switched(team)
    team.simulator.stage(outcome="fail", accelerator=H200)
    fail(team, witness)
    until_back(team, witness, former)
    team.wait(6 * HOUR)
    assert team.status()["deploymentName"] == former
    assert len(team.posts()) < 8
    assert condition(team.get(), "Ready")["reason"] == "ReplacementBlocked"
    team.simulator.clear_stages()
    until_alone(team, within=8 * HOUR)
    assert team.deployment()["acceleratorType"] == H200


def test_an_idle_hand_back_writes_nothing(team: Team) -> None:
    witness, former = switched(team)
    team.simulator.stage(outcome="fail", accelerator=H200)
    fail(team, witness)
    until_back(team, witness, former)
    team.wait(2 * HOUR)
    told, seen = team.told(), team.seen()
    team.wait(1200)
    assert team.told() == told
    assert team.writes(since=seen) == []
    assert len(team.journal("GET", "/deployments$", since=seen)) <= 40, "at rest, it is listed once a minute"


# --- what users do --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["failed", *MOMENTS])
def test_the_old_value_put_back_meanwhile_gives_the_failed_one_up(team: Team, moment: str) -> None:
    witness, former = switched(team)
    fail(team, witness)
    at(team, witness, former, moment)
    team.change(acceleratorType=H100)
    witness.serves = moment != "failed"
    resource = until_alone(team, within=HOUR + DRAIN)
    assert resource["status"]["deploymentName"] == former
    assert team.deployment()["acceleratorType"] == H100
    assert default(team) == former


@pytest.mark.parametrize("moment", ["failed", *MOMENTS])
def test_something_else_asked_for_meanwhile_is_what_serves_in_the_end(team: Team, moment: str) -> None:
    witness, former = switched(team)
    fail(team, witness)
    at(team, witness, former, moment)
    team.change(acceleratorType=B200)
    if moment == "failed":
        team.eventually(lambda: team.status()["deploymentName"] == former, "it serves again", within=BACK_SOON)
    witness.serves, seen = True, team.seen()
    until_alone(team, within=HOUR + DRAIN)
    assert team.deployment()["acceleratorType"] == B200
    refused = [each for each in team.journal("DELETE", "/deployments/", since=seen) if not each.committed]
    assert refused == [], "nothing that Fireworks refuses was tried"
    assert witness.most == 2


@pytest.mark.parametrize("moment", ["failed", *MOMENTS])
def test_deleted_meanwhile_nothing_is_left(team: Team, moment: str) -> None:
    witness, former = switched(team, router=ROUTER)
    until_routed(team)
    fail(team, witness)
    at(team, witness, former, moment)
    team.delete()
    team.until_gone(within=HOUR)
    assert existing(team) == {}
    assert team.simulator.deployed_models() == []
    assert routers(team) == {}


@pytest.mark.parametrize("moment", MOMENTS)
def test_paused_meanwhile_nothing_is_changed_until_it_goes_on(team: Team, moment: str) -> None:
    witness, former = switched(team)
    fail(team, witness)
    at(team, witness, former, moment)
    witness.stalls = {"Paused"}
    team.change(paused=True)
    team.wait(10)
    seen = team.seen()
    team.wait(2 * HOUR)
    assert team.writes(since=seen) == []
    assert team.status()["deploymentName"] == former
    team.change(paused=None)
    until_alone(team, within=2 * HOUR)
    assert team.deployment()["acceleratorType"] == H200


def test_paused_before_it_fails_it_is_told_and_handed_back_once_it_goes_on(team: Team) -> None:
    witness, former = switched(team)
    witness.stalls = {"Paused"}
    team.change(paused=True)
    failed = fail(team, witness)
    team.until("chat", "Stalled", "True", "Paused", within=BACK_SOON)
    team.wait(HOUR)
    assert team.status()["deploymentName"] == failed
    assert is_serving(existing(team)[former])
    team.change(paused=None)
    until_back(team, witness, former)
    until_alone(team, within=2 * HOUR)


@pytest.mark.parametrize("policy", [{"type": "Never"}, {"type": "Recreate", "ignoreChecks": True}])
def test_another_policy_meanwhile_gives_the_failed_one_up(team: Team, policy: dict[str, object]) -> None:
    witness, former = switched(team)
    fail(team, witness)
    until_back(team, witness, former)
    witness.stalls, witness.serves = {"ReplaceRequired"}, False
    team.change(replacePolicy=None)
    team.change(replacePolicy=policy)
    if policy["type"] == "Never":
        team.until("chat", "Stalled", "True", "ReplaceRequired", within=HOUR)
        team.eventually(lambda: set(existing(team)) == {former}, "the failed one goes", within=HOUR)
        assert replacement(team) == {}
    else:
        until_alone(team, within=HOUR)


# --- what happens to the former one and to the operator -------------------------------------------------------------


def test_a_former_one_that_is_in_use_longer_than_it_drains_takes_over_again(team: Team) -> None:
    witness, former = switched(team)
    team.wait(DRAIN - 30)
    team.simulator.traffic(short(former))
    team.wait(300)
    assert "requests in the last hour" in replacement(team)["message"]
    fail(team, witness)
    until_back(team, witness, former)
    until_alone(team, within=4 * HOUR)
    assert team.deployment()["acceleratorType"] == H200


def test_a_former_one_that_is_already_deleted_does_not_come_back(team: Team) -> None:
    witness, former = switched(team)
    during(team, PHASES["deleting"], lambda: None)
    failed = fail(team, witness)
    team.until("chat", "Stalled", "True", "DeploymentFailed", within=BACK_SOON)
    team.wait(30)
    assert team.status()["deploymentName"] == failed
    until_alone(team, within=2 * HOUR)
    assert team.deployment()["acceleratorType"] == H200
    assert former not in existing(team)


@pytest.mark.parametrize("asleep", [False, True], ids=["awake", "asleep"])
def test_the_former_one_stays_where_the_one_that_took_over_is_given_away(team: Team, asleep: bool) -> None:
    sleeps = {"minReplicaCount": 0, "autoscalingPolicy": {"scaleToZeroWindow": "5m"}} if asleep else {}
    witness, former = switched(team, replacePolicy={"type": "BlueGreen", "drain": "30m"}, **sleeps)
    witness.serves, witness.stalls = False, {"Conflict"}
    team.wait(1200 if asleep else 0)
    name = str(team.status()["deploymentName"])
    team.ask(f"/v1/{name}:setTags", {"tags": {"custom/cluster": "another"}})
    team.wait(2 * HOUR)
    assert former in existing(team)
    assert condition(team.get(), "Stalled")["reason"] == "Conflict"


def test_one_that_is_deleted_by_somebody_and_cannot_be_had_again_leaves_the_former_one_to_serve(team: Team) -> None:
    witness, former = switched(team)
    witness.stalls |= {"QuotaExceeded", "ReplacementBlocked"}
    witness.serves = False  # requests went to the one that is gone
    team.simulator.quota("global--h200-count", 0)
    team.simulator.vanish(team.deployment_id())
    team.wait(3 * HOUR)
    assert list(existing(team)) == [former], "it serves on"
    assert is_serving(existing(team)[former])
    assert team.status()["deploymentName"] == former
    assert team.status()["endpoint"]
    team.simulator.quota("global--h200-count", 8)
    team.annotate("chat", "reconcile-at", "now")
    until_alone(team)
    assert team.deployment()["acceleratorType"] == H200


def test_both_fail_and_one_serves_in_the_end(team: Team) -> None:
    witness, former = switched(team)
    fail(team, witness)
    until_back(team, witness, former)
    witness.serves, witness.stalls = False, {"ReplacementBlocked"}
    team.simulator.fail(short(former))
    team.until("chat", "Stalled", "True", "ReplacementBlocked", within=BACK_SOON)
    until_alone(team, within=4 * HOUR)
    assert team.deployment()["acceleratorType"] == H200


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_restart_repeats_nothing(team: Team, moment: str) -> None:
    witness, former = switched(team)
    fail(team, witness)
    at(team, witness, former, moment)
    team.stage.restart()
    until_alone(team, within=2 * HOUR)
    assert team.deployment()["acceleratorType"] == H200
    assert len([each for each in team.posts() if each.committed]) == 3
    assert len([each for each in team.journal("DELETE", "/deployments/") if each.committed]) == 2


def test_killed_as_it_hands_back_the_next_operator_goes_on(team: Team) -> None:
    witness, former = switched(team)

    def kill() -> None:
        assert team.stage.operator is not None
        team.stage.operator.gate.kill()

    fail(team, witness)
    during(team, handed_back, kill)
    team.stage.stop()
    team.wait(HOUR)
    team.stage.start()
    until_back(team, witness, former)
    until_alone(team, within=2 * HOUR)
    assert witness.most == 2


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_status_lost_meanwhile_leads_to_no_third_deployment(team: Team, moment: str) -> None:
    witness, former = switched(team)
    fail(team, witness)
    at(team, witness, former, moment)
    witness.serves, witness.orphans = False, True
    team.stage.server.restore(team.ref("chat"), new_uid=False)
    team.wait(2 * HOUR)
    resource = team.get()
    assert resource["status"]["deploymentName"] in existing(team)
    assert holds(resource, "Available") == "True"
    assert witness.most == 2
    assert orphans(team) == ()


def test_the_status_of_before_the_hand_back_hands_back_once_more(team: Team) -> None:
    witness, former = switched(team)
    old = copy.deepcopy(team.status())
    fail(team, witness)
    until_back(team, witness, former)
    witness.serves = False
    team.stage.server.put_status(team.ref("chat"), old)
    until_back(team, witness, former)
    until_alone(team, within=2 * HOUR)
    assert team.deployment()["acceleratorType"] == H200
