"""Who is who: deployment ids, owner markers and the names that Fireworks understands."""

import base64
import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from fireworks_operator.api.formats import RESERVED_TAG_PREFIX, RESERVED_TAGS

MANAGED_BY = "fireworks-operator"
TAG_PREFIX = "custom/"
"""Begins the keys of all annotations that customers may set (Fireworks documentation, deployment tags)."""
TAG_MANAGED_BY = "custom/managed-by"
TAG_CLUSTER = "custom/cluster"
TAG_NAMESPACE = "custom/namespace"
TAG_NAME = "custom/name"
TAG_CLUSTER_UID = "custom/cluster-uid"
TAG_RELEASED = "custom/released"
TAG_ADOPTED = "custom/adopted"
"""`false` on what an operator has created, `true` on what it was asked to take over; neither on older deployments."""

LABEL_DEPLOYMENT_UID = "fireworks.ai/deployment-uid"

_ID_LENGTH = 63  # Fireworks: ids have 1 to 63 characters of a-z, 0-9 and "-"
_HASH_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Owner:
    """The resource that owns a deployment, as its owner marker says.

    `uid` tells clusters apart that were given the same id: `kube-system/UID` or `crd/UID`, empty where it is not
    known. It is no part of the identity, since a cluster keeps its id when it is rebuilt. Nor is `revision`, by which
    the ids of a deployment and its successor differ; 0 for the first one.
    """

    cluster: str
    namespace: str
    name: str
    uid: str = field(default="", compare=False)
    revision: int = field(default=0, compare=False)

    @property
    def ref(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    def marker(self) -> dict[str, str]:
        """Return the annotations that mark a deployment as owned by this resource."""
        marker = {
            TAG_MANAGED_BY: MANAGED_BY,
            TAG_CLUSTER: self.cluster,
            TAG_NAMESPACE: self.namespace,
            TAG_NAME: self.name,
        }
        return {**marker, TAG_CLUSTER_UID: self.uid} if self.uid else marker

    def is_elsewhere(self, uid: str, previous: Collection[str] = ()) -> bool:
        """Tell whether this is the marker of another cluster than the one with `uid`; only like is compared with like.

        `previous` are ids and uids that the cluster had before.
        """
        (kind, _, mine), (other_kind, _, other) = uid.partition("/"), self.uid.partition("/")
        if not mine or not other or kind != other_kind:
            return False
        return mine != other and other not in previous and self.uid not in previous


def pod_selector(uid: str) -> str:
    """Return the label selector of the scale subresource of the resource with this UID.

    It shall match no pod, nor overlap that of another resource, whose autoscalers would otherwise both stop.
    """
    return f"{LABEL_DEPLOYMENT_UID}={uid}"


def is_reserved_tag(key: str) -> bool:
    """Tell whether a tag, by its key without `custom/`, is the operator's own."""
    return key in RESERVED_TAGS or key.startswith(RESERVED_TAG_PREFIX)


class Ownership(Enum):
    """What a deployment's annotations say about one resource's claim to it."""

    OURS = auto()
    """Carries this resource's marker."""
    OURS_UNMARKED = auto()
    """Ours by its derived id, its create time or a previous cluster id, but the marker must be written again."""
    RELEASED = auto()
    """Some operator let go of it: this resource's own former deployment, or another one's."""
    UNOWNED = auto()
    """Carries no marker at all."""
    FOREIGN = auto()
    """Carries the marker of another resource."""
    ELSEWHERE = auto()
    """Carries this resource's marker, written by another cluster that was given the same id."""
    RECREATED = auto()
    """Carries this resource's marker, but is not the deployment that its status remembers."""


def deployment_id(owner: Owner) -> str:
    """Return the deployment id of a resource: readable, unique per cluster, the same after a restore.

    A slug of `namespace-name`, cut to fit, and 8 characters of a hash over cluster, namespace and name, and over the
    revision of a successor; at most 63 characters, beginning with a letter.
    """
    revision = (str(owner.revision),) if owner.revision else ()
    text = "\0".join((owner.cluster, owner.namespace, owner.name, *revision)).encode()
    digest = base64.b32encode(hashlib.sha256(text).digest()).decode().lower()[:_HASH_LENGTH]
    slug = re.sub(r"[^a-z0-9]+", "-", f"{owner.namespace}-{owner.name}".lower()).strip("-")
    if not slug[:1].isalpha():
        slug = f"d-{slug}"
    return f"{slug[: _ID_LENGTH - _HASH_LENGTH - 1].rstrip('-')}-{digest}"


def deployment_name(account: str, identifier: str) -> str:
    """Return the full resource name, `accounts/A/deployments/D`."""
    return f"accounts/{account}/deployments/{identifier}"


def account_of(name: str) -> str:
    """Return the account id in a full resource name."""
    return name.removeprefix("accounts/").partition("/")[0]


def full_model_name(account: str | None, model: str) -> str:
    """Return a full model name; a bare id is a model of the account itself, and stays bare while that is unknown."""
    return model if account is None or "/" in model else f"accounts/{account}/models/{model}"


def model_identifier(model: str, deployment: str) -> str:
    """Return what goes into `model` of an inference request, `MODEL_NAME#DEPLOYMENT_NAME`."""
    return f"{model}#{deployment}"


def router_name(account: str, identifier: str) -> str:
    """Return the full name of a router, `accounts/A/routers/R`."""
    return f"accounts/{account}/routers/{identifier}"


def router_marker(owner: Owner) -> str:
    """Return the display name that marks a router as owned by a resource: routers have no annotations.

    What people read, cut to fit, and 16 characters of a hash over cluster, namespace and name that tell owners apart;
    at most 63 characters (Fireworks REST reference, routers).
    """
    text = "\0".join((owner.cluster, owner.namespace, owner.name)).encode()
    digest = base64.b32encode(hashlib.sha256(text).digest()).decode().lower()[:16]
    return f"{f'{MANAGED_BY}: {owner.ref}'[: _ID_LENGTH - len(digest) - 1]} {digest}"


def is_router_marker(display_name: str) -> bool:
    """Tell whether the display name of a router marks it as owned by some resource."""
    return display_name.startswith(f"{MANAGED_BY}: ")


def parse_marker(annotations: Mapping[str, str]) -> Owner | None:
    """Return the owner that the annotations name, None where the marker is missing or not ours to read."""
    if annotations.get(TAG_MANAGED_BY) != MANAGED_BY:
        return None
    values = [annotations.get(tag) for tag in (TAG_CLUSTER, TAG_NAMESPACE, TAG_NAME)]
    cluster, namespace, name = values
    if cluster is None or namespace is None or name is None:
        return None
    return Owner(cluster, namespace, name, annotations.get(TAG_CLUSTER_UID, ""))


def is_released(annotations: Mapping[str, str]) -> bool:
    """Tell whether some operator has let go of the deployment on purpose."""
    return annotations.get(TAG_RELEASED) == "true"


def was_created(annotations: Mapping[str, str]) -> bool | None:
    """Tell whether an operator has created the deployment for its owner; None: not known, made by an old version."""
    return {"false": True, "true": False}.get(annotations.get(TAG_ADOPTED, ""))


def orphaned_from(
    name: str,
    annotations: Mapping[str, str],
    clusters: Collection[str],
    claims: Mapping[str, Collection[str] | None],
    uid: str = "",
) -> Owner | None:
    """Return the resource that should look after a deployment and does not; None if all is well, or it is not ours.

    Args:
        name: the deployment's full name.
        annotations: its `custom/…` annotations.
        clusters: the ids of this cluster, now and before.
        claims: the deployments that each resource claims by `namespace/name`; None while it claims none.
        uid: of this cluster, as in its markers; empty if not known.
    """
    owner = parse_marker(annotations)
    if owner is None or owner.cluster not in clusters or is_released(annotations) or owner.is_elsewhere(uid, clusters):
        return None
    claimed = claims.get(owner.ref, ())
    return None if claimed is None or name in claimed else owner


def ownership(
    annotations: Mapping[str, str],
    identifier: str,
    owner: Owner,
    *,
    previous_clusters: tuple[str, ...] = (),
    known: bool = False,
    recreated: bool = False,
) -> Ownership:
    """Tell whose a deployment is.

    Args:
        annotations: the deployment's `custom/…` annotations.
        identifier: its deployment id.
        owner: the resource that asks.
        previous_clusters: cluster ids that this cluster had before it was rebuilt from a backup.
        known: the deployment was created at the moment that the resource's status remembers.
        recreated: it was created at another moment, and not by a request of ours.
    """
    names = [owner, *(replace(owner, cluster=cluster, uid="") for cluster in previous_clusters)]
    marker, released = parse_marker(annotations), is_released(annotations)
    if marker is None:
        ours = known or identifier in map(deployment_id, names)
        return Ownership.OURS_UNMARKED if ours and not recreated else Ownership.UNOWNED
    if marker not in names:
        return Ownership.RELEASED if released else Ownership.FOREIGN
    if marker == owner and marker.is_elsewhere(owner.uid, previous_clusters):
        return Ownership.RELEASED if released else Ownership.ELSEWHERE
    if recreated:
        return Ownership.RECREATED
    current = marker == owner and not marker.is_elsewhere(owner.uid)  # not of an id or uid that this cluster had before
    return Ownership.OURS if current and not released else Ownership.OURS_UNMARKED
