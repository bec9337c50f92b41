"""Every setting of the operator, once: environment variable, type, default, unit and reason."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic.functional_validators import BeforeValidator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _split(value: object) -> object:
    return [part for part in value.replace(",", " ").split() if part] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""A list in one environment variable: separated by commas or blanks."""


class Settings(BaseSettings):
    """Read from the environment: `FIREWORKS_OPERATOR_` and the name in capitals, unless it says otherwise."""

    model_config = SettingsConfigDict(env_prefix="FIREWORKS_OPERATOR_", frozen=True, populate_by_name=True)

    api_key: SecretStr | None = Field(None, validation_alias=AliasChoices("FIREWORKS_API_KEY"))
    """FIREWORKS_API_KEY: the operator's own key, for resources without credentialsSecretRef. None: there is none."""
    account_id: str | None = Field(None, validation_alias=AliasChoices("FIREWORKS_ACCOUNT_ID"))
    """FIREWORKS_ACCOUNT_ID: the account of the operator's own key. None: asked of Fireworks."""
    base_url: str = Field("https://api.fireworks.ai", validation_alias=AliasChoices("FIREWORKS_BASE_URL"))
    """FIREWORKS_BASE_URL: where the API is, without `/v1`."""
    kubeconfig: Path | None = Field(None, validation_alias=AliasChoices("KUBECONFIG"))
    """KUBECONFIG: how to reach Kubernetes. None: as the service account of the pod."""
    allow_http: bool = False
    """Permit a base URL with plain http outside loopback: only for a simulator inside the cluster."""

    watch_namespaces: Names = ()
    """Namespaces whose resources are managed. Empty: all."""
    credential_namespaces: Names | None = None
    """Namespaces that may use the operator's own key. None: all."""
    adoption_namespaces: Names = ()
    """Namespaces where the operator's own key may take over existing deployments, and observe those of other
    resources. Empty: none, since whoever may create a resource could otherwise take over, and delete, a colleague's
    deployment."""
    cluster_id: str | None = None
    """Names this cluster in deployment ids and owner markers. None: the uid of the namespace kube-system."""
    previous_cluster_ids: Names = ()
    """Ids that this cluster had before it was rebuilt from a backup; their deployments are recognised as own."""

    disable_auto_deploy: bool = False
    """Create deployments without a DeployedModel, so that the bare model name is not routed to them."""
    accept_shapeless_risk: bool = False
    """Send acceptShapelessRisk=true when a deployment without a shape is created, once Fireworks demands it."""

    requests_per_minute: float = Field(600.0, gt=0)
    """Requests per minute to one account: a tenth of what Fireworks grants a paying account for all its use."""
    request_burst: int = Field(100, ge=5)
    """Requests to one account that may come at once after a quiet time."""
    poll_interval_changing: float = Field(3.0, gt=0)
    """Seconds between two LISTs of an account in the two minutes after a change."""
    poll_interval_settling: float = Field(15.0, gt=0)
    """Seconds between two LISTs in the ten minutes after a change."""
    poll_interval_idle: float = Field(60.0, gt=0)
    """Seconds between two LISTs at rest: how long a change made in the Fireworks console may go unnoticed."""
    sweep_interval: float = Field(600.0, gt=0)
    """Seconds between two LISTs of all resources, which find deletions that the watch missed."""

    leader_election: bool = False
    """Act only while holding a Lease, so that several replicas may run."""
    lease_name: str = "fireworks-operator"
    """Name of the Lease."""
    namespace: str = "default"
    """Namespace of the Lease: the operator's own."""

    health_host: str | None = None
    """Address that /metrics, /healthz and /readyz listen on. None: all addresses."""
    health_port: int = Field(8080, ge=0, le=65535)
    """Port of /metrics, /healthz and /readyz; 0 for any free one, which needs health_host."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """How much is logged."""
    log_format: Literal["json", "text"] = "json"
    """One JSON object per line for machines, or text for people."""
