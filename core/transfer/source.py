"""The local file of an upload, and whether it is still the file that was meant."""

import hashlib
import os
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO

from core.base.errors import RefusedError

_CHUNK_BYTES = 256 << 10  # what is read, encrypted and sent in one go stays in the processor's cache


class SourceFile:
    """One file on its way out.

    It is not hashed while it is sent: the board does that, and only when its digest is another one must this
    side find out who is to blame.
    """

    def __init__(self, file: BinaryIO, path: Path, sha256: str) -> None:
        """Take a file opened for reading, its path for messages, and the digest it is to have."""
        self._file = file
        self._path = path
        self._sha256 = sha256
        self.size_bytes = os.fstat(file.fileno()).st_size

    def starts_with(self, size_bytes: int, sha256: str) -> bool:
        """Whether the beginning of that size has that digest.

        Raises:
            RefusedError: `remote.source_changed` when the file ends before.
        """
        return 0 < size_bytes <= self.size_bytes and self._digest(size_bytes) == sha256

    def chunks(self, offset: int) -> Generator[memoryview]:
        """The file from `offset` on; each piece is good until the next one is asked for.

        Raises:
            RefusedError: `remote.source_changed` when it ends too early.
        """
        self._file.seek(offset)
        buffer = memoryview(bytearray(_CHUNK_BYTES))
        while offset < self.size_bytes:
            count = self._file.readinto(buffer[: self.size_bytes - offset])  # type: ignore[attr-defined]  # BinaryIO lacks it
            if not count:
                raise self.changed()
            yield buffer[:count]
            offset += count

    def block(self, offset: int, size_bytes: int) -> bytes:
        """So many bytes from `offset` on.

        Raises:
            RefusedError: `remote.source_changed` when it ends before.
        """
        self._file.seek(offset)
        data = self._file.read(size_bytes)
        if len(data) != size_bytes:
            raise self.changed()
        return data

    def is_as_meant(self) -> bool:
        """Whether the file still has its size and its digest; reads all of it."""
        try:
            right_size = os.fstat(self._file.fileno()).st_size == self.size_bytes
            return right_size and self._digest(self.size_bytes) == self._sha256
        except RefusedError:
            return False

    def changed(self) -> RefusedError:
        """The error for a file that is not what it was."""
        return RefusedError("remote.source_changed", file=str(self._path))

    def _digest(self, size_bytes: int) -> str:
        digest = hashlib.sha256()
        for chunk in self.chunks(0):
            digest.update(chunk[:size_bytes])
            size_bytes -= len(chunk)
            if size_bytes <= 0:
                break
        return digest.hexdigest()
