"""Each combination of values is rendered as its row says and taken by a real API server, or refused in words."""

from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml

from testkit.chart.helm import NAMESPACE, Helm, HelmError
from testkit.chart.rendered import Manifests
from testkit.kubernetes import Cluster, GivenCluster
from testkit.kubernetes.definitions import until_established
from tests.chart.combination import Combination, at
from tests.chart.monitoring import DEFINITIONS
from tests.chart.rows_names import NAMED
from tests.chart.rows_objects import OBJECTS
from tests.chart.rows_pods import PODS
from tests.chart.test_server import STRICT, stream

ALL = [*PODS, *NAMED, *OBJECTS]
ACCEPTED = [each for each in ALL if each.accepted]
RENDERED = [each for each in ALL if each.accepted or each.by_server]
REFUSED = [each for each in ALL if not each.accepted and not each.by_server]


class UniqueKeys(yaml.CSafeLoader):
    """Reads YAML as kustomize does: a key that stands there twice is an error."""


def _mapping(loader: UniqueKeys, node: yaml.MappingNode) -> dict[Hashable, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    assert len(keys) == len(set(keys)), f"a key is there twice: {keys}{node.start_mark}"
    return loader.construct_mapping(node, deep=True)


UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def render(helm: Helm, combination: Combination) -> str:
    """Return what the chart makes of a combination, without the CRD, which is the same in all."""
    release = combination.release or f"row-{ALL.index(combination)}"
    arguments = ("--set", "crds.install=false", *combination.arguments)
    return helm.template_text(*arguments, values=combination.values, release=release)


@pytest.fixture(scope="module")
def server(cluster: Cluster | GivenCluster) -> Cluster | GivenCluster:
    """The API server, with the namespaces of the rows and the kinds of the Prometheus operator.

    They stay: another worker may need the same at any time.
    """
    cluster.kubectl("apply", "--server-side", "-f", "-", input=stream(DEFINITIONS))
    until_established(cluster, "-f", "-", given=stream(DEFINITIONS))
    made = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in (NAMESPACE, "123")]
    cluster.kubectl("apply", "--server-side", "-f", "-", input=stream(made))
    return cluster


def test_there_are_enough_combinations_and_no_two_of_one_name() -> None:
    names = [each.name for each in ALL]
    assert len(names) == len(set(names))
    assert len(names) >= 120


@pytest.mark.parametrize("combination", RENDERED, ids=str)
def test_a_combination_is_rendered(helm: Helm, combination: Combination) -> None:
    text = render(helm, combination)
    assert list(yaml.load_all(text, Loader=UniqueKeys))
    manifests = Manifests.parse(text)
    assert {path: at(manifests, path) for path in combination.shows} == combination.shows
    named = [each["metadata"] for each in manifests if not each["kind"].startswith("ClusterRole")]
    assert max(len(each["name"]) for each in named) <= 63


@pytest.mark.parametrize("combination", REFUSED, ids=str)
def test_a_combination_is_refused_by_name(helm: Helm, combination: Combination) -> None:
    with pytest.raises(HelmError) as error:
        render(helm, combination)
    assert combination.refused in str(error.value)
    for raw in ("YAML parse error", "nil pointer", "wrong type for value", "can't evaluate", "converting YAML"):
        assert raw not in str(error.value)


def test_an_api_server_takes_all_combinations(helm: Helm, server: Cluster | GivenCluster) -> None:
    with ThreadPoolExecutor(4) as pool:
        texts = list(pool.map(lambda each: render(helm, each), ACCEPTED))
    objects = [each for text in texts for each in Manifests.parse(text)]
    assert len(objects) > 8 * len(ACCEPTED)
    done = server.kubectl(*STRICT, "--dry-run=server", "-f", "-", input=stream(objects), check=False)
    # A name with dots comes from the release's, and stays for the sake of those that exist.
    assert [line for line in done.stderr.splitlines() if "must not contain dots" not in line] == []
    assert done.stdout.count("(server dry run)") == len(objects)


@pytest.mark.parametrize("combination", [each for each in ALL if each.by_server], ids=str)
def test_what_is_not_the_charts_own_is_refused_by_the_api_server(
    helm4: Helm, server: Cluster | GivenCluster, combination: Combination
) -> None:
    objects = Manifests.parse(render(helm4, combination))
    done = server.kubectl(*STRICT, "--dry-run=server", "-f", "-", input=stream(objects), check=False)
    assert combination.refused in done.stderr
