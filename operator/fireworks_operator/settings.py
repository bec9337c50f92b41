"""Every setting of the operator, once: environment variable, type, default, unit and reason."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import (
    AliasChoices,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.functional_validators import AfterValidator, BeforeValidator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from fireworks_operator.fireworks.base_url import BaseUrl
from fireworks_operator.fireworks.key_form import odd_form
from fireworks_operator.fireworks.names import is_account_id

_SERVICE_LINK: Final = re.compile(r"(tcp|udp|sctp)://")
_LINK_NAME: Final = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_.*)?)")
"""What Kubernetes calls the variables of a Service, besides those whose value says it."""
_LINKED: Final = (
    "this is the address of a Service, injected by Kubernetes; set the variable explicitly, or set "
    "enableServiceLinks: false in the pod"
)


_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def _split(value: object) -> object:
    """Return the names in a text, each once: what is listed twice is not watched twice."""
    return list(dict.fromkeys(value.replace(",", " ").split())) if isinstance(value, str) else value


def _is_namespace(name: str) -> str:
    if not _NAMESPACE.fullmatch(name):
        raise ValueError(
            "a namespace has lower-case letters, digits and hyphens, such as team-a; wildcards are not known"
        )
    return name


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""A list in one environment variable: separated by commas or blanks."""

Namespace = Annotated[str, AfterValidator(_is_namespace)]
Namespaces = Annotated[tuple[Namespace, ...], NoDecode, BeforeValidator(_split)]
"""A list of namespaces, likewise."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """Read from the environment: `FIREWORKS_OPERATOR_` and the name in capitals, unless it says otherwise."""

    model_config = SettingsConfigDict(env_prefix="FIREWORKS_OPERATOR_", frozen=True, populate_by_name=True)

    @field_validator("api_key")
    @classmethod
    def _is_a_key(cls, key: SecretStr | None) -> SecretStr | None:
        odd = key and odd_form(key.get_secret_value())
        if odd:
            raise ValueError(odd)
        return key

    @field_validator("account_id")
    @classmethod
    def _is_an_account(cls, account: str | None) -> str | None:
        if account is not None and not is_account_id(account):
            raise ValueError("an account id consists of 1 to 128 letters, digits, dots, _ and -, such as acme")
        return account

    @field_validator("base_url")
    @classmethod
    def _is_a_base_url(cls, text: str, info: ValidationInfo) -> str:
        # Where allow_http itself is wrong, only that is told.
        BaseUrl.parse(text, allow_http=bool(info.data.get("allow_http", True)))
        return text

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, values: dict[str, object]) -> dict[str, object]:
        """Drop what Compose, a ConfigMap or a secretKeyRef sets to nothing, and the line break at the end of a file.

        Nothing as credential_namespaces means that no namespace may use the key. A cluster id stays as it is, blanks
        and all: deployments carry it.
        """
        given = {name: value.strip() if isinstance(value, str) else value for name, value in values.items()}
        given |= {name: values[name] for name in ("cluster_id",) if given.get(name)}
        return {name: value for name, value in given.items() if value != "" or name == "credential_namespaces"}

    allow_http: bool = False
    """Allow a base URL with plain http outside loopback; only for a simulator inside the cluster."""
    api_key: SecretStr | None = Field(None, validation_alias=AliasChoices("FIREWORKS_API_KEY"))
    """FIREWORKS_API_KEY: the operator's own API key, for resources without credentialsSecretRef. None: no such key."""
    account_id: str | None = Field(None, validation_alias=AliasChoices("FIREWORKS_ACCOUNT_ID"))
    """FIREWORKS_ACCOUNT_ID: the account of the operator's own key. None: looked up at Fireworks."""
    base_url: str = Field("https://api.fireworks.ai", validation_alias=AliasChoices("FIREWORKS_BASE_URL"))
    """FIREWORKS_BASE_URL: base URL of the API, without `/v1`."""
    kubeconfig: Path | None = Field(None, validation_alias=AliasChoices("KUBECONFIG"))
    """KUBECONFIG: path of the kubeconfig. None: use the service account of the pod."""

    watch_namespaces: Namespaces = ()
    """Namespaces whose resources are managed. Empty: all."""
    credential_namespaces: Namespaces | None = None
    """Namespaces that may use the operator's own key. None: all."""
    adoption_namespaces: Namespaces = ()
    """Namespaces where the operator's own key may adopt existing deployments, and observe those of other resources.
    Empty: none, because anyone who may create a resource could otherwise adopt and delete a colleague's deployment."""
    cluster_id: str | None = None
    """Names this cluster in deployment ids and owner markers. None: the uid of the namespace kube-system."""
    previous_cluster_ids: Names = ()
    """Ids, and uids of kube-system, that this cluster had before it was rebuilt; their deployments are recognised as
    its own. A rebuilt cluster that keeps its cluster_id needs the previous uid here."""

    disable_auto_deploy: bool = False
    """Create deployments without a DeployedModel, so that the bare model name is not routed to them."""
    default_shape: bool = True
    """Create deployments whose spec names neither acceleratorType nor deploymentShape with Fireworks' default shape for
    the model. false: nothing is added, and Fireworks refuses most models."""
    accept_shapeless_risk: bool = True
    """Send acceptShapelessRisk=true when a deployment with an acceleratorType and without a shape is created, which
    Fireworks requires. false: it refuses such a deployment."""

    requests_per_minute: Positive = 600.0
    """Requests per minute to one account; the default is a tenth of what Fireworks grants a paying account in total."""
    request_burst: int = Field(100, ge=5)
    """Requests to one account that may be sent in a burst after a quiet period."""
    poll_interval_changing: Positive = 3.0
    """Seconds between two LISTs of an account in the two minutes after a change."""
    poll_interval_settling: Positive = 15.0
    """Seconds between two LISTs in the ten minutes after a change."""
    poll_interval_idle: Positive = 60.0
    """Seconds between two LISTs at rest: the longest that a change made in the Fireworks console goes unnoticed."""
    sweep_interval: Positive = 600.0
    """Seconds between two LISTs of all resources, which find deletions that the watch missed."""

    leader_election: bool = False
    """Act only while holding a Lease, so that several replicas can run."""
    lease_name: str = "fireworks-operator"
    """Name of the Lease."""
    namespace: Namespace = "default"
    """Namespace of the Lease: the operator's own."""

    health_host: str | None = None
    """Address that /metrics, /healthz and /readyz listen on. None: all addresses."""
    health_port: int = Field(8080, ge=0, le=65535)
    """Port of /metrics, /healthz and /readyz; 0 for any free port, which requires health_host."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Minimum level of log messages."""
    log_format: Literal["json", "text"] = "json"
    """json: one JSON object per line; text: human-readable lines."""


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    alias = Settings.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return f"{Settings.model_config.get('env_prefix', '')}{name}".upper()


