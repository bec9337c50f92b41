"""What Ready says of LoRA addons: it waits for those that the spec names, and for nothing else about addons."""

from datetime import timedelta
from typing import Any

import pytest

from fireworks_operator.api.conditions import ConditionType, Reason
from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.core.actions import LoadAddon, UnloadAddon
from fireworks_operator.core.context import REST_PATIENCE, Context, Unlisted
from fireworks_operator.core.decisions.decide import decide
from fireworks_operator.core.diagnosis import diagnose
from fireworks_operator.core.observed.observation import Observed, Present
from fireworks_operator.core.situation import assess
from fireworks_operator.fireworks.errors import ErrorKind
from testkit.builders import (
    ACCOUNT,
    ADDON,
    CREATED,
    NAME,
    NOW,
    a_context,
    a_deployment,
    a_resource,
    an_addon,
    an_error,
    present,
)
from testkit.report_steps import ASLEEP, BLUE, after, find, summary, with_spec

SECOND = f"accounts/{ACCOUNT}/models/lora-2"
SPEC: dict[str, Any] = {"addons": [{"model": ADDON}]}
BOTH: dict[str, Any] = {"addons": [{"model": ADDON}, {"model": SECOND}]}
STATUS = {**CREATED, "appliedFields": ["baseModel", "enableAddons"], "addons": [{"model": ADDON}]}
LOADS = an_addon(state="DEPLOYING", createTime=NOW.isoformat())
BROKEN = an_addon(state="DEPLOYING", status={"code": "INTERNAL", "message": "rank 128 is not supported"})
REFUSAL = an_error(ErrorKind.INVALID, "rank 128 is too high")


def capable(*addons: Any, **wire: Any) -> Present:  # noqa: ANN401 - as `present` takes them
    return present(*addons, enableAddons=True, **wire)


def tuned(**spec: Any) -> FireworksDeployment:  # noqa: ANN401 - any field of a spec
    return a_resource({**SPEC, **spec}, STATUS)


def loaded() -> FireworksDeployment:
    return after(tuned(), capable(an_addon()))


def unlisted(kind: ErrorKind, ago: timedelta) -> Context:
    return a_context(addons_unlisted=Unlisted(NOW - ago, diagnose(an_error(kind, "no"))))


ONE = {"minReplicaCount": 1, "maxReplicaCount": 1}
UNKNOWN = Present(a_deployment(enableAddons=True))
"""The deployment, and nothing of its addons."""
LONG = REST_PATIENCE + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("resource", "observed", "context", "expected", "reason"),
    [
        (tuned(), capable(), None, ("FT", "TF", "LoadingAddons"), "It is about to be loaded."),
        (tuned(), capable(LOADS), None, ("FT", "TF", "LoadingAddons"), "It is being loaded."),
        (tuned(), capable(an_addon()), None, ("TT", "FF", "Serving"), "It is loaded."),
        (tuned(), capable(an_addon(state="UNDEPLOYING")), None, ("FT", "TF", "LoadingAddons"), "Somebody unloads it."),
        (tuned(), capable(BROKEN), None, ("FT", "FT", "AddonFailed"), "Fireworks says that it cannot be loaded."),
        (tuned(**BOTH), capable(an_addon()), None, ("FT", "TF", "LoadingAddons"), "One of two is not loaded."),
        (tuned(**BOTH), capable(BROKEN), None, ("FT", "FT", "AddonFailed"), "One fails: nothing to wait for."),
        (
            tuned(addons=[{"model": ADDON, "public": True}]),
            capable(an_addon()),
            None,
            ("FT", "TF", "LoadingAddons"),
            "It is loaded, but not as the spec says.",
        ),
        (loaded(), capable(), None, ("FT", "TF", "LoadingAddons"), "It was lost at Fireworks and is loaded again."),
        (loaded(), capable(LOADS), None, ("FT", "TF", "LoadingAddons"), "It serves no more."),
        (
            tuned(),
            capable(LOADS, **ASLEEP),
            None,
            ("TF", "FF", "ScaledToZero"),
            "Only traffic brings a replica.",
        ),
        (tuned(), capable(BROKEN, **ASLEEP), None, ("FF", "FT", "AddonFailed"), "No traffic mends it."),
        (
            tuned(maxReplicaCount=0),
            capable(BROKEN, **ASLEEP, maxReplicaCount=None),
            None,
            ("TF", "FF", "Parked"),
            "Switched off on purpose, addons included.",
        ),
        (
            loaded(),
            capable(LOADS, replicaStats={"initializingReplicaCount": 1}),
            None,
            ("TF", "FF", "Waking"),
            "A request wakes it; without a replica nothing is loaded.",
        ),
        (
            tuned(managementPolicy="Observe"),
            capable(),
            None,
            ("TT", "FF", "Serving"),
            "Nobody here loads it: a difference that is only observed.",
        ),
        (
            after(tuned(**ONE), capable(an_addon(), **ONE)),
            capable(LOADS, **ONE, replicaCount=0, replicaStats={"initializingReplicaCount": 1}),
            None,
            ("TF", "FF", "Recovering"),
            "The last replica is replaced: what was Ready is so for a moment longer, as without addons.",
        ),
        (a_resource(status={**CREATED, "addons": None}), present(), None, ("TT", "FF", "Serving"), "It has no addons."),
        (
            loaded(),
            UNKNOWN,
            unlisted(ErrorKind.NO_ANSWER, timedelta(minutes=1)),
            ("TT", "FF", "Serving"),
            "Their LIST fails for a moment.",
        ),
        (
            loaded(),
            UNKNOWN,
            unlisted(ErrorKind.NO_ANSWER, LONG),
            ("TT", "FF", "Serving"),
            "Their LIST fails for long: the last LIST is the last word, and AddonsReady says that it is old.",
        ),
        (
            loaded(),
            UNKNOWN,
            unlisted(ErrorKind.PERMISSION_DENIED, LONG),
            ("TT", "FF", "Serving"),
            "The key may not list them any more.",
        ),
        (
            tuned(),
            UNKNOWN,
            unlisted(ErrorKind.NO_ANSWER, timedelta(minutes=1)),
            ("UT", "TF", "ApiUnavailable"),
            "They were never seen loaded.",
        ),
        (
            tuned(),
            UNKNOWN,
            unlisted(ErrorKind.PERMISSION_DENIED, timedelta(minutes=1)),
            ("FT", "FT", "PermissionDenied"),
            "They were never seen loaded, and a person must give the key the right to list them.",
        ),
        (
            with_spec(loaded(), **SPEC, displayName="chat", description="new"),
            capable(an_addon(), displayName="chat", description="new"),
            None,
            ("TT", "FF", "Serving"),
            "A new spec with the same addons.",
        ),
        (
            with_spec(loaded(), **SPEC, **BLUE),
            capable(LOADS),
            None,
            ("FT", "TF", "Updating"),
            "What is wrong with the deployment itself is told first.",
        ),
    ],
)
def test_ready_and_addons(
    resource: FireworksDeployment,
    observed: Observed,
    context: Context | None,
    expected: tuple[str, str, str],
    reason: str,
) -> None:
    told = after(resource, observed, context=context)
    assert summary(told.status)[:3] == expected, reason
    again = after(told, observed, context=context)
    if not isinstance(decide(assess(told, observed, context or a_context())), LoadAddon):
        assert again.status == told.status, "at rest, nothing more is written"


