"""What Fireworks says about deployment shapes, read leniently as all else (models.py)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

from pydantic import ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

from .fields import Boolean, Count, Enum, Name, children, json_object, protocol_error, read
from .names import is_resource_name


@dataclass(frozen=True, slots=True)
class DeploymentShape:
    """A deployment shape: hardware and settings that Fireworks has validated for a model (REST reference, shapes).

    `preset` is a constant such as `FAST`, empty where it has none; what the shape leaves open is 0 or empty.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(alias_generator=to_camel)

    name: str
    base_model: Name = ""
    preset: Annotated[Enum, Field(alias="presetType")] = ""
    accelerator_type: Enum = ""
    accelerator_count: Count = 0
    precision: Enum = ""
    max_context_length: Count = 0
    enable_addons: Boolean = False

    @classmethod
    def of_version(cls, value: JsonValue) -> Self:
        """Read the shape in one of its versions.

        Raises:
            FireworksError: PROTOCOL, if the shape has no name or a field is not of its type.
        """
        shape = json_object(json_object(value, "a version of a shape").get("snapshot"), "the snapshot of a shape")
        name = shape.get("name")
        if not isinstance(name, str) or not is_resource_name(name, "deploymentShapes"):
            raise protocol_error("a shape without a name such as accounts/A/deploymentShapes/ID")
        return read(cls, shape)


def parse_shapes(value: JsonValue) -> tuple[DeploymentShape, ...]:
    """Read one page of versions of shapes; the list may be left out if it is empty.

    Raises:
        FireworksError: PROTOCOL, if it is no such page.
    """
    page = json_object(value, "a list")
    return tuple(map(DeploymentShape.of_version, children(page, "deploymentShapeVersions")))
