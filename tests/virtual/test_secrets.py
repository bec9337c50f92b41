"""API keys in Secrets that are missing or wrong: the condition says what to do, and it heals once that is done."""

import base64
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.virtual.team import SECRET, NewTeam, Team, condition, holds

REREAD = 62.0
"""Seconds within which a Secret that is of no use is read again."""


@dataclass(frozen=True, slots=True)
class Spoilt:
    """A Secret that somebody has changed for the worse, or only nearly so (no reason)."""

    name: str
    spoil: Callable[[Team], None]
    reason: str = ""
    says: str = ""


def _revoked(team: Team) -> str:
    key = team.new_key("revoked")
    team.simulator.revoke_key(team.simulator.add_key(key))
    return key


SPOILT = [
    Spoilt("deleted", Team.delete_secret, "CredentialsMissing", f"kubectl create secret generic {SECRET} --namespace"),
    Spoilt("emptied", lambda team: team.put_secret(apiKey=""), "CredentialsMissing", 'has no value under "apiKey"'),
    Spoilt("blank", lambda team: team.put_secret(apiKey=" \n"), "CredentialsMissing", 'has no value under "apiKey"'),
    Spoilt("without data", lambda team: team.put_secret(), "CredentialsMissing", "it has: nothing"),
    Spoilt("another key", lambda team: team.put_secret(token=team.api_key), "CredentialsMissing", "(it has: token)"),
    Spoilt("with a trailing newline", lambda team: team.put_secret(apiKey=f"{team.api_key}\n")),
    Spoilt(
        "no key at all",
        lambda team: team.put_secret(apiKey="two words"),
        "CredentialsInvalid",
        "does not hold an API key",
    ),
    Spoilt(
        "a wrong key",
        lambda team: team.put_secret(apiKey=team.new_key("wrong")),
        "CredentialsInvalid",
        "Put a valid key into the Secret",
    ),
    Spoilt("a revoked key", lambda team: team.put_secret(apiKey=_revoked(team)), "CredentialsInvalid", "not accept"),
]


@pytest.mark.parametrize("case", SPOILT, ids=lambda case: case.name)
def test_a_secret_that_is_of_no_use_from_the_start_is_named_and_heals(team: Team, case: Spoilt) -> None:
    case.spoil(team)
    team.create()
    if case.reason:
        resource = team.until("chat", "Stalled", "True", case.reason, says=case.says)
        assert holds(resource, "Ready") == "False"
        team.wait(120)
        assert team.posts() == []
        team.put_secret(apiKey=team.api_key)
    team.until_ready(within=REREAD + 10)
    assert team.methods() == ["POST"]
    shown = base64.b64encode(team.api_key.encode()).decode()
    assert shown not in str(team.get())


@pytest.mark.parametrize("case", SPOILT, ids=lambda case: case.name)
def test_a_secret_that_is_changed_for_the_worse_stops_nothing_and_is_named(team: Team, case: Spoilt) -> None:
    """The operator is started anew, so that it has no key in mind."""
    team.create()
    team.until_ready()
    team.stage.stop()
    case.spoil(team)
    team.stage.start()
    if case.reason:
        resource = team.until("chat", "Stalled", "True", case.reason, says=case.says)
        assert holds(resource, "Ready") == "False"
        assert holds(resource, "Available") == "True", "Fireworks serves on"
        team.wait(120)
        team.put_secret(apiKey=team.api_key)
    team.change(displayName="after")
    team.until_ready(within=REREAD)
    assert team.deployment()["displayName"] == "after"
    assert team.methods() == ["POST", "PATCH"]
    team.delete()
    team.until_gone()
    assert team.deployments() == []


@pytest.mark.parametrize("status", ["403", "404"])
def test_an_account_id_that_is_not_the_keys_is_named_and_creates_nothing(team: Team, status: str) -> None:
    team.simulator.assume(foreign_account_status=status)
    team.put_secret("strayed", apiKey=team.api_key, accountId="nobody")
    team.create(credentialsSecretRef={"name": "strayed"})
    reason = {"403": "PermissionDenied", "404": "CredentialsInvalid"}[status]
    says = {"403": "", "404": '"nobody"'}[status]
    resource = team.until("chat", "Stalled", "True", reason, says=says)
    assert holds(resource, "Ready") == "False"
    team.wait(300)
    assert team.simulator.journal(method="POST") == []
    team.put_secret("strayed", apiKey=team.api_key)
    team.until_ready(within=REREAD)
    assert len(team.deployments()) == 1


