"""spec.router: a name that reaches the deployment whatever becomes of it, and that is nobody else's."""

from collections.abc import Mapping

import pytest

from fireworks_operator.controller.accounts.observer import STALE_AFTER
from fireworks_operator.core.identity import Owner, router_marker
from testkit.stories.addons import add_models, addons
from testkit.virtual.process import CLUSTER
from tests.virtual.team import MODEL, Json, Team, holds
from tests.virtual.test_identifiers import answers, identifiers

ROUTER = {"id": "chat"}
WITHIN = 66.0
"""Seconds until the next poll of an account at rest, at most."""


def routers(team: Team) -> dict[str, Json]:
    """Return the routers of the account by id."""
    status, answer = team.ask(f"/v1/accounts/{team.account}/routers", None, "GET")
    assert status == 200, answer
    return {str(each["name"]).rsplit("/", 1)[-1]: each for each in answer.get("routers", ())}


def name(team: Team, router: str = "chat") -> str:
    return f"accounts/{team.account}/routers/{router}"


def until_routed(team: Team, resource: str = "chat", router: str = "chat") -> None:
    def there() -> bool:
        found, deployment = routers(team).get(router, {}), team.status(resource).get("deploymentName")
        return (found.get("deployments"), found.get("state")) == ([deployment], "READY")

    team.eventually(there, f"the router {router} leads to the deployment of {resource}", within=600)
    team.until_ready(resource)


def make(team: Team, router: str, *deployments: str, **fields: object) -> None:
    """Create a router by hand."""
    body: Mapping[str, object] = {"deployments": list(deployments), **fields}
    status, answer = team.ask(f"/v1/accounts/{team.account}/routers", body, routerId=router)
    assert status == 200, answer


def by_hand(team: Team, changes: Mapping[str, object], router: str = "chat") -> None:
    masks = {"displayName": "display_name"}
    mask = ",".join(masks.get(each, each) for each in changes)
    status, answer = team.ask(f"/v1/{name(team, router)}", changes, "PATCH", updateMask=mask)
    assert status == 200, answer


def remove(team: Team, router: str = "chat") -> None:
    status, answer = team.ask(f"/v1/{name(team, router)}", None, "DELETE")
    assert status == 200, answer


def writes(team: Team) -> list[str]:
    """Return the operator's changes of routers."""
    return [each.method for each in team.journal(path="/routers") if each.method != "GET"]


def routed_later(team: Team) -> None:
    team.change(router=ROUTER)
    until_routed(team)


def routed(team: Team, **spec: object) -> None:
    team.create(spec={"router": ROUTER, **spec})
    team.until_ready()
    until_routed(team)


# --- what it is for -------------------------------------------------------------------------------------------------


def test_it_is_there_once_the_deployment_is_ready_and_answers(team: Team) -> None:
    team.create(router=ROUTER, connection={"configMapName": "chat-connection"})
    status = team.until_ready()["status"]
    assert status["router"] == {
        "name": name(team),
        "state": "READY",
        "deployment": status["deploymentName"],
        "createTime": status["router"]["createTime"],
    }
    assert identifiers(team)["Router"] == name(team)
    assert next(iter(identifiers(team))) == "ModelAndDeployment"
    assert status["modelIdentifier"] == f"{MODEL}#{status['deploymentName']}"
    assert answers(team, name(team))
    config_map = team.stage.server.config_maps[team.ref("chat-connection")]
    team.eventually(lambda: config_map.data["OPENAI_MODEL"] == name(team), "the ConfigMap has the router", within=60)
    assert config_map.data["FIREWORKS_DEPLOYMENT"] == status["deploymentName"]
    team.assert_at_rest(seconds=1200)
    assert writes(team) == ["POST"]


def test_without_the_field_routers_are_not_even_listed(team: Team) -> None:
    team.create()
    team.until_ready()
    team.wait(600)
    assert team.journal(path="/routers") == []


def test_at_rest_there_is_one_list_of_routers_with_each_of_the_deployments(team: Team) -> None:
    for each in ("first", "second"):
        team.create(each, router={"id": each})
    for each in ("first", "second"):
        until_routed(team, each, each)
    team.wait(900)
    seen, told = team.seen(), team.told()
    team.wait(1200)
    listed = team.journal("GET", r"/routers$", since=seen)
    assert 0 < len(listed) <= len(team.journal("GET", r"/deployments$", since=seen)) + 1
    assert team.journal("GET", r"/routers/", since=seen) == []
    assert team.told() == told, "nothing is written"


