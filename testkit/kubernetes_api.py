"""A fast and plain client of the API server, for what tests do and look at as users."""

import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import urllib3
from kubernetes import client, config

from fireworks_operator.api.v1alpha1 import GROUP, PLURAL, VERSION
from testkit.conditions import condition

Json = dict[str, Any]

MERGE_PATCH = "application/merge-patch+json"
_TIMEOUT = urllib3.Timeout(connect=10.0, read=60.0)
_CONNECTIONS = 64
"""Connections that are kept: as many as stories that are told side by side, and more."""
_QUIET = urllib3.Timeout(connect=10.0, read=None)
"""For a watch: it may have nothing to tell for a long time."""


class KubernetesError(Exception):
    """The API server refused a request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class KubernetesApi:
    """Requests with the connections, certificates and identity of a kubeconfig; usable from many threads."""

    def __init__(self, kubeconfig: Path) -> None:
        configuration = client.Configuration()
        configuration.connection_pool_maxsize = _CONNECTIONS
        config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=str(kubeconfig), client_configuration=configuration
        )
        self._pool: urllib3.PoolManager = client.ApiClient(configuration).rest_client.pool_manager
        self._url = str(configuration.host)
        token = configuration.get_api_key_with_prefix("BearerToken") or ""
        self._headers = {"Authorization": token} if token else {}

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Json:
        """Send a request and return the JSON object that answers it.

        Raises:
            KubernetesError: it was refused.
        """
        response = self._pool.request(
            method,
            self._url + path + (f"?{urlencode(query)}" if query else ""),
            body=None if body is None else json.dumps(body).encode(),
            headers={**self._headers, "Content-Type": content_type},
            timeout=_TIMEOUT,
            retries=False,
        )
        answer: Json = json.loads(response.data)
        if response.status >= 400:
            raise KubernetesError(response.status, str(answer.get("message")))
        return answer

    def find(self, path: str) -> Json | None:
        """Return an object, None if it does not exist."""
        try:
            return self.request("GET", path)
        except KubernetesError as error:
            if error.status != 404:
                raise
            return None

    def watch(self, path: str) -> "Watch":
        """Begin to record the objects of a collection as they change."""
        return Watch(self._pool, self._url + path, self._headers)

    def follow(self, path: str, take: Callable[[str, Json], None]) -> "Watch":
        """Begin to hand on type and object of each event of a collection, in a thread, and to keep none."""
        return Watch(self._pool, self._url + path, self._headers, take)


class Watch:
    """Every version of every object of a collection, as the API server told it; a context manager.

    An API server may end a watch at any time, and does so while it takes in a CRD: then it goes on where it was.
    """

    def __init__(
        self,
        pool: urllib3.PoolManager,
        url: str,
        headers: Mapping[str, str],
        take: Callable[[str, Json], None] | None = None,
    ) -> None:
        self.objects: list[Json] = []
        self.lost = ""
        """Why it saw no more; empty while it goes on."""
        self._take = take if take is not None else lambda _, found: self.objects.append(found)
        self._pool, self._url, self._headers = pool, url, dict(headers)
        self._version = ""
        self._over = False
        self._response = self._open()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._over = True
        with contextlib.suppress(RuntimeError):  # it has just ended by itself
            self._response.shutdown()
        self._thread.join(10)
        self._response.close()
        assert not self.lost or kind is not None, f"the recording is not whole: {self.lost}"

    def _open(self) -> urllib3.BaseHTTPResponse:
        since = {"resourceVersion": self._version} if self._version else {}
        query = urlencode({"watch": "true", "allowWatchBookmarks": "true", **since})
        response = self._pool.request(
            "GET", f"{self._url}?{query}", headers=self._headers, preload_content=False, timeout=_QUIET, retries=False
        )
        if response.status != 200:
            raise KubernetesError(response.status, response.data.decode())
        return response

    def _run(self) -> None:
        try:
            while not self._over:
                with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
                    self._read()
                if not self._over:
                    self._response = self._open()
        except (urllib3.exceptions.HTTPError, OSError, KubernetesError) as error:
            self.lost = str(error)
        except ValueError:
            # Python reads on without TLS from a connection that is being shut down: what arrives then is no JSON.
            if not self._over:
                raise

    def _read(self) -> None:
        rest = b""
        for chunk in self._response.stream(amt=None):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise KubernetesError(event["object"]["code"], event["object"]["message"])
                if event["type"] != "BOOKMARK":  # it only says up to where all has been told
                    self._take(event["type"], event["object"])
                self._version = event["object"]["metadata"]["resourceVersion"]


def resources_path(namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
    """Return the path of FireworksDeployments: all, a namespace's, or one of them."""
    place = f"/apis/{GROUP}/{VERSION}" + (f"/namespaces/{quote(namespace)}" if namespace else "")
    return "/".join(part for part in (f"{place}/{PLURAL}", name, subresource) if part)


def core_path(namespace: str, kind: str, name: str | None = None) -> str:
    """Return the path of objects of the core API in a namespace."""
    return f"/api/v1/namespaces/{namespace}/{kind}" + (f"/{name}" if name else "")


__all__ = [
    "MERGE_PATCH",
    "Json",
    "KubernetesApi",
    "KubernetesError",
    "Watch",
    "condition",
    "core_path",
    "resources_path",
]
