"""Cut what the sampling shell prints into frames; torn, garbled or endless output does no harm.

The shell prints `@T n`, lines of `path:text`, `@E n`. Only a frame whose end carries the number of its
beginning counts; everything else is dropped. Memory is bounded whatever the board sends.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

from core.base.errors import RKDeckError

MAX_FRAME_BYTES = 1 << 20
_MAX_LINE_BYTES = 64 << 10
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_MARK = re.compile(r"@([TEIJ])(?: (\d{1,12}))?\Z")

Files = MappingProxyType[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Frame:
    """One complete answer.

    Attributes:
        number: of the tick; None for the identity block.
        lines: as printed, without control characters and escape codes.
    """

    number: int | None
    lines: tuple[str, ...]

    def files(self, root: str = "", watched: str | None = None) -> Files:
        """The text of each file by its path on the board.

        Args:
            root: what the shell had in `R`; it is taken off again.
            watched: the file named with `V`, whose path may hold any character.
        """
        found: dict[str, list[str]] = {}
        for line in self.lines:
            path, text = _split(line, watched)
            if path is not None and path.startswith((f"{root}/", watched or f"{root}/")):
                name = path if path == watched else path[len(root) :]
                found.setdefault(name, []).append(text)
        return MappingProxyType({path: tuple(texts) for path, texts in found.items()})


def _split(line: str, watched: str | None) -> tuple[str | None, str]:
    if watched is not None and line.startswith(f"{watched}:"):
        return watched, line[len(watched) + 1 :]
    path, colon, text = line.partition(":")
    return (path, text) if colon else (None, line)


class FrameReader:
    """Turns a byte stream into frames. Feed it what arrives; it keeps at most one frame and one line."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False
        self._begun: tuple[str, int | None] | None = None
        self._lines: list[str] = []
        self._waiting_bytes = 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that `data` completes.

        Raises:
            RKDeckError: `monitor.flood` after `MAX_FRAME_BYTES` without the end of a frame.
        """
        *complete, self._rest = (self._rest + data).split(b"\n")
        for raw in complete:
            frame = self._line(raw)
            if frame is not None:
                self._waiting_bytes = 0
                yield frame
        if len(self._rest) > _MAX_LINE_BYTES:
            self._waiting_bytes += len(self._rest)
            self._rest = b""
            self._skipping = True
        self._guard()

    def _line(self, raw: bytes) -> Frame | None:
        self._waiting_bytes += len(raw) + 1
        self._guard()
        if self._skipping or len(raw) > _MAX_LINE_BYTES:
            self._skipping = False
            return None
        line = clean(raw.decode("utf-8", "replace"))
        mark = _MARK.match(line)
        if mark is None:
            if self._begun is not None:
                self._lines.append(line)
            return None
        return self._marked(mark[1], int(mark[2]) if mark[2] else None)

    def _marked(self, letter: str, number: int | None) -> Frame | None:
        if letter in "TI":
            self._begun = ("E" if letter == "T" else "J", number)
            self._lines = []
            return None
        begun, self._begun = self._begun, None
        lines, self._lines = tuple(self._lines), []
        return Frame(number, lines) if begun == (letter, number) else None

    def _guard(self) -> None:
        if self._waiting_bytes > MAX_FRAME_BYTES:
            raise RKDeckError("monitor.flood", limit_bytes=MAX_FRAME_BYTES)


def clean(text: str) -> str:
    """Take escape sequences and control characters (but not tabs) out of a line."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text))
