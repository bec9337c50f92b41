"""The promise of budgets: no request of the operator makes a namespace's ceilings exceed a limit, at any moment."""

from dataclasses import dataclass, field

from fireworks_operator.fireworks.request import Call
from testkit.virtual.api_server import ApiServer, Raw
from testkit.virtual.fireworks import Fireworks

_GONE = frozenset({"DELETED", "DELETING"})
Size = tuple[int, int]
"""GPUs of a replica, and replicas at most."""


@dataclass(slots=True)
class NeverOversold:
    """Judges requests right before they are sent, by budgets without a selector.

    Attributes:
        most: the most GPUs that were ever asked for, by namespace.
    """

    server: ApiServer
    fireworks: Fireworks
    most: dict[str, int] = field(default_factory=dict)

    def on_change(self, ref: str, call: Call) -> None:
        """Add up what could run after this request, requests that are still on their way included."""
        namespace = ref.split("/")[0]
        limits = [
            raw["spec"]["limits"]["gpus"]
            for each, raw in self.server.budgets.items()
            if each.split("/")[0] == namespace and "gpus" in raw["spec"]["limits"] and "selector" not in raw["spec"]
        ]
        if not limits:
            return
        before = self._sizes(namespace)
        for late in self.fireworks.late:
            _apply(before, self._deleted(namespace), late.call, only_growth=True)
        after = dict(before)
        _apply(after, self._deleted(namespace), call)
        asked, had = _gpus(after), _gpus(before)
        self.most[namespace] = max(self.most.get(namespace, 0), asked)
        assert asked <= max(min(limits), had), f"oversold by {call.method} {call.path} for {ref}: {asked} of {limits}"

    def _sizes(self, namespace: str) -> dict[str, Size]:
        return {name: _size(each, (1, 0)) for name, each in self._of(namespace) if each["state"] not in _GONE}

    def _deleted(self, namespace: str) -> dict[str, Size]:
        return {name: _size(each, (1, 0)) for name, each in self._of(namespace) if each["state"] in _GONE}

    def _of(self, namespace: str) -> list[tuple[str, Raw]]:
        deployments = self.fireworks.state().deployments.items()
        return [(name, each) for name, each in deployments if _namespace(each) == namespace]


def _namespace(deployment: Raw) -> str:
    marks = deployment.get("annotations", {})
    return str(marks.get("custom/namespace", ""))


def _apply(sizes: dict[str, Size], deleted: dict[str, Size], call: Call, *, only_growth: bool = False) -> None:
    """Carry a request out; a POST that is on its way may make what exists already, which then stays as it is."""
    name, _, verb = call.path.partition(":")
    body = call.body if isinstance(call.body, dict) else {}
    if "validateOnly" in (call.query or {}):
        return
    if call.method == "POST" and name.endswith("/deployments"):
        sizes.setdefault(f"{name}/{(call.query or {}).get('deploymentId')}", _size(body, (1, 1)))
    elif call.method == "PATCH" and name in sizes:
        size = _size(body, sizes[name])
        sizes[name] = max(size, sizes[name], key=lambda each: each[0] * each[1]) if only_growth else size
    elif verb == "undelete" and name in deleted:
        sizes[name] = deleted[name]


def _size(body: Raw, before: Size) -> Size:
    return int(body.get("acceleratorCount", before[0])), int(body.get("maxReplicaCount", before[1]))


def _gpus(sizes: dict[str, Size]) -> int:
    return sum(gpus * replicas for gpus, replicas in sizes.values())
