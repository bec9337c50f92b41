"""Whose deployment it is, and how it becomes ours."""

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import AdoptionPolicy, FireworksDeployment
from fireworks_operator.core.actions import Adopt, Pending, Refuse
from fireworks_operator.core.context import Context, Usable, pinned_account
from fireworks_operator.core.identity import TAG_ADOPTED, TAG_CLUSTER_UID, TAG_RELEASED, Ownership
from fireworks_operator.core.pauses import freed_at
from fireworks_operator.core.situation import Situation
from fireworks_operator.fireworks.models import Deployment

_TO_MOVE = "; to move to another account, delete this resource and recreate it."


def decide_adoption(situation: Situation, deployment: Deployment, credential: Usable) -> Adopt | Refuse | None:
    """Say how a deployment becomes ours, or why not; None if it is."""
    match situation.ownership(deployment):
        case Ownership.OURS:
            return None
        case Ownership.OURS_UNMARKED:
            return _mark_again(situation, deployment)
        case Ownership.ELSEWHERE:
            return Refuse(Reason.CONFLICT, _elsewhere(deployment, situation.context))
        case Ownership.FOREIGN:
            return _refuse_foreign(situation, deployment)
        case Ownership.RECREATED:
            return _decide_recreated(situation, deployment)
        case Ownership.RELEASED | Ownership.UNOWNED:
            return _decide_unowned(situation, deployment, credential)


def _mark_again(situation: Situation, deployment: Deployment) -> Adopt | None:
    if deployment.state in ("DELETING", "DELETED"):
        return None
    return Adopt(deployment.name, {**situation.owner.marker(), **_origin(situation)}, _former_release(deployment))


def _decide_recreated(situation: Situation, deployment: Deployment) -> Adopt | Refuse:
    if situation.spec.adoption_policy is AdoptionPolicy.UNOWNED and deployment.state != "DELETED":
        return _take_over(situation, deployment)
    return Refuse(
        Reason.CONFLICT,
        f"{deployment.name} is not the deployment that this resource had: someone else recreated it with this "
        "resource's owner marker. Set spec.adoptionPolicy to Unowned to adopt it, or delete this resource, which "
        "leaves it untouched.",
        freed_at(deployment, situation.now),
    )


def _refuse_foreign(situation: Situation, deployment: Deployment) -> Refuse:
    if deployment.state == "DELETED":
        return Refuse(
            Reason.CONFLICT,
            f"{deployment.name} belonged to another resource (see its custom/namespace and custom/name annotations) "
            "and is deleted, but Fireworks reserves its id for 7 days. Choose another spec.deploymentId, or wait.",
            freed_at(deployment, situation.now),
        )
    return Refuse(
        Reason.CONFLICT,
        f"{deployment.name} belongs to another resource (see its custom/namespace and custom/name "
        "annotations). Choose another spec.deploymentId, or delete the other resource first.",
    )


def _decide_unowned(situation: Situation, deployment: Deployment, credential: Usable) -> Adopt | Refuse:
    if situation.spec.adoption_policy is not AdoptionPolicy.UNOWNED:
        return Refuse(
            Reason.ADOPTION_NOT_ALLOWED,
            f"{deployment.name} exists and was not created for this resource. Set spec.adoptionPolicy to Unowned to "
            "adopt it, or choose another spec.deploymentId.",
            freed_at(deployment, situation.now),
        )
    if credential.own and situation.owner.namespace not in situation.context.adoption_namespaces:
        return Refuse(
            Reason.ADOPTION_NOT_ALLOWED,
            f"Adopting {deployment.name} requires an API key from this namespace (spec.credentialsSecretRef), or the "
            f'namespace "{situation.owner.namespace}" in the operator\'s setting adoptionNamespaces.',
            freed_at(deployment, situation.now),
        )
    return _take_over(situation, deployment)


def _take_over(situation: Situation, deployment: Deployment) -> Adopt:
    tags = {**situation.owner.marker(), TAG_ADOPTED: "true"}
    return Adopt(deployment.name, tags, _former_release(deployment), by_request=True)


def _former_release(deployment: Deployment) -> tuple[str, ...]:
    """Return the tag to remove from a deployment that some operator has let go of."""
    return (TAG_RELEASED,) if TAG_RELEASED in deployment.annotations else ()


def _origin(situation: Situation) -> dict[str, str]:
    """Return the tag that says who has made the deployment, as far as the status knows; the one there is kept else."""
    applied = situation.status.applied_fields
    return {} if applied is None else {TAG_ADOPTED: "false" if "baseModel" in applied else "true"}


def _elsewhere(deployment: Deployment, context: Context) -> str:
    uid = deployment.annotations.get(TAG_CLUSTER_UID, "").partition("/")[2]
    return (
        f'{deployment.name} belongs to another cluster with the same cluster id "{context.cluster_id}", whose uid is '
        f"{uid}. If this cluster was rebuilt, add that uid to the operator's setting previousClusterIds; if both are "
        "in use, give one of them a different clusterId before it has deployments, or API keys of a different "
        "account."
    )


def refuse_to_show(situation: Situation, deployment: Deployment, credential: Usable) -> Refuse | None:
    """Refuse to tell of another resource's deployment to who has no key of the account; None if it may be observed."""
    if not credential.own or situation.owner.namespace in situation.context.adoption_namespaces:
        return None
    if situation.ownership(deployment) not in (Ownership.FOREIGN, Ownership.ELSEWHERE):
        return None
    return Refuse(
        Reason.CONFLICT,
        f"{deployment.name} belongs to another resource. Observing it requires an API key from this namespace "
        f'(spec.credentialsSecretRef), or the namespace "{situation.owner.namespace}" in the operator\'s setting '
        "adoptionNamespaces.",
    )


def account_mismatch(
    resource: FireworksDeployment, credential: Usable, way_out: str = _TO_MOVE
) -> Refuse | Pending | None:
    """Refuse to act on one account's deployment with another account's key; None if it is the same account.

    A key that has yet to be tried waits: what it is refused for may say more than the account beside it.
    """
    pinned, account = pinned_account(resource), credential.account
    if pinned is None or pinned == account:
        return None
    if not credential.proven:
        return Pending()
    return Refuse(
        Reason.ACCOUNT_MISMATCH,
        f'The deployment belongs to account "{pinned}", but the API key belongs to account "{account}". Restore an '
        f'API key of "{pinned}"{way_out}',
    )
