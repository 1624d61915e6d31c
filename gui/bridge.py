"""The one place where threads meet Qt: events of the core and results of calls reach the main thread here.

Any thread appends to a mailbox; one queued wake-up is pending at most, and the main thread empties the box in
slices of a few milliseconds. A later message with the same key takes the place of an undelivered earlier one,
so that a flood of progress costs one repaint. Receivers are bound methods, held weakly: what was closed in the
meantime hears nothing.
"""

import logging
import threading
import time
import weakref
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Qt, Signal, Slot
from shiboken6 import isValid

from core.base.errors import CancelledError, RKDeckError
from core.base.events import EventHub
from core.base.log import redact
from core.base.tasks import CancelToken, TaskPool

Value = TypeVar("Value")
_SLICE_S = 0.008
_log = logging.getLogger(__name__)


class _Mailbox:
    """Messages in order, one per key; knows nothing of Qt but the function that wakes the main thread."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._messages: dict[Hashable, tuple[Callable[[], Callable[[Any], None] | None], object]] = {}
        self._wake: Callable[[], None] | None = wake
        self._awake = False
        self._count = 0

    def put(
        self, receiver: Callable[[], Callable[[Any], None] | None], value: object, key: Hashable | None = None
    ) -> None:
        with self._lock:
            if self._wake is None:
                return
            self._count += 1
            # A dict keeps the place of a key that is set again, so news of a flood is delivered when its first was
            # due and is not pushed back for ever. Two kinds of places: a caller's key may be a number, too.
            place = ("n", self._count) if key is None else ("k", key)
            self._messages[place] = (receiver, value)
            if not self._awake:
                self._awake = True
                self._wake()

    def take(self) -> tuple[Callable[[], Callable[[Any], None] | None], object] | None:
        """The oldest message; None when there is none, and the next one will wake again."""
        with self._lock:
            if not self._messages:
                # Only here, with the lock held: whoever puts a message next sees it and wakes, none lies unseen.
                self._awake = False
                return None
            return self._messages.pop(next(iter(self._messages)))

    @property
    def is_closed(self) -> bool:
        return self._wake is None

    def close(self) -> None:
        with self._lock:
            self._wake = None
            self._messages.clear()


class Task:
    """A call that runs on another thread; its outcome comes back once, or never after `drop`."""

    def __init__(self, token: CancelToken | None) -> None:
        self._token = token
        self.is_wanted = True

    def drop(self) -> None:
        """Nobody waits for the outcome any more: it is thrown away, and the call is told to stop if it can be."""
        self.is_wanted = False
        if self._token is not None:
            self._token.cancel()

    def cancel(self) -> None:
        """Ask the call to stop; its outcome (CancelledError) is still delivered."""
        if self._token is not None:
            self._token.cancel()


class Bridge(QObject):
    """Brings events and results to the main thread.

    Signals:
        failed: RKDeckError of a call whose caller did not ask for errors.
    """

    failed = Signal(object)
    _woken = Signal()

    def __init__(self, pool: TaskPool, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = pool
        self._woken.connect(self._empty, Qt.ConnectionType.QueuedConnection)
        self._mailbox = _Mailbox(self._woken.emit)
        self._unsubscribe: list[Callable[[], None]] = []

    def listen(
        self,
        events: EventHub,
        event_type: type[Value],
        slot: Callable[[Value], None],
        key: Callable[[Value], Hashable] | None = None,
    ) -> None:
        """Hear events of a class on the main thread; with `key` only the latest of each key counts."""
        receiver, mailbox = weakref.WeakMethod(slot), self._mailbox

        def forward(event: Value) -> None:
            mailbox.put(receiver, event, None if key is None else (event_type, key(event)))

        self._unsubscribe.append(events.subscribe(event_type, forward))

    def sink(
        self, slot: Callable[[Value], None], key: Callable[[Value], Hashable] | None = None
    ) -> Callable[[Value], None]:
        """A function any thread may call; `slot` hears its argument on the main thread."""
        receiver, mailbox, name = weakref.WeakMethod(slot), self._mailbox, object()

        def forward(value: Value) -> None:
            mailbox.put(receiver, value, None if key is None else (name, key(value)))

        return forward

    def run(
        self,
        function: Callable[..., Value],
        *args: object,
        done: Callable[[Value], None] | None = None,
        failed: Callable[[RKDeckError], None] | None = None,
        instead_of: Task | None = None,
        **kwargs: object,
    ) -> Task:
        """Call `function` on another thread; `done` or `failed` hears of it on the main thread.

        The outcome of `instead_of`, an earlier call for the same thing, counts no more.
        A keyword argument `cancel` that is a CancelToken is used by `Task.cancel` and `Task.drop`.
        """
        if instead_of is not None:
            instead_of.drop()
        token = kwargs.get("cancel")
        task = Task(token if isinstance(token, CancelToken) else None)
        outcome = _Outcome(
            task, None if done is None else weakref.WeakMethod(done), self._failure_receiver(failed)
        )
        mailbox = self._mailbox

        def deliver(future: "Future[Value]") -> None:
            if mailbox.is_closed:  # what the services' end did to a call nobody waits for is no news
                return
            receiver, value = outcome.of(future)
            if receiver is not None:
                mailbox.put(receiver, value)

        self._pool.submit(function, *args, **kwargs).add_done_callback(deliver)
        return task

    def close(self) -> None:
        """Deliver nothing more."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._mailbox.close()

    def _failure_receiver(
        self, failed: Callable[[RKDeckError], None] | None
    ) -> "weakref.WeakMethod[Callable[[Any], None]]":
        return weakref.WeakMethod(self._on_unexpected if failed is None else failed)

    def _on_unexpected(self, error: RKDeckError) -> None:
        if not isinstance(error, CancelledError):
            self.failed.emit(error)

    @Slot()
    def _empty(self) -> None:
        deadline = time.perf_counter() + _SLICE_S
        while (message := self._mailbox.take()) is not None:
            receiver, value = message
            slot = receiver()
            if slot is not None and lives(slot):
                slot(value)
            if time.perf_counter() > deadline:
                # Input and painting have their turn before the rest.
                self._woken.emit()
                return


def lives(slot: Callable[[Any], None]) -> bool:
    """Whether the receiver's C++ side is there: Python may hold on to the rest of a deleted widget for a while."""
    owner = getattr(slot, "__self__", None)
    return not isinstance(owner, QObject) or isValid(owner)


class _Outcome:
    """Whom to tell what, once a call has ended."""

    def __init__(
        self,
        task: Task,
        done: "weakref.WeakMethod[Callable[[Any], None]] | None",
        failed: "weakref.WeakMethod[Callable[[Any], None]]",
    ) -> None:
        self._task, self._done, self._failed = task, done, failed

    def of(self, future: "Future[Any]") -> tuple[Callable[[], Callable[[Any], None] | None] | None, object]:
        if future.cancelled() or not self._task.is_wanted:
            return None, None
        error = future.exception()
        if error is None:
            return self._wanted(self._done), future.result()
        if not isinstance(error, RKDeckError):
            _log.error("a call failed", exc_info=error)
            error = RKDeckError("window.fault", fault=type(error).__name__, text=redact(str(error))[:500])
        return self._wanted(self._failed), error

    def _wanted(
        self, receiver: "weakref.WeakMethod[Callable[[Any], None]] | None"
    ) -> Callable[[], Callable[[Any], None] | None] | None:
        if receiver is None:
            return None
        task = self._task
        # Asked again on delivery: the page may have moved on while the message waited.
        return lambda: receiver() if task.is_wanted else None
