"""Questions about usage and money, for the tests of this folder."""

from datetime import UTC, datetime

from fireworks_simulator.testing import SimulatorClient
from fireworks_simulator.wire import JsonObject
from tests.simulator.api import Api

DAY = 86_400.0


def rfc3339(moment: float) -> str:
    """A moment in UTC, exact to the microsecond."""
    return datetime.fromtimestamp(moment, UTC).isoformat()


def midnight(moment: float) -> float:
    """The beginning of the day in UTC."""
    return moment - moment % DAY


def rows(answer: JsonObject, field: str = "dedicatedCosts") -> list[JsonObject]:
    """The rows of an answer, none where the field is missing."""
    found = answer.get(field, [])
    assert isinstance(found, list)
    return [row for row in found if isinstance(row, dict)]


def usage(api: Api, sim: SimulatorClient, *, days: float = 30, **query: str) -> list[JsonObject]:
    """Billed usage of the last days up to now."""
    now = sim.now()
    times = {"startTime": rfc3339(now - days * DAY), "endTime": rfc3339(now)}
    return rows(api.value("GET", "/billingUsage", **{**times, **query}))


def seconds(found: list[JsonObject]) -> int:
    """The sum of their accelerator-seconds, which are int64 and hence text."""
    assert all(isinstance(row["acceleratorSeconds"], str) for row in found)
    return sum(int(str(row["acceleratorSeconds"])) for row in found)