def test_a_restart_writes_nothing(team: Team) -> None:
    routed(team)
    team.assert_at_rest(seconds=600)
    seen, told = team.seen(), team.told()
    team.restart_operator()
    team.wait(300)
    assert (team.writes(since=seen), team.told()) == ([], told)


def test_an_existing_deployment_gets_one_and_loses_it_again(team: Team) -> None:
    team.create()
    team.until_ready()
    team.change(router=ROUTER)
    team.until_ready()
    until_routed(team)
    team.change(router=None)
    team.eventually(lambda: routers(team) == {}, "the router is deleted", within=120)
    team.until_ready()
    assert "router" not in team.status()
    assert "Router" not in identifiers(team)
    team.assert_at_rest(seconds=600)
    assert writes(team) == ["POST", "DELETE"]
    assert len(team.deployments()) == 1


def test_another_id_is_another_router(team: Team) -> None:
    routed(team)
    team.change(router={"id": "talk"})
    until_routed(team, router="talk")
    assert list(routers(team)) == ["talk"]
    assert identifiers(team)["Router"] == name(team, "talk")
    team.assert_at_rest()
    assert writes(team) == ["POST", "DELETE", "POST"]


def test_it_stays_while_its_deployment_is_replaced_under_the_same_name(team: Team) -> None:
    routed(team, replacePolicy={"type": "Recreate", "ignoreChecks": True})
    team.change(acceleratorType="NVIDIA_H200_141GB")
    team.until_ready(within=3600)
    until_routed(team)
    assert answers(team, name(team))
    assert writes(team) == ["POST"]


def test_it_moves_to_the_successor_before_the_former_deployment_goes(team: Team) -> None:
    routed(team, replacePolicy={"type": "BlueGreen", "drain": "1m"}, connection={"configMapName": "chat-connection"})
    former, config_map = team.status()["deploymentName"], team.stage.server.config_maps[team.ref("chat-connection")]
    team.eventually(lambda: config_map.data["OPENAI_MODEL"] == name(team), "the ConfigMap has the router", within=60)
    seen = team.seen()
    team.change(acceleratorType="NVIDIA_H200_141GB")

    def moved() -> bool:
        assert answers(team, name(team)), "at any moment, the router reaches a deployment that serves"
        assert (identifiers(team)["Router"], config_map.data["OPENAI_MODEL"]) == (name(team), name(team))
        return team.status()["deploymentName"] != former and former not in str(team.deployments())

    team.eventually(moved, "it is replaced, and the former one is gone", within=7200)
    until_routed(team)
    order = [
        (each.method, "routers" in each.path) for each in team.writes(since=seen) if "validate" not in str(each.query)
    ]
    assert order.index(("PATCH", True)) < order.index(("DELETE", False))
    team.assert_at_rest()
    assert writes(team) == ["POST", "PATCH"]


def test_the_former_deployment_stays_while_the_router_cannot_be_moved(team: Team) -> None:
    routed(team, replacePolicy={"type": "BlueGreen", "drain": "1m", "ignoreChecks": True})
    former = team.status()["deploymentName"]
    rule = team.fault("status", method="PATCH", path="/routers/", code="FAILED_PRECONDITION", message="not now")
    team.change(acceleratorType="NVIDIA_H200_141GB")
    team.until("chat", "Stalled", "True", "RejectedByFireworks", says="not now", within=3600)
    seen = team.seen()
    team.wait(3600)
    assert former in str(team.deployments())
    assert answers(team, name(team))
    assert team.hits(rule) <= 8
    assert len(team.journal(since=seen)) < 3600
    team.simulator.clear_faults()
    team.eventually(lambda: former not in str(team.deployments()), "it goes after all", within=3700)
    until_routed(team)


