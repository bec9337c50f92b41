"""Fault rules: what goes wrong, for which requests, how often."""

import random
import re
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from fireworks_simulator.wire import Code, JsonObject


class FaultKind(StrEnum):
    """What a fault does to a request."""

    STATUS = "status"
    """Answer with `status` and `body`, or with the gRPC code name in `code` and `message`; nothing happens."""
    LATENCY = "latency"
    """Wait `seconds` real seconds, then go on; several rules add up."""
    DROP_BEFORE_COMMIT = "drop_before_commit"
    """Close the connection; nothing happens."""
    DROP_AFTER_COMMIT = "drop_after_commit"
    """Do what was asked, then close the connection without an answer."""
    HANG = "hang"
    """Never answer, and do nothing."""
    LATE_COMMIT = "late_commit"
    """Do not answer; do what was asked `seconds` real seconds after the client gave up."""
    TRUNCATE_BODY = "truncate_body"
    """Do what was asked; send half of the body, then close the connection."""
    WRONG_JSON = "wrong_json"
    """Do what was asked; the body is not JSON, whatever the content type says."""
    WRONG_CONTENT_TYPE = "wrong_content_type"
    """Do what was asked; the content type says text/html."""
    PLAIN_404 = "plain_404"
    """The edge's own 404 in plain text."""
    HTML_404 = "html_404"
    """A 404 page in HTML, as a wrong base URL or a proxy gives."""
    HTML_502 = "html_502"
    """A 502 page in HTML, as a proxy gives."""
    RATE_LIMIT = "rate_limit"
    """429; with `retryAfter`, the header of that many seconds."""
    PAYMENT_REQUIRED = "payment_required"
    """402 for creates and inference, as for an account whose credits are used up."""
    STALE_LIST = "stale_list"
    """LIST of deployments shows the state of `seconds` virtual seconds ago."""
    OMIT_FROM_LIST = "omit_from_list"
    """LIST of deployments leaves out those whose id or full name is in `names`."""
    FAIL_PAGE = "fail_page"
    """Page number `page` (from 1) of a LIST is answered with 500."""
    DUPLICATE_PAGE_TOKEN = "duplicate_page_token"  # noqa: S105 - no secret
    """The next page token of a LIST leads to the same page again."""
    IGNORE_PATCH = "ignore_patch"
    """PATCH is answered with 200 but changes nothing."""
    FREEZE_STATE = "freeze_state"
    """Matching deployments do not move while the rule exists."""


_LIST_KINDS = frozenset(
    {FaultKind.STALE_LIST, FaultKind.OMIT_FROM_LIST, FaultKind.FAIL_PAGE, FaultKind.DUPLICATE_PAGE_TOKEN}
)


_PAID = re.compile(r"/(deployments|deployedModels|completions)$")


class FaultMatch(BaseModel):
    """Which requests a rule is about; what is left out matches everything."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    method: str | None = None
    path: str | None = Field(default=None, description="Regular expression, searched in the path.")
    account: str | None = None
    deployment: str | None = Field(default=None, description="Deployment id in the path (or to be created).")
    key_id: str | None = Field(default=None, alias="keyId", description="Id of an API key, e.g. acme-key-1.")


class FaultAction(BaseModel):
    """What happens; which further fields count depends on `kind`."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    kind: FaultKind
    status: int = Field(default=0, ge=0, le=599, description="0: the status that belongs to `code`.")
    code: str = Field(default="UNAVAILABLE", pattern=f"^({'|'.join(Code.__members__)})$")
    message: str = "injected fault"
    body: str | None = None
    content_type: str = Field(default="application/json", alias="contentType")
    seconds: float = Field(default=0.0, ge=0)
    retry_after: float | None = Field(default=None, alias="retryAfter", ge=0)
    names: list[str] = Field(default_factory=list)
    page: int = Field(default=1, ge=1)


