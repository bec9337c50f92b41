"""Changes of a live deployment: which are due now, and when the others are."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from pydantic import JsonValue

from fireworks_operator.api.conditions import Reason
from fireworks_operator.core.actions import Action, KeyChange, Progress, Refuse, SetTags, Update
from fireworks_operator.core.desired.drift import Difference
from fireworks_operator.core.pauses import (
    CONVERGENCE_TRIES,
    REFUSED,
    SET_TAGS,
    UPDATE,
    UPDATE_SPACING,
    pause_until,
)
from fireworks_operator.core.situation import Situation
from fireworks_operator.fireworks.models import Deployment
from fireworks_operator.fireworks.request import ROUTE_KEYS_FIELD

from .addons import decide_switching_off
from .direct_route import KEYS_MASK, due_changes, due_keys
from .refusals import held_back


def decide_changes(situation: Situation, deployment: Deployment) -> Action:
    """Change what differs; addons are unloaded before they are switched off."""
    changes = situation.drift.changes
    switches_off = any(change.path == "enableAddons" and change.wanted is False for change in changes)
    unload = decide_switching_off(situation, deployment) if switches_off else None
    return unload or decide_update(situation, deployment)


def decide_update(situation: Situation, deployment: Deployment) -> Action:
    """Change in one PATCH what is due, the API keys of a direct route included."""
    drift, keys = replace(situation.drift, changes=due_changes(situation)), due_keys(situation)
    if keys is not None and _not_converging(situation, UPDATE, drift.changes) is not None:
        drift = replace(drift, changes=())  # another API key need not wait for what Fireworks does not make
    fields = (*(each.path for each in drift.changes), *([] if keys is None else [KeyChange.field]))
    waits = _not_yet(situation, UPDATE, drift.changes, fields, situation.context.last_update)
    if waits is not None:
        return waits
    body, mask = drift.patch_body(deployment.raw), drift.mask()
    if keys is None:
        return Update(deployment.name, body, mask, fields)
    removed: dict[str, JsonValue] = {ROUTE_KEYS_FIELD: []} if keys.secret is None else {}
    return Update(deployment.name, {**body, **removed}, (*mask, KEYS_MASK), fields, keys)


def decide_tags(situation: Situation, deployment: Deployment) -> Action:
    """Set and delete the tags that differ."""
    drifted = situation.drift.tags
    fields = tuple(each.path for each in drifted)
    waits = _not_yet(situation, SET_TAGS, drifted, fields, situation.context.last_tags)
    return waits or SetTags(
        deployment.name,
        {each.field.entry: str(each.wanted) for each in drifted if each.wanted},
        tuple(each.field.entry for each in drifted if not each.wanted),
        fields,
    )


def _not_yet(
    situation: Situation, action: str, changes: Sequence[Difference], fields: Sequence[str], sent: datetime | None
) -> Refuse | Progress | None:
    """Say why fields are not changed now; None if they are. `sent` is when this process last made such changes."""
    held = held_back(situation, action) or _not_converging(situation, action, changes)
    if held is not None:
        return held
    due = _next_change(situation, action, sent)
    if due is not None and due > situation.now:
        return Progress(Reason.UPDATING, f"Changing {', '.join(f'spec.{each}' for each in fields)}.", due)
    return None


def _not_converging(situation: Situation, action: str, changes: Sequence[Difference]) -> Refuse | None:
    """Refuse to go on sending a change that Fireworks accepts each time and does not make."""
    attempt = situation.attempt_of(action)
    # What was refused has not been accepted, so it did not fail to converge.
    if attempt is None or attempt.reason != Reason.UPDATING or attempt.count < CONVERGENCE_TRIES:
        return None
    if situation.context.skip_pauses or not changes:
        return None
    until = pause_until(attempt, REFUSED[1:])
    if until <= situation.now:
        return None
    stays = {change.path: "not set" if change.observed in (None, "") else change.observed for change in changes}
    fields = ", ".join(f"spec.{path} (stays {value})" for path, value in stays.items())
    way_out = "Correct the value, or contact Fireworks support."
    if stays.get("deploymentShape") == "not set":
        way_out = (
            "It drops a shape that is not validated for the model and its addons: set another spec.deploymentShape, "
            "replace it by spec.acceleratorType, or contact Fireworks support."
        )
    return Refuse(
        Reason.NOT_CONVERGING,
        f"Fireworks accepts the change of {fields} but does not apply it. {way_out}",
        until,
    )


def _next_change(situation: Situation, action: str, sent: datetime | None) -> datetime | None:
    if situation.context.skip_pauses or situation.is_new:
        return None
    attempt = situation.attempt_of(action)
    times = (sent, attempt.time if attempt is not None else None)
    return max((each + UPDATE_SPACING for each in times if each is not None), default=None)
