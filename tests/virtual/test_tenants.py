"""One team against another: nobody uses what is not theirs, and nobody is disturbed by who tries."""

from collections.abc import Mapping

import pytest

from fireworks_operator.controller.accounts.key_source import OwnCredential
from fireworks_operator.core.identity import Owner, deployment_id
from fireworks_operator.fireworks.api_key import ApiKey
from testkit.virtual.process import CLUSTER
from tests.virtual.stage import OWN_KEY, Stage
from tests.virtual.team import MODEL, OTHER_MODEL, Json, NewTeam, Team, holds

HIDDEN = ("state", "modelIdentifier", "replicas", "effective", "createTime", "deploymentName")
"""What a status would tell of a deployment."""
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


def _told_nothing(team: Team, name: str = "mine") -> None:
    found = set(HIDDEN) & team.status(name).keys()
    assert not found, f"the status tells {found} of somebody else's deployment"


def _of(team: Team, name: str = "theirs") -> Json:
    return next(each for each in team.deployments() if each["annotations"]["custom/name"] == name)


def _serving(team: Team, name: str = "theirs", /, **spec: object) -> Json:
    team.create(name, spec=spec)
    team.until_ready(name)
    return _of(team, name)


def _untouched(team: Team, before: Json, name: str = "theirs") -> None:
    assert next(each for each in team.deployments() if each["name"] == before["name"]) == before
    assert holds(team.get(name), "Ready") == "True"


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
    before = _serving(victim, deploymentId="chat-prod")
    thief.put_secret("crooked", apiKey=thief.api_key, accountId=victim.account)
    thief.create("mine", spec=spec, credentialsSecretRef={"name": "crooked"})
    thief.until("mine", "Stalled", "True", says="account")
    thief.wait(600)
    _told_nothing(thief)
    _untouched(victim, before)
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
    _serving(victim)
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


# --- deployments of a shared account ----------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["Never", "Unowned"])
def test_another_teams_deployment_cannot_be_claimed_by_its_id(sharing: list[Team], policy: str) -> None:
    victim, thief = sharing
    before = _serving(victim)
    identifier = str(before["name"]).rsplit("/", 1)[-1]
    thief.create("mine", deploymentId=identifier, adoptionPolicy=policy, displayName="mine now", minReplicaCount=0)
    thief.until("mine", "Stalled", "True", "Conflict", says="another resource")
    _told_nothing(thief)
    thief.annotate("mine", "ignore-checks", "true")
    thief.delete("mine")
    thief.until_gone("mine")
    _untouched(victim, before)
    assert victim.journal("DELETE") == []


def test_another_teams_deployment_cannot_be_looked_at_with_the_key_that_both_share(sharing: list[Team]) -> None:
    victim, thief = sharing
    before = _serving(victim)
    thief.create("mine", deploymentId=str(before["name"]).rsplit("/", 1)[-1], managementPolicy="Observe")
    thief.until("mine", "Stalled", "True", "Conflict", says="spec.credentialsSecretRef")
    _told_nothing(thief)
    _untouched(victim, before)


def test_a_forged_status_claims_nothing(sharing: list[Team]) -> None:
    victim, thief = sharing
    before = _serving(victim)
    status = victim.status("theirs")
    thief.create("mine", paused=True)
    thief.until("mine", "Stalled", "True", "Paused")
    thief.set_status("mine", {key: value for key, value in status.items() if key != "conditions"})
    thief.change("mine", paused=None)
    thief.until("mine", "Stalled", "True", "Conflict", says="another resource")
    thief.change("mine", displayName="mine now", minReplicaCount=0)
    thief.until("mine", "Stalled", "True", "Conflict")
    thief.annotate("mine", "ignore-checks", "true")
    thief.delete("mine")
    thief.until_gone("mine")
    _untouched(victim, before)


def test_a_forged_status_with_an_account_does_not_lead_there(victim: Team, thief: Team) -> None:
    before = _serving(victim)
    thief.create("mine", paused=True)
    thief.until("mine", "Stalled", "True", "Paused")
    thief.set_status("mine", {"deploymentName": before["name"], "account": thief.account, "createTime": None})
    thief.change("mine", paused=None)
    thief.wait(30)
    thief.delete("mine")
    thief.steadily(lambda: _of(victim) == before, "nothing changes", seconds=600)
    thief.annotate("mine", "abandon", "true")
    thief.until_gone("mine")
    _untouched(victim, before)


def test_a_marker_that_somebody_forged_moves_no_resource_to_another_deployment(victim: Team, thief: Team) -> None:
    before = _serving(victim)
    marker = {key: value for key, value in before["annotations"].items() if key.startswith("custom/")}
    thief.simulator.create_foreign(prefix="bait", annotations=marker)
    bait = thief.simulator.deployment("bait-0")
    thief.create("mine", deploymentId="bait-0", adoptionPolicy="Unowned")
    thief.until("mine", "Stalled", "True", "Conflict")
    victim.change("theirs", displayName="still theirs")
    victim.until_ready("theirs")
    assert victim.status("theirs")["deploymentName"] == before["name"]
    victim.delete("theirs")
    victim.until_gone("theirs")
    assert thief.simulator.deployment("bait-0") == bait, "nobody acts upon it"


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
