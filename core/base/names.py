"""Hostile names: from the Hub, from boards, from files.

Three different needs, three functions: a path inside a folder, one file name made from any text, and text
that is safe to show on a terminal.
"""

import re
import unicodedata
from pathlib import PurePosixPath

from core.base.errors import RefusedError

_MAX_PATH_BYTES = 1024
MAX_COMPONENT_BYTES = 255  # NAME_MAX of Linux
# Other categories than these two confuse nobody: a letter newer than Python's tables, a blank of another width, the
# joiners of emoji. `str.isprintable` refuses them all.
_CONTROLS = {"Cc", "Cs", "Zl", "Zp"}
# What turns the direction of writing and hides where it ends (Unicode Standard Annex #9, section 2).
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# No script needs more marks on one letter; a hundred of them grow over the lines above and below.
_COMBINING = {"Mn", "Me"}
_MOST_COMBINING = 4
# What moves a terminal's cursor, turns its writing, or is no text at all; line ends and tabs are a text's own.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_BLANK_LETTERS = "\u115f\u1160\u2800\u3164\uffa0"  # letters by their category, and nothing on the screen


def leaves_folder(text: str) -> str | None:
    """Why a name could lead out of its folder, or nowhere: the value of a fact `why`; None when it cannot.

    Asked where a file is only looked at. Where one is stored, `refusal` asks for more.
    """
    if not text:
        return "empty"
    if text.startswith("/"):
        return "absolute"
    if any(part in {"", ".", ".."} for part in text.split("/")):
        return "leaves_folder"
    return "NUL" if "\0" in text else None


def refusal(text: str) -> str | None:
    """Why no file is stored under a name: the value of a fact `why`; None for every name that does no harm.

    Refused is what leaves the folder, what confuses a terminal (controls, line ends, turned writing, bytes that are no
    text), backslashes, and what a file system would refuse for its length. Everything else may be: blanks, emoji,
    marks, invisible letters; `printable` shows what cannot be seen.
    """
    why = leaves_folder(text)
    if why is not None:
        return why
    if "\\" in text or any(unicodedata.category(character) in _CONTROLS for character in text):
        return "odd_character"
    if not _TURNING.isdisjoint(text):
        return "turns_writing"
    parts = text.split("/")
    if len(text.encode()) > _MAX_PATH_BYTES or any(
        len(part.encode()) > MAX_COMPONENT_BYTES for part in parts
    ):
        return "too_long"
    return None


def safe_relative_path(text: str) -> PurePosixPath:
    """Return `text` as a relative path that stays inside its folder.

    Raises:
        RefusedError: `names.unsafe_path`, for what `refusal` says.
    """
    why = refusal(text)
    if why is not None:
        raise RefusedError("names.unsafe_path", path=printable(text), why=why)
    return PurePosixPath(text)


def safe_component(text: str, max_bytes: int = 100, unnamed: str = "unnamed") -> str:
    """Make one plain file name out of any text: letters, digits, dot, dash, underscore.

    Never empty (`unnamed` stands for nothing), never hidden, never `.` or `..`, at most `max_bytes` long. Different
    texts may give the same name; where that matters the caller adds a digest.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", plain)
    plain = re.sub(r"-{2,}", "-", plain).strip("-.")[:max_bytes].rstrip("-.")
    return plain or unnamed


def printable(text: str, limit: int = 200) -> str:
    """Write out what could move the cursor, colour the screen, turn the writing direction or hide; cut at `limit`."""
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    marks = 0
    for character in text[: limit + 1]:
        marks = marks + 1 if unicodedata.category(character) in _COMBINING else 0
        seen = character.isprintable() and not _is_invisible(character) and marks <= _MOST_COMBINING
        shown.append(character if seen else _escape(character))
    line = "".join(shown)
    return line if len(line) <= limit else line[:limit] + "…"


def without_steering(text: str) -> str:
    """Text of any length and any number of lines for a terminal: what would steer it is written out."""
    return _STEERING.sub(lambda found: _escape(found[0]), text)


def _is_invisible(character: str) -> bool:
    # Cf holds the bidirectional controls and zero-width joiners that make two names look alike.
    return unicodedata.category(character) in {"Cf", "Cc", "Co", "Cs"} or character in _BLANK_LETTERS


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
