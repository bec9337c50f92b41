"""What has been counted so far, by all shards together."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

ALONE, LEADER = "alone", "the leader"
"""Whom a kill met: an operator without a second one, or that of two which leads."""


@dataclass(slots=True)
class Tally:
    """Counts of a run.

    Attributes:
        kills: operators that were killed after they had begun to act.
        kills_of: the same, by whether it was alone or the leader of two.
        idle_kills: those that were killed before they did anything.
        endings: operators that ended by themselves, to be started anew, by their last words.
        aims: kills by what they were aimed at.
        steps: what users and others did, by kind.
        faults: requests that met a fault, by fault and route.
        troubles: troubles of the API server's side.
        helped: resources by the reason with which they waited for a person's word.
        ends: what happened to two operators under leader election, by what was done to whom.
        take_overs: seconds until the standby acted after the leader was killed.
        take_overs_from_stopped: seconds until the standby acted after the leader was stopped (SIGSTOP).
        settling: seconds until all was as it must be, by round of one operator.
        settling_of_pairs: the same for rounds of two, in which a Lease may have to expire first.
    """

    kills: int = 0
    kills_of: Counter[str] = field(default_factory=Counter)
    idle_kills: int = 0
    rounds: int = 0
    api_server_restarts: int = 0
    aims: Counter[str] = field(default_factory=Counter)
    steps: Counter[str] = field(default_factory=Counter)
    faults: Counter[tuple[str, str]] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    helped: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    settling: list[float] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    take_overs: list[float] = field(default_factory=list)
    take_overs_from_stopped: list[float] = field(default_factory=list)
    settling_of_pairs: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def killed(self, aim: str, *, acted: bool, of: str = ALONE) -> None:
        """Count a kill."""
        with self.lock:
            if acted:
                self.kills += 1
                self.aims[aim] += 1
                self.kills_of[of] += 1
            else:
                self.idle_kills += 1

    def distinct_faults(self) -> int:
        """Return how many different faults were met, whatever the route."""
        return len({name for name, _ in self.faults}) + len(self.troubles)

    def as_json(self) -> dict[str, Any]:
        """Return all counts as JSON."""
        faults: dict[str, dict[str, int]] = {}
        for (name, route), count in sorted(self.faults.items()):
            faults.setdefault(name, {})[route] = count
        return {
            "kills": self.kills,
            "killsOf": dict(sorted(self.kills_of.items())),
            "killsBeforeItActed": self.idle_kills,
            "endedByThemselves": dict(self.endings.most_common()),
            "rounds": self.rounds,
            "apiServerRestarts": self.api_server_restarts,
            "killsByAim": dict(sorted(self.aims.items())),
            "steps": dict(sorted(self.steps.items())),
            "faults": faults,
            "kubernetesTroubles": dict(sorted(self.troubles.items())),
            "distinctFaults": self.distinct_faults(),
            "committedRequests": dict(sorted(self.requests.items())),
            "waitedForAPerson": dict(sorted(self.helped.items())),
            "settlingSeconds": _spread(self.settling),
            "twoOperators": dict(sorted(self.ends.items())),
            "settlingSecondsOfTwo": _spread(self.settling_of_pairs),
            "takeOverSeconds": {
                "fromOneKilled": _spread(self.take_overs),
                "fromOneStopped": _spread(self.take_overs_from_stopped),
            },
        }


def _spread(seconds: list[float]) -> dict[str, float | None]:
    return {
        "times": len(seconds),
        "shortest": min(seconds, default=None),
        "median": sorted(seconds)[len(seconds) // 2] if seconds else None,
        "longest": max(seconds, default=None),
    }
