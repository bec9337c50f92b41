"""Tenants who mean no good, in a namespace of their own, and one to whom nobody does anything."""

import json
from typing import Any

from fireworks_operator.api.v1alpha1 import ANNOTATION_RECONCILE_AT
from testkit.promises.invariants import STRANGERS
from testkit.promises.specs import FOREIGN, UNOWNED, new_spec
from testkit.virtual.conduct import BYSTANDER, REFS, derived_id
from testkit.virtual.fireworks import ACCOUNT, KEYS, OTHER_ACCOUNT, TWIN
from tests.model.choices import Count, OneOf, event
from tests.model.scene import AFTERWARDS, Scene

_MEGABYTE = 1_000_000
_BESIDE = {"accountId": ACCOUNT.encode()}
SECRETS: dict[str, dict[str, bytes]] = {
    "bogus": {"apiKey": b"fw_bogus%d"},
    "bogus, beside the account": {"apiKey": b"fw_bogus%d", **_BESIDE},
    "twin": {"apiKey": TWIN.encode()},
    "twin, beside the account": {"apiKey": TWIN.encode(), **_BESIDE},
    "another account's": {"apiKey": KEYS[OTHER_ACCOUNT].encode()},
    "another account's, beside the account": {"apiKey": KEYS[OTHER_ACCOUNT].encode(), **_BESIDE},
    "huge account": {"apiKey": b"fw_bogus%d", "accountId": b"a" * _MEGABYTE},
    "huge": {"apiKey": b"fw_bogus%d", "else": b"x" * _MEGABYTE, **_BESIDE},
    "huge key": {"apiKey": b"k" * _MEGABYTE},
    "a path": {"apiKey": b"fw_bogus%d", "accountId": b"acme/deployments/chat?x="},
    "not text": {"apiKey": b"\xff\x00", **_BESIDE},
    "a word": {"apiKey": b"Delete", **_BESIDE},
}
"""Secrets that a stranger has; `%d` is another number each time."""
_OTHERS = (None, FOREIGN, UNOWNED, *(derived_id(ref) for ref in (*REFS, BYSTANDER)))
"""Deployment ids that strangers name."""
_MARKED = tuple(f"accounts/{ACCOUNT}/deployments/{name}" for name in _OTHERS if name is not None)
FORGED: tuple[dict[str, Any], ...] = (
    *({"observedGeneration": 1, "deploymentName": name, "account": ACCOUNT, "state": "READY"} for name in _MARKED),
    {"observedGeneration": 1, "deploymentName": "foo", "account": ACCOUNT},
    {"observedGeneration": 1, "deploymentName": "accounts//deployments/", "account": ""},
    {"observedGeneration": 1, "deploymentName": "accounts/other/deployments/x", "account": ACCOUNT},
    {"observedGeneration": 7, "appliedFields": ["baseModel", "nonsense", ""], "state": "WHATEVER"},
    {
        "observedGeneration": 1,
        "lastAttempt": {
            "action": "Nonsense",
            "generation": 1,
            "count": 2_000_000_000,
            "time": "2999-01-01T00:00:00Z",
            "reason": "Nonsense",
        },
        "recreations": ["2999-01-01T00:00:00Z"] * 3,
        "createTime": "1970-01-01T00:00:00Z",
    },
)
"""Statuses that somebody writes who may, and should not."""
ANNOTATIONS = (
    (
        "kubectl.kubernetes.io/last-applied-configuration",
        json.dumps({"spec": {"addons": [{}] * 80_000}}, separators=(",", ":")),
    ),
    ("kubectl.kubernetes.io/last-applied-configuration", json.dumps({"spec": {"k" * 5_000: 1}})),
    ("kubectl.kubernetes.io/last-applied-configuration", json.dumps({"spec": {f"k{i}": 1 for i in range(20_000)}})),
    ("kubectl.kubernetes.io/last-applied-configuration", "[" * 100_000),
    (ANNOTATION_RECONCILE_AT, "x" * 200_000),
)


