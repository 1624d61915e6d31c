"""What the system refuses to any program (no room, no right, no memory, no descriptors) as typed errors.

An outermost frame asks here before it calls something a fault of RKDeck: a full disk is none, and the advice differs.
"""

import errno
import os
import shutil
import sys
from pathlib import Path

from core.base.errors import RKDeckError
from core.base.names import printable

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
# What `open`, `mkdir` and `rename` answer about a place, not about a program.
_PLACE = frozenset(
    {
        errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG,
        errno.ESTALE, errno.ENXIO, errno.ENODEV, errno.ETXTBSY, errno.ENOTCONN, errno.EREMOTEIO,
    }
)  # fmt: skip
# SQLite and the pages of a small file want more than a few bytes: below this a disk is as good as full.
_AS_GOOD_AS_FULL_BYTES = 256 << 10


def system_said(error: BaseException) -> RKDeckError | None:
    """The typed error for what the system refused; None when `error` is something else.

    `base.disk_full` or `base.disk_full_somewhere`, `base.file_limit`, `base.too_many_files`,
    `base.out_of_memory`, `base.folder_gone`, `base.no_temporary_folder`, `base.place_unusable`,
    `base.alphabet`.
    """
    if isinstance(error, MemoryError):
        return RKDeckError("base.out_of_memory")
    if isinstance(error, UnicodeEncodeError) and error.encoding == sys.getfilesystemencoding():
        return RKDeckError("base.alphabet", encoding=error.encoding, text=printable(error.object))
    if not isinstance(error, OSError):
        return None
    number, file = error.errno, _named(error)
    if number in NO_ROOM:
        # A `write` names no file.
        return RKDeckError("base.disk_full_somewhere" if file is None else "base.disk_full", file=file)
    if number == errno.EFBIG:
        return RKDeckError("base.file_limit")
    if number in {errno.EMFILE, errno.ENFILE}:
        return RKDeckError("base.too_many_files")
    if number == errno.ENOMEM:
        return RKDeckError("base.out_of_memory")
    if number == errno.ENOENT and error.filename is None:
        return _nowhere(error)
    if number in _PLACE and file is not None:
        return RKDeckError("base.place_unusable", file=file, reason=error.strerror or str(error))
    return None


def is_full(place: Path) -> bool:
    """Whether the disk under `place` has no room left; False where that cannot be told."""
    try:
        return shutil.disk_usage(place).free < _AS_GOOD_AS_FULL_BYTES
    except OSError:
        return False


def _named(error: OSError) -> str | None:
    return os.fsdecode(error.filename) if isinstance(error.filename, str | bytes | os.PathLike) else None


def _nowhere(error: OSError) -> RKDeckError | None:
    """Nothing is named: either the folder we are in was deleted, or `tempfile` found no folder to write in."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return RKDeckError("base.folder_gone")
    if "temporary directory" in str(error):  # the words of tempfile._get_default_tempdir
        return RKDeckError("base.no_temporary_folder")
    return None
