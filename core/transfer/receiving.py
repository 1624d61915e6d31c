"""The board's side of an upload: the receiving script on one channel, what it answers and what that means."""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import paramiko

from core.base.errors import JsonValue, RefusedError, RKDeckError
from core.base.foreign import MAX_BYTES, MAX_PID, digits
from core.base.names import printable
from core.base.notes import because
from core.remote.exchange import TooMuchError, TooSlowError
from core.remote.lines import BoundedLines
from core.remote.quoting import new_mark
from core.remote.scripts import board_script
from core.remote.session import SshSession
from core.transfer.bulk import BulkSender

_ANSWER_TIMEOUT_S = 60.0
_LAST_WORDS_S = 2.0
# What the slowest board's disk reads while it computes a digest.
_SLOWEST_DIGEST_BYTES_PER_S = 10 << 20


@dataclass(frozen=True, slots=True)
class Have:
    """What the board has of a file already.

    Attributes:
        size_bytes, sha256: of what is there.
        free_bytes: on its disk; None when it does not tell.
        pid: of the script that takes blocks; None when it cannot.
    """

    size_bytes: int
    sha256: str
    free_bytes: int | None
    pid: str | None


class Receiver:
    """The script on the board and its answers."""

    def __init__(self, session: SshSession, path: str, script: str, arguments: Sequence[str]) -> None:
        """Start a script of `resources/board` that works on the file `path`."""
        mark = new_mark()
        self._session = session
        self._path = path
        self._shell = session.open_script(board_script(script), arguments, mark)
        self._bulk = BulkSender(self._shell.channel)
        self._lines = BoundedLines(self._shell.receive, mark)

    def have(self, size: int) -> Have | None:
        """What is there already (None: the final file); computing its digest takes a while."""
        kind, words = self._answer({"have", "there"}, 2 * _digest_timeout_s(size))
        if kind == "there":
            return None
        if len(words) != 4:
            raise self._nonsense(words)
        there, sha256, free_kib, pid = words
        size_bytes, free, process = (
            _bytes(there),
            digits(free_kib, high=MAX_BYTES >> 10),
            digits(pid, 1, MAX_PID),
        )
        if size_bytes is None or (free is None and free_kib != "-") or (process is None and pid != "-"):
            raise self._nonsense(words)
        return Have(
            size_bytes,
            sha256,
            None if free is None else free << 10,
            None if process is None else str(process),
        )

    @property
    def window_bytes(self) -> int:
        """What the server lets be under way."""
        return self._bulk.window_bytes

    def begin(self, offset: int, *, in_blocks: bool = False) -> None:
        """Say from where the data starts, and whether it comes as such or as orders and blocks."""
        self.put(f"{offset} b\n".encode() if in_blocks else f"{offset}\n".encode())

    def answer(self, wanted: str, timeout_s: float) -> int:
        """Wait for the next answer, which has to be this one; its number, 0 when it has none.

        Raises:
            RKDeckError: `remote.stalled` when none comes in time (one may ask again), and what else the script says.
        """
        _, words = self._answer({wanted}, timeout_s)
        if not words:
            return 0
        number = digits(words[0])
        if len(words) > 1 or number is None:
            raise self._nonsense([wanted, *words])
        return number

    def put(self, data: bytes | memoryview, moved: Callable[[int], None] | None = None) -> bool:
        """Send data; False when the script has ended, which `finish` then explains.

        Args:
            data: to be written to the file.
            moved: hears how much went out, piece by piece.
        """
        try:
            self._bulk.send(data, moved)
        except TimeoutError as error:
            raise self._stalled(self._shell.send_timeout_s) from error
        except (OSError, EOFError, paramiko.SSHException):
            return False
        return True

    def finish(self, size: int, sha256: str) -> None:
        """End the data and wait for the verdict."""
        self._shell.end_input()
        _, words = self._answer({"wrote"}, _ANSWER_TIMEOUT_S)
        if words != [str(size)]:
            written = _bytes(words[0]) if words else None
            if written is not None and written > size:
                raise self._write_failed(written, "something else wrote to it")
            raise self._session.closed_error(None)
        _, words = self._answer({"sum"}, _digest_timeout_s(size))
        if words != [sha256]:
            raise RKDeckError(
                "remote.digest_mismatch",
                host=self._session.target.host,
                path=self._path,
                expected=sha256,
                found=printable(" ".join(words)),
            )

    def close(self) -> None:
        """End the script, if it still runs."""
        self._shell.close()

    def _answer(self, wanted: set[str], timeout_s: float) -> tuple[str, list[str]]:
        """The kind of answer and its words; an answer that is not wanted is an error."""
        try:
            line = self._lines.find(b"@", time.monotonic() + timeout_s)
        except TooSlowError as error:
            raise self._stalled(timeout_s) from error
        except TooMuchError as error:
            raise self._nonsense([]) from error
        if line is None:
            raise self._ended()
        kind, *words = line[1:].decode("ascii", "replace").split() or [""]
        if kind in wanted:
            return kind, words
        raise self._error(kind, words)

    def _error(self, kind: str, words: list[str]) -> RKDeckError:
        host, folder = self._session.target.host, self._path.rpartition("/")[0]
        seen = _bytes(words[0]) if words else None
        if kind == "busy":
            return RKDeckError("remote.upload_busy", host=host, path=self._path, seen_bytes=seen)
        if kind == "full":
            return RKDeckError("remote.disk_full", host=host, folder=folder)
        if kind == "failed":
            return self._write_failed(seen, self._reason())
        if kind == "readonly":
            return RefusedError("remote.not_writable", host=host, folder=folder, reason=self._reason())
        if kind == "missing":
            return RefusedError("remote.no_tool", host=host, tool=printable(" ".join(words)))
        return self._nonsense([kind, *words])

    def _ended(self) -> RKDeckError:
        complaint, status = self._complaint(), self._shell.exit_status()
        if not self._lines.has_begun and status is not None:
            # It ended by itself: connecting anew would lead to the same.
            return self._session.not_run(self._lines.said_before, self._shell.stderr_tail, status)
        if self._session.is_open and complaint:
            return self._write_failed(None, complaint)
        return self._session.closed_error(None)

    def _write_failed(self, written: int | None, reason: JsonValue) -> RKDeckError:
        return RKDeckError(
            "remote.write_failed",
            host=self._session.target.host,
            path=self._path,
            written_bytes=written,
            reason=reason,
        )

    def _complaint(self) -> str:
        """What the script said on standard error; it may arrive a little after its last answer."""
        deadline = time.monotonic() + _LAST_WORDS_S
        with contextlib.suppress(TimeoutError):
            while (left_s := deadline - time.monotonic()) > 0 and self._shell.receive(left_s):
                continue
        text = self._shell.stderr_tail[-600:].decode("utf-8", "replace").strip()
        return printable(text, limit=600)

    def _reason(self) -> JsonValue:
        return self._complaint() or because("no_reason")

    def _stalled(self, seconds: float) -> RKDeckError:
        return RKDeckError("remote.stalled", host=self._session.target.host, path=self._path, seconds=seconds)

    def _nonsense(self, words: list[str]) -> RKDeckError:
        text = printable(" ".join(words))
        return RKDeckError(
            "remote.unexpected_answer", host=self._session.target.host, text=text, reason=self._reason()
        )


def _bytes(word: str) -> int | None:
    return digits(word, high=MAX_BYTES)


def _digest_timeout_s(size: int) -> float:
    return _ANSWER_TIMEOUT_S + size / _SLOWEST_DIGEST_BYTES_PER_S
