"""Single Secrets, read by name and kept for a minute; Secrets are never listed or watched."""

import asyncio
import base64
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from fireworks_operator.controller.ports import (
    KubernetesUnavailableError,
    ResourceGoneError,
    SecretForbiddenError,
)

from .client import KubernetesClient, KubernetesForbiddenError

FOUND_FOR: Final = 60.0
"""Seconds for which the data of a Secret is taken from memory."""

MISSING_FOR: Final = 5.0
"""Seconds for which "does not exist" and "not allowed" are believed: soon over, since somebody is at it."""

UNANSWERED_FOR: Final = 1.0
"""Seconds for which a failed read stands for those that wait behind it, so that time-outs do not add up."""

_CACHE_LIMIT: Final = 10_000
_SECRET_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the API server last said about one Secret.

    Attributes:
        asked_at: when the read began; whatever changed before that is in it.
        expires_at: until when it is believed.
        data: the decoded data, None if there is no such Secret.
        error: raised instead, if set.
    """

    asked_at: float
    expires_at: float
    data: Mapping[str, bytes] | None = field(default=None, repr=False)
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
        self._answers: dict[tuple[str, str], _Answer] = {}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}

    async def read(self, namespace: str, name: str, *, fresh: bool = False) -> Mapping[str, bytes] | None:
        """Return the decoded data of a Secret, None if it does not exist.

        Args:
            namespace: of the Secret.
            name: of the Secret; one that no Secret can have is answered with None.
            fresh: accept only an answer to a question asked from now on.

        Raises:
            SecretForbiddenError: the operator lacks the permission.
            KubernetesUnavailableError: no answer.
        """
        if not _SECRET_NAME.fullmatch(name) or not _SECRET_NAME.fullmatch(namespace):
            return None
        key = (namespace, name)
        wanted_since = self._clock()
        async with self._lock(key):
            answer = self._answers.get(key)
            if answer is None or not self._is_usable(answer, wanted_since, fresh=fresh):
                answer = await self._ask(namespace, name)
                self._answers[key] = answer
        if answer.error is not None:
            raise answer.error.with_traceback(None)
        return answer.data

    def _is_usable(self, answer: _Answer, wanted_since: float, *, fresh: bool) -> bool:
        if answer.asked_at >= wanted_since:
            return True
        return not fresh and self._clock() < answer.expires_at

    async def _ask(self, namespace: str, name: str) -> _Answer:
        asked_at = self._clock()
        try:
            secret = await self._client.request("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}")
        except ResourceGoneError:
            return _Answer(asked_at, self._clock() + MISSING_FOR)
        except KubernetesForbiddenError as error:
            return _Answer(asked_at, self._clock() + MISSING_FOR, error=SecretForbiddenError(str(error)))
        except KubernetesUnavailableError as error:
            return _Answer(asked_at, self._clock() + UNANSWERED_FOR, error=error)
        encoded: Mapping[str, str] = secret.get("data") or {}
        data = {key: base64.b64decode(value) for key, value in encoded.items()}
        return _Answer(asked_at, self._clock() + FOUND_FOR, data=data)

    def _lock(self, key: tuple[str, str]) -> asyncio.Lock:
        if len(self._locks) >= _CACHE_LIMIT:
            self._forget()
        return self._locks.setdefault(key, asyncio.Lock())

    def _forget(self) -> None:
        """Drop what is out of date and not being read, so that memory does not grow with deleted Secrets."""
        now = self._clock()
        for key, lock in list(self._locks.items()):
            answer = self._answers.get(key)
            if not lock.locked() and (answer is None or answer.expires_at <= now):
                del self._locks[key]
                self._answers.pop(key, None)