class Strangers(Scene):
    """The namespace `mallory`, and a bystander."""

    count = 0

    @event(
        kind=OneOf(*SECRETS),
        policy=OneOf("Manage", "Manage", "Observe"),
        deployment=OneOf(*_OTHERS),
        adopts=OneOf("Never", "Unowned"),
        then=AFTERWARDS,
    )
    def a_stranger_comes(self, kind: str, policy: str, deployment: str | None, adopts: str, then: str) -> None:
        """A resource with a Secret that opens nothing, or should not."""
        self._stranger(SECRETS[kind], policy=policy, deployment=deployment, adopts=adopts)
        self._then(then)

    def _stranger(self, secret: dict[str, bytes], *, policy: str, deployment: str | None, adopts: str) -> None:
        number = self.count % 10
        self.count += 1
        ref, secrets = f"{STRANGERS}/evil-{number}", self.world.server.secrets
        filled = {name: value.replace(b"%d", b"%d" % self.count) for name, value in secret.items()}
        secrets[STRANGERS, f"evil-{number}"] = filled
        spec = new_spec(STRANGERS, [("deploymentId", deployment), ("managementPolicy", policy)])
        spec |= {"adoptionPolicy": adopts, "credentialsSecretRef": {"name": f"evil-{number}"}}
        if ref not in self.world.server.objects:
            self.world.server.create(ref, spec)

    @event(then=AFTERWARDS)
    def a_crowd_of_strangers_comes(self, then: str) -> None:
        """So many keys that do not work beside the account's id that trying them takes a while."""
        for _ in range(8):
            self._stranger(SECRETS["bogus, beside the account"], policy="Manage", deployment=None, adopts="Unowned")
        self._then(then)

    @event(which=Count(0, 9), kind=OneOf(*SECRETS), times=Count(1, 5), then=AFTERWARDS)
    def a_stranger_exchanges_a_secret(self, which: int, kind: str, times: int, then: str) -> None:
        """One value after the other, and each is looked at."""
        for _ in range(times):
            self.count += 1
            filled = {name: value.replace(b"%d", b"%d" % self.count) for name, value in SECRETS[kind].items()}
            self.world.server.secrets[STRANGERS, f"evil-{which}"] = filled
            self.world.advance(16.0)
        self._then(then)

    @event(which=Count(0, 9), then=AFTERWARDS)
    def a_stranger_goes(self, which: int, then: str) -> None:
        """The Secret first."""
        self.world.server.secrets.pop((STRANGERS, f"evil-{which}"), None)
        ref = f"{STRANGERS}/evil-{which}"
        if ref in self.world.server.objects:
            self.world.server.delete(ref)
        self._then(then)

    @event(which=Count(0, 9), status=OneOf(*FORGED), then=AFTERWARDS)
    def a_stranger_forges_a_status(self, which: int, status: dict[str, Any], then: str) -> None:
        """What is written there is not the operator's."""
        ref = f"{STRANGERS}/evil-{which}"
        if ref in self.world.server.objects:
            self.world.overwrite_status(ref, status)
            self._then(then)

    @event(which=Count(0, 9), annotation=OneOf(*ANNOTATIONS), then=AFTERWARDS)
    def a_stranger_annotates(self, which: int, annotation: tuple[str, str], then: str) -> None:
        """More than anybody needs."""
        ref = f"{STRANGERS}/evil-{which}"
        if ref in self.world.server.objects:
            self.world.server.annotate(ref, *annotation)
            self._then(then)

    @event(code=OneOf("PERMISSION_DENIED", "NOT_FOUND", "INTERNAL", "UNIMPLEMENTED"), times=OneOf(1, 3, 1000))
    def addons_cannot_be_listed(self, code: str, times: int) -> None:
        """With no key of the account: who has no addons need not notice."""
        match = {"method": "GET", "path": "/acme/deployedModels$"}
        self.world.fireworks.simulator.fault("status", match=match, times=times, code=code)
        for _ in range(2):
            self._live(16.0)

    @event(then=AFTERWARDS)
    def strangers_are_told_of_an_empty_account(self, then: str) -> None:
        """A LIST with a key of another account is answered with 200 and nothing, rather than refused."""
        match = {"method": "GET", "path": "/acme/deployments$", "keyId": f"{OTHER_ACCOUNT}-key-1"}
        self.world.fireworks.simulator.fault("status", match=match, times=20, status=200, body="{}")
        self._then(then)

    @event(strangers=OneOf(False, True), then=AFTERWARDS)
    def a_working_key_is_refused_once(self, strangers: bool, then: str) -> None:
        """As a service does in a bad moment; meanwhile strangers may come with keys that never work."""
        match = {"keyId": self.calm_key_id}
        rule = self.world.fireworks.simulator.fault("status", match=match, times=1, code="UNAUTHENTICATED")
        self.world.promises.refused = rule
        if strangers:
            self.a_crowd_of_strangers_comes("wait")
        self._then(then)

    @property
    def calm_key_id(self) -> str:
        """The id of the bystander's key."""
        return "acme-key-3"

    @event(words=Count(2, 16), seconds=OneOf(16.0, 62.0))
    def an_outage_says_something_else_each_time(self, words: int, seconds: float) -> None:
        """Addresses, times, ids: what it says is no news."""
        world = self.world
        world.heal()
        self._live(1.0, 62.0)
        world.judge()
        writes = world.server.writes
        for number in range(words):
            for key_id in ("acme-key-1", "acme-key-3", "acme-key-4"):
                world.fireworks.simulator.fault(
                    "status",
                    match={"method": "GET", "path": "/acme/deployments$", "keyId": key_id},
                    times=1,
                    code="UNAVAILABLE",
                    message=f"no backend at 10.0.{number}.{number}: try {number:032x} at 12:0{number}:00",
                )
            self._live(seconds)
            world.fireworks.simulator.clear_faults()
            if number == 0:
                writes = world.server.writes
        told = len(world.server.objects)
        assert world.server.writes - writes <= 2 * told, "I7: the words of an outage are written again and again"
