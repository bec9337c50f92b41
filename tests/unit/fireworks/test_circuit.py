"""One refused credential is left alone for growing times, and harms no other."""

import pytest

from fireworks_operator.fireworks.request_budget import Circuit, CircuitState
from testkit.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuit(clock: Clock) -> Circuit:
    return Circuit(clock)


def test_a_new_circuit_lets_everything_pass(circuit: Circuit) -> None:
    assert all(circuit.try_probe() for _ in range(3))
    assert (circuit.state, circuit.retry_at, circuit.reason) == (CircuitState.CLOSED, None, "")


def test_an_open_circuit_lets_nothing_pass_until_its_time(circuit: Circuit, clock: Clock) -> None:
    circuit.open("the key is not accepted")

    assert (circuit.state, circuit.retry_at, circuit.reason) == (CircuitState.OPEN, 130.0, "the key is not accepted")
    clock.now = 129.9
    assert not circuit.try_probe()


def test_one_probe_at_a_time(circuit: Circuit, clock: Clock) -> None:
    circuit.open("no")
    clock.now = 130.0

    assert [circuit.try_probe() for _ in range(3)] == [True, False, False]
    assert circuit.state is CircuitState.HALF_OPEN


def test_pauses_grow_to_five_minutes_and_stay_there(circuit: Circuit, clock: Clock) -> None:
    pauses = []
    for _ in range(6):
        circuit.open("no")
        assert circuit.retry_at is not None
        pauses.append(circuit.retry_at - clock.now)
        clock.now = circuit.retry_at
        assert circuit.try_probe()

    assert pauses == [30, 60, 120, 240, 300, 300]


def test_requests_that_were_under_way_do_not_lengthen_the_pause(circuit: Circuit, clock: Clock) -> None:
    circuit.open("first")
    clock.now = 110.0
    circuit.open("second")

    assert circuit.retry_at == 130.0
    assert circuit.reason == "second"


def test_an_accepted_probe_closes_the_circuit_and_the_next_pause_is_short(circuit: Circuit, clock: Clock) -> None:
    for _ in range(3):
        circuit.open("no")
        clock.now += 600
        assert circuit.try_probe()
    circuit.close()
    assert (circuit.state, circuit.retry_at, circuit.reason) == (CircuitState.CLOSED, None, "")

    circuit.open("again")

    assert circuit.retry_at == clock.now + 30


def test_a_probe_that_never_reports_back_is_replaced(circuit: Circuit, clock: Clock) -> None:
    circuit.open("no")
    clock.now = 130.0
    assert circuit.try_probe()
    clock.now = 159.9
    assert not circuit.try_probe()
    clock.now = 160.0

    assert circuit.try_probe()
    assert not circuit.try_probe()
