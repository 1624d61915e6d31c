"""A runtime library on this computer: is it one, for which processor, of which release."""

import hashlib
import re
from pathlib import Path

from core.base.errors import RefusedError, RKDeckError
from core.base.names import printable
from core.base.opening import open_regular
from core.base.trouble import reason_of
from core.boards.doctor.records import MACHINES, LibraryFile
from core.vendor.releases import release_of_blob

# Releases lie between 4 and 9 MB; what is larger by an order of magnitude is something else.
MAX_BYTES = 64 << 20
_ELF = b"\x7fELF"
_VERSION = re.compile(rb"RKLLM SDK \(version: ([0-9A-Za-z.+_-]{1,40})")


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
    is_library = content.startswith(_ELF) and machine in MACHINES and len(content) <= MAX_BYTES
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
