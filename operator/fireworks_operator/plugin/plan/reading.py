"""The manifests that a plan is about: YAML and JSON, of files, directories and standard input."""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click
import yaml

from fireworks_operator.api.v1alpha1 import GROUP, KIND

STANDARD_INPUT: Final = "-"
SUFFIXES: Final = frozenset({".json", ".yaml", ".yml"})
"""Of the files that are read in a directory, as by kubectl."""
LARGEST: Final = 16 * 1024 * 1024
"""Bytes of one file that are read."""
MOST_VALUES: Final = 100_000
"""Of one manifest."""

Raw = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Manifest:
    """One FireworksDeployment, and the file that it stands in."""

    raw: Raw
    source: str
    namespace: str
    name: str

    @property
    def ref(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"


@dataclass(slots=True)
class Manifests:
    """What was read: the FireworksDeployments, and how many objects of each other kind."""

    found: list[Manifest] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


def read_manifests(names: Sequence[str], namespace: str, *, recursive: bool, chosen: bool) -> Manifests:
    """Read all manifests.

    Args:
        names: files, directories, or `-` for standard input.
        namespace: of manifests that name none.
        recursive: also read the directories below.
        chosen: the namespace was asked for, so that manifests must not name another one.

    Raises:
        click.ClickException: something cannot be read, or stands there twice.
    """
    manifests = Manifests()
    for name in names:
        for source, text in _texts(name, recursive=recursive):
            for raw in _objects(source, text):
                _take(manifests, raw, source, namespace, chosen=chosen)
    seen: dict[str, str] = {}
    for each in manifests.found:
        if each.ref in seen:
            raise click.ClickException(
                f"The {KIND} {each.ref} is in {seen[each.ref]} and in {each.source}: remove one of the two."
            )
        seen[each.ref] = each.source
    return manifests


def _take(manifests: Manifests, raw: Raw, source: str, namespace: str, *, chosen: bool) -> None:
    group = str(raw.get("apiVersion")).partition("/")[0]
    if raw.get("kind") != KIND or group != GROUP:
        manifests.skipped[str(raw.get("kind") or "without a kind")] += 1
        return
    metadata = raw.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    name, own = metadata.get("name"), metadata.get("namespace")
    if not isinstance(name, str) or not name:
        raise click.ClickException(f"{source}: a {KIND} has no metadata.name: a plan needs one (no generateName).")
    if chosen and own not in (None, namespace):
        raise click.ClickException(
            f'{source}: {name} is in namespace "{own}", but -n says "{namespace}": omit -n, or correct one of the two.'
        )
    place = own if isinstance(own, str) and own else namespace
    try:
        plain = _plain({**raw, "metadata": {**metadata, "namespace": place}}, [MOST_VALUES])
    except (ValueError, RecursionError):
        raise click.ClickException(f"{source}: {name} has more values than any {KIND} can have.") from None
    manifests.found.append(Manifest(plain, source, place, name))


def _plain(value: Any, left: list[int]) -> Any:  # noqa: ANN401 - any JSON
    """Return a value as JSON has it: dates as texts, and aliases of YAML, which can stand for millions, spelt out.

    Raises:
        ValueError: it holds more values than are `left`.
    """
    left[0] -= 1
    if left[0] < 0:
        raise ValueError("too many")
    if isinstance(value, dict):
        return {str(key): _plain(each, left) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each, left) for each in value]
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _texts(name: str, *, recursive: bool) -> Iterator[tuple[str, str]]:
    if name == STANDARD_INPUT:
        text = sys.stdin.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise click.ClickException(f"Standard input is larger than {LARGEST // 2**20} MiB.")
        yield "standard input", text
        return
    path = Path(name)
    if not path.is_dir():
        yield name, _read(path)
        return
    files = path.rglob("*") if recursive else path.glob("*")
    found = sorted(each for each in files if each.suffix in SUFFIXES and each.is_file())
    if not found:
        more = "" if recursive else "; -R also reads the directories below"
        raise click.ClickException(f"There is no .yaml, .yml or .json file in {name}{more}.")
    for each in found:
        yield str(each), _read(each)


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise click.ClickException(f"{path} is larger than {LARGEST // 2**20} MiB.")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise click.ClickException(f"{path} cannot be read: {reason}.") from None


def _objects(source: str, text: str) -> Iterator[Raw]:
    """Yield the objects of a text, those of Lists one by one."""
    try:
        documents = list(yaml.load_all(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise click.ClickException(f"{source} is neither YAML nor JSON: {' '.join(str(error).split())}") from None
    for document in documents:
        if document is None:
            continue
        if not isinstance(document, dict):
            raise click.ClickException(f"{source}: a document is not an object.")
        yield from _items(source, document)


def _items(source: str, document: Mapping[str, Any]) -> Iterator[Raw]:
    items = document.get("items")
    if not str(document.get("kind")).endswith("List") or not isinstance(items, list):
        yield dict(document)
        return
    for item in items:
        if not isinstance(item, dict):
            raise click.ClickException(f"{source}: an item of a List is not an object.")
        yield dict(item)
