"""One team against another: nobody uses what is not theirs, and nobody is disturbed by who tries."""

from collections.abc import Callable, Mapping

import pytest

from fireworks_operator.core.identity import Owner, deployment_id
from testkit.factories import NewTeam
from testkit.kubernetes_api import KubernetesApi, KubernetesError, condition, resources_path
from testkit.stories.team import AnyTeam
from testkit.stories.tenants import (
    APART,
    SHARING,
    assert_told_nothing,
    assert_untouched,
    claim_by_a_forged_status,
    serving,
)
from testkit.team import MODEL, Team, new_api_key
from testkit.waiting import steadily

# --- Secrets and accounts ---------------------------------------------------------------------------------------------


def test_a_secret_of_another_namespace_cannot_be_named(new_team: NewTeam) -> None:
    victim, thief = new_team(), new_team()
    victim.put_secret("only-theirs", apiKey=victim.api_key)
    for name in (f"{victim.namespace}/only-theirs", f"../{victim.namespace}/secrets/only-theirs", "only-theirs?x=1"):
        with pytest.raises(KubernetesError, match=r"must be the name of a Secret in the same namespace"):
            thief.create(credentialsSecretRef={"name": name})
    thief.create("mine", credentialsSecretRef={"name": "only-theirs", "namespace": victim.namespace})
    thief.until("mine", "Stalled", "True", "CredentialsMissing", says=f"--namespace {thief.namespace}")
    assert "namespace" not in thief.get("mine")["spec"]["credentialsSecretRef"]
    assert victim.journal() == []


@pytest.mark.proof
def test_another_teams_account_id_beside_ones_own_key_opens_nothing(new_team: NewTeam) -> None:
    victim, thief = new_team(), new_team()
    before = serving(victim, deploymentId="chat-prod")
    thief.put_secret("crooked", apiKey=thief.api_key, accountId=victim.account)
    for number, spec in enumerate(
        (
            {},
            {"deploymentId": "chat-prod", "adoptionPolicy": "Unowned"},
            {"deploymentId": "chat-prod", "managementPolicy": "Observe"},
        )
    ):
        thief.create(f"mine-{number}", spec=spec, credentialsSecretRef={"name": "crooked"})
        thief.until(f"mine-{number}", "Stalled", "True", says="account")
        assert_told_nothing(thief, f"mine-{number}")
    assert_untouched(victim, before)
    assert len(victim.writes()) == 1


@pytest.mark.proof
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
    new_team: NewTeam, answer: str, action: Mapping[str, object]
) -> None:
    victim, thief = new_team(), new_team()
    serving(victim)
    key = new_api_key()
    key_id = thief.simulator.add_key(key)
    match = {"account": victim.account, "keyId": key_id}
    body = {"match": match, "action": {"kind": "status", **action}}
    rule = str(thief.simulator.call("POST", "/faults", body)["id"])
    thief.put_secret("crooked", apiKey=key, accountId=victim.account)
    thief.create("mine", credentialsSecretRef={"name": "crooked"})
    thief.eventually(lambda: thief.simulator.fault_hits(rule) >= 1, f"{answer}: to the thief")
    victim.change("theirs", displayName=answer)
    victim.until_ready("theirs")
    victim.create("another")
    victim.until_ready("another")
    assert thief.deployments() == []
    thief.assert_no_secret(key)


@pytest.mark.proof
@pytest.mark.parametrize("story", APART, ids=lambda story: story.__name__)
def test_teams_with_an_account_each(new_team: NewTeam, story: Callable[[AnyTeam, AnyTeam], None]) -> None:
    story(new_team(), new_team())


# --- deployments of a shared account ----------------------------------------------------------------------------------


@pytest.mark.proof
@pytest.mark.parametrize("story", SHARING, ids=lambda story: story.__name__)
def test_teams_that_share_an_account(sharing_teams: list[Team], story: Callable[[AnyTeam, AnyTeam], None]) -> None:
    story(*sharing_teams)


def test_a_forged_status_claims_nothing(sharing_teams: list[Team]) -> None:
    """Who may write a status, as none of the chart's roles for users allows, may still not act as somebody else."""
    victim, thief = sharing_teams
    serving(victim)
    status = victim.status("theirs")
    manifest = thief.manifest("mine", {}, {"paused": True}) | {"status": status}
    thief.api.request("POST", resources_path(thief.namespace), manifest)
    thief.until("mine", "Stalled", "True", "Paused")
    assert "deploymentName" not in thief.status("mine"), "what a manifest says of status is ignored"
    claim_by_a_forged_status(victim, thief)


@pytest.mark.proof
def test_a_forged_status_with_an_account_does_not_lead_there(new_team: NewTeam) -> None:
    victim, thief = new_team(), new_team()
    before = serving(victim)
    thief.create("mine", paused=True)
    thief.until("mine", "Stalled", "True", "Paused")
    thief.set_status("mine", {"deploymentName": before["name"], "account": thief.account, "createTime": None})
    thief.change("mine", paused=None)
    thief.eventually(lambda: condition(thief.get("mine"), "Ready")["reason"] != "Paused", "it is looked at")
    thief.delete("mine")
    steadily(lambda: victim.deployments()[0] == before, "nothing changes", seconds=2.0, explain=thief.explain)
    thief.annotate("mine", "abandon", "true")
    thief.until_gone("mine")
    assert_untouched(victim, before)


@pytest.mark.proof
def test_nobody_can_take_the_id_that_another_teams_resource_will_have(
    sharing_teams: list[Team], kubernetes: KubernetesApi
) -> None:
    victim, thief = sharing_teams
    cluster = str(kubernetes.request("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"])
    identifier = deployment_id(Owner(cluster, victim.namespace, "theirs"))
    thief.create("mine", deploymentId=identifier, deletionPolicy="Retain")
    thief.until_ready("mine")
    victim.create("theirs")
    victim.until("theirs", "Stalled", "True", "Conflict", says="spec.deploymentId")
    thief.delete("mine")
    thief.until_gone("mine")
    victim.until("theirs", "Stalled", "True", "AdoptionNotAllowed", within=90, says="spec.adoptionPolicy")
    victim.change("theirs", deploymentId="another-id")
    victim.until_ready("theirs")


@pytest.mark.proof
def test_names_that_look_alike_at_fireworks_are_two_deployments(new_team: NewTeam) -> None:
    team = new_team()
    for name, model in (("a.b", MODEL), ("a-b", "accounts/fireworks/models/qwen2p5-7b-instruct")):
        team.create(name, displayName=name, baseModel=model)  # or one were its model's default, which must stay
    for name in ("a.b", "a-b"):
        team.until_ready(name)
    assert sorted(str(each["displayName"]) for each in team.deployments()) == ["a-b", "a.b"]
    team.delete("a.b")
    team.until_gone("a.b")
    assert [each["displayName"] for each in team.deployments()] == ["a-b"]


def test_a_model_that_is_no_name_reaches_no_other_place_of_the_api(new_team: NewTeam) -> None:
    team = new_team()
    for model in (f"{MODEL}/../../../accounts", "..", f"{MODEL}#accounts/x/deployments/y", "a?b=c", "a b", "a\nb"):
        with pytest.raises(KubernetesError, match=r"spec\.baseModel"):
            team.create(baseModel=model)
    assert team.journal() == []
