"""What goes wrong between the operator and Fireworks: a catalogue of faults, and what of it was met."""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from testkit.team import Team

LATE_SECONDS = 1.5
"""How long after its sender has gone a late request is carried out, at most."""
SLOW_SECONDS = 1.0


def _status(code: str, **more: object) -> dict[str, Any]:
    return {"kind": "status", "code": code, "message": "so it is", **more}


FAULTS: Mapping[str, Mapping[str, Any]] = {
    "500": _status("INTERNAL"),
    "501": _status("UNIMPLEMENTED"),
    "502 as HTML": {"kind": "html_502"},
    "503": _status("UNAVAILABLE"),
    "503 with Retry-After": _status("UNAVAILABLE", retryAfter=1),
    "504": _status("DEADLINE_EXCEEDED"),
    "400": _status("INVALID_ARGUMENT"),
    "401": _status("UNAUTHENTICATED"),
    "403": _status("PERMISSION_DENIED"),
    "404 of the control plane": _status("NOT_FOUND"),
    "404 as plain text": {"kind": "plain_404"},
    "404 as HTML": {"kind": "html_404"},
    "409": _status("ALREADY_EXISTS"),
    "409 aborted": _status("ABORTED"),
    "412": _status("FAILED_PRECONDITION", status=412),
    "429": {"kind": "rate_limit"},
    "429 with Retry-After": {"kind": "rate_limit", "retryAfter": 1},
    "429 for a quota": _status("RESOURCE_EXHAUSTED", message="Quota exceeded, in use: 8, quota: 8"),
    "connection ends before the request takes effect": {"kind": "drop_before_commit"},
    "connection ends after the request took effect": {"kind": "drop_after_commit"},
    "no answer, nothing done": {"kind": "hang"},
    "no answer, takes effect later": {"kind": "late_commit", "seconds": LATE_SECONDS},
    "slow answer": {"kind": "latency", "seconds": SLOW_SECONDS},
    "half of the body": {"kind": "truncate_body"},
    "a body that is no JSON": {"kind": "wrong_json"},
    "the wrong content type": {"kind": "wrong_content_type"},
    "an empty answer": {"kind": "status", "status": 200, "body": ""},
    "JSON of another kind": {"kind": "status", "status": 200, "body": "[1, 2]"},
    "200 for an error": {"kind": "status", "status": 200, "body": '{"code": 13, "message": "so it is"}'},
    "PATCH without effect": {"kind": "ignore_patch"},
    "a LIST of some seconds ago": {"kind": "stale_list", "seconds": 5.0},
    "a LIST without some deployments": {"kind": "omit_from_list"},
    "a page of a LIST fails": {"kind": "fail_page"},
    "a page token that leads back": {"kind": "duplicate_page_token"},
}
"""The simulator's rules, by the words of the report."""
_LISTS = frozenset(name for name in FAULTS if "LIST" in name or "page token" in name)
_PATCHES = frozenset({"PATCH without effect"})
_NEEDS_PAGES = "a page token that leads back"

ROUTES: Mapping[str, tuple[str, str]] = {
    "create": ("POST", "/deployments$"),
    "undelete": ("POST", ":undelete$"),
    "mark": ("POST", "Tags$"),
    "update": ("PATCH", "/deployments/"),
    "delete": ("DELETE", "/deployments/"),
    "get": ("GET", "/deployments/"),
    "list": ("GET", "/deployments$"),
    "load an addon": ("POST", "/deployedModels$"),
    "unload an addon": ("DELETE", "/deployedModels/"),
    "list addons": ("GET", "/deployedModels$"),
}
"""Method and path of the requests that can be met."""
CHANGES = tuple(route for route, (method, _) in ROUTES.items() if method != "GET")
"""The requests that change something."""
_LIKELY = ("create", "create", "update", "delete", "get", "list", "list", *ROUTES)


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault that a plan asks for: what, for which requests, and how often."""

    name: str
    route: str
    times: int

    def action(self, names: list[str]) -> dict[str, Any]:
        """Return the simulator's action; `names` are deployments that a LIST may lack."""
        action = dict(FAULTS[self.name])
        return action | {"names": names} if action["kind"] == "omit_from_list" else action


def draw_fault(random: random.Random) -> PlannedFault:
    """Draw a fault that can happen."""
    name = random.choice(sorted(FAULTS))
    route = "list" if name in _LISTS else "update" if name in _PATCHES else random.choice(_LIKELY)
    return PlannedFault(name, route, random.choice((1, 1, 2, 3)))


@dataclass(slots=True)
class FaultsInForce:
    """The rules of one account, and a count of those that were met; `pages`: its LIST has more than one."""

    team: Team
    pages: bool
    _rules: dict[str, PlannedFault] = field(default_factory=dict)

    def begin(self, fault: PlannedFault, names: list[str]) -> None:
        """Put a fault into force, unless it could make no difference here."""
        if fault.name == _NEEDS_PAGES and not self.pages:
            return
        method, path = ROUTES[fault.route]
        action = fault.action(names)
        rule = self.team.fault(action.pop("kind"), method=method, path=path, times=fault.times, action=action)
        self._rules[rule] = fault

    def end(self) -> Counter[tuple[str, str]]:
        """End all of them; return how often each fault was met, by name and route."""
        rules: Any = self.team.simulator.call("GET", "/faults")["rules"]
        hits = {rule["id"]: rule["hits"] for rule in rules}
        met: Counter[tuple[str, str]] = Counter()
        for rule, fault in self._rules.items():
            met[fault.name, fault.route] += hits.get(rule, 0)
            self.team.simulator.clear_fault(rule)
        self._rules.clear()
        return +met
