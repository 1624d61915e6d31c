"""Sending one big file to a board: checked first, resumed where possible, verified before it counts.

The receiving side is a shell script (`resources/board/receive.sh`) that runs on one channel: it reports what
is already there with its digest, takes the rest, flushes it to the disk and reports the digest of the whole.
SFTP is not used: many boards have no SFTP server, and `cat` is as fast (measured on loopback).
"""

import contextlib
import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import BinaryIO

import paramiko

from core.base.errors import RefusedError, RKDeckError
from core.base.names import printable
from core.remote.quoting import remote_command
from core.remote.session import SshSession
from core.remote.shell import RemoteShell

Progress = Callable[[int, int], None]

RESERVE_BYTES = 64 << 20
_CHUNK_BYTES = 1 << 20
_ANSWER_TIMEOUT_S = 60.0
_LAST_WORDS_S = 2.0
# What the slowest board's disk reads while it computes a digest.
_SLOWEST_DIGEST_BYTES_PER_S = 10 << 20
_MAX_LINE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class UploadResult:
    """What an upload did.

    Attributes:
        size_bytes: of the file.
        bytes_sent: over the network in this call.
        resumed_from_bytes: how much of the part was already there and proved right.
        was_there: the final file was there already and proved right; nothing was sent.
        seconds: from the first question to the verified end.
    """

    size_bytes: int
    bytes_sent: int
    resumed_from_bytes: int
    was_there: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class _Have:
    size_bytes: int
    sha256: str
    free_bytes: int | None


def upload(
    session: SshSession,
    local: Path,
    remote_partial: str,
    sha256: str,
    *,
    resume: bool = True,
    progress: Progress | None = None,
    reserve_bytes: int = RESERVE_BYTES,
    takeover: bool = False,
    final: str | None = None,
) -> UploadResult:
    """Send `local` to `remote_partial`; on return it is complete, flushed and has the digest `sha256`.

    Whatever goes wrong, what arrived stays under the partial name and is used by the next call if its digest
    fits the beginning of the file; a wrong or unwanted part is dropped.

    Args:
        session: to the board.
        local: the file; it must not change meanwhile.
        remote_partial: absolute path on the board.
        sha256: of the file, hexadecimal.
        resume: use what is already there.
        progress: called with (bytes on the board, size) from this thread.
        reserve_bytes: must stay free on the board's disk.
        takeover: end another sender of the same file that has become silent.
        final: absolute path the complete file is renamed to, on the same disk. A right file that is already
            there is not sent again.

    Raises:
        RefusedError: `remote.no_space`, `remote.source_changed`, `remote.not_writable`, `remote.no_tool`.
        RKDeckError: `remote.upload_busy` (with `seen_bytes`), `remote.disk_full`, `remote.write_failed`,
            `remote.digest_mismatch`, `remote.stalled`, `remote.source_missing`, `remote.closed`.
    """
    started = time.monotonic()
    try:
        file = local.open("rb")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise RKDeckError("remote.source_missing", file=str(local), reason=reason) from error
    with file:
        size = os.fstat(file.fileno()).st_size
        arguments = [remote_partial, str(size), sha256, str(int(takeover)), final or ""]
        command = remote_command(["sh", "-c", _script(), "rkdeck-receive", *arguments])
        receiver = _Receiver(session, remote_partial, session.open_exec(command))
        try:
            sender = _Sender(file, local, size, sha256)
            have = receiver.have(size)
            if have is None:
                return UploadResult(size, 0, 0, was_there=True, seconds=time.monotonic() - started)
            offset = have.size_bytes if resume and sender.starts_with(have) else 0
            room = None if have.free_bytes is None else have.free_bytes + have.size_bytes - offset
            if room is not None and room < size - offset + reserve_bytes:
                raise RefusedError(
                    "remote.no_space",
                    host=session.target.host,
                    folder=remote_partial.rpartition("/")[0],
                    free_bytes=room,
                    needed_bytes=size - offset + reserve_bytes,
                    reserve_bytes=reserve_bytes,
                )
            sender.send(receiver, offset, progress or _silent)
            receiver.finish(size, sha256)
        finally:
            receiver.close()
    seconds = time.monotonic() - started
    return UploadResult(size, size - offset, offset, was_there=False, seconds=seconds)


class _Sender:
    """The local file: digest of what goes out, and a watch over its changes."""

    def __init__(self, file: BinaryIO, path: Path, size: int, sha256: str) -> None:
        self._file = file
        self._path = path
        self._size = size
        self._sha256 = sha256
        self._digest = hashlib.sha256()
        self._stamp = self._look()

    def starts_with(self, have: _Have) -> bool:
        """Whether what the board has is the beginning of this file."""
        if not 0 < have.size_bytes <= self._size:
            return False
        left = have.size_bytes
        while left:
            data = self._file.read(min(_CHUNK_BYTES, left))
            if not data:
                raise self._changed()
            self._digest.update(data)
            left -= len(data)
        if self._digest.hexdigest() == have.sha256:
            return True
        self._digest = hashlib.sha256()
        self._file.seek(0)
        return False

    def send(self, receiver: "_Receiver", offset: int, progress: Progress) -> None:
        """Send everything from `offset` on; stops early when the receiver has given up."""
        receiver.begin(offset)
        done = offset
        progress(done, self._size)
        while done < self._size:
            data = self._file.read(min(_CHUNK_BYTES, self._size - done))
            if not data:
                raise self._changed()
            self._digest.update(data)
            if not receiver.put(data):
                return
            done += len(data)
            progress(done, self._size)
        if self._look() != self._stamp or self._digest.hexdigest() != self._sha256:
            raise self._changed()

    def _look(self) -> tuple[int, int]:
        facts = os.fstat(self._file.fileno())
        return facts.st_size, facts.st_mtime_ns

    def _changed(self) -> RefusedError:
        return RefusedError("remote.source_changed", file=str(self._path))


