"""How fast a transfer goes, how fast it may go, and whether it goes at all."""

import threading
import time
from dataclasses import dataclass

_SMOOTHING = 0.3
_LEAST_STEP_S = 0.2
_STALLED_S = 3.0
_BURST_S = 0.25
_PIECE_S = 0.1
_LEAST_PIECE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Pace:
    """The speed of a transfer as people want to know it.

    Attributes:
        done_bytes, total_bytes: on the other side, of the whole.
        rate_bytes_per_s: a running mean; None until it was measured, 0 when stalled.
        eta_s: until the end at this rate; None when unknown or stalled.
        stalled: nothing moved for three seconds.
    """

    done_bytes: int
    total_bytes: int
    rate_bytes_per_s: float | None
    eta_s: float | None
    stalled: bool


class Meter:
    """Measures a transfer; one thread tells it what moved, any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.restart()

    def restart(self) -> None:
        """Begin anew, as after a broken connection; the rate until then is no guide."""
        with self._lock:
            self._done, self._total = 0, 0
            self._rate: float | None = None
            self._base: tuple[float, int] | None = None
            self._moved_s = time.monotonic()

    def move(self, done_bytes: int, total_bytes: int) -> None:
        """So much is on the other side now."""
        now = time.monotonic()
        with self._lock:
            if self._base is None:
                self._base = (now, done_bytes)  # what was there before was not sent now
            if done_bytes != self._done:
                self._moved_s = now
            self._done, self._total = done_bytes, total_bytes
            then, before = self._base
            if now - then >= _LEAST_STEP_S:
                latest = (done_bytes - before) / (now - then)
                self._rate = latest if self._rate is None else self._rate + _SMOOTHING * (latest - self._rate)
                self._base = (now, done_bytes)

    def pace(self) -> Pace:
        """How it goes right now."""
        with self._lock:
            done, total, rate = self._done, self._total, self._rate
            stalled = done < total and time.monotonic() - self._moved_s > _STALLED_S
        if stalled:
            return Pace(done, total, 0.0, None, stalled=True)
        return Pace(done, total, rate, (total - done) / rate if rate else None, stalled=False)


class Limit:
    """Holds all who share it to a rate by letting them sleep; a pause is not made up for by a burst."""

    def __init__(self, bytes_per_s: int | None) -> None:
        """A limit; None or 0 is none."""
        self._bytes_per_s = bytes_per_s or None
        self._due_s = time.monotonic()
        self._lock = threading.Lock()

    @property
    def bytes_per_s(self) -> int | None:
        """The limit; None: there is none."""
        return self._bytes_per_s

    @property
    def piece_bytes(self) -> int | None:
        """How much to send at once, so that the rate is even; None: as much as there is."""
        if self._bytes_per_s is None:
            return None
        return max(_LEAST_PIECE_BYTES, int(self._bytes_per_s * _PIECE_S))

    def wait(self, size_bytes: int) -> None:
        """Wait until so much may be sent."""
        if self._bytes_per_s is None:
            return
        now = time.monotonic()
        with self._lock:
            self._due_s = max(self._due_s, now - _BURST_S) + size_bytes / self._bytes_per_s
            due_s = self._due_s
        if due_s > now:
            time.sleep(due_s - now)
