"""The windows of the autoscaling policy: what counts as a duration, its bounds, and the one message for both."""

import pytest

from tests.crd.server import RefusedError, Server, manifest

WINDOWS = {
    "scaleUpWindow": "between 0s and 1h",
    "scaleDownWindow": "between 0s and 1h",
    "scaleToZeroWindow": "of at least 5m",
}
LONG_WINDOWS = ["5m", "300s", "0.5h", "1h30m", "300000ms", "168h", "2592000s", "999999h999999h9h"]
SHORT_WINDOWS = ["0s", "1ms", "500ms", "90s", "10m", "0.5h", "59m59s", "1h", "60m", "3600s", "3600000ms"]
NO_DURATIONS = ["", "10", "0", "10 m", "1d", "1w", "-5m", "+5m", "10M", "1h30", ".5h", "5us", "5µs", "5ns", "1_0m", "m"]


@pytest.mark.parametrize("text", SHORT_WINDOWS)
@pytest.mark.parametrize("window", ["scaleUpWindow", "scaleDownWindow"])
def test_windows_up_to_an_hour_are_accepted_as_written(server: Server, window: str, text: str) -> None:
    stored = server.dry_create(manifest({"autoscalingPolicy": {window: text}}))
    assert stored["spec"]["autoscalingPolicy"] == {window: text}


@pytest.mark.parametrize("text", LONG_WINDOWS)
def test_the_window_to_zero_has_no_upper_bound(server: Server, text: str) -> None:
    stored = server.dry_create(manifest({"autoscalingPolicy": {"scaleToZeroWindow": text}}))
    assert stored["spec"]["autoscalingPolicy"] == {"scaleToZeroWindow": text}


@pytest.mark.parametrize("text", NO_DURATIONS)
@pytest.mark.parametrize("window", list(WINDOWS))
def test_what_is_no_duration_gets_the_message_that_says_how_one_looks(server: Server, window: str, text: str) -> None:
    assert only_complaint(server, window, text) == expected_complaint(window)


@pytest.mark.parametrize(
    ("window", "text", "reason"),
    [
        ("scaleUpWindow", "1h1ms", "it is longer than an hour by the smallest step"),
        ("scaleUpWindow", "61m", "it is longer than an hour in minutes"),
        ("scaleDownWindow", "2h", "it is longer than an hour"),
        ("scaleDownWindow", "999999h", "it is very much longer"),
        ("scaleToZeroWindow", "4m59s", "it is shorter than five minutes"),
        ("scaleToZeroWindow", "0s", "Fireworks would take it for unset, so that it would silently mean 1h"),
        ("scaleToZeroWindow", "9999999h", "it has more digits than Go can hold in hours"),
    ],
)
def test_a_window_out_of_bounds_gets_the_same_message(server: Server, window: str, text: str, reason: str) -> None:
    assert only_complaint(server, window, text) == expected_complaint(window), reason


@pytest.mark.parametrize("window", list(WINDOWS))
def test_a_window_without_quotes_or_of_endless_length_is_refused(server: Server, window: str) -> None:
    with pytest.raises(RefusedError, match=f"spec.autoscalingPolicy.{window} in body must be of type string"):
        server.dry_create(manifest({"autoscalingPolicy": {window: 600}}))
    with pytest.raises(RefusedError, match=f"spec.autoscalingPolicy.{window}: Too long: may not be more than 16"):
        server.dry_create(manifest({"autoscalingPolicy": {window: "1m" * 9}}))


def expected_complaint(window: str) -> str:
    return (
        f'spec.autoscalingPolicy.{window} must be a duration such as "90s", "10m" or "1h30m" {WINDOWS[window]} '
        "(units ms, s, m, h; no sign)"
    )


def only_complaint(server: Server, window: str, text: str) -> str:
    """Return the sentence of a refusal for a single cause, without the path and value put before it."""
    with pytest.raises(RefusedError) as refused:
        server.dry_create(manifest({"autoscalingPolicy": {window: text}}))
    cause, *others = str(refused.value).split("Invalid value: ")[1:]
    assert others == []
    return cause[cause.index("spec.") :]
