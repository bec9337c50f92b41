"""One team against another: nobody uses what is not theirs, and nobody is disturbed by who tries."""

from testkit.conditions import holds

from .team import AnyTeam, Json

HIDDEN = ("state", "modelIdentifier", "replicas", "effective", "createTime", "deploymentName")
"""What a status would tell of a deployment."""


def assert_told_nothing(team: AnyTeam, name: str = "mine") -> None:
    """Assert that a status says nothing of somebody else's deployment."""
    found = set(HIDDEN) & team.status(name).keys()
    assert not found, f"the status tells {found} of somebody else's deployment"


def deployment_of(team: AnyTeam, name: str = "theirs") -> Json:
    """Return the deployment that is marked as a resource's."""
    return next(each for each in team.deployments() if each["annotations"]["custom/name"] == name)


def serving(team: AnyTeam, name: str = "theirs", /, **spec: object) -> Json:
    """Have a resource that serves; return its deployment."""
    team.create(name, spec=spec)
    team.until_ready(name)
    return deployment_of(team, name)


def assert_untouched(team: AnyTeam, before: Json, name: str = "theirs") -> None:
    """Assert that a resource is ready, and its deployment as it was."""
    assert next(each for each in team.deployments() if each["name"] == before["name"]) == before
    assert holds(team.get(name), "Ready") == "True"


# --- teams with an account each -------------------------------------------------------------------------------------


def a_marker_that_somebody_forged_moves_no_resource_to_another_deployment(victim: AnyTeam, thief: AnyTeam) -> None:
    before = serving(victim)
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


# --- teams that share an account ------------------------------------------------------------------------------------


def another_teams_deployment_cannot_be_claimed_by_its_id(victim: AnyTeam, thief: AnyTeam) -> None:
    _claim(victim, thief, "Never")


def another_teams_deployment_cannot_be_adopted_by_its_id(victim: AnyTeam, thief: AnyTeam) -> None:
    _claim(victim, thief, "Unowned")


def _claim(victim: AnyTeam, thief: AnyTeam, policy: str) -> None:
    before = serving(victim)
    identifier = str(before["name"]).rsplit("/", 1)[-1]
    thief.create("mine", deploymentId=identifier, adoptionPolicy=policy, displayName="mine now", minReplicaCount=0)
    thief.until("mine", "Stalled", "True", "Conflict", says="another resource")
    assert_told_nothing(thief)
    thief.annotate("mine", "ignore-checks", "true")
    thief.delete("mine")
    thief.until_gone("mine")
    assert_untouched(victim, before)
    assert victim.journal("DELETE") == []


def another_teams_deployment_cannot_be_observed_with_the_key_that_both_share(victim: AnyTeam, thief: AnyTeam) -> None:
    before = serving(victim)
    thief.create("mine", deploymentId=str(before["name"]).rsplit("/", 1)[-1], managementPolicy="Observe")
    thief.until("mine", "Stalled", "True", "Conflict", says="spec.credentialsSecretRef")
    assert_told_nothing(thief)
    assert_untouched(victim, before)


def claim_by_a_forged_status(victim: AnyTeam, thief: AnyTeam) -> None:
    """Put the victim's status into the thief's paused resource "mine": nothing is claimed, changed or deleted by it."""
    before, status = deployment_of(victim), victim.status("theirs")
    thief.set_status("mine", {key: value for key, value in status.items() if key != "conditions"})
    thief.change("mine", paused=None)
    thief.until("mine", "Stalled", "True", "Conflict", says="another resource")
    thief.change("mine", displayName="mine now", minReplicaCount=0)
    thief.until("mine", "Stalled", "True", "Conflict")
    thief.annotate("mine", "ignore-checks", "true")
    thief.delete("mine")
    thief.until_gone("mine")
    assert_untouched(victim, before)


APART = (a_marker_that_somebody_forged_moves_no_resource_to_another_deployment,)
SHARING = (
    another_teams_deployment_cannot_be_claimed_by_its_id,
    another_teams_deployment_cannot_be_adopted_by_its_id,
    another_teams_deployment_cannot_be_observed_with_the_key_that_both_share,
)
