"""The fields of the spec that say how many replicas there are, and what each takes on."""

from typing import Annotated

from .base import ApiModel, Change, Schema, reset_to
from .spec_parts import COLD_START, AutoscalingPolicy


class ScalingFields(ApiModel):
    """How many replicas there are, and what each takes on."""

    min_replica_count: Annotated[
        int | None,
        Schema(
            "Minimum number of replicas, 0 to 1000. With 0, the deployment scales to zero after "
            f"autoscalingPolicy.scaleToZeroWindow without a request, and is then not billed. {COLD_START} Fireworks "
            "deletes the deployment after 7 days without requests (see externalDeletionPolicy).",
            default="decided by Fireworks: 0.",
            change=reset_to("0"),
            example="1",
            minimum=0,
            maximum=1000,
        ),
    ] = None
    max_replica_count: Annotated[
        int | None,
        Schema(
            "Maximum number of replicas, 0 to 1000, at least minReplicaCount. If both are 0, the deployment is "
            "parked: switched off, not billed, and not woken by requests.",
            default="decided by Fireworks: minReplicaCount, but at least 1.",
            change=reset_to("minReplicaCount, but at least 1"),
            example="4",
            minimum=0,
            maximum=1000,
        ),
    ] = None
    max_with_revocable_replica_count: Annotated[
        int | None,
        Schema(
            "Maximum number of replicas including revocable ones, 0 to 1000, at least maxReplicaCount: what exceeds "
            "maxReplicaCount may be taken back by Fireworks at any time. Only for accounts whose contract includes "
            "revocable capacity. 0 means none.",
            default="0.",
            change=reset_to("0"),
            example="8",
            minimum=0,
            maximum=1000,
        ),
    ] = None
    autoscaling_policy: Annotated[
        AutoscalingPolicy | None,
        Schema(
            "When Fireworks adds and removes replicas between minReplicaCount and maxReplicaCount. Settings "
            "of the policy that are not modelled here are left as they are.",
            default="decided by Fireworks, field by field.",
            change=Change.UPDATE,
        ),
    ] = None
    max_concurrency_per_replica: Annotated[
        int | None,
        Schema(
            "Maximum number of concurrent requests per replica, 0 to 1000000; further requests are answered with "
            "429. 0 means the platform's default.",
            default="decided by Fireworks: 0.",
            change=Change.KEPT,
            example="64",
            minimum=0,
            maximum=1_000_000,
        ),
    ] = None
    enable_session_affinity: Annotated[
        bool | None,
        Schema(
            "Whether requests of the same user go to the same replica.",
            default="false.",
            change=reset_to("false"),
        ),
    ] = None
