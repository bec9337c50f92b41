"""Filters of lists: the part of AIP-160 with comparisons, AND, OR, NOT and parentheses."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fireworks_simulator.wire import JsonObject, JsonValue, camel, invalid

Filter = Callable[[JsonObject], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<op><=|>=|!=|[=<>:])|(?P<paren>[()])|(?P<string>\"(?:[^\"\\]|\\.)*\")|(?P<word>[^\s\"()=<>!:]+))"
)
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_COMPARISONS: Mapping[str, Callable[[JsonValue, str], bool]] = {
    "=": lambda value, wanted: _text(value) == wanted,
    "!=": lambda value, wanted: _text(value) != wanted,
    "<": lambda value, wanted: _order(value, wanted) < 0,
    "<=": lambda value, wanted: _order(value, wanted) <= 0,
    ">": lambda value, wanted: _order(value, wanted) > 0,
    ">=": lambda value, wanted: _order(value, wanted) >= 0,
    ":": lambda value, wanted: _has(value, wanted),
}


def parse_filter(text: str, known: Mapping[str, object]) -> Filter | None:
    """Parse a filter; field names in snake_case or camelCase, a missing field is empty. None for an empty one.

    Raises:
        ApiError: 400 code 3 for a syntax that is not supported or a field that is not in `known`.
    """
    tokens = _tokens(text)
    if not tokens:
        return None
    parser = _Parser(tokens, known)
    found = parser.disjunction()
    if parser.position < len(tokens):
        raise invalid(f"invalid filter: expected AND at position {tokens[parser.position].start}")
    return found


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise invalid(f"invalid filter: syntax error at position {position}")
        tokens.append(_Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        position = match.end()
    return tokens


@dataclass(slots=True)
class _Parser:
    """Recursive descent; in AIP-160, OR binds more tightly than AND, and a blank is an AND."""

    tokens: Sequence[_Token]
    known: Mapping[str, object]
    position: int = 0

    def disjunction(self) -> Filter:
        """A sequence of terms joined by AND."""
        found = [self.alternatives()]
        while self.take("word", "AND"):
            found.append(self.alternatives())
        return found[0] if len(found) == 1 else lambda resource: all(each(resource) for each in found)

    def alternatives(self) -> Filter:
        """Terms joined by OR."""
        found = [self.term()]
        while self.take("word", "OR"):
            found.append(self.term())
        return found[0] if len(found) == 1 else lambda resource: any(each(resource) for each in found)

    def term(self) -> Filter:
        """A comparison or something in parentheses, perhaps negated."""
        if self.take("word", "NOT"):
            inner = self.term()
            return lambda resource: not inner(resource)
        if self.take("paren", "("):
            inner = self.disjunction()
            if not self.take("paren", ")"):
                raise self.wrong()
            return inner
        return self.comparison()

    def comparison(self) -> Filter:
        """A field, an operator and a value."""
        name = self.next("word")
        if not _FIELD.fullmatch(name.text):
            raise invalid(f"invalid filter: syntax error at position {name.start}")
        path = tuple(camel(part) for part in name.text.split("."))
        if path[0] not in self.known or path[0] == "annotations":
            raise invalid(f'invalid filter: unknown field "{name.text}"')
        compare = _COMPARISONS[self.next("op").text]
        value = self.next("string", "word")
        wanted = str(json.loads(value.text)) if value.kind == "string" else value.text
        return lambda resource: compare(_look_up(resource, path), wanted)

    def take(self, kind: str, text: str) -> bool:
        """Go past a token if it is the next one."""
        found = self.position < len(self.tokens) and (
            self.tokens[self.position].kind == kind and self.tokens[self.position].text == text
        )
        self.position += found
        return found

    def next(self, *kinds: str) -> _Token:
        """The next token, which must be of one of these kinds."""
        if self.position >= len(self.tokens) or self.tokens[self.position].kind not in kinds:
            raise self.wrong()
        self.position += 1
        return self.tokens[self.position - 1]

    def wrong(self) -> Exception:
        """The error for a token that does not belong where it is."""
        ended = self.position >= len(self.tokens)
        where = "the end" if ended else f"position {self.tokens[self.position].start}"
        return invalid(f"invalid filter: syntax error at {where}")


def _look_up(resource: JsonObject, path: Sequence[str]) -> JsonValue:
    value: JsonValue = resource
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _order(value: JsonValue, wanted: str) -> int:
    """Below, at or above 0 as a value comes before, is or comes after the one in the filter."""
    if isinstance(value, (int, float)) or (value is None and _NUMBER.fullmatch(wanted)):
        if not _NUMBER.fullmatch(wanted):
            raise invalid(f"invalid filter: {wanted} is no number")
        number, limit = float(value or 0), float(wanted)
        return (number > limit) - (number < limit)
    text = _text(value)
    return (text > wanted) - (text < wanted)


def _has(value: JsonValue, wanted: str) -> bool:
    """Whether a list or map has an element, a text has a part, or (`*`) there is anything."""
    if wanted == "*":
        return value not in (None, "", 0, False)
    if isinstance(value, (list, dict)):
        return wanted in [_text(each) for each in value]
    return wanted in _text(value)
