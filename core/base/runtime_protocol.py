"""What a runtime on a board writes and RKDeck reads: its description and its state file. `docs/runtime-protocol.md`.

Written once for both sides: the stand-in runtime takes a copy of this module (and of those it imports) along to its
board. What comes from a board is foreign: texts are made printable and cut, numbers outside their bounds are unknown.
"""

from dataclasses import dataclass

from core.base import foreign
from core.base.errors import JsonValue
from core.base.names import printable

# Raised whenever an old RKDeck could no longer use a new runtime, or the other way round.
ABI = 1
# What a runtime serves that does not say so.
_USUAL_KINDS = ("rkllm",)
RUNTIMES_FOLDER = "/usr/local/lib/rkdeck/runtimes"
_MAX_TEXT = 300
_MAX_KINDS = 16


@dataclass(frozen=True, slots=True)
class Description:
    """What `describe` prints.

    Attributes:
        simulated: whether it computes without an NPU; such a runtime gets simulated files and no others.
        abi: which form of this protocol it speaks; None when it does not say so by a number.
        kinds: of model files it serves (`resources/kinds.toml`).
    """

    name: str
    version: str
    simulated: bool
    abi: int | None = ABI
    kinds: tuple[str, ...] = _USUAL_KINDS

    def to_json(self) -> dict[str, JsonValue]:
        """The document."""
        return {
            "name": self.name,
            "version": self.version,
            "simulated": self.simulated,
            "abi": self.abi,
            "kinds": list(self.kinds),
        }


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
    """The state file of a runtime that will not start: a word for programs, and the reason in its own words, if any."""

    code: str
    message: str | None

    def to_json(self) -> dict[str, JsonValue]:
        """The document."""
        return {"error": {"code": self.code, "message": self.message}}


def read_description(text: str) -> Description | None:
    """Read what `describe` printed; None when it is none."""
    value = foreign.members(text)
    name, version, simulated = (value.get(key) for key in ("name", "version", "simulated"))
    if not isinstance(name, str) or not isinstance(version, str) or not isinstance(simulated, bool):
        return None
    told = value.get("kinds")
    kinds = tuple(str(kind) for kind in told[:_MAX_KINDS]) if isinstance(told, list) else _USUAL_KINDS
    return Description(
        printable(name, 100), printable(version, 100), simulated, foreign.whole(value.get("abi")), kinds
    )


def read_state(text: str | None) -> RuntimeState | StartRefusal | None:
    """Read a state file; None without one, or when it is torn or foreign."""
    value = foreign.members(text)
    error = value.get("error")
    if isinstance(error, dict):
        code, message = (foreign.text(error.get(key), _MAX_TEXT) for key in ("code", "message"))
        return StartRefusal(code or "unknown", message)
    pid = foreign.whole(value.get("pid"), 1, foreign.MAX_PID)
    if pid is None:
        return None
    last = value.get("last")
    latest = last if isinstance(last, dict) else {}
    return RuntimeState(
        pid=pid,
        start_ticks=foreign.whole(value.get("start_ticks")),
        port=foreign.whole(value.get("port"), 1, foreign.MAX_PORT),
        model=foreign.text(value.get("model"), _MAX_TEXT),
        sha256=foreign.text(value.get("sha256"), _MAX_TEXT),
        dtype=foreign.text(value.get("dtype"), _MAX_TEXT),
        max_context=foreign.whole(value.get("max_context")),
        runtime=foreign.text(value.get("runtime"), _MAX_TEXT),
        version=foreign.text(value.get("version"), _MAX_TEXT),
        simulated=value.get("simulated") is True,
        started_uptime_s=foreign.number(value.get("started_uptime_s"), 0),
        tokens_per_s=foreign.number(latest.get("tokens_per_s"), 0),
        ttft_ms=foreign.number(latest.get("ttft_ms"), 0),
    )
