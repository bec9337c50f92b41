"""Direct routes: their API keys come from a Secret, reach Fireworks and nobody else, and follow the Secret."""

from collections.abc import Callable

import pytest

from fireworks_simulator.testing import JournalEntry
from testkit.virtual.api_server import Raw
from tests.virtual.team import Json, Team, holds

ROUTE = "route"
"""Name of the Secret."""
PLACE = {"region": "US_IOWA_1"}
FIRST, SECOND, THIRD = ("route-key-of-the-first-day", "route-key-of-the-next-day", "route-key-of-the-last-day")
NOTICED = 75.0
"""Seconds within which a change of the Secret is noticed."""
PEACE = 300.0
"""Seconds in which all would come to light that is done again and again."""


def spec(kind: str = "INTERNET", *keys: str) -> Json:
    """Return the fields of a spec with a direct route."""
    reference: Json = {"name": ROUTE, **({"keys": list(keys)} if keys else {})}
    return {"placement": PLACE, "directRoute": {"type": kind, "apiKeysSecretRef": reference}}


def put(team: Team, **data: str) -> None:
    """Put API keys into the Secret, which may be shown nowhere from then on."""
    team.keys.update(value.strip() for value in data.values() if len(value.strip()) >= 8)
    team.put_secret(ROUTE, **data)


def serve(team: Team, **more: object) -> Raw:
    """Create a resource with a direct route and a key, and wait until it is Ready."""
    put(team, apiKey=FIRST)
    team.create(spec={**spec(), **more})
    return team.until_ready()


def at_fireworks(team: Team) -> tuple[str, list[str]]:
    """Return type and keys of the deployment's route, as Fireworks has them."""
    team.simulator.assume(direct_route_api_keys_readable=True)
    found = team.deployment()
    team.simulator.assume(direct_route_api_keys_readable=False)
    return found.get("directRouteType", ""), found.get("directRouteApiKeys", [])


def mask(request: JournalEntry) -> set[str]:
    """Return the fields that a PATCH names."""
    return set(request.query["updateMask"].split(","))


def rotated(team: Team, key: str) -> Callable[[], bool]:
    """Return what tells whether Fireworks and the status are at a key."""

    def look() -> bool:
        version = team.stage.server.secrets.versions[team.namespace, ROUTE][1]
        known = team.status()["directRouteSecret"]["resourceVersion"]
        return at_fireworks(team)[1] == [key] and known == version

    return look


# --- creation -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("readable", [False, True], ids=["as it is", "where Fireworks shows the keys"])
def test_the_keys_go_along_with_the_create_request_and_are_shown_nowhere(team: Team, readable: bool) -> None:
    team.simulator.assume(direct_route_api_keys_readable=readable)
    status = serve(team)["status"]
    (post,) = team.posts()
    assert isinstance(post.body, dict)
    assert (post.body["directRouteType"], post.body["directRouteApiKeys"]) == ("INTERNET", [FIRST])
    assert status["directRouteHandle"] == f"{team.deployment_id()}.direct.fireworks.example.com"
    uid, version = team.stage.server.secrets.versions[team.namespace, ROUTE]
    assert status["directRouteSecret"] == {"name": ROUTE, "keys": ["apiKey"], "uid": uid, "resourceVersion": version}
    assert "directRoute.type" in status["appliedFields"]
    told = team.told()
    team.wait(PEACE)
    assert team.methods() == ["POST"], "what was created needs no correction"
    assert team.told() == told, "at rest nothing is written"


def test_several_keys_are_valid_together(team: Team) -> None:
    put(team, current=FIRST, next=SECOND, other="of-no-concern")
    team.create(spec=spec("INTERNET", "current", "next"))
    team.until_ready()
    assert at_fireworks(team) == ("INTERNET", [FIRST, SECOND])
    assert "of-no-concern" not in str(team.journal())


def test_a_private_network_needs_no_keys(team: Team) -> None:
    team.create(placement=PLACE, directRoute={"type": "AWS_PRIVATELINK"})
    status = team.until_ready()["status"]
    assert at_fireworks(team) == ("AWS_PRIVATELINK", [])
    assert status["directRouteHandle"].startswith("com.amazonaws.vpce")
    assert "directRouteSecret" not in status


