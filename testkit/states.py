"""Every state that users meet a resource in, each made by the operator's own `decide()` and `report()`."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import JsonValue

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import GROUP, KIND, VERSION, FireworksDeployment
from fireworks_operator.core.actions import Create, Rest
from fireworks_operator.core.context import Context, Unusable, Usable
from fireworks_operator.core.decisions.decide import decide
from fireworks_operator.core.decisions.preparation import preparing
from fireworks_operator.core.desired.parking import ParkingOrder
from fireworks_operator.core.diagnosis import diagnose
from fireworks_operator.core.identity import Owner, deployment_name
from fireworks_operator.core.observed.observation import Absent, Observed, Present, Unknown
from fireworks_operator.core.observed.router import SeenRouter
from fireworks_operator.core.situation import assess
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.models import DeployedModel, Model
from fireworks_operator.fireworks.routers import Router
from testkit import replacements
from testkit.builders import (
    ACCOUNT,
    ADDON,
    BASE_MODEL,
    BORN,
    CREATED,
    MADE_HERE,
    NOW,
    SHAPE,
    a_context,
    a_deleted_resource,
    a_resource,
    an_addon,
    an_attempt,
    an_error,
)
from testkit.builders import present as _present
from testkit.report_steps import ASLEEP, BLUE, GONE, LOADING, after, with_spec
from testkit.report_steps import serving as _serving

Json = dict[str, Any]

_MINE = f"accounts/{ACCOUNT}/models/mine"
_H100 = {"acceleratorType": "NVIDIA_H100_80GB"}
_OTHERS: dict[str, JsonValue] = {**Owner("cluster-1", "team-b", "chat").marker()}
_FAILED: Json = {"state": "FAILED", "status": {"message": "out of memory"}, "replicaStats": {}, "replicaCount": 0}
_NO_KEY = Unusable(
    Reason.CREDENTIALS_MISSING,
    'The Secret "fireworks" does not exist: kubectl create secret generic fireworks --namespace team-a '
    "--from-literal=apiKey=YOUR_API_KEY",
)
_NO_MONEY = (
    "The budget team-a/search has spent 20000.00 of 20000.00 US dollars of this month: switched off until the month "
    "ends, and nothing is billed or deleted. To use it before, have limits.monthlyCost raised."
)
_NOT_ALLOWED = Unusable(
    Reason.CREDENTIALS_NOT_ALLOWED,
    'The namespace "team-a" is not allowed to use the operator\'s own API key: set spec.credentialsSecretRef, or '
    "have the namespace added to the operator's setting credentialNamespaces.",
)


def present(*addons: DeployedModel, **wire: JsonValue) -> Present:
    """Observe a deployment with the shape that Fireworks chose for it."""
    return _present(*addons, **{"deploymentShape": SHAPE, **wire})


def serving(spec: Json | None = None, **metadata: object) -> FireworksDeployment:
    """Build a resource that was Ready for generation 1, and has since got the metadata and spec given."""
    before = after(_serving(spec), present(**(spec or {})), Rest())
    now = before.metadata.model_copy(update=metadata)
    return before.model_copy(update={"metadata": now})


@dataclass(frozen=True, slots=True)
class State:
    """A resource as the API server has it. `name` stands in file names, `story` in the documentation."""

    name: str
    story: str
    resource: FireworksDeployment

    def live(self) -> Json:
        """Return the object as `kubectl get -o yaml` shows it."""
        meta = self.resource.metadata
        metadata = {key: value for key, value in meta.to_wire().items() if value not in ([], {})}
        return {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": KIND,
            "metadata": {"creationTimestamp": BORN.strftime("%Y-%m-%dT%H:%M:%SZ"), **metadata},
            "spec": self.resource.spec.to_wire(),
            "status": self.resource.status.to_wire(),
        }


@functools.cache
def all_states() -> tuple[State, ...]:
    """Return the states in the order in which one meets them."""
    groups = (
        _beginning(),
        _at_rest(),
        _changes(),
        _replacements(),
        _refusals(),
        _credentials(),
        _outages(),
        _losses(),
        _shortages(),
        _addons(),
        _end(),
    )
    return tuple(State(name, story, resource) for group in groups for name, story, resource in group)


Row = tuple[str, str, FireworksDeployment]


def _claimed() -> FireworksDeployment:
    return after(a_resource(), Absent())


def _begun() -> FireworksDeployment:
    return after(_claimed(), Absent(), begun=True)


def _created(spec: Json | None = None, **status: object) -> FireworksDeployment:
    return a_resource(spec, {**CREATED, **status})


def _refused_creation(kind: ErrorKind, message: str) -> FireworksDeployment:
    create = decide(assess(_begun(), Absent(), a_context()))
    assert isinstance(create, Create)
    return after(_begun(), Absent(), create, error=an_error(kind, message))


def _refused_change(kind: ErrorKind, message: str) -> FireworksDeployment:
    return after(with_spec(serving(), **BLUE), present(), error=an_error(kind, message))


def _beginning() -> Iterator[Row]:
    yield "new", "just applied, the operator has not seen it", a_resource(finalizers=[])
    mine = {"baseModel": "mine", "precision": "FP8", "prepareModel": True}
    unprepared = a_context(models={_MINE: Model(_MINE, supported_precisions=("FP16",))})
    yield "preparing", "the model is being prepared", after(a_resource(mine), Absent(), context=unprepared)
    attempt = {**an_attempt("PrepareModel", "PreparingModel", ago=1800), "message": preparing(_MINE, "FP8")}
    overdue = after(a_resource(mine, {"lastAttempt": attempt}), Absent(), context=unprepared)
    yield "not-prepared", "the model is still not prepared after 30 minutes", overdue
    yield "claimed", "seen, about to be created", _claimed()
    yield "requested", "the create request is on its way", _begun()
    yield "starting", "replicas start", after(_created(), present(**LOADING))
    waiting = present(replicaStats={"pendingSchedulingReplicaCount": 1}, state="CREATING")
    yield "no-gpus", "Fireworks has no free GPUs", after(_created(), waiting)
    spare: Json = {**_H100, "fallbacks": [{"acceleratorType": "NVIDIA_H200_141GB"}]}
    known = after(_created(spare), waiting, context=a_context(now=BORN))
    yield "falling-back", "another of `fallbacks` is tried", after(known, waiting)


def _at_rest() -> Iterator[Row]:
    yield "serving", "serves", serving()
    growing = present(replicaStats={"readyReplicaCount": 1, "initializingReplicaCount": 1}, desiredReplicaCount=2)
    yield "growing", "serves, the load adds a replica", after(serving(), growing)
    yield "asleep", "scaled to zero", after(_created(), present(**ASLEEP))
    waking = after(serving(), present(replicaStats={"initializingReplicaCount": 1}))
    yield "waking", "a request wakes it", waking
    parked = after(_created({"maxReplicaCount": 0}), present(**ASLEEP, maxReplicaCount=None))
    yield "parked", "parked (`maxReplicaCount: 0`)", parked
    off: Json = {**ASLEEP, "maxReplicaCount": None}
    record: Json = {"reason": "Expired", "since": NOW, "maxReplicaCount": 1}
    old = a_resource({"expiresAfter": "30m"}, {**CREATED, "parked": record}, creationTimestamp=BORN)
    yield "expired", "expired (`expiresAfter`), parked", after(old, present(**off))
    yield "paused", "paused, nothing withheld", after(serving({"paused": True}), present())
    observed = a_resource({"managementPolicy": "Observe"}, finalizers=[])
    yield "observed", "only observed", after(observed, present())


def _changes() -> Iterator[Row]:
    yield "unseen-change", "the spec changed, the operator has not seen it", with_spec(serving(), **BLUE)
    yield "changing", "the change is sent", after(with_spec(serving(), **BLUE), present())
    rolling = present(displayName="blue", state="UPDATING")
    yield "rolling-out", "Fireworks is applying the change", after(with_spec(serving(), **BLUE), rolling)
    withheld = with_spec(serving(), **BLUE, paused=True)
    yield "paused-change", "paused with a change withheld", after(withheld, present())
    other_gpus = with_spec(serving(_H100), acceleratorType="NVIDIA_A100_80GB")
    yield "replace-required", "a change that Fireworks cannot make in place", after(other_gpus, present(**_H100))
    recreate = {"replacePolicy": {"type": "Recreate"}}
    recreated = with_spec(serving({**_H100}), acceleratorType="NVIDIA_A100_80GB", **recreate)
    here: Json = {**_H100, "annotations": MADE_HERE}
    yield "recreating-anew", "it is deleted to be created anew (`replacePolicy`)", after(recreated, present(**here))
    in_use = FireworksError(
        ErrorKind.INVALID, "deployment has received inference requests in the last hour", status=400
    )
    yield (
        "recreation-blocked",
        "it is in use, so that it is not deleted to be created anew",
        after(recreated, present(**here), error=in_use),
    )
    attempt = an_attempt("Update", "Updating", ago=40, count=3, generation=2)
    tried = a_resource(BLUE, {**CREATED, "observedGeneration": 2, "lastAttempt": attempt}, generation=2)
    yield (
        "not-converging",
        "Fireworks accepts the change and does not apply it",
        after(tried, present(displayName="red")),
    )
    refused = _refused_change(ErrorKind.INVALID, "invalid display_name")
    yield "change-refused", "Fireworks refuses the change, the old spec serves", refused
    limited = _refused_change(ErrorKind.QUOTA_EXCEEDED, "quota global--h100-count exceeded, in use: 8, quota: 8")
    yield "change-over-quota", "the change exceeds the quota, the old spec serves", limited


def _replacements() -> Iterator[Row]:
    limited = an_error(ErrorKind.QUOTA_EXCEEDED, "quota global--h200-count exceeded, in use: 8, quota: 8")
    in_use = an_error(ErrorKind.INVALID, "the deployment has received inference requests in the last hour")
    yield "successor-starting", "BlueGreen: a successor starts, the present one serves", replacements.starting()
    yield (
        "replacement-blocked",
        "BlueGreen: the successor is refused, the present one serves",
        replacements.refused(limited),
    )
    yield "draining", "BlueGreen: the successor serves, the former one drains", replacements.draining()
    yield (
        "handed-back",
        "BlueGreen: the successor failed after it had taken over, the former one serves again",
        replacements.handed_back(),
    )
    yield (
        "drained-in-use",
        "BlueGreen: the former one has drained and is still in use",
        replacements.undeletable(in_use),
    )
    yield "discarding", "BlueGreen: the spec was put back, the successor is deleted", replacements.discarding()


def _refusals() -> Iterator[Row]:
    twice = {"addons": [{"model": BASE_MODEL}]}
    yield "invalid-spec", "a contradiction that the API server cannot see", after(a_resource(twice), Absent())
    no_accelerator = _refused_creation(ErrorKind.INVALID, "accelerator_type must be specified")
    yield "rejected", "Fireworks refuses to create it", no_accelerator
    yield (
        "quota",
        "the quota does not cover it",
        _refused_creation(ErrorKind.QUOTA_EXCEEDED, "quota global--h100-count exceeded, in use: 8, quota: 8"),
    )
    unknown_model = _refused_creation(ErrorKind.NOT_FOUND, 'model "accounts/fireworks/models/lama" not found')
    yield "model-not-found", "the model does not exist", unknown_model
    never = a_resource({"expiresAfter": "30m"}, creationTimestamp=BORN)
    yield "expired-before", "expired before it was created", after(never, Absent())
    parked = _created(parked={"reason": "BudgetExceeded", "since": NOW, "maxReplicaCount": 1})
    spent = a_context(parked_by=ParkingOrder(Reason.BUDGET_EXCEEDED, _NO_MONEY))
    off: Json = {**ASLEEP, "maxReplicaCount": None}
    yield "budget-parked", "a budget parks it until the month ends", after(parked, present(**off), context=spent)
    name = deployment_name(ACCOUNT, "chat")
    by_id = a_resource({"deploymentId": "chat"})
    yield "conflict", "the id belongs to another resource", after(by_id, present(name=name, annotations=_OTHERS))
    routed = with_spec(serving(), router={"id": "chat"})
    foreign = Router("accounts/acme/routers/chat", display_name="Chat", deployments=(name,), state="READY")
    taken = a_context(router=SeenRouter(foreign.name, foreign))
    yield "router-conflict", "the id of `router` is another router's", after(routed, present(), context=taken)
    yield (
        "not-adopted",
        "a deployment without owner, adoption not allowed",
        after(by_id, present(name=name, annotations={})),
    )


def _credentials() -> Iterator[Row]:
    def without(unusable: Unusable) -> FireworksDeployment:
        return after(serving(), Unknown(), context=a_context(unusable))

    def refused(kind: ErrorKind, message: str) -> FireworksDeployment:
        diagnosis = diagnose(an_error(kind, message))
        return without(Unusable(diagnosis.reason, diagnosis.message))

    yield "no-key", "no API key", without(_NO_KEY)
    yield "key-not-allowed", "the operator's own key may not be used here", without(_NOT_ALLOWED)
    yield "key-refused", "Fireworks refuses the key", refused(ErrorKind.UNAUTHENTICATED, "invalid api key")
    denied = refused(ErrorKind.PERMISSION_DENIED, "role inference-user may not list deployments")
    yield "permission-denied", "the key may not do this", denied
    suspended = refused(ErrorKind.SUSPENDED, "account acme is suspended")
    yield "suspended", "the account is suspended", suspended
    yield (
        "other-account",
        "the key is another account's",
        after(serving(), Unknown(), context=a_context(Usable("globex"))),
    )


def _outages() -> Iterator[Row]:
    def unheard(resource: FireworksDeployment, minutes: int, kind: ErrorKind) -> FireworksDeployment:
        diagnosis = diagnose(FireworksError(kind, "no answer within 20 s", status=0))
        context = a_context(
            unreachable_since=NOW - timedelta(minutes=minutes),
            unreachable=diagnosis.message,
            unreachable_reason=diagnosis.reason,
        )
        return after(resource, Unknown(), context=context)

    yield "api-down", "the API fails while it is created", unheard(_begun(), 1, ErrorKind.NO_ANSWER)
    yield "rate-limited", "the API is rate-limiting the account", unheard(_begun(), 1, ErrorKind.RATE_LIMITED)
    yield "short-outage", "served, the API fails for less than 10 minutes", unheard(serving(), 9, ErrorKind.NO_ANSWER)
    yield "long-outage", "served, the API fails for longer", unheard(serving(), 10, ErrorKind.NO_ANSWER)


def _losses() -> Iterator[Row]:
    yield "failed", "the deployment failed", after(_created(), present(**_FAILED))
    attempt = an_attempt("Replace", "DeploymentFailed", ago=301)
    replacing = after(_created(lastAttempt=attempt), present(**_FAILED))
    yield "replacing", "the failed deployment is replaced", replacing
    report = after(_created({"externalDeletionPolicy": "Report"}), GONE)
    yield "lost", "deleted elsewhere, `externalDeletionPolicy: Report`", report
    yield "recreating", "deleted elsewhere, created again", after(_created(), GONE, begun=True)
    former = present(state="DELETED", replicaStats={}, replicaCount=0)
    yield "undeleting", "deleted elsewhere, brought back", after(_created(), former)
    going = present(state="DELETING", replicaStats={}, replicaCount=0)
    yield "former-deleting", "its former deployment is still being deleted", after(_created(), going)
    nothing = a_resource({"managementPolicy": "Observe", "deploymentId": "chat"}, finalizers=[])
    yield "nothing-to-observe", "only observed, and nothing there", after(nothing, Absent())


def _shortages() -> Iterator[Row]:
    none: Json = {"minReplicaCount": 1, "replicaCount": 0}
    no_gpus = present(**none, replicaStats={"pendingSchedulingReplicaCount": 1})
    loading = present(**none, replicaStats={"initializingReplicaCount": 1})
    nothing = present(**none, replicaStats={})

    def for_minutes(minutes: int, observed: Observed, resource: FireworksDeployment) -> FireworksDeployment:
        begun = after(resource, observed)
        return after(begun, observed, context=a_context(now=NOW + timedelta(minutes=minutes)))

    always_one = serving({"minReplicaCount": 1})
    yield "recovering", "the last replica is lost, for less than 2 minutes", for_minutes(1, no_gpus, always_one)
    yield "lost-no-gpus", "there are no GPUs for another one", for_minutes(2, no_gpus, always_one)
    yield "lost-loading", "another one loads for longer than that", for_minutes(2, loading, always_one)
    yield "lost-nothing-comes", "Fireworks is not starting another one", for_minutes(2, nothing, always_one)
    woken = present(replicaCount=0, replicaStats={"pendingSchedulingReplicaCount": 1})
    asleep = after(_created(), present(**ASLEEP))
    yield "woken-no-gpus", "a request wakes it, no GPUs for 15 minutes", for_minutes(15, woken, asleep)
    some = present(
        minReplicaCount=2,
        maxReplicaCount=2,
        desiredReplicaCount=2,
        replicaStats={"readyReplicaCount": 1, "pendingSchedulingReplicaCount": 1},
    )
    yield "some-without-gpus", "serves, a second replica gets no GPUs for 10 minutes", for_minutes(10, some, serving())
    yield "unknown-state", "Fireworks reports an unknown state", after(serving(), present(state="SUSPENDED"))


def _addons() -> Iterator[Row]:
    spec = {"addons": [{"model": ADDON}]}
    deployment = {"enableAddons": True}
    recorded = [{"model": ADDON}]
    loading = after(
        _created(spec, addons=recorded), present(an_addon(state="DEPLOYING", createTime=NOW.isoformat()), **deployment)
    )
    yield "addons-loading", "the base model serves, an addon is being loaded", loading
    idle = present(an_addon(state="DEPLOYING", createTime=NOW.isoformat()), **deployment, **ASLEEP)
    yield "addons-asleep", "scaled to zero, an addon waits for a replica", after(_created(spec, addons=recorded), idle)
    broken = an_addon(state="DEPLOYING", status={"code": "INTERNAL", "message": "rank 128 is not supported"})
    yield (
        "addon-failed",
        "the base model serves, an addon cannot be loaded",
        after(_created(spec, addons=recorded), present(broken, **deployment)),
    )
    yield (
        "addons-loaded",
        "serves, all addons are loaded",
        after(_created(spec, addons=recorded), present(an_addon(), **deployment)),
    )


def _end() -> Iterator[Row]:
    yield "deleting", "being deleted", after(a_deleted_resource(), present())
    in_use = an_error(ErrorKind.INVALID, "the deployment has received inference requests in the last hour")
    yield "deletion-blocked", "Fireworks refuses to delete it", after(a_deleted_resource(), present(), error=in_use)
    stuck: Context = a_context(_NO_KEY)
    unseen: Observed = Unknown()
    yield "undeletable", "being deleted, no API key", after(a_deleted_resource(), unseen, context=stuck)
