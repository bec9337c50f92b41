"""The Fireworks REST API, one method per call: deadlines and clear errors, but no retries, budget or memory.

Every method raises `FireworksError` and nothing else (besides cancellation, and ValueError for a call that is
a mistake of the caller). Whether a failed call may have been carried out is in the error: `definite`.
"""

import asyncio
import json
import re
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlencode

import httpx
from pydantic import JsonValue

from fireworks_operator.observability.redaction import REDACTED

from .api_key import ApiKey
from .base_url import BaseUrl
from .body import MAX_ERROR_BYTES, MAX_RESPONSE_BYTES, Body
from .errors import ErrorKind, FireworksError, classify
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
from .request import Call, RequestRecord
from .wire import JsonObject, decode_json

__all__ = ["ApiKey", "FireworksClient", "RequestRecord"]

# What the budget of an account lets through may hang until its deadline: 180 requests, which must hold up no other.
_MAX_CONNECTIONS = 1000
_MAX_IDLE_CONNECTIONS = 32
# For the connection and again for TLS. Below half of the deadline, so that httpx ends a dead handshake itself:
# one that is cancelled from outside leaves its socket to the garbage collector.
_CONNECT_SECONDS = 5.0
_CONNECT_SHARE = 0.4
# Shorter than the idle limit of common load balancers, so that a connection is rarely closed under a request.
_KEEPALIVE_SECONDS = 15.0
_MASK_PATH = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")

# What httpx raises, plus what slips through it: socket errors and host names that IDNA cannot encode.
_TRANSPORT_ERRORS = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, UnicodeError)


