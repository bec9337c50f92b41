"""Which deployment a resource is about."""

from dataclasses import replace

from fireworks_operator.api.v1alpha1 import FireworksDeployment

from .context import Context, Unusable
from .identity import deployment_id, deployment_name


def target_name(resource: FireworksDeployment, context: Context) -> str | None:
    """Return the full name of the deployment that the resource is about; None while no account is known."""
    if resource.status.deployment_name is not None:
        return resource.status.deployment_name
    if isinstance(context.credential, Unusable):
        return None
    return new_name(resource, context, context.credential.account)


def new_name(resource: FireworksDeployment, context: Context, account: str) -> str:
    """Return the name to claim: the user's, or the derived one, also of a former life of the cluster if it is known."""
    if resource.spec.deployment_id is not None:
        return deployment_name(account, resource.spec.deployment_id)
    derived = deployment_name(account, deployment_id(context.owner(resource)))
    return next(filter(context.exists, former_names(resource, context, account)), derived)


def former_names(resource: FireworksDeployment, context: Context, account: str) -> tuple[str, ...]:
    """Return the names that the resource's deployment had, if any, in former lives of the cluster."""
    if resource.spec.deployment_id is not None:
        return ()
    owner = context.owner(resource)
    former = (replace(owner, cluster=cluster) for cluster in context.previous_cluster_ids)
    return tuple(deployment_name(account, deployment_id(each)) for each in former)
