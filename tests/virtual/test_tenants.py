"""One team against another: nobody uses what is not theirs, and nobody is disturbed by who tries."""

from collections.abc import Callable, Mapping

import pytest

from fireworks_operator.controller.accounts.key_source import OwnCredential
from fireworks_operator.core.identity import Owner, deployment_id
from fireworks_operator.fireworks.api_key import ApiKey
from testkit.stories.team import AnyTeam
from testkit.stories.tenants import (
    APART,
    SHARING,
    assert_told_nothing,
    assert_untouched,
    claim_by_a_forged_status,
    deployment_of,
    serving,
)
from testkit.virtual.process import CLUSTER
from tests.virtual.stage import OWN_KEY, Stage
from tests.virtual.team import MODEL, OTHER_MODEL, NewTeam, Team

REFUSED = 62.0
"""Seconds until what was refused is tried again, at most."""


@pytest.fixture
def victim(new_team: NewTeam) -> Team:
    """A team whose deployment serves."""
    return new_team()


@pytest.fixture
def thief(new_team: NewTeam) -> Team:
    """A team with an account of its own."""
    return new_team()


@pytest.fixture
def sharing(stage: Stage) -> list[Team]:
    """Two teams that share the operator's own key, and so its account."""
    return [Team.begin(stage, own=True), Team.begin(stage, own=True)]


# --- Secrets and accounts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"deploymentId": "chat-prod", "adoptionPolicy": "Unowned"},
        {"deploymentId": "chat-prod", "managementPolicy": "Observe"},
    ],
    ids=["creates", "adopts", "observes"],
)
def test_another_teams_account_id_beside_ones_own_key_opens_nothing(
    victim: Team, thief: Team, spec: Mapping[str, object]
) -> None:
    before = serving(victim, deploymentId="chat-prod")
    thief.put_secret("crooked", apiKey=thief.api_key, accountId=victim.account)
    thief.create("mine", spec=spec, credentialsSecretRef={"name": "crooked"})
    thief.until("mine", "Stalled", "True", says="account")
    thief.wait(600)
    assert_told_nothing(thief)
    assert_untouched(victim, before)
    assert len(victim.writes()) == 1


@pytest.mark.parametrize(
    ("answer", "action"),
    [
        ("a firewall's page", {"status": 403, "body": "<html><title>Blocked</title>", "contentType": "text/html"}),
        ("too many requests", {"status": 429, "code": "RESOURCE_EXHAUSTED", "message": "slow down"}),
        ("suspended", {"status": 412, "code": "FAILED_PRECONDITION", "message": "suspended"}),
        ("no answer", {"status": 500, "code": "INTERNAL", "message": "boom"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whatever_fireworks_answers_to_a_crooked_key_its_victim_goes_on(
    victim: Team, thief: Team, answer: str, action: Mapping[str, object]
) -> None:
    serving(victim)
    key = thief.new_key("crooked")
    key_id = thief.simulator.add_key(key)
    body = {"match": {"account": victim.account, "keyId": key_id}, "action": {"kind": "status", **action}}
    rule = str(thief.simulator.call("POST", "/faults", body)["id"])
    thief.put_secret("crooked", apiKey=key, accountId=victim.account)
    thief.create("mine", credentialsSecretRef={"name": "crooked"})
    thief.eventually(lambda: thief.hits(rule) >= 1, f"{answer}: to the thief")
    victim.change("theirs", displayName=answer)
    victim.until_ready("theirs", within=15)
    victim.create("another")
    victim.until_ready("another", within=15)
    assert thief.deployments() == []


@pytest.mark.parametrize("story", APART, ids=lambda story: story.__name__)
def test_teams_with_an_account_each(victim: Team, thief: Team, story: Callable[[AnyTeam, AnyTeam], None]) -> None:
    story(victim, thief)


# --- deployments of a shared account ----------------------------------------------------------------------------------


@pytest.mark.parametrize("story", SHARING, ids=lambda story: story.__name__)
def test_teams_that_share_an_account(sharing: list[Team], story: Callable[[AnyTeam, AnyTeam], None]) -> None:
    story(*sharing)


def test_a_forged_status_claims_nothing(sharing: list[Team]) -> None:
    victim, thief = sharing
    serving(victim)
    thief.create("mine", paused=True)
    thief.until("mine", "Stalled", "True", "Paused")
    claim_by_a_forged_status(victim, thief)


def test_a_forged_status_with_an_account_does_not_lead_there(victim: Team, thief: Team) -> None:
    before = serving(victim)
    thief.create("mine", paused=True)
    thief.until("mine", "Stalled", "True", "Paused")
    thief.set_status("mine", {"deploymentName": before["name"], "account": thief.account, "createTime": None})
    thief.change("mine", paused=None)
    thief.wait(30)
    thief.delete("mine")
    thief.steadily(lambda: deployment_of(victim) == before, "nothing changes", seconds=600)
    thief.annotate("mine", "abandon", "true")
    thief.until_gone("mine")
    assert_untouched(victim, before)


def test_nobody_can_take_the_id_that_another_teams_resource_will_have(sharing: list[Team]) -> None:
    victim, thief = sharing
    identifier = deployment_id(Owner(CLUSTER, victim.namespace, "theirs"))
    thief.create("mine", deploymentId=identifier, deletionPolicy="Retain")
    thief.until_ready("mine")
    victim.create("theirs")
    victim.until("theirs", "Stalled", "True", "Conflict", says="spec.deploymentId")
    thief.delete("mine")
    thief.until_gone("mine")
    victim.until("theirs", "Stalled", "True", "AdoptionNotAllowed", within=REFUSED, says="spec.adoptionPolicy")
    victim.change("theirs", deploymentId="another-id")
    victim.until_ready("theirs")


def test_names_that_look_alike_at_fireworks_are_two_deployments(team: Team) -> None:
    for name, model in (("a.b", MODEL), ("a-b", OTHER_MODEL)):
        team.create(name, displayName=name, baseModel=model)  # or one were its model's default, which must stay
    for name in ("a.b", "a-b"):
        team.until_ready(name)
    assert sorted(str(each["displayName"]) for each in team.deployments()) == ["a-b", "a.b"]
    team.delete("a.b")
    team.until_gone("a.b")
    assert [each["displayName"] for each in team.deployments()] == ["a-b"]


# --- the operator's own key -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "reason", "says"),
    [
        (OwnCredential(), "CredentialsMissing", "spec.credentialsSecretRef"),
        (OwnCredential(ApiKey(OWN_KEY), None, frozenset({"other"})), "CredentialsNotAllowed", "credentialNamespaces"),
        (OwnCredential(ApiKey("fw_wrong")), "CredentialsInvalid", "does not accept the API key"),
    ],
    ids=["there is none", "it is not for this namespace", "it is wrong"],
)
def test_the_operators_own_key_that_is_of_no_use_is_named_and_a_secret_helps(
    stage: Stage, team: Team, own: OwnCredential, reason: str, says: str
) -> None:
    stage.stop()
    stage.own = own
    stage.start()
    team.create(credentialsSecretRef=None)
    team.until("chat", "Stalled", "True", reason, says=says)
    team.wait(300)
    assert team.posts() == []
    team.change(credentialsSecretRef={"name": "fireworks"})
    team.until_ready()


def test_resources_without_a_secret_use_the_operators_own_key(own_team: Team) -> None:
    own_team.create()
    assert own_team.until_ready()["status"]["account"] == own_team.account
