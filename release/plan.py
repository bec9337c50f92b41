"""What a release consists of: its version, and the name and address of everything that is published."""

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from release.errors import ReleaseError, run

ROOT: Final = Path(__file__).resolve().parents[1]
TARGETS: Final = ("operator", "simulator")
"""Stages of the Dockerfile, each of which becomes an image."""
SOURCE_PLACEHOLDER: Final = "https://git.example.com/platform/fireworks-operator"
"""The repository's address in files that do not know the real one."""
REGISTRY_PLACEHOLDER: Final = "registry.example.com"
"""The registry's name in files that do not know the real one."""
_REGISTRY = re.compile(r"[a-z0-9][a-z0-9.-]*(:\d+)?(/[a-z0-9][a-z0-9._-]*)*")


@dataclass(frozen=True, slots=True)
class Plan:
    """Names and addresses of one release.

    Attributes:
        version: As in pyproject.toml, without a leading `v`; also the tag of the images and the version of the chart.
        registry: Host and path below which images and the chart are pushed.
        source: Address of the repository.
        revision: The commit.
        created: When the commit was made (RFC 3339). The time of the build would make each build a different image.
    """

    version: str
    registry: str
    source: str
    revision: str
    created: str

    def __post_init__(self) -> None:
        """Refuse what is no registry before anything is built for it."""
        if not _REGISTRY.fullmatch(self.registry):
            raise ReleaseError(
                f"REGISTRY={self.registry!r} must be a host and a path in lower case, such as ghcr.io/platform"
            )

    @property
    def tag(self) -> str:
        """The tag in Git."""
        return f"v{self.version}"

    def repository(self, target: str) -> str:
        """Return where an image is pushed, without a tag."""
        return f"{self.registry}/fireworks-{target}"

    def image(self, target: str) -> str:
        """Return the name of an image, with the tag that the workflow pushes and the chart asks for."""
        return f"{self.repository(target)}:{self.version}"

    @property
    def chart_folder(self) -> str:
        """Where charts are pushed, for `helm push`."""
        return f"{self.registry}/charts"

    @property
    def chart(self) -> str:
        """The chart as an OCI artifact, without a tag."""
        return f"{self.chart_folder}/fireworks-operator"

    def asset_url(self, name: str) -> str:
        """Return where a file of the release can be downloaded."""
        return f"{self.source}/releases/download/{self.tag}/{name}"

    def build_arguments(self) -> dict[str, str]:
        """Return the arguments of the Dockerfile that end in labels of the image."""
        return {
            "VERSION": self.version,
            "REVISION": self.revision,
            "CREATED": self.created,
            "SOURCE": self.source,
        }


def project_version() -> str:
    """Return the version in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def make_plan(registry: str, source: str) -> Plan:
    """Return the plan for the commit that is checked out."""
    revision, created = "unknown", "1970-01-01T00:00:00Z"
    if (ROOT / ".git").exists():
        shown = run(
            ["git", "show", "--no-patch", "--format=%H %cd", "--date=format-local:%Y-%m-%dT%H:%M:%SZ", "HEAD"],
            folder=ROOT,
            environment=_utc(),
        )
        revision, created = shown.stdout.split()
    return Plan(project_version(), registry, source.removesuffix(".git").rstrip("/"), revision, created)


def _utc() -> dict[str, str]:
    return {**os.environ, "TZ": "UTC"}
