"""The operator may do what it must, and nothing else: asked of the API server, and tried by the operator itself."""

from collections.abc import Callable

import pytest

from testkit.chart.helm import Helm
from testkit.chart.installation import Installation, Right
from testkit.kubernetes_api import KubernetesApi
from testkit.waiting import eventually

RESOURCES = "fireworksdeployments.fireworks.ai"
STATUS = "fireworksdeployments/status.fireworks.ai"
SCALE = "fireworksdeployments/scale.fireworks.ai"
BUDGETS = "fireworksbudgets.fireworks.ai"
BUDGET_STATUS = "fireworksbudgets/status.fireworks.ai"
LEASES = "leases.coordination.k8s.io"
CRDS = "customresourcedefinitions.apiextensions.k8s.io"

ADMISSION = (
    "mutatingwebhookconfigurations.admissionregistration.k8s.io",
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
    "apiservices.apiregistration.k8s.io",
)
"""Who may create these sees, or answers, what others ask of the API server."""

NEEDED = {
    ("list", "fireworks.ai", "fireworksdeployments", ()),
    ("watch", "fireworks.ai", "fireworksdeployments", ()),
    ("patch", "fireworks.ai", "fireworksdeployments", ()),
    ("patch", "fireworks.ai", "fireworksdeployments/status", ()),
    ("get", "fireworks.ai", "fireworksbudgets", ()),
    ("list", "fireworks.ai", "fireworksbudgets", ()),
    ("watch", "fireworks.ai", "fireworksbudgets", ()),
    ("patch", "fireworks.ai", "fireworksbudgets/status", ()),
    ("create", "", "events", ()),
    ("patch", "", "events", ()),
    ("get", "", "secrets", ()),
}
OF_CLUSTER = {
    ("get", "", "namespaces", ("kube-system",)),
    ("get", "apiextensions.k8s.io", "customresourcedefinitions", ("fireworksdeployments.fireworks.ai",)),
}
OF_LEASE = {
    ("get", "coordination.k8s.io", "leases", ("fireworks-fireworks-operator",)),
    ("update", "coordination.k8s.io", "leases", ("fireworks-fireworks-operator",)),
    ("create", "coordination.k8s.io", "leases", ()),
}
CLUSTER_ROLE = "fireworks-system:fireworks-fireworks-operator"

Ask = Callable[[Right], bool]


# --- as rendered -----------------------------------------------------------------------------------------------------


def test_for_all_namespaces_there_is_one_cluster_role_with_exactly_what_is_needed(helm: Helm) -> None:
    rendered = helm.template()
    assert rendered.rules("ClusterRole", CLUSTER_ROLE) == NEEDED | OF_CLUSTER
    assert rendered.rules("Role") == OF_LEASE
    binding = rendered.the("ClusterRoleBinding")
    assert binding["roleRef"]["name"] == CLUSTER_ROLE
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "fireworks-fireworks-operator", "namespace": "fireworks-system"}
    ]


def test_for_some_namespaces_there_are_roles_alone(helm: Helm) -> None:
    values = {"watchNamespaces": ["team-a", "team-b"], "settings": {"clusterId": "x"}}
    rendered = helm.template(values=values)
    assert not {"ClusterRole", "ClusterRoleBinding"} & rendered.kinds()
    places = {
        each["metadata"]["namespace"]: rendered.rules("Role", each["metadata"]["name"]) for each in rendered.of("Role")
    }
    assert places == {"team-a": NEEDED, "team-b": NEEDED, "fireworks-system": OF_LEASE}
    assert len(rendered.of("RoleBinding")) == 3


def test_a_cluster_reader_reads_two_objects_of_the_cluster_and_nothing_else(helm: Helm) -> None:
    values = {"watchNamespaces": ["team-a"], "rbac": {"clusterReader": True}}
    assert helm.template(values=values).rules("ClusterRole") == OF_CLUSTER


def test_secrets_can_be_narrowed_to_names_or_turned_off(helm: Helm) -> None:
    named = helm.template(values={"rbac": {"secretNames": ["fireworks"]}}).rules("ClusterRole", CLUSTER_ROLE)
    assert {each for each in named if each[2] == "secrets"} == {("get", "", "secrets", ("fireworks",))}
    without = helm.template(values={"rbac": {"readSecrets": False}}).rules("ClusterRole", CLUSTER_ROLE)
    assert without == (NEEDED | OF_CLUSTER) - {("get", "", "secrets", ())}


