"""Deployment shapes: those that exist from the start, and those that tests add."""

from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from fireworks_simulator.clock import timestamp
from fireworks_simulator.wire import JsonObject

WORDS = ("default", "minimal", "throughput", "fast")
"""What `deploymentShape` may say instead of a name: the service's choice, or a preset."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A bundle of hardware and serving settings for one model, with a single version.

    `settings` are fields of a deployment. `addons` says whether LoRA addons can be enabled in it.
    """

    name: str
    version: str
    model: str
    preset: str
    settings: JsonObject = field(hash=False)
    addons: bool = False
    public: bool = True
    validated: bool = True

    @property
    def version_name(self) -> str:
        """Resource name of its version."""
        return f"{self.name}/versions/{self.version}"

    @property
    def account(self) -> str:
        """The account that owns it."""
        return self.name.split("/")[1]

    def readable(self, account: str) -> bool:
        """Whether an account may see and use it."""
        return self.public or self.account == account

    def conflicts(self, config: JsonObject) -> list[str]:
        """The fields of a deployment that say something else than the shape, by name."""
        found = [name for name, value in self.settings.items() if config.get(name, value) != value]
        if config.get("enableAddons") is True and not self.addons:
            found.append("enableAddons")
        return sorted(found)

    def to_wire(self, created: float) -> JsonObject:
        """The shape as an answer has it."""
        return {
            "name": self.name,
            "displayName": self.name.rsplit("/", 1)[-1],
            "baseModel": self.model,
            "presetType": self.preset,
            "createTime": timestamp(created),
            "updateTime": timestamp(created),
            "enableAddons": self.addons,
            **self.settings,
        }

    def version_to_wire(self, created: float) -> JsonObject:
        """Its version as an answer has it."""
        return {
            "name": self.version_name,
            "createTime": timestamp(created),
            "snapshot": self.to_wire(created),
            "validated": self.validated,
            "public": self.public,
            "latestValidated": self.validated,
        }


class ShapeBody(BaseModel):
    """A shape as a test adds it; it is private unless `public`."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)

    name: str = Field(pattern=r"^accounts/[^/]+/deploymentShapes/[^/]+$")
    version: str = Field(default="v1", pattern=r"^[a-z0-9]+$")
    base_model: str = Field(pattern=r"^accounts/[^/]+/models/[^/]+$")
    preset_type: str = "PRESET_TYPE_UNSPECIFIED"
    accelerator_type: str = "NVIDIA_H100_80GB"
    accelerator_count: int = Field(default=1, ge=1)
    precision: str = "BF16"
    enable_addons: bool = False
    max_context_length: int | None = Field(default=None, ge=1)
    draft_model: str | None = None
    draft_token_count: int | None = Field(default=None, ge=1)
    public: bool = False
    validated: bool = True

    def shape(self) -> Shape:
        """The shape that is meant."""
        settings: JsonObject = self.model_dump(
            by_alias=True,
            exclude_none=True,
            include={
                "accelerator_type",
                "accelerator_count",
                "precision",
                "max_context_length",
                "draft_model",
                "draft_token_count",
            },
        )
        return Shape(
            self.name,
            self.version,
            self.base_model,
            self.preset_type,
            settings,
            self.enable_addons,
            self.public,
            self.validated,
        )


_H100, _H200, _B200 = "NVIDIA_H100_80GB", "NVIDIA_H200_141GB", "NVIDIA_B200_180GB"


def _shape(model: str, preset: str, version: str, accelerator: str, count: int, precision: str) -> Shape:
    """A shape of Fireworks' own; addons need 16 bits, and mixtures of experts take none."""
    settings: JsonObject = {"acceleratorType": accelerator, "acceleratorCount": count, "precision": precision}
    id_ = f"{model.removesuffix('-instruct')}-{preset.lower()}"
    addons = precision == "BF16" and not model.startswith(("mixtral", "deepseek", "gpt-oss", "qwen3"))
    name = f"accounts/fireworks/deploymentShapes/{id_}"
    return Shape(name, version, f"accounts/fireworks/models/{model}", preset, settings, addons)


