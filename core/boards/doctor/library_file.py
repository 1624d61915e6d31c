"""A runtime library on this computer: is it one, for which processor, of which release."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from core.base.errors import RefusedError, RKDeckError
from core.base.names import printable
from core.base.opening import open_regular
from core.base.trouble import reason_of
from core.vendor.releases import release_of_blob

# Releases lie between 4 and 9 MB; what is larger by an order of magnitude is something else.
MAX_BYTES = 64 << 20
_ELF = b"\x7fELF"
# e_machine of the ELF specification, and what `uname -m` says of boards with such a processor.
_MACHINES = {183: frozenset({"aarch64"}), 40: frozenset({"armv7l", "armv8l"})}
MACHINE_NAMES = {183: "aarch64", 40: "armhf"}
_VERSION = re.compile(rb"RKLLM SDK \(version: ([0-9A-Za-z.+_-]{1,40})")


@dataclass(frozen=True, slots=True)
class LibraryFile:
    """A librkllmrt.so the user chose.

    Attributes:
        machine: e_machine of its ELF header.
        release: the vendor's release with exactly these bytes, None when it is none RKDeck knows.
        text_version: the version its text names.
        sha256, blob: hexadecimal; blob is git's id.
    """

    path: Path
    size_bytes: int
    machine: int
    sha256: str
    blob: str
    release: str | None
    text_version: str | None

    @property
    def version(self) -> str | None:
        """The exact release, else what its text says."""
        return self.release or self.text_version

    @property
    def folder_name(self) -> str:
        """A folder's name that tells it from every other library."""
        if self.release is not None:
            return self.release
        return f"{self.text_version or 'unknown'}-{self.blob[:8]}"

    def check_machine(self, machine: str | None) -> None:
        """Whether a board's processor runs it.

        Args:
            machine: `uname -m` of the board; None is not known and not in the way.

        Raises:
            RefusedError: `doctor.library_for_other_cpu`.
        """
        if machine is not None and machine not in _MACHINES[self.machine]:
            raise RefusedError(
                "doctor.library_for_other_cpu",
                file=printable(self.path.name),
                built=MACHINE_NAMES[self.machine],
                machine=machine,
            )


def read_library(path: Path) -> LibraryFile:
    """Read a library.

    Raises:
        RefusedError: `doctor.not_a_library` for anything that is no ELF library of Rockchip's language models.
        RKDeckError: `doctor.library_unreadable`.
    """
    shown = printable(path.name)
    try:
        if not path.is_file():
            raise RefusedError("doctor.not_a_library", file=shown)
        with open_regular(path) as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RKDeckError("doctor.library_unreadable", file=shown, reason=reason_of(error)) from error
    machine = int.from_bytes(content[18:20], "little")
    text = _VERSION.search(content)
    blob = git_blob(content)
    release = release_of_blob(blob)
    is_library = content.startswith(_ELF) and machine in _MACHINES and len(content) <= MAX_BYTES
    if not is_library or (release is None and text is None):
        raise RefusedError("doctor.not_a_library", file=shown)
    return LibraryFile(
        path=path,
        size_bytes=len(content),
        machine=machine,
        sha256=hashlib.sha256(content).hexdigest(),
        blob=blob,
        release=release,
        text_version=text[1].decode() if text else None,
    )


def git_blob(content: bytes) -> str:
    """Git's id of a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
