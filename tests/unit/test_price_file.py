"""The price list as a file: what it may say, what it changes, and what is said of one that cannot be used."""

import logging
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from fireworks_operator.core.prices import PriceScope
from fireworks_operator.price_file import PriceFile, PriceFileError, parse, published

H100 = "NVIDIA_H100_80GB"
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
ANYWHERE = PriceScope.GLOBAL


def test_the_published_list_has_dates() -> None:
    everybody = published().everybody
    assert everybody.hourly(H100, ANYWHERE, datetime(2026, 8, 31, 23, 59, tzinfo=UTC)) == 7
    assert everybody.hourly(H100, ANYWHERE, datetime(2026, 9, 1, tzinfo=UTC)) == 8
    assert everybody.hourly(H100, ANYWHERE, datetime(2026, 4, 30, tzinfo=UTC)) is None, "before the first date"
    assert everybody.hourly(H100, PriceScope.REGION, NOW) == 12
    assert everybody.hourly("NVIDIA_A100_80GB", ANYWHERE, NOW) is None, "not listed is not free"
    assert everybody.next_change(H100, datetime(2026, 8, 1, tzinfo=UTC)) == datetime(2026, 9, 1, tzinfo=UTC)
    assert everybody.next_change(H100, NOW) is None


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(
        "accelerators: {NVIDIA_A100_80GB: 3.10, NVIDIA_H200_141GB: null}\n"
        "factors: {multiRegion: 1.25}\n"
        "accounts: {acme: {accelerators: {NVIDIA_H100_80GB: '6'}, factors: {region: 1}}}\n"
    )
    prices = PriceFile(file)()
    everybody, acme = prices.of("other"), prices.of("acme")
    assert everybody.hourly("NVIDIA_A100_80GB", ANYWHERE, NOW) == Decimal("3.1")
    assert everybody.hourly("NVIDIA_H200_141GB", ANYWHERE, NOW) is None, "null is unknown"
    assert everybody.hourly(H100, PriceScope.MULTI_REGION, NOW) == 10
    assert everybody.hourly(H100, PriceScope.REGION, NOW) == 12
    assert acme.hourly(H100, PriceScope.REGION, NOW) == 6
    assert acme.hourly("NVIDIA_A100_80GB", ANYWHERE, NOW) == Decimal("3.1")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("accelerators: [1", "is not valid YAML"),
        ("- a", "the file: "),
        ("accelerator: {}", "accelerator: Extra inputs are not permitted"),
        ("accelerators: {X: -1}", "accelerators.X.0.hourly: Input should be greater than or equal to 0"),
        ("accelerators: {X: .nan}", "accelerators.X.0.hourly: "),
        ("accelerators: {X: [{hourly: 1, since: soon}]}", "accelerators.X.0.since: "),
        ("accelerators: {X: [{since: 2026-01-01}]}", "accelerators.X.0.hourly: Field required"),
        ("factors: {moon: 2}", "factors.moon"),
        ("accounts: {acme: {prices: {}}}", "accounts.acme.prices: Extra inputs"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(text: str, words: str) -> None:
    with pytest.raises(PriceFileError) as caught:
        parse(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_empty_file_changes_nothing() -> None:
    assert parse("").everybody.accelerators == {}


def test_prices_of_one_type_may_stand_in_any_order() -> None:
    everybody = parse("accelerators: {X: [{hourly: 2, since: 2026-02-01}, {hourly: 1, since: 2026-01-01}]}").everybody
    assert everybody.hourly("X", ANYWHERE, datetime(2026, 1, 15, tzinfo=UTC)) == 1
    assert everybody.hourly("X", ANYWHERE, NOW) == 2


def test_a_file_that_cannot_be_read_keeps_the_operator_from_starting(tmp_path: Path) -> None:
    with pytest.raises(PriceFileError, match=r"prices.yaml cannot be read: .*No such file"):
        PriceFile(tmp_path / "prices.yaml")


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text("accelerators: {NVIDIA_H100_80GB: 6}")
    prices = PriceFile(file)
    assert not prices.refresh()
    file.write_text("accelerators: {NVIDIA_H100_80GB: 5}")
    assert prices.refresh()
    assert prices().everybody.hourly(H100, ANYWHERE, NOW) == 5
    assert not prices.refresh()


def test_a_file_that_is_broken_later_leaves_the_prices_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text("accelerators: {NVIDIA_H100_80GB: 6}")
    prices = PriceFile(file)
    file.write_text("accelerators: {NVIDIA_H100_80GB: much}")
    with caplog.at_level(logging.WARNING):
        assert not prices.refresh()
        assert not prices.refresh()
    assert prices().everybody.hourly(H100, ANYWHERE, NOW) == 6
    (record,) = caplog.records
    assert "accelerators.NVIDIA_H100_80GB.0.hourly" in record.message
    file.unlink()
    assert not prices.refresh()
    file.write_text("accelerators: {NVIDIA_H100_80GB: 4}")
    assert prices.refresh()


def test_without_a_file_there_is_nothing_to_read() -> None:
    assert not PriceFile(None).refresh()
