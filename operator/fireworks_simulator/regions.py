"""Groups of regions, and in which region of its placement a deployment is."""

from fireworks_simulator.schema import REGIONS
from fireworks_simulator.wire import JsonValue

_PREFIXES = {"US": "US_", "EUROPE": "EU_", "APAC": "AP_", "CANADA": "NA_"}
_OFFERING = {
    "NVIDIA_A100_80GB": ("US_ILLINOIS_2",),
    "NVIDIA_H100_80GB": ("US_IOWA_1", "EU_FRANKFURT_1", "AP_TOKYO_1"),
    "NVIDIA_H200_141GB": ("US_VIRGINIA_1", "EU_ICELAND_1", "AP_TOKYO_2"),
    "NVIDIA_B200_180GB": ("US_OHIO_1", "EU_ICELAND_2"),
}
"""One region of each group that offers an accelerator, as far as the page on regions names one."""
_DEFAULT = "US_IOWA_1"


def regions_of(placement: JsonValue) -> list[str]:
    """The regions that a placement allows: those that it names, those of its group, or all."""
    chosen = placement if isinstance(placement, dict) else {}
    listed = chosen.get("regions")
    if isinstance(listed, list) and listed:
        return [str(region) for region in listed]
    region = chosen.get("region")
    if isinstance(region, str) and region:
        return [region]
    prefix = _PREFIXES.get(str(chosen.get("multiRegion", "GLOBAL")), "")
    return [each for each in REGIONS if each.startswith(prefix)]


def first_region(placement: JsonValue, accelerator: str) -> str:
    """Where a new deployment is: the first region that it names, or the one of its group with the accelerator.

    Args:
        placement: the field placement.
        accelerator: accelerator type, empty for none.
    """
    allowed = regions_of(placement)
    if isinstance(placement, dict) and placement.get("regions"):
        return allowed[0]
    offering = (*_OFFERING.get(accelerator, ()), _DEFAULT)
    return next((each for each in offering if each in allowed), allowed[0])
