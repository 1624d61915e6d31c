"""SFTP on a demo board: the same paths its commands see, and nothing outside the board's folder."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import paramiko
from paramiko.sftp import SFTP_OK

_T = TypeVar("_T")


class BoardFiles(paramiko.SFTPServerInterface):
    """Files below the board's folder; relative names start in its home."""

    def __init__(self, server: paramiko.ServerInterface, folder: Path) -> None:
        super().__init__(server)
        self._folder = folder.resolve()
        self._home = self._folder / "home"

    def _inside(self, path: str) -> Path:
        """The real path; parents are resolved, so that no link leads out.

        Raises:
            PermissionError: outside the board's folder.
        """
        given = Path(os.path.normpath(self._home / path))
        real = given.parent.resolve() / given.name if given != self._folder else given
        if real.is_symlink() or not real.is_relative_to(self._folder):
            resolved = real.resolve()
            if not resolved.is_relative_to(self._folder):
                raise PermissionError(13, "outside the board")
        return real

    def canonicalize(self, path: str) -> str:
        """The absolute form of a path."""
        return os.path.normpath(self._home / path)

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes] | int:
        """Entries of a folder with their attributes."""
        return _answer(
            lambda: [
                paramiko.SFTPAttributes.from_stat(entry.lstat(), entry.name)
                for entry in self._inside(path).iterdir()
            ]
        )

    def stat(self, path: str) -> paramiko.SFTPAttributes | int:
        """Attributes, following links."""
        return _answer(lambda: paramiko.SFTPAttributes.from_stat(self._inside(path).stat()))

    def lstat(self, path: str) -> paramiko.SFTPAttributes | int:
        """Attributes of a link itself."""
        return _answer(lambda: paramiko.SFTPAttributes.from_stat(self._inside(path).lstat()))

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle | int:
        """Open a file."""
        return _answer(lambda: self._open(path, flags, attr))

    def _open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle:
        mode = attr.st_mode if attr.st_mode is not None else 0o644
        descriptor = os.open(self._inside(path), flags | os.O_CLOEXEC | os.O_NOFOLLOW, mode & 0o777)
        kind = {os.O_WRONLY: "wb", os.O_RDWR: "rb+"}.get(flags & os.O_ACCMODE, "rb")
        file = os.fdopen(descriptor, kind)
        handle = paramiko.SFTPHandle(flags)
        handle.filename = path  # type: ignore[attr-defined]
        handle.readfile = handle.writefile = file  # type: ignore[attr-defined]
        return handle

    def remove(self, path: str) -> int:
        """Remove a file."""
        return _done(lambda: self._inside(path).unlink())

    def rename(self, oldpath: str, newpath: str) -> int:
        """Rename; never over an existing file, as SFTP version 3 demands."""
        return _done(lambda: self._rename(oldpath, newpath))

    def _rename(self, oldpath: str, newpath: str) -> None:
        target = self._inside(newpath)
        if target.exists():
            raise FileExistsError(17, "exists")
        self._inside(oldpath).rename(target)

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        """Rename, replacing what is there."""
        return _done(lambda: self._inside(oldpath).replace(self._inside(newpath)))

    def mkdir(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        """Make a folder."""
        return _done(lambda: self._inside(path).mkdir())

    def rmdir(self, path: str) -> int:
        """Remove an empty folder."""
        return _done(lambda: self._inside(path).rmdir())


def _answer(action: Callable[[], _T]) -> _T | int:
    try:
        return action()
    except OSError as error:
        return int(paramiko.SFTPServer.convert_errno(error.errno or 0))


def _done(action: Callable[[], object]) -> int:
    result = _answer(action)
    return result if isinstance(result, int) and not isinstance(result, bool) else SFTP_OK
