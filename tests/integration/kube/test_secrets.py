"""Secrets of a real API server."""

from pathlib import Path

import pytest

from fireworks_operator.kube.client import KubernetesClient, connect
from fireworks_operator.kube.secrets import KubernetesSecrets
from fireworks_operator.ports import SecretForbiddenError
from testkit.namespaces import Namespace

WANTED = ("apiKey", "accountId")


async def test_a_secret_is_read_and_read_again(client: KubernetesClient, namespace: Namespace) -> None:
    secrets = KubernetesSecrets(client)
    assert await secrets.read(namespace.name, "key", WANTED) is None
    namespace.kubectl("create", "secret", "generic", "key", "--from-literal=apiKey=fw_ä")
    found = await secrets.read(namespace.name, "key", WANTED, fresh=True)
    assert found is not None
    assert found.values == {"apiKey": "fw_ä".encode()}


async def test_get_is_the_only_permission_that_is_needed(namespace: Namespace, tmp_path: Path) -> None:
    namespace.kubectl("create", "secret", "generic", "key", "--from-literal=apiKey=x")
    async with await connect(namespace.kubeconfig_of(tmp_path, "reader", "get secrets")) as reader:
        found = await KubernetesSecrets(reader).read(namespace.name, "key", WANTED)
        assert found is not None
        assert found.values == {"apiKey": b"x"}


async def test_a_secret_without_permission_is_said_so(namespace: Namespace, tmp_path: Path) -> None:
    async with await connect(namespace.kubeconfig_of(tmp_path, "nobody")) as nobody:
        with pytest.raises(SecretForbiddenError, match=f"get secrets {namespace.name}/key"):
            await KubernetesSecrets(nobody).read(namespace.name, "key", WANTED)
