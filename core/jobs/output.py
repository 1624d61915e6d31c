"""A worker's printed output on its way to the job's log: bounded, without secrets, and never in the way."""

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from core.base.blot import BLOT
from core.base.errors import JsonValue
from core.base.foreign import lines, read_json
from core.base.log import redact
from core.base.opening import regular_only

HEAD_BYTES = 16 << 20
TAIL_BYTES = 4 << 20
_LAST_LINES = 50
_LINE_BYTES = 4000
_MIN_SECRET_BYTES = 4


def secrets_of(line: bytes) -> frozenset[bytes]:
    """What must not be printed: the line given to the worker, and the texts in it when it is JSON."""
    line = line.strip()
    found = {line}
    # A plain token or password is no JSON.
    with contextlib.suppress(ValueError, RecursionError):
        found.update(text.encode() for text in _texts(read_json(line)))
    return frozenset(secret for secret in found if len(secret) >= _MIN_SECRET_BYTES)


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


class Blotter:
    """Blots secrets out of a stream, also where one is cut between two pieces."""

    def __init__(self, secrets: Iterable[bytes]) -> None:
        self._secrets = sorted(secrets, key=len, reverse=True)
        self._held = b""

    def take(self, data: bytes) -> bytes:
        """Return what can be shown; the beginning of a secret at the very end waits for the next piece."""
        data = self._held + data
        for secret in self._secrets:
            data = data.replace(secret, BLOT.encode())
        held = max((_overlap(data, secret) for secret in self._secrets), default=0)
        data, self._held = data[: len(data) - held], data[len(data) - held :]
        return data

    def rest(self) -> bytes:
        """What still waits, at the end of the stream."""
        rest, self._held = self._held, b""
        return rest


def _overlap(data: bytes, secret: bytes) -> int:
    """How many bytes at the end of `data` may be the beginning of `secret`."""
    longest = min(len(data), len(secret) - 1)
    return next((size for size in range(longest, 0, -1) if data.endswith(secret[:size])), 0)


class BoundedLog:
    """Writes the first 16 MiB as they come and keeps the last 4 MiB for the end.

    A worker that floods its output therefore costs at most 20 MiB of disk and as much memory.
    """

    def __init__(self, path: Path, secrets: Iterable[bytes] = ()) -> None:
        self._blotter = Blotter(secrets)
        self._file = open(path, "ab", buffering=0, opener=regular_only)  # noqa: SIM115  # open until `close`
        self._left = max(0, HEAD_BYTES - path.stat().st_size)
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self._dropped_bytes = 0
        self._last = b""

    def write(self, data: bytes) -> None:
        """Take a piece of output."""
        self._take(self._blotter.take(data))

    def _take(self, data: bytes) -> None:
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
        return [line[:300] for line in lines(text) if line.strip()][-_LAST_LINES:]

    def close(self) -> None:
        """Write the kept tail and close."""
        if self._file.closed:
            return
        self._take(self._blotter.rest())
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
