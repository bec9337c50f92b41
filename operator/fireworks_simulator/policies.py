"""What the service checks of an autoscaling policy: windows, load targets and scaling schedules."""

from fireworks_simulator.cron import parse_cron
from fireworks_simulator.protojson import seconds
from fireworks_simulator.schedules import MAXIMUM_COUNT, MAXIMUM_SECONDS, MINIMUM_SECONDS, time_zone
from fireworks_simulator.wire import JsonObject, JsonValue, invalid

LOAD_TARGETS = (
    "concurrent_requests",
    "vllm_concurrent_requests",
    "serverless_uncached_input_capacity_utilization",
    "default",
    "generation_latency_per_token_ms",
    "prompt_tokens_per_second",
    "serverless_generated_capacity_utilization",
    "tokens_generated_per_second",
    "requests_per_second",
)


def check_policy(policy: JsonValue, maximum: int, *, parked_may_have_schedules: bool) -> None:
    """Refuse an autoscaling policy that the service would not accept.

    Args:
        policy: the field autoscalingPolicy.
        maximum: maxReplicaCount, the limit of the schedules' floors.
        parked_may_have_schedules: with a maximum of 0, any floor will do.

    Raises:
        ApiError: 400 code 3 for the first rule that is broken.
    """
    if not isinstance(policy, dict):
        return
    _check_windows(policy)
    _check_targets(policy.get("loadTargets"))
    schedules = policy.get("scalingSchedules")
    if not isinstance(schedules, dict):
        return
    if len(schedules) > MAXIMUM_COUNT:
        raise invalid(f"at most {MAXIMUM_COUNT} scaling schedules are allowed")
    limit = None if maximum == 0 and parked_may_have_schedules else maximum
    for name, schedule in schedules.items():
        if isinstance(schedule, dict):
            _check_schedule(name, schedule, limit)


def _check_windows(policy: JsonObject) -> None:
    for name, label in (("scaleUpWindow", "scale_up_window"), ("scaleDownWindow", "scale_down_window")):
        value = policy.get(name)
        if isinstance(value, str) and not 0 <= seconds(value) <= 3600:
            raise invalid(f"{label} must be between 0 and 1 hour")
    value = policy.get("scaleToZeroWindow")
    if isinstance(value, str) and seconds(value) != 0 and seconds(value) < 300:
        raise invalid("scale_to_zero_window must be at least 5 minutes")


def _check_targets(targets: JsonValue) -> None:
    for key, target in (targets if isinstance(targets, dict) else {}).items():
        if key not in LOAD_TARGETS:
            raise invalid(
                f'invalid deployment: unknown load target key ""{key}"", currently supported keys are: '
                + ", ".join(LOAD_TARGETS)
            )
        if not isinstance(target, (int, float)) or target <= 0:
            raise invalid(f'invalid deployment: load target "{key}" must be greater than 0')


def _check_schedule(name: str, schedule: JsonObject, limit: int | None) -> None:
    """One schedule; `limit` is the highest floor, None for any."""
    where = f'scaling schedule "{name}": '
    minimum = schedule.get("minReplicaCount", 0)
    if not isinstance(minimum, int) or minimum < 0 or (limit is not None and minimum > limit):
        raise invalid(f"{where}min_replica_count must be between 0 and max_replica_count")
    try:
        parse_cron(str(schedule.get("schedule", "")))
    except ValueError as error:
        raise invalid(f"{where}schedule must be a cron expression with 5 fields: {error}") from None
    duration = schedule.get("duration")
    length = seconds(duration) if isinstance(duration, str) else 0.0
    if not MINIMUM_SECONDS <= length <= MAXIMUM_SECONDS or not length.is_integer():
        raise invalid(f"{where}duration must be whole seconds between {MINIMUM_SECONDS} and {MAXIMUM_SECONDS}")
    if not schedule.get("timezone"):
        raise invalid(f"{where}timezone is required")
    try:
        time_zone(str(schedule["timezone"]))
    except ValueError as error:
        raise invalid(f"{where}timezone must be an IANA name: {error}") from None
