"""What users read of fallbacks: `status.choice`."""

from typing import Annotated

from .base import ApiModel, Schema, Time

_INDEX = Schema("0 for the spec itself, else the place in spec.fallbacks, from 1.", minimum=0)


class ChosenPlacement(ApiModel):
    """Where the replicas of a choice run."""

    region: Annotated[str | None, Schema("One region.", max_length=64)] = None
    multi_region: Annotated[str | None, Schema("A group of regions.", max_length=64)] = None
    regions: Annotated[
        list[Annotated[str, Schema(max_length=64)]] | None,
        Schema("Several regions.", max_items=32, list_type="atomic"),
    ] = None


class ChosenHardware(ApiModel):
    """What a choice asks for; what is absent, Fireworks decides."""

    accelerator_type: Annotated[str | None, Schema("GPU type.", max_length=64)] = None
    accelerator_count: Annotated[int | None, Schema("GPUs per replica.", minimum=0)] = None
    placement: Annotated[ChosenPlacement | None, Schema("Where the replicas run.")] = None
    deployment_shape: Annotated[str | None, Schema("Deployment shape.", max_length=256)] = None


class GivenUp(ApiModel):
    """A choice that was given up."""

    index: Annotated[int, _INDEX]
    hardware: Annotated[str, Schema("What it is, in words.", example="NVIDIA_H100_80GB in EUROPE", max_length=512)]
    reason: Annotated[
        str,
        Schema(
            "Why: CapacityPending, QuotaExceeded, or Skipped, since the account had no such GPUs shortly before.",
            max_length=1024,
        ),
    ]
    time: Annotated[Time, Schema("When.")]


class Choice(ChosenHardware):
    """What the deployment is to run on, of the spec and its fallbacks."""

    index: Annotated[int, _INDEX]
    since: Annotated[Time, Schema("When it was chosen.")]
    requested: Annotated[
        str, Schema("Digest of the spec's own hardware then. When that changes, the choice is void.", max_length=64)
    ]
    revision: Annotated[
        str, Schema("Digest of all choices then. When they change, a new deployment starts over.", max_length=64)
    ]
    replaces: Annotated[
        Time | None, Schema("createTime of the deployment that is deleted for this choice, while there is one.")
    ] = None
    given_up: Annotated[
        list[GivenUp] | None, Schema("What was given up, the latest last.", max_items=6, list_type="atomic")
    ] = None