@pytest.mark.parametrize(("status", "reason"), [("403", "PermissionDenied"), ("404", "CredentialsInvalid")])
def test_a_serving_deployment_whose_secret_names_another_account_is_left_to_serve(
    team: Team, status: str, reason: str
) -> None:
    team.simulator.assume(foreign_account_status=status)
    team.create()
    team.until_ready()
    told = team.told()
    team.stage.stop()
    team.put_secret(apiKey=team.api_key, accountId="nobody")
    team.stage.start()
    resource = team.until("chat", "Stalled", "True", reason, says="nobody")
    assert holds(resource, "Available") == "True", "Fireworks serves on"
    reasons = {condition(each, "Stalled")["reason"] for each in team.versions(since=told)}
    assert reasons <= {reason, "AccountMismatch"}
    team.put_secret(apiKey=team.api_key)
    team.until_ready(within=REREAD)
    assert team.methods() == ["POST"]


def test_a_key_that_stops_working_leaves_its_deployment_serving_and_heals_when_it_is_replaced(team: Team) -> None:
    team.create()
    team.until_ready()
    (key_id,) = {each.key_id for each in team.posts()}
    team.simulator.revoke_key(key_id)
    resource = team.until("chat", "Stalled", "True", "CredentialsInvalid", says="Put a valid key into the Secret")
    assert holds(resource, "Available") == "True", "Fireworks serves on"
    old, team.api_key = team.api_key, team.new_key("new")
    team.keys.add(old)
    team.simulator.add_key(team.api_key)
    team.put_secret(apiKey=team.api_key)
    team.until_ready(within=REREAD)
    assert team.methods() == ["POST"]


@pytest.mark.parametrize("state", ["being created", "serving", "being deleted"])
def test_with_another_accounts_key_nothing_is_created_and_nothing_is_deleted(team: Team, state: str) -> None:
    if state == "being created":
        team.fault("status", method="POST", path="/deployments$", status=503, code="UNAVAILABLE")
    team.create()
    if state == "being created":
        team.eventually(lambda: "account" in team.status(), "it is claimed")
    else:
        team.until_ready()
    elsewhere = team.simulator.of("elsewhere")
    other = team.new_key("elsewhere")
    elsewhere.add_account("elsewhere", other)
    team.put_secret(apiKey=other)
    (key_id,) = {each.key_id for each in team.journal("GET", "/deployments$")}
    team.simulator.revoke_key(key_id)
    team.until("chat", "Stalled", "True", "AccountMismatch", says=team.account, within=REREAD)
    team.simulator.clear_faults()
    seen = team.seen()
    if state == "being deleted":
        team.delete()
        team.until("chat", "Stalled", "True", "AccountMismatch", says="fireworks.ai/abandon")
    team.wait(600)
    assert elsewhere.deployments() == [], "nothing is created in the other account"
    assert team.writes(since=seen) == []
    team.simulator.add_key(team.api_key)
    team.put_secret(apiKey=team.api_key)
    if state == "being deleted":
        team.until_gone(within=REREAD)
        assert team.deployments() == []
    else:
        team.until_ready(within=REREAD)
        assert len(team.deployments()) == 1


def test_a_key_without_the_right_to_create_is_told_apart_from_a_wrong_key(team: Team) -> None:
    reader = team.new_key("reader")
    team.simulator.add_key(reader, role="inference-user")
    team.put_secret("reader", apiKey=reader)
    team.create(credentialsSecretRef={"name": "reader"})
    team.until("chat", "Stalled", "True", "PermissionDenied", says="role user or admin")
    team.wait(300)
    assert team.simulator.deployments() == []
    assert "deploymentName" not in team.status()


def test_the_trouble_of_one_team_is_not_anothers(team: Team, new_team: NewTeam) -> None:
    second = new_team()
    team.fault("status", status=503, code="UNAVAILABLE")
    team.create()
    second.create()
    second.until_ready(within=10)
    team.until("chat", "Ready", "Unknown", "ApiUnavailable")
    second.delete()
    second.until_gone(within=10)
