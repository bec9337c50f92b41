"""The raw limit: what the same requests take when nothing is decided, remembered or checked.

A process of its own, as the operator is one. For every resource it writes the finalizer and the claim, creates the
deployment and writes the answer into the status; then it lists the account until all are READY and writes that. The
same requests, the same bodies as far as their size matters, the same number at a time, by bare clients.
"""

import argparse
import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp

from fireworks_operator.api.v1alpha1 import FINALIZER
from fireworks_operator.controller.controller import SLOTS
from fireworks_operator.kube.connection import new_session
from fireworks_operator.kube.credentials import Credentials, load_credentials
from testkit.kubernetes_api import MERGE_PATCH, resources_path

AT_A_TIME: Final = SLOTS
"""Resources at work at a time, as in the operator."""
POLL_SECONDS: Final = 3.0
PAGE_SIZE: Final = 200
FIELDS: Final = ("baseModel", "acceleratorType", "minReplicaCount", "displayName")
"""What the benchmarks' resources set."""
_READY = "READY"


class RawClient:
    """Sends what the operator sends.

    Args:
        credentials: how to reach the API server.
        namespace: whose resources are served.
        count: resources to wait for.
    """

    def __init__(self, credentials: Credentials, namespace: str, count: int) -> None:
        self._server = credentials.server
        self._headers = {"Authorization": credentials.authorization} if credentials.authorization else {}
        self._kubernetes = new_session(credentials, connections=0)
        self._deployments = f"accounts/{os.environ['FIREWORKS_ACCOUNT_ID']}/deployments"
        self._deployments_url = f"{os.environ['FIREWORKS_BASE_URL']}/v1/{self._deployments}"
        self._fireworks = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=AT_A_TIME),
            headers={"Authorization": f"Bearer {os.environ['FIREWORKS_API_KEY']}"},
            timeout=aiohttp.ClientTimeout(total=60),
        )
        self._namespace = namespace
        self._count = count
        self._places = asyncio.Semaphore(AT_A_TIME)

    async def run(self) -> None:
        """Serve that many resources until all are READY."""
        async with self._kubernetes, self._fireworks, asyncio.TaskGroup() as group:
            names = [name async for name in self._begin(group)]
            await self._until_ready(set(names))

    async def _begin(self, group: asyncio.TaskGroup) -> AsyncIterator[str]:
        started: set[str] = set()
        while len(started) < self._count:  # an API server may end a watch at any time
            async for name, spec in self._watch():
                if name not in started:
                    started.add(name)
                    group.create_task(self._create(name, spec))
                    yield name
                if len(started) == self._count:
                    break

    async def _watch(self) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
        url = self._server + resources_path(self._namespace)
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._kubernetes.get(url, params={"watch": "true"}, headers=self._headers, timeout=timeout) as watch:
            watch.raise_for_status()
            print("watching", flush=True)
            async for line in watch.content:
                event = json.loads(line)
                if event["type"] == "ADDED":
                    yield event["object"]["metadata"]["name"], event["object"]["spec"]

    async def _create(self, name: str, spec: Mapping[str, Any]) -> None:
        async with self._places:
            await self._patch(name, {"metadata": {"finalizers": [FINALIZER]}})
            full_name = f"{self._deployments}/{name}"
            await self._patch(name, {"status": {"deploymentName": full_name}}, "status")
            tags = {f"custom/{key}": f"{self._namespace}-{name}" for key in ("cluster", "namespace", "name")}
            body = {key: spec[key] for key in FIELDS if key in spec} | {"annotations": tags}
            query = {"deploymentId": name, "acceptShapelessRisk": "true"}
            async with self._fireworks.post(
                self._deployments_url, json=body, params=query, raise_for_status=True
            ) as answer:
                created = await answer.json()
            await self._patch(name, {"status": _status(created)}, "status")

    async def _until_ready(self, waiting: set[str]) -> None:
        while waiting:
            found = [each async for each in self._list()]
            ready = {each["name"].rsplit("/", 1)[-1]: each for each in found if each["state"] == _READY}
            done = ready.keys() & waiting
            await asyncio.gather(*(self._finish(name, ready[name]) for name in done))
            waiting -= done
            if waiting:
                await asyncio.sleep(POLL_SECONDS)

    async def _finish(self, name: str, deployment: Mapping[str, Any]) -> None:
        async with self._places:
            await self._patch(name, {"status": _status(deployment)}, "status")

    async def _list(self) -> AsyncIterator[Mapping[str, Any]]:
        token = ""
        while True:
            query = {"pageSize": str(PAGE_SIZE)} | ({"pageToken": token} if token else {})
            async with self._fireworks.get(self._deployments_url, params=query, raise_for_status=True) as answer:
                page = await answer.json()
            for each in page["deployments"]:
                yield each
            token = page["nextPageToken"]
            if not token:
                return

    async def _patch(self, name: str, body: Mapping[str, Any], subresource: str | None = None) -> None:
        url = self._server + resources_path(self._namespace, name, subresource)
        headers = {**self._headers, "Content-Type": MERGE_PATCH}
        async with self._kubernetes.patch(url, data=json.dumps(body).encode(), headers=headers) as answer:
            answer.raise_for_status()
            await answer.read()


def _status(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """Return a status about as large as the operator's."""
    ready = deployment["state"] == _READY
    conditions = [
        {
            "type": kind,
            "status": "True" if ready else "False",
            "reason": "Serving" if ready else "Creating",
            "message": f"The deployment {deployment['name']} is {deployment['state']}.",
            "lastTransitionTime": deployment["createTime"].split(".")[0] + "Z",
            "observedGeneration": 1,
        }
        for kind in ("Ready", "Available", "Reconciling", "Stalled")
    ]
    return {"state": deployment["state"], "observedGeneration": 1, "conditions": conditions}


async def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--count", required=True, type=int)
    options = parser.parse_args()
    credentials = await load_credentials(Path(os.environ["KUBECONFIG"]))
    await RawClient(credentials, options.namespace, options.count).run()


if __name__ == "__main__":
    asyncio.run(_main())