# --- what others do to it -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("meddled", ["renamed", "another deployment", "both", "deleted"])
def test_what_is_done_to_it_by_hand(team: Team, meddled: str) -> None:
    routed(team)
    team.simulator.create_foreign(prefix="theirs", baseModel=MODEL)
    theirs = f"accounts/{team.account}/deployments/theirs-0"
    ours = team.status()["deploymentName"]
    team.wait(WITHIN)
    match meddled:
        case "renamed":
            by_hand(team, {"displayName": "Chat"})
        case "another deployment":
            by_hand(team, {"deployments": [ours, theirs]})
        case "both":
            by_hand(team, {"displayName": "Chat", "deployments": [theirs]})
        case "deleted":
            remove(team)
    if meddled == "both":  # it has become somebody else's
        team.until("chat", "Stalled", "True", "RouterConflict", says="spec.router.id")
        team.wait(600)
        assert routers(team)["chat"]["deployments"] == [theirs]
        assert writes(team) == ["POST"]
        return
    team.eventually(lambda: len(writes(team)) == 2, "it is put right", within=120)
    until_routed(team)
    assert routers(team)["chat"]["displayName"].startswith("fireworks-operator: ")
    team.assert_at_rest(seconds=600)
    assert writes(team) == ["POST", "POST" if meddled == "deleted" else "PATCH"]


# --- what is not its own --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("over", ["theirs", "ours"])
def test_a_router_made_by_hand_is_refused_in_words_and_left_alone(team: Team, over: str) -> None:
    team.simulator.assume(default_deployment_check=False)
    team.simulator.create_foreign(prefix="theirs", baseModel=MODEL)
    team.create()
    team.until_ready()
    ours = team.status()["deploymentName"]
    deployment = ours if over == "ours" else f"accounts/{team.account}/deployments/theirs-0"
    make(team, "chat", deployment, displayName="Mine")
    team.change(router=ROUTER)
    resource = team.until("chat", "Stalled", "True", "RouterConflict", says="was not created for this resource")
    assert holds(resource, "Available") == "True"
    assert "router" not in resource["status"]
    assert "Router" not in identifiers(team)
    team.wait(900)
    team.delete()
    team.until_gone()
    found = routers(team)["chat"]
    assert (found["displayName"], found["deployments"]) == ("Mine", [deployment])
    assert writes(team) == []


def test_it_is_created_once_the_one_in_its_way_is_gone(team: Team) -> None:
    team.create()
    team.until_ready()
    make(team, "chat", team.status()["deploymentName"])
    team.change(router=ROUTER)
    team.until("chat", "Stalled", "True", "RouterConflict")
    remove(team)
    until_routed(team)
    team.assert_at_rest()


def test_a_second_resource_with_the_same_id_is_refused_and_the_first_keeps_it(team: Team) -> None:
    team.simulator.assume(default_deployment_check=False)
    team.create_at_once("first", "second", router=ROUTER)
    team.eventually(lambda: "chat" in routers(team), "one of them has it", within=600)
    (owner,) = (each for each in ("first", "second") if each in routers(team)["chat"]["deployments"][0])
    other = {"first": "second", "second": "first"}[owner]
    until_routed(team, owner)
    team.until(other, "Stalled", "True", "RouterConflict", says="spec.router.id")
    team.delete(other)
    team.until_gone(other)
    until_routed(team, owner)
    assert writes(team).count("DELETE") == 0


def test_a_router_that_the_service_made_is_left_alone(team: Team) -> None:
    team.create()
    team.until_ready()
    team.simulator.add_router("chat", [team.deployment_id()], team.account)
    team.change(router=ROUTER)
    team.until("chat", "Stalled", "True", "RouterConflict")
    team.delete()
    team.until_gone()
    assert list(routers(team)) == ["chat"]


# --- deletion -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("refuses", ["ok", "refuse"])
def test_it_goes_before_its_deployment(team: Team, refuses: str) -> None:
    team.simulator.assume(delete_with_router=refuses)
    routed(team)
    seen = team.seen()
    team.delete()
    team.until_gone()
    assert (routers(team), team.deployments()) == ({}, [])
    assert [each.method for each in team.writes(since=seen)] == ["DELETE", "DELETE"]
    assert "/routers/" in team.writes(since=seen)[0].path


