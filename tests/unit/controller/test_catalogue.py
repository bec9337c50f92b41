"""Records of models are asked for once a day, however many want them and whether they can be had."""

import asyncio

from fireworks_operator.controller.accounts.catalogue import KNOWN_FOR, MOST_KEPT, UNKNOWN_FOR, Catalogue
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.models import Model
from testkit.builders import BASE_MODEL
from testkit.virtual.loop import run


class Asked:
    """The API's answers about models, counted."""

    def __init__(self) -> None:
        self.count = 0
        self.missing = False

    async def __call__(self, name: str) -> Model:
        self.count += 1
        await asyncio.sleep(1)
        if self.missing:
            raise FireworksError(ErrorKind.NOT_FOUND, "model not found")
        return Model(name)


def test_many_who_want_a_record_at_once_share_one_request_a_day() -> None:
    async def scenario() -> None:
        ask, catalogue = Asked(), Catalogue[Model](asyncio.get_running_loop().time)
        found = await asyncio.gather(*(catalogue.find(BASE_MODEL, ask) for _ in range(50)))
        assert found == [Model(BASE_MODEL)] * 50
        await asyncio.sleep(KNOWN_FOR - 2)
        await catalogue.find(BASE_MODEL, ask)
        assert ask.count == 1
        await asyncio.sleep(3)
        await catalogue.find(BASE_MODEL, ask)
        assert ask.count == 2

    run(scenario())


def test_who_waits_for_a_change_gets_no_old_record() -> None:
    async def scenario() -> None:
        ask, catalogue = Asked(), Catalogue[Model](asyncio.get_running_loop().time)
        await catalogue.find(BASE_MODEL, ask)
        await asyncio.sleep(29)
        await catalogue.find(BASE_MODEL, ask, within=30)
        assert ask.count == 1
        await asyncio.sleep(2)
        await catalogue.find(BASE_MODEL, ask, within=30)
        assert ask.count == 2
        ask.missing = True
        await asyncio.sleep(31)
        assert await catalogue.find(BASE_MODEL, ask, within=30) is None
        await asyncio.sleep(31)
        ask.missing = False
        assert await catalogue.find(BASE_MODEL, ask, within=30) == Model(BASE_MODEL)

    run(scenario())


def test_a_record_that_cannot_be_had_is_asked_for_again_after_a_while() -> None:
    async def scenario() -> None:
        ask, catalogue = Asked(), Catalogue[Model](asyncio.get_running_loop().time)
        ask.missing = True
        assert await catalogue.find(BASE_MODEL, ask) is None
        ask.missing = False
        await asyncio.sleep(UNKNOWN_FOR - 2)
        assert await catalogue.find(BASE_MODEL, ask) is None
        await asyncio.sleep(3)
        assert await catalogue.find(BASE_MODEL, ask) == Model(BASE_MODEL)
        assert ask.count == 2

    run(scenario())


def test_specs_that_name_ever_other_models_do_not_fill_the_memory() -> None:
    async def scenario() -> None:
        ask, catalogue = Asked(), Catalogue[Model](asyncio.get_running_loop().time)
        for number in range(3 * MOST_KEPT):
            await catalogue.find(f"{BASE_MODEL}-{number}", ask)
        assert len(catalogue._records) == MOST_KEPT
        assert not catalogue._asking
        assert catalogue.knows([f"{BASE_MODEL}-{3 * MOST_KEPT - 1}"])
        assert await catalogue.find(f"{BASE_MODEL}-0", ask) is not None, "asked for again"

    run(scenario())
