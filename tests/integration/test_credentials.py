"""API keys in Secrets that are missing or wrong: the condition says what to do, and it heals once that is done."""

import base64

import pytest

from fireworks_simulator.testing import SimulatorClient
from testkit.factories import NewTeam
from testkit.kubernetes_api import condition
from testkit.team import Team, new_api_key

HEALS_WITHIN = 40.0
"""Secrets are read again within 30 s, plus a little."""


@pytest.mark.proof
def test_every_trouble_with_a_secret_is_named_and_heals_when_it_is_corrected(team: Team) -> None:
    wrong, revoked = new_api_key(), new_api_key()
    key_id = team.simulator.add_key(revoked)
    team.simulator.revoke_key(key_id)
    team.put_secret("other-key", token=team.api_key)
    team.put_secret("empty", apiKey="")
    team.put_secret("blank", apiKey=" \n")
    team.put_secret("no-key", apiKey="two words")
    team.put_secret("wrong", apiKey=wrong)
    team.put_secret("revoked", apiKey=revoked)
    team.put_secret("line-break", apiKey=f"{team.api_key}\n")
    team.put_secret("wrong-account", apiKey=team.api_key, accountId="nobody")
    expected = {
        "missing": ("CredentialsMissing", f"kubectl create secret generic missing --namespace {team.namespace}"),
        "other-key": ("CredentialsMissing", 'has no value under "apiKey" (it has: token)'),
        "empty": ("CredentialsMissing", 'has no value under "apiKey"'),
        "blank": ("CredentialsMissing", 'has no value under "apiKey"'),
        "no-key": ("CredentialsInvalid", "does not hold an API key"),
        "wrong": ("CredentialsInvalid", "does not accept the API key"),
        "revoked": ("CredentialsInvalid", "does not accept the API key"),
        "wrong-account": ("", ""),
    }
    for secret in (*expected, "line-break"):
        team.create(secret, credentialsSecretRef={"name": secret})
    team.until_ready("line-break")
    for secret, (reason, says) in expected.items():
        if reason:
            resource = team.until(secret, "Stalled", "True", reason, says=says)
            assert condition(resource, "Ready")["status"] == "False"
        else:
            team.until(secret, "Ready", "False")
    assert len(team.deployments()) == 1
    for secret in expected:
        team.put_secret(secret, apiKey=team.api_key)
    for secret in expected:
        team.until_ready(secret, within=HEALS_WITHIN)
    team.assert_no_secret(wrong, revoked, base64.b64encode(team.api_key.encode()).decode())


@pytest.mark.proof
def test_keys_that_stop_working_or_change_account_leave_deployments_serving_and_heal_when_replaced(
    new_team: NewTeam,
) -> None:
    revoked, strayed = new_team(), new_team()
    for team in (revoked, strayed):
        team.create()
    for team in (revoked, strayed):
        team.until_ready()
    elsewhere = SimulatorClient(strayed.simulator.url, f"{strayed.account}-other")
    elsewhere_key, old_keys = new_api_key(), {revoked.api_key, strayed.api_key}
    elsewhere.add_account(elsewhere.account, elsewhere_key)
    strayed.put_secret(apiKey=elsewhere_key)
    for team in (revoked, strayed):
        (key_id,) = {each.key_id for each in team.posts()}
        team.simulator.revoke_key(key_id)
    resource = revoked.until("chat", "Stalled", "True", "CredentialsInvalid", says="Put a valid key into the Secret")
    assert condition(resource, "Available")["status"] == "True", "Fireworks serves on"
    strayed.until("chat", "Stalled", "True", "AccountMismatch", says=strayed.account, within=HEALS_WITHIN)
    assert elsewhere.deployments() == [], "nothing is created in the other account"
    for team in (revoked, strayed):
        team.api_key = new_api_key()
        team.simulator.add_key(team.api_key)
        team.put_secret(apiKey=team.api_key)
    for team in (revoked, strayed):
        team.until_ready(within=HEALS_WITHIN)
        assert [each.method for each in team.writes()] == ["POST"]
        team.assert_no_secret(elsewhere_key, *old_keys)


@pytest.mark.proof
def test_a_key_without_the_right_to_create_is_told_apart_from_a_wrong_key(team: Team) -> None:
    reader = new_api_key()
    team.simulator.add_key(reader, role="inference-user")
    team.put_secret("reader", apiKey=reader)
    team.create(credentialsSecretRef={"name": "reader"})
    team.until("chat", "Stalled", "True", "PermissionDenied", says="role user or admin")
    assert team.simulator.deployments() == []
    assert "deploymentName" not in team.status()
