"""What Fireworks says it bills: GPU-seconds of dedicated deployments by day, without dollars (REST: billingUsage)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

from pydantic import ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

from .fields import Enum, Integer, Name, Text, Time, children, json_object, read


@dataclass(frozen=True, slots=True)
class Usage:
    """GPU-seconds of one deployment on one day.

    `deployment` is an id or a full name, as the service sends it; `placement` a region, a group of regions or GLOBAL.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(alias_generator=to_camel)

    deployment: Annotated[Name, Field(alias="deploymentId")] = ""
    accelerator_type: Enum = ""
    gpu_seconds: Annotated[Integer, Field(alias="acceleratorSeconds")] = 0
    start_time: Time = None
    end_time: Time = None
    base_model: Name = ""
    placement: Text = ""

    @classmethod
    def parse(cls, value: JsonValue) -> Self:
        """Read one line.

        Raises:
            FireworksError: PROTOCOL, if a field is not of its type.
        """
        return read(cls, json_object(value, "a line of usage"))

    @property
    def deployment_id(self) -> str:
        """The last segment of the deployment's name."""
        return self.deployment.rsplit("/", 1)[-1]


def parse_usage(value: JsonValue) -> tuple[Usage, ...]:
    """Read an answer; the list may be left out if it is empty.

    Raises:
        FireworksError: PROTOCOL, if it is no such answer.
    """
    return tuple(map(Usage.parse, children(json_object(value, "usage"), "dedicatedCosts")))
