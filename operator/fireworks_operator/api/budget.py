"""The FireworksBudget resource, version v1alpha1: how much the FireworksDeployments of a namespace may cost."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from .base import ApiModel, Change, Rule, Schema, Time
from .resource import Resource
from .status_condition import Condition

_AMOUNT = 32
"""Most characters of an amount of money."""
_AMOUNT_PATTERN = r"^[0-9]{1,12}(\.[0-9]{1,6})?$"
"""US dollars, not negative, without a sign, a unit or separators."""
_MOST_DOLLARS = 999_999_999_999
"""As many digits as the pattern allows."""
_MOST_GPUS = 1_000_000
_LABEL = 320
"""More characters than the key of a label has (Kubernetes, labels: a prefix of 253 and a name of 63)."""

OnMonthlyLimit = Literal["RefuseGrowth", "Park"]


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _amount_rule(name: str) -> Rule:
    pattern = _AMOUNT_PATTERN.replace("\\", "\\\\")
    return Rule(
        f"type(self) == int ? self >= 0 && self <= {_MOST_DOLLARS} : self.matches('{pattern}')",
        f"spec.limits.{name} must be an amount of US dollars without sign, unit or separators, with at most 6 decimal "
        'places, such as 64 or "64.50"',
    )


_Amount = Annotated[str | None, BeforeValidator(_as_text)]


class BudgetLimits(ApiModel):
    """What a budget allows. At least one limit is set."""

    gpus: Annotated[
        int | None,
        Schema(
            "GPUs that may run at the same time: all replicas up to maxReplicaCount of each deployment, times the GPUs "
            "of a replica. 0 allows none.",
            default="no limit.",
            change=Change.POLICY,
            example="64",
            minimum=0,
            maximum=_MOST_GPUS,
        ),
    ] = None
    hourly_cost: Annotated[
        _Amount,
        Schema(
            "US dollars per hour that may be spent at most: what every deployment costs at maxReplicaCount. Quote "
            "amounts with decimal places.",
            default="no limit.",
            change=Change.POLICY,
            example='"250.00"',
            max_length=_AMOUNT,
            int_or_string=True,
            rules=(_amount_rule("hourlyCost"),),
        ),
    ] = None
    monthly_cost: Annotated[
        _Amount,
        Schema(
            "US dollars that may be spent in a calendar month (UTC). Spend counts until a deployment stops, so that a "
            "month can end above the limit; onMonthlyLimit says what happens once it is reached.",
            default="no limit.",
            change=Change.POLICY,
            example="20000",
            max_length=_AMOUNT,
            int_or_string=True,
            rules=(_amount_rule("monthlyCost"),),
        ),
    ] = None

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.gpus) || has(self.hourlyCost) || has(self.monthlyCost)",
            "spec.limits must set at least one of gpus, hourlyCost and monthlyCost",
        ),
    )


class SelectorOperator(StrEnum):
    """How the values of a selector's requirement are compared (metav1.LabelSelectorOperator)."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


_Value = Annotated[str, Schema(max_length=63)]


class SelectorRequirement(ApiModel):
    """One requirement of a selector (metav1.LabelSelectorRequirement)."""

    key: Annotated[str, Schema("Key of the label.", min_length=1, max_length=_LABEL)]
    operator: Annotated[SelectorOperator, Schema("How the label's value is compared with values.")]
    values: Annotated[
        list[_Value] | None,
        Schema("Values for In and NotIn; none for Exists and DoesNotExist.", max_items=64, list_type="atomic"),
    ] = None

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 : !has(self.values) || "
            "size(self.values) == 0",
            "spec.selector.matchExpressions must have values for In and NotIn, and none for Exists and DoesNotExist",
        ),
    )


class BudgetSelector(ApiModel):
    """Labels that a FireworksDeployment must have to count (metav1.LabelSelector)."""

    match_labels: Annotated[
        dict[str, _Value] | None, Schema("Labels with exactly these values.", max_properties=64)
    ] = None
    match_expressions: Annotated[
        list[SelectorRequirement] | None, Schema("Further requirements.", max_items=32, list_type="atomic")
    ] = None


