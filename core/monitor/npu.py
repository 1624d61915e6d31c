"""What the NPU driver tells: load per core, interrupts per core, version.

Formats: rknpu driver 0.9.8, rknpu_debugger.c; `NPU load: ` then ` CoreN: ` and `%2d%%,` per core on SoCs with
more than one core, a bare percentage on the others.
"""

import re
from collections.abc import Iterable, Mapping

_CORE_LOAD = re.compile(r"Core\s*(\d{1,2})\s*:\s*(\d{1,18})\d*\s*%")
_SINGLE_LOAD = re.compile(r"NPU\s+load\s*:\s*(\d{1,18})\d*\s*%", re.IGNORECASE)
_VERSION = re.compile(r"(\d{1,4}\.\d{1,4}(?:\.\d{1,6})?)")
_NPU_NAME = re.compile(r"([0-9a-f]{4,16})\.npu\b")
_HARDWARE_LINE = re.compile(r"^\s*\d+:((?:\s+\d{1,20})*)\s+\S*GIC\S*\s+(\d{1,9})\s", re.IGNORECASE)
MAX_CORES = 16


def parse_npu_load(lines: Iterable[str]) -> tuple[int, ...] | None:
    """Return the percentage of each core, clamped to 0..100; None when the text holds none.

    Old drivers print wrapped counters such as 429496% (rockchip-linux/rknpu2 issue 102) and 20000%
    (airockchip/rknn-toolkit2 issue 293), which stand for a busy core.
    """
    text = " ".join(lines)
    cores = {int(core): _percent(load) for core, load in _CORE_LOAD.findall(text)}
    if cores:
        return tuple(load for _, load in sorted(cores.items())[:MAX_CORES])
    single = _SINGLE_LOAD.search(text)
    return None if single is None else (_percent(single[1]),)


def _percent(digits: str) -> int:
    return min(100, int(digits))


def parse_npu_interrupts(lines: Iterable[str]) -> tuple[int, ...] | None:
    """Return the interrupts counted so far for each NPU core, in the order of the cores; None without any.

    The vendor's driver has one device with one hardware line a core (142, 143, 144 on RK3588), mainline's
    `rocket` one device a core: sorted by device, then by hardware line. Linux's own numbers differ per boot.
    """
    found: list[tuple[int, int, int]] = []
    for line in lines:
        device = _NPU_NAME.search(line)
        hardware = _HARDWARE_LINE.match(line)
        if device is None or hardware is None or not hardware[1].strip():
            continue
        found.append((int(device[1], 16), int(hardware[2]), sum(map(int, hardware[1].split()))))
    return tuple(count for _, _, count in sorted(found)[:MAX_CORES]) or None


def active_cores(before: tuple[int, ...] | None, now: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """Return the cores whose interrupt count grew; None when the two readings cannot be compared."""
    if before is None or now is None or len(before) != len(now):
        return None
    if any(new < old for old, new in zip(before, now, strict=True)):
        return None
    return tuple(core for core, (old, new) in enumerate(zip(before, now, strict=True)) if new > old)


def parse_driver_version(texts: Iterable[str]) -> str | None:
    """Return the first version number in `texts`, from `0.9.8` or `RKNPU driver: v0.9.8`."""
    for text in texts:
        match = _VERSION.search(text)
        if match is not None:
            return match[1]
    return None


def load_source(files: Mapping[str, tuple[str, ...]]) -> tuple[str, tuple[str, ...]]:
    """Return where the load was read ("debugfs", "proc" or "none") and its text."""
    for source, path in (("debugfs", "/sys/kernel/debug/rknpu/load"), ("proc", "/proc/rknpu/load")):
        if path in files:
            return source, files[path]
    return "none", ()
