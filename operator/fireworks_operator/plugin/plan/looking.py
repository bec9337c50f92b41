"""What Fireworks says of a resource's deployment now, and what it would make of a new one."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import GROUP, DirectRouteSecret, FireworksDeployment
from fireworks_operator.core.actions import Create, Delete, Mutation, Refuse, Update
from fireworks_operator.core.budgets import Room
from fireworks_operator.core.context import Context, CredentialState, Unusable, Usable
from fireworks_operator.core.decisions.addons import lists_loaded
from fireworks_operator.core.decisions.direct_route import keys_to_read
from fireworks_operator.core.decisions.growth import fitting, frees_quota, hardware_question, parked_by_budget
from fireworks_operator.core.decisions.preparation import model_to_prepare
from fireworks_operator.core.diagnosis import diagnose
from fireworks_operator.core.forecast.fireworks import Told
from fireworks_operator.core.forecast.forecast import Forecast, forecast
from fireworks_operator.core.heirs import Heirs, is_alive
from fireworks_operator.core.identity import full_model_name
from fireworks_operator.core.observed.observation import Absent, Observed, Present, Unknown
from fireworks_operator.core.situation import assess
from fireworks_operator.core.status.model_notices import models_to_ask
from fireworks_operator.core.successor import is_blue_green
from fireworks_operator.core.target import former_names, heir_of, second_name, target_name
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.client import FireworksClient
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.models import DeployedModel, Model
from fireworks_operator.plugin.check import Check, State
from fireworks_operator.plugin.fireworks import Account, find_account, read_key
from fireworks_operator.plugin.keys import SecretKey, read_secret
from fireworks_operator.ports import SecretForbiddenError, SecretReader
from fireworks_operator.settings import Settings

from .asking import find, get_record, match_shapes, observe, see_router, validate
from .dry_run import Stored
from .operator import Operator


class NoKeyError(Exception):
    """There is no API key to ask Fireworks with; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A resource as it would be stored, what Fireworks says of its deployment now, and what the operator would do.

    `second` is what it says of the other one of two deployments, while one replaces the other.
    """

    resource: FireworksDeployment
    before: Observed
    forecast: Forecast
    second: Observed | None = None


@dataclass(slots=True)
class Looker:
    """Asks Fireworks about the deployments of resources, with the API keys that the operator would use.

    What is the same for several resources is asked for once.
    """

    client: FireworksClient
    secrets: SecretReader
    settings: Settings
    operator: Operator
    now: datetime
    _accounts: dict[ApiKey, str] = field(default_factory=dict)
    _models: dict[tuple[str, str], Model | None] = field(default_factory=dict)
    _deployed: dict[str, list[DeployedModel]] = field(default_factory=dict)
    _heirs: dict[str, Heirs] = field(default_factory=dict)
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def look(self, stored: Stored, rooms: tuple[Room, ...] = ()) -> Seen:
        """Return what the operator would do with a resource that its budgets leave so much room.

        Raises:
            NoKeyError: there is no API key to ask with.
            click.ClickException: it is not clear which account an API key is for.
            FireworksError: Fireworks does not answer.
            KubernetesUnavailableError: the API server does not answer.
        """
        key, state = await self._credential(stored.resource)
        context = replace(self._context(stored, state), rooms=rooms, parked_by=parked_by_budget(rooms))
        if key is None or not isinstance(state, Usable):
            nothing = Unknown()
            found = forecast(stored.resource, nothing, context, Told(), nothing)
            return Seen(stored.resource, nothing, found, nothing if _is_replaced(stored.resource) else None)
        account = Account(self.client, key, state.account, self.settings.base_url)
        question = await (await self._question(stored.resource, context, account)).with_hardware(account)
        return Seen(stored.resource, question.observed, await question.answer(account), question.second)

    async def _question(self, resource: FireworksDeployment, context: Context, account: Account) -> "_Question":
        """Find out all that the operator would know when it decides."""
        former = [each for each in former_names(resource, context, account.id) if await find(account, each)]
        named, two = resource.status.deployment_name is not None, is_blue_green(resource.spec)
        heirs = await self._heirs_of(account) if two or not named else None
        context = replace(
            context,
            exists=frozenset(former).__contains__,
            heir=context.heir if heirs is None else heirs.find,
            route_secret=await self._route_secret(resource),
            models=await self._models_of(resource, account),
            router=await see_router(account, resource),
        )
        # One that is BlueGreen may come to have two.
        loaded = await self._loaded(account) if lists_loaded(resource) or two else None
        observed = await observe(account, target_name(resource, context), loaded)
        second = await observe(account, second_name(resource, context), loaded) if _is_replaced(resource) else None
        if heirs is None and not _is_there(observed):
            heirs = await self._heirs_of(account)
        others = {} if heirs is None else await _others(account, resource, context, heirs, loaded)
        deployed = frozenset((each.model, each.deployment) for each in loaded or ())
        told = Told(deployed=deployed, heirs=heirs, others=others)
        return _Question(resource, observed, context, told, second)

    def _context(self, stored: Stored, state: CredentialState) -> Context:
        operator = self.operator
        return Context(
            now=self.now,
            cluster_id=operator.cluster_id,
            credential=state,
            previous_cluster_ids=tuple(operator.settings.previous_cluster_ids),
            cluster_uid=operator.cluster_uid,
            adoption_namespaces=frozenset(operator.settings.adoption_namespaces),
            skip_pauses=_asks_for_a_look(stored),
            create_query=operator.create_query,
            default_shape=operator.settings.default_shape,
            prices=operator.prices,
        )

    async def _credential(self, resource: FireworksDeployment) -> tuple[ApiKey | None, CredentialState]:
        """Return the API key that the operator would use, or one of the same account; or why it would have none."""
        reference, namespace = resource.spec.credentials_secret_ref, resource.metadata.namespace
        if reference is None:
            lacking = self._own_key_lacking(namespace)
            return (None, lacking) if lacking is not None else await self._environment("the operator's own", own=True)
        where = SecretKey(reference.name, reference.key, namespace)
        found = await read_secret(self.secrets, where)
        if not isinstance(found, Check):
            return found[0], Usable(found[1] or await self._account_of(found[0]))
        if found.state is State.FAILED:
            return None, Unusable(Reason.CREDENTIALS_MISSING, f"{_capital(found.message)}: {found.way_out}")
        return await self._environment(f"in the Secret {where}, which you may not read", own=False)

    async def _environment(self, which: str, *, own: bool) -> tuple[ApiKey, Usable]:
        key = read_key(self.settings)
        if key is None:
            raise NoKeyError(f"Its API key is {which}: set FIREWORKS_API_KEY to a key of the same account.")
        return key, Usable(self.settings.account_id or await self._account_of(key), own=own)

    def _own_key_lacking(self, namespace: str) -> Unusable | None:
        """Say why the operator would have no API key for a resource that names none."""
        allowed = self.operator.settings.credential_namespaces
        if self.operator.has_key is False:
            return Unusable(
                Reason.CREDENTIALS_MISSING,
                "The operator has no API key of its own: set spec.credentialsSecretRef to a Secret with the key "
                "apiKey, or start the operator with FIREWORKS_API_KEY.",
            )
        if allowed is None or namespace in allowed:
            return None
        return Unusable(
            Reason.CREDENTIALS_NOT_ALLOWED,
            f'The namespace "{namespace}" is not allowed to use the operator\'s own API key: set '
            "spec.credentialsSecretRef, or have the namespace added to the operator's setting credentialNamespaces.",
        )

    async def _account_of(self, key: ApiKey) -> str:
        async with self._asking:
            if key not in self._accounts:
                self._accounts[key] = await find_account(self.client, key)
            return self._accounts[key]

    async def _route_secret(self, resource: FireworksDeployment) -> DirectRouteSecret | None:
        """Return the version of the Secret with the API keys of a direct route; one that may not be read is as known.

        Whether its keys can be used, the operator finds out.
        """
        reference = keys_to_read(resource)
        if reference is None:
            return None
        keys = list(reference.keys)
        try:
            found = await self.secrets.read(resource.metadata.namespace, reference.name, tuple(keys))
        except SecretForbiddenError:
            found = None
        if found is None:
            known = resource.status.direct_route_secret
            return known or DirectRouteSecret(name=reference.name, keys=keys, uid="", resource_version="")
        return DirectRouteSecret(name=reference.name, keys=keys, uid=found.uid, resource_version=found.resource_version)

    async def _models_of(self, resource: FireworksDeployment, account: Account) -> dict[str, Model]:
        """Return the records of the models that bear on what happens, as far as they can be had."""
        prepared = model_to_prepare(resource, account.id)
        listed = () if resource.spec.paused else resource.spec.addons or ()  # paused, it does not ask about them
        addons = [full_model_name(account.id, each.model) for each in listed]
        base = [full_model_name(account.id, resource.spec.base_model)] if addons else []
        wanted = dict.fromkeys(
            [*models_to_ask(resource, account.id), *([prepared] if prepared else []), *addons, *base]
        )
        found: dict[str, Model] = {}
        for name in wanted:
            record = await self._model(name, account)
            if record is not None:
                found[name] = record
        return found

    async def _model(self, name: str, account: Account) -> Model | None:
        known = (account.id, name)
        async with self._asking:
            if known not in self._models:
                self._models[known] = await get_record(account, name)
            return self._models[known]

    async def _heirs_of(self, account: Account) -> Heirs:
        """Return the deployments of the account by their owners: a status may have lost its deployment's name."""
        async with self._asking:
            if account.id not in self._heirs:
                self._heirs[account.id] = Heirs({each.name: each for each in await account.deployments()})
            return self._heirs[account.id]

    async def _loaded(self, account: Account) -> list[DeployedModel]:
        async with self._asking:
            if account.id not in self._deployed:
                self._deployed[account.id] = await account.deployed_models()
            return self._deployed[account.id]


