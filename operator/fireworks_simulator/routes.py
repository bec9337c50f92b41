"""Which handler answers which method and path."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fireworks_simulator import deployed_models, deployments, inference, lists, quotas, resources
from fireworks_simulator.routes_account import ACCOUNT_ROUTES
from fireworks_simulator.wire import Call, Reply
from fireworks_simulator.world import World

Handler = Callable[[World, Call], Reply]


@dataclass(frozen=True, slots=True)
class Route:
    """A path template, e.g. `/v1/accounts/{account}/deployments/{deployment}:undelete`, and its handlers."""

    template: str
    handlers: Mapping[str, Handler]
    pattern: re.Pattern[str]

    @property
    def is_inference(self) -> bool:
        """Whether it belongs to inference rather than to the control plane."""
        return "/completions" in self.template or self.template.startswith("/inference")


@dataclass(frozen=True, slots=True)
class Match:
    """A route found for a path, and its path parameters."""

    route: Route
    params: Mapping[str, str]


def _route(template: str, **handlers: Handler) -> Route:
    pattern = re.sub(r"\\{([a-z_]+)\\}", r"(?P<\1>[^/:]+)", re.escape(template))
    return Route(template, handlers, re.compile(pattern))


_ACCOUNT = "/v1/accounts/{account}"
_DEPLOYMENT = _ACCOUNT + "/deployments/{deployment}"
_SHAPE = _ACCOUNT + "/deploymentShapes/{shape}"

ROUTES: tuple[Route, ...] = (
    _route(_ACCOUNT + "/deployments", GET=lists.list_deployments, POST=deployments.create),
    _route(_DEPLOYMENT, GET=deployments.get, PATCH=deployments.update, DELETE=deployments.delete),
    _route(_DEPLOYMENT + ":undelete", POST=deployments.undelete),
    _route(_DEPLOYMENT + ":scale", PATCH=deployments.scale),
    _route(_DEPLOYMENT + ":setTags", POST=deployments.set_tags),
    _route(_DEPLOYMENT + ":deleteTags", POST=deployments.delete_tags),
    _route(_DEPLOYMENT + "/terminationMessage", GET=deployments.termination_message),
    _route(_ACCOUNT + "/deployedModels", GET=deployed_models.list_deployed_models, POST=deployed_models.load),
    _route(
        _ACCOUNT + "/deployedModels/{deployed_model}",
        GET=deployed_models.get,
        PATCH=deployed_models.update,
        DELETE=deployed_models.unload,
    ),
    _route("/v1/accounts", GET=resources.list_accounts),
    _route(_ACCOUNT, GET=resources.get_account),
    _route(_ACCOUNT + "/models", GET=resources.list_models),
    _route(_ACCOUNT + "/models/{model}", GET=resources.get_model),
    _route(_ACCOUNT + "/models/{model}:prepare", POST=resources.prepare_model),
    _route(_ACCOUNT + "/quotas", GET=quotas.list_quotas),
    _route(_ACCOUNT + "/quotas/{quota}", GET=quotas.get_quota, PATCH=quotas.update_quota),
    _route(_ACCOUNT + "/deploymentShapes", GET=resources.list_shapes),
    _route(_SHAPE, GET=resources.get_shape),
    _route(_SHAPE + "/versions", GET=resources.list_versions),
    _route(_SHAPE + "/versions/{version}", GET=resources.get_version),
    _route(_ACCOUNT + "/deploymentShapeVersions:match", POST=resources.match_versions),
    _route("/verifyApiKey", GET=resources.verify_api_key),
    _route("/inference/v1/chat/completions", POST=inference.chat_completions),
    _route("/inference/v1/completions", POST=inference.completions),
    _route("/inference/v1/models", GET=inference.list_models),
    _route("/v1/chat/completions", POST=inference.chat_completions),
    _route("/v1/completions", POST=inference.completions),
    *(_route(_ACCOUNT + path, **handlers) for path, handlers in ACCOUNT_ROUTES.items()),
)
"""All routes; the official SDK with its own base URL calls inference without the `/inference` prefix."""


def find_route(path: str) -> Match | None:
    """The route for a path, whatever the method."""
    for route in ROUTES:
        match = route.pattern.fullmatch(path)
        if match is not None:
            return Match(route, match.groupdict())
    return None


def is_routed(path: str) -> bool:
    """Whether the edge sends a path on to the gateway at all."""
    return path == "/verifyApiKey" or path.startswith(("/v1/", "/inference/v1/"))
