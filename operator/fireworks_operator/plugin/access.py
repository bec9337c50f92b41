"""Who may do what: asked of the API server by access reviews."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from fireworks_operator.api.kinds import BUDGETS
from fireworks_operator.api.v1alpha1 import GROUP, PLURAL
from fireworks_operator.kube.client import KubernetesClient, KubernetesForbiddenError
from fireworks_operator.kube.resources import CRD

from .check import Check

_SERVICE_ACCOUNT: Final = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class User:
    """Somebody by their name in Kubernetes."""

    name: str

    @property
    def is_service_account(self) -> bool:
        """Whether it is a pod's identity, `system:serviceaccount:NAMESPACE:NAME`."""
        return self.name.startswith(_SERVICE_ACCOUNT)

    @property
    def groups(self) -> list[str]:
        """The groups that Kubernetes itself gives to the user."""
        groups = ["system:authenticated"]
        if self.is_service_account:
            namespace = self.name.removeprefix(_SERVICE_ACCOUNT).split(":")[0]
            groups += ["system:serviceaccounts", f"system:serviceaccounts:{namespace}"]
        return groups


@dataclass(frozen=True, slots=True)
class Right:
    """What one line is about: verbs on one resource, of the whole cluster or of a namespace."""

    verbs: tuple[str, ...]
    group: str
    resource: str
    subresource: str = ""
    name: str = ""
    namespaced: bool = True

    def __str__(self) -> str:
        kind = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{kind} {self.name}".rstrip()


OF_USERS: Final = (
    Right(("get", "list", "watch"), GROUP, PLURAL),
    Right(("create", "update", "patch", "delete"), GROUP, PLURAL),
)
OF_THE_OPERATOR: Final = (
    Right(("list", "watch", "patch"), GROUP, PLURAL),
    Right(("patch",), GROUP, PLURAL, "status"),
    Right(("get", "list", "watch"), GROUP, BUDGETS.plural),
    Right(("patch",), GROUP, BUDGETS.plural, "status"),
    Right(("get",), "", "secrets"),
    Right(("create", "patch"), "", "events"),
    Right(("get",), "", "namespaces", name="kube-system", namespaced=False),
    Right(("get",), "apiextensions.k8s.io", "customresourcedefinitions", name=CRD, namespaced=False),
)


async def check_rights(
    client: KubernetesClient, namespace: str | None, user: User | None, *, ask_about: bool
) -> AsyncIterator[Check]:
    """Yield one check per right: what users need, or for a service account what the operator needs.

    Args:
        client: asks as the user of the kubeconfig, or as `user`.
        namespace: where; None for all namespaces.
        user: whose rights; None for those of the kubeconfig.
        ask_about: whether the client is somebody else than `user`.
    """
    operator = user is not None and user.is_service_account
    subject = user if ask_about else None
    for right in OF_THE_OPERATOR if operator else OF_USERS:
        try:
            missing = [each for each in right.verbs if not await _may(client, namespace, subject, right, each)]
        except KubernetesForbiddenError as error:
            way_out = "use an account that may create subjectaccessreviews, or omit --subject"
            yield Check.failed("permissions", str(error), way_out)
            return
        yield _check(right, missing, namespace, user)


def _check(right: Right, missing: Sequence[str], namespace: str | None, user: User | None) -> Check:
    who = "you" if user is None else user.name
    where = "" if not right.namespaced else " in all namespaces" if namespace is None else f" in namespace {namespace}"
    if not missing:
        return Check.ok("permissions", f"{who} may {', '.join(right.verbs)} {right}{where}")
    way_out = (
        "install the chart with rbac.create, or bind its rules manually"
        if user is not None and user.is_service_account
        else 'have the ClusterRole "edit" of Kubernetes bound, to which the chart adds these verbs'
    )
    return Check.failed("permissions", f"{who} may not {', '.join(missing)} {right}{where}", way_out)


async def _may(client: KubernetesClient, namespace: str | None, user: User | None, right: Right, verb: str) -> bool:
    attributes = {
        "verb": verb,
        "group": right.group,
        "resource": right.resource,
        "subresource": right.subresource,
        "name": right.name,
        "namespace": (namespace or "") if right.namespaced else "",
    }
    spec: dict[str, object] = {"resourceAttributes": attributes}
    kind = "SelfSubjectAccessReview"
    if user is not None:
        kind = "SubjectAccessReview"
        spec |= {"user": user.name, "groups": user.groups}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
    answer = await client.request("POST", f"/apis/authorization.k8s.io/v1/{kind.lower()}s", body=body)
    return answer.get("status", {}).get("allowed") is True
