"""Opening a file that others may have changed: what is opened is looked at, not only its name.

By the time a name is opened it may lead to a named pipe, whose opening waits for ever, to a device, a folder or, where
that matters, a link. So: `O_NONBLOCK`, then `fstat` of what was opened.
"""

import errno
import os
import shutil
import stat
from io import BufferedReader
from pathlib import Path
from typing import Literal

# /dev/null (Linux Documentation/admin-guide/devices.txt: 1, 3): what people name for "nothing", and nothing it is.
_NULL = os.makedev(1, 3)
Found = Literal["link", "folder", "pipe", "socket", "device"]
_KINDS: tuple[tuple[int, Found], ...] = (
    (stat.S_IFLNK, "link"),
    (stat.S_IFDIR, "folder"),
    (stat.S_IFIFO, "pipe"),
    (stat.S_IFSOCK, "socket"),
)
_TEXTS: dict[Found, str] = {
    "link": "is a symbolic link, not a file",
    "folder": "is a folder, not a file",
    "pipe": "is a named pipe, not a file",
    "socket": "is a socket, not a file",
    "device": "is a device, not a file",
}


class NotRegularError(OSError):
    """What has the name is no regular file.

    Attributes:
        found: what it is.
    """

    def __init__(self, path: Path, found: Found) -> None:
        super().__init__(errno.EISDIR if found == "folder" else errno.EINVAL, _TEXTS[found], str(path))
        self.found = found


def open_regular(path: Path, *, follow: bool = True, max_bytes: int | None = None) -> BufferedReader:
    """Open a regular file for reading; never waits.

    Args:
        path: of the file.
        follow: whether the name may be a symbolic link to it, or `/dev/null`; folders on the way always may be links.
        max_bytes: refuse a larger one.

    Raises:
        NotRegularError: for anything but a regular file.
        OSError: as the file system says; `EFBIG` beyond `max_bytes`.
    """
    descriptor = _opened(path, os.O_RDONLY | (0 if follow else os.O_NOFOLLOW), null=follow)
    try:
        if max_bytes is not None and os.fstat(descriptor).st_size > max_bytes:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def regular_only(path: str, flags: int, mode: int = 0o666) -> int:
    """The `opener` of an `open` that writes a file of ours: no link, and nothing but a regular file; never waits.

    Raises:
        NotRegularError: for anything else.
        OSError: as the file system says.
    """
    return _opened(Path(path), flags | os.O_NOFOLLOW, mode)


def touch_regular(path: Path) -> None:
    """Make an empty file of ours, which may be there already; what a link of that name leads to is left alone.

    Raises:
        OSError: as `regular_only`.
    """
    os.close(regular_only(str(path), os.O_WRONLY | os.O_CREAT, 0o600))


def is_there(path: Path) -> bool:
    """Whether anything has that name, a link that leads nowhere included."""
    return os.path.lexists(path)


def _opened(path: Path, flags: int, mode: int = 0o666, *, null: bool = False) -> int:
    """The descriptor of a regular file, or of /dev/null where that is `null`."""
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY, mode)
    except OSError as error:
        # A link that is not followed is ELOOP, as is a ring of links; a socket is ENXIO, as is a pipe to be written
        # that nobody reads; a folder to be written is EISDIR.
        found = kind_of(path) if error.errno in {errno.ELOOP, errno.ENXIO, errno.EISDIR} else None
        raise error if found is None else NotRegularError(path, found) from error
    try:
        found = _kind(os.fstat(descriptor))
        if found is not None and not (null and os.fstat(descriptor).st_rdev == _NULL):
            raise NotRegularError(path, found)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_regular(path: Path, max_bytes: int) -> bytes:
    """The content of a regular file of at most `max_bytes`.

    Raises:
        OSError: as `open_regular`.
    """
    with open_regular(path, max_bytes=max_bytes) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:  # it grew meanwhile
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return data


def kind_of(path: Path, *, follow: bool = False) -> Found | None:
    """What the name itself is, or what links lead to; None for a regular file. Nothing is opened.

    Raises:
        OSError: when there is nothing of that name.
    """
    return _kind(path.stat(follow_symlinks=follow))


def remove_any(path: Path) -> None:
    """Remove whatever has that name: a file, a link (never what it leads to), a folder with all in it.

    Raises:
        OSError: when it cannot be removed; nothing there is fine.
    """
    try:
        if kind_of(path) == "folder":
            shutil.rmtree(path)
        else:
            path.unlink()
    except FileNotFoundError:
        return


def _kind(status: os.stat_result) -> Found | None:
    if stat.S_ISREG(status.st_mode):
        return None
    return next((kind for form, kind in _KINDS if stat.S_IFMT(status.st_mode) == form), "device")


def is_missing(path: Path) -> bool:
    """Whether there is certainly nothing under a name that somebody gave; what may not be looked at may be there."""
    try:
        return not path.exists()
    except OSError as error:
        return error.errno == errno.ENAMETOOLONG
