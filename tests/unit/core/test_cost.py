"""The meter: sums that follow from the rate alone, whatever the order of things, and nothing written while it stays."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from fireworks_operator.api.v1alpha1 import Cost, FireworksDeploymentStatus
from fireworks_operator.core.context import Context
from fireworks_operator.core.observed.observation import Absent, Observed, Unknown
from fireworks_operator.core.prices import Price, PriceList, Prices
from fireworks_operator.core.situation import assess
from fireworks_operator.core.status.cost import cost_of, month_gpu_seconds_until, month_until, rate_ends, stopped
from testkit.builders import CREATED, a_context, a_resource, present
from testkit.properties import examples

BEGAN = datetime(2026, 3, 30, 12, tzinfo=UTC)
H100 = "NVIDIA_H100_80GB"


def prices(hourly: str | None = "8") -> Prices:
    since = datetime(2020, 1, 1, tzinfo=UTC)
    return Prices(PriceList({} if hourly is None else {H100: (Price(Decimal(hourly), since),)}))


def at(now: datetime, list_: Prices | None = None, *, resumed_at: datetime | None = None) -> Context:
    return a_context(now=now, prices=list_ or prices(), resumed_at=resumed_at)


def replicas(ready: int, **wire: JsonValue) -> Observed:
    stats: JsonValue = {"readyReplicaCount": ready}
    fields: dict[str, JsonValue] = {"acceleratorType": H100, "acceleratorCount": 2, "maxReplicaCount": 4, **wire}
    return present(replicaStats=stats, **fields)


def metered(before: Cost | None, observed: Observed, context: Context) -> Cost | None:
    status = {**CREATED, **({} if before is None else {"cost": before.to_wire()})}
    return cost_of(assess(a_resource(status=status), observed, context))


def metered_now(before: Cost | None, observed: Observed, context: Context) -> Cost:
    found = metered(before, observed, context)
    assert found is not None
    return found


@examples(100)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 20 * 24 * 3600)), min_size=1, max_size=12),
)
def test_the_sum_is_that_of_all_rates_and_their_times(steps: list[tuple[int, int]]) -> None:
    now, cost = BEGAN, None
    seconds, this_month = 0, 0
    for ready, lasts in steps:
        cost = metered_now(cost, replicas(ready), at(now))
        until = now + timedelta(seconds=lasts)
        begins = until.replace(day=1, hour=0, minute=0, second=0)
        seconds += ready * 2 * lasts
        within = ready * 2 * int((until - max(now, begins)).total_seconds())
        this_month = within if begins > now else this_month + within
        now = until
    cost = stopped(metered_now(cost, replicas(steps[-1][0]), at(now)), now)
    assert cost is not None
    assert cost.gpu_seconds == seconds
    assert Decimal(cost.total or 0) == pytest.approx(Decimal(seconds) * 8 / 3600, abs=Decimal("0.0001"))
    assert (cost.month.name, cost.month.gpu_seconds) == (f"{now:%Y-%m}", this_month)
    assert cost.gpus == 0


def test_the_same_rate_is_the_same_object() -> None:
    cost = metered(None, replicas(2), at(BEGAN))
    assert metered(cost, replicas(2), at(BEGAN + timedelta(hours=20))) == cost


@pytest.mark.parametrize(
    "other",
    [replicas(1), replicas(2, maxReplicaCount=5), replicas(2, acceleratorCount=4)],
    ids=["replicas", "most replicas", "GPUs per replica"],
)
def test_whatever_changes_the_rate_is_written(other: Observed) -> None:
    cost = metered_now(None, replicas(2), at(BEGAN))
    later = metered_now(cost, other, at(BEGAN + timedelta(hours=1)))
    assert later.as_of == BEGAN + timedelta(hours=1)
    assert (later.gpu_seconds, later.total) == (4 * 3600, "32.00")


@pytest.mark.parametrize(
    ("observed", "reason"),
    [(Unknown(), "Nothing is known."), (Absent(), "A LIST that lacks it is no proof."), (Absent(confirmed=True), "")],
)
def test_only_what_is_known_ends_the_bill(observed: Observed, reason: str) -> None:
    cost = metered_now(None, replicas(2), at(BEGAN))
    later = metered(cost, observed, at(BEGAN + timedelta(hours=1)))
    assert (later == cost) is bool(reason)
    if not reason:
        assert later is not None
        assert (later.gpus, later.hourly, later.total) == (0, "0.00", "32.00")


def test_what_has_no_price_has_no_dollars() -> None:
    cost = metered_now(None, replicas(2), at(BEGAN, prices(None)))
    assert (cost.gpus, cost.hourly, cost.hourly_ceiling, cost.total) == (4, None, None, "0.00")
    later = metered_now(cost, replicas(2), at(BEGAN + timedelta(hours=1)))
    assert (later.gpu_seconds, later.unpriced_gpu_seconds, later.total) == (14400, 14400, "0.00")
    assert later.hourly == "32.00"


def test_nothing_costs_nothing_even_without_a_price() -> None:
    cost = metered_now(None, replicas(0, maxReplicaCount=0), at(BEGAN, prices(None)))
    assert (cost.hourly, cost.hourly_ceiling) == ("0.00", "0.00")


def test_a_clock_that_is_set_back_makes_no_cost_negative() -> None:
    cost = metered_now(None, replicas(2), at(BEGAN))
    later = metered_now(cost, replicas(1), at(BEGAN - timedelta(hours=1)))
    assert (later.gpu_seconds, later.total, later.estimated) == (0, "0.00", True)
    assert metered(cost, replicas(2), at(BEGAN - timedelta(hours=1))) == cost, "at rest nothing is written"


@pytest.mark.parametrize("text", ["NaN", "-1", "Infinity", "1e999999", "much", "", "9" * 400])
def test_garbage_in_status_counts_as_not_known(text: str) -> None:
    wire = metered_now(None, replicas(2), at(BEGAN)).to_wire()
    status = {**CREATED, "cost": {**wire, "hourly": text, "total": text}}
    resource = a_resource(status=status)
    cost = cost_of(assess(resource, replicas(2), at(BEGAN + timedelta(hours=1))))
    assert cost is not None
    assert (cost.hourly, cost.total, cost.unpriced_gpu_seconds) == ("32.00", "0.00", 14400)


def test_a_change_that_is_found_after_a_silence_is_an_estimate() -> None:
    cost = metered_now(None, replicas(1), at(BEGAN))
    resumed = BEGAN + timedelta(hours=2)
    assert metered(cost, replicas(1), at(resumed, resumed_at=resumed)) == cost
    changed = metered_now(cost, replicas(2), at(resumed + timedelta(seconds=3), resumed_at=resumed))
    assert changed.estimated
    later = metered_now(cost, replicas(2), at(resumed + timedelta(hours=1), resumed_at=resumed))
    assert later.estimated is None, "it was seen when it came"
    asleep = metered_now(None, replicas(0), at(BEGAN))
    woken = metered_now(asleep, replicas(1), at(resumed, resumed_at=resumed))
    assert woken.estimated, "it may have served all the time"


def test_it_is_looked_at_again_when_the_month_or_the_price_ends() -> None:
    def ends(observed: Observed, list_: Prices) -> datetime | None:
        cost = metered_now(None, observed, at(BEGAN, list_))
        status = {**CREATED, "cost": cost.to_wire()}
        return rate_ends(assess(a_resource(status=status), observed, at(BEGAN, list_)))

    assert ends(replicas(1), prices()) == datetime(2026, 4, 1, tzinfo=UTC)
    soon = BEGAN + timedelta(hours=3)
    (now,) = prices().everybody.accelerators[H100]
    announced = Prices(PriceList({H100: (now, Price(Decimal(9), soon))}))
    assert ends(replicas(1), announced) == soon
    assert ends(replicas(0), announced) is None, "nothing is billed"


def test_another_owner_ends_the_bill_once() -> None:
    cost = stopped(metered(None, replicas(2), at(BEGAN)), BEGAN + timedelta(hours=1))
    assert cost is not None
    assert (cost.gpus, cost.total) == (0, "32.00")
    assert stopped(cost, BEGAN + timedelta(hours=9)) is cost
    assert stopped(None, BEGAN) is None


def test_an_old_status_has_no_cost() -> None:
    assert FireworksDeploymentStatus().cost is None


def test_the_ceiling_has_revocable_replicas() -> None:
    cost = metered_now(None, replicas(2, maxWithRevocableReplicaCount=6), at(BEGAN))
    assert (cost.hourly, cost.hourly_ceiling) == ("32.00", "96.00")


def test_more_gpus_than_there_are_can_still_be_written() -> None:
    most = 2**63 - 1
    cost = metered_now(None, replicas(most, acceleratorCount=most), at(BEGAN))
    later = metered_now(cost, replicas(1), at(BEGAN + timedelta(days=365)))
    assert later.gpu_seconds < most
    assert max(len(each or "") for each in (cost.hourly, cost.hourly_ceiling, later.total)) <= 32


@pytest.mark.parametrize(
    ("now", "gpu_seconds"),
    [
        (BEGAN + timedelta(hours=3), 4 * 3 * 3600),
        (datetime(2026, 4, 1, tzinfo=UTC), 0),
        (datetime(2026, 4, 1, 6, tzinfo=UTC), 4 * 6 * 3600),
        (BEGAN - timedelta(hours=1), 0),
    ],
    ids=["this month", "as it ends", "the next one, of which nothing is written yet", "a clock that is set back"],
)
def test_this_month_until_now_follows_from_what_is_written(now: datetime, gpu_seconds: int) -> None:
    for list_, dollars in ((prices(), Decimal(gpu_seconds) * 8 / 3600), (prices(None), Decimal(0))):
        cost = metered_now(None, replicas(2), at(BEGAN, list_))
        assert month_gpu_seconds_until(cost, now) == gpu_seconds
        assert month_until(cost, now) == dollars


def test_a_deleted_deployment_costs_nothing_whatever_it_says_of_replicas() -> None:
    cost = metered_now(None, replicas(2, state="DELETED"), at(BEGAN))
    assert (cost.gpus, cost.hourly, cost.hourly_ceiling) == (0, "0.00", "0.00")
