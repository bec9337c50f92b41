"""The metrics of the operator, each in one place with its name, unit and labels.

Labels are bounded: no resource name and no deployment, unless a setting asks for the cost of each resource. A
namespace stands only where money is concerned, as `resource_namespace`: `namespace` is that of the pod. An account
label has one value per Fireworks account in use whose deployments have been listed, and is empty otherwise: an account
id that merely stands in a Secret is a text of somebody's choice. A credential label has one per API key (a fingerprint,
which is another after a restart).
"""

import platform
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

_NAMESPACE: Final = "fireworks_operator"

# A reconcile pass or a request takes milliseconds, or up to its deadline of 8 s (writes) or 20 s (reads).
_SECONDS_SHORT: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# Waiting for a turn may take as long as a pause of the account.
_SECONDS_LONG: Final = (0.005, 0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0)

# From an answer of the simulator to a large model's download after a wait for GPUs.
_SECONDS_STARTUP: Final = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0)

# Deployment states of the Fireworks REST reference, and the label of everything that it may add.
_STATES: Final = frozenset({"CREATING", "READY", "UPDATING", "FAILED", "DELETING", "DELETED"})
# Of a replacement by BlueGreen (`status.replacement.phase`).
_PHASES: Final = ("Preparing", "Draining", "Discarding")
_NO_STATE: Final = "NONE"
_OTHER_STATE: Final = "OTHER"


class ApiRequest(Protocol):
    """What the metrics need to know of a finished request to Fireworks."""

    @property
    def operation(self) -> str:
        """Name of the client method."""
        ...

    @property
    def account(self) -> str:
        """Account id; empty where the request names none."""
        ...

    @property
    def code(self) -> str:
        """HTTP status, or the error kind where there was no answer."""
        ...

    @property
    def seconds(self) -> float:
        """How long it took."""
        ...


_BUDGET_GAUGES = {
    "gpus": "GPUs that the deployments of a FireworksBudget may run at most.",
    "gpus_limit": "GPUs that a FireworksBudget allows.",
    "hourly_cost_dollars": "US dollars per hour that the deployments of a FireworksBudget may cost at most.",
    "hourly_cost_limit_dollars": "US dollars per hour that a FireworksBudget allows.",
    "month_dollars": "US dollars that the deployments of a FireworksBudget have cost in this month.",
    "month_limit_dollars": "US dollars that a FireworksBudget allows in a month.",
    "waiting_resources": "Resources that wait for room in a FireworksBudget.",
}


