"""The worker's side of the protocol: one JSON object a line on a private descriptor.

Standard library only and Python 3.8 syntax: foreign programs (under the toolkit's Python) and our own
workers use the same file.
"""

import json
import os
import threading
import time

EVENTS_DESCRIPTOR = "RKDECK_EVENTS_FD"


class WireClosed(Exception):
    """The supervisor does not listen any more; the worker has to end."""


class Wire:
    """Sends events; safe from several threads."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    @classmethod
    def from_environment(cls) -> "Wire":
        """Use the descriptor that the supervisor handed down; not inherited any further."""
        descriptor = int(os.environ.pop(EVENTS_DESCRIPTOR))
        os.set_inheritable(descriptor, False)
        return cls(descriptor)

    def send(self, event: str, **data: object) -> None:
        """Send one event with the time it happened.

        Raises:
            WireClosed: when nobody listens.
            ValueError: for NaN and infinity, which are no JSON.
        """
        value = {"event": event, "t_unix_s": time.time(), **data}
        line = json.dumps(value, ensure_ascii=True, allow_nan=False) + "\n"
        rest = memoryview(line.encode("ascii"))
        with self._lock:
            try:
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
            except BrokenPipeError as error:
                raise WireClosed from error
