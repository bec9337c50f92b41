"""Which budgets the API server takes, and in which words it refuses the others."""

import json
from typing import Any

import pytest

from fireworks_operator.api.budget import FireworksBudget, FireworksBudgetSpec
from fireworks_operator.api.kinds import BUDGETS
from tests.crd.server import NAMESPACE, Cluster, RefusedError, Server

AMOUNT = "must be an amount of US dollars without sign, unit or separators"
Spec = dict[str, Any]


def limits(**values: object) -> Spec:
    return {"limits": values}


def selecting(**selector: object) -> Spec:
    return {"limits": {"gpus": 1}, "selector": selector}


def expression(**fields: object) -> Spec:
    return selecting(matchExpressions=[fields])


@pytest.fixture
def budgets(server: Server) -> Server:
    """The budgets of the same namespace."""
    return Server(server.objects, BUDGETS)


def budget(spec: Spec, name: str = "team") -> dict[str, Any]:
    return {
        "apiVersion": "fireworks.ai/v1alpha1",
        "kind": BUDGETS.name,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }


ACCEPTED: dict[str, Spec] = {
    "no GPU at all": limits(gpus=0),
    "most GPUs": limits(gpus=1_000_000),
    "nothing to spend": limits(monthlyCost=0),
    "a number": limits(hourlyCost=64),
    "a text": limits(hourlyCost="64.50"),
    "six decimal places": limits(hourlyCost="0.000001"),
    "the highest number": limits(monthlyCost=999_999_999_999),
    "the highest text": limits(monthlyCost="999999999999.999999"),
    "all limits": limits(gpus=1, hourlyCost=1, monthlyCost="1"),
    "an empty selector": selecting(),
    "no labels": selecting(matchLabels={}),
    "labels": selecting(matchLabels={"team": "search", "example.com/tier": ""}),
    "64 labels": selecting(matchLabels={f"label-{number}": "x" * 63 for number in range(64)}),
    "values": expression(key="team", operator="In", values=["search", "chat"]),
    "no values": expression(key="team", operator="Exists"),
    "an empty list of values": expression(key="team", operator="DoesNotExist", values=[]),
    "the most expressions": selecting(
        matchExpressions=[{"key": "k" * 320, "operator": "In", "values": ["v" * 63] * 64}] * 32
    ),
    "parking": {**limits(monthlyCost=1), "onMonthlyLimit": "Park"},
}
REFUSED: dict[str, tuple[Spec, str]] = {
    "no limits": ({}, "spec.limits: Required value"),
    "no limit": (limits(), "spec.limits must set at least one of gpus, hourlyCost and monthlyCost"),
    "an unknown limit alone": (limits(cost=1), "spec.limits must set at least one of"),
    "negative GPUs": (limits(gpus=-1), "spec.limits.gpus in body should be greater than or equal to 0"),
    "too many GPUs": (limits(gpus=1_000_001), "should be less than or equal to 1000000"),
    "GPUs as text": (limits(gpus="1"), "spec.limits.gpus in body must be of type integer"),
    "a negative number": (limits(hourlyCost=-1), f"spec.limits.hourlyCost {AMOUNT}"),
    "a negative text": (limits(hourlyCost="-1"), AMOUNT),
    "a huge number": (limits(monthlyCost=1_000_000_000_000), f"spec.limits.monthlyCost {AMOUNT}"),
    "the highest number of all": (limits(monthlyCost=2**63 - 1), AMOUNT),
    "a number above all": (limits(monthlyCost=2**64), "spec.limits.monthlyCost"),
    "a huge text": (limits(monthlyCost="1" * 13), AMOUNT),
    "a text without end": (
        limits(monthlyCost="1" * 1000),
        "monthlyCost: Too long: may not be more than 32",
    ),
    "an exponent": (limits(hourlyCost="1e9"), AMOUNT),
    "a unit": (limits(hourlyCost="$64"), AMOUNT),
    "separators": (limits(hourlyCost="1,000"), AMOUNT),
    "a fraction as number": (limits(hourlyCost=64.5), "spec.limits.hourlyCost"),
    "seven decimal places": (limits(hourlyCost="0.0000001"), AMOUNT),
    "nothing": (limits(hourlyCost=""), AMOUNT),
    "a blank before it": (limits(hourlyCost=" 64"), AMOUNT),
    "a second line": (limits(hourlyCost="64\n"), AMOUNT),
    "other digits": (limits(hourlyCost="٦٤"), AMOUNT),
    "a truth value": (limits(hourlyCost=True), "spec.limits.hourlyCost"),
    "a list": (limits(hourlyCost=["64"]), "spec.limits.hourlyCost"),
    "an unknown policy": ({**limits(gpus=1), "onMonthlyLimit": "Delete"}, 'supported values: "RefuseGrowth", "Park"'),
    "1,000 labels": (
        selecting(matchLabels={f"label-{number}": "x" for number in range(1000)}),
        "spec.selector.matchLabels: Too many: 1000: must have at most 64 items",
    ),
    "a long value": (selecting(matchLabels={"team": "x" * 64}), "Too long: may not be more than 63"),
    "In without values": (expression(key="team", operator="In"), "must have values for In and NotIn"),
    "NotIn with none": (expression(key="team", operator="NotIn", values=[]), "must have values for In and NotIn"),
    "Exists with values": (expression(key="team", operator="Exists", values=["a"]), "none for Exists and DoesNotExist"),
    "an unknown operator": (expression(key="team", operator="Gt", values=["1"]), "Unsupported value"),
    "no key": (expression(operator="Exists"), "spec.selector.matchExpressions[0].key: Required value"),
    "an empty key": (expression(key="", operator="Exists"), "key in body should be at least 1 chars long"),
}


