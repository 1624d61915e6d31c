"""Files that are whole or absent: written aside, flushed to the disk, renamed.

What is written aside is locked (`flock`) as long as somebody writes it, so that `sweep` can tell the rest of a killed
writer from the work of a living one.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from core.base.errors import JsonValue, RKDeckError
from core.base.foreign import MAX_MARKS, JsonError, parse_json
from core.base.locks import lock_descriptor
from core.base.notes import because
from core.base.opening import open_regular, regular_only
from core.base.trouble import reason_of
from core.base.units import format_bytes

_PREFIX, _SUFFIX = ".rkdeck-", ".new"


def write_bytes(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace `path` by `data` in one step; a crash at any moment leaves the old file or the new one.

    Raises:
        OSError: as the file system says; nothing is left under another name.
    """
    with _aside(path.parent) as (file, temporary):
        file.write(data)
        fsync_file(file)
        os.fchmod(file.fileno(), mode)
        temporary.replace(path)
    fsync_folder(path.parent)


@contextlib.contextmanager
def _aside(folder: Path) -> Iterator[tuple[IO[bytes], Path]]:
    """A new file that is ours, gone afterwards unless it was renamed."""
    while True:
        handle, name = tempfile.mkstemp(prefix=_PREFIX, suffix=_SUFFIX, dir=folder)
        try:
            swept = not (lock_descriptor(handle) and os.fstat(handle).st_nlink)
        except OSError:
            swept = False  # a file system without locks: no sweep can take one there either
        if not swept:
            break
        os.close(handle)  # a sweep came between the making and the lock
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file, temporary
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sweep(folder: Path) -> None:
    """Remove what killed writers left in a folder; what is being written stays, and so does what cannot be removed."""
    with contextlib.suppress(OSError):
        for path in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
            with contextlib.suppress(OSError), open_regular(path, follow=False) as file:
                if lock_descriptor(file.fileno()):
                    path.unlink()


def write_text(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace `path` by UTF-8 text in one step."""
    write_bytes(path, text.encode(), mode)


def write_json(path: Path, value: JsonValue, mode: int = 0o600) -> None:
    """Replace `path` by a JSON document in one step."""
    write_bytes(path, (json.dumps(value, indent=1, ensure_ascii=True) + "\n").encode(), mode)


def write_unflushed(path: Path, text: str) -> None:
    """Write a small UTF-8 file in place: after a crash it may be empty or cut, so it must not matter then.

    Raises:
        OSError: as the file system says; for a link too, which may lead anywhere, and a pipe, which may have no end.
    """
    descriptor = regular_only(str(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def read_json(path: Path, max_bytes: int = 16 << 20) -> JsonValue:
    """Read one JSON document.

    Raises:
        RKDeckError: `base.bad_json` when it is larger than `max_bytes`, not UTF-8 or not JSON.
        OSError: when it cannot be read.
    """
    with open_regular(path) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise RKDeckError(
            "base.bad_json", file=str(path), reason=because("larger_than", size=format_bytes(max_bytes))
        )
    try:
        # A file of ours that may be larger than usual may hold as much more.
        return parse_json(data, max(MAX_MARKS, max_bytes >> 5))
    except JsonError as error:
        reason = because("too_many_values") if error.why == "too_many" else reason_of(error)
        raise RKDeckError("base.bad_json", file=str(path), reason=reason) from error


def fsync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_file(file: IO[bytes]) -> None:
    """Flush an open file to the disk."""
    file.flush()
    os.fsync(file.fileno())


def replace_flushed(source: Path, target: Path) -> None:
    """Flush `source` and give it the name `target`: a power cut may take the name, never leave it with half a file.

    Of many files in a folder, flush the folder once behind the last one (`fsync_folder`).

    Raises:
        OSError: as the file system says; for a link too, which would get the name in place of a file.
    """
    with open(source, "rb+", opener=regular_only) as file:
        os.fsync(file.fileno())
    source.replace(target)


def replace_durably(source: Path, target: Path) -> None:
    """Flush `source`, give it the name `target`, flush the folder: the last step of every long write."""
    replace_flushed(source, target)
    fsync_folder(target.parent)
