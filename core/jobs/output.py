"""A worker's printed output on its way to the job's log: bounded, and never in the way."""

from collections import deque
from pathlib import Path

from core.base.log import redact

HEAD_BYTES = 16 << 20
TAIL_BYTES = 4 << 20
_LAST_LINES = 50
_LINE_BYTES = 4000


class BoundedLog:
    """Writes the first 16 MiB as they come and keeps the last 4 MiB for the end.

    A worker that floods its output therefore costs at most 20 MiB of disk and as much memory.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._left = max(0, HEAD_BYTES - path.stat().st_size)
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self._dropped_bytes = 0
        self._last = b""

    def write(self, data: bytes) -> None:
        """Take a piece of output."""
        self._last = (self._last + data)[-_LAST_LINES * _LINE_BYTES :]
        if self._left > 0:
            self._put(data[: self._left])
            data, self._left = data[self._left :], self._left - len(data)
        if data:
            self._tail.append(data)
            self._tail_bytes += len(data)
            while self._tail_bytes - len(self._tail[0]) >= TAIL_BYTES:
                gone = len(self._tail.popleft())
                self._tail_bytes -= gone
                self._dropped_bytes += gone

    def last_lines(self) -> list[str]:
        """The last lines, each cut to a readable length; progress bars count as lines."""
        text = redact(self._last.decode("utf-8", "replace")).replace("\r", "\n")
        return [line[:300] for line in text.splitlines() if line.strip()][-_LAST_LINES:]

    def close(self) -> None:
        """Write the kept tail and close."""
        if self._file.closed:
            return
        try:
            if self._dropped_bytes:
                self._put(f"\n[... {self._dropped_bytes} bytes left out ...]\n".encode())
            for data in self._tail:
                self._put(data)
        finally:
            self._file.close()

    def _put(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError:
            # A full disk must not end the job that may be about to finish; the log is what gives way.
            self._left = 0
