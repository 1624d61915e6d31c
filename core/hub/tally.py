"""How much of a download has come, counted by several threads and told as one."""

import threading
from collections.abc import Callable


class Tally:
    """The bytes of a download's files.

    Attributes:
        bytes_fetched: came over the line, also what was thrown away again.
    """

    def __init__(self, tell: Callable[[str, int], None]) -> None:
        """Tell `tell(phase, bytes that are there)`, one call at a time."""
        self.bytes_fetched = 0
        self._tell = tell
        self._lock = threading.Lock()
        self._whole_bytes = 0
        self._parts: dict[str, int] = {}

    def came(self, count_bytes: int) -> None:
        """Count what came over the line."""
        with self._lock:
            self.bytes_fetched += count_bytes

    def report(self, phase: str, path: str, done_bytes: int) -> None:
        """Tell that so much of a file is there."""
        with self._lock:
            self._parts[path] = done_bytes
            self._tell(phase, self._whole_bytes + sum(self._parts.values()))

    def end(self, path: str, whole_bytes: int) -> None:
        """A file is over: with its whole size, or none of it."""
        with self._lock:
            self._parts.pop(path, None)
            self._whole_bytes += whole_bytes

    def between(self, tell: Callable[[], None]) -> None:
        """Tell something else, while nobody tells how much is there."""
        with self._lock:
            tell()
