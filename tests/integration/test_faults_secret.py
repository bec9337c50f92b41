"""What happens to the Secret of a deployment that serves: it serves on, and the condition says what to put right."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pytest

from testkit.factories import NewTeam
from testkit.kubernetes_api import condition
from testkit.processes import Operator
from testkit.team import SECRET, Team, new_api_key
from tests.integration.faults import HEALS_WITHIN
from tests.integration.stories import Stories, side_by_side

pytestmark = pytest.mark.proof


@dataclass(frozen=True, slots=True)
class Spoilt:
    """A Secret that somebody has changed for the worse, or only nearly so (no reason)."""

    name: str
    spoil: Callable[[Team], None]
    reason: str = ""
    says: str = ""


CASES = [
    Spoilt("deleted", Team.delete_secret, "CredentialsMissing", "kubectl create secret generic"),
    Spoilt("emptied", lambda team: team.put_secret(SECRET, apiKey=""), "CredentialsMissing", "has no value under"),
    Spoilt("without data", lambda team: team.put_secret(SECRET), "CredentialsMissing", "it has: nothing"),
    Spoilt("under another key", lambda team: team.put_secret(SECRET, key=team.api_key), "CredentialsMissing", "key)"),
    Spoilt("with a trailing newline", lambda team: team.put_secret(SECRET, apiKey=f"{team.api_key}\n")),
    Spoilt("wrong key", lambda team: team.put_secret(SECRET, apiKey=new_api_key()), "CredentialsInvalid", "valid key"),
    Spoilt(
        "wrong account id",
        lambda team: team.put_secret(SECRET, apiKey=team.api_key, accountId="nobody"),
        "PermissionDenied",
        "nobody",
    ),
]


def _heals_when_put_right(team: Team, case: Spoilt) -> None:
    if case.reason:
        resource = team.until("chat", "Stalled", "True", case.reason, says=case.says)
        assert condition(resource, "Ready")["status"] == "False"
        assert condition(resource, "Available")["status"] == "True", "Fireworks serves on"
    team.put_secret(SECRET, apiKey=team.api_key)
    team.change(displayName="after")
    team.until_ready(within=HEALS_WITHIN)
    assert team.deployment()["displayName"] == "after"
    assert [each.method for each in team.writes()] == ["POST", "PATCH"]
    team.delete()
    team.until_gone()
    assert team.deployments() == []


@pytest.fixture(scope="module")
def stories(operator: Operator, stage: NewTeam) -> Iterator[Stories]:
    """All at once. The operator is started anew, so that it has no key in mind."""
    teams = [stage() for _ in CASES]
    for team in teams:
        team.create()
    for team in teams:
        team.until_ready()
    operator.stop()
    for team, case in zip(teams, CASES, strict=True):
        case.spoil(team)
    operator.start()
    told = {case.name: partial(_heals_when_put_right, case=case) for case in CASES}
    waiting = iter(teams)
    with side_by_side(lambda: next(waiting), told) as stories:
        yield stories


@pytest.mark.parametrize("secret", [case.name for case in CASES])
def test_a_secret_that_is_changed_for_the_worse_stops_nothing_and_is_named(stories: Stories, secret: str) -> None:
    stories.hear(secret)
