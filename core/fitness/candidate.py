"""A model file somebody wants to run, looked at by its first and last bytes: here, on the Hub or on a board."""

import stat
from dataclasses import dataclass
from pathlib import Path

from core.base.errors import RefusedError, RKDeckError
from core.base.names import printable
from core.library.library import Library, LibraryItem
from core.model.facts import ModelFacts
from core.model.inspect import Inspection, inspect_file


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model file, as far as it is known.

    Attributes:
        name: of the file, for messages.
        inspection: what its bytes say.
        title: what people call it: the library's, else the file's name without its ending.
        ram_bytes, npu_bytes: it needs when served, estimated at its conversion; None when it was made elsewhere.
        base: facts of the model it was made from, where its repository names one and it could be read.
        context: the user wants, in tokens; None: the one it was built for.
        sha256: hexadecimal, where the library knows it.
        there_bytes: of it are on the board already and need not be sent.
    """

    name: str
    inspection: Inspection
    title: str = ""
    ram_bytes: int | None = None
    npu_bytes: int | None = None
    base: ModelFacts | None = None
    context: int | None = None
    sha256: str | None = None
    there_bytes: int = 0

    @property
    def size_bytes(self) -> int:
        """Of the file."""
        return self.inspection.size_bytes

    @property
    def is_there(self) -> bool:
        """Whether the board has all of it already."""
        return self.there_bytes >= self.size_bytes


def look_at(library: Library, path: Path) -> Candidate:
    """Look at a file on this computer; reads its first and last bytes only, and never waits for a pipe.

    Raises:
        RefusedError: `deploy.not_a_file` for folders, pipes and devices.
        RKDeckError: `convert.unreadable`.
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        reason = getattr(error, "strerror", None) or str(error)
        raise RKDeckError("convert.unreadable", file=printable(path.name), reason=reason) from error
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
        kind = "folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
        raise RefusedError("deploy.not_a_file", file=printable(path.name), kind=kind)
    inspection = inspect_file(path)
    item = _item_at(library, path, inspection.size_bytes)
    return Candidate(
        name=path.name,
        inspection=inspection,
        title=item.title if item is not None else path.stem,
        ram_bytes=_estimated(item, "ram_bytes"),
        npu_bytes=_estimated(item, "npu_bytes"),
        sha256=item.files[0].sha256 if item is not None else None,
    )


def _estimated(item: LibraryItem | None, name: str) -> int | None:
    """A size that was estimated when the file was converted."""
    value = item.provenance.get(name) if item is not None else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _item_at(library: Library, path: Path, size_bytes: int) -> LibraryItem | None:
    """What the library knows of a file, unless another one lies in its place by now."""
    place = path.absolute()
    for item in library.list():
        if item.kind == "rkllm" and item.path == place and len(item.files) == 1:
            return item if item.files[0].size_bytes == size_bytes else None
    return None
