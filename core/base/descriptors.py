"""Standard input, output and error as a shell may leave them: closed, full, or of another alphabet."""

import io
import os
import sys
from typing import TextIO, cast

# Written to a descriptor that was opened for reading only, text fails as it does on a closed one.
_STANDARD = ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY))


def stand_ready() -> None:
    """Take the places of closed descriptors, and let no character stop a line.

    A file opened later would get the number of a closed one, and whatever a child or a library prints would go into
    it: the log, a model, the database. Who closed standard output is told by the first line written to it; nobody
    listens at a closed standard error. Characters the terminal's encoding lacks are written out by their numbers.
    And whatever the umask takes from others, what we make stays ours to open again.
    """
    os.umask(os.umask(0o077) & ~0o700)
    for number, mode in _STANDARD:
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number, so this one; children are to find it there too.
            os.set_inheritable(os.open(os.devnull, mode), True)
    sys.stdin = sys.stdin or _stream(0, "r")
    sys.stdout = sys.stdout or _stream(1, "w")
    sys.stderr = sys.stderr or _stream(2, "w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _stream(number: int, mode: str) -> TextIO:
    """As Python would have made it, had the descriptor been open."""
    return cast("TextIO", os.fdopen(number, mode, encoding="utf-8", closefd=False))


def settle() -> None:
    """Flush what was printed; what cannot be, goes nowhere: Python would try again at its end, and complain."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, number)
            os.close(nowhere)
