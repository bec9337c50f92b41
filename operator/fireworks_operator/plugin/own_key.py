"""The API key of the environment, as far as it can be checked at once."""

import os

import click


def no_key() -> click.ClickException:
    """Return what is said where a key is needed and there is none."""
    return click.ClickException("This command queries Fireworks and requires an API key: set FIREWORKS_API_KEY.")


def require_key() -> None:
    """Check that FIREWORKS_API_KEY is set.

    Raises:
        click.ClickException: it is not.
    """
    if not os.environ.get("FIREWORKS_API_KEY", "").strip():
        raise no_key()