@dataclass(frozen=True, slots=True)
class _Question:
    """All that a forecast is made of."""

    resource: FireworksDeployment
    observed: Observed
    context: Context
    told: Told
    second: Observed | None = None

    async def with_hardware(self, account: Account) -> "_Question":
        """Ask which GPUs a replica would have, where the budgets cannot be asked otherwise."""
        asked = hardware_question(assess(self.resource, self.observed, self.context))
        if asked is None:
            return self
        shapes = await account.client.match_shapes(account.key, account.id, asked.model, addons=asked.addons)
        return replace(self, context=replace(self.context, hardware=fitting(asked, shapes)))

    def forecast(self) -> Forecast:
        """Return what the operator would do."""
        return forecast(self.resource, self.observed, self.context, self.told, self.second)

    async def answer(self, account: Account) -> Forecast:
        """Return what the operator would do once Fireworks was asked about what it would make of it."""
        first = self.forecast()
        actions = [each.action for each in first.steps]
        create = next((each for each in actions if isinstance(each, Create)), None)
        told = self.told
        if create is not None:
            anew = any(isinstance(each, Delete) and each.target == create.target for each in actions)
            try:
                told = replace(told, created=await validate(account, create, anew=anew))
            except FireworksError as error:
                if not error.definite or error.transient:
                    raise
                return self._refused(first, create, error)
        if any(isinstance(each, Update) and "deployment_shape" in each.mask for each in actions):
            told = replace(told, shapes=await match_shapes(account, self.resource))
        return first if told is self.told else replace(self, told=told).forecast()

    def _refused(self, first: Forecast, create: Create, error: FireworksError) -> Forecast:
        """Return what would be done until Fireworks refuses the create request."""
        if create.target != target_name(self.resource, self.context):  # of a successor
            return replace(self, told=replace(self.told, refused=error)).forecast()
        if any(_replaces(each.action) for each in first.steps):
            return self._kept(first, create, error)
        place = [each.action for each in first.steps].index(create)
        steps = first.steps[:place]
        found = diagnose(error, create)
        observed = Absent(confirmed=True) if steps else self.observed
        situation = assess(self.resource, observed, self.context)
        return Forecast(steps, Refuse(found.reason, found.message), situation, refused=first.steps[place])

    def _kept(self, first: Forecast, create: Create, error: FireworksError) -> Forecast:
        """Return what would be done with a deployment that the operator has asked about before it replaces it."""
        frees = frees_quota(assess(self.resource, self.observed, self.context))
        if error.kind is ErrorKind.QUOTA_EXCEEDED and frees:
            return first
        return replace(self, context=replace(self.context, rejected=diagnose(error, create))).forecast()