class _Receiver:
    """The script on the board and its answers."""

    def __init__(self, session: SshSession, path: str, channel: paramiko.Channel) -> None:
        self._session = session
        self._path = path
        self._shell = RemoteShell(channel)
        self._buffer = bytearray()

    def have(self, size: int) -> _Have | None:
        """What is there already (None: the final file); computing its digest takes a while."""
        kind, words = self._answer({"have", "there"}, 2 * _digest_timeout_s(size))
        if kind == "there":
            return None
        if len(words) != 3 or not words[0].isdecimal() or not (words[2].isdecimal() or words[2] == "-"):
            raise self._nonsense(words)
        free_bytes = None if words[2] == "-" else int(words[2]) << 10
        return _Have(int(words[0]), words[1], free_bytes)

    def begin(self, offset: int) -> None:
        """Say from where the data starts."""
        self.put(f"{offset}\n".encode())

    def put(self, data: bytes) -> bool:
        """Send data; False when the script has ended, which `finish` then explains."""
        try:
            self._shell.send(data)
        except TimeoutError as error:
            raise self._stalled(self._shell.send_timeout_s) from error
        except (OSError, EOFError):
            return False
        return True

    def finish(self, size: int, sha256: str) -> None:
        """End the data and wait for the verdict."""
        self._shell.end_input()
        _, words = self._answer({"wrote"}, _ANSWER_TIMEOUT_S)
        if words != [str(size)]:
            written = int(words[0]) if words and words[0].isdecimal() else 0
            if written > size:
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
        self._shell.close()

    def _answer(self, wanted: set[str], timeout_s: float) -> tuple[str, list[str]]:
        """The kind of answer and its words; an answer that is not wanted is an error."""
        deadline = time.monotonic() + timeout_s
        while True:
            line = self._line(deadline, timeout_s)
            if not line.startswith("@"):
                continue  # a login script's own chatter
            kind, *words = line[1:].split()
            if kind in wanted:
                return kind, words
            raise self._error(kind, words)

    def _line(self, deadline: float, timeout_s: float) -> str:
        while b"\n" not in self._buffer:
            try:
                data = self._shell.receive(max(0.0, deadline - time.monotonic()))
            except TimeoutError as error:
                raise self._stalled(timeout_s) from error
            if not data:
                raise self._ended()
            self._buffer += data
            if len(self._buffer) > _MAX_LINE_BYTES and b"\n" not in self._buffer:
                raise self._nonsense([])
        line, _, rest = bytes(self._buffer).partition(b"\n")
        self._buffer = bytearray(rest)
        return line.decode("ascii", "replace")

    def _error(self, kind: str, words: list[str]) -> RKDeckError:
        host, folder = self._session.target.host, self._path.rpartition("/")[0]
        seen = int(words[0]) if words and words[0].isdecimal() else None
        if kind == "busy":
            return RKDeckError("remote.upload_busy", host=host, path=self._path, seen_bytes=seen)
        if kind == "full":
            return RKDeckError("remote.disk_full", host=host, folder=folder)
        if kind == "failed":
            return self._write_failed(seen, self._complaint())
        if kind == "readonly":
            return RefusedError("remote.not_writable", host=host, folder=folder, reason=self._complaint())
        if kind == "missing":
            return RefusedError("remote.no_tool", host=host, tool=printable(" ".join(words)))
        return self._nonsense([kind, *words])

    def _ended(self) -> RKDeckError:
        complaint = self._complaint()
        if self._session.is_open and complaint != _SILENT:
            return self._write_failed(None, complaint)
        return self._session.closed_error(None)

    def _write_failed(self, written: int | None, reason: str) -> RKDeckError:
        return RKDeckError(
            "remote.write_failed",
            host=self._session.target.host,
            path=self._path,
            written_bytes=written,
            reason=reason,
        )

    def _complaint(self) -> str:
        """What the script said on standard error; it may arrive a little after its last answer."""
        with contextlib.suppress(TimeoutError):
            while self._shell.receive(_LAST_WORDS_S):
                continue
        text = self._shell.stderr_tail[-600:].decode("utf-8", "replace").strip()
        return printable(text, limit=600) or _SILENT

    def _stalled(self, seconds: float) -> RKDeckError:
        return RKDeckError("remote.stalled", host=self._session.target.host, path=self._path, seconds=seconds)

    def _nonsense(self, words: list[str]) -> RKDeckError:
        text = printable(" ".join(words))
        return RKDeckError(
            "remote.unexpected_answer", host=self._session.target.host, text=text, reason=self._complaint()
        )


_SILENT = "no reason given"


def _script() -> str:
    """The receiving script without its comments (Dropbear takes 9000 bytes of command at most)."""
    text = (resources.files("resources") / "board" / "receive.sh").read_text("utf-8")
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def _digest_timeout_s(size: int) -> float:
    return _ANSWER_TIMEOUT_S + size / _SLOWEST_DIGEST_BYTES_PER_S


def _silent(done: int, total: int) -> None:
    """Progress nobody asked for."""
