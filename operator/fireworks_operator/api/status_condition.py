"""A condition in the status of any kind, in the shape of metav1.Condition."""

from typing import Annotated, Literal

from .base import MESSAGE_LENGTH, ApiModel, Schema, Time

ConditionStatus = Literal["True", "False", "Unknown"]

CONDITION_TYPE_PATTERN = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
)
"""metav1.Condition, field type."""
CONDITION_REASON_PATTERN = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
"""metav1.Condition, field reason."""


class Condition(ApiModel):
    """One aspect of the resource's state, in the shape of metav1.Condition."""

    type: Annotated[
        str,
        Schema(
            "What it is about, such as Ready. The conditions reference lists all of them.",
            max_length=316,
            pattern=CONDITION_TYPE_PATTERN,
        ),
    ]
    status: Annotated[ConditionStatus, Schema("True, False or Unknown.")]
    reason: Annotated[
        str,
        Schema(
            "Machine-readable reason, in CamelCase. The conditions reference lists all of them.",
            min_length=1,
            max_length=1024,
            pattern=CONDITION_REASON_PATTERN,
        ),
    ]
    message: Annotated[
        str,
        Schema("Human-readable explanation, including what to do next.", max_length=MESSAGE_LENGTH, required=True),
    ] = ""
    observed_generation: Annotated[
        int | None, Schema("The metadata.generation that the condition was set for.", minimum=0)
    ] = None
    last_transition_time: Annotated[Time, Schema("When status last changed.")]
