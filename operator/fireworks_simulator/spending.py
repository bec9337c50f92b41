"""What an account spent, in dollars at the prices of the day."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from fireworks_simulator.meter import Piece, pieces
from fireworks_simulator.prices import SECONDS_PER_HOUR
from fireworks_simulator.world import World


def cost(world: World, account: str, used: Iterable[Piece]) -> Decimal:
    """Dollars for usage; usage without a known price adds nothing."""
    return sum((known for piece in used if (known := price_of(world, account, piece)) is not None), Decimal(0))


def price_of(world: World, account: str, piece: Piece) -> Decimal | None:
    """Dollars for a piece of usage, None where the price is unknown."""
    hourly = world.prices.hourly(account, piece.facts, piece.start, world.assumptions)
    return None if hourly is None else hourly * Decimal(repr(piece.gpu_seconds)) / SECONDS_PER_HOUR


def this_month(world: World, account_id: str, now: float) -> Decimal:
    """Dollars since the month began in UTC."""
    begin = datetime.fromtimestamp(now, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    segments = world.meter.segments(world.accounts[account_id], now)
    used = pieces(segments, begin.timestamp(), now, zone=UTC)
    billed = (piece for piece in used if world.assumptions.bill_preemptible or not piece.facts.preemptible)
    return cost(world, account_id, billed)
