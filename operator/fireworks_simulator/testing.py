"""A client of the admin API for tests, benchmarks and demonstrations; the standard library is all it needs."""

import http.client
import json
import time
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fireworks_simulator.wire import JsonObject, JsonValue

T = TypeVar("T")
_TIMEOUT_SECONDS = 30.0


class SimulatorError(RuntimeError):
    """The admin API refused a request."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A request that the simulator received; see the journal's documentation for the meaning of each field."""

    sequence: int
    method: str
    path: str
    query: Mapping[str, str]
    body: JsonValue
    status: int
    committed: bool
    mask_missing: bool
    fault: str
    account: str
    key_id: str
    user_agent: str
    virtual: float
    monotonic: float
    wall: str
    route: str


class SimulatorClient:
    """Talks to the admin API of a running simulator.

    Args:
        url: base URL of the simulator, e.g. `http://127.0.0.1:8090`; also what clients under test are given.
        account: the account that methods are about unless told otherwise.
        world: the account whose own world everything is about; empty: the shared world.
    """

    def __init__(self, url: str, account: str = "acme", world: str = "") -> None:
        self.url = url.rstrip("/")
        self.account = account
        self._root = f"/_simulator/worlds/{world}" if world else "/_simulator"

    # --- requests --------------------------------------------------------------------------------------------------

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        query: Mapping[str, object] | None = None,
    ) -> JsonObject:
        """One admin request; `path` is relative to `/_simulator`, or to the account's own world below it.

        Raises:
            SimulatorError: the answer is not 200.
        """
        status, content = self.exchange(method, f"{self._root}{path}", body, query)
        if status != 200:
            raise SimulatorError(f"{method} {path}: {status} {content.decode(errors='replace')}")
        value: JsonObject = json.loads(content)
        return value

    def exchange(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        query: Mapping[str, object] | None = None,
    ) -> tuple[int, bytes]:
        """Send any request and return status and body of the answer; what is None in the query is left out."""
        parts = urllib.parse.urlsplit(self.url)
        text = urllib.parse.urlencode({k: v for k, v in (query or {}).items() if v is not None})
        target = f"{parts.path}{path}" + (f"?{text}" if text else "")
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request(method, target, body=json.dumps(body) if body is not None else None)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def wait_for(self, condition: Callable[[], T | None], seconds: float = 10.0, interval: float = 0.02) -> T:
        """Poll until `condition` gives something true, and return it.

        Raises:
            TimeoutError: it did not within `seconds` real seconds.
        """
        deadline = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise TimeoutError(f"nothing after {seconds} s")
            time.sleep(interval)

    def reset(self) -> None:
        """Start over: state, keys, rules, switches, journal, clock."""
        self.call("POST", "/reset")

    def state(self) -> JsonObject:
        """Everything there is, by account."""
        return self.call("GET", "/state")

    # --- journal ---------------------------------------------------------------------------------------------------

    def journal(
        self, *, method: str | None = None, path: str | None = None, account: str | None = None, since: int = 0
    ) -> list[JournalEntry]:
        """Requests so far, oldest first; `path` is a regular expression, `since` a sequence number."""
        query = {"method": method, "path": path, "account": account, "since": since}
        entries = self.call("GET", "/journal", query=query)["entries"]
        return [_entry(entry) for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []

    def counts(self) -> JsonObject:
        """Numbers of requests and answers: `total`, `last` (sequence), `received` and `answered` by route."""
        return self.call("GET", "/journal/counts")

    def last_sequence(self) -> int:
        """Sequence number of the latest request, to be given to `journal(since=…)`."""
        last = self.counts()["last"]
        return last if isinstance(last, int) else 0

    def clear_journal(self) -> None:
        """Forget the requests so far."""
        self.call("DELETE", "/journal")

    # --- clock -----------------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Virtual time as POSIX seconds."""
        virtual = self.call("GET", "/clock")["virtual"]
        return float(virtual) if isinstance(virtual, (int, float)) else 0.0

    def advance(self, seconds: float) -> None:
        """Jump ahead in virtual time; everything due happens."""
        self.call("POST", "/clock/advance", {"seconds": seconds})

    def set_clock(self, *, speed: float | None = None, stepped: bool | None = None) -> None:
        """Change speed (virtual seconds per real second) or mode."""
        self.call("PATCH", "/clock", {"speed": speed, "stepped": stepped})

    # --- rules and switches ----------------------------------------------------------------------------------------

    def fault(
        self,
        kind: str,
        *,
        match: Mapping[str, str] | None = None,
        times: int | None = None,
        after: int = 0,
        probability: float = 1.0,
        **action: object,
    ) -> str:
        """Add a fault rule and return its id; `action` holds the further fields, e.g. `seconds=2`."""
        body = {
            "match": dict(match or {}),
            "action": {"kind": kind, **action},
            "times": times,
            "after": after,
            "probability": probability,
        }
        return str(self.call("POST", "/faults", body)["id"])

    def fault_hits(self, fault_id: str) -> int:
        """How many requests a fault rule has hit."""
        rules = self.call("GET", "/faults")["rules"]
        for rule in rules if isinstance(rules, list) else []:
            hits = rule.get("hits") if isinstance(rule, dict) and rule.get("id") == fault_id else None
            if isinstance(hits, int):
                return hits
        raise SimulatorError(f"no fault rule {fault_id}")

    def clear_fault(self, fault_id: str) -> None:
        """Remove one fault rule."""
        self.call("DELETE", f"/faults/{fault_id}")

    def clear_faults(self) -> None:
        """Remove all fault rules."""
        self.call("DELETE", "/faults")

    def assume(self, **switches: object) -> None:
        """Change assumptions about the real service, e.g. `accelerator_required=False`."""
        self.call("PATCH", "/assumptions", switches)

    def timing(self, **seconds: float) -> None:
        """Change durations in virtual seconds for deployments to come, e.g. `downloading=600`."""
        self.call("PATCH", "/timing", seconds)

    def stage(self, deployment: str = ".*", *, outcome: str = "ready", **fields: object) -> None:
        """Decide how starts of matching deployments end: `ready`, `fail` or `stockout`; or how long they take.

        `fields` also narrow it down, e.g. `accelerator="NVIDIA_H100_80GB"` or `place="EUROPE"`.
        """
        self.call("POST", "/stages", {"deployment": deployment, "outcome": outcome, **fields})

    def clear_stages(self) -> None:
        """Remove these rules; waiting replicas get their nodes."""
        self.call("DELETE", "/stages")

    # --- worlds ----------------------------------------------------------------------------------------------------

    def add_world(self, account: str, api_key: str) -> "SimulatorClient":
        """Add an account with a key and a world of its own, and return a client for it.

        Clock, faults, switches, durations, stages, models and journal are nobody else's: tests that run at the same
        time do not meet.
        """
        SimulatorClient(self.url).call("POST", "/worlds", {"id": account, "apiKey": api_key})
        return SimulatorClient(self.url, account, account)

    def remove_world(self, account: str | None = None) -> None:
        """Remove an account with its own world."""
        SimulatorClient(self.url).call("DELETE", f"/worlds/{account or self.account}")

    # --- accounts, models ------------------------------------------------------------------------------------------

    def add_account(self, account: str, api_key: str, role: str = "admin") -> str:
        """Add an account with a key, and return the id of the key."""
        return str(self.call("POST", "/accounts", {"id": account, "apiKey": api_key, "role": role})["keyId"])

    def add_key(self, api_key: str, role: str = "admin", account: str | None = None) -> str:
        """Add a key to an account, and return its id."""
        path = f"/accounts/{account or self.account}/keys"
        return str(self.call("POST", path, {"apiKey": api_key, "role": role})["id"])

    def revoke_key(self, key_id: str, account: str | None = None) -> None:
        """Make a key invalid."""
        self.call("DELETE", f"/accounts/{account or self.account}/keys/{key_id}")

    def suspend(self, suspend_state: str = "CREDIT_DEPLETED", account: str | None = None) -> None:
        """Suspend an account; `UNSUSPENDED` lifts it."""
        self.call("PATCH", f"/accounts/{account or self.account}", {"suspendState": suspend_state})

    def quota(self, quota: str, value: int, account: str | None = None) -> None:
        """Set a GPU quota, e.g. `global--h100-count`."""
        self.call("PUT", f"/accounts/{account or self.account}/quotas/{quota}", {"value": value})

    def price(self, **prices: str | None) -> None:
        """Dollars per GPU-hour in the place of the published ones, e.g. `NVIDIA_H100_80GB="7.50"`; None: unknown."""
        self.call("PUT", "/prices", {"prices": prices})

    def add_pricing_plan(self, plan: str, prices: Mapping[str, str], account: str | None = None) -> None:
        """A contract: dollars per GPU-hour by accelerator type for deployments with this pricingPlanId."""
        self.call("POST", f"/accounts/{account or self.account}/pricingPlans", {"id": plan, "prices": dict(prices)})

    def add_router(self, router: str, deployments: Sequence[str], account: str | None = None) -> None:
        """A router that the service generated by itself over deployments by id; users cannot change it."""
        body = {"id": router, "deployments": list(deployments)}
        self.call("POST", f"/accounts/{account or self.account}/routers", body)

    def add_model(self, name: str, **fields: object) -> None:
        """Add or replace a model by full name, e.g. `kind="HF_PEFT_ADDON", baseModel=…`."""
        self.call("POST", "/models", {"name": name, **fields})

    def add_shape(self, name: str, base_model: str, **fields: object) -> None:
        """Add or replace a deployment shape by full name, private unless `public=True`; e.g. `acceleratorCount=2`."""
        self.call("POST", "/shapes", {"name": name, "baseModel": base_model, **fields})

    # --- deployments -----------------------------------------------------------------------------------------------

    def deployments(self, account: str | None = None) -> list[JsonObject]:
        """All deployments of an account, deleted ones included."""
        return self._owned("deployments", account)

    def deployed_models(self, account: str | None = None) -> list[JsonObject]:
        """All deployed models of an account."""
        return self._owned("deployedModels", account)

    def deployment(self, deployment: str, account: str | None = None) -> JsonObject:
        """One deployment by id."""
        return self.call("GET", self._path(deployment, account))

    def create_foreign(
        self, count: int = 1, prefix: str = "foreign", account: str | None = None, **fields: object
    ) -> None:
        """Deployments that somebody else made, READY at once: `PREFIX-0` and so on."""
        body = {"count": count, "prefix": prefix, "fields": fields}
        self.call("POST", f"/accounts/{account or self.account}/deployments", body)

    def edit(
        self,
        deployment: str,
        fields: Mapping[str, object] | None = None,
        *,
        clear: Sequence[str] = (),
        account: str | None = None,
        **state: object,
    ) -> None:
        """Change a deployment as somebody in the console would; `state` holds e.g. `state="FAILED"`."""
        body = {"fields": dict(fields or {}), "clear": list(clear), **state}
        self.call("PATCH", self._path(deployment, account), body)

    def vanish(self, deployment: str, *, soft: bool = False, account: str | None = None) -> None:
        """Delete a deployment behind the client's back: without trace, or softly."""
        self.call("DELETE", self._path(deployment, account), query={"soft": "true"} if soft else None)

    def traffic(self, deployment: str, seconds_ago: float = 0.0, account: str | None = None) -> None:
        """Pretend that a request was served."""
        self.call("POST", self._path(deployment, account) + "/traffic", {"secondsAgo": seconds_ago})

    def load(self, deployment: str, replicas: float, account: str | None = None) -> None:
        """Put steady load on a deployment, counted in replicas; 0 ends it."""
        self.call("PUT", self._path(deployment, account) + "/load", {"replicas": replicas})

    def fail(
        self,
        deployment: str,
        message: str | None = None,
        termination_message: str = "",
        account: str | None = None,
    ) -> None:
        """Let a deployment fail now."""
        body = {"terminationMessage": termination_message} | ({} if message is None else {"message": message})
        self.call("POST", self._path(deployment, account) + "/fail", body)

    def edit_deployed_model(self, deployed_model: str, account: str | None = None, **state: object) -> None:
        """Force the state (`state=`) or status (`statusCode=`, `statusMessage=`) of a deployed model by id."""
        self.call("PATCH", f"/accounts/{account or self.account}/deployedModels/{deployed_model}", state)

    def _path(self, deployment: str, account: str | None) -> str:
        return f"/accounts/{account or self.account}/deployments/{deployment}"

    def _owned(self, collection: str, account: str | None) -> list[JsonObject]:
        accounts = self.state()["accounts"]
        owner = accounts.get(account or self.account) if isinstance(accounts, dict) else None
        found = owner.get(collection) if isinstance(owner, dict) else None
        return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _entry(value: JsonObject) -> JournalEntry:
    query = value["query"]
    return JournalEntry(
        sequence=int(str(value["sequence"])),
        method=str(value["method"]),
        path=str(value["path"]),
        query={name: str(text) for name, text in query.items()} if isinstance(query, dict) else {},
        body=value["body"],
        status=int(str(value["status"])),
        committed=value["committed"] is True,
        mask_missing=value["maskMissing"] is True,
        fault=str(value["fault"]),
        account=str(value["account"]),
        key_id=str(value["keyId"]),
        user_agent=str(value["userAgent"]),
        virtual=float(str(value["virtual"])),
        monotonic=float(str(value["monotonic"])),
        wall=str(value["wall"]),
        route=str(value["route"]),
    )
