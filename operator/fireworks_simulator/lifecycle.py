"""How a deployment moves through its states as virtual time passes.

Nothing runs in the background: the next moment at which anything changes is computed (`due`), and `settle`
replays all that happened up to now, each change at its own virtual time.
"""

import math
from collections.abc import Callable

from fireworks_simulator.entities import (
    AUTO_DELETE_AFTER,
    NEVER,
    PURGE_AFTER,
    DeployedModel,
    Deployment,
    LoadState,
    State,
)
from fireworks_simulator.schedules import scheduled_floor
from fireworks_simulator.settings import Assumptions


class Lifecycle:
    """State transitions of deployments and of the models loaded into them.

    Args:
        assumptions: switches.
        before_change: called with (deployment, moment) before anything visible changes.
        gone: called when a deployment ceases to exist.
        unloaded: called when a deployed model ceases to exist.
    """

    def __init__(
        self,
        assumptions: Assumptions,
        *,
        before_change: Callable[[Deployment, float], None],
        gone: Callable[[Deployment], None],
        unloaded: Callable[[DeployedModel], None],
    ) -> None:
        self._assumptions = assumptions
        self._before_change = before_change
        self._gone = gone
        self._unloaded = unloaded

    # --- what users and the administrator set off ------------------------------------------------------------

    def start(self, d: Deployment, state: State, now: float) -> None:
        """Begin (again) to live: replicas start, READY follows."""
        d.state = state
        d.status_code, d.status_message = "OK", ""
        d.termination_message = d.plan.termination_message if d.plan.outcome == "fail" else ""
        d.stocked_out = d.plan.outcome == "stockout"
        d.delete_time = d.purge_time = None
        d.hard = False
        d.alive_since = d.idle_since = now
        d.last_request, d.ready_since = None, None
        d.replicas = []
        d.update_time = now
        d.transition_at = NEVER
        self._follow_schedules(d, now)
        self.set_desired(d, min(max(d.floor, 1), d.maximum), now)
        if d.plan.outcome == "fail" or d.desired == 0:
            d.transition_at = now + d.plan.timing.startup

    def roll_out(self, d: Deployment, now: float) -> None:
        """A changed serving configuration: READY passes through UPDATING; other states stay."""
        if d.state in (State.READY, State.UPDATING):
            d.state = State.UPDATING
            d.transition_at = now + d.plan.timing.updating

    def bounds_changed(self, d: Deployment, now: float) -> None:
        """Replica bounds or schedules were changed: keep the target within them."""
        self._follow_schedules(d, now)
        if not d.gone and d.state is not State.FAILED:
            self.set_desired(d, min(max(d.desired, d.floor), d.ceiling), now)
            self.load_changed(d, now)
        if d.state is State.CREATING and d.desired == 0:
            d.transition_at = now + d.plan.timing.startup
        self._complete_start(d, now)

    def load_changed(self, d: Deployment, now: float) -> None:
        """The load changed: plan the next step of the autoscaler."""
        target = self._target(d)
        d.scale_at = NEVER
        if d.gone or d.state is State.FAILED or target == d.desired:
            return
        if d.desired == 0:
            self.set_desired(d, target, now)
        else:
            d.scale_at = now + d.window("scaleUpWindow" if target > d.desired else "scaleDownWindow")

    def set_desired(self, d: Deployment, desired: int, now: float) -> None:
        """Set the autoscaler's target; replicas start or go at once, those that do not serve yet first."""
        d.desired = desired
        if len(d.replicas) > desired:
            d.replicas.sort(key=lambda started: math.inf if started is None else started)
            del d.replicas[desired:]
        started = None if d.stocked_out else now
        d.replicas.extend([started] * (desired - len(d.replicas)))
        d.progressed = math.nextafter(now, 0.0)
        if desired == 0:
            d.ready_since = None

    def wake(self, d: Deployment, now: float) -> None:
        """A request reached a deployment that is scaled to zero."""
        if d.desired == 0 and d.maximum > 0:
            self._before_change(d, now)
            self.set_desired(d, min(max(d.floor, 1), d.maximum), now)
            d.forget_encoding()

    def delete(self, d: Deployment, now: float, *, hard: bool) -> None:
        """Begin to delete; replicas go at once. A soft-deleted one can be deleted hard."""
        if not d.gone:
            d.delete_time = now
            d.purge_time = None if hard else now + PURGE_AFTER
            d.update_time = now
        d.hard = d.hard or hard
        if d.state is not State.DELETING:
            d.transition_at = now + d.plan.timing.deleting
        d.state = State.DELETING
        d.desired, d.replicas, d.load, d.scale_at, d.ready_since = 0, [], 0.0, NEVER, None
        d.schedule_at = NEVER
        for model in list(d.deployed_models):
            if model.addon and self._assumptions.addons_while_deleting == "undeploying":
                model.state, model.transition_at = LoadState.UNDEPLOYING, NEVER
            else:
                self._unloaded(model)

    def fail(self, d: Deployment, now: float, message: str, termination_message: str) -> None:
        """The deployment fails; its replicas go."""
        d.state = State.FAILED
        d.status_code, d.status_message = "INTERNAL", message
        d.termination_message = termination_message
        d.desired, d.replicas, d.ready_since = 0, [], None
        d.transition_at = d.scale_at = d.schedule_at = NEVER
        d.update_time = now

    def release_stock(self, d: Deployment, now: float) -> None:
        """Nodes are available (again): waiting replicas get theirs."""
        d.stocked_out = False
        d.replicas = [now if started is None else started for started in d.replicas]
        d.progressed = math.nextafter(now, 0.0)

    # --- the passing of time -----------------------------------------------------------------------------------

    def settle(self, d: Deployment, now: float) -> None:
        """Apply everything that happened up to `now` and set `due` to the next moment of change."""
        if d.frozen:
            d.due = NEVER
            return
        while True:
            moment, step = self._next(d)
            if moment > now:
                d.due = moment
                return
            self._before_change(d, moment)
            step(d, moment)
            d.forget_encoding()

    def _next(self, d: Deployment) -> tuple[float, Callable[[Deployment, float], None]]:
        """The earliest coming change and what it does."""
        candidates: list[tuple[float, Callable[[Deployment, float], None]]] = [
            (d.transition_at, self._transition),
            (d.scale_at, self._autoscale),
            (d.schedule_at, self.bounds_changed),
            (self._stage_change(d), self._replicas_progress),
            (min((m.transition_at for m in d.deployed_models), default=NEVER), self._models_progress),
        ]
        if d.state is State.DELETED and d.purge_time is not None:
            candidates.append((d.purge_time, self._purge))
        idle = d.floor == 0 and d.load == 0 and not d.gone
        if idle and d.state is State.READY and d.desired > 0:
            candidates.append((d.idle_since + d.window("scaleToZeroWindow"), self._scale_to_zero))
        if idle and d.state is not State.FAILED:
            since = d.alive_since if d.last_request is None else d.last_request
            candidates.append((since + AUTO_DELETE_AFTER, self._auto_delete))
        return min(candidates, key=lambda candidate: candidate[0])

    def _stage_change(self, d: Deployment) -> float:
        """When the next replica enters its next stage."""
        timing = d.plan.timing
        marks = (timing.pending, timing.pending + timing.downloading, timing.startup)
        coming = (
            started + mark
            for started in d.replicas
            if started is not None and started + timing.startup > d.progressed
            for mark in marks
            if started + mark > d.progressed
        )
        return min(coming, default=NEVER)

    def _replicas_progress(self, d: Deployment, moment: float) -> None:
        """Replicas moved on; the first ready ones complete the start and let addons load."""
        d.progressed = moment
        ready = d.ready(moment)
        if ready > 0 and d.ready_since is None:
            d.ready_since = d.idle_since = moment
            for model in d.deployed_models:
                self.load_model(model, moment)
        self._complete_start(d, moment)

    def _complete_start(self, d: Deployment, moment: float) -> None:
        """A start ends when as many replicas serve as the bounds ask for."""
        starting = d.state is State.CREATING or (d.state is State.UPDATING and d.transition_at == NEVER)
        needed = min(max(d.floor, 1), d.maximum)
        if starting and d.plan.outcome != "fail" and 0 < needed <= d.ready(moment):
            self._become_ready(d, moment)

    def load_model(self, model: DeployedModel, now: float) -> None:
        """Let a deployed model that waits for a ready replica begin to load."""
        if model.state is LoadState.DEPLOYING and model.transition_at == NEVER:
            model.transition_at = now + (model.deployment.plan.timing.addon if model.addon else 0.0)

    def _models_progress(self, d: Deployment, moment: float) -> None:
        """Deployed models are loaded, updated or gone."""
        for model in [m for m in d.deployed_models if m.transition_at <= moment]:
            model.transition_at = NEVER
            if model.state is LoadState.UNDEPLOYING:
                self._unloaded(model)
                continue
            model.state, model.update_time = LoadState.DEPLOYED, moment
            if model.ready_time is None:
                model.ready_time = moment

    def _transition(self, d: Deployment, moment: float) -> None:
        """The present state ends."""
        d.transition_at = NEVER
        if d.state is State.DELETING:
            if d.hard:
                self._gone(d)
            else:
                d.state, d.update_time = State.DELETED, moment
                for model in list(d.deployed_models):
                    self._unloaded(model)
        elif d.plan.outcome == "fail" and d.state is not State.READY and d.ready_since is None:
            self.fail(d, moment, d.plan.message, d.plan.termination_message)
        elif d.state in (State.CREATING, State.UPDATING):
            self._become_ready(d, moment)

    def _become_ready(self, d: Deployment, moment: float) -> None:
        """A start or a roll-out ends: the replicas run the model's version that was the target."""
        d.state, d.update_time = State.READY, moment
        if "targetModelVersion" in d.config:
            d.config["activeModelVersion"] = d.config["targetModelVersion"]

    def _follow_schedules(self, d: Deployment, now: float) -> None:
        """Take over the floor of the schedules that are active, until it may change."""
        alive = not d.gone and d.state is not State.FAILED
        floor, change = scheduled_floor(d.config.get("autoscalingPolicy"), now) if alive else (None, NEVER)
        if floor is not None and self._assumptions.schedule_below_minimum == "ignore":
            floor = max(floor, d.minimum)
        d.scheduled, d.schedule_at = floor, change

    def _autoscale(self, d: Deployment, moment: float) -> None:
        d.scale_at = NEVER
        self.set_desired(d, self._target(d), moment)

    def _scale_to_zero(self, d: Deployment, moment: float) -> None:
        d.scale_at = NEVER
        self.set_desired(d, 0, moment)

    def _auto_delete(self, d: Deployment, moment: float) -> None:
        self.delete(d, moment, hard=self._assumptions.auto_delete == "hard")

    def _purge(self, d: Deployment, moment: float) -> None:
        d.purge_time = None
        self._gone(d)

    def _target(self, d: Deployment) -> int:
        """How many replicas the autoscaler wants; without load one stays until the deployment is idle."""
        wanted = max(math.ceil(d.load), d.floor, 1 if d.desired > 0 else 0)
        return min(wanted, d.ceiling)
