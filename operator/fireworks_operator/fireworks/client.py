"""The Fireworks REST API, one method per call: deadlines and clear errors, but no retries, budget or memory.

Every method raises `FireworksError` and nothing else (besides cancellation, and ValueError for a call that is
a mistake of the caller). Whether a failed call may have been carried out is in the error: `definite`.
"""

import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar

from pydantic import JsonValue

from .api_key import ApiKey
from .base_url import BaseUrl
from .billing import Usage, parse_usage
from .deployment_shapes import DeploymentShape, parse_shapes
from .fields import message, protocol_error
from .models import (
    Account,
    DeployedModel,
    DeployedModelPage,
    Deployment,
    DeploymentPage,
    Model,
    parse_accounts,
)
from .names import account_path, resource_path
from .request import WRITE_DEADLINE, Call, RequestRecord
from .routers import Router, RouterPage
from .transport import Deadlines, Transport
from .wire import JsonObject

__all__ = ["ApiKey", "FireworksClient", "RequestRecord"]

_MASK_PATH = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")


class FireworksClient:
    """Client of one Fireworks control plane; safe for any number of concurrent calls of one event loop.

    Proxies: `HTTPS_PROXY` (else `ALL_PROXY`) and `NO_PROXY` of the environment are honoured for an https base URL,
    by kubectl's rules; never for loopback and never for plain http, where a proxy would see the key. TLS
    certificates are always verified, against the usual authorities, those of `SSL_CERT_FILE` and `SSL_CERT_DIR`, or
    the given context.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout_read: float = 20.0,
        timeout_write: float = WRITE_DEADLINE,
        user_agent: str = "fireworks-operator",
        observe: Callable[[RequestRecord], None] | None = None,
        allow_http: bool = False,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """Set the client up; nothing is sent.

        Args:
            base_url: such as `https://api.fireworks.ai`, without `/v1`.
            timeout_read: seconds for a whole GET, from seeking a connection to the last byte of the body.
            timeout_write: seconds for a whole POST, PATCH or DELETE.
            user_agent: for the header of that name.
            observe: called once for each request that was tried.
            allow_http: permit plain http to hosts other than loopback.
            ssl_context: verifies the server instead of the default; must verify.

        Raises:
            ValueError: a base URL that cannot be one or would send keys in plain text, a context that does not
                verify, or a proxy or authorities of the environment that are of no use; the text names the variable.
        """
        base = BaseUrl.parse(base_url, allow_http=allow_http)
        deadlines = Deadlines(timeout_read, timeout_write)
        self._transport = Transport(base, deadlines, user_agent=user_agent, observe=observe, ssl_context=ssl_context)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections; calls under way fail."""
        await self._transport.close()

    # Accounts and models

    async def list_accounts(self, api_key: ApiKey) -> tuple[Account, ...]:
        """Return the accounts that the key can see (the first 200)."""
        call = Call("list_accounts", "GET", "accounts", {"pageSize": "200"})
        return parse_accounts(await self._send(api_key, call))

    async def get_model(self, api_key: ApiKey, name: str) -> Model:
        """Return a model by its full name, `accounts/A/models/M`."""
        return Model.parse(await self._send(api_key, Call("get_model", "GET", resource_path(name, "models"))))

    async def prepare_model(self, api_key: ApiKey, name: str, precision: str) -> None:
        """Have a model prepared for a precision, which its record lists once that is done."""
        path = f"{resource_path(name, 'models')}:prepare"
        await self._send(api_key, Call("prepare_model", "POST", path, body={"precision": precision}))

    async def match_shapes(
        self, api_key: ApiKey, account: str, base_model: str, *, addons: bool = False
    ) -> tuple[DeploymentShape, ...]:
        """Return the shapes (the first page, which has room for 50) that fit a deployment of this model in the account.

        Args:
            api_key: of the account.
            account: that is to own the deployment.
            base_model: full name; a LoRA model stands for its base.
            addons: only those in which addons can be enabled.
        """
        path = account_path(account)
        deployment: JsonObject = {"baseModel": base_model, "enableAddons": addons}
        request: JsonObject = {"parent": f"accounts/{account}", "deployment": deployment}
        body: JsonObject = {"createDeploymentRequest": request}
        call = Call("match_shapes", "POST", f"{path}/deploymentShapeVersions:match", body=body)
        return parse_shapes(await self._send(api_key, call))

    # Deployments

    async def list_deployments(
        self,
        api_key: ApiKey,
        account: str,
        *,
        page_token: str | None = None,
        page_size: int = 200,
        show_deleted: bool = False,
        known: Mapping[str, Deployment] | None = None,
    ) -> DeploymentPage:
        """Return one page (at most 200 entries) of the deployments of an account, oldest first.

        Of what is the same in `known`, by name, its objects are taken.
        """
        query = _page_query(page_token, page_size)
        if show_deleted:
            query["showDeleted"] = "true"
        path = f"{account_path(account)}/deployments"
        answer = await self._send(api_key, Call("list_deployments", "GET", path, query))
        return DeploymentPage.parse(answer, known)

    async def get_deployment(self, api_key: ApiKey, name: str) -> Deployment:
        """Return a deployment by its full name, also one that is soft-deleted (state `DELETED`)."""
        call = Call("get_deployment", "GET", resource_path(name, "deployments"))
        return _same(name, Deployment.parse(await self._send(api_key, call)))

    async def create_deployment(
        self,
        api_key: ApiKey,
        account: str,
        deployment_id: str,
        body: Mapping[str, JsonValue],
        *,
        query: Mapping[str, str] | None = None,
        route_keys: Sequence[ApiKey] = (),
    ) -> Deployment:
        """Create a deployment under an id of our choice, so that a second try finds the first.

        `query` holds what the API takes as query parameters, such as `disableSpeculativeDecoding`; `route_keys` are the
        API keys of its direct route.
        """
        name = f"accounts/{account}/deployments/{deployment_id}"
        resource_path(name, "deployments")
        path = f"{account_path(account)}/deployments"
        parameters = {**(query or {}), "deploymentId": deployment_id}
        call = Call("create_deployment", "POST", path, parameters, body, route_keys)
        return _same(name, Deployment.parse(await self._send(api_key, call)))

    async def validate_deployment(
        self,
        api_key: ApiKey,
        account: str,
        body: Mapping[str, JsonValue],
        *,
        deployment_id: str | None = None,
        query: Mapping[str, str] | None = None,
    ) -> JsonObject:
        """Have a create request checked, and return what the deployment would be as far as Fireworks tells.

        Nothing is created. Without an id, whether it is free is not checked.
        """
        parameters = {**(query or {}), "validateOnly": "true"}
        if deployment_id is not None:
            parameters["deploymentId"] = deployment_id
        path = f"{account_path(account)}/deployments"
        return await self._send(api_key, Call("validate_deployment", "POST", path, parameters, body))

    async def update_deployment(
        self,
        api_key: ApiKey,
        name: str,
        body: Mapping[str, JsonValue],
        mask: Sequence[str],
        *,
        route_keys: Sequence[ApiKey] = (),
    ) -> Deployment:
        """Change the fields that `mask` names (snake_case paths) to what `body` says, and no others.

        Where the mask names the API keys of the direct route, `route_keys` are what they become.

        Raises:
            ValueError: an empty mask, which might mean "replace everything", or one with other paths.
        """
        path = resource_path(name, "deployments")
        call = Call("update_deployment", "PATCH", path, {"updateMask": _update_mask(mask)}, body, route_keys)
        return _same(name, Deployment.parse(await self._send(api_key, call)))

    async def delete_deployment(
        self, api_key: ApiKey, name: str, *, hard: bool = False, ignore_checks: bool = False
    ) -> None:
        """Delete a deployment: recoverable for 7 days, or for good with `hard`, which frees its id.

        `ignore_checks` deletes it even if it was used within the last hour.
        """
        query = {name: "true" for name, wanted in (("hard", hard), ("ignoreChecks", ignore_checks)) if wanted}
        await self._send(api_key, Call("delete_deployment", "DELETE", resource_path(name, "deployments"), query))

    async def undelete_deployment(self, api_key: ApiKey, name: str) -> Deployment:
        """Bring a soft-deleted deployment back."""
        path = resource_path(name, "deployments") + ":undelete"
        call = Call("undelete_deployment", "POST", path, body={})
        return _same(name, Deployment.parse(await self._send(api_key, call)))

    async def set_tags(self, api_key: ApiKey, name: str, tags: Mapping[str, str]) -> None:
        """Set annotations (keys `custom/…`) and leave all others."""
        path = resource_path(name, "deployments") + ":setTags"
        await self._send(api_key, Call("set_tags", "POST", path, body={"tags": dict(tags)}))

    async def delete_tags(self, api_key: ApiKey, name: str, keys: Sequence[str]) -> None:
        """Remove annotations by key and leave all others."""
        path = resource_path(name, "deployments") + ":deleteTags"
        await self._send(api_key, Call("delete_tags", "POST", path, body={"keys": list(keys)}))

    async def termination_message(self, api_key: ApiKey, name: str) -> str:
        """Return why a replica of the deployment died; empty if the server does not know."""
        path = resource_path(name, "deployments") + "/terminationMessage"
        return message(await self._send(api_key, Call("termination_message", "GET", path)), "message")

    # Billing

    async def billing_usage(self, api_key: ApiKey, account: str, start: datetime, end: datetime) -> tuple[Usage, ...]:
        """Return what was billed for deployments, by deployment and day in UTC.

        Args:
            api_key: of the account; Fireworks may want that of an administrator.
            account: its id.
            start: midnight UTC of the first day.
            end: midnight UTC after the last day, at most 31 days later; today is reported as far as it is known.
        """
        query = {
            "startTime": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "endTime": f"{end:%Y-%m-%dT%H:%M:%SZ}",
            "usageType": "DEDICATED_DEPLOYMENT",
            "timezone": "UTC",
        }
        call = Call("billing_usage", "GET", f"{account_path(account)}/billingUsage", query)
        return parse_usage(await self._send(api_key, call))

    # Addons (deployed models)

    async def list_deployed_models(
        self, api_key: ApiKey, account: str, page_token: str | None = None, *, page_size: int = 200
    ) -> DeployedModelPage:
        """Return one page (at most 200 entries) of the deployed models of an account, by name."""
        path = f"{account_path(account)}/deployedModels"
        call = Call("list_deployed_models", "GET", path, _page_query(page_token, page_size))
        return DeployedModelPage.parse(await self._send(api_key, call))

    async def get_deployed_model(self, api_key: ApiKey, name: str) -> DeployedModel:
        """Return a deployed model by its full name, `accounts/A/deployedModels/ID`."""
        call = Call("get_deployed_model", "GET", resource_path(name, "deployedModels"))
        return _same(name, DeployedModel.parse(await self._send(api_key, call)))

    async def load_addon(
        self, api_key: ApiKey, account: str, body: Mapping[str, JsonValue], *, replace_merged: bool = False
    ) -> DeployedModel:
        """Load an addon into a deployment; the server chooses the id, so the pair of names identifies it.

        `replace_merged` is required by deployments with one merged addon, which it takes the place of.
        """
        path = f"{account_path(account)}/deployedModels"
        query = {"replaceMergedAddon": "true"} if replace_merged else {}
        return DeployedModel.parse(await self._send(api_key, Call("load_addon", "POST", path, query, body)))

    async def update_deployed_model(
        self, api_key: ApiKey, name: str, body: Mapping[str, JsonValue], mask: Sequence[str]
    ) -> DeployedModel:
        """Change the fields that `mask` names, as `update_deployment` does.

        Raises:
            ValueError: an empty mask, or one with other than snake_case paths.
        """
        path = resource_path(name, "deployedModels")
        call = Call("update_deployed_model", "PATCH", path, {"updateMask": _update_mask(mask)}, body)
        return _same(name, DeployedModel.parse(await self._send(api_key, call)))

    async def unload_addon(self, api_key: ApiKey, name: str) -> None:
        """Take an addon out of its deployment."""
        await self._send(api_key, Call("unload_addon", "DELETE", resource_path(name, "deployedModels")))

    # Routers

    async def list_routers(
        self, api_key: ApiKey, account: str, page_token: str | None = None, *, page_size: int = 200
    ) -> RouterPage:
        """Return one page (at most 200 entries) of the routers of an account, by name."""
        call = Call("list_routers", "GET", f"{account_path(account)}/routers", _page_query(page_token, page_size))
        return RouterPage.parse(await self._send(api_key, call))

    async def get_router(self, api_key: ApiKey, name: str) -> Router:
        """Return a router by its full name, `accounts/A/routers/R`."""
        call = Call("get_router", "GET", resource_path(name, "routers"))
        return _same(name, Router.parse(await self._send(api_key, call)))

    async def create_router(self, api_key: ApiKey, name: str, body: Mapping[str, JsonValue]) -> Router:
        """Create a router under a name of our choice, so that a second try finds the first."""
        path, _, identifier = resource_path(name, "routers").rpartition("/")
        call = Call("create_router", "POST", path, {"routerId": identifier}, body)
        return _same(name, Router.parse(await self._send(api_key, call)))

    async def update_router(
        self, api_key: ApiKey, name: str, body: Mapping[str, JsonValue], mask: Sequence[str]
    ) -> Router:
        """Change the fields that `mask` names, as `update_deployment` does.

        Raises:
            ValueError: an empty mask, or one with other than snake_case paths.
        """
        query = {"updateMask": _update_mask(mask)}
        call = Call("update_router", "PATCH", resource_path(name, "routers"), query, body)
        return _same(name, Router.parse(await self._send(api_key, call)))

    async def delete_router(self, api_key: ApiKey, name: str) -> None:
        """Delete a router; its deployments stay."""
        await self._send(api_key, Call("delete_router", "DELETE", resource_path(name, "routers")))

    async def _send(self, api_key: ApiKey, call: Call) -> JsonObject:
        return await self._transport.send(api_key, call)


def _page_query(page_token: str | None, page_size: int) -> dict[str, str]:
    query = {"pageSize": str(page_size)}
    if page_token:
        query["pageToken"] = page_token
    return query


def _update_mask(paths: Sequence[str]) -> str:
    if not paths or not all(_MASK_PATH.fullmatch(path) for path in paths):
        raise ValueError(f"an update mask needs at least one path, all in snake_case: {list(paths)}")
    return ",".join(paths)


Named = TypeVar("Named", Deployment, DeployedModel, Router)


def _same(name: str, answer: Named) -> Named:
    """Refuse an answer about something else: a cache's mistake must not be taken for the truth."""
    if answer.name != name:
        raise protocol_error(f"requested {name}, received {answer.name}")
    return answer
