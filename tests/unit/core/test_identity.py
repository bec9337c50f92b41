"""Deployment ids, owner markers, and whose a deployment is."""

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireworks_operator.api.formats import RESERVED_TAGS
from fireworks_operator.core import identity
from fireworks_operator.core.identity import (
    TAG_CLUSTER,
    TAG_MANAGED_BY,
    TAG_NAME,
    TAG_PREFIX,
    TAG_RELEASED,
    Owner,
    Ownership,
    account_of,
    deployment_id,
    deployment_name,
    full_model_name,
    model_identifier,
    orphaned_from,
    ownership,
    parse_marker,
)
from testkit.builders import OWNER
from testkit.properties import examples

LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
NAME = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?", fullmatch=True)
DEPLOYMENT = "accounts/acme/deployments/chat"
OWNERS = st.builds(Owner, st.text(max_size=40), LABEL, NAME)


def test_every_tag_of_the_operator_is_reserved() -> None:
    ours = {value for name, value in vars(identity).items() if name.startswith("TAG_")} - {TAG_PREFIX}
    assert ours == {TAG_PREFIX + key for key in RESERVED_TAGS}
    assert identity.is_reserved_tag("name")
    assert identity.is_reserved_tag("fireworks.ai/later")
    assert not identity.is_reserved_tag("names")


@examples(100)
@given(OWNERS)
def test_every_resource_has_a_deployment_id_that_fireworks_accepts(owner: Owner) -> None:
    assert re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", deployment_id(owner))


@examples(100)
@given(OWNERS)
def test_the_same_resource_always_has_the_same_id(owner: Owner) -> None:
    assert deployment_id(owner) == deployment_id(Owner(owner.cluster, owner.namespace, owner.name))


@examples(100)
@given(OWNERS, OWNERS)
def test_different_resources_have_different_ids(one: Owner, other: Owner) -> None:
    assert (deployment_id(one) == deployment_id(other)) is (one == other)


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        (Owner("c", "a-b", "c"), Owner("c", "a", "b-c"), "The slug of both is a-b-c; the hash tells them apart."),
        (Owner("c", "a", "b"), Owner("d", "a", "b"), "Two clusters may share one account."),
        (Owner("c", "a" * 63, "b"), Owner("c", "a" * 63, "c"), "The slug is cut before the names differ."),
        (Owner("c", "a", "b.c"), Owner("c", "a", "b-c"), "A dot becomes a hyphen in the slug."),
    ],
)
def test_ids_stay_apart_where_slugs_do_not(one: Owner, other: Owner, reason: str) -> None:
    assert deployment_id(one) != deployment_id(other), reason


def test_an_id_says_whose_it_is_and_never_changes_between_versions() -> None:
    # Written down, not computed: a change would orphan every running deployment whose status is lost.
    assert deployment_id(OWNER).startswith("team-a-chat-")
    assert deployment_id(Owner("c", "1st", "m")).startswith("d-1st-m-")
    assert deployment_id(Owner("cluster-1", "team-a", "chat")) == "team-a-chat-tqeq2suz"


def test_a_slug_cut_at_a_hyphen_does_not_end_in_one() -> None:
    assert "--" not in deployment_id(Owner("c", "a" * 53, "b"))


def test_names_are_put_together_as_the_rest_api_has_them() -> None:
    name = deployment_name("acme", "chat")
    assert name == "accounts/acme/deployments/chat"
    assert account_of(name) == "acme"
    assert full_model_name("acme", "mine") == "accounts/acme/models/mine"
    assert full_model_name("acme", "accounts/fireworks/models/m") == "accounts/fireworks/models/m"
    assert model_identifier("accounts/f/models/m", name) == "accounts/f/models/m#accounts/acme/deployments/chat"


def test_a_marker_is_read_as_it_was_written() -> None:
    assert parse_marker(OWNER.marker()) == OWNER


OWN = OWNER.marker()
OTHER = Owner(OWNER.cluster, "team-b", "chat").marker()
FORMER = Owner("cluster-0", OWNER.namespace, OWNER.name).marker()
RELEASED = {TAG_RELEASED: "true"}
UNFINISHED = {tag: text for tag, text in OTHER.items() if tag != TAG_NAME}


