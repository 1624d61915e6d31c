"""Lines of a program on a board: every wait has a deadline for the whole, every size a bound, whatever it prints."""

import time
from collections.abc import Callable

from core.remote.exchange import TooMuchError, TooSlowError

MAX_LINE_BYTES = 4096
# What a login script, or a program between two answers, may print that nobody wants.
MAX_SKIPPED_BYTES = 256 << 10


class BoundedLines:
    """Cuts what arrives into lines. What comes before the line `mark` belongs to somebody else and is dropped.

    Args:
        receive: returns the next bytes, empty at the end; raises TimeoutError after so many seconds.
        mark: the line with which the program begins; empty: it has begun.
    """

    def __init__(self, receive: Callable[[float], bytes], mark: str = "") -> None:
        self._receive = receive
        self._mark = mark.encode()
        self._buffer = bytearray()
        self._said = b""

    @property
    def has_begun(self) -> bool:
        """Whether the program has shown its mark."""
        return not self._mark

    @property
    def said_before(self) -> bytes:
        """The beginning of what was printed before the mark."""
        return self._said

    def find(self, prefix: bytes, deadline: float) -> bytes | None:
        """The next line that begins with `prefix`; None at the end of output. Others are dropped.

        Args:
            prefix: of the line.
            deadline: on `time.monotonic`'s clock, for everything together.

        Raises:
            TooSlowError: there is none at the deadline, also while other things keep coming.
            TooMuchError: a line is too long, or too much came that was not wanted.
        """
        skipped = 0
        while (line := self._line(deadline)) is not None:
            if self._mark:
                self._said = (self._said + line + b"\n")[:MAX_LINE_BYTES]
                if line == self._mark:
                    self._mark = b""
            elif line.startswith(prefix):
                return line
            skipped += len(line) + 1
            if skipped > MAX_SKIPPED_BYTES:
                raise TooMuchError
        return None

    def _line(self, deadline: float) -> bytes | None:
        looked = 0  # what came byte by byte is not gone through again for each
        while (end := self._buffer.find(b"\n", looked)) < 0:
            looked = len(self._buffer)
            # A login script's endless line is its own affair; a program's is none of ours.
            if len(self._buffer) > (MAX_SKIPPED_BYTES if self._mark else MAX_LINE_BYTES):
                raise TooMuchError
            data = self._next(deadline)
            if not data:
                self._keep_last()
                return None
            self._buffer += data
        if time.monotonic() >= deadline:
            raise TooSlowError
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]  # moves nothing: what is left may be a quarter of a million lines
        if not self._mark and len(line) > MAX_LINE_BYTES:
            raise TooMuchError
        return line

    def _next(self, deadline: float) -> bytes:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TooSlowError
        try:
            return self._receive(left_s)
        except TimeoutError as error:
            raise TooSlowError from error

    def _keep_last(self) -> None:
        """The output has ended: a torn line is none, but may tell why the program never began."""
        if self._mark:
            self._said = (self._said + self._buffer)[:MAX_LINE_BYTES]
        self._buffer.clear()
