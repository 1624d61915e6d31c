"""Small texts of /proc and /sys: whole numbers, memory tables, `load@clock`, uptime. Unknown is None."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from core.base.names import printable

_KB_LINE = re.compile(r"([A-Za-z_()0-9]{1,40}):\s*(\d{1,15})(?:\s*kB)?\s*\Z")
_LOAD_AT = re.compile(r"\s*(\d{1,9})@(\d{1,15})(?:Hz)?\s*\Z")
_WHOLE = re.compile(r"\s*(-?\d{1,18})\s*\Z")
_UPTIME = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(?:\s|\Z)")
_NAME = re.compile(r"Name:\s*(.*)\Z")

Files = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """One watched process: `rss_bytes` is VmRSS, `peak_rss_bytes` VmHWM; None when not told."""

    pid: int
    name: str
    rss_bytes: int | None
    peak_rss_bytes: int | None


def first_line(files: Files, path: str) -> str | None:
    """The first line of a file, or None when it was not read."""
    lines = files.get(path)
    return lines[0] if lines else None


def whole(text: str | None) -> int | None:
    """The number in a file that holds one, or None."""
    match = None if text is None else _WHOLE.match(text)
    return None if match is None else int(match[1])


def parse_kb_table(lines: Iterable[str]) -> dict[str, int]:
    """Return the sizes of `/proc/meminfo` or of the Vm lines of `/proc/<pid>/status`, in bytes by name."""
    found: dict[str, int] = {}
    for line in lines:
        match = _KB_LINE.match(line)
        if match is not None:
            found.setdefault(match[1], int(match[2]) * 1024)
    return found


def swap_used_bytes(memory: Mapping[str, int]) -> int | None:
    """SwapTotal less SwapFree."""
    total, free = memory.get("SwapTotal"), memory.get("SwapFree")
    return None if total is None or free is None else max(0, total - free)


def parse_load_at(text: str | None) -> tuple[int, int] | None:
    """Return (percent, Hz) of a devfreq `load` such as `33@528000000Hz`.

    Never use it on an NPU: there the driver reports a constant 100 (rknpu 0.9.8, rknpu_devfreq.c).
    """
    match = None if text is None else _LOAD_AT.match(text)
    return None if match is None else (min(100, int(match[1])), int(match[2]))


def parse_uptime(text: str | None) -> float | None:
    """Return the seconds since boot of `/proc/uptime`."""
    match = None if text is None else _UPTIME.match(text)
    return None if match is None else float(match[1])


def parse_process(pid: int, lines: Iterable[str]) -> ProcessMemory | None:
    """Return what `/proc/<pid>/status` says; None for an empty reading (the process is gone)."""
    kept = tuple(lines)
    names = [match[1] for line in kept if (match := _NAME.match(line))]
    if not names:
        return None
    sizes = parse_kb_table(kept)
    return ProcessMemory(pid, printable(names[0], 64), sizes.get("VmRSS"), sizes.get("VmHWM"))
