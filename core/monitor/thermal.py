"""Temperatures by zone type and what the kernel holds back.

Zone numbers are not portable between SoCs and kernels, so everything goes by `type`.
"""

import re
from collections.abc import Mapping

from core.base.names import printable
from core.monitor.values import Files, first_line, whole

_ZONE = re.compile(r"/sys/class/thermal/(thermal_zone\d{1,3})/temp\Z")
_DEVICE = re.compile(r"/sys/class/thermal/(cooling_device\d{1,3})/cur_state\Z")
# Some kernels give whole degrees; a sensor that is off gives nonsense such as -273200.
_LOWEST_C, _HIGHEST_C = -60.0, 200.0


def parse_temps(files: Files, types: Mapping[str, str]) -> dict[str, float]:
    """Return °C by zone type; zones that share a type are told apart by their number.

    Args:
        files: one tick.
        types: type by zone name (`thermal_zone0`), from the identity block.
    """
    found: dict[str, float] = {}
    for path in sorted(files, key=_natural):
        match = _ZONE.match(path)
        milli = None if match is None else whole(first_line(files, path))
        if match is None or milli is None or not _LOWEST_C <= milli / 1000 <= _HIGHEST_C:
            continue
        name = printable(types.get(match[1], match[1]), 64)
        found[name if name not in found else f"{name}#{match[1][12:]}"] = milli / 1000
    return found


def parse_throttles(files: Files, types: Mapping[str, str]) -> tuple[str, ...]:
    """Return the types of the cooling devices at work, fans apart: a turning fan holds nothing back."""
    found = set()
    for path in files:
        match = _DEVICE.match(path)
        if match is None or (whole(first_line(files, path)) or 0) <= 0:
            continue
        name = printable(types.get(match[1], match[1]), 64)
        if "fan" not in name.lower():
            found.add(name)
    return tuple(sorted(found))


def has_cooling_devices(files: Files) -> bool:
    """Whether the tick tells anything about throttling."""
    return any(_DEVICE.match(path) for path in files)


def _natural(path: str) -> tuple[int, str]:
    digits = re.search(r"(\d{1,3})/[a-z_]+\Z", path)
    return (int(digits[1]) if digits else 0, path)
