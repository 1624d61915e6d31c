"""Lock files between processes (`flock`): the kernel frees them when the holder dies, however it dies."""

import contextlib
import errno
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from core.base.errors import RKDeckError
from core.base.opening import regular_only

_POLL_S = 0.05


class FileLock:
    """An exclusive lock on a file that is made when needed and never removed.

    Removing a lock file races with the next holder, so the empty file stays.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def fileno(self) -> int:
        """The locked descriptor.

        Raises:
            RKDeckError: `base.lock_not_held`.
        """
        if self._descriptor is None:
            raise RKDeckError("base.lock_not_held", file=str(self._path))
        return self._descriptor

    def try_acquire(self) -> bool:
        """Take the lock if it is free; never waits.

        Raises:
            OSError: when it cannot be made, and for a link, a pipe, a folder of that name.
        """
        if self._descriptor is not None:
            return True
        descriptor = regular_only(str(self._path), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not lock_descriptor(descriptor):
                os.close(descriptor)
                return False
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def acquire(self, timeout_s: float) -> None:
        """Take the lock, waiting at most `timeout_s` seconds.

        Raises:
            RKDeckError: `base.lock_timeout`.
        """
        deadline = time.monotonic() + timeout_s
        while not self.try_acquire():
            if time.monotonic() >= deadline:
                raise RKDeckError("base.lock_timeout", file=str(self._path), seconds=timeout_s)
            time.sleep(_POLL_S)

    def release(self) -> None:
        """Free the lock; harmless when it is not held."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def __enter__(self) -> Self:
        if self._descriptor is None:
            self.acquire(timeout_s=30.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def lock_descriptor(descriptor: int) -> bool:
    """Lock an open file until its descriptor is closed; False when somebody else has it.

    Raises:
        OSError: when the file system has no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
            return False
        raise
    return True


def lock_is_held(path: Path) -> bool:
    """Whether some process holds the lock on `path`; False when the file does not exist.

    Looking takes a shared lock for an instant, so a holder-to-be must retry for a moment (`acquire` does).

    Raises:
        OSError: as `FileLock.try_acquire`.
    """
    with contextlib.suppress(FileNotFoundError):
        descriptor = regular_only(str(path), os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
                return True
            raise
        finally:
            os.close(descriptor)
    return False