class FaultRule(BaseModel):
    """A fault: match, how often, action."""

    model_config = ConfigDict(extra="forbid")

    match: FaultMatch = Field(default_factory=FaultMatch)
    action: FaultAction
    after: int = Field(default=0, ge=0, description="Matching requests that pass first.")
    times: int | None = Field(default=None, ge=1, description="Requests that it hits; absent: all.")
    probability: float = Field(default=1.0, gt=0, le=1)
    id: str = ""
    _seen: int = PrivateAttr(default=0)
    _hits: int = PrivateAttr(default=0)

    @property
    def hits(self) -> int:
        """How many requests it has hit."""
        return self._hits

    def applies(self, request: "Subject") -> bool:
        """Whether a request is one that the rule is about."""
        return self._concerns(request) and self._is_addressed(request)

    def _concerns(self, request: "Subject") -> bool:
        """Whether what the rule does can be done to a request of this sort."""
        kind = self.action.kind
        if kind in _LIST_KINDS and not (request.method == "GET" and request.path.endswith("/deployments")):
            return False
        if kind is FaultKind.IGNORE_PATCH and request.method != "PATCH":
            return False
        if kind is FaultKind.PAYMENT_REQUIRED:
            return request.method == "POST" and _PAID.search(request.path) is not None
        return True

    def _is_addressed(self, request: "Subject") -> bool:
        wanted = self.match
        return (
            (wanted.method is None or wanted.method == request.method)
            and (wanted.path is None or re.search(wanted.path, request.path) is not None)
            and (wanted.account is None or wanted.account == request.account)
            and (wanted.deployment is None or wanted.deployment == request.deployment)
            and (wanted.key_id is None or wanted.key_id == request.key_id)
        )

    def strike(self, generator: random.Random) -> bool:
        """Count a matching request and decide whether the rule hits it."""
        self._seen += 1
        exhausted = self.times is not None and self._hits >= self.times
        if self._seen <= self.after or exhausted:
            return False
        if self.probability < 1.0 and generator.random() >= self.probability:
            return False
        self._hits += 1
        return True

    def to_wire(self) -> JsonObject:
        """The rule as JSON, with its hits."""
        value: JsonObject = self.model_dump(mode="json", by_alias=True)
        return {**value, "hits": self._hits}


@dataclass(frozen=True, slots=True)
class Subject:
    """What rules look at in a request."""

    method: str
    path: str
    account: str
    deployment: str
    key_id: str


class Faults:
    """The rules in force, in the order of their creation."""

    def __init__(self, generator: random.Random) -> None:
        self._generator = generator
        self._count = 0
        self.rules: list[FaultRule] = []

    def add(self, rule: FaultRule) -> FaultRule:
        """Put a rule into force; it gets an id unless it has one."""
        self._count += 1
        rule.id = rule.id or f"fault-{self._count}"
        self.rules.append(rule)
        return rule

    def remove(self, rule_id: str) -> bool:
        """Take a rule out of force; False if there is none of that id."""
        before = len(self.rules)
        self.rules = [rule for rule in self.rules if rule.id != rule_id]
        return len(self.rules) < before

    def clear(self) -> None:
        """Take all rules out of force."""
        self.rules = []

    def hits(self, subject: Subject) -> tuple[float, FaultRule | None]:
        """Real seconds to wait, and the first other rule that hits the request."""
        delay = 0.0
        for rule in self.rules:
            kind = rule.action.kind
            if kind is FaultKind.FREEZE_STATE or not rule.applies(subject) or not rule.strike(self._generator):
                continue
            if kind is not FaultKind.LATENCY:
                return delay, rule
            delay += rule.action.seconds
        return delay, None

    def freezes(self, account: str, deployment: str) -> bool:
        """Whether a rule freezes that deployment."""
        return any(
            rule.action.kind is FaultKind.FREEZE_STATE
            and rule.match.account in (None, account)
            and rule.match.deployment in (None, deployment)
            for rule in self.rules
        )
