"""What Helm makes of the chart, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from fireworks_operator.api.kinds import KINDS
from testkit.chart.helm import CHART, NAMESPACE, Helm, HelmError
from tests.chart.versions import with_both

SECRET_KEY = "fw_not_a_real_key"


@with_both
def test_helm_lint_has_nothing_to_say(helm: Helm, values_file: Path) -> None:
    helm.run("lint", "--strict", str(CHART), "--kube-version", "1.30.0", "--values", str(values_file))


def test_the_chart_renders_with_each_values_file(helm: Helm, values_file: Path) -> None:
    rendered = helm.template("--values", str(values_file))
    names = [(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in rendered]
    assert len(names) == len(set(names)), "two objects of one name"
    assert "Deployment" in rendered.kinds()


def test_both_versions_of_helm_render_the_same(helm3: Helm, helm4: Helm, values_file: Path) -> None:
    assert helm3.template("--values", str(values_file)) == helm4.template("--values", str(values_file))


def test_everything_can_be_turned_on(helm: Helm) -> None:
    rendered = helm.template("--values", str(CHART / "ci/everything-values.yaml"))
    assert rendered.kinds() == {
        "ClusterRole",
        "ClusterRoleBinding",
        "ConfigMap",
        "CustomResourceDefinition",
        "Deployment",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "PrometheusRule",
        "Role",
        "RoleBinding",
        "Service",
        "ServiceAccount",
        "ServiceMonitor",
    }
    assert {each["metadata"]["name"] for each in rendered.of("ConfigMap")} == {
        "fw-dashboard",
        "fw-object",
        "fw-prices",
        "fireworks-text",
    }


def test_every_object_has_the_common_labels_and_a_namespace_where_it_lives(helm: Helm) -> None:
    rendered = helm.template("--values", str(CHART / "ci/everything-values.yaml"))
    cluster_wide = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}
    for each in rendered:
        metadata = each["metadata"]
        if metadata["name"] in ("fw-object", "fireworks-text"):
            continue
        assert metadata["labels"]["team"] == "inference", metadata
        assert metadata["labels"]["app.kubernetes.io/instance"] == "fireworks", metadata
        assert metadata["annotations"]["example.com/owner"] == "inference", metadata
        assert ("namespace" in metadata) != (each["kind"] in cluster_wide), metadata


def test_releases_of_one_name_in_two_namespaces_share_nothing_but_the_crds(helm: Helm) -> None:
    def cluster_wide(namespace: str) -> set[tuple[str, str]]:
        rendered = helm.template("--namespace", namespace)
        return {(e["kind"], e["metadata"]["name"]) for e in rendered if "namespace" not in e["metadata"]}

    shared = cluster_wide("one") & cluster_wide("two")
    assert shared == {("CustomResourceDefinition", each.crd) for each in KINDS}


@with_both
def test_an_older_kubernetes_is_refused(helm: Helm) -> None:
    helm.template("--kube-version", "1.30.0-gke.100")
    with pytest.raises(HelmError, match=r"1\.30\.0"):
        helm.template("--kube-version", "1.29.9")


@with_both
@pytest.mark.parametrize(
    "values",
    [
        {"nosuchkey": 1},
        {"settings": {"pollIntervalIdel": 30}},
        {"crds": {"instal": False}},
        {"metrics": {"serviceMonitor": {"enable": True}}},
        {"replicaCount": "2"},
        {"replicaCount": 1.5},
        {"watchNamespaces": "team-a"},
        {"watchNamespaces": ["Team_A"]},
        {"settings": {"requestBurst": 4}},
        {"settings": {"pollIntervalIdle": 0}},
        {"settings": {"logLevel": "debug"}},
        {"settings": {"baseUrl": "api.fireworks.ai"}},
        {"credentials": {"optional": "false"}},
        {"image": {"digest": "sha256:abc"}},
        {"networkPolicy": {"httpsPorts": ["https"]}},
    ],
    ids=lambda values: yaml.safe_dump(values, default_flow_style=True, width=1000).strip(),
)
def test_an_unknown_key_or_a_wrong_type_is_refused(helm: Helm, values: dict[str, Any]) -> None:
    with pytest.raises(HelmError) as refused:
        helm.template(values=values)
    (key,) = values
    assert key in str(refused.value)


@with_both
@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"leaderElection": {"enabled": False}}, "two operators would act at once"),
        ({"credentials": {"existingSecret": "a", "apiKey": "b"}}, "exclude each other"),
        ({"credentials": {"existingSecret": "a", "accountId": "b"}}, "put the account id into that Secret"),
        ({"watchNamespaces": ["team-a"]}, "watchNamespaces needs settings.clusterId"),
        ({"metrics": {"serviceMonitor": {"enabled": True}, "service": {"enabled": False}}}, "needs metrics.service"),
    ],
    ids=["two without a Lease", "two keys", "account id beside a Secret", "no cluster id", "monitor without Service"],
)
def test_values_that_contradict_each_other_are_refused_with_the_way_out(
    helm: Helm, values: dict[str, Any], says: str
) -> None:
    with pytest.raises(HelmError, match=says):
        helm.template(values=values)


def test_a_parent_chart_may_pass_its_own_keys(helm: Helm) -> None:
    helm.template(values={"global": {"imageRegistry": "registry.example.com"}, "enabled": True})


def test_an_existing_secret_is_referred_to_and_no_key_is_rendered(helm: Helm) -> None:
    rendered = helm.template(values={"credentials": {"existingSecret": "fireworks"}})
    references = {
        e["name"]: e["valueFrom"] for e in rendered.container["env"] if "secretKeyRef" in e.get("valueFrom", {})
    }
    assert references == {
        "FIREWORKS_API_KEY": {"secretKeyRef": {"name": "fireworks", "key": "apiKey", "optional": False}},
        "FIREWORKS_ACCOUNT_ID": {"secretKeyRef": {"name": "fireworks", "key": "accountId", "optional": True}},
    }
    assert not rendered.of("Secret")


def test_an_inline_key_stands_in_the_secret_alone_and_a_new_one_restarts_the_pods(helm: Helm) -> None:
    def render(key: str) -> tuple[str, object]:
        values = {"credentials": {"apiKey": key, "accountId": "acme"}}
        rendered = helm.template(values=values)
        (secret,) = rendered.of("Secret")
        assert set(secret["data"]) == {"apiKey", "accountId"}
        assert key not in helm.template_text(values=values)
        name = rendered.container["env"][-1]["valueFrom"]["secretKeyRef"]["name"]
        assert name == secret["metadata"]["name"]
        return secret["data"]["apiKey"], rendered.the("Deployment")["spec"]["template"]["metadata"]["annotations"]

    before, after = render(SECRET_KEY), render(f"{SECRET_KEY}2")
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_without_a_key_the_operator_gets_none(helm: Helm) -> None:
    assert not [each for each in helm.template().container["env"] if each["name"] == "FIREWORKS_API_KEY"]


def test_two_pods_share_the_work_of_waiting_and_one_alone_leaves_no_time_for_a_second(helm: Helm) -> None:
    two = helm.template()
    assert two.the("Deployment")["spec"]["replicas"] == 2
    assert two.the("Deployment")["spec"]["strategy"]["type"] == "RollingUpdate"
    assert two.the("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    labels = two.the("Deployment")["spec"]["selector"]["matchLabels"]
    assert two.pod["topologySpreadConstraints"][0]["labelSelector"] == {"matchLabels": labels}
    one = helm.template(values={"replicaCount": 1, "leaderElection": {"enabled": False}})
    assert one.the("Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    assert "PodDisruptionBudget" not in one.kinds()
    assert "lease" not in str([role["rules"] for role in one.of("Role")])


def test_the_crds_come_with_the_chart_unless_they_are_turned_off(helm: Helm) -> None:
    assert "CustomResourceDefinition" not in helm.template(values={"crds": {"install": False}}).kinds()
    rendered = helm.template(values={"crds": {"annotations": {"a": "b"}}}).of("CustomResourceDefinition")
    assert [each["metadata"]["annotations"] for each in rendered] == [
        {
            "helm.sh/resource-policy": "keep",
            "argocd.argoproj.io/sync-options": "ServerSideApply=true,Prune=false",
            "a": "b",
        }
    ] * len(KINDS)
    for dropped in helm.template(values={"crds": {"keep": False}}).of("CustomResourceDefinition"):
        assert "helm.sh/resource-policy" not in dropped["metadata"]["annotations"]


def test_the_release_namespace_is_that_of_every_object_of_its_own(helm: Helm) -> None:
    namespaces = {each["metadata"].get("namespace") for each in helm.template()}
    assert namespaces == {NAMESPACE, None}
