"""The operator's own API key: missing, wrong, not for everyone; and an API that is not there yet."""

import socket
from pathlib import Path

import pytest

from fireworks_simulator.testing import SimulatorClient
from testkit.factories import MakeTeam, StartOperator
from testkit.processes import SimulatorProcess
from testkit.team import new_api_key

HEALS_WITHIN = 40.0
"""A key or an API that did not work is tried again within 30 s, plus a little."""


@pytest.mark.proof
def test_without_any_key_the_condition_says_where_to_put_one(
    start_operator: StartOperator, make_team: MakeTeam
) -> None:
    team = make_team(start_operator(api_key=None), own=True)
    team.create()
    team.until("chat", "Stalled", "True", "CredentialsMissing", says="spec.credentialsSecretRef")
    team.put_secret("late", apiKey=team.api_key)
    team.change(credentialsSecretRef={"name": "late"})
    team.until_ready()


@pytest.mark.proof
def test_a_wrong_operator_key_is_named_and_works_once_it_is_accepted(
    start_operator: StartOperator, make_team: MakeTeam
) -> None:
    key = new_api_key()
    operator = start_operator(api_key=key)
    team = make_team(operator, own=True)
    team.create()
    team.until("chat", "Stalled", "True", "CredentialsInvalid", says="does not accept the API key")
    team.simulator.add_key(key)
    team.until_ready(within=HEALS_WITHIN)
    team.assert_no_secret(key)
    operator.check_log(key)


@pytest.mark.proof
def test_namespaces_outside_the_allow_list_need_a_secret_of_their_own(
    start_operator: StartOperator, make_team: MakeTeam
) -> None:
    operator = start_operator(FIREWORKS_OPERATOR_CREDENTIAL_NAMESPACES="somewhere-else")
    team = make_team(operator, own=True)
    team.create()
    team.until("chat", "Stalled", "True", "CredentialsNotAllowed", says="credentialNamespaces")
    assert team.posts() == []


def test_an_api_that_starts_after_the_operator_is_waited_for(
    start_operator: StartOperator, make_team: MakeTeam, tmp_path: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    operator = start_operator(base_url=f"http://127.0.0.1:{port}")
    team = make_team(operator, own=True)
    team.create()
    team.until("chat", "Ready", "Unknown", "ApiUnavailable", says="FIREWORKS_BASE_URL")
    late = SimulatorProcess(tmp_path / "late.log", port=port, account=team.account, api_key=team.api_key)
    late.start()
    team.simulator, session_simulator = SimulatorClient(late.url, team.account), team.simulator
    try:
        team.until_ready(within=HEALS_WITHIN)
        assert len(team.posts()) == 1
        team.delete()
        team.until_gone()
    finally:
        team.simulator = session_simulator
        late.stop()
