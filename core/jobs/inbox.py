"""The supervisor's end of the private pipe: a worker's lines become events, and no line does harm.

The first lines that are no events are told as warnings, the rest goes to the job's log, which is bounded.
Well-formed events are bounded too: the history is read as a whole by whoever lists jobs, so that one talkative
worker would slow all of RKDeck down.
"""

import math
import time
from collections.abc import Callable

from core.base.errors import JsonValue, RKDeckError, error_from_json
from core.base.foreign import members, unix_s
from core.base.log import redact
from core.jobs.store import EventWriter

# The longest is the result of a download: 20,000 files, each with its name and digest.
MAX_LINE_BYTES = 8 << 20
FREE_BYTES = 32 << 20
PAUSE_S = 10.0
MAX_NOISE_LINES = 100
_MAX_NOISE_CHARACTERS = 500
_EVENTS = frozenset({"progress", "log", "step", "result", "error"})
# Names that belong to the lines which front ends build around an event.
_RESERVED = ("schema", "job", "board", "self")


class Inbox:
    """Takes a worker's bytes as they come.

    Up to `FREE_BYTES` of progress, log and step events are written as they come; from then on one of each kind
    every `PAUSE_S` seconds, and the others go to the log.

    Attributes:
        result: the last result the worker sent, None without one.
        error: the last error it sent.
    """

    def __init__(self, writer: EventWriter, keep: Callable[[bytes], None]) -> None:
        self.result: dict[str, JsonValue] | None = None
        self.error: RKDeckError | None = None
        self._writer = writer
        self._keep = keep
        self._partial = bytearray()
        self._left_out_bytes = 0
        self._free_bytes = FREE_BYTES
        self._written_s: dict[str, float] = {}
        self._noise_left = MAX_NOISE_LINES

    def take(self, data: bytes) -> None:
        """Take a piece that may begin and end anywhere in a line."""
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._grow(piece)
            self._end_line()
        self._grow(rest)

    def close(self) -> None:
        """The worker is gone: half a line is no event."""
        if self._partial:
            self._noise(bytes(self._partial))
            self._partial.clear()
        self._end_line()

    def _grow(self, piece: bytes) -> None:
        if not self._left_out_bytes and len(self._partial) + len(piece) <= MAX_LINE_BYTES:
            self._partial += piece
        else:
            self._left_out_bytes += len(self._partial) + len(piece)
            self._partial.clear()

    def _end_line(self) -> None:
        if self._left_out_bytes:
            self._noise(b"[... an event of %d bytes left out ...]" % self._left_out_bytes)
            self._left_out_bytes = 0
        elif self._partial:
            line = bytes(self._partial)
            self._partial.clear()
            self._on_line(line)

    def _on_line(self, line: bytes) -> None:
        found = _parse(line)
        if found is None:
            self._noise(line)
            return
        event, data = found
        if event == "result":
            result = data.get("result")
            self.result = result if isinstance(result, dict) else None
        elif event == "error":
            error = data.get("error")
            self.error = error_from_json(error if isinstance(error, dict) else {})
        elif self._may_write(event, len(line)):
            self._writer.append(event, **data)
        else:
            self._keep(line + b"\n")

    def _noise(self, line: bytes) -> None:
        """Tell a line that is no event; a flood of them must neither fill the disk nor pass unseen."""
        self._keep(line + b"\n")
        if self._noise_left > 0:
            self._noise_left -= 1
            text = redact(line.decode("utf-8", "replace"))[:_MAX_NOISE_CHARACTERS]
            self._writer.append("log", level="warning", text=text)

    def _may_write(self, event: str, size_bytes: int) -> bool:
        now = time.monotonic()
        self._free_bytes = max(0, self._free_bytes - size_bytes)
        if self._free_bytes == 0 and now - self._written_s.get(event, -math.inf) < PAUSE_S:
            return False
        self._written_s[event] = now
        return True


def _parse(line: bytes) -> tuple[str, dict[str, JsonValue]] | None:
    # A number that is none becomes unknown where it stands: a refusal must not be lost for one of its figures.
    value = members(line)
    event = value.pop("event", None)
    if not isinstance(event, str) or event not in _EVENTS:
        return None
    for name in _RESERVED:
        value.pop(name, None)
    if unix_s(value.get("t_unix_s")) is None:
        value.pop("t_unix_s", None)
    return event, value