class Metrics:
    """All metrics of one operator process, in a registry of their own (`registry`)."""

    def __init__(self, *, version: str = "unknown") -> None:
        """Create the metrics; `version` is the operator's, for `build_info`."""
        # The library would add a `_created` series to each counter and histogram, which nobody asked for.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.is_account: Callable[[str], bool] = lambda _: False
        """Tells whether a text is the id of an account; only then it becomes a label."""
        self._accounts: set[str] = set()
        ProcessCollector(registry=self.registry)
        self._controller()
        self._fireworks()
        self._kubernetes()
        self.build_info = self._gauge(
            "build_info", "Version of the operator; the value is always 1.", "version", "python_version"
        )
        self.build_info.labels(version, platform.python_version()).set(1)

    def _controller(self) -> None:
        self.reconciles = self._counter(
            "reconcile_total",
            "Passes over a resource, by action taken and result.",
            "action",
            "result",
        )
        self.reconcile_duration = self._histogram(
            "reconcile_duration_seconds", "Duration of a pass over a resource in seconds.", _SECONDS_SHORT
        )
        self.queue_depth = self._gauge("workqueue_depth", "Resources that are due and waiting for their next pass.")
        self.queue_wait = self._histogram(
            "workqueue_queue_duration_seconds",
            "Time that a due resource waits for its pass.",
            _SECONDS_LONG,
        )
        self.tasks = self._gauge(
            "asyncio_tasks", "Tasks in the operator's event loop; a growing number indicates a leak."
        )
        self._resources = self._gauge(
            "resources",
            "FireworksDeployment resources by the state of their deployment at Fireworks.",
            "state",
        )

    def _fireworks(self) -> None:
        self.api_requests = self._counter(
            "api_requests_total",
            "Requests to the Fireworks API, by HTTP status or, without a response, by the kind of failure; the "
            "account is empty before its first list of deployments.",
            "operation",
            "code",
            "account",
        )
        self.api_request_duration = self._histogram(
            "api_request_duration_seconds",
            "Duration of a request to the Fireworks API.",
            _SECONDS_SHORT,
            "operation",
        )
        self.budget_tokens = self._gauge(
            "api_budget_tokens",
            "Requests that could be sent to an account immediately; 0 while it is paused.",
            "account",
        )
        self.budget_waiting = self._gauge(
            "api_budget_waiting_requests", "Requests waiting for the request budget of their account.", "account"
        )
        self.circuit_open = self._gauge(
            "credential_circuit_open",
            "1 while the API key with this fingerprint is not used because it was rejected, otherwise 0.",
            "credential",
        )
        self.observation_age = self._gauge(
            "observation_age_seconds",
            "Time since the last complete list of an account's deployments.",
            "account",
        )
        self.drift_corrections = self._counter(
            "drift_corrections_total",
            "Corrections of deployments that were changed outside Kubernetes.",
        )
        self.ready_replicas = self._gauge(
            "ready_replicas", "Serving replicas of deployments that are managed by resources.", "account"
        )
        self.without_replicas = self._gauge(
            "resources_without_replicas",
            "Resources whose deployment was serving, should be serving, and has had no ready replica for longer than "
            "usual.",
            "account",
        )
        self.capacity_pending = self._gauge(
            "resources_capacity_pending",
            "Resources with replicas that have been waiting for GPUs, or missing, for longer than usual, while "
            "others serve or none has ever served.",
            "account",
        )
        self.addons_pending = self._gauge(
            "resources_addons_pending",
            "Resources whose addons are not all loaded, including those whose deployment has no replica to load them.",
            "account",
        )
        self._replacements = self._gauge(
            "replacements",
            "Resources whose deployment is being replaced by BlueGreen, by phase: a successor is prepared, the former "
            "deployment drains, or a successor is discarded.",
            "account",
            "phase",
        )
        self._replacements_blocked = self._gauge(
            "replacements_blocked",
            "Replacements by BlueGreen that need a person: the successor is refused or has failed, or the former "
            "deployment is not deleted.",
            "account",
        )
        self.gpu_seconds = self._counter(
            "gpu_seconds_total",
            "GPU-seconds of serving replicas, summed between observations: the billed time, to within a poll interval.",
            "account",
            "accelerator",
        )
        self._money()
        self._budgets()
        self.startup_duration = self._histogram(
            "deployment_startup_duration_seconds",
            "Time until a new deployment is READY: stage total from its creation, scheduling, downloading and "
            "initializing as they were observed.",
            _SECONDS_STARTUP,
            "stage",
        )
        self.orphaned_deployments = self._gauge(
            "orphaned_deployments",
            "Deployments with this cluster's owner marker whose resource does not exist. They are never deleted.",
            "account",
        )
        self.left_running = self._counter(
            "deployments_left_running_total",
            "Deployments that were released without being deleted and are billed until someone deletes them.",
            "cause",
        )

    def _money(self) -> None:
        self.hourly_cost = self._gauge(
            "hourly_cost_dollars",
            "US dollars per hour for the serving replicas of resources, by the operator's price list.",
            "resource_namespace",
            "account",
        )
        self.hourly_cost_ceiling = self._gauge(
            "hourly_cost_ceiling_dollars",
            "US dollars per hour if all resources ran with the most replicas that they may have.",
            "resource_namespace",
            "account",
        )
        self.cost = self._counter(
            "cost_dollars_total",
            "US dollars for serving replicas, summed between observations.",
            "resource_namespace",
            "account",
        )
        self.unpriced_gpus = self._gauge(
            "unpriced_gpus",
            "GPUs of serving replicas whose price is not known; they are not part of any cost.",
            "account",
        )
        self.resource_hourly_cost = self._gauge(
            "resource_hourly_cost_dollars",
            "US dollars per hour for the serving replicas of one resource; only with costMetricsPerResource.",
            "resource_namespace",
            "resource_name",
            "account",
        )
        self.resource_gpus = self._gauge(
            "resource_gpus",
            "GPUs of the serving replicas of one resource, by its deployment; only with costMetricsPerResource.",
            "resource_namespace",
            "resource_name",
            "account",
            "deployment_id",
        )

    def _budgets(self) -> None:
        self.of_budgets = {
            name: self._gauge(f"budget_{name}", text, "resource_namespace", "budget")
            for name, text in _BUDGET_GAUGES.items()
        }
        self._budget_series: set[tuple[str, tuple[str, str]]] = set()

    def _kubernetes(self) -> None:
        self.kubernetes_writes = self._counter(
            "kubernetes_writes_total",
            "Writes to the Kubernetes API, by what was written (status, finalizer, event, configmap) and result. "
            "Writes of the Lease do not count.",
            "kind",
            "result",
        )
        self.budgets_enforced = self._gauge(
            "budgets_enforced",
            "1 while the leader lists and watches FireworksBudgets, 0 while it cannot: without their CRD, or without "
            "permission.",
        )
        self.is_leader = self._gauge("leader", "1 while this process is allowed to make changes, otherwise 0.")

    def observe_request(self, request: ApiRequest) -> None:
        """Count a finished request to Fireworks; fits the client's `observe`."""
        account = request.account if self.is_account(request.account) else ""
        self._accounts.add(account)
        self.api_requests.labels(request.operation, request.code, account).inc()
        self.api_request_duration.labels(request.operation).observe(request.seconds)

    def count_write(self, kind: str, result: str) -> None:
        """Count a write to Kubernetes."""
        self.kubernetes_writes.labels(kind, result).inc()

    def set_circuits(self, is_open: Mapping[str, bool], replaced: Iterable[str]) -> None:
        """Set the circuits of the API keys in use, by fingerprint, and drop those of keys that were replaced."""
        for fingerprint in replaced:
            self.circuit_open.remove(fingerprint)
        for fingerprint, refused in is_open.items():
            self.circuit_open.labels(fingerprint).set(refused)

    def keep_accounts(self, known: Collection[str], *, in_use: Collection[str]) -> None:
        """Drop the gauges of accounts that are not in use, and all that was counted for those that are not known."""
        self._accounts |= set(in_use)
        gauges: tuple[Gauge, ...] = (self.observation_age, self.budget_tokens, self.budget_waiting)
        gauges += (self.without_replicas, self.capacity_pending, self.addons_pending)
        for account in self._accounts - set(in_use):
            for gauge in (*gauges, self.ready_replicas, self.orphaned_deployments, self.unpriced_gpus):
                gauge.remove(account)
            for gauge in (self._replacements, self._replacements_blocked):
                gauge.remove_by_labels({"account": account})
        for account in self._accounts - {"", *known}:
            for counter in (self.api_requests, self.gpu_seconds, self.cost):
                counter.remove_by_labels({"account": account})
            self._accounts.discard(account)

    def set_budgets(self, values: Mapping[tuple[str, str], Mapping[str, float]]) -> None:
        """Set what is told of budgets by namespace and name; a series goes with its budget, or with its limit.

        The values have the names that follow `budget_` in those of the metrics.
        """
        found = {(name, labels): value for labels, each in values.items() for name, value in each.items()}
        for (name, labels), value in found.items():
            self.of_budgets[name].labels(*labels).set(value)
        for name, labels in self._budget_series - found.keys():
            self.of_budgets[name].remove(*labels)
        self._budget_series = set(found)

    def set_replacements(self, account: str, by_phase: Mapping[str, int], blocked: int) -> None:
        """Set how many resources of an account are being replaced, and how many of them need a person."""
        for phase in _PHASES:
            self._replacements.labels(account, phase).set(by_phase.get(phase, 0))
        self._replacements_blocked.labels(account).set(blocked)

    def set_resources(self, by_state: Mapping[str, int]) -> None:
        """Set how many resources there are by state; states that are not given become 0.

        No state at all counts as `NONE`, one that the API reference does not name as `OTHER`.
        """
        counts = dict.fromkeys((*sorted(_STATES), _NO_STATE, _OTHER_STATE), 0)
        for state, count in by_state.items():
            counts[state if state in _STATES else _OTHER_STATE if state else _NO_STATE] += count
        for label, count in counts.items():
            self._resources.labels(label).set(count)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, namespace=_NAMESPACE, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, namespace=_NAMESPACE, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, text, labels, namespace=_NAMESPACE, registry=self.registry, buckets=buckets)
