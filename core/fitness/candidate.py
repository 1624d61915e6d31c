"""A model file somebody wants to run, looked at by its first and last bytes: here, on the Hub or on a board."""

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from core.base.errors import RefusedError, RKDeckError
from core.base.names import printable
from core.base.trouble import reason_of
from core.library.library import Library
from core.model.inspect import Inspection, inspect_file
from core.model.need import ServedNeed
from core.model.parts import siblings_of, title_of
from core.vendor.kinds import ModelKind, kind_of_format, kind_of_name


@dataclass(frozen=True, slots=True)
class Holdings:
    """The model files in a board's store: sizes in bytes by digest.

    Attributes:
        whole: files that are there, whether a deployment refers to them or not.
        parts: what broken-off transfers left.
    """

    whole: Mapping[str, int] = field(default_factory=dict)
    parts: Mapping[str, int] = field(default_factory=dict)

    def bytes_of(self, sha256: str | None, size_bytes: int) -> int | None:
        """How much of a file is there; None where its digest is not known and one of these might be it."""
        if sha256 is not None:
            return min(size_bytes, self.whole.get(sha256, self.parts.get(sha256, 0)))
        maybe = size_bytes in self.whole.values() or any(size <= size_bytes for size in self.parts.values())
        return None if maybe else 0


@dataclass(frozen=True, slots=True)
class PartFile:
    """One file of a model.

    Attributes:
        name: of the file, in the folder of all of them.
        inspection: what its bytes say.
        sha256: hexadecimal, where somebody knows it.
    """

    name: str
    inspection: Inspection
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model file, as far as it is known; of a model in parts the first one, with the others.

    Attributes:
        name: of the file, for messages.
        inspection: what its bytes say.
        title: what people call it: the library's, else the file's name without its ending.
        need: when served, estimated when its model's shape was known (at its conversion, or on its hub); None when
            nobody knew it.
        context: the user wants, in tokens; None: the one it was built for.
        sha256: hexadecimal, where the library or its hub knows it.
        there_bytes: of all its files are on the board already and need not be sent; None where that is not known.
        others: further parts of the model, in order.
        missing: names of parts that are not where the others are.
    """

    name: str
    inspection: Inspection
    title: str = ""
    need: ServedNeed | None = None
    context: int | None = None
    sha256: str | None = None
    there_bytes: int | None = None
    others: tuple[PartFile, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[PartFile, ...]:
        """All files of the model, in order."""
        return (PartFile(self.name, self.inspection, self.sha256), *self.others)

    @property
    def strange_file(self) -> PartFile | None:
        """The first file that is of no kind a board runs, or of another than its model or its own name is of.

        Under the name of another kind no runtime takes a file for what it is.
        """
        kind = kind_of_format(self.inspection.kind)
        for file in self.files:
            of = kind_of_format(file.inspection.kind)
            if of is None or of is not kind or kind_of_name(file.name) not in {None, kind}:
                return file
        return None

    @property
    def kind(self) -> ModelKind | None:
        """The kind it is of, be it damaged or not; None of what no board runs."""
        return kind_of_format(self.inspection.kind) if self.strange_file is None else None

    @property
    def size_bytes(self) -> int:
        """Of all its files."""
        return sum(file.inspection.size_bytes for file in self.files)

    @property
    def problems(self) -> bool:
        """Whether any of its files is damaged."""
        return any(file.inspection.problems for file in self.files)

    @property
    def is_there(self) -> bool:
        """Whether the board has all of it already."""
        return self.there_bytes is not None and self.there_bytes >= self.size_bytes

    def held_by(self, held: Holdings | None) -> Self:
        """The same on a board that holds these files, None where nobody looked."""
        if held is None:
            return replace(self, there_bytes=None)
        there = [held.bytes_of(file.sha256, file.inspection.size_bytes) for file in self.files]
        known = [size for size in there if size is not None]
        return replace(self, there_bytes=sum(known) if len(known) == len(there) else None)


def look_at(library: Library, path: Path) -> Candidate:
    """Look at a file on this computer; reads its first and last bytes only, and never waits for a pipe.

    A part of a model stands for all of it: its other parts are looked for in the same folder.

    Raises:
        RefusedError: `deploy.not_a_file` for folders, pipes and devices.
        RKDeckError: `convert.unreadable`.
    """
    _check_file(path)
    names = siblings_of(path.name)
    there = [name for name in names if name == path.name or path.with_name(name).exists()]
    first = path.with_name(there[0])
    item = library.model_at(first)
    digests = {file.name: file.sha256 for file in item.files} if item is not None else {}
    others = []
    for name in there[1:]:
        other = path.with_name(name)
        _check_file(other)
        others.append(PartFile(name, inspect_file(other), digests.get(name)))
    return Candidate(
        name=first.name,
        inspection=inspect_file(first),
        title=item.title if item is not None else title_of(path.name),
        need=ServedNeed.read(item.provenance) if item is not None else None,
        sha256=item.files[0].sha256 if item is not None else None,
        others=tuple(others),
        missing=tuple(name for name in names if name not in there),
    )


def _check_file(path: Path) -> None:
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        reason = reason_of(error)
        raise RKDeckError("convert.unreadable", file=printable(path.name), reason=reason) from error
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
        kind = "folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
        raise RefusedError("deploy.not_a_file", file=printable(path.name), kind=kind)