class FireworksBudgetSpec(ApiModel):
    """The limits, and what they hold for."""

    limits: Annotated[BudgetLimits, Schema("What may run, and what may be spent; at least one is set.")]
    selector: Annotated[
        BudgetSelector | None,
        Schema(
            "The FireworksDeployments of this namespace that count, by their labels. A deployment that several budgets "
            "select needs room in each.",
            default="all of the namespace.",
            change=Change.POLICY,
            example="{matchLabels: {team: search}}",
        ),
    ] = None
    on_monthly_limit: Annotated[
        OnMonthlyLimit,
        Schema(
            "What happens once monthlyCost is reached. RefuseGrowth: what runs goes on running, and nothing may grow. "
            "Park: minReplicaCount and maxReplicaCount of every deployment are set to 0 until the month ends or the "
            "limit is raised; nothing is deleted.",
            default="RefuseGrowth.",
            change=Change.POLICY,
            stored_default=True,
        ),
    ] = "RefuseGrowth"


class BudgetAmounts(ApiModel):
    """GPUs, and what they cost."""

    gpus: Annotated[int, Schema("GPUs.", minimum=0)] = 0
    hourly_cost: Annotated[
        str | None, Schema("US dollars per hour for those of them whose price is known.", max_length=_AMOUNT)
    ] = None


class BudgetMonth(ApiModel):
    """What has been spent in one month."""

    name: Annotated[str, Schema("The month in UTC, as YEAR-MONTH.", example='"2026-11"', max_length=7)] = ""
    total: Annotated[str | None, Schema("US dollars until asOf.", max_length=_AMOUNT)] = None
    of_deleted: Annotated[
        str | None,
        Schema("US dollars of it for FireworksDeployments that have been deleted.", max_length=_AMOUNT),
    ] = None
    deleted: Annotated[
        list[Annotated[str, Schema(max_length=64)]] | None,
        Schema(
            "The uids of those that were deleted last, so that none counts twice.", max_items=64, list_type="atomic"
        ),
    ] = None


class FireworksBudgetStatus(ApiModel):
    """How much of the budget is used."""

    observed_generation: Annotated[
        int,
        Schema(
            "The metadata.generation of the spec that is in force; -1 until the operator has seen the budget.",
            minimum=-1,
            stored_default=True,
        ),
    ] = -1
    committed: Annotated[
        BudgetAmounts | None, Schema("What may run at most: every deployment at its maxReplicaCount.")
    ] = None
    running: Annotated[BudgetAmounts | None, Schema("What runs now.")] = None
    month: Annotated[BudgetMonth | None, Schema("What has been spent in the current month.")] = None
    as_of: Annotated[
        Time | None,
        Schema("When the sums above last changed; since then, running.hourlyCost is spent every hour."),
    ] = None
    selected: Annotated[int, Schema("FireworksDeployments that count.", minimum=0)] = 0
    waiting: Annotated[int, Schema("Those of them that wait for room.", minimum=0)] = 0
    unpriced: Annotated[
        int | None,
        Schema("Those of them whose GPUs have no known price, so that their cost does not count.", minimum=0),
    ] = None
    conditions: Annotated[
        list[Condition],
        Schema(
            "Ready is the summary: the limits of the current spec are in force.",
            max_items=16,
            list_type="map",
            list_map_keys=("type",),
        ),
    ] = Field(default_factory=list)


class FireworksBudget(Resource):
    """How much the FireworksDeployments of a namespace may cost.

    What would exceed a limit is not created and does not grow; what runs already is never stopped when a limit is
    lowered.
    """

    spec: Annotated[FireworksBudgetSpec, Schema("The limits, and what they hold for.")]
    status: Annotated[FireworksBudgetStatus, Schema("How much of the budget is used.")] = Field(
        default_factory=FireworksBudgetStatus
    )
