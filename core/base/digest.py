"""SHA-256 of files of any size, with progress."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from core.base.opening import open_regular

_CHUNK_BYTES = 4 << 20


def sha256_of(path: Path, on_progress: Callable[[int], None] | None = None) -> str:
    """The hexadecimal SHA-256 of a file; `on_progress` hears how many bytes were read so far.

    Raises:
        OSError: as the file system says.
    """
    with open_regular(path) as file:
        return sha256_of_open(file, on_progress)


def sha256_of_open(file: BinaryIO, on_progress: Callable[[int], None] | None = None) -> str:
    """The same of an open file, from its beginning.

    Raises:
        OSError: as the file system says.
    """
    digest, done = hashlib.sha256(), file.seek(0)
    while data := file.read(_CHUNK_BYTES):
        digest.update(data)
        done += len(data)
        if on_progress is not None:
            on_progress(done)
    return digest.hexdigest()