@pytest.mark.parametrize(
    ("data", "reason", "says"),
    [
        (None, "CredentialsMissing", f"kubectl create secret generic {ROUTE} --namespace"),
        ({}, "CredentialsMissing", 'has no value under "apiKey" (it has: nothing)'),
        ({"apiKey": "\n"}, "CredentialsMissing", 'has no value under "apiKey"'),
        ({"apiKey": "x" * 5000}, "CredentialsInvalid", 'does not hold an API key under "apiKey"'),
        ({"apiKey": "two words, or more"}, "CredentialsInvalid", 'does not hold an API key under "apiKey"'),
    ],
    ids=["missing", "without data", "blank", "too long", "no key"],
)
def test_nothing_is_created_before_the_secret_has_the_keys(
    team: Team, data: dict[str, str] | None, reason: str, says: str
) -> None:
    if data is not None:
        put(team, **data)
    team.create(spec=spec())
    resource = team.until("chat", "Stalled", "True", reason, says=says)
    assert "deploymentName" not in resource["status"], "the spec can be corrected"
    team.wait(PEACE)
    assert team.posts() == []
    put(team, apiKey=FIRST)
    team.until_ready(within=NOTICED)
    assert team.methods() == ["POST"]
    assert at_fireworks(team) == ("INTERNET", [FIRST])


# --- the Secret changes -----------------------------------------------------------------------------------------------


def test_a_rotated_secret_leads_to_one_request_and_nobody_is_told_of_an_update(team: Team) -> None:
    serve(team)
    told, seen = team.told(), team.seen()
    put(team, apiKey=SECOND)
    team.eventually(rotated(team, SECOND), "the new key is there", within=NOTICED)
    team.wait(PEACE)
    (patch,) = team.writes(since=seen)
    assert mask(patch) == {"direct_route_api_keys"}
    assert team.deployment()["directRouteType"] == "INTERNET"
    versions = team.versions(since=told)
    assert {(holds(each, "Ready"), holds(each, "Available")) for each in versions} == {("True", "True")}
    assert len(versions) == 1, "the status is written once"


def test_a_secret_that_is_only_touched_leads_to_one_request_more(team: Team) -> None:
    serve(team)
    seen = team.seen()
    put(team, apiKey=FIRST)
    team.eventually(lambda: team.writes(since=seen), "the keys are sent", within=NOTICED)
    team.wait(PEACE)
    assert team.methods(since=seen) == ["PATCH"]


def test_keys_are_sent_anew_when_the_spec_names_others(team: Team) -> None:
    put(team, apiKey=FIRST, next=SECOND)
    team.create(spec=spec())
    team.until_ready()
    seen = team.seen()
    team.change(directRoute=spec("INTERNET", "apiKey", "next")["directRoute"])
    team.until_ready(within=10)
    assert at_fireworks(team)[1] == [FIRST, SECOND]
    assert team.methods(since=seen) == ["PATCH"]


def test_a_secret_that_is_rotated_while_the_operator_is_down_is_noticed_after_its_start(team: Team) -> None:
    serve(team)
    seen = team.seen()
    team.stage.stop()
    put(team, apiKey=SECOND)
    team.stage.wait(PEACE)
    team.stage.start()
    team.eventually(rotated(team, SECOND), "the new key is there", within=10)
    team.wait(PEACE)
    assert team.methods(since=seen) == ["PATCH"]


def test_a_restart_alone_sends_and_writes_nothing(team: Team) -> None:
    serve(team)
    told, seen = team.told(), team.seen()
    team.stage.restart()
    team.wait(PEACE)
    assert team.writes(since=seen) == []
    assert team.told() == told


@pytest.mark.parametrize("restarts", [False, True], ids=["the API server fails", "the operator is killed"])
def test_keys_whose_status_could_not_be_written_are_sent_once_more_at_most(team: Team, restarts: bool) -> None:
    serve(team)
    seen = team.seen()
    team.stage.tolerated = "did not answer"
    team.stage.server.trouble = ["before"] * (1 if restarts else 3)
    put(team, apiKey=SECOND)
    team.eventually(lambda: team.writes(since=seen), "the keys are sent", within=NOTICED)
    if restarts:
        team.stage.restart()
    team.eventually(rotated(team, SECOND), "the new key is there", within=NOTICED)
    team.wait(PEACE)
    patches = team.writes(since=seen)
    assert len(patches) == (2 if restarts else 1)
    assert len({str((each.query, each.body)) for each in patches}) == 1


