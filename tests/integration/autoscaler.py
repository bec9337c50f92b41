"""Kubernetes' own controller for HorizontalPodAutoscalers, with an external metric that tests set."""

import contextlib
import http.server
import json
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from testkit.kubernetes.build import MODULE, Target, build_target
from testkit.processes import Process, environment

AUTOSCALER = Target(MODULE, "autoscaler", (), "the controller for HorizontalPodAutoscalers")


class Metrics:
    """Serves external.metrics.k8s.io as a metrics adapter does: each metric that was set, in any namespace."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def set(self, metric: str, value: str) -> None:
        """Have a metric of this value, a quantity as Kubernetes writes it."""
        self._values[metric] = value

    @contextlib.contextmanager
    def serving(self) -> Iterator["Metrics"]:
        """Serve, in a thread."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join(10)

    def _answer(self, metric: str) -> dict[str, object]:
        value = self._values.get(metric)
        items = [{"metricName": metric, "metricLabels": {}, "timestamp": _now(), "value": value}] if value else []
        return {
            "kind": "ExternalMetricValueList",
            "apiVersion": "external.metrics.k8s.io/v1beta1",
            "metadata": {},
            "items": items,
        }

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        answer = self._answer

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = json.dumps(answer(self.path.partition("?")[0].rpartition("/")[2])).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the standard library has it
                """Say nothing."""

        return Handler


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextlib.contextmanager
def autoscaling(kubeconfig: Path, log: Path) -> Iterator[Metrics]:
    """Run the controller, built if need be, and hand out the metrics that it goes by."""
    program = build_target(AUTOSCALER) / AUTOSCALER.program
    with Metrics().serving() as metrics:
        process = Process((str(program), str(kubeconfig), metrics.url), environment(), log)
        process.launch()
        try:
            yield metrics
        finally:
            assert process.running, process.tail()
            process.end(signal.SIGTERM)
