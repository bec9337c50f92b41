"""What the loop tells of its passes, as metrics."""

from fireworks_operator.observability.metrics import Metrics

from .queue import WorkQueue


class PassMetrics:
    """Implements the controller's `PassObserver`."""

    def __init__(self, metrics: Metrics, queue: WorkQueue) -> None:
        """Connect it; the length of the queue is a gauge."""
        self._metrics = metrics
        metrics.queue_depth.set_function(lambda: float(len(queue)))

    def waited(self, seconds: float) -> None:
        """A resource waited so long for its pass."""
        self._metrics.queue_wait.observe(seconds)

    def passed(self, action: str, result: str, seconds: float) -> None:
        """A pass ended."""
        self._metrics.reconciles.labels(action, result).inc()
        self._metrics.reconcile_duration.observe(seconds)

    def corrected(self) -> None:
        """A deployment that somebody else had changed was put back."""
        self._metrics.drift_corrections.inc()

    def left_running(self, cause: str) -> None:
        """A deployment was let go without being deleted."""
        self._metrics.left_running.labels(cause).inc()
