"""What an event draws, so that Hypothesis can (and shrink it), and a long run with nothing but a seed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import rule

from testkit.promises.specs import EDITS

_CONNECTIONS = (None, {"configMapName": "one"}, {"configMapName": "two"})
_EDITS = {**EDITS, "connection": _CONNECTIONS}

Method = TypeVar("Method", bound=Callable[..., None])


class Choice(Protocol):
    """Something to be drawn."""

    def strategy(self) -> st.SearchStrategy[Any]:
        """How Hypothesis draws it."""
        ...

    def pick(self, random: Random) -> Any:  # noqa: ANN401 - values of any kind
        """Draw it by chance alone."""
        ...


class OneOf:
    """One of some values; the first is the simplest."""

    def __init__(self, *values: object) -> None:
        self._values: Sequence[object] = values

    def strategy(self) -> st.SearchStrategy[Any]:
        return st.sampled_from(self._values)

    def pick(self, random: Random) -> Any:  # noqa: ANN401
        return random.choice(self._values)


@dataclass(frozen=True, slots=True)
class Count:
    """A number between two, which are included."""

    least: int
    most: int

    def strategy(self) -> st.SearchStrategy[int]:
        return st.integers(self.least, self.most)

    def pick(self, random: Random) -> int:
        return random.randint(self.least, self.most)


class AnEdit:
    """A field of the spec and its new value."""

    def strategy(self) -> st.SearchStrategy[tuple[str, object]]:
        fields = st.sampled_from(sorted(_EDITS))
        return fields.flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(_EDITS[name])))

    def pick(self, random: Random) -> tuple[str, object]:
        name = random.choice(sorted(_EDITS))
        return name, random.choice(_EDITS[name])


@dataclass(frozen=True, slots=True)
class Edits:
    """Several edits."""

    least: int
    most: int

    def strategy(self) -> st.SearchStrategy[list[tuple[str, object]]]:
        return st.lists(AnEdit().strategy(), min_size=self.least, max_size=self.most)

    def pick(self, random: Random) -> list[tuple[str, object]]:
        return [AnEdit().pick(random) for _ in range(random.randint(self.least, self.most))]


YES_OR_NO = OneOf(False, True)


def event(**choices: Choice) -> Callable[[Method], Any]:
    """Make a method something that may happen at any time, with these arguments drawn."""

    def declare(method: Method) -> Any:  # noqa: ANN401 - as Hypothesis' own decorator
        strategies: dict[str, Any] = {name: each.strategy() for name, each in choices.items()}
        decorate: Any = rule(**strategies)
        declared: Any = decorate(method)
        declared.choices = choices
        return declared

    return declare


def events(machine: type) -> dict[str, dict[str, Choice]]:
    """Return the choices of all events of a machine, by the method's name."""
    found = {name: getattr(getattr(machine, name), "choices", None) for name in dir(machine)}
    return {name: choices for name, choices in sorted(found.items()) if choices is not None}
