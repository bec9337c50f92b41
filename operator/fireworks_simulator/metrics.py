"""GET /v1/accounts/{account}/metrics: the Prometheus text of deployments that serve."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from fireworks_simulator.entities import Deployment
from fireworks_simulator.traffic import WINDOW_SECONDS, Answered, by_status
from fireworks_simulator.wire import Call, InferenceError, Reply
from fireworks_simulator.world import World

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LATENCIES = {
    "latency_generation_per_token_ms": 10.0,
    "latency_generation_queue_ms": 1.0,
    "latency_overall_ms": 120.0,
    "latency_to_first_token_ms": 40.0,
    "latency_prefill_ms": 30.0,
    "latency_prefill_queue_ms": 1.0,
}
"""How long everything takes here, always."""
_BOUNDS = (1.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1000.0, 5000.0, float("inf"))
_FORWARD_TIME, _CACHE_TTL = 10.0, 300.0


@dataclass(frozen=True, slots=True)
class _Sample:
    """One line: metric, further labels, value."""

    name: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


def get(world: World, call: Call) -> Reply:
    """Rates and distributions over a minute, and gauges, as they were at the latest refresh.

    Raises:
        InferenceError: 429, more requests than the endpoint takes within a virtual minute.
    """
    assumptions = world.assumptions
    if not world.traffic.admit(call.account, call.now, assumptions.metrics_rate_limit_per_minute):
        raise InferenceError(429, "Rate limit exceeded, please try again later.", "RATE_LIMIT_EXCEEDED")
    refresh = assumptions.metrics_refresh_seconds
    moment = call.now - call.now % refresh if refresh else call.now
    lines: dict[str, list[str]] = {}
    for d in world.accounts[call.account].deployments.values():
        if assumptions.metrics_series == "all" or (d.ready_since is not None and d.ready_since <= moment):
            for sample in _samples(d, world.traffic.within(d, moment), call.now):
                lines.setdefault(sample.name, []).append(_line(d, sample))
    text = "".join(
        f"# TYPE {name} gauge\n" + "".join(f"{line}\n" for line in found) for name, found in sorted(lines.items())
    )
    return Reply(200, text.encode(), _CONTENT_TYPE)


def _line(d: Deployment, sample: _Sample) -> str:
    labels = {
        "base_model": d.base_model,
        "deployment": d.name,
        "deployment_account": d.account,
        "deployment_id": d.id,
        **dict(sample.labels),
    }
    text = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f"{sample.name}{{{text}}} {sample.value:.10g}"


def _samples(d: Deployment, requests: Sequence[Answered], now: float) -> Iterator[_Sample]:
    """The samples of one deployment; steady load counts as one request a second per replica's worth."""
    served = [each for each in requests if each.status < 400]
    yield _Sample("request_counter_total:sum_by_deployment", _rate(len(requests)) + d.load)
    for status, count in sorted(by_status(requests).items()):
        yield _Sample("requests_error_total:sum_by_deployment", _rate(count), (("http_code", str(status)),))
    yield _Sample("tokens_prompt_total:sum_by_deployment", _rate(sum(each.prompt_tokens for each in served)))
    yield _Sample("tokens_cached_prompt_total:sum_by_deployment", 0.0)
    for name, milliseconds in _LATENCIES.items():
        yield from _histogram(name, [milliseconds] * len(served))
    yield from _histogram("tokens_generated_per_request", [float(each.generated_tokens) for each in served])
    yield from _histogram("tokens_prompt_per_request", [float(each.prompt_tokens) for each in served])
    busy = min(d.load / max(d.ready(now), 1), 1.0)
    yield _Sample("generator_kv_blocks_fraction:avg_by_deployment", busy)
    yield _Sample("generator_kv_slots_fraction:avg_by_deployment", busy)
    yield _Sample("generator_model_forward_time:avg_by_deployment", _FORWARD_TIME if requests or d.load else 0.0)
    yield _Sample("requests_coordinator_concurrent_count:avg_by_deployment", d.load)
    yield _Sample("prefiller_prompt_cache_ttl:avg_by_deployment", _CACHE_TTL)


def _histogram(name: str, values: Iterable[float]) -> Iterator[_Sample]:
    """Cumulative counts of a minute as rates, by upper bound."""
    known = list(values)
    for bound in _BOUNDS:
        count = sum(value <= bound for value in known)
        text = "+Inf" if bound == float("inf") else f"{bound:g}"
        yield _Sample(f"{name}_bucket:sum_by_deployment", _rate(count), (("le", text),))


def _rate(count: int) -> float:
    return count / WINDOW_SECONDS
