"""Moments of the same things, put beside each other. All are monotonic seconds of this machine."""

from collections.abc import Mapping
from datetime import datetime

from benchmarks.arena import STARTUP_SECONDS, Arena


def ready_at_fireworks(arena: Arena) -> dict[str, float]:
    """Return when each deployment of an arena became READY at Fireworks."""
    entry = arena.team.posts()[0]
    offset = entry.virtual - entry.monotonic
    return {
        str(each["name"]).rsplit("/", 1)[-1]: _seconds(each["createTime"]) + STARTUP_SECONDS - offset
        for each in arena.simulator.deployments()
    }


def seconds_between(earlier: Mapping[str, float], later: Mapping[str, float]) -> list[float]:
    """Return the seconds from one moment to the other, of all that have both."""
    return [later[name] - moment for name, moment in earlier.items() if name in later]


def since(began: float, moments: Mapping[str, float]) -> list[float]:
    """Return moments in order, as seconds since a beginning, to a millisecond."""
    return sorted(round(each - began, 3) for each in moments.values())


def _seconds(time: object) -> float:
    return datetime.fromisoformat(str(time)).timestamp()