@pytest.mark.parametrize(
    ("spec", "annotation"),
    [({"deletionPolicy": "Retain"}, None), ({}, "abandon"), ({"managementPolicy": "Observe"}, None)],
)
def test_it_stays_with_a_deployment_that_stays(team: Team, spec: Json, annotation: str | None) -> None:
    routed(team)
    team.change(**spec)
    team.wait(60)
    if annotation is not None:
        team.annotate("chat", annotation, "true")
    team.delete()
    team.until_gone()
    assert list(routers(team)) == ["chat"]
    assert len(team.deployments()) == 1


def test_it_goes_also_when_the_deployment_was_deleted_by_somebody_else(team: Team) -> None:
    routed(team, externalDeletionPolicy="Report")
    status, _ = team.ask(f"/v1/{team.status()['deploymentName']}", None, "DELETE", ignoreChecks="true")
    assert status == 200
    team.delete()
    team.until_gone()
    assert routers(team) == {}


def test_a_deletion_that_is_refused_says_so_and_is_tried_again(team: Team) -> None:
    routed(team)
    rule = team.fault("status", method="DELETE", path="/routers/", code="FAILED_PRECONDITION", message="not now")
    team.delete()
    team.until("chat", "Stalled", "True", "RejectedByFireworks", says="not now")
    team.wait(600)
    assert 2 <= team.hits(rule) <= 8
    assert len(team.deployments()) == 1, "it is not deleted before its router"
    team.simulator.clear_faults()
    team.until_gone(within=700)
    assert routers(team) == {}


# --- answers that are lost ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["drop_before_commit", "drop_after_commit", "html_502"])
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_a_lost_answer_makes_no_second_router_and_leaves_none_behind(team: Team, kind: str, method: str) -> None:
    team.create()
    team.until_ready()
    if method == "PATCH":
        routed_later(team)
        by_hand(team, {"displayName": "Chat"})
    rule = team.fault(kind, method=method, path=r"/routers\b", times=1)
    routed_later(team)
    if method == "PATCH":
        team.eventually(lambda: routers(team)["chat"]["displayName"] != "Chat", "it is put back", within=120)
        until_routed(team)
    team.assert_at_rest(seconds=600)
    team.delete()
    team.until_gone()
    assert team.hits(rule) > 0
    assert (routers(team), team.deployments()) == ({}, [])


def test_a_deletion_waits_for_what_a_request_without_an_answer_may_yet_make(team: Team) -> None:
    team.create()
    team.until_ready()
    team.fault("hang", method="POST", path=r"/routers$")
    team.change(router=ROUTER)
    team.eventually(lambda: team.status().get("router", {}).get("requestTime"), "it was requested", within=60)
    team.delete()
    team.until("chat", "Reconciling", "True", says="unanswered request", within=120)
    team.simulator.clear_faults()
    make(team, "chat", team.status()["deploymentName"], displayName=_marker(team))  # it takes effect late
    team.until_gone(within=600)
    assert (routers(team), team.deployments()) == ({}, [])


def test_a_request_that_takes_effect_late_leaves_no_router_that_is_not_wanted_any_more(team: Team) -> None:
    team.create()
    team.until_ready()
    rule = team.fault("hang", method="POST", path=r"/routers$", times=1)
    team.change(router=ROUTER)
    team.eventually(lambda: team.hits(rule), "it is requested", within=60)
    team.wait(40)
    team.change(router=None)
    team.wait(25)
    if "chat" not in routers(team):
        make(team, "chat", team.status()["deploymentName"], displayName=_marker(team))  # the first request, late
    team.eventually(lambda: routers(team) == {}, "it is deleted", within=300)
    team.until_ready()
    assert "router" not in team.status()
    team.assert_at_rest(seconds=600)


def _marker(team: Team) -> str:
    return router_marker(Owner(CLUSTER, team.namespace, "chat"))


def test_it_is_found_again_when_the_status_was_lost(team: Team) -> None:
    routed(team)
    before = routers(team)
    team.stage.stop()
    team.stage.server.put_status(team.ref("chat"), {"observedGeneration": -1})
    team.stage.start()
    until_routed(team)
    assert (routers(team), writes(team)) == (before, ["POST"])
    assert team.status()["router"]["name"] == name(team)


def test_it_goes_also_when_the_status_was_lost_before_the_deletion(team: Team) -> None:
    routed(team)
    team.stage.stop()
    team.stage.server.put_status(team.ref("chat"), {"observedGeneration": -1})
    team.delete()
    team.stage.start()
    team.until_gone()
    assert (routers(team), team.deployments()) == ({}, [])


