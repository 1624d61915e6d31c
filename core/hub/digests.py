"""What a file's bytes come to while they arrive, held against what its hub told."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.opening import open_regular
from core.hub.records import RepoFile

if TYPE_CHECKING:
    from hashlib import _Hash

_CHUNK_BYTES = 1 << 20


class Digests:
    """SHA-256, and the git blob id where the Hub gives only that, over the bytes so far."""

    def __init__(self, file: RepoFile) -> None:
        self._file = file
        self.restart()

    def restart(self) -> None:
        """Forget all bytes."""
        self.size_bytes = 0
        self._sha256: _Hash = hashlib.sha256()
        self._blob: _Hash = hashlib.sha1(f"blob {self._file.size_bytes}\0".encode(), usedforsecurity=False)

    @property
    def sha256(self) -> str:
        """Hexadecimal."""
        return self._sha256.hexdigest()

    def update(self, data: bytes) -> None:
        """Take more bytes."""
        self.size_bytes += len(data)
        self._sha256.update(data)
        if self._file.sha256 is None:
            self._blob.update(data)

    def read(self, path: Path, report: Callable[[int], None]) -> None:
        """Take a file's bytes, at most as many as the whole has."""
        with open_regular(path) as source:
            while data := source.read(min(_CHUNK_BYTES, self._file.size_bytes - self.size_bytes)):
                self.update(data)
                report(self.size_bytes)

    def problem(self) -> tuple[str, str] | None:
        """None when size and digest are the Hub's, else what was wanted and what was found."""
        if self.size_bytes != self._file.size_bytes:
            return f"{self._file.size_bytes} bytes", f"{self.size_bytes} bytes"
        if self._file.sha256 is not None:
            wanted, found = self._file.sha256, self.sha256
        elif self._file.blob_id is not None:
            wanted, found = self._file.blob_id, self._blob.hexdigest()
        else:
            return None
        return None if wanted == found else (wanted, found)
