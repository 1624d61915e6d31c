"""What the serving process of a board tells in its state file, as long as that process lives."""

import re

from core.base.foreign import digits
from core.base.runtime_protocol import RuntimeState
from core.base.runtime_protocol import read_state as parse_state
from core.monitor.sample import ServingFigures
from core.monitor.values import Files, first_line

_AFTER_NAME = re.compile(r".*\)\s+(.*)\Z")
_START_FIELD = 22 - 3  # of /proc/<pid>/stat, counted after the name (proc(5))


def read_state(files: Files, path: str | None) -> RuntimeState | None:
    """Return what the state file says; None without one, when it is torn or foreign, or names no model."""
    if path is None or path not in files:
        return None
    state = parse_state("\n".join(files[path]))
    return state if isinstance(state, RuntimeState) and state.model is not None else None


def figures(files: Files, state: RuntimeState) -> ServingFigures | None:
    """Return the figures when the process was seen alive in the same tick, else None: a left-over file."""
    match = _AFTER_NAME.match(first_line(files, f"/proc/{state.pid}/stat") or "")
    fields = match[1].split() if match else []
    if len(fields) <= _START_FIELD or state.start_ticks not in {None, digits(fields[_START_FIELD])}:
        return None
    return ServingFigures(state.model or "unknown", state.tokens_per_s, state.ttft_ms)