async def _others(
    account: Account,
    resource: FireworksDeployment,
    context: Context,
    heirs: Heirs,
    loaded: Sequence[DeployedModel] | None,
) -> dict[str, Observed]:
    """Return what Fireworks says of the deployments that have the resource's marker, and that its status lacks."""
    target = target_name(resource, context) or ""
    heir = heir_of(resource, replace(context, heir=heirs.find), target)
    names = {*heirs.beside(context.owner(resource), target), *([heir] if heir else [])}
    return {each: await observe(account, each, loaded) for each in sorted(names)}


def _replaces(action: Mutation) -> bool:
    """Tell whether a deployment is deleted to be created anew."""
    return isinstance(action, Delete) and bool(action.replaces)


def _is_there(observed: Observed) -> bool:
    return isinstance(observed, Present) and is_alive(observed.deployment)


def _is_replaced(resource: FireworksDeployment) -> bool:
    return resource.status.replacement is not None


def _asks_for_a_look(stored: Stored) -> bool:
    """Tell whether somebody asks for a look by what is applied: the spec or an annotation of the operator's changes."""
    live = stored.live
    if live is None:
        return True
    ours = [
        {name: value for name, value in each.metadata.annotations.items() if name.startswith(f"{GROUP}/")}
        for each in (live, stored.resource)
    ]
    return live.metadata.generation != stored.resource.metadata.generation or ours[0] != ours[1]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
