"""ConfigMaps of a resource on a real API server: ours are written, nobody else's are touched."""

import json
from collections import Counter
from pathlib import Path

import pytest

from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.kube.client import KubernetesClient, connect
from fireworks_operator.kube.config_maps import KubernetesConfigMaps
from fireworks_operator.kube.resources import resource_path
from fireworks_operator.ports import ConfigMapRefusedError, ResourceChangedError
from testkit.namespaces import Namespace, Object

DATA = {"OPENAI_MODEL": "m#d", "OPENAI_BASE_URL": "https://example.com"}


async def stored(client: KubernetesClient, namespace: Namespace, name: str = "chat") -> FireworksDeployment:
    """Create a resource and return it."""
    namespace.create(name)
    return FireworksDeployment.parse(await client.request("GET", resource_path(namespace.name, name)))


def give(namespace: Namespace, name: str, **more: object) -> Object:
    """Create a ConfigMap that is not the operator's; return it as stored."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"theirs": "1"}, **more}
    namespace.kubectl("create", "-f", "-", input=json.dumps(body))
    return namespace.get("configmap", name)


def names(namespace: Namespace) -> set[str]:
    found = namespace.kubectl("get", "configmaps", "-o", "name").split()
    return {each.removeprefix("configmap/") for each in found} - {"kube-root-ca.crt"}


async def test_it_is_created_for_its_owner_by_whom_it_is_collected(
    client: KubernetesClient, namespace: Namespace
) -> None:
    resource = await stored(client, namespace)
    await KubernetesConfigMaps(client).put(resource, "c", DATA)
    found = namespace.get("configmap", "c")
    assert found["data"] == DATA
    assert found["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "fireworks.ai/v1alpha1",
            "kind": "FireworksDeployment",
            "name": "chat",
            "uid": resource.metadata.uid,
            "controller": True,
        }
    ]


async def test_what_is_as_it_should_be_is_not_written(client: KubernetesClient, namespace: Namespace) -> None:
    resource = await stored(client, namespace)
    config_maps = KubernetesConfigMaps(client)
    await config_maps.put(resource, "c", DATA)
    before = namespace.get("configmap", "c")
    await config_maps.put(resource, "c", DATA)
    assert namespace.get("configmap", "c") == before


async def test_what_is_written_is_counted_with_its_result(client: KubernetesClient, namespace: Namespace) -> None:
    resource, counted = await stored(client, namespace), Counter[tuple[str, str]]()
    config_maps = KubernetesConfigMaps(client, lambda kind, result: counted.update([(kind, result)]))
    await config_maps.put(resource, "c", DATA)
    await config_maps.put(resource, "c", DATA)
    await config_maps.put(resource, "c", {"OPENAI_MODEL": "other"})
    await config_maps.remove(resource, "c")
    await config_maps.remove(resource, "c")
    assert counted == {("configmap", "ok"): 3}, "what is as it should be is not written"
    with pytest.raises(ConfigMapRefusedError):
        await config_maps.put(resource, "c", {"no key": "1"})
    assert counted[("configmap", "refused")] == 1


async def test_a_change_replaces_the_content_and_leaves_labels_of_others(
    client: KubernetesClient, namespace: Namespace
) -> None:
    resource = await stored(client, namespace)
    config_maps = KubernetesConfigMaps(client)
    await config_maps.put(resource, "c", DATA)
    namespace.kubectl("label", "configmap", "c", "team=search")
    namespace.kubectl("patch", "configmap", "c", "--type=merge", "--patch", '{"data": {"more": "1"}}')
    await config_maps.put(resource, "c", {"OPENAI_MODEL": "n#d"})
    found = namespace.get("configmap", "c")
    assert found["data"] == {"OPENAI_MODEL": "n#d"}
    assert found["metadata"]["labels"]["team"] == "search"


async def test_one_of_nobody_is_neither_written_nor_deleted(client: KubernetesClient, namespace: Namespace) -> None:
    resource, before = await stored(client, namespace), give(namespace, "c")
    config_maps = KubernetesConfigMaps(client)
    with pytest.raises(
        ConfigMapRefusedError, match=r"c exists and does not belong to this resource; .* Choose another"
    ):
        await config_maps.put(resource, "c", DATA)
    await config_maps.remove(resource, "c")
    assert namespace.get("configmap", "c") == before


async def test_one_of_somebody_else_is_neither_written_nor_deleted(
    client: KubernetesClient, namespace: Namespace
) -> None:
    resource, web = await stored(client, namespace), give(namespace, "web")
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "web", "uid": web["metadata"]["uid"], "controller": True}
    before = give(namespace, "c", metadata={"name": "c", "ownerReferences": [owner]})
    config_maps = KubernetesConfigMaps(client)
    with pytest.raises(ConfigMapRefusedError, match="c exists and belongs to the ConfigMap web; it is left as it is"):
        await config_maps.put(resource, "c", DATA)
    await config_maps.remove(resource, "c")
    assert namespace.get("configmap", "c") == before


async def test_one_that_names_the_resource_without_being_controlled_by_it_is_not_its_own(
    client: KubernetesClient, namespace: Namespace
) -> None:
    resource = await stored(client, namespace)
    api = {"apiVersion": "fireworks.ai/v1alpha1", "kind": "FireworksDeployment"}
    owner = {**api, "name": "chat", "uid": resource.metadata.uid}
    before = give(namespace, "c", metadata={"name": "c", "ownerReferences": [owner]})
    with pytest.raises(ConfigMapRefusedError):
        await KubernetesConfigMaps(client).put(resource, "c", DATA)
    assert namespace.get("configmap", "c") == before


async def test_of_two_resources_the_first_has_it(client: KubernetesClient, namespace: Namespace) -> None:
    one, two = await stored(client, namespace, "one"), await stored(client, namespace, "two")
    config_maps = KubernetesConfigMaps(client)
    await config_maps.put(one, "c", DATA)
    with pytest.raises(ConfigMapRefusedError, match="belongs to the FireworksDeployment one"):
        await config_maps.put(two, "c", {"OPENAI_MODEL": "two"})
    await config_maps.remove(two, "c")
    assert namespace.get("configmap", "c")["data"] == DATA


async def test_that_of_a_former_resource_of_the_name_is_waited_for(
    client: KubernetesClient, namespace: Namespace
) -> None:
    resource = await stored(client, namespace)
    config_maps = KubernetesConfigMaps(client)
    await config_maps.put(resource, "c", DATA)
    metadata = resource.metadata.model_copy(update={"uid": "9a1c52a5-3a2b-4fd6-8a9e-5a1e7d2a6c11"})
    again = resource.model_copy(update={"metadata": metadata})
    with pytest.raises(ResourceChangedError, match="of a former"):
        await config_maps.put(again, "c", DATA)


async def test_without_the_right_the_refusal_names_the_value_of_the_chart(
    client: KubernetesClient, namespace: Namespace, tmp_path: Path
) -> None:
    resource = await stored(client, namespace)
    account = namespace.kubeconfig_of(tmp_path, "operator", "get secrets")
    async with await connect(account) as poor:
        for call in (
            KubernetesConfigMaps(poor).put(resource, "c", DATA),
            KubernetesConfigMaps(poor).remove(resource, "c"),
        ):
            with pytest.raises(ConfigMapRefusedError, match=r"rbac\.connectionConfigMaps=true"):
                await call
    assert names(namespace) == set()


async def test_the_rights_of_the_chart_are_enough_and_all_are_needed(
    client: KubernetesClient, namespace: Namespace, tmp_path: Path
) -> None:
    resource = await stored(client, namespace)
    account = namespace.kubeconfig_of(tmp_path, "operator", "get,create,update,delete configmaps")
    async with await connect(account) as operator:
        config_maps = KubernetesConfigMaps(operator)
        await config_maps.put(resource, "c", DATA)
        await config_maps.put(resource, "c", {"OPENAI_MODEL": "n#d"})
        await config_maps.remove(resource, "c")
    assert names(namespace) == set()


@pytest.mark.parametrize("name", ["../secrets/chat", "a/b", "", "c?dryRun=All", "Ä", "a" * 254])
async def test_a_name_that_is_none_leads_to_no_request(name: str, namespace: Namespace) -> None:
    resource = FireworksDeployment.parse(
        {
            "metadata": {"name": "chat", "namespace": namespace.name, "uid": "1", "resourceVersion": "1"},
            "spec": {"baseModel": "m"},
        }
    )
    config_maps = KubernetesConfigMaps(None)  # type: ignore[arg-type]  # nothing may be asked of it
    with pytest.raises(ConfigMapRefusedError, match="choose another one"):
        await config_maps.put(resource, name, DATA)
    with pytest.raises(ConfigMapRefusedError, match="choose another one"):
        await config_maps.remove(resource, name)


async def test_what_is_removed_already_is_no_failure(client: KubernetesClient, namespace: Namespace) -> None:
    resource = await stored(client, namespace)
    await KubernetesConfigMaps(client).remove(resource, "never-there")


async def test_one_that_is_immutable_is_told_in_the_api_servers_words(
    client: KubernetesClient, namespace: Namespace
) -> None:
    resource = await stored(client, namespace)
    config_maps = KubernetesConfigMaps(client)
    await config_maps.put(resource, "c", DATA)
    namespace.kubectl("patch", "configmap", "c", "--type=merge", "--patch", '{"immutable": true}')
    with pytest.raises(ConfigMapRefusedError, match="immutable"):
        await config_maps.put(resource, "c", {"OPENAI_MODEL": "n#d"})


async def test_a_namespace_that_is_gone_is_waited_for_as_a_change(
    client: KubernetesClient, namespace: Namespace
) -> None:
    resource = await stored(client, namespace)
    elsewhere = resource.metadata.model_copy(update={"namespace": f"{namespace.name}-gone"})
    config_maps = KubernetesConfigMaps(client)
    with pytest.raises(ResourceChangedError):
        await config_maps.put(resource.model_copy(update={"metadata": elsewhere}), "c", DATA)
