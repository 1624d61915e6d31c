"""The frame of our own worker programs: intent in, events out, SIGTERM as an exception."""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from core.base import atomic
from core.base.errors import CancelledError, JsonValue, RKDeckError
from core.base.log import redact, register_secret
from core.base.signals import usual_signals
from core.base.trouble import system_said
from core.jobs.model import spec_from_json
from core.jobs.order import JobSecrets, secrets_from_line
from core.jobs.protocol._wire import Wire, WireClosed

# What telling raises when nobody listens any more; for helpers of a worker's own (stages import no worker).
ListenerGone = WireClosed
_PROGRESS_INTERVAL_S = 0.2
_RATE_SMOOTHING = 0.3


@dataclass(slots=True)
class WorkerContext:
    """What a worker is given, and how it speaks; several threads may.

    Attributes:
        home: RKDeck's home folder.
        secrets: what the front end wrote on standard input.
    """

    job_id: str
    job_dir: Path
    home: Path
    secrets: JobSecrets
    wire: Wire
    _phase: str = ""
    _facts: dict[str, JsonValue] = field(default_factory=dict)
    _sent_s: float = 0.0
    _base: tuple[float, float] = (0.0, 0.0)
    _rate_per_s: float | None = None
    # The latest figures, not yet sent. A phase often ends less than an interval after the last line that was, and
    # would be shown at 97 % for ever: so they are sent when another phase, a step or the end comes.
    _pending: tuple[float, float | None, str, dict[str, JsonValue]] | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def progress(
        self,
        phase: str,
        done: float,
        total: float | None,
        unit: str = "bytes",
        *,
        facts: dict[str, JsonValue] | None = None,
        figures: dict[str, JsonValue] | None = None,
    ) -> None:
        """Tell how far the work is; sent at most five times a second, the last one of a phase always.

        Args:
            phase: code of what is being done, worded by `core.words.phase_name`; a toolkit's own name of a stage.
            done: so far, in `unit`.
            total: of the phase; None while unknown.
            unit: of both.
            facts: of the phase's words.
            figures: more members of the event, as `eta_s`, `stalled`.
        """
        with self._lock:
            now = time.monotonic()
            if (phase, facts or {}) != (self._phase, self._facts):
                self._flush()
                self._facts = facts or {}
                self._phase, self._sent_s, self._base, self._rate_per_s = phase, 0.0, (now, done), None
            self._pending = (done, total, unit, figures or {})
            if now - self._sent_s >= _PROGRESS_INTERVAL_S or done == total:
                self._measure(now, done)
                self._sent_s = now
                self._flush()

    def log(self, text: str, level: str = "info", *, error: RKDeckError | None = None) -> None:
        """Tell a line worth reading.

        Args:
            text: in English, for those who read the events.
            level: "info", "warning" or "error".
            error: the same as code and facts, for front ends, which show it in their language.
        """
        self.wire.send(
            "log", level=level, text=redact(text), **({} if error is None else {"error": error.to_json()})
        )

    def step(self, step: str, /, **figures: JsonValue) -> None:
        """Tell that a step was done, with its figures."""
        self._flush()
        self.wire.send("step", **{"step": step, **figures})

    def raise_if_cancelled(self) -> None:
        """Raise the cancellation again where a library may have swallowed it (paramiko does while it writes).

        Raises:
            CancelledError: `jobs.cancelled`.
        """
        if signal.getsignal(signal.SIGTERM) == signal.SIG_IGN:  # so `_on_terminate` leaves it
            raise CancelledError("jobs.cancelled", job=self.job_id)

    def commit(self) -> None:
        """Say that the work is done but for its last steps: from here on a cancellation comes too late."""
        signal.signal(signal.SIGTERM, _too_late)

    def finish(self) -> None:
        """Send what is still held back."""
        self._flush()

    def _measure(self, now: float, done: float) -> None:
        then, before = self._base
        if now - then >= _PROGRESS_INTERVAL_S and done >= before:
            latest = (done - before) / (now - then)
            old = self._rate_per_s
            self._rate_per_s = latest if old is None else old + _RATE_SMOOTHING * (latest - old)
            self._base = (now, done)

    def _flush(self) -> None:
        with self._lock:
            if self._pending is None:
                return
            (done, total, unit, figures), self._pending = self._pending, None
            self.wire.send(
                "progress",
                **{
                    "phase": self._phase,
                    "done": done,
                    "total": total,
                    "unit": unit,
                    "rate_per_s": self._rate_per_s,
                    **({"facts": self._facts} if self._facts else {}),
                    **figures,
                },
            )


Main = Callable[[WorkerContext, dict[str, JsonValue]], dict[str, JsonValue]]


def run_worker(main: Main) -> None:
    """Run a worker's main and exit: 0 with a result, else the error's own exit code.

    The job's params go to `main` alone, which makes an order of them: what follows sees that, and no JSON.
    """
    sys.exit(_run(main))


def _run(main: Main) -> int:
    usual_signals()
    signal.signal(signal.SIGTERM, _on_terminate)
    wire = Wire.from_environment()
    try:
        context, params = _context(wire)
        result = main(context, params)
        context.finish()
        wire.send("result", result=result)
        return 0
    except RKDeckError as error:
        return _tell(wire, error)
    except WireClosed:
        return 1
    except Exception as error:  # noqa: BLE001  # the outermost frame: everything becomes an error event
        traceback.print_exc()
        fault = RKDeckError("jobs.worker_fault", fault=type(error).__name__, text=redact(str(error))[:500])
        return _tell(wire, system_said(error) or fault)


def _tell(wire: Wire, error: RKDeckError) -> int:
    try:
        wire.send("error", error=error.to_json())
    except WireClosed:
        return 1
    return error.exit_code


def _context(wire: Wire) -> tuple[WorkerContext, dict[str, JsonValue]]:
    folder = Path(sys.argv[1])
    spec = spec_from_json(atomic.read_json(folder / "spec.json"))
    secrets = secrets_from_line(sys.stdin.readline().strip())
    for text in (secrets.hub_token, secrets.board_password):
        if text is not None:
            register_secret(text)
    # Children get the end of a closed pipe, never the rest of ours.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    return WorkerContext(spec.id, folder, folder.parents[1], secrets, wire), spec.params


def _too_late(number: int, frame: object) -> None:
    """Go on: what remains takes a moment, and half of it would have to be repaired."""


def _on_terminate(number: int, frame: object) -> None:
    # Once is enough: a second signal must not interrupt the cleaning up.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise CancelledError("jobs.cancelled", job=Path(sys.argv[1]).name)
