"""Combinations of values as rows of a table: what the chart makes of each, or in which words it is refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from testkit.chart.rendered import Json, Manifests

DEPLOYMENT = "Deployment"
POD = "Deployment spec template spec"
CONTAINER = f"{POD} containers operator"


@dataclass(frozen=True, slots=True)
class Combination:
    """One row.

    Attributes:
        name: what it is about.
        values: what a user sets.
        shows: by a path such as `Deployment spec replicas`, what is rendered there; None: nothing.
        refused: words of the refusal; empty: it is accepted.
        by_server: the refusal is the API server's, since what is refused is none of the chart's own.
        release: name of the release; empty: one made of the row's number.
        arguments: more arguments of `helm template`.
    """

    name: str
    values: Mapping[str, Any]
    shows: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""
    by_server: bool = False
    release: str = ""
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name

    @property
    def accepted(self) -> bool:
        """Whether an API server takes what is rendered."""
        return not self.refused


def row(name: str, values: Mapping[str, Any], shows: Mapping[str, Any], **more: Any) -> Combination:  # noqa: ANN401
    """Return a row that is accepted."""
    return Combination(name, values, shows, **more)


def refused(name: str, values: Mapping[str, Any], words: str, **more: Any) -> Combination:  # noqa: ANN401
    """Return a row that is refused."""
    return Combination(name, values, refused=words, **more)


def at(manifests: Manifests, path: str) -> Any:  # noqa: ANN401
    """Return what is rendered at a path: the kind, keys, and names or numbers of list entries; None: nothing."""
    kind, *keys = path.split()
    found: Any = next(iter(manifests.of(kind)), None)
    for key in keys:
        found = _below(found, key)
    return found


def _below(found: Json | list[Any] | None, key: str) -> Any:  # noqa: ANN401
    if isinstance(found, list):
        if key.isdigit():
            return found[int(key)] if int(key) < len(found) else None
        return next((each for each in found if each["name"] == key), None)
    return None if found is None else found.get(key)
