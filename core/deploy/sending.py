"""Sending a deployment's files over a connection that may break: wait, connect again, go on."""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from core.base.errors import JsonValue, RKDeckError
from core.jobs.worker import ListenerGone, WorkerContext
from core.remote.backoff import Backoff
from core.remote.session import SshSession
from core.transfer.pace import Meter
from core.transfer.upload import UploadResult
from core.words import tell

Result = TypeVar("Result")
Send = Callable[[SshSession, bool, Callable[[int, int], None]], UploadResult]

# What a pulled cable, a rebooting board or a lost network looks like; anything else is told at once. Without a network
# names lead nowhere; through a dead router a connection is made but nobody speaks, and its remains may fill the
# server's places for those who have not logged in (sshd_config(5): MaxStartups, PerSourcePenalties).
_LINK = frozenset({
    "remote.closed", "remote.stalled", "remote.timeout", "remote.refused", "remote.no_route",
    "remote.no_connection", "remote.no_channel", "remote.not_ssh", "remote.hung", "remote.closed_at_once",
    "remote.locked_out", "remote.unknown_host", "remote.jump_no_way", "remote.command_timeout",
})  # fmt: skip
_LONGEST_PAUSE_S = 15.0
# A board that is back up within this time goes on where it was; then the job fails, and can be resumed.
PATIENCE_S = 600.0
_BUSY_POLL_S = 1.0
# A sender from whom nothing came for this long has lost its connection.
_SILENT_S = 30.0
_TICK_S = 1.0


class Link:
    """A session that can be opened again."""

    def __init__(self, connect: Callable[[], SshSession]) -> None:
        """Connect for the first time; raises what `connect` raises."""
        self._connect = connect
        self.session = connect()

    def reconnect(self) -> None:
        """Close what is left of the old session and connect anew."""
        self.session.close()
        self.session = self._connect()

    def come_back(self, pauses: Backoff, goes_on: Callable[[RKDeckError], bool]) -> None:
        """Wait and connect anew, until it works or `goes_on` says no to an error, which is then raised."""
        while True:
            time.sleep(pauses.next_s())
            try:
                self.reconnect()
                return
            except RKDeckError as error:
                if not goes_on(error):
                    raise

    def close(self) -> None:
        """End the session."""
        self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def persist(context: WorkerContext, link: Link, work: Callable[[SshSession], Result]) -> Result:
    """Do something short on the board, over new connections when one breaks.

    Args:
        context: of the job.
        link: to the board.
        work: may be done twice: nobody knows whether it was done when the connection breaks before its answer.

    Raises:
        RKDeckError: what `work` raises that waiting does not cure, or that lasted too long.
    """
    pauses, begun_s = Backoff(last_s=_LONGEST_PAUSE_S), time.monotonic()

    def goes_on(error: RKDeckError) -> bool:
        context.raise_if_cancelled()
        return error.code in _LINK and time.monotonic() - begun_s < PATIENCE_S

    while True:
        try:
            return work(link.session)
        except RKDeckError as error:
            if not goes_on(error):
                raise
            _tell(context, error)
        link.come_back(pauses, goes_on)


def _tell(context: WorkerContext, error: RKDeckError) -> None:
    tell(context.log, RKDeckError("deploy.link_broke", cause=error.to_json()))


@dataclass(frozen=True, slots=True)
class Share:
    """What of several files a file is, for whoever watches: bytes of those before it, and of all together."""

    before_bytes: int
    all_bytes: int


def joined(results: Sequence[UploadResult]) -> UploadResult:
    """What several files came to, one after the other."""
    shared = max(results, key=lambda result: result.connections)
    return UploadResult(
        size_bytes=sum(result.size_bytes for result in results),
        bytes_sent=sum(result.bytes_sent for result in results),
        resumed_from_bytes=sum(result.resumed_from_bytes for result in results),
        was_there=all(result.was_there for result in results),
        seconds=sum(result.seconds for result in results),
        connections=shared.connections,
        alone_because=shared.alone_because,
    )