def test_config_maps_are_written_only_where_the_value_says_so(helm: Helm) -> None:
    on = {"rbac": {"connectionConfigMaps": True}}
    written = {(verb, "", "configmaps", ()) for verb in ("get", "create", "update", "delete")}
    assert helm.template(values=on).rules("ClusterRole", CLUSTER_ROLE) == NEEDED | OF_CLUSTER | written
    some = helm.template(values={**on, "watchNamespaces": ["team-a"], "settings": {"clusterId": "x"}})
    places = {each["metadata"]["namespace"]: some.rules("Role", each["metadata"]["name"]) for each in some.of("Role")}
    assert places == {"team-a": NEEDED | written, "fireworks-system": OF_LEASE}


def test_no_role_has_a_wildcard(helm: Helm) -> None:
    rendered = helm.template()
    rules = rendered.rules("ClusterRole") | rendered.rules("Role")
    assert not [each for each in rules if "*" in "".join(each[:3])]


# --- as the API server sees it ---------------------------------------------------------------------------------------


@pytest.fixture
def ask(installed: Installation) -> Ask:
    """Ask whether the operator has a right."""
    api = KubernetesApi(installed.cluster.kubeconfig)
    return lambda right: installed.may(api, right)


def test_the_api_server_grants_what_is_needed(installed: Installation, ask: Ask) -> None:
    place, lease = f"{installed.managed}/", f"{installed.namespace}/fireworks-fireworks-operator"
    needed = [
        *(Right(verb, RESOURCES, place) for verb in ("list", "watch", "patch")),
        Right("patch", STATUS, f"{place}chat"),
        *(Right(verb, BUDGETS, place) for verb in ("get", "list", "watch")),
        Right("patch", BUDGET_STATUS, f"{place}team"),
        *(Right(verb, "events", place) for verb in ("create", "patch")),
        Right("get", "secrets", f"{place}fireworks"),
        *(Right(verb, LEASES, lease) for verb in ("get", "update")),
        Right("create", LEASES, f"{installed.namespace}/"),
    ]
    if installed.everywhere:
        needed += [
            *(Right(verb, each) for each in (RESOURCES, BUDGETS) for verb in ("list", "watch")),
            Right("get", "namespaces", "kube-system"),
            Right("get", CRDS, "fireworksdeployments.fireworks.ai"),
        ]
    assert [str(right) for right in needed if not ask(right)] == []


