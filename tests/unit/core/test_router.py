"""spec.router: whose a router is, when it is settled, and what is decided about it."""

from datetime import timedelta
from typing import Any

import pytest

from fireworks_operator.api.conditions import Reason
from fireworks_operator.core.actions import Action, CreateRouter, DeleteRouter, Progress, Refuse, Rest, SetRouter
from fireworks_operator.core.connection import connection_data
from fireworks_operator.core.decisions.decide import decide
from fireworks_operator.core.decisions.router import is_ours, router_settled
from fireworks_operator.core.diagnosis import Diagnosis
from fireworks_operator.core.identity import Owner, router_marker
from fireworks_operator.core.observed.router import SeenRouter
from fireworks_operator.core.pauses import POST_SETTLES
from fireworks_operator.core.situation import Situation, assess
from fireworks_operator.fireworks.routers import Router
from testkit.builders import ACCOUNT, BORN, CREATED, NAME, NOW, OWNER, a_context, a_resource, present

ROUTER = f"accounts/{ACCOUNT}/routers/chat"
OTHER = f"accounts/{ACCOUNT}/deployments/former"
MARKER = router_marker(OWNER)
KNOWN = {"name": ROUTER, "deployment": NAME, "createTime": BORN}
WANTED = {"router": {"id": "chat"}}


def a_router(name: str = ROUTER, **fields: Any) -> Router:  # noqa: ANN401 - a router's own fields
    usual = {"display_name": MARKER, "deployments": (NAME,), "state": "READY", "create_time": BORN}
    return Router(name, **{**usual, **fields})


def a_situation(
    router: Router | None = None,
    *,
    spec: dict[str, Any] | None = None,
    known: dict[str, Any] | None = None,
    seen: bool = True,
    fresh: bool = True,
    deleting: bool = False,
    **context: Any,  # noqa: ANN401 - Context's own fields
) -> Situation:
    """Build a serving resource whose router was seen so, or was not."""
    status = {**CREATED, **({} if known is None else {"router": known})}
    metadata = {"deletionTimestamp": NOW} if deleting else {}
    resource = a_resource(WANTED if spec is None else spec, status, **metadata)
    look = SeenRouter(ROUTER, router, fresh=fresh) if seen else None
    return assess(resource, present(), a_context(router=look, **context))


def test_a_marker_fits_tells_owners_apart_and_stays_the_same_when_the_cluster_is_rebuilt() -> None:
    owners = [
        Owner(cluster, namespace, name)
        for cluster in ("one", "two")
        for namespace in ("n" * 63, "n" * 62 + "m")
        for name in ("c" * 63, "c" * 62 + "d")
    ]
    markers = {router_marker(each) for each in owners}
    assert len(markers) == len(owners)
    assert all(len(each) <= 63 and each.startswith("fireworks-operator: nnn") for each in markers)
    assert router_marker(Owner("one", "a", "b", "kube-system/1")) == router_marker(Owner("one", "a", "b"))


@pytest.mark.parametrize(
    ("fields", "known", "ours"),
    [
        ({}, KNOWN, True),
        ({}, None, True),  # the status was lost, or the answer to the request
        ({"display_name": "Chat"}, KNOWN, True),  # renamed by hand
        # Remembered only since another resource's status was restored here: that one has created it.
        ({"display_name": router_marker(Owner(OWNER.cluster, OWNER.namespace, "another"))}, KNOWN, False),
        ({"deployments": (NAME, OTHER)}, KNOWN, True),  # changed by hand
        ({"deployments": ()}, None, True),
        ({"deployments": (OTHER,)}, {**KNOWN, "deployment": OTHER}, True),  # the deployment that there was before
        ({"deployments": (OTHER,)}, None, False),
        ({"display_name": "Chat"}, None, False),  # made by hand over the same deployment
        ({"display_name": "Chat", "deployments": (OTHER,)}, KNOWN, False),  # somebody else's by now
        ({"display_name": "Chat", "create_time": NOW}, KNOWN, False),  # made anew by hand
        ({"display_name": "Chat", "create_time": None}, KNOWN, False),
        ({"display_name": router_marker(Owner("another", "team-a", "chat")), "create_time": NOW}, KNOWN, False),
        ({"auto_generated": True}, KNOWN, False),
    ],
)
def test_two_of_three_signs_tell_whose_it_is(fields: dict[str, Any], known: dict[str, Any] | None, ours: bool) -> None:
    router = a_router(**fields)
    assert is_ours(a_situation(router, known=known), router) == ours


def test_the_marker_of_a_former_id_of_the_cluster_counts_and_is_written_again() -> None:
    former = a_router(display_name=router_marker(Owner("before", "team-a", "chat")))
    situation = a_situation(former, previous_cluster_ids=("before",))
    assert is_ours(situation, former)
    action = decide(situation)
    assert isinstance(action, SetRouter)
    assert (action.body, action.mask) == ({"displayName": MARKER}, ("display_name",))


