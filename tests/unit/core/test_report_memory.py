"""What status remembers over a restart: the claim, what was set, what was tried, what was loaded."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import JsonValue

from fireworks_operator.api.conditions import ConditionType, Reason
from fireworks_operator.api.v1alpha1 import AddonStatus, FireworksDeployment
from fireworks_operator.core.actions import (
    Action,
    Adopt,
    Claim,
    Create,
    Delete,
    LoadAddon,
    Refuse,
    Rest,
    SetTags,
    Undelete,
    Update,
)
from fireworks_operator.core.context import Usable
from fireworks_operator.core.decisions.decide import decide
from fireworks_operator.core.desired.fields import SCHEDULES, STATIC_DEFAULTS
from fireworks_operator.core.identity import Owner
from fireworks_operator.core.observed.observation import Absent, Observed
from fireworks_operator.core.situation import assess
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from testkit.builders import (
    ACCOUNT,
    ADDON,
    ADOPTED,
    BORN,
    CLAIMED,
    CREATED,
    MADE_HERE,
    NAME,
    NOW,
    OWNER,
    a_context,
    a_deleted_resource,
    a_resource,
    an_addon,
    an_attempt,
    an_error,
    present,
)
from testkit.report_steps import BLUE, CREATE, GONE, LOADING, UPDATE, after, find, serving, summary, with_spec
from tests.unit.core.decide_rows import BY_HAND, OTHERS


def test_the_claim_is_written_with_a_record_of_the_try() -> None:
    status = after(a_resource(), Absent()).status
    assert (status.deployment_name, status.account) == (NAME, ACCOUNT)
    assert status.last_attempt is not None
    assert (status.last_attempt.action, status.last_attempt.reason) == ("Create", "Creating")


@pytest.mark.parametrize(
    ("error", "claimed", "reason"),
    [
        (an_error(ErrorKind.INVALID), False, "A definite refusal: the spec, or the id, may be corrected."),
        (an_error(ErrorKind.QUOTA_EXCEEDED), False, "A definite refusal."),
        (an_error(ErrorKind.INVALID, definite=False), True, "A refusal by somebody in between is not definite."),
        (an_error(ErrorKind.NO_ANSWER), True, "It may have been carried out."),
        (an_error(ErrorKind.WRONG_ENDPOINT), True, "It may have been carried out."),
        (an_error(ErrorKind.PROTOCOL), True, "It was probably carried out."),
        (an_error(ErrorKind.RATE_LIMITED), True, "It is tried again at once."),
        (an_error(ErrorKind.UNREACHABLE), True, "It is tried again at once."),
    ],
)
def test_the_claim_goes_only_when_the_create_was_definitely_refused(
    error: FireworksError, claimed: bool, reason: str
) -> None:
    begun = after(after(a_resource(), Absent()), Absent(), CREATE, begun=True)
    status = after(begun, Absent(), CREATE, error=error).status
    assert (status.deployment_name is not None) is claimed, reason
    assert status.last_attempt is not None


def test_a_refusal_does_not_drop_a_claim_that_an_earlier_try_may_yet_fill() -> None:
    lost = after(after(a_resource(), Absent()), Absent(), CREATE, error=an_error(ErrorKind.NO_ANSWER))
    later = a_context(now=NOW + timedelta(seconds=20))
    again = after(lost, Absent(), CREATE, begun=True, context=later)
    refused = after(again, Absent(), CREATE, error=an_error(ErrorKind.QUOTA_EXCEEDED), context=later)
    assert refused.status.deployment_name == NAME


def test_an_import_that_is_not_allowed_leaves_the_deployment_id_free_to_be_corrected() -> None:
    spec = {"deploymentId": "by-hand"}
    found = present(name=BY_HAND, annotations={})
    observed = after(a_resource({**spec, "managementPolicy": "Observe"}, finalizers=[]), found)
    assert observed.status.deployment_name == BY_HAND
    managed = observed.model_copy(update={"spec": a_resource(spec).spec, "metadata": a_resource().metadata})
    for _ in range(2):
        managed = after(managed, found)
        assert find(managed.status, ConditionType.STALLED).reason == Reason.ADOPTION_NOT_ALLOWED
        assert managed.status.deployment_name is None, "with it, the API server would refuse another deploymentId"


def test_a_deployment_that_was_taken_from_us_is_told_once() -> None:
    taken = present(annotations={**Owner("cluster-1", "team-b", "chat").marker()})
    told = after(serving(), taken)
    assert find(told.status, ConditionType.STALLED).reason == Reason.CONFLICT
    assert after(told, taken, context=a_context(now=NOW + timedelta(minutes=1))).status == told.status


def test_one_that_was_taken_while_its_create_time_is_not_known_is_told_once_too() -> None:
    taken = present(annotations={**Owner("cluster-1", "team-b", "chat").marker()})
    told = after(a_resource(status={**CLAIMED, "appliedFields": []}), taken)
    assert find(told.status, ConditionType.STALLED).reason == Reason.CONFLICT
    assert after(told, taken, context=a_context(now=NOW + timedelta(minutes=1))).status == told.status


def test_a_create_right_after_a_change_leaves_its_own_record_to_whoever_deletes_the_resource() -> None:
    changed = after(serving(), present(), UPDATE)
    later = a_context(now=NOW + timedelta(seconds=2))
    attempt = after(changed, GONE, CREATE, begun=True, context=later).status.last_attempt
    assert attempt is not None
    assert (attempt.action, attempt.reason, attempt.time) == ("Recreate", "Creating", later.now)


def test_a_create_right_after_one_without_an_answer_is_waited_for_as_long_from_its_own_beginning() -> None:
    lost = after(after(a_resource(), Absent()), Absent(), CREATE, error=an_error(ErrorKind.NO_ANSWER))
    later = a_context(now=NOW + timedelta(seconds=9))
    attempt = after(lost, Absent(), CREATE, begun=True, context=later).status.last_attempt
    assert attempt is not None
    assert (attempt.action, attempt.reason, attempt.time) == ("Create", "ApiUnavailable", later.now)


def test_a_deletion_does_not_forget_that_an_undelete_without_an_answer_may_revive_what_it_deletes() -> None:
    revived = {**CREATED, "lastAttempt": an_attempt("Undelete", "ApiUnavailable", ago=5)}
    deleted = after(a_deleted_resource(status=revived), present(), Delete(NAME))
    attempt = deleted.status.last_attempt
    assert attempt is not None
    assert (attempt.action, attempt.reason, attempt.time) == ("Delete", "ApiUnavailable", NOW)
    answered = after(a_deleted_resource(), present(), Delete(NAME)).status.last_attempt
    assert answered is not None
    assert answered.reason == "Deleting"


def test_an_undelete_that_is_answered_does_not_forget_the_one_before_it_that_is_not() -> None:
    revived = a_resource(status={**CREATED, "lastAttempt": an_attempt("Undelete", "ApiUnavailable", ago=20)})
    begun = after(revived, present(state="DELETED"), Undelete(NAME), begun=True)
    answered = after(begun, present(state="DELETED"), Undelete(NAME))
    attempt = answered.status.last_attempt
    assert attempt is not None
    assert (attempt.action, attempt.reason) == ("Undelete", "ApiUnavailable")


@pytest.mark.parametrize(("ago", "kept"), [(67, True), (68, False)])
def test_an_undelete_without_an_answer_is_remembered_while_it_may_yet_be_carried_out(ago: float, kept: bool) -> None:
    status = {**serving().status.to_wire(), "lastAttempt": an_attempt("Undelete", "ApiUnavailable", ago=ago)}
    assert (after(a_resource(status=status), present(), Rest()).status.last_attempt is not None) is kept


def test_the_pauses_between_refused_creates_grow() -> None:
    resource, now, pauses = a_resource(), NOW, []
    for _ in range(3):
        resource = after(resource, Absent(), context=a_context(now=now))
        resource = after(resource, Absent(), CREATE, begun=True, context=a_context(now=now))
        error = an_error(ErrorKind.QUOTA_EXCEEDED)
        resource = after(resource, Absent(), CREATE, error=error, context=a_context(now=now))
        refused = decide(assess(resource, Absent(), a_context(now=now)))
        assert isinstance(refused, Refuse)
        assert refused.until is not None
        pauses.append((refused.until - now).total_seconds())
        now = refused.until
    assert pauses == [60, 300, 900]


def test_the_pause_after_a_refusal_begins_with_the_refusal_not_with_the_request() -> None:
    begun = after(after(a_resource(), Absent()), Absent(), CREATE, begun=True)
    later = a_context(now=NOW + timedelta(seconds=7))
    refused = after(begun, Absent(), CREATE, error=an_error(ErrorKind.QUOTA_EXCEEDED), context=later)
    held = decide(assess(refused, Absent(), later))
    assert isinstance(held, Refuse)
    assert held.until == later.now + timedelta(seconds=60)


def test_a_take_over_that_is_answered_holds_up_no_deletion() -> None:
    mine = {"adoptionPolicy": "Unowned", "deploymentId": "by-hand"}
    found = present(name=BY_HAND, annotations={})
    claimed = a_resource(mine, {**CLAIMED, "deploymentName": BY_HAND})
    action = decide(assess(claimed, found, a_context(Usable(ACCOUNT))))
    assert isinstance(action, Adopt)
    begun = after(claimed, found, action, begun=True)
    assert begun.status.last_attempt is not None
    assert after(begun, found, action).status.last_attempt is None


def test_a_replacement_that_has_yet_to_serve_does_not_start_the_pauses_between_failures_anew() -> None:
    failed = {**CREATED, "lastAttempt": an_attempt("Replace", "AsDesired", ago=600, count=3)}
    starting = present(replicaStats={"initializingReplicaCount": 1})
    attempt = after(a_resource(status=failed), starting, Rest()).status.last_attempt
    assert attempt is not None
    assert (attempt.action, attempt.count) == ("Replace", 3)
    assert after(a_resource(status=failed), present(), Rest()).status.last_attempt is None


def test_what_is_brought_back_to_stand_in_for_a_failed_one_is_no_deletion_by_others() -> None:
    replaced = a_resource(status={**CREATED, "lastAttempt": an_attempt("Replace", "DeploymentFailed", ago=301)})
    undeleted = after(replaced, present(state="DELETED"), Undelete(NAME), begun=True)
    assert not undeleted.status.recreations
    lost = after(a_resource(status=CREATED), present(state="DELETED"), Undelete(NAME), begun=True)
    assert lost.status.recreations == [NOW]
    again = after(lost, present(state="DELETED"), Undelete(NAME), begun=True)
    assert after(again, present(state="DELETED"), Undelete(NAME)).status.recreations == [NOW], (
        "once however often tried"
    )


def test_tries_without_an_answer_do_not_lengthen_the_pause_after_a_refusal() -> None:
    resource = after(a_resource(), Absent())
    for minutes in range(1, 6):
        context = a_context(now=NOW + timedelta(minutes=2 * minutes))
        resource = after(resource, Absent(), CREATE, begun=True, context=context)
        resource = after(resource, Absent(), CREATE, error=an_error(ErrorKind.NO_ANSWER), context=context)
    assert resource.status.last_attempt is not None
    assert resource.status.last_attempt.count == 1


def test_a_lost_deployment_is_not_given_up_since_the_api_does_not_answer() -> None:
    resource = serving()
    for minutes in range(1, 9):
        context = a_context(now=NOW + timedelta(minutes=2 * minutes))
        action = decide(assess(resource, GONE, context))
        assert isinstance(action, Create)
        resource = after(resource, GONE, action, begun=True, context=context)
        resource = after(resource, GONE, action, error=an_error(ErrorKind.NO_ANSWER), context=context)


def test_three_recreations_a_day_are_counted_also_when_their_answers_are_lost() -> None:
    resource = serving()
    for hour in range(3):
        context = a_context(now=NOW + timedelta(hours=hour))
        action = decide(assess(resource, GONE, context))
        assert isinstance(action, Create), hour
        resource = after(resource, GONE, action, begun=True, context=context)
        resource = after(resource, GONE, action, error=an_error(ErrorKind.NO_ANSWER), context=context)
        resource = after(resource, present(), Rest(), context=context)
    resource = after(resource, GONE, context=a_context(now=NOW + timedelta(hours=4)))
    assert find(resource.status, ConditionType.STALLED).reason == Reason.DEPLOYMENT_LOST


def test_recreations_of_the_day_are_not_forgotten_over_the_changes_between_them() -> None:
    resource = serving(BLUE)
    for hour in range(3):
        context = a_context(now=NOW + timedelta(hours=hour))
        resource = after(resource, present(state="DELETED", **BLUE), Undelete(NAME), begun=True, context=context)
        resource = after(resource, present(state="DELETED", **BLUE), Undelete(NAME), context=context)
        resource = after(resource, present(), context=context)
        assert resource.status.last_attempt is not None
        assert resource.status.last_attempt.action == "Update"
        resource = after(resource, present(**BLUE), context=context)
    assert decide(assess(resource, present(state="DELETED"), a_context(now=NOW + timedelta(hours=3)))).name == "Refuse"


def test_only_the_recreations_of_the_last_day_are_remembered() -> None:
    status = {**CREATED, "recreations": [(NOW - timedelta(hours=hours)).isoformat() for hours in (25, 3)]}
    again = after(a_resource(status=status), GONE, CREATE, begun=True)
    assert again.status.recreations == [NOW - timedelta(hours=3), NOW]


def test_a_recreation_that_is_refused_for_lack_of_quota_counts_once() -> None:
    resource = serving()
    for minutes in range(0, 300, 60):
        context = a_context(now=NOW + timedelta(minutes=minutes))
        action = decide(assess(resource, GONE, context))
        if isinstance(action, Claim):
            resource = after(resource, GONE, action, context=context)
            action = decide(assess(resource, GONE, context))
        assert isinstance(action, Create), minutes
        resource = after(resource, GONE, action, begun=True, context=context)
        resource = after(resource, GONE, action, error=an_error(ErrorKind.QUOTA_EXCEEDED), context=context)
    assert resource.status.recreations == [NOW]


WITHOUT_DEFAULT = {"baseModel", "acceleratorCount", "acceleratorType"}
"""What the deployment has and Fireworks has no default for."""


@pytest.mark.parametrize(
    ("resource", "observed", "action", "expected", "reason"),
    [
        (a_resource(status=CLAIMED), present(), CREATE, ["baseModel"], "What the create request set."),
        (serving(generation=2), present(**BLUE), UPDATE, ["baseModel"], "A reset field leaves the list."),
        (
            a_resource(BLUE, CLAIMED),
            present(**BLUE),
            Rest(),
            ["displayName"],
            "The status was lost: the spec as it is.",
        ),
        (a_resource(status=CLAIMED), present(annotations=MADE_HERE), Rest(), ["baseModel"], "It was created here."),
        (a_resource(status=CLAIMED), present(annotations=ADOPTED), Rest(), [], "It was taken over."),
        (
            a_resource(status=CLAIMED),
            present(annotations=ADOPTED),
            Undelete(NAME),
            None,
            "It was, and nobody knows more.",
        ),
        (
            serving({"managementPolicy": "Observe"}),
            present(),
            Rest(),
            None,
            "Let go of: others may set what they like.",
        ),
        (serving(), present(), Undelete(NAME), ["baseModel"], "Brought back as it was."),
        (
            a_resource({"tags": {"team": "search"}}, CREATED),
            present(),
            SetTags(NAME, {"custom/team": "search"}, (), ("tags.team",)),
            ["baseModel", "tags.team"],
            "A tag counts as soon as it is set.",
        ),
        (
            a_resource(status={**CREATED, "appliedFields": ["baseModel", "tags.team"]}),
            present(),
            SetTags(NAME, {}, ("custom/team",), ("tags.team",)),
            ["baseModel", "tags.team"],
            "One that is deleted counts until it is seen to be gone.",
        ),
        (
            a_resource(status={**CREATED, "appliedFields": ["baseModel", "tags.team", f"{SCHEDULES}day"]}),
            present(),
            Rest(),
            ["baseModel"],
            "Then it leaves the list, and so does a schedule.",
        ),
        (
            a_resource(status=CLAIMED),
            present(annotations={**MADE_HERE, "custom/team": "x"}, autoscalingPolicy={"scalingSchedules": {"day": {}}}),
            Undelete(NAME),
            sorted(STATIC_DEFAULTS | WITHOUT_DEFAULT | {"tags.team", f"{SCHEDULES}day"}),
            "What a former resource of that name may have set is to go.",
        ),
        (serving(), present(state="DELETED"), Delete(NAME, hard=True), None, "Nothing is left of it."),
        (a_resource({"managementPolicy": "Observe"}), present(), Rest(), None, "Nothing was ever set."),
    ],
)
def test_applied_fields(
    resource: FireworksDeployment, observed: Observed, action: Action, expected: list[str] | None, reason: str
) -> None:
    assert after(resource, observed, action).status.applied_fields == expected, reason


def test_a_deployment_that_was_taken_over_is_not_replaced_when_it_fails_after_a_change() -> None:
    adopted = a_resource(BLUE, {**CREATED, "appliedFields": []})
    changed = after(adopted, present(**BLUE), UPDATE)
    assert changed.status.applied_fields == ["displayName"], "a change does not make it one that was created here"
    failed = present(state="FAILED", replicaStats={}, **BLUE)
    for minutes in (0, 6):
        changed = after(changed, failed, context=a_context(now=NOW + timedelta(minutes=minutes)))
    assert isinstance(decide(assess(changed, failed, a_context(now=NOW + timedelta(hours=9)))), Refuse)


def test_a_deployment_that_was_taken_over_does_not_count_as_created_here_once_it_is_at_rest() -> None:
    adopted = a_resource(BLUE, {**CREATED, "appliedFields": []})
    rested = after(adopted, present(**BLUE), Rest())
    assert rested.status.applied_fields == ["displayName"], "or it would be replaced when it fails"


def test_replicas_that_the_spec_took_over_from_the_console_go_when_the_spec_lets_go_of_them() -> None:
    two: dict[str, Any] = {"minReplicaCount": 2, "maxReplicaCount": 2}
    resource = with_spec(after(a_resource(status=CREATED), present(**two)), **two)
    for _ in range(2):
        resource = after(resource, present(**two))
    resource = with_spec(resource)
    action = decide(assess(resource, present(**two), a_context()))
    assert isinstance(action, Update)
    assert (action.body["minReplicaCount"], action.body["maxReplicaCount"]) == (0, 1)


def test_a_reset_that_fireworks_accepts_but_does_not_carry_out_is_not_taken_for_done() -> None:
    resource = a_resource(status={**CREATED, "appliedFields": ["baseModel", "minReplicaCount"]})
    still = present(minReplicaCount=2, maxReplicaCount=2)
    for seconds in (0, 60, 120):
        context = a_context(now=NOW + timedelta(seconds=seconds))
        assert isinstance(decide(assess(resource, still, context)), Update)
        resource = after(resource, still, context=context)
    stuck = after(resource, still, context=a_context(now=NOW + timedelta(seconds=180)))
    assert find(stuck.status, ConditionType.STALLED).reason == Reason.NOT_CONVERGING
    assert "spec.minReplicaCount (stays 2)" in find(stuck.status, ConditionType.STALLED).message


def test_what_stays_as_it_was_is_told_also_after_another_change() -> None:
    as_it_was: dict[str, Any] = {"acceleratorCount": 2}
    resource = after(with_spec(serving(as_it_was)), present(**as_it_was))
    resource = with_spec(resource, **BLUE)
    for wire in ({}, BLUE, BLUE):
        resource = after(resource, present(**as_it_was, **wire))
        assert any("spec.acceleratorCount" in each for each in resource.status.notices or ())
    assert summary(resource.status)[0] == "TT"


def test_a_name_that_is_applied_again_says_what_its_deployment_keeps_of_the_former_spec() -> None:
    kept: dict[str, Any] = {
        "acceleratorCount": 4,
        "maxContextLength": 8192,
        "displayName": "former",
        "placement": {"multiRegion": "EUROPE"},
    }
    kept["annotations"] = MADE_HERE
    resource = a_resource({"maxContextLength": 8192}, CLAIMED)
    resource = after(resource, present(state="DELETED", **kept))
    assert isinstance(decide(assess(resource, present(**kept), a_context())), Update), "the display name is reset"
    resource = after(resource, present(**kept))
    for _ in range(3):
        resource = after(resource, present(**{**kept, "displayName": ""}))
    told = [each for each in resource.status.notices or () if "keeps its previous value" in each]
    assert told == [
        "spec.acceleratorType is not set, and Fireworks has no default for it: the deployment keeps its previous "
        "value, NVIDIA_H100_80GB.",
        "spec.acceleratorCount is not set, and Fireworks has no default for it: the deployment keeps its previous "
        "value, 4.",
        "spec.placement is not set, and Fireworks has no default for it: the deployment keeps its previous value, "
        "multiRegion EUROPE.",
    ]
    assert summary(resource.status)[0] == "TT"
    told_of = ["acceleratorCount", "acceleratorType", "baseModel", "maxContextLength", "placement"]
    assert resource.status.applied_fields == told_of
    worldwide = after(resource, present(**{**kept, "displayName": "", "placement": {"multiRegion": "GLOBAL"}}))
    assert "spec.placement" not in " ".join(worldwide.status.notices or ())
    set_again = after(with_spec(resource, maxContextLength=8192, acceleratorCount=4), present(**kept))
    assert "acceleratorCount" not in " ".join(set_again.status.notices or ())


def test_what_fireworks_chose_for_a_new_deployment_is_no_notice() -> None:
    lost = after(a_resource(status=CLAIMED), Absent(), CREATE, error=an_error(ErrorKind.NO_ANSWER))
    for observed in (present(**LOADING), present(), present()):
        lost = after(lost, observed)
        assert "keeps its previous value" not in " ".join(lost.status.notices or ())


def test_what_the_shape_decides_is_not_called_kept_from_before() -> None:
    resource = with_spec(serving({"acceleratorCount": 2}), deploymentShape="accounts/fireworks/deploymentShapes/fast")
    shaped = present(acceleratorCount=2, deploymentShape="accounts/fireworks/deploymentShapes/fast/versions/v1")
    assert "keeps its previous value" not in " ".join(after(resource, shaped).status.notices or ())


def test_failures_are_counted_and_paused_across_restarts() -> None:
    failed = present(state="FAILED", replicaStats={})
    resource = a_resource(status=CREATED)
    pauses = []
    now = NOW
    for _ in range(4):
        context = a_context(now=now)
        resource = after(resource, failed, context=context)
        assert (
            after(resource, failed, context=context).status
            == after(after(resource, failed, context=context), failed, context=context).status
        )
        begin = now
        while not isinstance(decide(assess(resource, failed, a_context(now=now))), Delete):
            now += timedelta(minutes=1)
        pauses.append((now - begin).total_seconds() / 60)
        resource = after(resource, failed, context=a_context(now=now))
        action = decide(assess(resource, GONE, a_context(now=now)))
        assert isinstance(action, Create)
        resource = after(resource, GONE, action, begun=True, context=a_context(now=now))
        resource = after(resource, present(**LOADING), action, context=a_context(now=now))
    assert pauses == [5, 15, 60, 180]


def test_a_failed_deployment_that_fireworks_does_not_delete_is_explained_and_asked_for_less_and_less_often() -> None:
    failed = present(state="FAILED", replicaStats={})
    refusal = an_error(ErrorKind.INVALID, "It has received inference requests in the last hour.")
    resource = after(a_resource(status=CREATED), failed)
    now, pauses = NOW, []
    for _ in range(4):
        begin = now
        while not isinstance(action := decide(assess(resource, failed, a_context(now=now))), Delete):
            now += timedelta(minutes=1)
        pauses.append((now - begin).total_seconds() / 60)
        resource = after(resource, failed, action, error=refusal, context=a_context(now=now))
        resource = after(resource, failed, context=a_context(now=now))
        told = find(resource.status, ConditionType.STALLED)
        assert told.reason == Reason.DEPLOYMENT_FAILED
        assert "Stop the traffic" in told.message
        assert after(resource, failed, context=a_context(now=now)).status == resource.status
    assert pauses == [5, 15, 60, 180]


def test_a_create_request_that_is_refused_again_changes_no_condition_meanwhile() -> None:
    refused = an_error(ErrorKind.QUOTA_EXCEEDED, "quota exceeded")
    resource = after(after(a_resource(), Absent()), Absent(), CREATE, begun=True)
    resource = after(resource, Absent(), CREATE, error=refused)
    stalled = resource.status.conditions
    assert find(resource.status, ConditionType.STALLED).status == "True"
    later = a_context(now=NOW + timedelta(minutes=2))
    assert isinstance(decide(assess(resource, Absent(), later)), Claim)
    claimed = after(resource, Absent(), context=later)
    begun = after(claimed, Absent(), CREATE, begun=True, context=later)
    again = after(begun, Absent(), CREATE, error=refused, context=later)
    assert claimed.status.conditions == begun.status.conditions == again.status.conditions == stalled
    assert find(after(begun, present(**LOADING), CREATE, context=later).status, ConditionType.STALLED).status == "False"
    asked = after(resource, Absent(), context=a_context(now=later.now, skip_pauses=True))
    assert find(asked.status, ConditionType.RECONCILING).status == "True", "who asks sees that it is tried"


def test_the_record_of_a_finished_change_goes() -> None:
    status = {**CREATED, "lastAttempt": an_attempt("Update", "Updating")}
    assert after(a_resource(status=status), present(), Rest()).status.last_attempt is None


# Addons.


def test_an_addon_is_recorded_before_it_is_loaded_and_never_hides_that_the_deployment_serves() -> None:
    resource = a_resource(
        {"addons": [{"model": "lora-1"}]}, {**CREATED, "appliedFields": ["baseModel", "enableAddons"]}
    )
    capable = present(enableAddons=True)
    action = decide(assess(resource, capable, a_context()))
    assert isinstance(action, LoadAddon)
    begun = after(resource, capable, action, begun=True)
    assert [each.model for each in begun.status.addons or ()] == [ADDON]

    refused = after(begun, capable, action, error=an_error(ErrorKind.NOT_FOUND, "model not found"))
    assert summary(refused.status)[:4] == ("FT", "FT", "AddonFailed", "Serving")
    condition = find(refused.status, ConditionType.ADDONS_READY)
    assert (condition.status, condition.reason) == ("False", Reason.ADDON_FAILED)
    assert "model not found" in condition.message

    loaded = after(refused, present(an_addon(), enableAddons=True))
    assert find(loaded.status, ConditionType.ADDONS_READY).status == "True"
    assert [each.model_identifier for each in loaded.status.addons or ()] == [f"{ADDON}#{NAME}"]


def test_a_refused_unload_is_told_while_the_resource_is_being_deleted() -> None:
    resource = a_deleted_resource(status={**CREATED, "addons": [{"model": ADDON}]})
    observed = present(an_addon())
    refused = after(resource, observed, error=an_error(ErrorKind.INVALID, "in use"))
    assert find(refused.status, ConditionType.READY).status == "False"
    assert "in use" in find(refused.status, ConditionType.STALLED).message
    told = after(refused, observed)
    assert find(told.status, ConditionType.STALLED).reason == Reason.DELETION_BLOCKED


def test_the_claim_names_what_decide_named() -> None:
    assert decide(assess(a_resource(), Absent(), a_context())) == Claim(NAME, ACCOUNT)


@pytest.mark.parametrize("taken", [OTHERS, {}], ids=["by another resource", "by nobody"])
def test_a_deployment_that_is_anothers_now_is_not_said_to_serve(taken: dict[str, JsonValue]) -> None:
    spec = {"addons": [{"model": ADDON}]}
    ours = after(a_resource(spec, {**CREATED, "appliedFields": ["baseModel"]}), present(an_addon(), enableAddons=True))
    assert summary(ours.status)[0] == "TT"
    theirs = present(an_addon(), enableAddons=True, annotations=taken, createTime=NOW.isoformat(), name=BY_HAND)
    told = after(ours, theirs).status
    assert find(told, ConditionType.AVAILABLE).status == "Unknown"
    assert find(told, ConditionType.AVAILABLE).reason in {Reason.CONFLICT, Reason.ADOPTION_NOT_ALLOWED}
    assert find(told, ConditionType.ADDONS_READY).status == "False"
    for name in (
        "state",
        "model_identifier",
        "identifiers",
        "endpoint",
        "replicas",
        "effective",
        "notices",
        "purge_time",
    ):
        assert getattr(told, name) is None, name
    assert told.addons == [AddonStatus(model=ADDON)], "what was loaded is known if the deployment comes back"
    assert (told.deployment_name, told.applied_fields) == (NAME, ours.status.applied_fields)
    again = after(ours.model_copy(update={"status": told}), present(an_addon(), enableAddons=True))
    assert summary(again.status)[0] == "TT", "the marker was put back"


def test_a_deployment_that_is_only_observed_and_may_no_longer_be_shown_is_not_said_to_serve() -> None:
    observing = a_resource({"managementPolicy": "Observe", "deploymentId": "by-hand"}, finalizers=[])
    theirs = present(name=BY_HAND, annotations=OTHERS)
    shown = after(observing, theirs)
    assert find(shown.status, ConditionType.AVAILABLE).status == "True"
    told = after(shown, theirs, context=a_context(Usable(ACCOUNT, own=True))).status
    assert find(told, ConditionType.AVAILABLE).status == "Unknown"
    assert (told.state, told.model_identifier, told.replicas) == (None, None, None)


def test_a_deployment_that_is_anothers_now_is_not_said_to_wait_for_gpus() -> None:
    waits = {"type": "CapacityPending", "status": "True", "reason": "CapacityPending", "message": "Two are missing."}
    short = a_resource(
        status={**CREATED, "appliedFields": ["baseModel"], "conditions": [{**waits, "lastTransitionTime": NOW}]}
    )
    theirs = present(annotations=OTHERS, createTime=NOW.isoformat(), name=BY_HAND)
    assert find(after(short, theirs).status, ConditionType.CAPACITY_PENDING).status == "False"


SCALED: dict[str, Any] = {"minReplicaCount": 2, "maxReplicaCount": 4, "displayName": "by hand"}
"""What somebody has set in the console, and no spec names."""


@pytest.mark.parametrize("made", [MADE_HERE, ADOPTED, OWNER.marker()], ids=["created", "taken over", "not known"])
def test_a_deployment_whose_status_was_lost_is_not_scaled_down(made: dict[str, JsonValue]) -> None:
    """Nobody can know which of its fields were in the spec before."""
    there = present(annotations=made, **SCALED)
    resource = a_resource()
    for _ in range(4):
        action = decide(assess(resource, there, a_context()))
        assert isinstance(action, Claim | Rest), action
        resource = after(resource, there, action)
    assert summary(resource.status)[0] == "TT"
    (told,) = (each for each in resource.status.notices or () if "does not record which settings" in each)
    assert "spec.minReplicaCount (is 2)" in told
    assert "spec.displayName (is by hand)" in told
    assert "set it in the spec" in told
    named = with_spec(resource, minReplicaCount=0, maxReplicaCount=1)
    action = decide(assess(named, there, a_context()))
    assert isinstance(action, Update)
    assert set(action.fields) == {"minReplicaCount", "maxReplicaCount"}
    named = after(named, there, action)
    named = after(named, present(annotations=made, displayName="by hand"))
    (told,) = (each for each in named.status.notices or () if "does not record which settings" in each)
    assert "minReplicaCount" not in told
    named = after(with_spec(named, minReplicaCount=0), present(annotations=made))
    assert not [each for each in named.status.notices or () if "does not record" in each], "nothing is left to be told"


def test_a_notice_in_the_words_of_an_earlier_version_stays_until_it_is_settled() -> None:
    before = (
        "It is not known what was set at Fireworks before, as the status does not tell: spec.minReplicaCount (is 2)"
    )
    stored = serving().model_copy(update={"status": serving().status.model_copy(update={"notices": [before]})})
    (told,) = (each for each in after(stored, present(**SCALED)).status.notices or () if "minReplicaCount (is" in each)
    assert told.startswith("The status does not record which settings were applied to Fireworks before: ")


def test_what_is_known_to_have_been_left_alone_is_no_notice() -> None:
    adopted = after(a_resource(status={**CREATED, "appliedFields": []}), present(**SCALED))
    assert not [each for each in adopted.status.notices or () if "does not record" in each]


def test_a_field_that_left_the_spec_before_the_create_request_was_answered_is_reset() -> None:
    lost = after(a_resource(BLUE, generation=1), Absent())
    lost = after(lost, Absent(), Create(NAME, {}, {}, ("baseModel", "displayName")), begun=True)
    lost = after(lost, Absent(), CREATE, error=an_error(ErrorKind.NO_ANSWER))
    changed = with_spec(lost)
    born = (NOW + timedelta(seconds=1)).isoformat()
    action = decide(assess(changed, present(annotations=MADE_HERE, createTime=born, **BLUE), a_context()))
    assert isinstance(action, Update)
    assert action.fields == ("displayName",)
    earlier = (NOW - timedelta(minutes=2)).isoformat()
    for made, time in ((MADE_HERE, earlier), (ADOPTED, born)):
        there = present(annotations=made, createTime=time, **BLUE)
        assert isinstance(decide(assess(changed, there, a_context())), Rest), "not made by that request"


def test_entries_that_left_the_spec_before_the_create_request_was_answered_are_removed() -> None:
    lost = after(a_resource({"tags": {"team": "x"}}, generation=1), Absent())
    lost = after(lost, Absent(), Create(NAME, {}, {}, ("baseModel", "tags.team")), begun=True)
    lost = after(lost, Absent(), CREATE, error=an_error(ErrorKind.NO_ANSWER))
    born = (NOW + timedelta(seconds=1)).isoformat()
    schedules: JsonValue = {"scalingSchedules": {"day": {"minReplicaCount": 1}}}
    there = present(
        annotations={**MADE_HERE, "custom/team": "x"}, createTime=born, autoscalingPolicy=schedules, maxReplicaCount=1
    )
    action = decide(assess(with_spec(lost), there, a_context()))
    assert isinstance(action, Update)
    assert action.fields == (f"{SCHEDULES}day",)
    plain = present(annotations={**MADE_HERE, "custom/team": "x"}, createTime=born)
    action = decide(assess(with_spec(lost), plain, a_context()))
    assert isinstance(action, SetTags)
    assert action.remove == ("custom/team",)


def test_what_was_changed_while_it_was_only_observed_is_not_reset_afterwards() -> None:
    ours = a_resource({"minReplicaCount": 1}, {**CREATED, "appliedFields": ["baseModel", "minReplicaCount"]})
    observed = after(with_spec(ours, managementPolicy="Observe"), present(**SCALED), Rest())
    managed = with_spec(observed)
    action = decide(assess(managed, present(**SCALED), a_context()))
    assert isinstance(action, Rest), action
    assert "spec.minReplicaCount (is 2)" in " ".join(after(managed, present(**SCALED)).status.notices or ())


def test_a_deployment_that_was_taken_over_is_not_replaced_when_it_fails_after_its_status_was_lost() -> None:
    failed = present(state="FAILED", replicaStats={}, annotations=ADOPTED)
    resource = a_resource(status=CLAIMED)
    for minutes in (0, 6, 12):
        resource = after(resource, failed, context=a_context(now=NOW + timedelta(minutes=minutes)))
        assert find(resource.status, ConditionType.STALLED).reason == Reason.DEPLOYMENT_FAILED
    assert isinstance(decide(assess(resource, failed, a_context(now=NOW + timedelta(hours=9)))), Refuse)


def test_who_has_made_it_stands_on_the_deployment_from_the_first_moment_on() -> None:
    create = decide(assess(a_resource(status=CLAIMED), Absent(), a_context()))
    assert isinstance(create, Create)
    assert create.body["annotations"] == MADE_HERE
    nobodys = present(name=BY_HAND, annotations={})
    adopt = decide(
        assess(
            a_resource(
                {"deploymentId": "by-hand", "adoptionPolicy": "Unowned"}, {**CLAIMED, "deploymentName": BY_HAND}
            ),
            nobodys,
            a_context(),
        )
    )
    assert isinstance(adopt, Adopt)
    assert adopt.tags == ADOPTED


@pytest.mark.parametrize(
    ("applied", "tags"), [(None, OWNER.marker()), (["baseModel"], MADE_HERE), (["displayName"], ADOPTED)]
)
def test_a_marker_that_is_written_again_says_what_the_status_knows(
    applied: list[str] | None, tags: dict[str, JsonValue]
) -> None:
    status = {**CLAIMED, "createTime": BORN} | ({} if applied is None else {"appliedFields": applied})
    adopt = decide(assess(a_resource(status=status), present(annotations={}), a_context()))
    assert isinstance(adopt, Adopt)
    assert adopt.tags == tags


def test_who_asks_for_a_look_has_a_change_that_came_to_nothing_tried_again_at_once() -> None:
    tried = an_attempt("Update", "Updating", ago=120, count=3)
    resource = a_resource(BLUE, {**CREATED, "lastAttempt": tried})
    refused = decide(assess(resource, present(), a_context()))
    assert isinstance(refused, Refuse)
    assert refused.reason is Reason.NOT_CONVERGING
    assert isinstance(decide(assess(resource, present(), a_context(skip_pauses=True))), Update)
