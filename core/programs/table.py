"""What is put on boards. A further one is a row here; `docs/board-store.md` draws where it lies."""

import re
from dataclasses import dataclass

from core.base.errors import RefusedError
from core.base.names import printable
from core.remote.quoting import remote_command

_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,99}")


@dataclass(frozen=True, slots=True)
class Program:
    """One row.

    Attributes:
        folder: below the store; in it a folder for each version, so that one in use is never overwritten.
        file: what it is called there.
        executable: run by itself (its first line names the interpreter), not loaded by another program.
    """

    folder: str
    file: str
    executable: bool

    def path(self, store: str, version: str) -> str:
        """Where a version lies.

        Raises:
            RefusedError: `names.unsafe_path` for a version that is no plain word.
        """
        if not is_version(version):
            raise RefusedError("names.unsafe_path", path=printable(version), why="odd_character")
        return f"{self.place(store)}/{version}/{self.file}"

    def place(self, store: str) -> str:
        """The folder of all versions."""
        return f"{store.rstrip('/')}/{self.folder}"

    def removal(self, store: str, version: str) -> tuple[str, ...]:
        """Lines of sh that take a version away again; a folder with something else in it stays."""
        path = self.path(store, version)
        return (remote_command(["rm", "-f", path]), remote_command(["rmdir", path.rpartition("/")[0]]))


def is_version(text: str) -> bool:
    """Whether a version may be a folder's name."""
    return _VERSION.fullmatch(text) is not None


RUNTIME_LIBRARY = Program(folder="lib", file="librkllmrt.so", executable=False)
