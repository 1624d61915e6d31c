"""SHA-256 of files of any size, with progress."""

import hashlib
from collections.abc import Callable
from pathlib import Path

_CHUNK_BYTES = 4 << 20


def sha256_of(path: Path, on_progress: Callable[[int], None] | None = None) -> str:
    """The hexadecimal SHA-256 of a file; `on_progress` hears how many bytes were read so far.

    Raises:
        OSError: as the file system says.
    """
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while data := file.read(_CHUNK_BYTES):
            digest.update(data)
            done += len(data)
            if on_progress is not None:
                on_progress(done)
    return digest.hexdigest()
