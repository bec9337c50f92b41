"""Takes the secrets that this process has in hand out of texts before anybody sees them."""

import base64
import threading
import weakref
from collections import Counter, deque

from fireworks_operator.text import REDACTED, redact_shapes

LONGEST_TEXT = 8192
"""Characters of one text in a line of the log."""

# Below this length a "secret" would blank ordinary words out of every log line.
_SHORTEST_SECRET = 8
# Of the longest API key in base64, and some: characters.
_LONGEST_FORM = 1024


class SecretRegistry:
    """The secrets that this process has in hand; safe to use from several threads.

    Looked up by their first characters, so that a line of the log costs no more with thousands of them: each tenant may
    bring as many as it likes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: Counter[str] = Counter()
        # Each in plain and in base64, by how it begins.
        self._forms: dict[str, tuple[str, ...]] = {}
        self._left: deque[str] = deque()

    def register(self, value: str) -> None:
        """Remember a secret, in plain and in the base64 form in which Kubernetes shows it.

        Values of fewer than eight characters are ignored: no secrets, and they would blank out whole texts.
        """
        if len(value) < _SHORTEST_SECRET:
            return
        with self._lock:
            self._forget_left()
            self._users[value] += 1
            if self._users[value] == 1:
                for form in _forms(value):
                    self._forms[_beginning(form)] = (*self._forms.get(_beginning(form), ()), form)

    def leave(self, value: str) -> None:
        """Note that one of those who registered a secret no longer has it.

        It takes effect with the next use: the garbage collector calls this, perhaps in the middle of one.
        """
        self._left.append(value)

    def remove_from(self, text: str) -> str:
        """Return the text with every registered secret replaced by `[REDACTED]`."""
        with self._lock:
            self._forget_left()
            if not self._forms:
                return text
            beginnings = {text[at : at + _SHORTEST_SECRET] for at in range(len(text))} & self._forms.keys()
            found = [form for beginning in beginnings for form in self._forms[beginning]]
        # The longest first, so that a secret that contains another one goes as a whole.
        for form in sorted(found, key=len, reverse=True):
            text = text.replace(form, REDACTED)
        return text

    def _forget_left(self) -> None:
        while self._left:
            value = self._left.popleft()
            if len(value) < _SHORTEST_SECRET:
                continue
            self._users[value] -= 1
            if self._users[value] == 0:
                del self._users[value]
                for form in _forms(value):
                    self._drop(form)

    def _drop(self, form: str) -> None:
        others = list(self._forms.pop(_beginning(form)))
        others.remove(form)
        if others:
            self._forms[_beginning(form)] = tuple(others)


def _forms(value: str) -> tuple[str, str]:
    return value, base64.b64encode(value.encode()).decode()


def _beginning(form: str) -> str:
    return form[:_SHORTEST_SECRET]


_registry = SecretRegistry()


def register_secret(value: str, owner: object | None = None) -> None:
    """Make sure that this value never appears in a log line of this process, for as long as its owner lives."""
    _registry.register(value)
    if owner is not None:
        weakref.finalize(owner, _registry.leave, value).atexit = False


def redact(text: str, limit: int = LONGEST_TEXT) -> str:
    """Return the text without registered secrets and whatever else looks like a key or a bearer token.

    Of a text of more than `limit` characters only the beginning is looked at, and shown.
    """
    begun = redact_shapes(_registry.remove_from(text[: limit + _LONGEST_FORM]))
    # Whatever secret the cut went through is in what is left out.
    return begun if len(text) <= limit else f"{begun[:-_LONGEST_FORM]}…"
