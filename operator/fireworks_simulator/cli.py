"""Command `fireworks-simulator`."""

import contextlib
import errno
import functools
import ipaddress
import re
import signal
import sys
import types
import typing
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeVar

import click
from pydantic import BaseModel, ValidationError

from fireworks_simulator.app import Simulator
from fireworks_simulator.schema import ACCELERATORS
from fireworks_simulator.server import listen, make_server
from fireworks_simulator.settings import ACCOUNT_ID, AccountSettings, Assumptions, Settings, Timing

F = TypeVar("F", bound=Callable[..., None])

_SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://")


class _Option(click.Option):
    """An option whose variable counts as unset where nobody has set it to anything."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Leave out blanks, and what Kubernetes puts into every pod beside a Service named `fireworks-simulator`."""
        value = super().resolve_envvar_value(ctx)
        if value is None or not value.strip():
            return None
        if _SERVICE_LINK.match(value):
            click.echo(f"The variable of --{self.name} is not read: it holds the address of a Service.", err=True)
            return None
        return value.strip()


option = functools.partial(click.option, cls=_Option)


def _options(model: type[BaseModel]) -> Callable[[F], F]:
    """One command-line option for each field of a settings model."""

    def decorate(function: F) -> F:
        for name, info in reversed(model.model_fields.items()):
            flag = name.replace("_", "-")
            kind: click.Choice[str] | type
            if info.annotation is bool:
                declaration, kind = f"--{flag}/--no-{flag}", bool
            elif typing.get_origin(info.annotation) is typing.Literal:
                declaration, kind = f"--{flag}", click.Choice(typing.get_args(info.annotation))
            else:
                declaration, kind = f"--{flag}", int if info.annotation is int else float
            add = option(declaration, name, type=kind, default=info.default, show_default=True, help=info.description)
            function = add(function)
        return function

    return decorate


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _accounts(accounts: Sequence[str], api_keys: Sequence[str]) -> tuple[AccountSettings, ...]:
    default = AccountSettings()
    names = accounts or (default.id,)
    keys = api_keys or ((default.api_key,) if len(names) == 1 else ())
    if len(names) != len(keys):
        raise click.UsageError("give as many --api-key as --account")
    if len(set(names)) != len(names):
        raise click.UsageError("give each --account once")
    if len(set(keys)) != len(keys):
        raise click.UsageError("each --api-key can belong to one account only")
    for name in names:
        if not re.fullmatch(ACCOUNT_ID, name):
            raise click.UsageError(f"{name!r} is not an account id: letters, digits, dots, - and _ make one")
    return tuple(AccountSettings(id=name, api_key=key) for name, key in zip(names, keys, strict=True))


def _prices(texts: Sequence[str]) -> dict[str, Decimal]:
    prices: dict[str, Decimal] = {}
    for text in texts:
        accelerator, _, price = text.partition("=")
        if accelerator not in ACCELERATORS or not re.fullmatch(r"[0-9]+(\.[0-9]+)?", price):
            raise click.UsageError(f"--price {text}: give an accelerator type and dollars, as NVIDIA_H100_80GB=7.50")
        prices[accelerator] = Decimal(price)
    return prices


@click.command(context_settings={"auto_envvar_prefix": "FIREWORKS_SIMULATOR", "show_default": True})
@click.version_option(package_name="fireworks-operator", message="%(version)s")
@option("--host", default="127.0.0.1", help="Address to listen on.")
@option("--port", default=8090, type=click.IntRange(0, 65535), help="TCP port; 0 picks a free one.")
@option(
    "--account",
    "accounts",
    multiple=True,
    envvar="FIREWORKS_SIMULATOR_ACCOUNT",
    help="Account id; repeatable, each with its --api-key. [acme]",
)
@option(
    "--api-key",
    "api_keys",
    multiple=True,
    envvar="FIREWORKS_SIMULATOR_API_KEY",
    help="API key of the account. [fw_simulator]",
)
@option("--speed", default=1.0, type=click.FloatRange(min=0, min_open=True), help="Virtual seconds per second.")
@option("--stepped", is_flag=True, help="The clock moves only when the admin API says so.")
@option("--seed", default=0, type=int, help="Seed of generated ids and of probabilities.")
@option("--admin/--no-admin", default=None, help="Serve the admin API.  [default: on a loopback address only]")
@option("--journal-size", default=100_000, type=click.IntRange(min=1), help="Requests to remember.")
@option("--gpu-quota", default=None, type=click.IntRange(min=0), help="GPUs of each type per account. [any]")
@option(
    "--price",
    "prices",
    multiple=True,
    envvar="FIREWORKS_SIMULATOR_PRICE",
    metavar="TYPE=USD",
    help="Dollars per GPU-hour of an accelerator type, instead of the published ones; repeatable.",
)
@_options(Timing)
@_options(Assumptions)
def main(
    host: str,
    port: int,
    accounts: tuple[str, ...],
    api_keys: tuple[str, ...],
    speed: float,
    stepped: bool,
    seed: int,
    admin: bool | None,
    journal_size: int,
    gpu_quota: int | None,
    prices: tuple[str, ...],
    **fields: bool | float | str,
) -> None:
    """Run a Fireworks AI control plane locally: deployments, addons, inference; no GPUs."""
    try:
        settings = Settings(
            accounts=_accounts(accounts, api_keys),
            seed=seed,
            speed=speed,
            stepped=stepped,
            admin=_is_loopback(host) if admin is None else admin,
            journal_size=journal_size,
            gpu_quota=gpu_quota,
            prices=_prices(prices),
            timing=Timing.model_validate({name: fields[name] for name in Timing.model_fields}),
            assumptions=Assumptions.model_validate({name: fields[name] for name in Assumptions.model_fields}),
        )
    except ValidationError as error:
        wrong = error.errors()[0]
        raise click.UsageError(f"--{str(wrong['loc'][-1]).replace('_', '-')}: {wrong['msg']}") from None
    try:
        listener = listen(host, port)
    except OSError as error:
        raise click.ClickException(_not_listening(host, port, error)) from None
    bound = listener.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    names = ", ".join(account.id for account in settings.accounts)
    noun = "account" if len(settings.accounts) == 1 else "accounts"
    line = f"fireworks-simulator listening on http://{shown}:{bound} ({noun} {names})"
    signal.signal(signal.SIGTERM, _exit)
    server = make_server(Simulator(settings).app, on_ready=lambda: click.echo(line))
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])


def _not_listening(host: str, port: int, error: OSError) -> str:
    """Say why an address cannot be had, and what to do."""
    if error.errno == errno.EADDRINUSE:
        advice = f"choose another port with --port (0: any free one), or end the process that uses {port}"
    elif error.errno == errno.EACCES:
        advice = "choose a port above 1023 with --port"
    else:
        advice = "choose an address of this machine with --host"
    return f"cannot listen on {host}:{port}: {error.strerror}; {advice}."


def _exit(number: int, frame: types.FrameType | None) -> None:
    """The server re-raises the signal that stopped it; being told to stop is no failure."""
    sys.exit(0)
