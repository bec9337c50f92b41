"""Whose deployment it is, and how it becomes ours."""

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import AdoptionPolicy, FireworksDeployment
from fireworks_operator.fireworks.models import Deployment

from .actions import Adopt, Refuse
from .context import Context, Usable
from .identity import TAG_ADOPTED, TAG_CLUSTER_UID, TAG_RELEASED, Ownership
from .retry import freed_at


def decide_adoption(
    resource: FireworksDeployment, deployment: Deployment, context: Context, credential: Usable
) -> Adopt | Refuse | None:
    """Say how a deployment becomes ours, or why not; None if it is."""
    whose = context.ownership(resource, deployment)
    if whose is Ownership.OURS:
        return None
    remove = (TAG_RELEASED,) if TAG_RELEASED in deployment.annotations else ()
    if whose is Ownership.OURS_UNMARKED:
        gone = deployment.state in ("DELETING", "DELETED")
        return None if gone else Adopt({**context.owner(resource).marker(), **_origin(resource)}, remove)
    if whose is Ownership.ELSEWHERE:
        return Refuse(Reason.CONFLICT, _elsewhere(deployment, context))
    recreated = whose is Ownership.RECREATED
    if recreated and resource.spec.adoption_policy is AdoptionPolicy.UNOWNED and deployment.state != "DELETED":
        return Adopt({**context.owner(resource).marker(), TAG_ADOPTED: "true"}, remove, by_request=True)
    if recreated:
        return Refuse(
            Reason.CONFLICT,
            f"{deployment.name} is another deployment than the one that this resource had: it was created again by "
            "somebody else, with this resource's owner marker. Set spec.adoptionPolicy to Unowned to take it over, or "
            "delete this resource, which leaves it untouched.",
            freed_at(deployment, context.now),
        )
    if whose is Ownership.FOREIGN and deployment.state == "DELETED":
        return Refuse(
            Reason.CONFLICT,
            f"{deployment.name} belonged to another resource (see its custom/namespace and custom/name annotations) "
            "and is deleted, but Fireworks keeps its id for 7 days. Choose another spec.deploymentId, or wait.",
            freed_at(deployment, context.now),
        )
    if whose is Ownership.FOREIGN:
        return Refuse(
            Reason.CONFLICT,
            f"{deployment.name} belongs to another resource (see its custom/namespace and custom/name "
            "annotations). Choose another spec.deploymentId, or delete the other resource first.",
        )
    if resource.spec.adoption_policy is not AdoptionPolicy.UNOWNED:
        return Refuse(
            Reason.ADOPTION_NOT_ALLOWED,
            f"{deployment.name} exists and was not created for this resource. Set spec.adoptionPolicy to Unowned "
            "to take it over, or choose another spec.deploymentId.",
            freed_at(deployment, context.now),
        )
    if credential.own and resource.metadata.namespace not in context.adoption_namespaces:
        return Refuse(
            Reason.ADOPTION_NOT_ALLOWED,
            f"Taking over {deployment.name} needs an API key of this namespace (spec.credentialsSecretRef), or "
            f'the namespace "{resource.metadata.namespace}" in the operator\'s setting adoptionNamespaces.',
            freed_at(deployment, context.now),
        )
    return Adopt({**context.owner(resource).marker(), TAG_ADOPTED: "true"}, remove, by_request=True)


def _origin(resource: FireworksDeployment) -> dict[str, str]:
    """Return the tag that says who has made the deployment, as far as the status knows; the one there is kept else."""
    applied = resource.status.applied_fields
    return {} if applied is None else {TAG_ADOPTED: "false" if "baseModel" in applied else "true"}


def _elsewhere(deployment: Deployment, context: Context) -> str:
    uid = deployment.annotations.get(TAG_CLUSTER_UID, "").partition("/")[2]
    return (
        f'{deployment.name} belongs to another cluster with the same cluster id "{context.cluster_id}", whose uid is '
        f"{uid}. If this cluster was rebuilt, add that uid to the operator's setting previousClusterIds; if both live, "
        "give one of them another clusterId before it has deployments, or keys of another account."
    )


def refuse_to_show(
    resource: FireworksDeployment, deployment: Deployment, context: Context, credential: Usable
) -> Refuse | None:
    """Refuse to tell of another resource's deployment to who has no key of the account; None if it may be observed."""
    if not credential.own or resource.metadata.namespace in context.adoption_namespaces:
        return None
    if context.ownership(resource, deployment) not in (Ownership.FOREIGN, Ownership.ELSEWHERE):
        return None
    return Refuse(
        Reason.CONFLICT,
        f"{deployment.name} belongs to another resource. Observing it needs an API key of this namespace "
        f'(spec.credentialsSecretRef), or the namespace "{resource.metadata.namespace}" in the operator\'s setting '
        "adoptionNamespaces.",
    )


def account_mismatch(pinned: str, account: str) -> Refuse:
    """Refuse to act on one account's deployment with another account's key."""
    return Refuse(
        Reason.ACCOUNT_MISMATCH,
        f'The deployment lives in account "{pinned}", but the API key belongs to account "{account}". '
        f'Restore a key of "{pinned}"; to move, delete this resource and create it anew.',
    )