@pytest.mark.parametrize("spec", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted_budgets_are_read_as_they_were_meant(budgets: Server, spec: Spec) -> None:
    stored = budgets.dry_create(budget(spec), strict=True)
    assert stored["status"] == {"observedGeneration": -1}
    read = FireworksBudgetSpec.model_validate(stored["spec"])
    assert read.limits.to_wire() == {
        name: value if name == "gpus" else str(value) for name, value in spec["limits"].items()
    }
    assert read.on_monthly_limit == spec.get("onMonthlyLimit", "RefuseGrowth")


@pytest.mark.parametrize(("spec", "words"), REFUSED.values(), ids=REFUSED)
def test_other_budgets_are_refused(budgets: Server, spec: Spec, words: str) -> None:
    with pytest.raises(RefusedError) as refused:
        budgets.dry_create(budget(spec))
    assert words in str(refused.value)


def test_kubectl_shows_what_is_used_and_what_is_allowed(server: Server, budgets: Server, cluster: Cluster) -> None:
    budgets.create(budget(limits(gpus=16, hourlyCost=130, monthlyCost="20000.50")))
    try:
        text = cluster.kubectl("get", "fwb", "team", "-n", NAMESPACE).stdout
        head, row = (line.split() for line in text.splitlines())
        assert head == ["NAME", "READY", "GPUS", "MAX-GPUS", "$/H", "MAX-$/H", "MONTH", "MAX-MONTH", "WAITING", "AGE"]
        assert row[:4] == ["team", "16", "130", "20000.50"]
        time = "2026-11-04T05:06:07Z"
        ready = {"type": "Ready", "status": "True", "reason": "AsDesired", "message": "", "lastTransitionTime": time}
        status = {
            "observedGeneration": 1,
            "committed": {"gpus": 8, "hourlyCost": "64.00"},
            "month": {"name": "2026-11", "total": "812.50"},
            "selected": 2,
            "waiting": 1,
            "conditions": [ready],
        }
        budgets.set_status("team", status)
        done = cluster.kubectl("get", "fwb", "team", "-n", NAMESPACE, "--no-headers").stdout.split()
        assert done[:-1] == ["team", "True", "8", "16", "64.00", "130", "812.50", "20000.50", "1"]
        listed = json.loads(cluster.kubectl("get", "fireworks", "-n", NAMESPACE, "-o", "json").stdout)["items"]
        (stored,) = (FireworksBudget.parse(each) for each in listed if each["kind"] == BUDGETS.name)
        assert stored.status.waiting == 1
    finally:
        budgets.delete("team")