class Sending:
    """One file on its way, as many connections as that takes."""

    def __init__(
        self,
        context: WorkerContext,
        link: Link,
        size_bytes: int,
        *,
        phase: str = "upload",
        share: Share | None = None,
    ) -> None:
        """Prepare to send a file of `size_bytes`, under this name for the phase, alone or as one of several."""
        self._context = context
        self._link = link
        self._share = share or Share(0, size_bytes)
        self._name = phase
        self._meter = Meter()
        self._lock = threading.Lock()
        self._phase = self._name
        self._best = 0
        self._moved_s = time.monotonic()
        self._sent = 0
        self._first: int | None = None
        self._here: int | None = None

    def run(self, send: Send) -> UploadResult:
        """Call `send(session, takeover, progress)` until it has ended well.

        Returns:
            The last call's result, with the bytes all calls sent and what was there before the first.

        Raises:
            RKDeckError: what `send` raises that waiting does not cure, or that lasted too long.
        """
        over = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(over,), name="transfer pace", daemon=True)
        ticker.start()
        started = time.monotonic()
        try:
            result = self._persist(send)
        finally:
            over.set()
            ticker.join()
        return UploadResult(
            size_bytes=result.size_bytes,
            bytes_sent=self._sent,
            resumed_from_bytes=self._first or 0,
            was_there=result.was_there and self._sent == 0,
            seconds=time.monotonic() - started,
            connections=result.connections,
            alone_because=result.alone_because,
        )

    def _persist(self, send: Send) -> UploadResult:
        pauses, seen, seen_s, told = Backoff(last_s=_LONGEST_PAUSE_S), -1, time.monotonic(), False
        while True:
            self._here = None
            try:
                return send(self._link.session, time.monotonic() - seen_s > _SILENT_S, self._progress)
            except RKDeckError as error:
                self._context.raise_if_cancelled()
                if error.code == "remote.upload_busy":
                    if not told:
                        tell(self._context.log, RKDeckError("deploy.other_sender"))
                        told = True
                    now = error.facts.get("seen_bytes")
                    if isinstance(now, int) and now != seen:
                        seen, seen_s = now, time.monotonic()
                    self._wait_for_other(max(seen, 0))
                    continue
                if not self._is_broken(error):
                    raise
                if self._came_through():
                    pauses.reset()
                _tell(self._context, error)
                self._come_back(pauses)

    def _came_through(self) -> bool:
        """Whether the last connection got as far as sending."""
        return self._here is not None

    def _is_broken(self, error: RKDeckError) -> bool:
        if error.code not in _LINK and (error.code != "remote.write_failed" or self._link.session.is_open):
            return False
        return time.monotonic() - self._moved_s < PATIENCE_S

    def _come_back(self, pauses: Backoff) -> None:
        """Connect again, however often that takes."""
        with self._lock:
            self._phase = self._name
        self._link.come_back(pauses, self._goes_on)
        self._meter.restart()

    def _goes_on(self, error: RKDeckError) -> bool:
        self._context.raise_if_cancelled()
        return self._is_broken(error)

    def _wait_for_other(self, there: int) -> None:
        with self._lock:
            self._phase = "waiting"
            self._tell("waiting", there)
        self._moved_s = time.monotonic()
        time.sleep(_BUSY_POLL_S)

    def _progress(self, done: int, total: int) -> None:
        """Told by the sender; what people see never goes backwards."""
        if self._here is None:
            self._here = done
            self._first = done if self._first is None else self._first
        self._sent += done - self._here
        self._here = done
        if done > self._best or done == 0:
            self._best, self._moved_s = max(done, self._best), time.monotonic()
        self._meter.move(self._share.before_bytes + done, self._share.all_bytes)
        with self._lock:
            self._phase = self._name
        self._report()

    def _report(self) -> None:
        pace = self._meter.pace()
        with self._lock:
            if self._phase != self._name:
                return
            figures: dict[str, JsonValue] = {
                "rate_bytes_per_s": None if pace.rate_bytes_per_s is None else round(pace.rate_bytes_per_s),
                "eta_s": None if pace.eta_s is None else round(pace.eta_s, 1),
                "stalled": pace.stalled,
                "stalled_s": round(time.monotonic() - self._moved_s) if pace.stalled else None,
            }
            self._tell(self._name, self._best, figures)

    def _tell(self, phase: str, done: int, figures: dict[str, JsonValue] | None = None) -> None:
        before, total = self._share.before_bytes, self._share.all_bytes
        self._context.progress(phase, before + done, total, figures=figures)

    def _tick(self, over: threading.Event) -> None:
        """Report also while nothing moves, so that a stall is seen as one."""
        with contextlib.suppress(ListenerGone):  # the sender hears of it as well
            while not over.wait(_TICK_S):
                self._report()