@pytest.mark.parametrize(
    ("situation", "settled"),
    [
        (a_situation(spec={}, seen=False), True),
        (a_situation(spec={}, known=KNOWN, seen=False), False),  # it is still to be deleted
        (a_situation(known=KNOWN, seen=False), False),
        (a_situation(a_router(), known=KNOWN), True),
        (a_situation(a_router(state="UPDATING"), known=KNOWN), False),  # requests still go where they went
        (a_situation(a_router(deployments=(OTHER,)), known={**KNOWN, "deployment": OTHER}), False),
        (a_situation(a_router(deployments=(OTHER, NAME)), known=KNOWN), False),
        (a_situation(a_router(display_name="Chat", deployments=(OTHER,))), True),  # another's, and none of ours
        (a_situation(None, known=KNOWN), False),
        (a_situation(None), True),
    ],
)
def test_a_former_deployment_may_go_once_the_router_leads_to_the_present_one(
    situation: Situation, settled: bool
) -> None:
    assert router_settled(situation) == settled


TROUBLE = SeenRouter(
    ROUTER, None, fresh=True, trouble=Diagnosis(Reason.PERMISSION_DENIED, "Use another key.", needs_user=True)
)


@pytest.mark.parametrize(
    ("situation", "action"),
    [
        (a_situation(None), CreateRouter),
        (a_situation(a_router(), known=KNOWN), Rest),
        (a_situation(a_router(state="CREATING"), known=KNOWN), Progress),
        (a_situation(a_router(deployments=(OTHER,)), known={**KNOWN, "deployment": OTHER}), SetRouter),
        (a_situation(a_router(display_name="Chat"), known=None), Refuse),
        (a_situation(a_router(state="DELETING"), known=KNOWN), Progress),
        # What no LIST has told yet is asked for, unless the status says that all is in place.
        (a_situation(seen=False), CreateRouter),
        (a_situation(seen=False, known=KNOWN), Rest),
        (a_situation(seen=False, known={**KNOWN, "deployment": OTHER}), CreateRouter),
        (a_situation(seen=False, known={"name": ROUTER, "deployment": NAME, "requestTime": NOW}), CreateRouter),
        (a_situation(None, last_router=NOW - timedelta(seconds=5)), Progress),
        (a_situation(None, last_router=NOW - timedelta(seconds=5), skip_pauses=True), CreateRouter),
        (a_situation(spec={}, known=KNOWN, seen=False), DeleteRouter),
        (a_situation(None, spec={}, known=KNOWN, fresh=False), DeleteRouter),  # a LIST may lag
        (a_situation(None, spec={}, known=KNOWN), Rest),
        (a_situation(a_router(display_name="Chat", create_time=NOW), spec={}, known=KNOWN), Rest),
        (a_situation(a_router(), spec={}, known=KNOWN), DeleteRouter),
        (a_situation(spec={}), Rest),
        # An account other than the deployment's is not the operator's to ask about.
        (a_situation(spec={}, known={"name": "accounts/other/routers/chat"}), Rest),
    ],
)
def test_what_is_decided(situation: Situation, action: type[Action]) -> None:
    assert isinstance(decide(situation), action), decide(situation)


def test_what_cannot_be_read_is_told_and_looked_at_again() -> None:
    situation = a_situation(seen=False)
    refused = decide(assess(situation.resource, situation.observed, a_context(router=TROUBLE)))
    assert isinstance(refused, Refuse)
    assert refused.reason is Reason.PERMISSION_DENIED
    assert refused.until is not None
    assert refused.until > NOW


@pytest.mark.parametrize("waited", [timedelta(seconds=1), POST_SETTLES + timedelta(seconds=1)])
def test_a_deletion_waits_for_a_request_without_an_answer_and_no_longer(waited: timedelta) -> None:
    known = {"name": ROUTER, "deployment": NAME, "requestTime": NOW - waited}
    action = decide(a_situation(None, known=known, deleting=True))
    if waited < POST_SETTLES:
        assert isinstance(action, Progress)
        assert action.until == NOW - waited + POST_SETTLES
    else:
        assert action.name == "Delete"


def test_applications_are_told_the_router_where_there_is_one() -> None:
    identifiers = [{"kind": "Deployment", "value": NAME}, {"kind": "Router", "value": ROUTER}]
    status = {**CREATED, "endpoint": "https://e", "modelIdentifier": "m#d"}
    with_router = connection_data(a_resource({}, {**status, "identifiers": identifiers}).status)
    without = connection_data(a_resource({}, {**status, "identifiers": identifiers[:1]}).status)
    assert with_router is not None
    assert without is not None
    assert (with_router["OPENAI_MODEL"], without["OPENAI_MODEL"]) == (ROUTER, "m#d")
    assert with_router["FIREWORKS_DEPLOYMENT"] == NAME
