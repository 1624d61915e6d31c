"""Texts to measure on: built in, or a file of the user's."""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from core.base import tomldata
from core.base.errors import JsonValue, RefusedError, RKDeckError
from core.base.notes import because
from core.base.opening import open_regular
from core.base.trouble import reason_of

_FILE = "lab/texts.toml"
MAX_TEXT_BYTES = 4 << 20
_MIN_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class LabText:
    """A text, known by its digest.

    Attributes:
        name: of a built-in text, or the file's name.
        path: where the user's file is; None for a built-in text.
        language: of a built-in text, None where unknown.
        title, note: for people; empty for a user's file.
        size_bytes, sha256: of the file.
    """

    name: str
    path: Path | None
    language: str | None
    title: str
    note: str
    size_bytes: int
    sha256: str

    def to_json(self) -> dict[str, JsonValue]:
        """Return what an order and a result say of the text."""
        return {
            "name": self.name,
            "path": str(self.path) if self.path else None,
            "language": self.language,
            "sha256": self.sha256,
        }


@cache
def builtin_texts() -> tuple[LabText, ...]:
    """Return the built-in texts; the first is the default."""
    return tuple(
        LabText(
            name=tomldata.text(entry, "name", _FILE),
            path=None,
            language=tomldata.text(entry, "language", _FILE),
            title=tomldata.text(entry, "title", _FILE),
            note=tomldata.text(entry, "note", _FILE),
            size_bytes=len(_builtin_bytes(tomldata.text(entry, "file", _FILE))),
            sha256=tomldata.text(entry, "sha256", _FILE),
        )
        for entry in _entries()
    )


def builtin_text(name: str) -> LabText | None:
    """Return the built-in text of that name."""
    return next((text for text in builtin_texts() if text.name == name), None)


def text_file(path: Path) -> LabText:
    """Look at a file of the user's: plain UTF-8, long enough, not too large.

    Raises:
        RefusedError: `perplexity.text_unreadable`, `perplexity.text_too_large`, `perplexity.text_not_utf8`,
            `perplexity.text_too_short`.
    """
    data = _file_bytes(path)
    decode(data, path.name)
    return LabText(path.name, path.absolute(), None, "", "", len(data), hashlib.sha256(data).hexdigest())


def load(name: str, path: Path | None, sha256: str) -> str:
    """Return the words of a text an order names.

    Raises:
        RefusedError: as `text_file`, and `perplexity.text_changed` when it is not the same any more.
    """
    data = _file_bytes(path) if path is not None else _builtin_bytes(_builtin_file(name))
    if hashlib.sha256(data).hexdigest() != sha256:
        raise RefusedError("perplexity.text_changed", text=name)
    return decode(data, name)


def decode(data: bytes, name: str) -> str:
    """Decode a text; line ends become plain newlines, a byte order mark is dropped.

    Raises:
        RefusedError: `perplexity.text_not_utf8` with the place, `perplexity.text_too_short`.
    """
    try:
        words = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RefusedError("perplexity.text_not_utf8", text=name, position=error.start) from error
    if "\0" in words:
        raise RefusedError("perplexity.text_not_utf8", text=name, position=data.index(b"\0"))
    words = words.replace("\r\n", "\n")
    if len(words.strip()) < _MIN_CHARACTERS:
        raise RefusedError(
            "perplexity.text_too_short", text=name, found=len(words.strip()), needed=_MIN_CHARACTERS
        )
    return words


def _file_bytes(path: Path) -> bytes:
    try:
        # A pipe or a device has no size, and may never end.
        if path.exists() and not path.is_file():
            raise RefusedError("perplexity.text_unreadable", path=str(path), reason=because("no_plain_file"))
        with open_regular(path) as file:
            data = file.read(MAX_TEXT_BYTES + 1)
    except OSError as error:
        raise RefusedError("perplexity.text_unreadable", path=str(path), reason=reason_of(error)) from error
    if len(data) > MAX_TEXT_BYTES:
        raise RefusedError("perplexity.text_too_large", text=path.name, limit_bytes=MAX_TEXT_BYTES)
    return data


def _builtin_file(name: str) -> str:
    for entry in _entries():
        if entry.get("name") == name:
            return tomldata.text(entry, "file", _FILE)
    raise RKDeckError("perplexity.no_text", text=name)


def _entries() -> tuple[tomldata.Table, ...]:
    return tomldata.subtables(tomldata.load_toml(_FILE), "text", _FILE)


def _builtin_bytes(file: str) -> bytes:
    return (resources.files("resources") / "lab" / "text" / file).read_bytes()
