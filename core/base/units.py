"""Sizes, rates and times for people. Binary units everywhere (KiB, MiB, GiB), never a bare "MB"."""

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30

_STEPS = (("TiB", 1 << 40), ("GiB", GIB), ("MiB", MIB), ("KiB", KIB))
_MINUTE_S = 60
_HOUR_S = 3600
UNKNOWN = "unknown"


def format_bytes(size_bytes: float | None) -> str:
    """Format a size with three significant figures, such as `2.29 GiB`; None is `unknown`."""
    if size_bytes is None:
        return UNKNOWN
    for name, step in _STEPS:
        # A hair below the next unit would be shown as 1024 of the smaller one.
        if abs(size_bytes) >= step * (1 if step == KIB else 0.9995):
            return f"{_three_figures(size_bytes / step)} {name}"
    return f"{size_bytes:.0f} B"


def format_count(count: float | None) -> str:
    """Format a number of parameters, such as `1.38 M` or `7.62 B` (10^6, 10^9); None is `unknown`."""
    if count is None:
        return UNKNOWN
    for name, step in (("B", 1e9), ("M", 1e6), ("K", 1e3)):
        if abs(count) >= step * 0.9995:
            return f"{_three_figures(count / step)} {name}"
    return f"{count:.0f}"


def format_rate(rate_bytes_per_s: float | None) -> str:
    """Format a transfer rate, such as `11.2 MiB/s`; None is `unknown`."""
    return UNKNOWN if rate_bytes_per_s is None else f"{format_bytes(rate_bytes_per_s)}/s"


def format_duration(seconds: float | None) -> str:
    """Format a time span, such as `0.41 s`, `9:12 min` or `2:05 h`; None is `unknown`."""
    if seconds is None:
        return UNKNOWN
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < _MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < _HOUR_S:
        return f"{int(seconds) // _MINUTE_S}:{int(seconds) % _MINUTE_S:02d} min"
    return f"{int(seconds) // _HOUR_S}:{int(seconds) % _HOUR_S // _MINUTE_S:02d} h"


def _three_figures(value: float) -> str:
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f}"
