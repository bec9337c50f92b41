"""Hypothesis strategies: any resource, any observation, any surroundings, also ones that should never meet."""

from datetime import timedelta

from hypothesis import strategies as st
from pydantic import JsonValue

from fireworks_operator.api.conditions import ConditionType, Reason
from fireworks_operator.api.v1alpha1 import FINALIZER, DirectRouteSecret, FireworksDeployment, FireworksDeploymentSpec
from fireworks_operator.core.context import Context, Unusable, Usable
from fireworks_operator.core.desired.choices import request_of, revision_of
from fireworks_operator.core.desired.demands import demand_of
from fireworks_operator.core.desired.parking import ParkingOrder
from fireworks_operator.core.desired.wanted import want
from fireworks_operator.core.diagnosis import Diagnosis
from fireworks_operator.core.identity import TAG_RELEASED, Owner, router_marker
from fireworks_operator.core.observed.observation import DENIED, Absent, Observed, Present, Unknown
from fireworks_operator.core.observed.router import SeenRouter
from fireworks_operator.fireworks.routers import Router
from testkit.builders import (
    ACCOUNT,
    ADDON,
    BASE_MODEL,
    BORN,
    CLAIMED,
    CREATED,
    MADE_HERE,
    NAME,
    NOW,
    OWNER,
    a_context,
    a_deployment,
    a_resource,
    an_addon,
    an_attempt,
)

