"""Runs a command to its end; what goes wrong is said in one sentence, with the way out."""

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import click

from fireworks_operator.api.v1alpha1 import InvalidResourceError
from fireworks_operator.fireworks.errors import FireworksError
from fireworks_operator.kube.client import KubernetesForbiddenError, KubernetesUnauthorizedError
from fireworks_operator.kube.credentials import CredentialsError
from fireworks_operator.kube.resources import CRD, CrdMissingError
from fireworks_operator.ports import KubernetesUnavailableError

from .advice import explain

Answer = TypeVar("Answer")

INSTALL_CRD = "`fireworks-operator crd | kubectl apply --server-side -f -`"


def run(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Run the work of a command.

    Raises:
        click.ClickException: it failed.
    """
    with _explained():
        return asyncio.run(work)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except CrdMissingError:
        raise click.ClickException(
            f"The CRD {CRD} is not installed in this cluster: install the operator's chart, or the CRD alone with "
            f"{INSTALL_CRD}."
        ) from None
    except KubernetesUnavailableError as error:
        raise click.ClickException(f"{sentence(error)} {way_out(error)}") from None
    except InvalidResourceError as error:
        raise click.ClickException(
            f"The resource cannot be parsed ({error}): correct it, or use the plugin version that matches the operator."
        ) from None
    except FireworksError as error:
        raise click.ClickException(explain(error)) from None
    except CredentialsError as error:
        raise click.ClickException(str(error)) from None


def sentence(error: Exception) -> str:
    """Return the text of an error with a full stop."""
    text = str(error)
    return text if text.endswith((".", "!", "?")) else f"{text}."


def way_out(error: KubernetesUnavailableError) -> str:
    """Say what to do about an API server that refuses or does not answer."""
    if isinstance(error, KubernetesForbiddenError):
        if "impersonate" in str(error):
            return "Ask for the permission to impersonate, or omit --as."
        return "Ask for the permission; `kubectl fireworks doctor` shows which one."
    if isinstance(error, KubernetesUnauthorizedError):
        return "Sign in again, or renew the credentials of the context: kubectl config current-context shows it."
    return "Check the context (kubectl config current-context) and the network."
