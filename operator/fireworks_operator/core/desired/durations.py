"""Durations as users write them (Go's `time.ParseDuration`) and as the wire has them (seconds with `s`)."""

import re
from decimal import Decimal

_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ms|s|m|h)", re.ASCII)
_SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}


def parse_duration(text: str) -> Decimal:
    """Return the seconds in `90s`, `10m`, `1h30m`, `0.5h` or `600s`.

    Raises:
        ValueError: the text is no duration with the units ms, s, m and h.
    """
    parts = _PART.findall(text)
    if text == "0":
        return Decimal(0)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f'"{text}" is not a duration such as "90s", "10m" or "1h30m"')
    return sum((Decimal(number) * _SECONDS[unit] for number, unit in parts), Decimal(0))


def wire_duration(text: str) -> str:
    """Return a duration as the REST API takes it: decimal seconds and `s`, e.g. `5400s` for `1h30m`."""
    seconds = parse_duration(text).normalize()
    return f"{seconds:f}s"
