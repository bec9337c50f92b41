"""Single Secrets, read by name; a few values of each are kept, for a minute. Secrets are never listed or watched."""

import asyncio
import base64
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakValueDictionary

from fireworks_operator.ports import (
    LONGEST_VALUE,
    KubernetesUnavailableError,
    ResourceGoneError,
    SecretExcerpt,
    SecretForbiddenError,
    tell_names,
)

from .client import KubernetesClient, KubernetesForbiddenError

FOUND_FOR: Final = 60.0
"""Seconds for which the data of a Secret is taken from memory."""

MISSING_FOR: Final = 5.0
"""Seconds for which "does not exist" and "not allowed" are believed: soon over, since somebody is at it."""

UNANSWERED_FOR: Final = 1.0
"""Seconds for which a failed read stands for those that wait behind it, so that time-outs do not add up."""

AT_ONCE: Final = 4
"""Secrets that are being read at a time: each may have a megabyte, of which all but a few short values is dropped."""

# Base64 of one byte more than is looked at, so that a value that is too long can be told.
_LONGEST_ENCODED: Final = (LONGEST_VALUE // 3 + 1) * 4
_Question = tuple[str, str, tuple[str, ...]]
_SECRET_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the API server last said about one Secret.

    Attributes:
        asked_at: when the read began; whatever changed before that is in it.
        expires_at: until when it is believed.
        excerpt: what was wanted of it, None if there is no such Secret.
        error: raised instead, if set.
    """

    asked_at: float
    expires_at: float
    excerpt: SecretExcerpt | None = None
    error: SecretForbiddenError | KubernetesUnavailableError | None = None


class KubernetesSecrets:
    """Implements `SecretReader`.

    Reads of one Secret queue up behind each other, and each looks first whether the one before it has brought an
    answer that is new enough: a hundred resources with one Secret cost one GET, also with `fresh`.

    Args:
        client: where to read.
        clock: seconds, monotonic.
    """

    def __init__(self, client: KubernetesClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        # By namespace, name and wanted keys, the oldest first.
        self._answers: dict[_Question, _Answer] = {}
        self._locks: WeakValueDictionary[_Question, asyncio.Lock] = WeakValueDictionary()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._timer: asyncio.TimerHandle | None = None

    async def read(
        self, namespace: str, name: str, wanted: tuple[str, ...], *, fresh: bool = False
    ) -> SecretExcerpt | None:
        """Return what a Secret has under the wanted keys, None if it does not exist.

        Args:
            namespace: of the Secret.
            name: of the Secret; one that no Secret can have is answered with None.
            wanted: keys of its data.
            fresh: accept only an answer to a question asked from now on.

        Raises:
            SecretForbiddenError: the operator lacks the permission.
            KubernetesUnavailableError: no answer.
        """
        if not _SECRET_NAME.fullmatch(name) or not _SECRET_NAME.fullmatch(namespace):
            return None
        question = (namespace, name, wanted)
        wanted_since = self._clock()
        async with self._locks.setdefault(question, asyncio.Lock()):
            answer = self._answers.get(question)
            if answer is None or not self._is_usable(answer, wanted_since, fresh=fresh):
                async with self._places:
                    answer = await self._ask(*question)
                self._keep(question, answer)
        if answer.error is not None:
            raise answer.error.with_traceback(None)
        return answer.excerpt

    def _is_usable(self, answer: _Answer, wanted_since: float, *, fresh: bool) -> bool:
        if answer.asked_at >= wanted_since:
            return True
        return not fresh and self._clock() < answer.expires_at

    async def _ask(self, namespace: str, name: str, wanted: tuple[str, ...]) -> _Answer:
        asked_at = self._clock()
        try:
            secret = await self._client.request("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}")
        except ResourceGoneError:
            return _Answer(asked_at, self._clock() + MISSING_FOR)
        except KubernetesForbiddenError as error:
            return _Answer(asked_at, self._clock() + MISSING_FOR, error=SecretForbiddenError(str(error)))
        except KubernetesUnavailableError as error:
            return _Answer(asked_at, self._clock() + UNANSWERED_FOR, error=error)
        excerpt = _excerpt(secret, wanted)
        return _Answer(asked_at, self._clock() + FOUND_FOR, excerpt)

    def _keep(self, question: _Question, answer: _Answer) -> None:
        self._answers.pop(question, None)
        self._answers[question] = answer
        self._forget()

    def _forget(self) -> None:
        """Drop the answers that are older than any is believed, now and for as long as there are any."""
        long_ago = self._clock() - FOUND_FOR
        while self._answers:
            question, answer = next(iter(self._answers.items()))
            if answer.asked_at > long_ago:
                break
            del self._answers[question]
        if self._answers and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FOUND_FOR, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._forget()


def _excerpt(secret: Mapping[str, Any], wanted: tuple[str, ...]) -> SecretExcerpt:
    """Decode what is wanted, and no more of it than is looked at."""
    encoded: Mapping[str, str] = secret.get("data") or {}
    values = {key: base64.b64decode(encoded[key][:_LONGEST_ENCODED]) for key in wanted if encoded.get(key)}
    cut = {key: value if len(value) <= LONGEST_VALUE else None for key, value in values.items()}
    metadata = secret.get("metadata") or {}
    uid, version = str(metadata.get("uid", "")), str(metadata.get("resourceVersion", ""))
    return SecretExcerpt(cut, tell_names(encoded), uid, version)
