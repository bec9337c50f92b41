"""Lines of `kubectl fireworks cost`: usage joined with resources and prices, summed up, and as CSV."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from pydantic import JsonValue

from fireworks_operator.fireworks.billing import Usage, parse_usage
from fireworks_operator.plugin.cost_lines import Known, Sum, to_csv, to_lines, total_by
from fireworks_operator.price_file import published

NOW = datetime(2026, 9, 2, 12, tzinfo=UTC)
H100 = "NVIDIA_H100_80GB"
CHAT = Known("team-a", "chat", {"team": "search", "project": "x,y"})


def usage(deployment: str, day: int, gpu_seconds: int, **more: JsonValue) -> Usage:
    begins = datetime(2026, 8, 30, tzinfo=UTC) + timedelta(days=day)
    line: dict[str, JsonValue] = {
        "deploymentId": deployment,
        "acceleratorType": H100,
        "acceleratorSeconds": str(gpu_seconds),
        "startTime": begins.isoformat().replace("+00:00", "Z"),
        "endTime": (begins + timedelta(days=1)).isoformat().replace("+00:00", "Z"),
    }
    (found,) = parse_usage({"dedicatedCosts": [line | more]})
    return found


def test_the_price_is_that_of_the_day() -> None:
    lines = to_lines([usage("a", day, 3600) for day in range(4)], {}, published().everybody, NOW)
    assert [each.price for each in lines] == [7, 7, 8, 8]
    assert [each.dollars for each in lines] == [7, 7, 8, 8]


def test_a_restricted_placement_costs_more() -> None:
    placements = {"GLOBAL": 8, "": 8, "EUROPE": 8, "US_IOWA_1": 12, "US_IOWA_1,US_OHIO_1": 12}
    lines = to_lines([usage("a", 3, 1, placement=each) for each in placements], {}, published().everybody, NOW)
    assert [each.price for each in lines] == list(placements.values())


def test_sums_are_by_what_lines_have_in_common_and_the_dearest_comes_first() -> None:
    given = [
        usage("a", 2, 3600),
        usage("a", 3, 3600),
        usage("b", 3, 36000),
        usage("c", 3, 60, acceleratorType="NVIDIA_L4"),
    ]
    known = {"a": CHAT, "b": Known("team-b", "other")}
    lines = to_lines(given, known, published().everybody, NOW)
    sums = total_by(lines, lambda each: (each.known.namespace,))
    assert sums == {
        ("team-b",): Sum(36000, Decimal(80)),
        ("team-a",): Sum(7200, Decimal(16)),
        ("",): Sum(60, Decimal(0), 60),
    }
    assert list(sums) == [("team-b",), ("team-a",), ("",)]
    assert sums["",].to_data() == {"gpuSeconds": 60, "dollars": "0.00", "unpricedGpuSeconds": 60}


def test_a_deployment_may_be_named_by_its_full_name() -> None:
    (line,) = to_lines([usage("accounts/acme/deployments/a", 3, 1)], {"a": CHAT}, published().everybody, NOW)
    assert line.known == CHAT


def test_csv_has_the_columns_of_focus() -> None:
    given = [usage("a", 3, 5400, placement="US_IOWA_1"), usage("b", 3, 60, acceleratorType="NVIDIA_L4")]
    text = to_csv(to_lines(given, {"a": CHAT}, published().everybody, NOW), "acme")
    first, second = csv.DictReader(io.StringIO(text))
    assert json.loads(first.pop("Tags")) == CHAT.tags
    assert first == {
        "BilledCost": "18.000000",
        "BillingCurrency": "USD",
        "ChargeCategory": "Usage",
        "ChargePeriodEnd": "2026-09-03T00:00:00Z",
        "ChargePeriodStart": "2026-09-02T00:00:00Z",
        "ConsumedQuantity": "1.500000",
        "ConsumedUnit": "GPU-Hours",
        "ListUnitPrice": "12.000",
        "ProviderName": "Fireworks AI",
        "RegionId": "US_IOWA_1",
        "ResourceId": "a",
        "ResourceName": "chat",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": "On-demand deployments",
        "SkuId": H100,
        "SubAccountId": "acme",
        "x_KubernetesNamespace": "team-a",
    }
    assert (second["BilledCost"], second["ListUnitPrice"]) == ("", ""), "an unknown price is not free"


def test_an_answer_without_usage_is_empty() -> None:
    assert parse_usage({}) == ()
