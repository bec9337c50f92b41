"""What Fireworks says about routers: one name for deployments among which requests are split."""

from dataclasses import dataclass
from typing import ClassVar, Self

from pydantic import ConfigDict, JsonValue
from pydantic.alias_generators import to_camel

from .fields import Boolean, Enum, Names, Text, Time, json_object, read, text
from .pages import entries_of, name_of, page_of


@dataclass(frozen=True, slots=True)
class Router:
    """One name for deployments among which requests are split (Fireworks REST reference, routers).

    States: `CREATING`, `READY`, `UPDATING`, `DELETING`. One that is `auto_generated` cannot be changed.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(alias_generator=to_camel)

    name: str
    display_name: Text = ""
    deployments: Names = ()
    state: Enum = ""
    auto_generated: Boolean = False
    create_time: Time = None

    @classmethod
    def parse(cls, value: JsonValue) -> Self:
        """Read a router.

        Raises:
            FireworksError: PROTOCOL, if it has no name of a router or a field is not of its type.
        """
        obj = json_object(value, "a router")
        name_of(obj, "routers")
        return read(cls, obj)


@dataclass(frozen=True, slots=True)
class RouterPage:
    """One page of a LIST of routers, like `DeploymentPage`."""

    routers: tuple[Router, ...]
    unreadable: frozenset[str] = frozenset()
    next_page_token: str = ""

    @classmethod
    def parse(cls, value: JsonValue) -> Self:
        """Read a page.

        Raises:
            FireworksError: PROTOCOL, if it is no page of routers or an entry has no readable name.
        """
        obj = page_of(value, "routers")
        entries, unreadable = entries_of(obj, "routers", Router.parse)
        return cls(entries, unreadable, text(obj, "nextPageToken"))