@pytest.mark.parametrize(
    ("annotations", "identifier", "known", "expected", "reason"),
    [
        (OWN, "any", False, Ownership.OURS, "It carries our marker, whatever its id."),
        (OWN | RELEASED, "any", False, Ownership.OURS_UNMARKED, "Our own former deployment is taken back freely."),
        (FORMER, "any", False, Ownership.OURS_UNMARKED, "The cluster was rebuilt and has a new id."),
        (OTHER, "any", False, Ownership.FOREIGN, "Another resource's."),
        (OTHER, deployment_id(OWNER), True, Ownership.FOREIGN, "A marker counts for more than an id or a time."),
        (OTHER | RELEASED, "any", False, Ownership.RELEASED, "Another resource let go of it."),
        (OTHER | {TAG_RELEASED: "yes"}, "any", False, Ownership.FOREIGN, "Only the text true lets go."),
        ({}, "any", False, Ownership.UNOWNED, "Somebody made it by hand."),
        ({}, deployment_id(OWNER), False, Ownership.OURS_UNMARKED, "Only we derive this id; the marker was removed."),
        ({}, "any", True, Ownership.OURS_UNMARKED, "We were there when it was created; the marker was removed."),
        (UNFINISHED, "any", False, Ownership.UNOWNED, "Half a marker names nobody."),
        (OTHER | {"custom/managed-by": "terraform"}, "any", False, Ownership.UNOWNED, "Not a marker of this operator."),
    ],
)
def test_whose_a_deployment_is(
    annotations: Mapping[str, str], identifier: str, known: bool, expected: Ownership, reason: str
) -> None:
    found = ownership(annotations, identifier, OWNER, previous_clusters=("cluster-0",), known=known)
    assert found is expected, reason


def test_an_id_derived_in_a_former_cluster_is_ours() -> None:
    former = deployment_id(Owner("cluster-0", OWNER.namespace, OWNER.name))
    assert ownership({}, former, OWNER, previous_clusters=("cluster-0",)) is Ownership.OURS_UNMARKED
    assert ownership({}, former, OWNER) is Ownership.UNOWNED


@pytest.mark.parametrize(
    ("tags", "claims", "orphaned", "reason"),
    [
        ({}, {"team-a/chat": [DEPLOYMENT]}, False, "Its resource claims it."),
        ({}, {"team-a/chat": [f"{DEPLOYMENT}-2", DEPLOYMENT]}, False, "Its resource is being replaced: it has two."),
        ({}, {}, True, "Its resource is gone."),
        ({}, {"team-b/chat": [DEPLOYMENT]}, True, "Another's claim is not its owner's."),
        ({}, {"team-a/chat": None}, False, "Its resource is about to claim it, or cannot be read."),
        ({}, {"team-a/chat": [f"{DEPLOYMENT}-2"]}, True, "Its resource has another one: nobody manages this one."),
        ({TAG_RELEASED: "true"}, {}, False, "It was let go on purpose."),
        ({TAG_CLUSTER: "elsewhere"}, {}, False, "Another cluster's are none of ours."),
        ({TAG_CLUSTER: "cluster-0"}, {}, True, "A former life of this cluster made it."),
        ({TAG_MANAGED_BY: "firectl"}, {}, False, "It was never ours."),
    ],
)
def test_orphans(tags: dict[str, str], claims: dict[str, list[str] | None], orphaned: bool, reason: str) -> None:
    found = orphaned_from(DEPLOYMENT, {**OWNER.marker(), **tags}, ("cluster-1", "cluster-0"), claims)
    assert (found is not None) is orphaned, reason


@pytest.mark.parametrize(
    ("here", "marked", "previous", "expected", "reason"),
    [
        ("kube-system/1", "kube-system/1", (), Ownership.OURS, "This cluster's."),
        ("kube-system/1", "kube-system/2", (), Ownership.ELSEWHERE, "Another cluster was given the same id."),
        ("kube-system/1", "kube-system/2", ("2",), Ownership.OURS_UNMARKED, "The cluster was rebuilt: marked anew."),
        ("kube-system/1", "", (), Ownership.OURS, "Marked by an operator that did not know."),
        ("", "kube-system/2", (), Ownership.OURS, "Nothing may be read here: not known is not another."),
        ("crd/1", "kube-system/2", (), Ownership.OURS, "Only like is compared with like."),
    ],
)
def test_two_clusters_with_one_id_do_not_take_each_others_deployments(
    here: str, marked: str, previous: tuple[str, ...], expected: Ownership, reason: str
) -> None:
    marker = replace(OWNER, uid=marked).marker()
    owner = replace(OWNER, uid=here)
    assert ownership(marker, "any", owner, previous_clusters=previous) is expected, reason
    orphaned = orphaned_from(DEPLOYMENT, marker, (OWNER.cluster, *previous), {}, here)
    assert (orphaned is None) is (expected is Ownership.ELSEWHERE), reason