SCHEDULE = {"minReplicaCount": 1, "schedule": "0 8 * * *", "duration": "1h", "timezone": "UTC"}
ROUTE_SECRETS = tuple(
    DirectRouteSecret(name="route", keys=["apiKey"], uid="uid-1", resource_version=version) for version in "12"
)
SECOND = f"{NAME}-second"
FALLBACKS = (
    [{"acceleratorType": "NVIDIA_H200_141GB"}],
    [{"placement": {"multiRegion": "US"}}, {"acceleratorCount": 2}],
)
_CHOICES = tuple(
    FireworksDeploymentSpec.model_validate({"baseModel": BASE_MODEL, "fallbacks": each}) for each in FALLBACKS
)
COLD = tuple(demand_of(want(a_resource({"fallbacks": each}), ACCOUNT).values) for each in FALLBACKS)
AGES = st.sampled_from([0, 1, 29, 31, 59, 61, 301, 901, 3601, 90_000])
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "displayName": st.sampled_from(["", "blue"]),
        "acceleratorType": st.sampled_from(["NVIDIA_H100_80GB", "NVIDIA_B200_180GB"]),
        "minReplicaCount": st.integers(0, 2),
        "autoscalingPolicy": st.sampled_from(
            [{"scaleUpWindow": "1m"}, {"scaleUpWindow": "soon"}, {"scalingSchedules": {"day": SCHEDULE}}]
        ),
        "tags": st.sampled_from([{}, {"team": "search"}, {"name": "reserved"}]),
        "addons": st.sampled_from([[{"model": "lora-1"}], [{"model": ADDON, "displayName": "one"}]]),
        "deploymentId": st.just("by-hand"),
        "precision": st.just("FP8"),
        "deployedModel": st.fixed_dictionaries({}, optional={"default": st.booleans(), "public": st.booleans()}),
        "prepareModel": st.booleans(),
        "directRoute": st.sampled_from(
            [{"type": "AWS_PRIVATELINK"}, {"type": "INTERNET", "apiKeysSecretRef": {"name": "route"}}]
        ),
        "paused": st.booleans(),
        "replacePolicy": st.sampled_from([{"type": "BlueGreen"}, {"type": "Recreate"}]),
        "fallbacks": st.sampled_from(FALLBACKS),
        "fallbackAfter": st.sampled_from(["1m", "2h", "soon"]),
        "expiresAfter": st.sampled_from(["30m", "2h", "soon"]),
        "router": st.sampled_from([{"id": "chat"}, {"id": "talk"}]),
        "managementPolicy": st.sampled_from(["Manage", "Observe"]),
        "adoptionPolicy": st.sampled_from(["Never", "Unowned"]),
        "deletionPolicy": st.sampled_from(["Delete", "Retain"]),
        "externalDeletionPolicy": st.sampled_from(["Recreate", "Report"]),
    },
)
ATTEMPTS = st.builds(
    an_attempt,
    st.sampled_from(
        [
            *("Create", "Recreate", "Replace", "Update", "SetTags", "Undelete", "Delete", "Adopt", "LoadAddon", "Old"),
            *("PrepareModel", "SetDeployedModel", "CreateRouter", "SetRouter", "DeleteRouter"),
        ]
    ),
    st.sampled_from([*(reason.value for reason in Reason), "FromAnotherVersion"]),
    ago=AGES,
    count=st.integers(0, 7),
    generation=st.integers(1, 2),
)
CONDITIONS = st.builds(
    lambda kind, status, reason: {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": "before",
        "observedGeneration": 1,
        "lastTransitionTime": BORN,
    },
    st.sampled_from([kind.value for kind in ConditionType]),
    st.sampled_from(["True", "False", "Unknown"]),
    st.sampled_from([reason.value for reason in Reason]),
)
STATUSES = st.fixed_dictionaries(
    {},
    optional={
        "observedGeneration": st.integers(-1, 2),
        "deploymentName": st.just(NAME),
        "account": st.just(ACCOUNT),
        "createTime": st.just(BORN),
        "appliedFields": st.sampled_from([[], ["baseModel"], ["baseModel", "displayName", "precision", "tags.team"]]),
        "lastAttempt": ATTEMPTS,
        "parked": st.fixed_dictionaries(
            {"reason": st.sampled_from(["Expired", "BudgetExceeded"]), "since": st.just(BORN)},
            optional={"minReplicaCount": st.integers(0, 2), "maxReplicaCount": st.integers(0, 2)},
        ),
        "choice": st.fixed_dictionaries(
            {
                "index": st.integers(0, 2),
                "since": st.just(NOW),
                "requested": st.sampled_from([request_of(_CHOICES[0]), "of-another-spec"]),
                "revision": st.sampled_from([*(revision_of(each) for each in _CHOICES), "of-another-spec"]),
            },
            optional={
                "acceleratorType": st.just("NVIDIA_H200_141GB"),
                "replaces": st.just(BORN),
                "givenUp": st.lists(
                    st.fixed_dictionaries(
                        {
                            "index": st.integers(0, 2),
                            "hardware": st.just("the default shape"),
                            "reason": st.sampled_from(["QuotaExceeded", "Skipped"]),
                            "time": AGES.map(lambda ago: NOW - timedelta(seconds=ago)),
                        }
                    ),
                    max_size=2,
                ),
            },
        ),
        "router": st.fixed_dictionaries(
            {"name": st.sampled_from([f"accounts/{ACCOUNT}/routers/chat", "accounts/other/routers/chat"])},
            optional={"deployment": st.just(NAME), "createTime": st.just(BORN), "requestTime": st.just(NOW)},
        ),
        "addons": st.sampled_from([[{"model": ADDON}], [{"model": ADDON, "message": "no"}]]),
        "directRouteSecret": st.sampled_from([each.to_wire() for each in ROUTE_SECRETS]),
        "conditions": st.lists(CONDITIONS, max_size=4, unique_by=lambda each: each["type"]),
    },
)
METADATA = st.fixed_dictionaries(
    {"generation": st.integers(1, 2)},
    optional={
        "finalizers": st.sampled_from([[], [FINALIZER], ["other/one", FINALIZER]]),
        "creationTimestamp": st.just(BORN),
        "deletionTimestamp": st.just(NOW - timedelta(minutes=1)),
        "annotations": st.dictionaries(
            st.sampled_from(["fireworks.ai/abandon", "fireworks.ai/ignore-checks"]), st.sampled_from(["true", "yes"])
        ),
    },
)
STATS = st.fixed_dictionaries(
    {},
    optional={
        key: st.integers(0, 1)
        for key in (
            "readyReplicaCount",
            "initializingReplicaCount",
            "downloadingModelReplicaCount",
            "pendingSchedulingReplicaCount",
        )
    },
)
DEPLOYMENTS = st.fixed_dictionaries(
    {
        "state": st.sampled_from(["", "CREATING", "READY", "UPDATING", "FAILED", "DELETING", "DELETED", "NEW"]),
        "annotations": st.sampled_from(
            [
                {},
                OWNER.marker(),
                {**OWNER.marker(), TAG_RELEASED: "true"},
                {**OWNER.marker(), "custom/team": "ads"},
                Owner("cluster-1", "team-b", "chat").marker(),
            ]
        ),
        "replicaStats": STATS,
        "desiredReplicaCount": st.integers(0, 1),
    },
    optional={
        "maxReplicaCount": st.integers(0, 2),
        "minReplicaCount": st.integers(0, 1),
        "createTime": st.sampled_from([BORN.isoformat(), "2026-03-01T11:00:00.123456Z", NOW.isoformat(), None]),
        "deleteTime": AGES.map(lambda ago: (NOW - timedelta(seconds=ago)).isoformat()),
        "enableAddons": st.booleans(),
        "autoscalingPolicy": st.sampled_from([{"scalingSchedules": {"day": SCHEDULE, "off": {"disabled": True}}}]),
        "status": st.just({"code": "INTERNAL", "message": "It broke."}),
        "directRouteType": st.sampled_from(["INTERNET", "DIRECT_ROUTE_TYPE_UNSPECIFIED", "NEW"]),
        "directRouteHandle": st.just("acme-chat.direct.fireworks.ai"),
    },
)
LOADED = st.none() | st.sampled_from(
    [
        (),
        (an_addon(),),
        (an_addon(state="UNDEPLOYING"),),
        (an_addon(state="NEW"),),
        (an_addon(BASE_MODEL, default=True),),
    ]
)


