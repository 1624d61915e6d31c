"""Short blocking calls beside the program's main thread, and the token that calls one off.

The threads are daemons: a call that hangs in the network must not keep a closed program alive. What a call
writes is therefore written in one step (`core.base.atomic`, SQLite), as for any killed process.
"""

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, ParamSpec, TypeVar

from core.base.errors import CancelledError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
_log = logging.getLogger(__name__)
_MAX_THREADS = 12


class CancelToken:
    """Tells a blocking call that nobody waits for it any more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._callbacks: list[Callable[[], None]] = []

    @property
    def is_cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Call it off; the callbacks run on this thread, once."""
        with self._lock:
            self._cancelled.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            try:
                callback()
            except Exception:  # noqa: BLE001  # one broken callback must not keep the others from hearing it
                _log.exception("a cancel callback failed")

    def raise_if_cancelled(self) -> None:
        """Raise CancelledError `base.cancelled` once it was called off."""
        if self.is_cancelled:
            raise CancelledError("base.cancelled")

    def wait(self, timeout_s: float) -> bool:
        """Sleep, but wake up when it is called off; returns whether it was."""
        return self._cancelled.wait(timeout_s)

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Run `callback` on cancellation (at once when that was before); returns what unregisters it."""
        with self._lock:
            if not self.is_cancelled:
                self._callbacks.append(callback)
                return lambda: self._forget(callback)
        callback()
        return lambda: None

    def _forget(self, callback: Callable[[], None]) -> None:
        with self._lock, contextlib.suppress(ValueError):
            self._callbacks.remove(callback)


class TaskPool:
    """Runs calls on up to twelve daemon threads, started when they are needed."""

    def __init__(self, max_threads: int = _MAX_THREADS) -> None:
        self._max = max_threads
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._waiting = 0
        self._closed = False

    def submit(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> "Future[Result]":
        """Run `function` on another thread.

        Raises:
            CancelledError: `base.closing` when the pool is closed.
        """
        future: Future[Result] = Future()
        with self._lock:
            if self._closed:
                raise CancelledError("base.closing")
            self._waiting += 1
            self._queue.put((future, lambda: function(*args, **kwargs)))
            if self._waiting > self._idle and len(self._threads) < self._max:
                thread = threading.Thread(target=self._work, name=f"task-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                self._idle += 1
                thread.start()
        return future

    def close(self) -> None:
        """Take no more; what waits is cancelled, what runs is left to end by itself."""
        with self._lock:
            self._closed = True
            threads = len(self._threads)
        with contextlib.suppress(queue.Empty):
            while (entry := self._queue.get_nowait()) is not None:
                entry[0].cancel()
        for _ in range(threads):
            self._queue.put(None)

    def _work(self) -> None:
        while (entry := self._queue.get()) is not None:
            with self._lock:
                self._waiting -= 1
                self._idle -= 1
            future, call = entry
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:  # noqa: BLE001  # the future carries it to who asked
                    future.set_exception(error)
            # A thread must not keep the last call's arguments alive while it waits for the next one.
            del entry, future, call
            with self._lock:
                self._idle += 1
