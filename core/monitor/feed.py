"""The front end's side of the live figures: one worker process samples all boards, its samples come back here."""

import contextlib
import json
import logging
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

from core.base.errors import JsonValue, RKDeckError, error_from_json
from core.base.foreign import members
from core.base.log import register_secret
from core.base.paths import AppPaths
from core.base.trouble import reason_of
from core.jobs import process
from core.monitor.sample import BoardSample, down_sample, sample_from_json
from core.remote.backoff import Backoff

MIN_INTERVAL_S, MAX_INTERVAL_S = 0.2, 3600.0
_GRACE_S = 1.2
_JOIN_S = 0.6
# A worker that lived for so long did not die of what it was started with.
_HEALTHY_S = 60.0
_MODULE = "core.workers.monitor"
_ROOT = Path(__file__).parents[2]
_log = logging.getLogger(__name__)


class _Worker:
    """The running process: orders in, lines out. Whatever it prints besides comes as lines, too."""

    def __init__(self, home: Path) -> None:
        reading, writing = os.pipe()
        self.lines = os.fdopen(reading, "rb")
        self._lock = threading.Lock()
        try:
            with os.fdopen(writing, "wb") as output:
                argv = [sys.executable, "-m", _MODULE, str(home)]
                self._process = process.start_detached(argv, cwd=_ROOT, log=output)
        except BaseException:
            self.lines.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def order(self, **order: JsonValue) -> None:
        """Send one order; one to a dead worker is lost, for the next worker is told everything anew."""
        assert self._process.stdin is not None
        line = json.dumps(order).encode() + b"\n"
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def end_input(self) -> None:
        """Let it end by itself."""
        assert self._process.stdin is not None
        with self._lock, contextlib.suppress(OSError):
            self._process.stdin.close()

    def end(self, timeout_s: float) -> int:
        """See it out, or kill it after that time; returns its exit code, negative for a signal."""
        self.end_input()
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        return code