REPLACEMENTS = st.fixed_dictionaries(
    {
        "phase": st.sampled_from(["Preparing", "Draining", "Discarding"]),
        "startTime": st.just(BORN),
        "revision": st.integers(1, 2),
        "fields": st.sampled_from([["acceleratorType"], []]),
    },
    optional={
        "until": AGES.map(lambda ago: NOW + timedelta(seconds=300 - ago)),
        "deploymentName": st.just(SECOND),
        "createTime": st.just(BORN),
        "appliedFields": st.sampled_from([[], ["baseModel"]]),
        "lastAttempt": ATTEMPTS,
        "handBacks": st.integers(1, 6),
        "addons": st.just([{"model": ADDON}]),
        "observedGeneration": st.integers(-1, 2),
        "conditions": st.lists(CONDITIONS, max_size=4, unique_by=lambda each: each["type"]),
    },
)
"""A second deployment in any state of its life, whatever the first one is."""
POLICIES = st.sampled_from(
    [{"type": "BlueGreen"}, {"type": "BlueGreen", "drain": "soon"}, {"type": "Recreate"}, {"type": "Never"}]
)


@st.composite
def replaced(draw: st.DrawFn) -> FireworksDeployment:
    """Draw a resource with two deployments."""
    known = draw(st.sampled_from([CLAIMED, CREATED]))
    spec = {**draw(SPECS), "replacePolicy": draw(POLICIES)}
    return a_resource(spec, {**known, **draw(STATUSES), "replacement": draw(REPLACEMENTS)}, **draw(METADATA))


@st.composite
def handing_back(draw: st.DrawFn) -> FireworksDeployment:
    """Draw a resource whose successor has taken over, or has before and is prepared anew since it failed."""
    replacement = draw(REPLACEMENTS)
    phase = draw(st.sampled_from(["Preparing", "Draining"]))
    handed = {"handBacks": draw(st.integers(1, 6))} if phase == "Preparing" else {}
    spec = {**draw(SPECS), "managementPolicy": "Manage", "replacePolicy": {"type": "BlueGreen"}}
    named = {**replacement, "phase": phase, "deploymentName": SECOND, **handed}
    return a_resource(spec, {**CREATED, **draw(STATUSES), "replacement": named})


