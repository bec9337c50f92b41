"""Plain HTTP requests to the simulated control plane."""

import ssl
from typing import Final

import httpx

from fireworks_simulator.wire import JsonObject

_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Spares each client the loading of certificates."""
API_KEY: Final = "fw_simulator"
LLAMA: Final = "accounts/fireworks/models/llama-v3p1-8b-instruct"
H100: Final = "NVIDIA_H100_80GB"
SHAPELESS: Final = {"acceptShapelessRisk": "true"}
"""What a create without a deployment shape needs."""


class Api:
    """Requests to one account's part of the control plane, as any HTTP client would send them."""

    def __init__(self, url: str, account: str = "acme", key: str = API_KEY) -> None:
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=10, verify=_NO_TLS)
        self.prefix = f"/v1/accounts/{account}"

    def send(self, method: str, path: str, body: object = None, **query: str) -> httpx.Response:
        return self.http.request(method, self.prefix + path, json=body, params=query)

    def value(self, method: str, path: str, body: object = None, **query: str) -> JsonObject:
        """The answer, which must be 200."""
        response = self.send(method, path, body, **query)
        assert response.status_code == 200, response.text
        value: JsonObject = response.json()
        return value

    def create(self, deployment_id: str = "chat", query: dict[str, str] | None = None, **fields: object) -> JsonObject:
        body = {"baseModel": LLAMA, "acceleratorType": H100, **fields}
        return self.value("POST", "/deployments", body, deploymentId=deployment_id, **{**SHAPELESS, **(query or {})})

    def get(self, deployment_id: str = "chat") -> JsonObject:
        return self.value("GET", f"/deployments/{deployment_id}")

    def patch(self, body: object, mask: str | None = None, deployment_id: str = "chat") -> httpx.Response:
        query = {} if mask is None else {"updateMask": mask}
        return self.send("PATCH", f"/deployments/{deployment_id}", body, **query)

    def delete(self, deployment_id: str = "chat", **query: str) -> httpx.Response:
        return self.send("DELETE", f"/deployments/{deployment_id}", **query)

    def listed(self, **query: str) -> list[str]:
        """Ids on one page of the list."""
        deployments = self.value("GET", "/deployments", **query)["deployments"]
        assert isinstance(deployments, list)
        return [str(d["name"]).rsplit("/", 1)[-1] for d in deployments if isinstance(d, dict)]

    def chat(self, model: str, **fields: object) -> httpx.Response:
        body = {"model": model, "messages": [{"role": "user", "content": "Say this is a test"}], **fields}
        return self.http.post("/inference/v1/chat/completions", json=body)


def state_of(deployment: JsonObject) -> tuple[object, int]:
    """State and number of ready replicas."""
    stats = deployment["replicaStats"]
    assert isinstance(stats, dict)
    ready = stats.get("readyReplicaCount", 0)
    assert isinstance(ready, int)
    return deployment["state"], ready


def error(response: httpx.Response) -> tuple[int, int, str]:
    """HTTP status, code and message of a control-plane error."""
    value = response.json()
    assert set(value) == {"code", "details", "message"}
    assert value["details"] == []
    return response.status_code, value["code"], value["message"]