def test_a_secret_that_vanishes_stops_nothing_and_is_named(team: Team) -> None:
    serve(team)
    seen = team.seen()
    team.delete_secret(ROUTE)
    resource = team.until("chat", "Stalled", "True", "CredentialsMissing", says="spec.directRoute", within=NOTICED)
    assert (holds(resource, "Ready"), holds(resource, "Available")) == ("False", "True")
    team.change(displayName="Chat")
    team.eventually(lambda: team.deployment().get("displayName") == "Chat", "other changes are made")
    team.wait(PEACE)
    assert [mask(each) for each in team.writes(since=seen)] == [{"display_name"}]
    assert at_fireworks(team) == ("INTERNET", [FIRST]), "nothing was taken away"
    put(team, apiKey=SECOND)
    team.until_ready(within=NOTICED)
    assert at_fireworks(team) == ("INTERNET", [SECOND])


def test_a_resource_whose_secret_is_gone_can_be_deleted(team: Team) -> None:
    serve(team)
    team.delete_secret(ROUTE)
    team.delete()
    team.until_gone()
    assert team.deployments() == []


def test_keys_that_fireworks_refuses_are_not_shown_and_others_are_tried_at_once(team: Team) -> None:
    serve(team)
    words = f"direct_route_api_keys: {SECOND} is not strong enough"
    fault = team.fault("status", method="PATCH", status=400, code="INVALID_ARGUMENT", message=words)
    put(team, apiKey=SECOND)
    resource = team.until("chat", "Stalled", "True", "RejectedByFireworks", says="[REDACTED] is not", within=NOTICED)
    assert holds(resource, "Available") == "True"
    refused = team.hits(fault)
    team.wait(50)
    assert team.hits(fault) == refused, "it is not asked again and again"
    team.eventually(lambda: team.hits(fault) > refused, "it is asked once more, and not again for five minutes")
    team.simulator.clear_faults()
    put(team, apiKey=THIRD)
    team.until_ready(within=NOTICED)
    assert at_fireworks(team) == ("INTERNET", [THIRD])


def test_a_paused_resource_keeps_the_keys_that_it_has(team: Team) -> None:
    serve(team)
    seen = team.seen()
    team.change(paused=True)
    team.until_ready(within=10)
    put(team, apiKey=SECOND)
    team.until("chat", "Stalled", "True", "Paused", says="withheld (Update)", within=NOTICED)
    assert team.writes(since=seen) == []
    team.change(paused=None)
    team.until_ready(within=10)
    assert at_fireworks(team)[1] == [SECOND]


# --- the spec changes -------------------------------------------------------------------------------------------------


def test_a_route_is_opened_together_with_its_keys_and_never_without(team: Team) -> None:
    team.create(placement=PLACE)
    team.until_ready()
    seen = team.seen()
    team.change(directRoute=spec()["directRoute"], displayName="Chat")
    team.until("chat", "Stalled", "True", "CredentialsMissing")
    assert [mask(each) for each in team.writes(since=seen)] == [{"display_name"}]
    put(team, apiKey=FIRST)
    resource = team.until_ready(within=NOTICED)
    patches = team.writes(since=seen)
    assert [mask(each) for each in patches[1:]] == [{"direct_route_type", "direct_route_api_keys"}]
    assert at_fireworks(team) == ("INTERNET", [FIRST])
    team.eventually(lambda: "directRouteHandle" in team.status(), "the status has the handle", within=NOTICED)
    assert "directRouteSecret" in resource["status"]


def test_a_route_that_leaves_the_spec_is_closed_and_its_keys_are_removed(team: Team) -> None:
    serve(team)
    seen = team.seen()
    team.change(directRoute=None)
    status = team.until_ready(within=10)["status"]
    team.wait(PEACE)
    (patch,) = team.writes(since=seen)
    assert mask(patch) == {"direct_route_type", "direct_route_api_keys"}
    assert at_fireworks(team) == ("DIRECT_ROUTE_TYPE_UNSPECIFIED", [])
    assert not {"directRouteHandle", "directRouteSecret"} & status.keys()


def test_keys_that_leave_the_spec_are_removed(team: Team) -> None:
    put(team, apiKey=FIRST)
    team.create(spec=spec("AWS_PRIVATELINK"))
    team.until_ready()
    seen = team.seen()
    team.change(directRoute={"apiKeysSecretRef": None})
    team.until_ready(within=10)
    assert [mask(each) for each in team.writes(since=seen)] == [{"direct_route_api_keys"}]
    assert at_fireworks(team) == ("AWS_PRIVATELINK", [])


