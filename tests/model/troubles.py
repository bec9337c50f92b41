"""Troubles of Fireworks and of the API server."""

from typing import Any

from tests.model.choices import YES_OR_NO, Count, OneOf, event
from tests.model.scene import AFTERWARDS, Scene

METHODS = OneOf("GET", "POST", "POST", "PATCH", "DELETE")
REFUSALS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "code": "UNAVAILABLE"},
    {"kind": "status", "code": "INTERNAL"},
    {"kind": "status", "code": "UNAUTHENTICATED"},
    {"kind": "status", "code": "PERMISSION_DENIED"},
    {"kind": "status", "code": "INVALID_ARGUMENT"},
    {"kind": "status", "code": "NOT_FOUND"},
    {"kind": "rate_limit"},
    {"kind": "rate_limit", "retryAfter": 20},
    {"kind": "drop_before_commit"},
    {"kind": "drop_after_commit"},
    {"kind": "drop_after_commit"},
    {"kind": "truncate_body"},
    {"kind": "wrong_json"},
    {"kind": "html_404"},
    {"kind": "plain_404"},
    {"kind": "html_502"},
    {"kind": "ignore_patch"},
)


class Troubles(Scene):
    """Requests go wrong."""

    @event(method=METHODS, action=OneOf(*REFUSALS), times=Count(1, 2), then=AFTERWARDS)
    def requests_go_wrong(self, method: str, action: dict[str, Any], times: int, then: str) -> None:
        action = dict(action)
        self.world.fireworks.fault(action.pop("kind"), method=method, times=times, **action)
        self._then(then)

    @event(method=METHODS, late=YES_OR_NO, then=AFTERWARDS)
    def a_request_is_not_answered(self, method: str, late: bool, then: str) -> None:
        self.world.fireworks.hang(method, late=late)
        self._then(then)

    @event(which=Count(0, 3), then=AFTERWARDS)
    def a_late_request_is_carried_out(self, which: int, then: str) -> None:
        late = self.world.fireworks.late
        if not late:
            return
        self.world.fireworks.land(late[which % len(late)])
        self.world.judge_later(*self.world.ours())
        self._then(then)

    @event(seconds=OneOf(5.0, 30.0), times=Count(1, 3), then=AFTERWARDS)
    def lists_lag(self, seconds: float, times: int, then: str) -> None:
        self.world.fireworks.fault("stale_list", method="GET", seconds=seconds, times=times)
        self.world.judge_later(*self.world.ours())
        self._then(then)

    @event(which=Count(0, 9), then=AFTERWARDS)
    def a_list_omits(self, which: int, then: str) -> None:
        name = self._deployment(which)
        if name is not None:
            self.world.fireworks.fault("omit_from_list", method="GET", names=[name])
            self.world.judge_later(name)
            self._then(then)

    @event(gpus=OneOf(0, 1, 10_000), then=AFTERWARDS)
    def the_quota_changes(self, gpus: int, then: str) -> None:
        self.world.fireworks.simulator.quota("global--h100-count", gpus)
        self._then(then)

    @event(state=OneOf("CREDIT_DEPLETED", "UNSUSPENDED"), then=AFTERWARDS)
    def the_account_is_suspended(self, state: str, then: str) -> None:
        self.world.fireworks.simulator.suspend(state)
        self._then(then)

    @event(check=YES_OR_NO)
    def default_deployments_are_protected(self, check: bool) -> None:
        self.world.fireworks.check_defaults(check)

    @event(when=OneOf("before", "after"), then=AFTERWARDS)
    def the_api_server_does_not_answer(self, when: str, then: str) -> None:
        self.world.server.trouble.append(when)
        self._then(then)

    @event()
    def all_is_well_again(self) -> None:
        self.world.heal()