class FireworksClient:
    """Client of one Fireworks control plane; safe for any number of concurrent calls of one event loop.

    Proxies: `HTTPS_PROXY` and `NO_PROXY` of the environment are honoured for an https base URL, as
    Kubernetes' own components do; never for loopback and never for plain http, where a proxy would see the
    key. TLS certificates are always verified, against the usual authorities, those of `SSL_CERT_FILE` or
    `SSL_CERT_DIR`, or the given context.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout_read: float = 20.0,
        timeout_write: float = 8.0,
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
            ValueError: a base URL that cannot be one or would send keys in plain text, or a context that does
                not verify.
        """
        base = BaseUrl.parse(base_url, allow_http=allow_http)
        context = ssl_context or _default_context(base)
        if context.verify_mode != ssl.CERT_REQUIRED or not context.check_hostname:
            raise ValueError("the TLS context must verify certificates and host names")
        self._base = base
        self._timeout_read = timeout_read
        self._timeout_write = timeout_write
        self._observe = observe
        self._http = httpx.AsyncClient(
            verify=context,
            trust_env=base.secure and not base.loopback,
            follow_redirects=False,
            # The connections are shared by all keys: a session cookie of one must never go out with another.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            headers={"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "gzip"},
            limits=httpx.Limits(
                max_connections=_MAX_CONNECTIONS,
                max_keepalive_connections=_MAX_IDLE_CONNECTIONS,
                keepalive_expiry=_KEEPALIVE_SECONDS,
            ),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections; calls under way fail."""
        await self._http.aclose()

    # Accounts and models

    async def list_accounts(self, key: ApiKey) -> tuple[Account, ...]:
        """Return the accounts that the key can see (the first 200)."""
        call = Call("list_accounts", "GET", "accounts", {"pageSize": "200"})
        return parse_accounts(await self._send(key, call))

    async def get_model(self, key: ApiKey, name: str) -> Model:
        """Return a model by its full name, `accounts/A/models/M`."""
        return Model.parse(await self._send(key, Call("get_model", "GET", resource_path(name, "models"))))

    # Deployments

    async def list_deployments(
        self,
        key: ApiKey,
        account: str,
        *,
        page_token: str | None = None,
        page_size: int = 200,
        show_deleted: bool = False,
    ) -> DeploymentPage:
        """Return one page (at most 200 entries) of the deployments of an account, oldest first."""
        query = _page_query(page_token, page_size)
        if show_deleted:
            query["showDeleted"] = "true"
        path = f"{account_path(account)}/deployments"
        return DeploymentPage.parse(await self._send(key, Call("list_deployments", "GET", path, query)))

    async def get_deployment(self, key: ApiKey, name: str) -> Deployment:
        """Return a deployment by its full name, also one that is soft-deleted (state `DELETED`)."""
        call = Call("get_deployment", "GET", resource_path(name, "deployments"))
        return _same(name, Deployment.parse(await self._send(key, call)))

    async def create_deployment(
        self,
        key: ApiKey,
        account: str,
        deployment_id: str,
        body: Mapping[str, JsonValue],
        *,
        query: Mapping[str, str] | None = None,
    ) -> Deployment:
        """Create a deployment under an id of our choice, so that a second try finds the first.

        `query` holds what the API takes as query parameters, such as `disableSpeculativeDecoding`.
        """
        name = f"accounts/{account}/deployments/{deployment_id}"
        resource_path(name, "deployments")
        path = f"{account_path(account)}/deployments"
        parameters = {**(query or {}), "deploymentId": deployment_id}
        call = Call("create_deployment", "POST", path, parameters, body)
        return _same(name, Deployment.parse(await self._send(key, call)))

    async def update_deployment(
        self, key: ApiKey, name: str, body: Mapping[str, JsonValue], mask: Sequence[str]
    ) -> Deployment:
        """Change the fields that `mask` names (snake_case paths) to what `body` says, and no others.

        Raises:
            ValueError: an empty mask, which might mean "replace everything", or one with other paths.
        """
        path = resource_path(name, "deployments")
        call = Call("update_deployment", "PATCH", path, {"updateMask": _update_mask(mask)}, body)
        return _same(name, Deployment.parse(await self._send(key, call)))

    async def delete_deployment(
        self, key: ApiKey, name: str, *, hard: bool = False, ignore_checks: bool = False
    ) -> None:
        """Delete a deployment: recoverable for 7 days, or for good with `hard`, which frees its id.

        `ignore_checks` deletes it even if it was used within the last hour.
        """
        query = {name: "true" for name, wanted in (("hard", hard), ("ignoreChecks", ignore_checks)) if wanted}
        await self._send(key, Call("delete_deployment", "DELETE", resource_path(name, "deployments"), query))

    async def undelete_deployment(self, key: ApiKey, name: str) -> Deployment:
        """Bring a soft-deleted deployment back."""
        path = resource_path(name, "deployments") + ":undelete"
        call = Call("undelete_deployment", "POST", path, body={})
        return _same(name, Deployment.parse(await self._send(key, call)))

    async def set_tags(self, key: ApiKey, name: str, tags: Mapping[str, str]) -> None:
        """Set annotations (keys `custom/…`) and leave all others."""
        path = resource_path(name, "deployments") + ":setTags"
        await self._send(key, Call("set_tags", "POST", path, body={"tags": dict(tags)}))

    async def delete_tags(self, key: ApiKey, name: str, keys: Sequence[str]) -> None:
        """Remove annotations by key and leave all others."""
        path = resource_path(name, "deployments") + ":deleteTags"
        await self._send(key, Call("delete_tags", "POST", path, body={"keys": list(keys)}))

    async def termination_message(self, key: ApiKey, name: str) -> str:
        """Return why a replica of the deployment died; empty if the server does not know."""
        path = resource_path(name, "deployments") + "/terminationMessage"
        return message(await self._send(key, Call("termination_message", "GET", path)), "message")

    # Addons (deployed models)

    async def list_deployed_models(
        self, key: ApiKey, account: str, page_token: str | None = None, *, page_size: int = 200
    ) -> DeployedModelPage:
        """Return one page (at most 200 entries) of the deployed models of an account, by name."""
        path = f"{account_path(account)}/deployedModels"
        call = Call("list_deployed_models", "GET", path, _page_query(page_token, page_size))
        return DeployedModelPage.parse(await self._send(key, call))

    async def get_deployed_model(self, key: ApiKey, name: str) -> DeployedModel:
        """Return a deployed model by its full name, `accounts/A/deployedModels/ID`."""
        call = Call("get_deployed_model", "GET", resource_path(name, "deployedModels"))
        return _same(name, DeployedModel.parse(await self._send(key, call)))

    async def load_addon(self, key: ApiKey, account: str, body: Mapping[str, JsonValue]) -> DeployedModel:
        """Load an addon into a deployment; the server chooses the id, so the pair of names identifies it."""
        path = f"{account_path(account)}/deployedModels"
        return DeployedModel.parse(await self._send(key, Call("load_addon", "POST", path, body=body)))

    async def update_deployed_model(
        self, key: ApiKey, name: str, body: Mapping[str, JsonValue], mask: Sequence[str]
    ) -> DeployedModel:
        """Change the fields that `mask` names, as `update_deployment` does.

        Raises:
            ValueError: an empty mask, or one with other than snake_case paths.
        """
        path = resource_path(name, "deployedModels")
        call = Call("update_deployed_model", "PATCH", path, {"updateMask": _update_mask(mask)}, body)
        return _same(name, DeployedModel.parse(await self._send(key, call)))

    async def unload_addon(self, key: ApiKey, name: str) -> None:
        """Take an addon out of its deployment."""
        await self._send(key, Call("unload_addon", "DELETE", resource_path(name, "deployedModels")))

    # Transport

    async def _send(self, key: ApiKey, call: Call) -> JsonObject:
        """Send one request and return the JSON object it is answered with, or raise a FireworksError."""
        started = time.perf_counter()
        code, kind = "Cancelled", None
        try:
            status, answer = await self._exchange(key, call)
            code = str(status)
        except FireworksError as error:
            code, kind = str(error.status or error.kind), error.kind
            raise
        else:
            return answer
        finally:
            if self._observe is not None:
                seconds = time.perf_counter() - started
                self._observe(RequestRecord(call.operation, call.account, code, seconds, kind, key.fingerprint))

    async def _exchange(self, key: ApiKey, call: Call) -> tuple[int, JsonObject]:
        sent = False

        async def trace(event: str, info: Mapping[str, object]) -> None:
            # A proxy's CONNECT goes through the same code, but is not the request.
            nonlocal sent
            if event == "http11.send_request_headers.started":
                sent = getattr(info.get("request"), "method", b"") != b"CONNECT" or sent

        seconds = self._timeout_read if call.method == "GET" else self._timeout_write
        try:
            async with asyncio.timeout(seconds):
                status, headers, body = await self._read(key, call, seconds, trace)
        except TimeoutError:
            what = "no complete answer" if sent else "no connection"
            raise self._failure(sent, f"{what} within {seconds:g} s") from None
        except _TRANSPORT_ERRORS as error:
            # Never chained: the library's texts may quote headers.
            raise self._failure(sent, _reason(error, key, sent)) from None
        if 200 <= status < 300:
            try:
                value = decode_json(body)
            except ValueError:
                value = None
            if isinstance(value, dict):
                return status, value
        raise classify(status, headers, body.replace(key.reveal().encode(), REDACTED.encode()))

    async def _read(
        self, key: ApiKey, call: Call, seconds: float, trace: Callable[[str, Mapping[str, object]], object]
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send the request and read the whole answer, up to the size limit."""
        if self._http.is_closed:
            raise FireworksError(ErrorKind.UNREACHABLE, "the client is closed")
        headers = {"Authorization": f"Bearer {key.reveal()}"}
        content = None
        if call.body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(call.body, allow_nan=False).encode()
        query = f"?{urlencode(call.query, safe=',')}" if call.query else ""
        request = self._http.build_request(
            call.method,
            f"{self._base.text}/v1/{call.path}{query}",
            headers=headers,
            content=content,
            timeout=httpx.Timeout(None, connect=min(_CONNECT_SECONDS, _CONNECT_SHARE * seconds)),
            extensions={"trace": trace},
        )
        response = await self._http.send(request, stream=True)
        try:
            limit = MAX_RESPONSE_BYTES if response.is_success else MAX_ERROR_BYTES
            body = Body(response.headers.get("Content-Encoding", ""), limit)
            async for chunk in response.aiter_raw():
                body.add(chunk)
                if body.cut:
                    break
            if body.cut and response.is_success:
                raise FireworksError(ErrorKind.NO_ANSWER, f"the answer is larger than {limit // 2**20} MiB")
            return response.status_code, response.headers, body.finish()
        finally:
            await response.aclose()

    def _failure(self, sent: bool, reason: str) -> FireworksError:
        if sent:
            return FireworksError(
                ErrorKind.NO_ANSWER, f"{self._base.host} was asked, but gave no usable answer: {reason}"
            )
        return FireworksError(ErrorKind.UNREACHABLE, f"{self._base.host} cannot be reached: {reason}")


def _default_context(base: BaseUrl) -> ssl.SSLContext:
    """Return what verifies the server; for plain http, which verifies nothing, one that trusts nobody."""
    # The authorities take 20 ms to load.
    return httpx.create_ssl_context() if base.secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _reason(error: BaseException, key: ApiKey, sent: bool) -> str:
    """Say what went wrong below HTTP; the system's own words are useful for what failed before sending."""
    kind = type(error).__name__
    if sent:
        return kind
    if isinstance(error, httpx.TimeoutException):
        return "the connection was not made in time"
    words, cause = str(error), error.__cause__ or error.__context__
    while cause is not None:
        # "Connection refused" comes wrapped several times, at last in a group with one error per address.
        if isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        if isinstance(cause, OSError) and cause.strerror:
            words = cause.strerror
        cause = cause.__cause__ or cause.__context__
    return f"{kind}: {words}".replace(key.reveal(), REDACTED) if words else kind


def _page_query(page_token: str | None, page_size: int) -> dict[str, str]:
    query = {"pageSize": str(page_size)}
    if page_token:
        query["pageToken"] = page_token
    return query


def _update_mask(paths: Sequence[str]) -> str:
    if not paths or not all(_MASK_PATH.fullmatch(path) for path in paths):
        raise ValueError(f"an update mask needs at least one path, all in snake_case: {list(paths)}")
    return ",".join(paths)


Named = TypeVar("Named", Deployment, DeployedModel)


def _same(name: str, answer: Named) -> Named:
    """Refuse an answer about something else: a cache's mistake must not be taken for the truth."""
    if answer.name != name:
        raise protocol_error(f"asked for {name}, answered with {answer.name}")
    return answer
