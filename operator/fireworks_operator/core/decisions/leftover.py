"""A deployment that a replacement has left behind, since the status that named it was lost."""

from dataclasses import replace

from fireworks_operator.api.v1alpha1 import Replacement, ReplacementPhase
from fireworks_operator.core.actions import SetReplacement
from fireworks_operator.core.identity import account_of, deployment_id, deployment_name
from fireworks_operator.core.situation import Situation
from fireworks_operator.core.successor import drain_of, is_blue_green
from fireworks_operator.fireworks.models import Deployment

MOST_REVISIONS = 1000
"""Generations back and ahead for which the id of a successor is recognised.

An autoscaler makes a new one with each change, and a cluster that is restored from a backup counts some once more.
"""


def decide_leftover(situation: Situation, deployment: Deployment) -> SetReplacement | None:
    """Take up what is left of a replacement, so that there never are three, and in the end is one; None if all is well.

    An operator of a version before BlueGreen, or a backup, has dropped `status.replacement`. Only what was created for
    this resource, under an id that it gives its successors, is taken for one of them: as the successor if one is
    wanted, which is discarded if it is not what the spec asks for by now, or else as the former deployment.
    """
    if situation.status.replacement is not None or not is_blue_green(situation.spec):
        return None
    revisions = _revisions(situation, deployment)
    if not revisions:
        return None
    name, revision = min(revisions.items())
    now = situation.now.replace(microsecond=0)
    is_wanted = bool(situation.drift.replacements)
    left = Replacement(
        phase=ReplacementPhase.PREPARING if is_wanted else ReplacementPhase.DRAINING,
        start_time=now,
        until=None if is_wanted else now + drain_of(situation.spec),
        revision=revision,
        fields=[each.path for each in situation.drift.replacements],
        deployment_name=name,
    )
    return SetReplacement(left, f"{name}, which a replacement has left behind, is looked after again.")


def _revisions(situation: Situation, deployment: Deployment) -> dict[str, int]:
    """Return what else was created for the resource under an id of its own, with the revision behind the id."""
    left = situation.context.leftovers(situation.owner, deployment.name)
    if not left:
        return {}
    account, owner = account_of(deployment.name), situation.owner
    latest = situation.resource.metadata.generation
    revisions = (0, *range(max(latest - MOST_REVISIONS, 1), latest + MOST_REVISIONS))
    ids = {deployment_name(account, deployment_id(replace(owner, revision=each))): each for each in revisions}
    if situation.spec.deployment_id is not None:
        ids[deployment_name(account, situation.spec.deployment_id)] = 0
    return {name: ids[name] for name in left if name in ids}
