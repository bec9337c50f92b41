"""Message types of the control plane, field by field (Fireworks REST reference, OpenAPI 4.259 and 5.10)."""

from fireworks_simulator.protojson import Field, Kind, Message


def _words(text: str) -> list[str]:
    return text.split()


def _string(*, output_only: bool = False, oneof: str | None = None) -> Field:
    return Field(Kind.STRING, output_only=output_only, oneof=oneof)


def _enum(*values: str, output_only: bool = False) -> Field:
    return Field(Kind.ENUM, values=frozenset(values), output_only=output_only)


def _message(message: Message, *, output_only: bool = False, oneof: str | None = None) -> Field:
    return Field(Kind.MESSAGE, message=message, output_only=output_only, oneof=oneof)


_BOOL = Field(Kind.BOOL)
_INT32 = Field(Kind.INT32)
_COUNT = Field(Kind.INT32, output_only=True)
_STRINGS = Field(Kind.STRING, repeated=True)
_STRING_MAP = Field(Kind.STRING, mapped=True)
_FLOAT_MAP = Field(Kind.FLOAT, mapped=True)
_DURATION = Field(Kind.DURATION)
_TIME = Field(Kind.TIMESTAMP, output_only=True)

ACCELERATORS = {
    "NVIDIA_A100_80GB": 80,
    "NVIDIA_H100_80GB": 80,
    "AMD_MI300X_192GB": 192,
    "NVIDIA_A10G_24GB": 24,
    "NVIDIA_A100_40GB": 40,
    "NVIDIA_L4_24GB": 24,
    "NVIDIA_H200_141GB": 141,
    "NVIDIA_B200_180GB": 180,
    "AMD_MI325X_256GB": 256,
    "AMD_MI350X_288GB": 288,
    "NVIDIA_B300_288GB": 288,
    "NVIDIA_GB200": 186,
    "NVIDIA_GB300": 279,
}
"""Accelerator types and their memory in GB."""

PRECISIONS = _words(
    "FP16 FP8 FP8_MM FP8_AR FP8_MM_KV_ATTN FP8_KV FP8_MM_V2 FP8_V2 FP8_MM_KV_ATTN_V2 NF4 FP4 BF16 "
    "FP4_BLOCKSCALED_MM FP4_MX_MOE"
)
REGIONS = _words(
    "US_IOWA_1 US_VIRGINIA_1 US_VIRGINIA_2 US_ILLINOIS_1 AP_TOKYO_1 US_ARIZONA_1 US_TEXAS_1 US_ILLINOIS_2 "
    "EU_FRANKFURT_1 US_TEXAS_2 EU_ICELAND_1 EU_ICELAND_2 US_WASHINGTON_1 US_WASHINGTON_2 US_WASHINGTON_3 "
    "AP_TOKYO_2 US_CALIFORNIA_1 US_UTAH_1 US_GEORGIA_1 US_GEORGIA_2 US_WASHINGTON_4 US_GEORGIA_3 "
    "NA_BRITISHCOLUMBIA_1 US_GEORGIA_4 US_OHIO_1 US_NEWYORK_1 EU_NETHERLANDS_1 US_WASHINGTON_5 US_MINNESOTA_1 "
    "US_CALIFORNIA_2 AP_MALAYSIA_1 US_OHIO_2 US_ARIZONA_3 NA_BRITISHCOLUMBIA_2 NA_BRITISHCOLUMBIA_3 "
    "AP_MALAYSIA_2 US_OREGON_1 AP_NEWSOUTHWALES_1 AP_TAIWAN_1"
)
_REGION = ("REGION_UNSPECIFIED", *REGIONS)
_STATUS = Message("gateway.Status", {"code": _string(), "message": _string()})

