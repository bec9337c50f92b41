"""Durations on the command line, as kubectl takes them."""

import click

from fireworks_operator.core.desired.durations import parse_duration


def to_seconds(_context: click.Context, _parameter: click.Parameter, text: str) -> float:
    """Return the seconds in an option such as `90s` or `15m`.

    Raises:
        click.BadParameter: it is no duration above 0.
    """
    try:
        seconds = float(parse_duration(text))
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from None
    if seconds <= 0:
        raise click.BadParameter("It must be above 0.")
    return seconds
