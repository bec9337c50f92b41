"""The price list as a file: the one that comes with the operator, and one of the platform's own that changes it."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.resources import files
from logging import getLogger
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from .core.prices import Price, PriceList, Prices, PriceScope

log = getLogger(__name__)

PUBLISHED = "prices.yaml"
"""The list that comes with the operator."""
_EVER = date.min


class PriceFileError(Exception):
    """The file cannot be used; the text says where and why."""


Amount = Annotated[Decimal, Field(ge=0, lt=1_000_000, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Price(_Strict):
    hourly: Amount
    since: date = _EVER


def _as_prices(value: object) -> object:
    """Return a list of prices: a bare amount holds for ever, null is no price at all."""
    if value is None:
        return []
    return value if isinstance(value, list) else [{"hourly": value}]


class _List(_Strict):
    accelerators: dict[str, Annotated[tuple[_Price, ...], BeforeValidator(_as_prices)]] = Field(default_factory=dict)
    factors: dict[PriceScope, Amount] = Field(default_factory=dict)

    def to_list(self) -> PriceList:
        """Return it with each price in force from midnight UTC of its day."""
        return PriceList({name: _dated(each) for name, each in self.accelerators.items()}, self.factors)


class _File(_List):
    accounts: dict[str, _List] = Field(default_factory=dict)


def _dated(prices: tuple[_Price, ...]) -> tuple[Price, ...]:
    dated = [Price(each.hourly, datetime.combine(each.since, time.min, UTC)) for each in prices]
    return tuple(sorted(dated, key=lambda each: each.since))


def published() -> Prices:
    """Return the prices that come with the operator."""
    return parse((files(__package__) / PUBLISHED).read_text(encoding="utf-8"))


def parse(text: str) -> Prices:
    """Read a price list.

    Raises:
        PriceFileError: it is no YAML, or says something that is not understood.
    """
    try:
        content = yaml.safe_load(text)
        file = _File.model_validate({} if content is None else content)
    except yaml.YAMLError as error:
        raise PriceFileError(f"is not valid YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise PriceFileError("; ".join(_explain(error))) from None
    accounts = {name: each.to_list() for name, each in file.accounts.items()}
    return Prices(file.to_list(), accounts)


def over_published(own: Prices) -> Prices:
    """Return the published prices, with what a platform's own list says in their place."""
    return Prices(own.everybody.over(published().everybody), own.accounts)


def _explain(error: ValidationError) -> list[str]:
    return [
        f"{'.'.join(str(part) for part in each['loc']) or 'the file'}: {each['msg'].removeprefix('Value error, ')}"
        for each in error.errors()
    ]


class PriceFile:
    """The prices in force: the published ones, and over them those of a file, which may change at any time."""

    def __init__(self, path: Path | None) -> None:
        """Read the file, if there is one.

        Raises:
            PriceFileError: it cannot be used.
        """
        self._path = path
        self._published = published()
        self._text: str | None = None
        self._refused: str | None = None
        self._prices = self._published
        if path is not None:
            self._take(self._read(path))

    def __call__(self) -> Prices:
        """Return the prices in force."""
        return self._prices

    def refresh(self) -> bool:
        """Read the file again; True if the prices are others now. One that cannot be used leaves them as they are."""
        if self._path is None:
            return False
        try:
            text = self._read(self._path)
            before = self._prices
            if text != self._text:
                self._take(text)
            self._refused = None
        except PriceFileError as error:
            if str(error) != self._refused:
                log.warning("%s The prices stay as they are.", error)
                self._refused = str(error)
            return False
        return self._prices != before

    def _take(self, text: str) -> None:
        try:
            own = parse(text)
        except PriceFileError as error:
            raise PriceFileError(f"The price list {self._path} cannot be used: {error}.") from None
        self._prices = Prices(own.everybody.over(self._published.everybody), own.accounts)
        self._text = text

    def _read(self, path: Path) -> str:
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise PriceFileError(f"The price list {path} cannot be read: {error}.") from None
