"""What the serving process of a board tells in its state file, as long as that process lives."""

import json
import math
import re
from dataclasses import dataclass

from core.base.names import printable
from core.monitor.sample import ServingFigures
from core.monitor.values import Files, first_line

_AFTER_NAME = re.compile(r".*\)\s+(.*)\Z")
_START_FIELD = 22 - 3  # of /proc/<pid>/stat, counted after the name (proc(5))
_MAX_PID = 1 << 22  # Linux PID_MAX_LIMIT


@dataclass(frozen=True, slots=True)
class ServingState:
    """The part of the state file that monitoring shows; `start_ticks` tells the process from a later one."""

    pid: int
    start_ticks: int | None
    model: str
    tokens_per_s: float | None
    ttft_ms: float | None


def read_state(files: Files, path: str | None) -> ServingState | None:
    """Return what the state file says; None without one, or when it is torn or foreign."""
    if path is None or path not in files:
        return None
    try:
        state = json.loads("\n".join(files[path]))
    except (ValueError, RecursionError):
        return None
    if not isinstance(state, dict):
        return None
    pid, model, last = _whole(state.get("pid")), state.get("model"), state.get("last")
    if pid is None or not 0 < pid <= _MAX_PID or not isinstance(model, str):
        return None
    latest = last if isinstance(last, dict) else {}
    return ServingState(
        pid=pid,
        start_ticks=_whole(state.get("start_ticks")),
        model=printable(model),
        tokens_per_s=_number(latest.get("tokens_per_s")),
        ttft_ms=_number(latest.get("ttft_ms")),
    )


def figures(files: Files, state: ServingState) -> ServingFigures | None:
    """Return the figures when the process was seen alive in the same tick, else None: a left-over file."""
    match = _AFTER_NAME.match(first_line(files, f"/proc/{state.pid}/stat") or "")
    fields = match[1].split() if match else []
    if len(fields) <= _START_FIELD or state.start_ticks not in {None, _whole_text(fields[_START_FIELD])}:
        return None
    return ServingFigures(state.model, state.tokens_per_s, state.ttft_ms)


def _whole_text(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: object) -> float | None:
    """A number a plot and a JSON document can hold; what a board writes may be NaN or have 400 digits."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
