"""CPU: load from `/proc/stat` deltas, clocks per cpufreq policy.

Cores are grouped by policy and `related_cpus`: on an H96 Max V58 the big cores are 1 to 4, so no number is
assumed to be a big one (telemetry of that board, published monitor notes).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_CPU_LINE = re.compile(r"cpu(\d{1,4})((?:\s+\d{1,20})+)\s*\Z")
_CPU_LIST_ITEM = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?\Z")
_IDLE, _IOWAIT, _FIELDS = 3, 4, 8
_MAX_CPUS = 1024


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """Clock ticks since boot, in USER_HZ; guest time is part of user time already."""

    total_ticks: int
    idle_ticks: int


def parse_stat(lines: Iterable[str]) -> dict[int, CpuTimes]:
    """Return the counters of every CPU that is on line, by its number."""
    found: dict[int, CpuTimes] = {}
    for line in lines:
        match = _CPU_LINE.match(line)
        if match is None:
            continue
        ticks = [int(text) for text in match[2].split()][:_FIELDS]
        if len(ticks) > _IDLE and int(match[1]) < _MAX_CPUS:
            idle = ticks[_IDLE] + (ticks[_IOWAIT] if len(ticks) > _IOWAIT else 0)
            found[int(match[1])] = CpuTimes(sum(ticks), idle)
    return found


def cpu_load_percent(
    before: Mapping[int, CpuTimes], now: Mapping[int, CpuTimes]
) -> tuple[float | None, ...] | None:
    """Return the busy share of each CPU between two readings, in percent, at the place of its number.

    None for a CPU that was not on line at both; None for all when nothing can be compared.
    """
    if not before or not now:
        return None
    shares = tuple(_busy(before.get(cpu), now.get(cpu)) for cpu in range(max(now) + 1))
    return None if all(share is None for share in shares) else shares


def _busy(before: CpuTimes | None, now: CpuTimes | None) -> float | None:
    if before is None or now is None or now.total_ticks <= before.total_ticks:
        return None
    total = now.total_ticks - before.total_ticks
    # iowait may run backwards (proc(5)); the share stays within its bounds.
    idle = min(max(now.idle_ticks - before.idle_ticks, 0), total)
    return round(100 * (total - idle) / total, 1)


def parse_cpu_list(text: str) -> tuple[int, ...]:
    """Return the CPUs of `0 5 6 7` or `0-3,6`; empty when the text is neither."""
    cpus: set[int] = set()
    for item in text.replace(",", " ").split():
        match = _CPU_LIST_ITEM.match(item)
        if match is None:
            return ()
        cpus.update(range(int(match[1]), min(int(match[2] or match[1]), _MAX_CPUS) + 1))
    return tuple(sorted(cpus))
