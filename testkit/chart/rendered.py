"""Rendered manifests, and the questions that these tests ask of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Manifests:
    """All objects of one rendering."""

    objects: tuple[Json, ...]

    @classmethod
    def parse(cls, text: str) -> "Manifests":
        """Read a stream of YAML documents; empty ones do not count."""
        return cls(tuple(each for each in yaml.load_all(text, Loader=yaml.CSafeLoader) if each is not None))

    def __iter__(self) -> Iterator[Json]:
        return iter(self.objects)

    def of(self, kind: str) -> list[Json]:
        """Return all objects of a kind."""
        return [each for each in self.objects if each["kind"] == kind]

    def the(self, kind: str) -> Json:
        """Return the only object of a kind."""
        (found,) = self.of(kind)
        return found

    def kinds(self) -> set[str]:
        """Return the kinds that there are."""
        return {str(each["kind"]) for each in self.objects}

    @property
    def pod(self) -> Json:
        """Spec of the operator's pods."""
        spec: Json = self.the("Deployment")["spec"]["template"]["spec"]
        return spec

    @property
    def container(self) -> Json:
        """The operator's container."""
        (container,) = (each for each in self.pod["containers"] if each["name"] == "operator")
        found: Json = container
        return found

    def environment(self) -> dict[str, str]:
        """Return the container's plain environment variables."""
        return {each["name"]: each["value"] for each in self.container["env"] if "value" in each}

    def rules(self, kind: str, name: str | None = None) -> set[tuple[str, str, str, tuple[str, ...]]]:
        """Return what the roles of a kind permit: verb, API group, resource and names (empty: all)."""
        found = [each for each in self.of(kind) if name is None or each["metadata"]["name"] == name]
        return {permission for role in found for rule in role["rules"] for permission in _permissions(rule)}


def _permissions(rule: Mapping[str, Any]) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    names = tuple(rule.get("resourceNames", ()))
    for group in rule["apiGroups"]:
        for resource in rule["resources"]:
            for verb in rule["verbs"]:
                yield verb, group, resource, names