class MonitorFeed:
    """Live samples of the watched boards, for a front end that never waits.

    `start`, `watch`, `retry` and `set_interval` return at once; processes, pipes and the keyring are the affair of
    two threads. The worker ends when this process does, in whatever way; when the worker dies, every board is
    reported as down with `monitor.worker_ended`, and another is started after 1, 2, 4 and at most 30 s.

    Args:
        paths: the home folder with the registry and the known host keys.
        on_sample: called with each sample, on the feed's reading thread. What it raises is logged.
        secrets: the password (or passphrase) of a board by the board's name, or None. Called on the feed's
            writing thread each time the worker is told about the boards, so it may wait for a keyring.
        interval_s: between the samples of a board.
    """

    def __init__(
        self,
        paths: AppPaths,
        on_sample: Callable[[BoardSample], None],
        *,
        secrets: Callable[[str], str | None],
        interval_s: float = 1.0,
    ) -> None:
        self._home = paths.home
        self._on_sample = on_sample
        self._secrets = secrets
        self._interval_s = _checked(interval_s)
        self._changed = threading.Condition()
        self._boards: tuple[str, ...] = ()
        self._retry: set[str] = set()
        self._version = 0
        self._worker: _Worker | None = None
        self._closed = False
        self._threads: tuple[threading.Thread, ...] = ()

    @property
    def worker_pid(self) -> int | None:
        """The worker's process, None while there is none."""
        with self._changed:
            return None if self._worker is None else self._worker.pid

    def start(self) -> Self:
        """Begin; the worker is started with the first board that is watched."""
        assert not self._threads, "started twice"
        # Daemons: a keyring that asks somebody who is not there must not keep the program alive.
        self._threads = (
            threading.Thread(target=self._read, name="monitor-feed", daemon=True),
            threading.Thread(target=self._write, name="monitor-feed-orders", daemon=True),
        )
        for thread in self._threads:
            thread.start()
        return self

    def watch(self, boards: Iterable[str]) -> None:
        """Sample these boards and no others; of those left out no sample comes any more."""
        wanted = tuple(dict.fromkeys(boards))
        with self._changed:
            if wanted != self._boards:
                self._boards = wanted
                self._note_change()

    def retry(self, board: str) -> None:
        """Ask for the board's password anew and, when it is down, connect now: somebody mended it."""
        with self._changed:
            if board in self._boards:
                self._retry.add(board)
                self._note_change()

    def set_interval(self, seconds: float) -> None:
        """From now on one sample per board in `seconds` (kept within 0.2 s and an hour)."""
        with self._changed:
            self._interval_s = _checked(seconds)
            self._note_change()

    def close(self) -> None:
        """End the worker and the threads, within 2 s; harmless when done twice."""
        with self._changed:
            self._closed = True
            worker = self._worker
            self._changed.notify_all()
        if worker is not None:
            worker.end(_GRACE_S)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(_JOIN_S)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *details: object) -> None:
        self.close()

    def _note_change(self) -> None:
        self._version += 1
        self._changed.notify_all()

    # --- reading thread

    def _read(self) -> None:
        delays = Backoff()
        while self._wait_for_boards():
            begun_s = time.monotonic()
            reason = self._run_worker()
            if time.monotonic() - begun_s > _HEALTHY_S:
                delays.reset()
            if reason is not None and not self._pause(reason, delays.next_s()):
                return

    def _wait_for_boards(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._boards or self._closed)
            return not self._closed

    def _run_worker(self) -> RKDeckError | None:
        """Read one worker to its end; returns why it ended, None when this feed was closed."""
        try:
            worker = _Worker(self._home)
        except OSError as error:
            return RKDeckError("monitor.worker_not_started", reason=reason_of(error))
        with self._changed:
            if not self._closed:
                self._worker = worker
                self._note_change()
        if self._worker is None:
            worker.end(0.0)
        reason: RKDeckError | None = None
        with worker.lines:
            for line in worker.lines:
                reason = self._take(line) or reason
        with self._changed:
            self._worker = None
        code = worker.end(_GRACE_S)
        if self._closed:
            return None
        return reason or RKDeckError("monitor.worker_ended", reason=_how(code))

    def _pause(self, reason: RKDeckError, seconds: float) -> bool:
        """Report every board as down and wait; returns whether to go on."""
        _log.warning("the monitor worker ended: %s; another in %.0f s", reason, seconds)
        with self._changed:
            boards = self._boards
        for board in boards:
            self._give(down_sample(board, time.time(), reason))
        with self._changed:
            return not self._changed.wait_for(lambda: self._closed, seconds)

    def _take(self, line: bytes) -> RKDeckError | None:
        """Deal with one line; returns the error that a worker gives as its last word."""
        message = members(line)
        error = message.get("error")
        if message.get("event") == "error" and isinstance(error, dict):
            return error_from_json(error)
        try:
            sample = sample_from_json(message.get("sample"))
        except ValueError:
            _log.warning("the monitor worker said: %r", line[:500])
            return None
        self._give(sample)
        return None

    def _give(self, sample: BoardSample) -> None:
        with self._changed:
            if self._closed or sample.board not in self._boards:
                return
        try:
            self._on_sample(sample)
        except Exception:  # noqa: BLE001  # a broken listener must not end the figures of all boards
            _log.exception("a sample of %s could not be taken in", sample.board)

    # --- writing thread

    def _write(self) -> None:
        told: tuple[int, _Worker] | None = None
        while (news := self._wait_for_news(told)) is not None:
            told = news
            with self._changed:
                boards, interval_s = self._boards, self._interval_s
                retry, self._retry = self._retry, set()
            passwords: dict[str, JsonValue] = {board: self._password(board) for board in boards}
            news[1].order(interval_s=interval_s, watch=passwords, retry=[*retry])

    def _wait_for_news(self, told: tuple[int, _Worker] | None) -> tuple[int, _Worker] | None:
        """The version of the orders and the worker to tell; None at the end."""
        with self._changed:
            while not self._closed:
                news = None if self._worker is None else (self._version, self._worker)
                if news is not None and news != told:
                    return news
                self._changed.wait()
        return None

    def _password(self, board: str) -> str | None:
        try:
            password = self._secrets(board)
        except RKDeckError:
            return None  # a board that was just removed: the worker looks it up, too, and says so
        except Exception:  # noqa: BLE001  # whatever a keyring does, the other boards are sampled
            _log.exception("the password of %s could not be read", board)
            return None
        if password:
            register_secret(password)
        return password or None


def _checked(seconds: float) -> float:
    if not math.isfinite(seconds):
        raise ValueError("an interval is a number of seconds")
    return min(MAX_INTERVAL_S, max(MIN_INTERVAL_S, seconds))


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
