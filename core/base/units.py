"""Sizes, rates and times for people. Binary units everywhere (KiB, MiB, GiB), never a bare "MB".

Total: figures come from files, boards and the Hub, so anything that is no figure is `unknown`, and what is too large
to mean anything is said to be more than a bound. Nothing here raises.
"""

import math
import time

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
# SQLite, struct and the file systems take no larger whole numbers.
MAX_WHOLE = (1 << 63) - 1

_STEPS = (("TiB", 1 << 40), ("GiB", GIB), ("MiB", MIB), ("KiB", KIB))
_MINUTE_S = 60
_HOUR_S = 3600
_MOST_TIB = 1_000_000
_MOST_COUNT_B = 1_000_000
_MOST_HOURS = 1_000_000
_LAST_DAY_UNIX_S = 253_402_214_400.0  # 9999-12-31
UNKNOWN = "unknown"


def format_bytes(size_bytes: float | None) -> str:
    """Format a size with three significant figures, such as `2.29 GiB`; no figure is `unknown`."""
    size = _figure(size_bytes)
    if size is None:
        return UNKNOWN
    if abs(size) > _MOST_TIB * 2.0**40:
        return _beyond(size, f"{_MOST_TIB} TiB")
    for name, step in _STEPS:
        # A hair below the next unit would be shown as 1024 of the smaller one.
        if abs(size) >= step * (1 if step == KIB else 0.9995):
            return f"{_three_figures(size / step)} {name}"
    return f"{size:.0f} B"


def format_count(count: float | None) -> str:
    """Format a number of parameters, such as `1.38 M` or `7.62 B` (10^6, 10^9); no figure is `unknown`."""
    number = _figure(count)
    if number is None:
        return UNKNOWN
    if abs(number) > _MOST_COUNT_B * 1e9:
        return _beyond(number, f"{_MOST_COUNT_B} B")
    for name, step in (("B", 1e9), ("M", 1e6), ("K", 1e3)):
        if abs(number) >= step * 0.9995:
            return f"{_three_figures(number / step)} {name}"
    return f"{number:.0f}"


def format_rate(rate_bytes_per_s: float | None) -> str:
    """Format a transfer rate, such as `11.2 MiB/s`; no figure is `unknown`, and so is a negative one."""
    rate = _figure(rate_bytes_per_s)
    return UNKNOWN if rate is None or rate < 0 else f"{format_bytes(rate)}/s"


def format_duration(seconds: float | None) -> str:
    """Format a time span, such as `0.41 s`, `9:12 min` or `2:05 h`; no figure, or a negative one, is `unknown`."""
    span = _figure(seconds)
    if span is None or span < 0:
        return UNKNOWN
    if span > _MOST_HOURS * _HOUR_S:
        return _beyond(span, f"{_MOST_HOURS} h")
    if span < 10:
        return f"{span:.2f} s"
    if span < _MINUTE_S:
        return f"{span:.0f} s"
    if span < _HOUR_S:
        return f"{int(span) // _MINUTE_S}:{int(span) % _MINUTE_S:02d} min"
    return f"{int(span) // _HOUR_S}:{int(span) % _HOUR_S // _MINUTE_S:02d} h"


def format_day(t_unix_s: float | None) -> str:
    """Format a day of the local calendar, such as `2026-11-28`; a time outside the years 1970 to 9999 is `unknown`."""
    moment = _figure(t_unix_s)
    if moment is None or not 0 <= moment < _LAST_DAY_UNIX_S:
        return UNKNOWN
    return time.strftime("%Y-%m-%d", time.localtime(moment))


def permille(done: float | None, total: float | None) -> int | None:
    """How much is done of a total, from 0 to 1000 for bars; None where that cannot be told."""
    part, whole = _figure(done), _figure(total)
    if part is None or whole is None or whole <= 0:
        return None
    return round(1000 * max(0.0, min(1.0, part / whole)))


def _figure(value: float | None) -> float | None:
    """A finite number as a float; an integer too long for one is the largest there is. None when it is no number."""
    if value is None:
        return None
    try:
        number = float(value)
    except OverflowError:
        return 1e300 if value > 0 else -1e300
    return number if math.isfinite(number) else None


def _beyond(value: float, bound: str) -> str:
    return f"> {bound}" if value > 0 else f"< -{bound}"


def _three_figures(value: float) -> str:
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f}"
