"""What a pass finds around a resource: who the operator is, the resource's key, the state of its account."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from fireworks_operator.controller.accounts.account import Account
from fireworks_operator.controller.accounts.accounts import Resolved
from fireworks_operator.core.context import Context, Unlisted, Unusable
from fireworks_operator.core.prices import Prices


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this operator is: the cluster's id, those it had before, where its own key may adopt, what it always asks."""

    cluster_id: str
    previous_cluster_ids: tuple[str, ...] = ()
    adoption_namespaces: frozenset[str] = frozenset()
    inference_url: str = "https://api.fireworks.ai/inference/v1"
    create_query: Mapping[str, str] = field(default_factory=lambda: {"acceptShapelessRisk": "true"})
    cluster_uid: str = ""
    default_shape: bool = True


def surroundings(
    identity: Identity, resolved: Resolved, prices: Prices, now: datetime, *, started: datetime
) -> Context:
    """Return the context of a pass; `started` is when this process did, and with it any failure of unknown age."""
    account = resolved.account
    context = Context(
        now=now,
        cluster_id=identity.cluster_id,
        credential=resolved.state,
        previous_cluster_ids=identity.previous_cluster_ids,
        cluster_uid=identity.cluster_uid,
        adoption_namespaces=identity.adoption_namespaces,
        inference_url=identity.inference_url,
        exists=account.observer.has if account is not None else lambda _: False,
        heir=account.observer.heir if account is not None else lambda *_: None,
        create_query=identity.create_query,
        default_shape=identity.default_shape,
        addons_unlisted=_addons_unlisted(account, now) if account is not None else None,
        prices=prices,
        cold=account.cold.demands() if account is not None else frozenset(),
        resumed_at=_resumed_at(account, now) if account is not None else None,
    )
    if isinstance(resolved.state, Unusable):
        return context if resolved.state.needs_user else replace(context, unreachable_since=started)
    failure = account.observer.failure if account is not None else None
    if failure is None or account is None:
        return context
    lasts = timedelta(seconds=account.observer.clock() - failure.since)
    return replace(
        context,
        unreachable_since=now - lasts,
        unreachable=failure.diagnosis.message,
        unreachable_reason=failure.diagnosis.reason,
    )


def _addons_unlisted(account: Account, now: datetime) -> Unlisted | None:
    failure = account.observer.addons_failure
    if failure is None:
        return None
    return Unlisted(now - timedelta(seconds=account.observer.clock() - failure.since), failure.diagnosis)


def _resumed_at(account: Account, now: datetime) -> datetime | None:
    resumed = account.observer.resumed
    return None if resumed is None else now - timedelta(seconds=account.observer.clock() - resumed)
