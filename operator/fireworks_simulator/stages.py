"""How long starts take and how they end, by rule on the deployment's name, its GPUs and its place."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from fireworks_simulator.entities import INTERNAL_ERROR, Plan
from fireworks_simulator.settings import Timing
from fireworks_simulator.wire import JsonObject


class StageRule(BaseModel):
    """What becomes of deployments that match in all that the rule names; the last matching rule counts.

    `fail` ends in FAILED after the time of a start; `stockout` leaves replicas pending until the rule goes.
    """

    model_config = ConfigDict(extra="forbid")

    deployment: str = Field(default=".*", description="Regular expression on the full deployment name.")
    accelerator: str | None = Field(default=None, description="Accelerator type; any if left out.")
    place: str | None = Field(default=None, description="Region or multi-region of the placement; any if left out.")
    outcome: Literal["ready", "fail", "stockout"] = "ready"
    pending: float | None = Field(default=None, ge=0)
    downloading: float | None = Field(default=None, ge=0)
    initializing: float | None = Field(default=None, ge=0)
    updating: float | None = Field(default=None, ge=0)
    deleting: float | None = Field(default=None, ge=0)
    addon: float | None = Field(default=None, ge=0)
    message: str = INTERNAL_ERROR
    termination_message: str = Field(default="", alias="terminationMessage")


class StageRules:
    """The default timing and the rules that override it."""

    def __init__(self, timing: Timing) -> None:
        self.timing = timing
        self.rules: list[StageRule] = []

    def plan(self, name: str, config: JsonObject) -> Plan:
        """The plan for a deployment by its full name and configuration."""
        for rule in reversed(self.rules):
            if _matches(rule, name, config):
                changes = {key: value for key, value in rule if key in Timing.model_fields and value is not None}
                timing = self.timing.model_copy(update=changes)
                return Plan(timing, rule.outcome, rule.message, rule.termination_message)
        return Plan(self.timing)


def _matches(rule: StageRule, name: str, config: JsonObject) -> bool:
    placement = config.get("placement")
    named = placement if isinstance(placement, dict) and placement else {"multiRegion": "GLOBAL"}
    regions = named.get("regions")
    places = [named.get("region"), named.get("multiRegion"), *(regions if isinstance(regions, list) else ())]
    accelerator = rule.accelerator in (None, config.get("acceleratorType"))
    return bool(re.search(rule.deployment, name)) and accelerator and (rule.place is None or rule.place in places)
