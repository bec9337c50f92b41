"""One resource's access to its account at Fireworks: with its API key, in its turn, behind its fence."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from fireworks_operator.api.v1alpha1 import DirectRouteSecret, FireworksDeployment
from fireworks_operator.controller.accounts.account import Account
from fireworks_operator.controller.accounts.keyring import Credential
from fireworks_operator.controller.accounts.route_keys import RouteKeys
from fireworks_operator.core.actions import (
    NEEDS_FRESH_GET,
    Adopt,
    Choose,
    Create,
    CreateRouter,
    Delete,
    DeleteRouter,
    LoadAddon,
    Mutation,
    PrepareModel,
    RouterChange,
    SetDeployedModel,
    SetRouter,
    SetTags,
    Undelete,
    UnloadAddon,
    Update,
    UpdateAddon,
)
from fireworks_operator.core.budgets import Hardware
from fireworks_operator.core.decisions.addons import MISFIT_RECHECK
from fireworks_operator.core.decisions.growth import HardwareQuestion, fitting
from fireworks_operator.core.decisions.preparation import PREPARATION_POLL, model_to_prepare
from fireworks_operator.core.decisions.router import router_in_question
from fireworks_operator.core.desired.demands import demand_of
from fireworks_operator.core.diagnosis import diagnose
from fireworks_operator.core.identity import TAG_ADOPTED, TAG_RELEASED
from fireworks_operator.core.observed.observation import Observed, Present, Unknown, is_of_now
from fireworks_operator.core.observed.router import SeenRouter
from fireworks_operator.core.situation import Situation
from fireworks_operator.core.status.model_notices import models_to_ask
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.models import Deployment, Model
from fireworks_operator.fireworks.request_budget import Lane
from fireworks_operator.fireworks.routers import Router
from fireworks_operator.ports import MutationFence

from .result import PassResult


class FencedError(Exception):
    """A change was not sent, since the Lease might end before it does."""


@dataclass(frozen=True, slots=True)
class Access:
    """Observes and changes deployments of one account with one API key, for one resource.

    Which deployment is meant, each call says. Before anything that may take long, `release_slot` tells that others may
    work meanwhile. The `fence` is asked right before each request that changes something: between two of them, or
    before the first, the Lease may have run short.

    Attributes:
        account: the account.
        credential: the API key.
        ref: `namespace/name` of the resource, which stands in line for the budget.
        release_slot: gives the place of the pass among those at work to another one.
        fence: tells whether a change may begin now.
        deleting: the resource is being deleted, which comes before others in the line.
        route_keys: the API keys of the resource's direct route, as its Secret has them in this pass.
    """

    account: Account
    credential: Credential
    ref: str
    release_slot: Callable[[], None]
    fence: MutationFence
    deleting: bool = False
    route_keys: RouteKeys | None = None

    def observe(self, name: str, *, with_addons: bool) -> Observed:
        """Return what is known of a deployment without asking.

        Nothing before this very key has listed the account, and nothing that only other keys have seen.
        """
        if with_addons:
            self.account.observer.want_addons(self.ref, name)
        else:
            self.account.observer.unwant_addons(self.ref, name)
        if self.credential.listed_at is None:
            return Unknown()
        observed = self.account.observer.observe(name, with_addons=with_addons)
        return Unknown() if self._is_others(name, observed) else observed

    def must_look(self, name: str) -> bool:
        """Tell whether others' keys have seen the deployment, and this one has yet to ask whether it may."""
        listed = self.credential.listed_at is not None
        return listed and self._is_others(name, self.account.observer.observe(name, with_addons=False))

    def _is_others(self, name: str, observed: Observed) -> bool:
        shows = isinstance(observed, Present) or (isinstance(observed, Unknown) and observed.unreadable)
        return shows and name not in self.credential.seen

    def seen_ago(self, observed: Observed) -> float:
        """Return how many seconds ago Fireworks was asked for what is known: a GET of this pass, or the last LIST."""
        return 0.0 if is_of_now(observed) else self.account.observed_for()

    async def look(self, name: str) -> Observed:
        """Ask for a deployment now; a failure is raised as a FireworksError."""
        self.release_slot()
        return await self.account.look(self.credential, name, self.ref, lane=self._lane)

    async def look_at_addon(self, observed: Present, deployed_model: str) -> Present:
        """Ask for one loaded addon now; a failure is raised as a FireworksError."""
        return await self.account.look_at_addon(self.credential, observed, deployed_model, self.ref)

    def observe_router(self, resource: FireworksDeployment, target: str) -> SeenRouter | None:
        """Return what is known of the router that a resource with this deployment is about; None if nothing is."""
        name = None if self.deleting else router_in_question(resource, self.account.name)
        self.account.routers.want(self.ref, name, target)
        return None if name is None else self.account.routers.observe(name)

    async def look_at_router(self, name: str) -> SeenRouter:
        """Ask for a router now; a failure is told in the answer, since it concerns nothing but the router."""
        self.release_slot()
        try:
            return await self.account.look_at_router(self.credential, name, self.ref)
        except FireworksError as error:
            return SeenRouter(name, None, fresh=True, trouble=diagnose(error))

    async def explain_failure(self, observed: Observed) -> Observed:
        """Add why a FAILED deployment's replica died, which its own status often hides."""
        if not isinstance(observed, Present) or observed.deployment.state != "FAILED":
            return observed
        self.release_slot()
        message = await self.account.termination_message(self.credential, observed.deployment, self.ref)
        return replace(observed, termination=message)

    async def models(self, resource: FireworksDeployment) -> dict[str, Model]:
        """Return the records of the models that may speak against the spec; a deletion does not wait for them."""
        if self.deleting:
            return {}
        names = tuple(models_to_ask(resource, self.account.name))
        if not self.account.catalogue.knows(names):
            self.release_slot()
        return await self.account.models(self.credential, names, self.ref)

    async def model_to_prepare(self, resource: FireworksDeployment) -> dict[str, Model]:
        """Return the record of the model that has to be prepared first, if it is not: of now, as that changes it."""
        name = model_to_prepare(resource, self.account.name)
        if name is None:
            return {}
        self.release_slot()
        return await self.account.models(self.credential, (name,), self.ref, within=PREPARATION_POLL.total_seconds())

    async def addon_models(self, model: str, base: str, *, anew: bool) -> dict[str, Model]:
        """Return the records that tell whether an addon fits a deployment's base model, as far as they can be had.

        `anew`: somebody has asked for a look, perhaps since the model is another one now.
        """
        self.release_slot()
        within = 0.0 if anew else MISFIT_RECHECK.total_seconds()
        found = await self.account.models(self.credential, (model,), self.ref, within=within)
        if model in found and found[model].peft_details.base_model not in ("", base):
            found |= await self.account.models(self.credential, (base,), self.ref)
        return found

    async def hardware(self, question: HardwareQuestion) -> tuple[Hardware, ...]:
        """Return what a replica may run on, nothing if Fireworks does not tell; a failure is a FireworksError."""
        self.release_slot()
        shapes = await self.account.shapes(self.credential, question.model, self.ref, addons=question.addons)
        return fitting(question, shapes)

    async def validate(self, create: Create) -> FireworksError | None:
        """Ask whether Fireworks would create a deployment; return why not, None if it would. Nothing is created.

        Its id is left out, since the deployment that it is to replace still has it.

        Raises:
            FencedError: the Lease is too short for a request, which was not sent.
            FireworksError: no answer that says anything about the deployment.
        """
        self.release_slot()
        await self.account.budget.acquire(lane=Lane.FINISH, ref=self.ref)
        self._check_fence()
        try:
            await self.account.client.validate_deployment(
                self.credential.api_key, self.account.name, create.body, query=create.query
            )
        except FireworksError as error:
            self.account.refused(self.credential, error)
            if not error.definite or not diagnose(error, create).needs_user:
                raise
            return error
        return None

    async def reserve(self, action: Mutation) -> None:
        """Wait for this change's turn in the account's budget."""
        self.release_slot()
        lane = Lane.FINISH if isinstance(action, NEEDS_FRESH_GET) else self._lane
        await self.account.budget.acquire(lane=lane, ref=self.ref)
        if isinstance(action, Adopt | SetTags) and action.tags and action.remove:
            await self.account.budget.acquire(lane=Lane.FINISH, ref=self.ref)  # it takes two requests

    def has_turned_cold(self, situation: Situation, action: Mutation) -> bool:
        """Tell whether others have found out, since a creation was decided, that the account lacks the GPUs for it."""
        if not isinstance(action, Create) or not situation.spec.fallbacks:
            return False
        demand = demand_of(situation.wanted.values)
        return demand.is_cold(self.account.cold.demands()) and not demand.is_cold(situation.context.cold)

    def note_cold(self, situation: Situation, result: PassResult) -> None:
        """Remember for the others what a pass has found out that the account lacks."""
        action, error = result.action, result.error
        if isinstance(action, Choose) and action.cold is not None:
            self.account.cold.note(action.cold)
        if isinstance(action, Create) and error is not None and error.kind is ErrorKind.QUOTA_EXCEEDED:
            self.account.cold.note(demand_of(situation.wanted.values))

    async def carry_out(self, action: Mutation) -> Observed | None:
        """Send one change; return what its answer says of the deployment, None if it says nothing.

        Raises:
            FencedError: the Lease is too short for a request, which was not sent.
            FireworksError: as sent by Fireworks; a create that finds the id taken, and a delete that finds
                nothing, are not errors but answers: the next look tells.
        """
        if isinstance(action, RouterChange):
            await self._change_router(action)
            return None
        try:
            answer = await self._send(action)
        except FireworksError as error:
            self.account.refused(self.credential, error)
            exists = (
                isinstance(action, Create | LoadAddon | SetDeployedModel) and error.kind is ErrorKind.ALREADY_EXISTS
            )
            gone = isinstance(action, Delete | UnloadAddon) and error.kind is ErrorKind.NOT_FOUND
            if exists or gone or not error.definite:
                self.account.observer.wrote(action.target)
            if gone or (exists and not isinstance(action, LoadAddon)):
                return None
            raise
        finally:
            self.account.touch()
        if isinstance(action, PrepareModel):
            return None  # it is not about the deployment, which there is none of yet
        self.account.observer.wrote(action.target)
        self.credential.saw(action.target)
        if answer is None:
            return None
        present = Present(answer)
        self.account.observer.learn(action.target, present, asked=self.account.observer.clock())
        return present

    async def release(self, name: str) -> None:
        """Mark a deployment, which was just looked at, as let go, so that it can be taken over.

        Whoever takes it over has not created it: others may have made it theirs in between.

        Raises:
            FencedError: the Lease is too short for it.
            FireworksError: it was not marked, which costs nothing.
        """
        self.release_slot()
        await self.account.budget.acquire(lane=Lane.FINISH, ref=self.ref)
        self._check_fence()
        tags = {TAG_RELEASED: "true", TAG_ADOPTED: "true"}
        await self.account.client.set_tags(self.credential.api_key, name, tags)
        self.account.observer.wrote(name)

    async def _change_router(self, action: RouterChange) -> None:
        """Send a change of a router; that its name is taken, or that it is gone, is no error: the next look tells."""
        answer: Router | None = None
        try:
            self._check_fence()
            answer = await self._send_router(action)
        except FireworksError as error:
            self.account.refused(self.credential, error)
            exists = isinstance(action, CreateRouter) and error.kind is ErrorKind.ALREADY_EXISTS
            gone = not isinstance(action, CreateRouter) and error.kind is ErrorKind.NOT_FOUND
            if not exists and not gone:
                raise
        finally:
            self.account.touch()
            self.account.routers.wrote(action.router, answer)

    async def _send_router(self, action: RouterChange) -> Router | None:
        client, api_key = self.account.client, self.credential.api_key
        match action:
            case CreateRouter(_, router, body):
                return await client.create_router(api_key, router, body)
            case SetRouter(_, router, body, mask):
                return await client.update_router(api_key, router, body, mask)
            case DeleteRouter(_, router):
                await client.delete_router(api_key, router)
        return None

    @property
    def _lane(self) -> Lane:
        return Lane.DELETE if self.deleting else Lane.OTHER

    def _check_fence(self) -> None:
        if not self.fence.may_mutate():
            raise FencedError

    async def _send(self, action: Mutation) -> Deployment | None:
        self._check_fence()
        client, api_key, account = self.account.client, self.credential.api_key, self.account.name
        match action:
            case PrepareModel(_, model, precision):
                await client.prepare_model(api_key, model, precision)
            case Create(target, body, query):
                identifier, keys = target.rsplit("/", 1)[-1], self._keys_of(action.route_secret)
                return await client.create_deployment(api_key, account, identifier, body, query=query, route_keys=keys)
            case Update(target, body, mask, route_keys=change):
                keys = self._keys_of(None if change is None else change.secret)
                return await client.update_deployment(api_key, target, body, mask, route_keys=keys)
            case Undelete(target):
                return await client.undelete_deployment(api_key, target)
            case Delete(target, hard, ignore_checks):
                await client.delete_deployment(api_key, target, hard=hard, ignore_checks=ignore_checks)
            case Adopt() | SetTags():
                await self._send_tags(action)
            case LoadAddon(_, _, body, replaces):
                await client.load_addon(api_key, account, body, replace_merged=replaces)
            case UpdateAddon(_, deployed_model, body, mask):
                await client.update_deployed_model(api_key, deployed_model, body, mask)
            case SetDeployedModel(_, None, body):
                await client.load_addon(api_key, account, body)
            case SetDeployedModel(_, str() as deployed_model, body):
                await client.update_deployed_model(api_key, deployed_model, body, tuple(body))
            case UnloadAddon(_, _, deployed_model):
                await client.unload_addon(api_key, deployed_model)
        return None

    def _keys_of(self, secret: DirectRouteSecret | None) -> tuple[ApiKey, ...]:
        """Return the API keys in the very version of the Secret that was decided upon; none for None."""
        if secret is None:
            return ()
        if self.route_keys is None or self.route_keys.secret != secret:
            raise AssertionError("decided to send API keys that were not read")
        return self.route_keys.keys

    async def _send_tags(self, action: Adopt | SetTags) -> None:
        """Set tags and delete others, in two requests.

        Dying between those of an adoption leaves a marker beside "released": ours without its marker, adopted again.
        Tags of the spec are deleted first, since a deployment takes only so many; dying then leaves the others missing,
        and the next pass sets them.
        """
        client, api_key = self.account.client, self.credential.api_key
        if isinstance(action, SetTags) and action.remove:
            await client.delete_tags(api_key, action.target, action.remove)
            self._check_fence()
        if action.tags:
            await client.set_tags(api_key, action.target, action.tags)
        if isinstance(action, Adopt) and action.remove:
            self._check_fence()
            await client.delete_tags(api_key, action.target, action.remove)
