"""What the environment may hold: nothing, blanks, numbers that are none, and what Kubernetes puts there by itself."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from fireworks_operator.settings import Settings, explain_settings, misspelt, variable

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


WRONG = {
    "FIREWORKS_API_KEY": ("Bearer fw_hunter2", "it is a header (Bearer …); provide only the key, such as fw_…"),
    "FIREWORKS_ACCOUNT_ID": ("accounts/acme", "an account id consists of 1 to 128 letters, digits, dots, _ and -"),
    "FIREWORKS_BASE_URL": ("http://fw.example", "must use https: otherwise API keys are sent in plain text"),
    PREFIX + "WATCH_NAMESPACES": ("team-a Team_B team-*", "a namespace has lower-case letters, digits and hyphens"),
    PREFIX + "REQUEST_BURST": (
        "plenty",
        "Input should be a valid integer, unable to parse string as an integer; for exa",
    ),
    PREFIX + "POLL_INTERVAL_IDLE": ("-7", "Input should be greater than 0; for example 60"),
    PREFIX + "LEADER_ELECTION": ("maybe", "Input should be a valid boolean, unable to interpret input; for example "),
    PREFIX + "NAMESPACE": ("A", "a namespace has lower-case letters, digits and hyphens, such as team-a"),
    PREFIX + "LOG_FORMAT": ("xml", "Input should be 'json' or 'text'; for example json"),
}


def test_all_values_that_cannot_be_used_are_told_at_once_each_with_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, (text, _) in WRONG.items():
        monkeypatch.setenv(name, text)
    head, *lines = refusal().splitlines()
    assert head == "Invalid settings:"
    assert len(lines) == len(WRONG)
    for name, (text, words) in WRONG.items():
        (line,) = (each for each in lines if each.startswith(f"  {name}: "))
        assert line.startswith(f"  {name}: {words}")
        assert text not in line.partition(": ")[2]


def test_plain_http_is_for_loopback_unless_it_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREWORKS_BASE_URL", "http://simulator.fireworks:8090")
    assert "FIREWORKS_BASE_URL: must use https" in refusal()
    monkeypatch.setenv(PREFIX + "ALLOW_HTTP", "true")
    assert Settings().base_url == "http://simulator.fireworks:8090"
    monkeypatch.setenv(PREFIX + "ALLOW_HTTP", "perhaps")
    assert len(refusal().splitlines()) == 2, "whether http is allowed is not known"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        (PREFIX + "POLL_INTERVALL_IDLE", PREFIX + "POLL_INTERVAL_IDLE"),
        (PREFIX + "HELTH_PORT", PREFIX + "HEALTH_PORT"),
        (PREFIX + "WATCH_NAMESPACE", PREFIX + "WATCH_NAMESPACES"),
        (PREFIX + "API_KEY", "FIREWORKS_API_KEY"),
        ("FIREWORKS_LOG_LEVEL", PREFIX + "LOG_LEVEL"),
        ("FIREWORKS_API_KEYS", "FIREWORKS_API_KEY"),
        (PREFIX + "SERVICE_PORT", None),
        (PREFIX + "PORT_8080_TCP_PORT", None),
        (PREFIX + "TEAM", None),
        ("FIREWORKS_SIMULATOR_PORT", None),
        ("FIREWORKS_CLUSTER_DIR", None),
        ("LOG_LEVEL", None),
        *((variable(name), None) for name in Settings.model_fields),
    ],
)
def test_a_variable_whose_name_is_misspelt_is_told_with_the_one_that_is_meant(name: str, meant: str | None) -> None:
    assert misspelt({name: "8080"}) == ({} if meant is None else {name: meant})


def test_the_address_of_a_service_is_no_misspelt_setting() -> None:
    assert misspelt({PREFIX + "HEALTHPORT": "tcp://10.96.1.2:8080"}) == {}
