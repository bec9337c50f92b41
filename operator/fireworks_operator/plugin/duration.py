"""Durations on the command line, as kubectl takes them."""

import click

from fireworks_operator.core.desired.durations import parse_duration


def to_seconds(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    """Return the seconds in an option such as `90s` or `15m`; None if it is not given.

    Raises:
        click.BadParameter: it is no duration above 0.
    """
    if text is None:
        return None
    seconds = _parsed(text)
    if seconds <= 0:
        raise click.BadParameter("It must be above 0.")
    return seconds


def to_request_seconds(_context: click.Context, _parameter: click.Parameter, text: str) -> float | None:
    """Return the seconds in an option where a number without a unit counts seconds, and 0 means no limit.

    Raises:
        click.BadParameter: it is neither a number nor a duration.
    """
    return (float(text) if text.isascii() and text.isdigit() else _parsed(text)) or None


def _parsed(text: str) -> float:
    try:
        return float(parse_duration(text))
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from None
