"""What the system refuses to any program (no room, no right, no memory, no descriptors) as typed errors.

An outermost frame asks here before it calls something a fault of RKDeck: a full disk is none, and the advice differs.
Whoever tells it as the reason of an error of his own asks `reason_of`: a code, never the system's English.
"""

import codecs
import errno
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator, Mapping
from json import JSONDecodeError
from pathlib import Path

from core.base.errors import JsonValue, RKDeckError, UsageError
from core.base.names import printable
from core.base.notes import Note, note
from core.base.opening import NotRegularError

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
# What `open`, `mkdir` and `rename` answer about a place, not about a program.
_PLACE = frozenset(
    {
        errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG,
        errno.ESTALE, errno.ENXIO, errno.ENODEV, errno.ETXTBSY, errno.ENOTCONN, errno.EREMOTEIO,
    }
)  # fmt: skip
# What the system says by a number, by the code of a note (translations/*/notes.toml).
REASONS = {
    errno.ENOENT: "not_there",
    errno.EACCES: "no_right",
    errno.EPERM: "no_right",
    errno.EROFS: "read_only",
    errno.EISDIR: "is_folder",
    errno.ENOTDIR: "is_no_folder",
    errno.EEXIST: "is_there",
    errno.ENOTEMPTY: "folder_not_empty",
    errno.EBUSY: "busy_resource",
    errno.ETXTBSY: "busy_resource",
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EIO: "disk_error",
    errno.EREMOTEIO: "disk_error",
    errno.EFBIG: "too_large",
    errno.ELOOP: "link_ring",
    errno.ENAMETOOLONG: "name_too_long",
    errno.EINVAL: "not_taken",
    errno.ENXIO: "device_gone",
    errno.ENODEV: "device_gone",
    errno.ESTALE: "drive_gone",
    errno.ENOTCONN: "drive_gone",
    errno.EMFILE: "too_many_open",
    errno.ENFILE: "too_many_open",
    errno.ENOMEM: "no_memory",
    errno.ENOEXEC: "no_program",
    errno.EBADF: "closed",
    errno.EPIPE: "other_side_ended",
    errno.ECONNRESET: "other_side_ended",
    errno.ECONNABORTED: "other_side_ended",
    errno.ECONNREFUSED: "connection_refused",
    errno.ENETDOWN: "no_network",
    errno.ENETUNREACH: "no_network",
    errno.EHOSTUNREACH: "no_way_to_host",
    errno.EHOSTDOWN: "no_way_to_host",
    errno.EADDRINUSE: "address_in_use",
    errno.EADDRNOTAVAIL: "address_not_ours",
    errno.ETIMEDOUT: "no_answer_in_time",
}
_MAX_CAUSES = 8
# tomllib of 3.11 tells the place in its sentence only: "(at line 3, column 5)", or "(at end of document)".
_TOML_LINE = re.compile(r"\(at line (\d{1,18}), column \d+\)\Z")
_MAX_FOREIGN_CHARACTERS = 200
# SQLite and the pages of a small file want more than a few bytes: below this a disk is as good as full.
_AS_GOOD_AS_FULL_BYTES = 256 << 10


def system_said(error: BaseException) -> RKDeckError | None:
    """The typed error for what the system refused; None when `error` is something else.

    `base.disk_full` or `base.disk_full_somewhere`, `base.file_limit`, `base.too_many_files`,
    `base.out_of_memory`, `base.folder_gone`, `base.no_temporary_folder`, `base.place_unusable`,
    `base.alphabet`, `base.not_text`.
    """
    if isinstance(error, MemoryError):
        return RKDeckError("base.out_of_memory")
    if isinstance(error, UnicodeEncodeError) and codecs.lookup(error.encoding).name == "utf-8":
        # Only half a character has no form there: bytes of a name that were no UTF-8 (PEP 383).
        return UsageError("base.not_text", text=printable(error.object))
    if isinstance(error, UnicodeEncodeError) and error.encoding == sys.getfilesystemencoding():
        return RKDeckError("base.alphabet", encoding=error.encoding, text=printable(error.object))
    if not isinstance(error, OSError):
        return None
    if isinstance(error, NotRegularError):
        return RKDeckError("base.place_unusable", file=_named(error), reason=reason_of(error))
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
        return RKDeckError("base.place_unusable", file=file, reason=reason_of(error))
    return None


def reason_of(error: BaseException) -> JsonValue:
    """Why something failed, as a fact of a typed error: a note's wire form, worded in every language.

    The error itself or what caused it is asked, as a library wraps what the system said. What the system or a library
    says in its own words is in the fact `text`: shown, and then in quotes, only where there is no code for it.
    """
    for cause in _causes(error):
        found = _reason(cause)
        if found is not None:
            return found.to_json()
    text = printable(str(error) or type(error).__name__, limit=_MAX_FOREIGN_CHARACTERS)
    return note("in_its_words", text=text).to_json()


def is_full(place: Path) -> bool:
    """Whether the disk under `place` has no room left; False where that cannot be told."""
    try:
        return shutil.disk_usage(place).free < _AS_GOOD_AS_FULL_BYTES
    except OSError:
        return False


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    for _ in range(_MAX_CAUSES):
        if found is None:
            return
        yield found
        # Also what a library raised `from None`: the HTTP client's pool does so with what the system said.
        found = found.__cause__ or found.__context__


# Why a certificate is not trusted, where its signer is not to blame (OpenSSL, x509_vfy.h: X509_V_ERR_...).
_DISTRUST: Mapping[int | None, str] = {
    9: "no_trust_yet", 10: "no_trust_any_more", 62: "no_trust_of_name", 64: "no_trust_of_name"
}  # fmt: skip


def _reason(error: BaseException) -> Note | None:
    noted = getattr(error, "noted", None)  # an exception of ours that a library carries on
    if isinstance(noted, Note):
        return noted
    if isinstance(error, JSONDecodeError):
        return note("not_json", line=error.lineno, column=error.colno)
    if isinstance(error, tomllib.TOMLDecodeError):
        place = _TOML_LINE.search(str(error))
        return note("toml_unfinished") if place is None else note("not_toml", line=int(place[1]))
    if isinstance(error, UnicodeError):
        return note("not_utf8", text=printable(str(error), limit=_MAX_FOREIGN_CHARACTERS))
    if isinstance(error, NotRegularError):
        return note("not_regular", not_file=error.found)
    if not isinstance(error, OSError):
        return None
    text = printable(error.strerror or str(error), limit=_MAX_FOREIGN_CHARACTERS)
    kind = type(error).__module__, type(error).__name__
    if kind[0] == "ssl":  # its numbers are OpenSSL's; asked by name, as `ssl` is much to import for a name
        if kind[1] != "SSLCertVerificationError":
            return note("no_tls", text=text)
        return note(_DISTRUST.get(getattr(error, "verify_code", None), "no_trust"), text=text)
    if kind == ("socket", "gaierror"):  # its numbers are the resolver's
        return note("no_such_name", text=text)
    if isinstance(error, TimeoutError):
        return note("no_answer_in_time", text=text)
    if error.errno in REASONS:
        return note(REASONS[error.errno], text=text)
    name = errno.errorcode.get(error.errno or 0)
    return None if name is None else note("system_code", name=name, text=text)


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