SCALING_SCHEDULE = Message(
    "gateway.ScalingSchedule",
    {
        "minReplicaCount": _INT32,
        "schedule": _string(),
        "duration": _DURATION,
        "timezone": _string(),
        "description": _string(),
        "disabled": _BOOL,
    },
)
AUTOSCALING_POLICY = Message(
    "gateway.AutoscalingPolicy",
    {
        "scaleUpWindow": _DURATION,
        "scaleDownWindow": _DURATION,
        "scaleToZeroWindow": _DURATION,
        "loadTargets": _FLOAT_MAP,
        "scalingSchedules": Field(Kind.MESSAGE, message=SCALING_SCHEDULE, mapped=True),
    },
)
PLACEMENT = Message(
    "gateway.Placement",
    {
        "region": _enum(*_REGION),
        "multiRegion": _enum("MULTI_REGION_UNSPECIFIED", "GLOBAL", "US", "EUROPE", "APAC", "CANADA"),
        "regions": Field(Kind.ENUM, values=frozenset(_REGION), repeated=True),
    },
)
_REPLICA_STATS = Message(
    "gateway.ReplicaStats",
    {
        "pendingSchedulingReplicaCount": _COUNT,
        "downloadingModelReplicaCount": _COUNT,
        "initializingReplicaCount": _COUNT,
        "readyReplicaCount": _COUNT,
        "revocableReplicaCount": _COUNT,
        "partialReplicaCount": Field(Kind.FLOAT, output_only=True),
        "effectiveReplicaCount": Field(Kind.FLOAT, output_only=True),
    },
)
DEPLOYMENT = Message(
    "gateway.Deployment",
    {
        "name": _string(output_only=True),
        "displayName": _string(),
        "description": _string(),
        "createTime": _TIME,
        "updateTime": _TIME,
        "deleteTime": _TIME,
        "purgeTime": _TIME,
        "expireTime": Field(Kind.TIMESTAMP),
        "createdBy": _string(output_only=True),
        "state": _enum(*_words("STATE_UNSPECIFIED CREATING READY DELETING FAILED UPDATING DELETED"), output_only=True),
        "status": _message(_STATUS, output_only=True),
        "annotations": _STRING_MAP,
        "minReplicaCount": _INT32,
        "maxReplicaCount": _INT32,
        "maxWithRevocableReplicaCount": _INT32,
        "desiredReplicaCount": _COUNT,
        "replicaCount": _COUNT,
        "replicaStats": _message(_REPLICA_STATS, output_only=True),
        "autoscalingPolicy": _message(AUTOSCALING_POLICY),
        "baseModel": _string(),
        "acceleratorCount": _INT32,
        "acceleratorType": _enum("ACCELERATOR_TYPE_UNSPECIFIED", *ACCELERATORS),
        "precision": _enum("PRECISION_UNSPECIFIED", *PRECISIONS),
        "cluster": _string(output_only=True),
        "enableAddons": _BOOL,
        "draftModel": _string(),
        "draftTokenCount": _INT32,
        "ngramSpeculationLength": _INT32,
        "enableSessionAffinity": _BOOL,
        "directRouteType": _enum(
            "DIRECT_ROUTE_TYPE_UNSPECIFIED", "INTERNET", "GCP_PRIVATE_SERVICE_CONNECT", "AWS_PRIVATELINK"
        ),
        "directRouteApiKeys": _STRINGS,
        "directRouteHandle": _string(output_only=True),
        "numPeftDeviceCached": _INT32,
        "deploymentTemplate": _string(oneof="preconfig"),
        "autoTune": _message(Message("gateway.AutoTune", {"longPrompt": _BOOL}), oneof="preconfig"),
        "placement": _message(PLACEMENT),
        "region": _enum(*_REGION, output_only=True),
        "maxContextLength": _INT32,
        "maxConcurrencyPerReplica": _INT32,
        "disableDeploymentSizeValidation": _BOOL,
        "deploymentShape": _string(),
        "enableHotLoad": _BOOL,
        "hotLoadBucketType": _enum("BUCKET_TYPE_UNSPECIFIED", "MINIO", "S3", "NEBIUS", "FW_HOSTED"),
        "hotLoadBucketUrl": _string(),
        "hotLoadTrainerJob": _string(),
        "hotLoadTransitionType": _enum("TRANSITION_TYPE_UNSPECIFIED", "ASYNC", "SYNC"),
        "enableHotReloadLatestAddon": _BOOL,
        "enableMtp": _BOOL,
        "activeModelVersion": _string(),
        "targetModelVersion": _string(),
        "pricingPlanId": _string(),
        "preemptible": _BOOL,
        "forTraining": _BOOL,
    },
)
DEPLOYED_MODEL = Message(
    "gateway.DeployedModel",
    {
        "name": _string(output_only=True),
        "displayName": _string(),
        "description": _string(),
        "createTime": _TIME,
        "updateTime": _TIME,
        "model": _string(),
        "deployment": _string(),
        "default": _BOOL,
        "state": _enum(*_words("STATE_UNSPECIFIED DEPLOYING DEPLOYED UPDATING UNDEPLOYING"), output_only=True),
        "serverless": _BOOL,
        "status": _message(_STATUS, output_only=True),
        "public": _BOOL,
    },
)
SCALE = Message("gateway.ScaleDeploymentRequest", {"replicaCount": _INT32})
SET_TAGS = Message("gateway.SetTagsRequest", {"tags": _STRING_MAP})
DELETE_TAGS = Message("gateway.DeleteTagsRequest", {"keys": _STRINGS})
PREPARE = Message("gateway.PrepareModelRequest", {"precision": _enum("PRECISION_UNSPECIFIED", *PRECISIONS)})
EMPTY = Message("gateway.EmptyRequest", {})
MATCH_SHAPES = Message(
    "gateway.MatchDeploymentShapeVersionsRequest",
    {
        "createDeploymentRequest": _message(
            Message(
                "gateway.CreateDeploymentRequest",
                {"parent": _string(), "deployment": _message(DEPLOYMENT), "deploymentId": _string()},
            )
        ),
        "pageSize": _INT32,
        "pageToken": _string(),
    },
)
