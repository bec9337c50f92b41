"""Fireworks as the model sees it: the simulator, its clock, requests that come late, and what exists there."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from fireworks_operator.fireworks.request import Call
from fireworks_simulator.testing import JournalEntry
from testkit.clock import tenth_of_month
from testkit.virtual.simulator import MemorySimulator

ACCOUNT, OTHER_ACCOUNT = "acme", "other"
KEYS = {ACCOUNT: "fw_bogusaaabaaab", OTHER_ACCOUNT: "fw_other"}
TWIN = "fw_bogusjzeaoosd"
"""Not known to Fireworks; its SHA-256 begins with the same 32 bits as that of the first account's key."""
CALM_KEY, NEIGHBOUR_KEY = "fw_calm", "fw_neighbour"
"""Further keys of the first account, which no fault is about."""
MODELS = "accounts/fireworks/models/"
BASE_MODEL = f"{MODELS}llama-v3p1-8b-instruct"
ADDONS = tuple(f"accounts/{ACCOUNT}/models/lora-{number}" for number in (1, 2))
LATEST = 60.0
"""Seconds after the client has given up within which a request is still carried out, if at all."""
_TICK = 0.01
_LATE_KEY = "fw_late"
"""What late requests are sent with, so that faults can leave them alone."""
_FAULTY = "acme-key-1"
"""The id of the key whose requests run into faults."""
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LateRequest:
    """A request whose sender has given up, and which Fireworks carries out by `due`."""

    call: Call
    api_key: str
    due: float


@dataclass(slots=True)
class Hang:
    """The next request by `method` is never answered; if `late`, it is carried out some time later."""

    rule: str
    method: str
    late: bool
    path: str = ""


@dataclass(slots=True)
class Fireworks:
    """The simulator, driven by the model's clock.

    Attributes:
        simulator: its admin client.
        clock: seconds of the model's clock.
        hangs: requests that will not be answered.
        late: requests under way after their sender has given up.
    """

    simulator: MemorySimulator
    clock: Callable[[], float]
    hangs: list[Hang] = field(default_factory=list)
    late: list[LateRequest] = field(default_factory=list)
    journal_from: int = 0
    _at: float = 0.0
    _offset: float = 0.0

    def reset(self) -> None:
        """Begin with an empty account, another one, and two LoRA models."""
        simulator = self.simulator
        simulator.reset()
        simulator.add_account(OTHER_ACCOUNT, KEYS[OTHER_ACCOUNT])
        for addon in ADDONS:
            simulator.add_model(addon, kind="HF_PEFT_ADDON", baseModel=BASE_MODEL)
        for api_key in (_LATE_KEY, CALM_KEY, NEIGHBOUR_KEY):
            simulator.add_key(api_key)
        self.check_defaults(False)
        began = tenth_of_month(simulator.now() + 10.0)
        simulator.advance(began - simulator.now())
        self._at = self.clock()
        self._offset = began - self._at
        self.journal_from = 0

    def now(self) -> float:
        """The time of day as POSIX seconds, the same for all."""
        return self._offset + self.clock()

    def catch_up(self) -> None:
        """Let everything happen at Fireworks that is due by now, late requests at their time."""
        for request in sorted(self.late, key=lambda each: each.due):
            if request.due <= self.clock():
                self._advance_to(request.due)
                self.land(request)
        self._advance_to(self.clock() + _TICK)

    def _advance_to(self, moment: float) -> None:
        if moment > self._at:
            self.simulator.advance(moment - self._at)
            self._at = moment

    def land(self, request: LateRequest) -> None:
        """Carry out a request that nobody waits for any more."""
        self.late.remove(request)
        api_key = _LATE_KEY if request.call.account == ACCOUNT else request.api_key
        self._request(request.call, api_key, "late")

    def by_hand(self, method: str, path: str, body: Json | None = None, **query: str) -> None:
        """Do something with the first account's key, as people and their tools do."""
        self._request(Call("by_hand", method, path, query, body), _LATE_KEY, "by hand")

    def _request(self, call: Call, api_key: str, agent: str) -> None:
        body: Json | None = None if call.body is None else dict(call.body)
        self.simulator.exchange(call.method, f"/v1/{call.path}", body, call.query, api_key=api_key, agent=agent)

    def hang(self, method: str, *, late: bool, path: str = "") -> None:
        """Leave the next request by this method, to a path that ends so, without an answer."""
        rule = self.fault("hang", method=method, path=f"{path}$")
        self.hangs.append(Hang(rule, method, late, path))

    def fault(
        self,
        kind: str,
        *,
        method: str,
        times: int = 1,
        path: str | None = None,
        **action: Any,  # noqa: ANN401 - a rule's own fields
    ) -> str:
        """Let something go wrong with the next requests of the operator by this method; return the rule's id."""
        match = {"method": method, "keyId": _FAULTY} | ({} if path is None else {"path": path})
        return self.simulator.fault(kind, match=match, times=times, **action)

    def hanging(self, call: Call) -> Hang | None:
        """Return the fault that this request will run into, if any."""
        fitting = (hang for hang in self.hangs if hang.method == call.method and call.path.endswith(hang.path))
        return next(fitting, None)

    def has_arrived(self, hang: Hang) -> bool:
        """Tell whether a request has run into the fault; it is over then."""
        if self.simulator.fault_hits(hang.rule) == 0:
            return False
        self.hangs.remove(hang)
        return True

    def check_defaults(self, check: bool) -> None:
        """Refuse to delete the default deployment of a model, or not: alone, no operator can get past that."""
        self.simulator.assume(default_deployment_check=check)

    def heal(self) -> None:
        """End every trouble: faults, quota, suspension, revoked keys; what comes late comes now."""
        for request in tuple(self.late):
            self.land(request)
        self.hangs.clear()
        self.check_defaults(False)
        simulator = self.simulator
        simulator.clear_faults()
        simulator.clear_stages()
        simulator.quota("global--h100-count", 10_000)
        simulator.suspend("UNSUSPENDED")

    def journal(self) -> list[JournalEntry]:
        """Return the requests since the last call."""
        found = self.simulator.journal(since=self.journal_from)
        if found:
            self.journal_from = found[-1].sequence
        return found

    def state(self) -> "Snapshot":
        """Return all that exists now."""
        self.catch_up()
        accounts: Any = self.simulator.state()["accounts"]
        deployments = {each["name"]: each for account in accounts.values() for each in account["deployments"]}
        addons = {each["name"]: each for account in accounts.values() for each in account["deployedModels"]}
        routers = {each["name"]: each for account in accounts.values() for each in account["routers"]}
        return Snapshot(deployments, addons, routers)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What exists at Fireworks, by full name."""

    deployments: dict[str, Json]
    addons: dict[str, Json]
    routers: dict[str, Json] = field(default_factory=dict)

    def live(self) -> Iterator[Json]:
        """All deployments that exist and are not going."""
        return (each for each in self.deployments.values() if each["state"] not in ("DELETING", "DELETED"))


def identifier(name: str) -> str:
    """Return the last part of a full name."""
    return name.rsplit("/", 1)[-1]