@pytest.mark.parametrize("soft", [True, False], ids=["deleted", "purged"])
def test_it_goes_also_when_the_status_was_lost_and_the_deployment_is_gone(team: Team, soft: bool) -> None:
    routed(team)
    team.stage.stop()
    team.simulator.vanish(team.status()["deploymentName"].rsplit("/", 1)[-1], soft=soft)
    team.stage.server.put_status(team.ref("chat"), {"observedGeneration": -1})
    team.delete()
    team.stage.start()
    team.until_gone()
    assert routers(team) == {}


def test_it_goes_also_when_the_status_is_of_before_it_was_created(team: Team) -> None:
    team.create()
    before = team.until_ready()["status"]
    team.change(router=ROUTER)
    team.until_ready()
    assert len(routers(team)) == 1
    team.stage.stop()
    team.stage.server.put_status(team.ref("chat"), before)
    team.delete()
    team.stage.start()
    team.until_gone()
    assert (routers(team), team.deployments()) == ({}, [])


# --- trouble --------------------------------------------------------------------------------------------------------


def test_what_fireworks_refuses_is_told_tried_rarely_and_keeps_the_deployment_serving(team: Team) -> None:
    team.create(router=ROUTER, placement={"region": "US_IOWA_1"})
    resource = team.until("chat", "Stalled", "True", "RejectedByFireworks", says="Correct spec.router")
    assert holds(resource, "Available") == "True"
    team.wait(3600)
    assert writes(team).count("POST") <= 5
    team.change(router=None)
    team.until_ready()
    assert "router" not in team.status()
    team.assert_at_rest(seconds=600)


@pytest.mark.parametrize("code", ["UNIMPLEMENTED", "PERMISSION_DENIED", "INTERNAL"])
def test_routers_that_cannot_be_read_harm_only_who_wants_one(team: Team, code: str) -> None:
    team.fault("status", path=r"/routers\b", code=code)
    team.create("other")
    team.create(router=ROUTER)
    team.until_ready("other")
    team.eventually(lambda: "routers/chat" in str(team.status().get("conditions")), "it is told", within=300)
    assert holds(team.get(), "Available") == "True"
    team.wait(600)
    team.assert_at_rest("other", seconds=300)
    team.simulator.clear_faults()
    until_routed(team)


def test_a_list_that_fails_takes_nothing_away(team: Team) -> None:
    routed(team)
    team.assert_at_rest(seconds=300)
    team.fault("status", method="GET", path=r"/routers\b", code="INTERNAL")
    told = team.told()
    team.wait(2 * STALE_AFTER)
    assert team.told() == told
    assert identifiers(team)["Router"] == name(team)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"addons": addons("alien")}, "AddonFailed"),
        ({"deployedModel": {"public": True}}, "RejectedByFireworks"),
    ],
    ids=["an addon", "the base model's entry"],
)
def test_it_leads_to_the_deployment_whatever_is_wrong_with_what_is_loaded_there(
    team: Team, spec: Json, reason: str
) -> None:
    add_models(team)
    team.fault("status", method="PATCH", path="/deployedModels/", code="FAILED_PRECONDITION", message="not so")
    team.create(spec={"enableAddons": True, "router": ROUTER, **spec})
    team.until("chat", "Stalled", "True", reason)
    assert routers(team)["chat"]["deployments"] == [team.status()["deploymentName"]]
    team.change(router={"id": "talk"})
    team.eventually(lambda: name(team, "talk") in identifiers(team).values(), "it is another one", within=WITHIN)
    assert list(routers(team)) == ["talk"]
    team.until("chat", "Stalled", "True", reason)


def test_paused_it_is_withheld(team: Team) -> None:
    team.create(paused=True, router=ROUTER)
    team.until("chat", "Stalled", "True", "Paused")
    team.change(paused=False)
    until_routed(team)
    team.change(paused=True, router=None)
    team.until("chat", "Stalled", "True", "Paused", says="DeleteRouter")
    assert list(routers(team)) == ["chat"]


def test_it_is_created_with_the_operators_own_key(own_team: Team) -> None:
    own_team.create(router=ROUTER)
    until_routed(own_team)
