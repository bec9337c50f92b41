"""One request after another: route, authenticate, handle. Synchronous, hence atomic."""

import time
from urllib.parse import parse_qsl

from fireworks_simulator.deployments import update
from fireworks_simulator.faults import FaultAction, FaultKind
from fireworks_simulator.lists import list_deployments
from fireworks_simulator.quotas import suspend_state
from fireworks_simulator.routes import Match, Route, find_route
from fireworks_simulator.wire import (
    ApiError,
    Call,
    Code,
    Identity,
    InferenceError,
    JsonValue,
    Reply,
    WireError,
    camel,
    not_found,
)
from fireworks_simulator.world import World

_CATALOGUE_ACCOUNTS = frozenset({"fireworks", "-"})
_READERS = frozenset({"inference-user"})
_UNAUTHORISED = "The API key you provided is invalid."


class RateLimiter:
    """A token bucket per account in real time, one minute deep."""

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[float, float]] = {}

    def admit(self, account: str, per_minute: int) -> bool:
        """Take a token; False when there is none."""
        now = time.monotonic()
        tokens, seen = self._buckets.get(account, (float(per_minute), now))
        tokens = min(float(per_minute), tokens + (now - seen) * per_minute / 60.0)
        admitted = tokens >= 1.0
        self._buckets[account] = (tokens - 1.0 if admitted else tokens, now)
        return admitted


class Request:
    """A request as the edge sees it.

    `key` is the API key it carries; it is used to look up who calls and kept out of everything else.
    """

    __slots__ = ("body", "identity", "key", "match", "method", "pairs", "path", "query", "user_agent")

    def __init__(self, *, method: str, path: str, query: bytes, headers: dict[bytes, bytes], body: bytes) -> None:
        self.method = method
        self.path = path
        given = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        self.pairs = tuple((camel(name), value) for name, value in given)
        self.query = dict(self.pairs)
        self.body = body
        self.user_agent = headers.get(b"user-agent", b"").decode("latin-1")
        self.match: Match | None = find_route(path)
        authorization = headers.get(b"authorization", b"").decode("latin-1")
        scheme, _, token = authorization.partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else ""
        self.key = bearer or headers.get(b"x-api-key", b"").decode("latin-1")
        self.identity: Identity | None = None

    def identify(self, world: World) -> None:
        """Look up who calls."""
        known = world.keys.get(self.key)
        self.identity = None if known is None else Identity(known.id, known.account, known.role)

    @property
    def key_id(self) -> str:
        """Id of the API key; `unknown` for one that is not known, empty for none."""
        if self.identity is not None:
            return self.identity.key_id
        return "unknown" if self.key else ""

    @property
    def account_in_path(self) -> str:
        """The account in the path, empty where it names none."""
        return self.match.params.get("account", "") if self.match is not None else ""

    @property
    def account(self) -> str:
        """The account in the path, or the key's where the path names none."""
        return self.account_in_path or (self.identity.account if self.identity is not None else "")

    @property
    def deployment(self) -> str:
        """The deployment id in the path, or the one to be created."""
        params = self.match.params if self.match is not None else {}
        return params.get("deployment") or self.query.get("deploymentId", "")


class Service:
    """Answers requests on behalf of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._limiter = RateLimiter()

    def answer(
        self, request: Request, notes: dict[str, JsonValue], fault: FaultAction | None = None
    ) -> tuple[Reply, bool]:
        """Handle a request now.

        Args:
            request: what to answer.
            notes: filled with what the journal shall know about the request.
            fault: a fault that acts inside a handler.

        Returns:
            The reply, and whether the service accepted the request.
        """
        now = self.world.clock.now()
        self.world.settle(now)
        try:
            identity = self._authenticate(request)
            if request.match is None:
                raise not_found("Not Found")
            handler = request.match.route.handlers.get(request.method)
            if handler is None:
                raise ApiError(Code.UNIMPLEMENTED, "Method Not Allowed")
            self._authorise(request, request.match.route, identity)
            call = _call(request, request.match, identity, now, notes)
            if fault is not None and fault.kind is FaultKind.IGNORE_PATCH and handler is update:
                notes["fault"] = fault.kind.value
            if handler is list_deployments:
                return list_deployments(self.world, call, fault), True
            return handler(self.world, call), True
        except WireError as error:
            return error.reply, False

    def _authenticate(self, request: Request) -> Identity:
        """Who calls.

        Raises:
            WireError: the key is unknown (401 at the edge), the account is suspended (412) or calls too often (429).
        """
        identity = request.identity
        if identity is None:
            raise InferenceError(401, _UNAUTHORISED, "UNAUTHORIZED")
        assumptions = self.world.assumptions
        inference = request.match is not None and request.match.route.is_inference
        account = self.world.accounts[identity.account]
        state = suspend_state(self.world, account, self.world.clock.now())
        if state != "UNSUSPENDED" and (inference or assumptions.suspension_blocks_control_plane):
            raise InferenceError(
                int(assumptions.depleted_status) if state == "CREDIT_DEPLETED" else 412,
                f"Account {account.id} is suspended, possibly due to reaching the monthly spending limit or failure "
                "to pay past invoices. Please go to https://fireworks.ai/account/billing for more information.",
            )
        limit = assumptions.rate_limit_per_minute
        if limit and not self._limiter.admit(identity.account, limit):
            raise rate_limited(60.0 / limit if assumptions.retry_after else None)
        return identity

    def _authorise(self, request: Request, route: Route, identity: Identity) -> None:
        """Refuse what the key's role or account does not allow.

        Raises:
            WireError: 401, 403 or 404.
        """
        if route.is_inference or route.template == "/verifyApiKey":
            return
        if identity.role == "inference-only":
            if self.world.assumptions.inference_only_key_status == "401":
                raise InferenceError(401, _UNAUTHORISED, "UNAUTHORIZED")
            raise ApiError(Code.PERMISSION_DENIED, "this API key can only be used for inference")
        if identity.role in _READERS and request.method != "GET":
            raise ApiError(Code.PERMISSION_DENIED, "permission denied")
        account = request.account
        catalogue = (
            account in _CATALOGUE_ACCOUNTS
            and request.method == "GET"
            and any(part in route.template for part in ("/models", "/deploymentShape"))
        )
        if account != identity.account and not catalogue:
            if self.world.assumptions.foreign_account_status == "404":
                raise not_found(f"account accounts/{account} not found")
            raise ApiError(Code.PERMISSION_DENIED, f"permission denied for account accounts/{account}")


def _call(request: Request, match: Match, identity: Identity, now: float, notes: dict[str, JsonValue]) -> Call:
    return Call(
        request.method, request.path, match.params, request.query, request.body, identity, now, notes, request.pairs
    )


def rate_limited(retry_after: float | None) -> InferenceError:
    """429 for too many requests, with Retry-After in whole seconds if given."""
    error = InferenceError(429, "Rate limit exceeded, please try again later.", "RATE_LIMIT_EXCEEDED")
    if retry_after is not None:
        seconds = str(max(round(retry_after), 1))
        error.reply = Reply(429, error.reply.body, headers=(("retry-after", seconds),))
    return error
