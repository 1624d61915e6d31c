"""An event hub in plain Python: one frozen dataclass per event, subscribers by event class.

The window's bridge and the command line subscribe; rooms publish from any thread. Bound methods are held
weakly, so that a closed view never keeps living because it once listened.
"""

import logging
import threading
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

Event = TypeVar("Event")
_log = logging.getLogger(__name__)


class EventHub:
    """Publishes events to subscribers of exactly their class, in order of subscription."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscribers: dict[type, list[Callable[[], Callable[[Any], None] | None]]] = {}

    def subscribe(self, event_type: type[Event], callback: Callable[[Event], None]) -> Callable[[], None]:
        """Call `callback` for each published event of that class; returns a function that ends it."""
        reference: Callable[[], Callable[[Any], None] | None]
        if hasattr(callback, "__self__"):
            reference = weakref.WeakMethod(callback)
        else:

            def reference() -> Callable[[Any], None]:
                return callback

        with self._lock:
            self._subscribers.setdefault(event_type, []).append(reference)

        def unsubscribe() -> None:
            with self._lock:
                if reference in self._subscribers.get(event_type, []):
                    self._subscribers[event_type].remove(reference)

        return unsubscribe

    def publish(self, event: object) -> None:
        """Hand `event` to every subscriber on the calling thread.

        A subscriber that raises is logged and does not keep the others from hearing the event.
        """
        with self._lock:
            references = list(self._subscribers.get(type(event), []))
        for reference in references:
            callback = reference()
            if callback is None:
                with self._lock:
                    self._subscribers[type(event)].remove(reference)
                continue
            try:
                callback(event)
            except Exception:  # noqa: BLE001  # one deaf listener must not silence the others
                _log.exception("a subscriber of %s failed", type(event).__name__)
