"""What users read of one deployment of a resource, of which there are two while it is being replaced."""

from typing import Annotated

from .base import SENTENCE_LENGTH, ApiModel, Schema, Time


class Replicas(ApiModel):
    """How many replicas there are, by stage."""

    desired: Annotated[int, Schema("Replicas that the autoscaler wants now.", minimum=0)] = 0
    ready: Annotated[int, Schema("Replicas that are serving requests.", minimum=0)] = 0
    pending_scheduling: Annotated[int, Schema("Replicas waiting for free GPUs.", minimum=0)] = 0
    downloading_model: Annotated[int, Schema("Replicas downloading the model.", minimum=0)] = 0
    initializing: Annotated[int, Schema("Replicas loading the model onto their GPUs.", minimum=0)] = 0
    revocable: Annotated[
        int | None,
        Schema("Replicas on revocable capacity, which Fireworks may take back; absent if not reported.", minimum=0),
    ] = None
    effective: Annotated[
        float | None,
        Schema(
            "Replicas that are serving, with the progress of one that is not fully ready as a fraction, to a tenth; "
            "absent if not reported.",
            minimum=0,
        ),
    ] = None
    waiting_since: Annotated[
        Time | None,
        Schema(
            "Time since which a deployment that was serving has had no ready replica, or too few while some wait for "
            "GPUs; absent while there are enough."
        ),
    ] = None


class DirectRouteSecret(ApiModel):
    """The version of a Secret whose API keys were sent to Fireworks; it tells nothing about the keys."""

    name: Annotated[str, Schema("Name of the Secret.", max_length=253)]
    keys: Annotated[
        list[Annotated[str, Schema(max_length=253)]],
        Schema("The keys of the Secret that held the API keys.", max_items=16, list_type="atomic"),
    ]
    uid: Annotated[str, Schema("metadata.uid of the Secret.", max_length=128)]
    resource_version: Annotated[str, Schema("metadata.resourceVersion of the Secret.", max_length=128)]


class LastAttempt(ApiModel):
    """The last attempt that failed or must not be repeated soon; it lets pauses survive a restart."""

    action: Annotated[str, Schema("The action that was attempted.", max_length=64)]
    target: Annotated[
        str | None,
        Schema("The deployment it was attempted on; absent if written by an older version.", max_length=256),
    ] = None
    generation: Annotated[int, Schema("The metadata.generation it was attempted for.", minimum=0)]
    count: Annotated[int, Schema("Number of attempts in a row.", minimum=0)]
    time: Annotated[Time, Schema("When.")]
    reason: Annotated[str, Schema("Why it failed.", max_length=1024)]
    message: Annotated[str | None, Schema("The condition message about the failure.", max_length=SENTENCE_LENGTH)] = (
        None
    )


class AddonStatus(ApiModel):
    """One LoRA addon that the operator has loaded, or is about to load."""

    model: Annotated[str, Schema("The LoRA model.", max_length=512)]
    deployed_model: Annotated[
        str | None, Schema("Its name on the deployment, accounts/ACCOUNT/deployedModels/ID.", max_length=512)
    ] = None
    state: Annotated[
        str | None,
        Schema("Its state as reported by Fireworks: DEPLOYING, DEPLOYED, UPDATING or UNDEPLOYING.", max_length=64),
    ] = None
    model_identifier: Annotated[str | None, Schema("The value of model in an inference request.", max_length=1024)] = (
        None
    )
    message: Annotated[str | None, Schema("What is wrong with the addon, if anything.", max_length=SENTENCE_LENGTH)] = (
        None
    )
