"""Why a deployment did not answer, in words with the way out."""

from typing import Final

import click

from fireworks_operator.fireworks.errors import FireworksError

from .advice import explain
from .keys import FoundKey
from .output import clean
from .target import Target

WAKING: Final = 503
"""No replica serves; the request has woken one, if that can be (Fireworks documentation, autoscaling)."""
NOT_ROUTED: Final = 404
"""Nothing by that identifier is deployed, or not routed to yet."""
_BILLING: Final = "https://fireworks.ai/account/billing"


def explain_refusal(error: FireworksError, found: FoundKey, target: Target) -> click.ClickException:
    """Say what the status of an answer means to who asks (Fireworks documentation, inference error codes)."""
    see = f"see `{target.status_command}`"
    ways_out = {
        400: "Correct the request: the prompt may be longer than the context.",
        401: f"Put a valid API key into {found.source}.",
        402: f"The account has no credits left or no paid plan: see {_BILLING}.",
        403: f"Use an API key that may call deployments of the account {target.account}, in {found.source}.",
        404: f"Nothing answers to {clean(target.identifier)}: check that {found.source} has a key of the account "
        f"{target.account}, and {see}.",
        412: f"If the account is suspended, see {_BILLING}.",
        429: "The deployment is at its capacity, or the account at its rate limit: try again in a minute, or raise "
        "spec.maxReplicaCount.",
    }
    if target.addon:
        ways_out[412] += f" If the addon cannot be loaded, {see}."
    way_out = ways_out.get(error.status or 0)
    words = str(error).rstrip(".")
    return click.ClickException(f"Fireworks: {words}. {way_out}" if way_out else explain(error))
