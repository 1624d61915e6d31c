"""What a runtime on a board writes and RKDeck reads: its description and its state file. `docs/runtime-protocol.md`.

Written once for both sides: the stand-in runtime takes a copy of this module (and of those it imports) along to its
board. What comes from a board is foreign: texts are made printable and cut, numbers outside their bounds are unknown.
"""

import json
import math
from dataclasses import dataclass

from core.base.errors import JsonValue
from core.base.names import printable

# Raised whenever an old RKDeck could no longer use a new runtime, or the other way round.
ABI = 1
RUNTIMES_FOLDER = "/usr/local/lib/rkdeck/runtimes"
_MAX_TEXT = 300
_MAX_PID = 1 << 22  # Linux PID_MAX_LIMIT
_MAX_PORT = 65535
_MAX_WHOLE = (1 << 53) - 1  # what JSON readers everywhere keep exactly
_NO_REASON = "no reason given"


@dataclass(frozen=True, slots=True)
class Description:
    """What `describe` prints.

    Attributes:
        simulated: whether it computes without an NPU; such a runtime gets simulated files and no others.
        abi: which form of this protocol it speaks; None when it does not say so by a number.
    """

    name: str
    version: str
    simulated: bool
    abi: int | None = ABI

    def to_json(self) -> dict[str, JsonValue]:
        """The document."""
        return {"name": self.name, "version": self.version, "simulated": self.simulated, "abi": self.abi}


@dataclass(frozen=True, slots=True)
class RuntimeState:
    """The state file of a runtime that is ready; None is unknown.

    Attributes:
        pid: with `start_ticks` (clock ticks since boot, field 22 of `/proc/PID/stat`) it names one process for ever.
        port: on the board's loopback.
        model: what the runtime calls the loaded model.
        sha256: of the model file.
        max_context: in tokens.
        runtime, version: of the program.
        started_uptime_s: the board's uptime when it began.
        tokens_per_s, ttft_ms: of the latest answer, None before the first.
    """

    pid: int
    start_ticks: int | None
    port: int | None
    model: str | None
    sha256: str | None = None
    dtype: str | None = None
    max_context: int | None = None
    runtime: str | None = None
    version: str | None = None
    simulated: bool = False
    started_uptime_s: float | None = None
    tokens_per_s: float | None = None
    ttft_ms: float | None = None

    def to_json(self) -> dict[str, JsonValue]:
        """The document."""
        latest = (self.tokens_per_s, self.ttft_ms) != (None, None)
        return {
            "pid": self.pid,
            "start_ticks": self.start_ticks,
            "port": self.port,
            "model": self.model,
            "sha256": self.sha256,
            "dtype": self.dtype,
            "max_context": self.max_context,
            "runtime": self.runtime,
            "version": self.version,
            "simulated": self.simulated,
            "started_uptime_s": self.started_uptime_s,
            "last": {"tokens_per_s": self.tokens_per_s, "ttft_ms": self.ttft_ms} if latest else None,
        }


@dataclass(frozen=True, slots=True)
class StartRefusal:
    """The state file of a runtime that will not start: a word for programs, and the reason in its own words."""

    code: str
    message: str

    def to_json(self) -> dict[str, JsonValue]:
        """The document."""
        return {"error": {"code": self.code, "message": self.message}}


def read_description(text: str) -> Description | None:
    """Read what `describe` printed; None when it is none."""
    value = read_object(text)
    name, version, simulated = (value.get(key) for key in ("name", "version", "simulated"))
    if not isinstance(name, str) or not isinstance(version, str) or not isinstance(simulated, bool):
        return None
    return Description(
        printable(name, 100), printable(version, 100), simulated, _whole(value.get("abi"), _MAX_WHOLE)
    )


def read_state(text: str | None) -> RuntimeState | StartRefusal | None:
    """Read a state file; None without one, or when it is torn or foreign."""
    value = read_object(text)
    error = value.get("error")
    if isinstance(error, dict):
        return StartRefusal(_text(error.get("code")) or "unknown", _text(error.get("message")) or _NO_REASON)
    pid = _whole(value.get("pid"), _MAX_PID)
    if not pid:
        return None
    last = value.get("last")
    latest = last if isinstance(last, dict) else {}
    return RuntimeState(
        pid=pid,
        start_ticks=_whole(value.get("start_ticks"), _MAX_WHOLE),
        port=_whole(value.get("port"), _MAX_PORT) or None,
        model=_text(value.get("model")),
        sha256=_text(value.get("sha256")),
        dtype=_text(value.get("dtype")),
        max_context=_whole(value.get("max_context"), _MAX_WHOLE),
        runtime=_text(value.get("runtime")),
        version=_text(value.get("version")),
        simulated=value.get("simulated") is True,
        started_uptime_s=figure(value.get("started_uptime_s")),
        tokens_per_s=figure(latest.get("tokens_per_s")),
        ttft_ms=figure(latest.get("ttft_ms")),
    )


def read_object(text: str | None) -> dict[str, object]:
    """A JSON object a board wrote; empty for anything else."""
    try:
        value = json.loads(text) if text is not None else None
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def real_number(value: object) -> float | None:
    """A number a plot and a JSON document can hold; what a board writes may be NaN or have 400 digits."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def figure(value: object) -> float | None:
    """A time or a rate: a number that is not negative."""
    number = real_number(value)
    return None if number is None or number < 0 else number


def _whole(value: object, most: int) -> int | None:
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most
    return value if fits and isinstance(value, int) else None


def _text(value: object) -> str | None:
    return printable(value, _MAX_TEXT) if isinstance(value, str) else None
