"""Sending one big file to a board: checked first, resumed where possible, verified before it counts.

The receiving side is a shell script (`resources/board/receive.sh`) that runs on one channel: it reports what
is already there with its digest, takes the rest, flushes it to the disk and reports the digest of the whole,
which it computes from the file while data arrives. SFTP is not used: many boards have no SFTP server, and `cat` is
as fast (measured on loopback).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.base.errors import RefusedError, RKDeckError
from core.base.opening import open_regular
from core.base.trouble import reason_of
from core.remote.session import SshSession
from core.transfer.pace import Limit
from core.transfer.receiving import Receiver
from core.transfer.sharing import Convoy, Sharing
from core.transfer.source import SourceFile

Progress = Callable[[int, int], None]

RESERVE_BYTES = 64 << 20
_SHARING = Sharing()


@dataclass(frozen=True, slots=True)
class UploadResult:
    """What an upload did.

    Attributes:
        size_bytes: of the file.
        bytes_sent: over the network in this call.
        resumed_from_bytes: how much of the part was already there and proved right.
        was_there: the final file was there already and proved right; nothing was sent.
        seconds: from the first question to the verified end.
        connections: the most that carried data at once.
        alone_because: why there were no more: `small` (too little to send, or a low limit), `unable` (the board
            cannot take blocks), `fast` (a line of 1 Gbit/s is full), `line` (the server is not what holds it up),
            `limit` (it is reached), `no_gain`, `most`, `ended` (the file did, before it was known), or the code of
            the error with which a further connection was refused or lost.
    """

    size_bytes: int
    bytes_sent: int
    resumed_from_bytes: int
    was_there: bool
    seconds: float
    connections: int = 1
    alone_because: str = "small"


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
    limit_bytes_per_s: int | None = None,
    sender: str = "",
    sharing: Sharing = _SHARING,
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
        limit_bytes_per_s: send no faster than this.
        sender: who sends, one word; a sender of this name that lost its connection is ended at once.
        sharing: when further connections are opened; by the same credentials, for this upload only.

    Raises:
        RefusedError: `remote.no_space`, `remote.source_changed`, `remote.not_writable`, `remote.no_tool`.
        RKDeckError: `remote.upload_busy` (with `seen_bytes`), `remote.disk_full`, `remote.write_failed`,
            `remote.digest_mismatch`, `remote.stalled`, `remote.source_missing`, `remote.closed`.
    """
    started = time.monotonic()
    try:
        file = open_regular(local)
    except OSError as error:
        reason = reason_of(error)
        raise RKDeckError("remote.source_missing", file=str(local), reason=reason) from error
    with file:
        source = SourceFile(file, local, sha256)
        size = source.size_bytes
        arguments = [remote_partial, str(size), sha256, str(int(takeover)), final or "", sender]
        receiver = Receiver(session, remote_partial, "receive.sh", arguments)
        convoy: Convoy | None = None
        alone_because = "small"
        try:
            have = receiver.have(size)
            if have is None:
                return UploadResult(size, 0, 0, was_there=True, seconds=time.monotonic() - started)
            offset = have.size_bytes if resume and source.starts_with(have.size_bytes, have.sha256) else 0
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
            limit = Limit(limit_bytes_per_s)
            if sharing.suits(size - offset, limit):
                alone_because = "unable"
                if have.pid is not None:
                    convoy = Convoy(session, receiver, remote_partial, have.pid, sharing, limit)
            _send(source, receiver, offset, limit, progress, convoy)
            _finish(source, receiver, sha256)
        finally:
            receiver.close()
            if convoy is not None:
                convoy.close()
    sent, seconds = size - offset, time.monotonic() - started
    if convoy is None:
        return UploadResult(size, sent, offset, False, seconds, alone_because=alone_because)
    sent += convoy.twice_bytes
    return UploadResult(size, sent, offset, False, seconds, convoy.connections, convoy.alone_because)


def _send(
    source: SourceFile,
    receiver: Receiver,
    offset: int,
    limit: Limit,
    progress: Progress | None,
    convoy: Convoy | None,
) -> None:
    """Send everything from `offset` on; stops early when the receiver has given up."""
    done, size = offset, source.size_bytes

    def moved(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, size)

    receiver.begin(offset, in_blocks=convoy is not None)
    moved(0)
    if convoy is not None:
        offset = convoy.run(source, offset, lambda there: moved(there - done) if there > done else None)
        if not receiver.put(b"r\n"):
            return
    for chunk in source.chunks(offset):
        step = limit.piece_bytes or len(chunk)
        for start in range(0, len(chunk), step):
            piece = chunk[start : start + step]
            limit.wait(len(piece))
            if not receiver.put(piece, moved):
                return


def _finish(source: SourceFile, receiver: Receiver, sha256: str) -> None:
    """Wait for the board's verdict; when its digest is another one, find out whose fault that is."""
    try:
        receiver.finish(source.size_bytes, sha256)
    except RKDeckError as error:
        if error.code == "remote.digest_mismatch" and not source.is_as_meant():
            raise source.changed() from error
        raise
