"""What the environment may hold: nothing, blanks, numbers that are none, and what Kubernetes puts there by itself."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from fireworks_operator.settings import Settings, explain_settings, variable

DEFAULTS = {name: field.get_default() for name, field in Settings.model_fields.items()}
PREFIX = "FIREWORKS_OPERATOR_"


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)


def refusal() -> str:
    with pytest.raises(ValidationError) as caught:
        Settings()
    return explain_settings(caught.value)


@pytest.mark.parametrize("empty", ["", " ", "\n"], ids=["empty", "blank", "line break"])
@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_a_variable_that_is_set_to_nothing_counts_as_unset(
    name: str, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable(name), empty)

    meant = () if name == "credential_namespaces" else DEFAULTS[name]
    assert getattr(Settings(), name) == meant


def test_nobody_may_use_the_own_key_is_not_everybody_may(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, meant in (("", ()), (" , ", ()), ("a", ("a",))):
        monkeypatch.setenv(PREFIX + "CREDENTIAL_NAMESPACES", text)
        assert Settings().credential_namespaces == meant
    monkeypatch.delenv(PREFIX + "CREDENTIAL_NAMESPACES")
    assert Settings().credential_namespaces is None


def test_blanks_around_a_value_are_no_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "leader_election": (" true\n", True),
        "log_format": ("text ", "text"),
        "requests_per_minute": (" 60 ", 60.0),
        "health_port": ("9090\n", 9090),
        "account_id": ("acme\n", "acme"),
        "base_url": (" https://api.example ", "https://api.example"),
        "kubeconfig": ("/etc/kubeconfig\n", Path("/etc/kubeconfig")),
        "health_host": ("127.0.0.1 ", "127.0.0.1"),
        "watch_namespaces": (" a, b\n", ("a", "b")),
    }
    for name, (text, _) in given.items():
        monkeypatch.setenv(variable(name), text)

    settings = Settings()

    assert {name: getattr(settings, name) for name in given} == {name: value for name, (_, value) in given.items()}


def test_a_cluster_id_stays_as_deployments_carry_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + "CLUSTER_ID", "prod ")
    assert Settings().cluster_id == "prod "


def test_a_namespace_that_is_listed_twice_is_watched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + "WATCH_NAMESPACES", "b, a b,a,c")
    assert Settings().watch_namespaces == ("b", "a", "c")


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e400", "-1", "0", "-0.0", "soon", "1,5", "10s"])
@pytest.mark.parametrize(
    "name",
    [
        "requests_per_minute",
        "poll_interval_changing",
        "poll_interval_settling",
        "poll_interval_idle",
        "sweep_interval",
    ],
)
def test_a_number_that_is_no_time_and_no_rate_is_refused_by_its_variable(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable(name), text)
    assert refusal().startswith(f"Invalid settings:\n  {PREFIX}{name.upper()}: Input should be ")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("request_burst", "4", "Input should be greater than or equal to 5"),
        ("request_burst", "1e400", "Input should be a valid integer"),
        ("health_port", "65536", "Input should be less than or equal to 65535"),
        ("health_port", "tcp://10.96.1.2:8080", "this is the address of a Service, injected by Kubernetes"),
        ("leader_election", "maybe", "Input should be a valid boolean"),
        ("log_level", "LOUD", "Input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("api_key", "Bearer fw_hunter2", "it is a header (Bearer …); provide only the key, such as fw_…"),
        ("api_key", '"fw_hunter2"', "it is in quotes; provide only the key, such as fw_…"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_its_variable_and_not_shown(
    name: str, text: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable(name), text)

    told = refusal()

    assert f"\n  {variable(name)}: {words}" in told
    assert text not in told
    assert "hunter2" not in told


def test_all_values_that_cannot_be_used_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + "REQUEST_BURST", "x")
    monkeypatch.setenv(PREFIX + "LOG_FORMAT", "xml")
    assert len(refusal().splitlines()) == 3