def test_a_route_that_is_closed_in_the_console_is_opened_again_with_its_keys(team: Team) -> None:
    serve(team)
    seen = team.seen()
    team.simulator.edit(team.deployment_id(), clear=["directRouteType", "directRouteApiKeys"])
    team.eventually(lambda: at_fireworks(team) == ("INTERNET", [FIRST]), "it is put back", within=NOTICED)
    assert team.methods(since=seen) == ["PATCH"]


# --- whose deployment it is -------------------------------------------------------------------------------------------


def _foreign(team: Team) -> None:
    """Create a deployment by hand that has a direct route."""
    team.simulator.create_foreign(
        prefix="old",
        minReplicaCount=1,
        placement=PLACE,
        directRouteType="INTERNET",
        directRouteApiKeys=[THIRD],
    )
    team.keys.add(THIRD)


def test_a_route_of_an_adopted_deployment_is_left_alone_where_the_spec_names_none(team: Team) -> None:
    _foreign(team)
    team.create(deploymentId="old-0", adoptionPolicy="Unowned", displayName="Chat")
    status = team.until_ready()["status"]
    team.wait(PEACE)
    assert at_fireworks(team) == ("INTERNET", [THIRD])
    assert [mask(each) for each in team.patches()] == [{"display_name"}]
    assert "directRouteHandle" in status
    assert "directRouteSecret" not in status


def test_an_adopted_deployment_gets_the_keys_that_the_spec_names(team: Team) -> None:
    _foreign(team)
    put(team, apiKey=FIRST)
    team.create(spec=spec(), deploymentId="old-0", adoptionPolicy="Unowned")
    team.until_ready()
    team.wait(PEACE)
    assert at_fireworks(team) == ("INTERNET", [FIRST])
    assert [mask(each) for each in team.patches()] == [{"direct_route_api_keys"}]


def test_what_is_only_observed_is_sent_no_keys(team: Team) -> None:
    _foreign(team)
    team.create(spec=spec("AWS_PRIVATELINK"), deploymentId="old-0", managementPolicy="Observe")
    notices = team.until_ready()["status"]["notices"]
    assert any("spec.directRoute.type is AWS_PRIVATELINK, the deployment has INTERNET" in each for each in notices)
    team.wait(PEACE)
    assert team.writes() == []


@pytest.mark.parametrize(("soft", "requests"), [(True, ["undelete", "PATCH"]), (False, ["POST"])])
def test_a_deployment_that_is_brought_back_has_the_keys(team: Team, soft: bool, requests: list[str]) -> None:
    serve(team)
    seen = team.seen()
    team.simulator.vanish(team.deployment_id(), soft=soft)
    team.eventually(lambda: team.writes(since=seen), "it is brought back", within=NOTICED)
    team.eventually(lambda: "directRouteSecret" in team.status(), "its keys are sent")
    team.until_ready()
    team.wait(PEACE)
    assert team.methods(since=seen) == requests
    assert at_fireworks(team) == ("INTERNET", [FIRST])


def test_a_resource_of_the_same_name_brings_its_own_keys(team: Team) -> None:
    serve(team)
    team.delete()
    team.until_gone()
    put(team, apiKey=SECOND)
    seen = team.seen()
    team.create(spec=spec())
    team.until_ready()
    assert [each.path.partition(":")[2] or each.method for each in team.writes(since=seen) if each.committed] == [
        "undelete",
        "PATCH",
    ]
    assert at_fireworks(team) == ("INTERNET", [SECOND])


def test_a_resource_of_the_same_name_without_a_route_closes_that_of_the_former_one(team: Team) -> None:
    serve(team)
    team.delete()
    team.until_gone()
    team.create(placement=PLACE)
    team.until_ready()
    assert at_fireworks(team) == ("DIRECT_ROUTE_TYPE_UNSPECIFIED", [])


def test_a_lost_status_costs_one_request(team: Team) -> None:
    serve(team)
    seen = team.seen()
    team.stage.server.restore(team.key("chat"), new_uid=False)
    team.until_ready()
    team.wait(PEACE)
    assert [mask(each) for each in team.writes(since=seen) if each.method == "PATCH"] == [{"direct_route_api_keys"}]
    assert team.posts() == team.posts()[:1]
