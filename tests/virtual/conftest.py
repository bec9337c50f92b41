"""The virtual stage: each story has one of its own, which takes a few milliseconds.

The operator (controller, accounts, client and transport are the real ones), an API server in memory and the simulator
share one event loop. Its clock jumps while all of them wait, so that pauses are stated as they are: minutes, hours,
days. What a real process, API server, network or kubectl has to prove stays in tests/integration. The promises of its
tests that are marked `proof` are kept here:

    here                          there
    test_stories                  test_stories, from the tables of testkit.stories
    test_requests                 test_faults_create, _change; blocked deletions of test_delete
    test_lists                    test_faults_list, LISTs of test_faults
    test_states                   test_faults_state; DELETING for half an hour of test_delete
    test_secrets                  test_faults_secret, test_credentials, other accounts' keys of test_ownership
    test_budget                   test_budget, test_fairness (a paused account), test_network (tries get rarer)
    test_conditions_over_time     test_conditions_over_time, kstatus of test_kstatus, events of test_ready
    test_convergence              test_convergence, drift of test_lifecycle
    test_capacity                 test_capacity, quota and suspension of test_faults
    test_failed                   test_failed, FAILED of test_lifecycle
    test_deletion_elsewhere       test_deletion_elsewhere, loss of test_lifecycle, names used again of test_delete
    test_deletion                 test_delete, test_finalizer, outages while deleting of test_faults
    test_ownership                test_adoption, test_ownership; paused and observed of test_lifecycle
    test_changes, _replicas       test_create_request, test_update, test_scaling
    test_addons, _addons_trouble  test_addons, test_addons_trouble
    test_restarts                 test_restart, test_kill, names used again of test_api_server
    test_identity                 test_identity
    test_tenants                  test_tenants, test_own_credential
"""

from collections.abc import Iterator
from datetime import datetime

import pytest

from tests.virtual.stage import Stage
from tests.virtual.team import NewTeam, Team


@pytest.fixture
def began() -> datetime | None:
    """When the story begins; None: now."""
    return None


@pytest.fixture
def stage(began: datetime | None) -> Iterator[Stage]:
    """The operator, Kubernetes and Fireworks, all of them new."""
    stage = Stage(began=began)
    yield stage
    stage.close()


@pytest.fixture
def new_team(stage: Stage) -> Iterator[NewTeam]:
    """Make teams; at the end each is judged."""
    teams: list[Team] = []

    def make() -> Team:
        teams.append(Team.begin(stage))
        return teams[-1]

    yield make
    for team in teams:
        team.check()


@pytest.fixture
def team(new_team: NewTeam) -> Team:
    """A team with an account of its own."""
    return new_team()


@pytest.fixture
def own_team(stage: Stage) -> Iterator[Team]:
    """A team that uses the operator's own account."""
    team = Team.begin(stage, own=True)
    yield team
    team.check()
