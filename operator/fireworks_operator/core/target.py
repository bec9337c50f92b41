"""Which deployment a resource is about."""

from dataclasses import replace

from fireworks_operator.api.v1alpha1 import FireworksDeployment

from .context import Context, Unusable
from .identity import deployment_id, deployment_name
from .successor import second


def target_name(resource: FireworksDeployment, context: Context) -> str | None:
    """Return the full name of the deployment that the resource is about; None while no account is known."""
    if resource.status.deployment_name is not None:
        return resource.status.deployment_name
    if isinstance(context.credential, Unusable):
        return None
    return new_name(resource, context, context.credential.account)


def second_name(resource: FireworksDeployment, context: Context) -> str | None:
    """Return the full name of the second deployment while the resource is replaced; None if it is not, or not known."""
    replacement = resource.status.replacement
    if replacement is None:
        return None
    return target_name(second(resource, replacement), replace(context, revision=replacement.revision))


def new_name(resource: FireworksDeployment, context: Context, account: str) -> str:
    """Return the name to claim: the user's, or the derived one, also of a former life of the cluster if it is known.

    Where that is gone and another one has the resource's marker, that one has replaced it, and the status was lost.
    """
    owner, own = context.owner(resource), resource.spec.deployment_id
    derived = deployment_name(account, deployment_id(owner) if own is None else own)
    former = next(filter(context.exists, former_names(resource, context, account)), None)
    return former or heir_of(resource, context, derived) or derived


def heir_of(resource: FireworksDeployment, context: Context, name: str) -> str | None:
    """Return the deployment that has taken the place of one that has ended, also in a former life of the cluster.

    None if there is none, or if it is a successor that is asked about: the deployment that it replaces has its marker.
    """
    if context.revision:
        return None
    owner, previous = context.owner(resource), context.previous_cluster_ids
    lives = (owner, *(replace(owner, cluster=each) for each in previous))
    return next((found for each in lives if (found := context.heir(each, name, previous)) is not None), None)


def former_names(resource: FireworksDeployment, context: Context, account: str) -> tuple[str, ...]:
    """Return the names that the resource's deployment had, if any, in former lives of the cluster."""
    if resource.spec.deployment_id is not None:
        return ()
    owner = context.owner(resource)
    former = (replace(owner, cluster=cluster) for cluster in context.previous_cluster_ids)
    return tuple(deployment_name(account, deployment_id(each)) for each in former)
