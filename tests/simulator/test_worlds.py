"""Accounts with a world of their own: what one test does to Fireworks, another that runs beside it never notices."""

from collections.abc import Callable

import pytest

from fireworks_simulator.testing import SimulatorClient, SimulatorError
from tests.simulator.api import LLAMA, SHAPELESS, Api, state_of

KEYS = {"blue": "fw_blue", "green": "fw_green"}
Login = Callable[..., Api]


@pytest.fixture
def blue(sim: SimulatorClient) -> SimulatorClient:
    return sim.add_world("blue", KEYS["blue"])


@pytest.fixture
def green(sim: SimulatorClient) -> SimulatorClient:
    return sim.add_world("green", KEYS["green"])


def test_time_passes_for_one_account_alone(
    sim: SimulatorClient, blue: SimulatorClient, green: SimulatorClient, login: Login, api: Api
) -> None:
    apis = [api, login(KEYS["blue"], "blue"), login(KEYS["green"], "green")]
    for each in apis:
        each.create()
    blue.advance(60)
    assert [state_of(each.get())[0] for each in apis] == ["CREATING", "READY", "CREATING"]
    assert blue.now() - green.now() == pytest.approx(60, abs=1)
    sim.advance(60)
    assert [state_of(each.get())[0] for each in apis] == ["READY", "READY", "CREATING"]


@pytest.mark.parametrize(
    ("disturb", "sends"),
    [
        (lambda world: world.fault("status"), "GET"),
        (lambda world: world.assume(rate_limit_per_minute=1), "GET"),
        (lambda world: world.suspend(), "GET"),
        (lambda world: world.quota("global--h100-count", 0), "POST"),
        (lambda world: world.add_model(LLAMA, supportedPrecisions=["FP8"], defaultPrecision="FP8"), "POST"),
    ],
    ids=["faults", "assumptions", "suspension", "quota", "models"],
)
def test_what_is_changed_in_one_world_changes_no_other(
    disturb: Callable[[SimulatorClient], object],
    sends: str,
    blue: SimulatorClient,
    green: SimulatorClient,
    login: Login,
    api: Api,
) -> None:
    disturb(blue)
    answers = []
    for each in (login(KEYS["blue"], "blue"), login(KEYS["green"], "green"), api):
        body = {"baseModel": LLAMA, "acceleratorType": "NVIDIA_H100_80GB", "precision": "FP16"}
        sent = [each.send(sends, "/deployments", body if sends == "POST" else None, **SHAPELESS) for _ in range(2)]
        answers.append([answer.status_code for answer in sent])
    assert answers[0][1] >= 400
    assert answers[1:] == [[200, 200], [200, 200]]


def test_durations_and_stages_are_of_one_world(blue: SimulatorClient, green: SimulatorClient, login: Login) -> None:
    blue.stage(outcome="fail", message="no luck")
    blue.timing(downloading=0, pending=0, initializing=0)
    apis = [login(KEYS["blue"], "blue"), login(KEYS["green"], "green")]
    for world, each in zip((blue, green), apis, strict=True):
        each.create()
        world.advance(1)
    assert [state_of(each.get())[0] for each in apis] == ["FAILED", "CREATING"]


def test_a_journal_has_what_its_account_sent_and_what_others_sent_to_it(
    sim: SimulatorClient, blue: SimulatorClient, green: SimulatorClient, login: Login
) -> None:
    login(KEYS["blue"], "blue").create()
    login(KEYS["blue"], "green").send("GET", "/deployments")
    login(KEYS["green"], "green").listed()
    login("fw_nobodys", "green").send("GET", "/deployments")
    seen = [(each.account, each.key_id, each.status) for each in green.journal()]
    assert seen == [("green", "blue-key-1", 403), ("green", "green-key-1", 200), ("green", "unknown", 401)]
    assert [each.method for each in blue.journal()] == ["POST", "GET"]
    assert sim.journal() == []
    assert [each.sequence for each in green.journal(since=2)] == [3, 4], "one order for all worlds"


def test_a_world_starts_over_alone_and_the_shared_one_with_all(
    sim: SimulatorClient, blue: SimulatorClient, green: SimulatorClient, login: Login
) -> None:
    apis = {name: login(key, name) for name, key in KEYS.items()}
    for each in apis.values():
        each.create()
    blue.reset()
    assert [each.listed() for each in apis.values()] == [[], ["chat"]]
    assert (blue.journal(method="POST"), blue.last_sequence()) == ([], 4)
    sim.reset()
    assert apis["green"].send("GET", "/deployments").status_code == 401
    with pytest.raises(SimulatorError, match="no account green with a world of its own"):
        green.journal()


def test_what_is_removed_is_gone(sim: SimulatorClient, blue: SimulatorClient, login: Login) -> None:
    api = login(KEYS["blue"], "blue")
    api.create()
    sim.remove_world("blue")
    assert api.send("GET", "/deployments").status_code == 401
    with pytest.raises(SimulatorError, match="no account blue with a world of its own"):
        sim.remove_world("blue")
    assert sim.add_world("blue", KEYS["blue"]).deployments() == []


def test_a_world_can_have_further_accounts_and_keys(blue: SimulatorClient, login: Login) -> None:
    blue.add_account("navy", "fw_navy")
    blue.add_key("fw_blue_too")
    assert login("fw_navy", "navy").listed() == []
    assert login("fw_blue_too", "blue").listed() == []
    assert len(blue.journal()) == 2


@pytest.mark.parametrize("body", [{}, {"id": "blue"}, {"id": "a/b", "apiKey": "fw_x"}, {"id": "blue", "apiKey": ""}])
def test_a_world_needs_an_account_and_a_key(sim: SimulatorClient, body: dict[str, str]) -> None:
    with pytest.raises(SimulatorError, match="400"):
        sim.call("POST", "/worlds", body)