@st.composite
def resources(draw: st.DrawFn) -> FireworksDeployment:
    """Draw a resource in any state of its life."""
    known = draw(st.sampled_from([{}, CLAIMED, CREATED]))
    return a_resource(draw(SPECS), {**known, **draw(STATUSES)}, **draw(METADATA))


def observations(name: str = NAME) -> st.SearchStrategy[Observed]:
    """Draw an observation of a deployment."""
    seen = st.builds(lambda wire, addons: Present(a_deployment(**wire, name=name), addons), DEPLOYMENTS, LOADED)
    return st.one_of(
        seen, st.builds(Absent, st.booleans()), st.builds(Unknown, st.booleans(), st.sampled_from(["", DENIED]))
    )


def failed_ones(name: str = NAME) -> st.SearchStrategy[Observed]:
    """Draw an observation of a deployment that was created here and has failed."""
    wire: dict[str, JsonValue] = {"state": "FAILED", "replicaStats": {}, "annotations": MADE_HERE, "name": name}
    return LOADED.map(lambda addons: Present(a_deployment(**wire), addons))


def live_ones(name: str = NAME) -> st.SearchStrategy[Observed]:
    """Draw an observation of a deployment that was created here and can serve."""
    return st.builds(
        lambda state, kind, addons: Present(
            a_deployment(state=state, acceleratorType=kind, annotations=MADE_HERE, name=name), addons
        ),
        st.sampled_from(["READY", "UPDATING"]),
        st.sampled_from(["NVIDIA_H100_80GB", "NVIDIA_B200_180GB"]),
        LOADED,
    )


ROUTERS = st.builds(
    Router,
    st.just(f"accounts/{ACCOUNT}/routers/chat"),
    display_name=st.sampled_from(["Chat", router_marker(OWNER)]),
    deployments=st.sampled_from([(), (NAME,), (SECOND,), (NAME, "accounts/acme/deployments/theirs")]),
    state=st.sampled_from(["", "CREATING", "READY", "UPDATING", "DELETING"]),
    auto_generated=st.booleans(),
    create_time=st.sampled_from([None, BORN, NOW]),
)
SEEN_ROUTERS = st.builds(
    SeenRouter,
    st.sampled_from([f"accounts/{ACCOUNT}/routers/chat", f"accounts/{ACCOUNT}/routers/talk"]),
    st.none() | ROUTERS,
    fresh=st.booleans(),
    trouble=st.sampled_from([None, None, Diagnosis(Reason.PERMISSION_DENIED, "Use another key.", needs_user=True)]),
)


def contexts() -> st.SearchStrategy[Context]:
    """Draw the surroundings of a pass."""
    since = AGES.map(lambda ago: NOW - timedelta(seconds=ago))
    return st.builds(
        a_context,
        st.sampled_from(
            [
                *[Usable(ACCOUNT)] * 4,  # what most passes have
                Usable(ACCOUNT, own=True),
                Usable("other"),
                Unusable(Reason.CREDENTIALS_MISSING, "Create the Secret."),
                Unusable(Reason.API_UNAVAILABLE, "It is tried again.", needs_user=False),
            ]
        ),
        skip_pauses=st.booleans(),
        last_update=st.none() | since,
        last_tags=st.none() | since,
        router=st.none() | SEEN_ROUTERS,
        last_router=st.none() | since,
        unreachable_since=st.none() | since,
        unreachable=st.just("No answer."),
        unreachable_reason=st.sampled_from([Reason.API_UNAVAILABLE, Reason.RATE_LIMITED]),
        cold=st.frozensets(st.sampled_from(COLD)),
        crd_deleting=st.booleans(),
        parked_by=st.sampled_from([None, None, ParkingOrder(Reason.BUDGET_EXCEEDED, "Have the limit raised.")]),
        route_secret=st.sampled_from([None, *ROUTE_SECRETS, Unusable(Reason.CREDENTIALS_INVALID, "Correct the key.")]),
    )
