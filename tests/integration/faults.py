"""Faults of the Fireworks API, on real processes: what the user is told while they last, and their end."""

from dataclasses import replace

from testkit.kubernetes_api import Json, Watch, condition, resources_path
from testkit.stories.faults import RATE_LIMIT, RETRY_AFTER, UNREADABLE, Fault
from testkit.team import Team

HEALS_WITHIN = 120.0
"""Change requests for one spec are half a minute apart; what was refused with 401 is tried again after a minute."""


def silent(fault: Fault) -> Fault:
    """Return a fault that nothing need be said of, as where the request took effect."""
    return replace(fault, reason="")


def await_words(fault: Fault, team: Team, watch: Watch, rule: str) -> None:
    """Wait until the fault was met and the resource has said so."""
    team.eventually(lambda: team.hits(rule) >= 1, f"{fault.name}: the fault is met")
    if fault.reason:
        what = f"{fault.name}: {fault.reason} saying “{fault.says}”"
        team.eventually(lambda: any(_is_told(fault, each) for each in tuple(watch.objects)), what)


def end(fault: Fault, team: Team, rule: str) -> None:
    """End the fault; what was refused is tried again now rather than in a minute."""
    team.simulator.clear_fault(rule)
    if fault.needs_user:
        team.hurry()


def _is_told(fault: Fault, resource: Json) -> bool:
    found = condition(resource, "Stalled" if fault.needs_user else "Ready")
    met = (found.get("status"), found.get("reason")) == ("True" if fault.needs_user else "Unknown", fault.reason)
    return met and fault.says in found["message"]


def watch(team: Team) -> Watch:
    """Begin to record a team's resources as they change."""
    return team.api.watch(resources_path(team.namespace))


DONE = [silent(each) for each in UNREADABLE]
"""The request took effect, and its answer is of no use."""
LIMITS = [replace(each, times=1) for each in (RATE_LIMIT, RETRY_AFTER)]