SHAPES = (
    _shape("gpt-oss-120b", "MINIMAL", "xu5j0oe4", _H200, 1, "FP4"),
    _shape("gpt-oss-120b", "THROUGHPUT", "edu6lf2d", _H100, 4, "FP4"),
    _shape("gpt-oss-120b", "FAST", "q8s0ymlz", _H200, 4, "FP4"),
    _shape("llama-v3p1-8b-instruct", "MINIMAL", "a1b2c3d4", _H100, 1, "BF16"),
    _shape("llama-v3p1-8b-instruct", "FAST", "e5f6g7h8", _H100, 2, "FP8"),
    _shape("llama-v3p1-8b-instruct", "THROUGHPUT", "h2t7c0ab", _H100, 1, "FP8"),
    _shape("llama-v3p2-1b-instruct", "MINIMAL", "k3m1zz0a", _H100, 1, "BF16"),
    _shape("llama-v3p2-1b-instruct", "FAST", "k3f1zz0b", _H200, 1, "BF16"),
    _shape("llama-v3p2-1b-instruct", "THROUGHPUT", "k3t1zz0c", _H100, 1, "BF16"),
    _shape("llama-v3p2-3b-instruct", "MINIMAL", "n4m3yy0a", _H100, 1, "BF16"),
    _shape("llama-v3p2-3b-instruct", "FAST", "n4f3yy0b", _H200, 1, "BF16"),
    _shape("llama-v3p2-3b-instruct", "THROUGHPUT", "n4t3yy0c", _H100, 1, "BF16"),
    _shape("llama-v3p3-70b-instruct", "MINIMAL", "r7m0xx0a", _H100, 2, "FP8"),
    _shape("llama-v3p3-70b-instruct", "THROUGHPUT", "r7t0xx0c", _H100, 4, "BF16"),
    _shape("llama-v3p3-70b-instruct", "FAST", "r7f0xx0b", _H200, 4, "FP8"),
    _shape("qwen2p5-0p5b-instruct", "MINIMAL", "s0m5ww0a", _H100, 1, "BF16"),
    _shape("qwen2p5-7b-instruct", "MINIMAL", "t7m2vv0a", _H100, 1, "BF16"),
    _shape("qwen2p5-7b-instruct", "FAST", "t7f2vv0b", _H200, 1, "BF16"),
    _shape("qwen2p5-7b-instruct", "THROUGHPUT", "t7t2vv0c", _H100, 1, "BF16"),
    _shape("qwen2p5-14b-instruct", "MINIMAL", "w4m2uu0a", _H100, 1, "BF16"),
    _shape("qwen2p5-14b-instruct", "FAST", "w4f2uu0b", _H200, 1, "BF16"),
    _shape("qwen2p5-14b-instruct", "THROUGHPUT", "w4t2uu0c", _H100, 1, "BF16"),
    _shape("qwen2p5-72b-instruct", "MINIMAL", "u2m7tt0a", _H100, 2, "FP8"),
    _shape("qwen2p5-72b-instruct", "THROUGHPUT", "u2t7tt0c", _H100, 4, "BF16"),
    _shape("qwen2p5-72b-instruct", "FAST", "u2f7tt0b", _H200, 4, "FP8"),
    _shape("qwen3-8b", "MINIMAL", "v8m3ss0a", _H100, 1, "FP8"),
    _shape("qwen3-8b", "FAST", "v8f3ss0b", _H200, 2, "FP8"),
    _shape("qwen3-8b", "THROUGHPUT", "v8t3ss0c", _H100, 2, "FP8"),
    _shape("mixtral-8x7b-instruct", "MINIMAL", "w7m8rr0a", _H100, 2, "BF16"),
    _shape("mixtral-8x7b-instruct", "THROUGHPUT", "w7t8rr0c", _H100, 4, "BF16"),
    _shape("deepseek-v3", "MINIMAL", "x3m6qq0a", _H200, 8, "FP8"),
    _shape("deepseek-v3", "FAST", "x3f6qq0b", _B200, 8, "FP8"),
    _shape("deepseek-v3", "THROUGHPUT", "x3t6qq0c", _B200, 8, "FP8"),
    _shape("qwen3-embedding-8b", "MINIMAL", "y8m3pp0a", _H100, 1, "FP16"),
)
"""Shapes of Fireworks' own, for each base model of the catalogue; drafters have none."""