def test_what_is_missing_is_named_and_the_base_model_is_said_to_serve() -> None:
    told = find(after(tuned(**BOTH), capable(an_addon())).status, ConditionType.READY).message
    assert told == f"The base model is serving. Waiting for {SECOND}."


def test_what_fails_is_named_with_the_way_out() -> None:
    status = after(tuned(**BOTH), capable(BROKEN)).status
    for kind in (ConditionType.READY, ConditionType.STALLED, ConditionType.ADDONS_READY):
        told = find(status, kind)
        assert told.reason == Reason.ADDON_FAILED
        assert told.message.startswith(f"{ADDON}: Fireworks reports: rank 128 is not supported. Correct its entry")
        assert SECOND not in told.message


def test_an_addon_that_cannot_be_unloaded_leaves_ready_as_it_is() -> None:
    resource = a_resource({"enableAddons": True}, STATUS)
    action = decide(assess(resource, capable(an_addon()), a_context()))
    assert isinstance(action, UnloadAddon)
    told = after(resource, capable(an_addon()), action, error=REFUSAL).status
    assert summary(told)[:3] == ("TT", "FF", "Serving")
    assert find(told, ConditionType.ADDONS_READY).reason == Reason.ADDON_FAILED


def test_a_try_to_load_what_was_refused_says_nothing_new_until_its_answer() -> None:
    resource = tuned()
    load = decide(assess(resource, capable(), a_context()))
    refused = after(resource, capable(), load, error=REFUSAL)
    later = a_context(now=NOW + timedelta(hours=1))
    again = decide(assess(refused, capable(), later))
    assert isinstance(again, LoadAddon)
    begun = after(refused, capable(), again, begun=True, context=later)
    assert begun.status.conditions == refused.status.conditions
    assert begun.status.deployment_name == NAME


@pytest.mark.parametrize("addon", [LOADS, BROKEN], ids=["loading", "failed"])
def test_a_replica_that_is_lost_for_a_moment_is_not_taken_for_an_unfinished_creation(addon: Any) -> None:  # noqa: ANN401 - what `an_addon` makes
    told = after(tuned(**ONE), capable(addon, **ONE))
    assert summary(told.status)[0] == "FT"
    lost = after(told, capable(addon, **ONE, replicaCount=0, replicaStats={"initializingReplicaCount": 1}))
    expected = ("FF", "TF", "LoadingAddons") if addon is LOADS else ("FF", "FT", "AddonFailed")
    assert summary(lost.status)[:3] == expected