def misspelt(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that look like settings and are none, each with the one that may be meant."""
    known = {variable(name) for name in Settings.model_fields}
    found = {}
    for name, value in environment.items():
        is_link = _LINK_NAME.fullmatch(name) or _SERVICE_LINK.match(value)
        if name in known or not name.startswith("FIREWORKS_") or is_link:
            continue
        bare = name.removeprefix("FIREWORKS_").removeprefix("OPERATOR_")
        exchanged = [each for each in (f"FIREWORKS_{bare}", f"FIREWORKS_OPERATOR_{bare}") if each in known]
        meant = exchanged or get_close_matches(name, known, n=1, cutoff=0.9)
        if meant:
            found[name] = meant[0]
    return found


def explain_settings(error: ValidationError) -> str:
    """Say which variables have values that cannot be used, one a line, each with the way out.

    The values are not shown: one may be a key.
    """
    return "\n  ".join(dict.fromkeys(["Invalid settings:", *map(_explain, error.errors())]))


def _explain(problem: ErrorDetails) -> str:
    name, value = str(problem["loc"][0]), problem["input"]
    field = next((each for each in Settings.model_fields if name in (each, variable(each))), None)
    shown = name if field is None else variable(field)
    if isinstance(value, str) and _SERVICE_LINK.match(value):
        return f"{shown}: {_LINKED}"
    if problem["type"] == "value_error":  # one of the validators above: it says itself what to write instead
        return f"{shown}: {problem['msg'].removeprefix('Value error, ').removeprefix(f'{shown} ')}"
    example = "" if field is None else _example(Settings.model_fields[field].get_default())
    return f"{shown}: {problem['msg']}{example and f'; for example {example}'}"


def _example(default: object) -> str:
    """Return a default as it stands in a variable; empty where there is none."""
    if isinstance(default, bool):
        return "true or false"
    return f"{default:g}" if isinstance(default, float) else str(default) if default not in (None, ()) else ""