def forbidden(installed: Installation) -> list[Right]:
    """Return what the operator must not be able to do."""
    place, own = f"{installed.managed}/", f"{installed.namespace}/"
    rights = [
        *(Right(verb, "secrets", place) for verb in ("list", "watch", "create", "update", "patch", "delete")),
        *(Right(verb, "secrets") for verb in ("list", "watch")),
        *(Right(verb, RESOURCES, f"{place}chat") for verb in ("create", "update", "delete", "deletecollection")),
        *(Right(verb, BUDGETS, f"{place}team") for verb in ("create", "update", "patch", "delete", "deletecollection")),
        *(Right("update", each, f"{place}chat") for each in (STATUS, BUDGET_STATUS)),
        *(Right(verb, SCALE, f"{place}chat") for verb in ("get", "update", "patch")),
        *(Right(verb, "events", place) for verb in ("list", "watch", "delete")),
        *(Right(verb, LEASES, f"{own}another") for verb in ("get", "update", "patch", "delete")),
        *(Right(verb, LEASES, "kube-system/kube-scheduler") for verb in ("get", "update", "create")),
        *(Right(verb, "namespaces", "kube-system") for verb in ("list", "watch", "update", "delete")),
        Right("get", "namespaces", "default"),
        *(Right(verb, CRDS, "fireworksdeployments.fireworks.ai") for verb in ("list", "update", "patch", "delete")),
        Right("get", CRDS, "another.example.com"),
        *(Right(verb, "pods", place) for verb in ("get", "list", "create", "delete")),
        *(
            Right("create", f"pods/{each}", f"{place}pod")
            for each in ("exec", "attach", "portforward", "ephemeralcontainers")
        ),
        Right("get", "pods/log", f"{place}pod"),
        *(Right("create", each, place) for each in ("deployments.apps", "daemonsets.apps", "cronjobs.batch")),
        *(Right(verb, "configmaps", place) for verb in ("get", "list", "create", "update", "patch", "delete")),
        *(Right("get", each, place) for each in ("services", "deployments.apps", "jobs.batch")),
        Right("create", "serviceaccounts/token", f"{own}{installed.account}"),
        *(
            Right(verb, f"{each}.rbac.authorization.k8s.io", place)
            for each in ("roles", "rolebindings")
            for verb in ("create", "update", "patch", "bind", "escalate")
        ),
        *(
            Right(verb, f"{each}.rbac.authorization.k8s.io")
            for each in ("clusterroles", "clusterrolebindings")
            for verb in ("bind", "escalate", "create", "update", "patch")
        ),
        *(
            Right("impersonate", each)
            for each in ("users", "groups", "serviceaccounts", "userextras.authentication.k8s.io")
        ),
        *(Right("create", each) for each in ADMISSION),
        *(Right(verb, "certificatesigningrequests.certificates.k8s.io") for verb in ("create", "approve")),
        Right("create", "tokenreviews.authentication.k8s.io"),
        *(Right(verb, "*") for verb in ("get", "list", "create", "delete")),
        Right("*", RESOURCES, place),
        *(Right("get", each) for each in ("nodes", "persistentvolumes")),
    ]
    if not installed.everywhere:
        elsewhere = f"{installed.other}/"
        rights += [
            *(Right(verb, RESOURCES) for verb in ("list", "watch", "patch")),
            *(Right(verb, RESOURCES, elsewhere) for verb in ("get", "list", "watch", "patch")),
            *(Right(verb, BUDGETS, elsewhere) for verb in ("get", "list", "watch")),
            *(Right("patch", each, f"{elsewhere}chat") for each in (STATUS, BUDGET_STATUS)),
            Right("create", "events", elsewhere),
            Right("get", "secrets", f"{elsewhere}fireworks"),
            Right("get", "secrets", f"{own}fireworks-api-key"),
            Right("get", "namespaces", "kube-system"),
            Right("get", CRDS, "fireworksdeployments.fireworks.ai"),
        ]
    return rights


def test_the_api_server_denies_everything_else(installed: Installation, ask: Ask) -> None:
    rights = forbidden(installed)
    assert len(rights) >= 80
    assert [str(right) for right in rights if ask(right)] == []


READ = ["get", "list", "watch"]
WRITE = ["create", "update", "patch", "delete", "deletecollection"]


@pytest.mark.parametrize(
    ("role", "deployments", "budgets", "scale"),
    [
        ("view", READ, READ, ["get"]),
        ("edit", READ + WRITE, READ, ["get", "update", "patch"]),
        ("admin", READ + WRITE, READ + WRITE, ["get", "update", "patch"]),
    ],
    ids=["view", "edit", "admin"],
)
def test_the_clusters_own_roles_reach_the_resources_where_all_namespaces_are_managed(
    installed: Installation, role: str, deployments: list[str], budgets: list[str], scale: list[str]
) -> None:
    """And nobody but the operator writes a status, nor who may spend money a budget."""
    api = KubernetesApi(installed.cluster.kubeconfig)
    place, user = installed.managed, f"user-{role}"
    installed.cluster.kubectl("create", "rolebinding", user, f"--clusterrole={role}", f"--user={user}", "-n", place)

    def granted(resource: str) -> list[str]:
        return [each for each in READ + WRITE if installed.may(api, Right(each, resource, f"{place}/"), user=user)]

    for resource, verbs in ((RESOURCES, deployments), (BUDGETS, budgets), (SCALE, scale)):
        if not installed.everywhere:
            assert granted(resource) == []
            continue
        eventually(
            lambda resource=resource, verbs=verbs: granted(resource) == verbs,  # type: ignore[misc]
            f"{role} may {verbs} {resource}",
            within=60,
            explain=lambda resource=resource: str(granted(resource)),  # type: ignore[misc]
        )
    for verb in ("patch", "update"):
        for status in (STATUS, BUDGET_STATUS):
            assert not installed.may(api, Right(verb, status, f"{place}/chat"), user=user)
