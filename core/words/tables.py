"""Reading a language's tables; each is read once, when it is first asked.

A file that cannot be used (torn, or of another form than English's) is left out whole: English stands in for it, and
`unusable_words` tells whoever reads the language, with file and line.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Any

from core.base.errors import JsonValue, RKDeckError
from core.base.notes import Note
from core.base.trouble import reason_of
from core.words.form import flaw
from core.words.language import PLAIN, folder, known, left_out

# A table whose form was looked at when it was read (`core.words.form`).
Table = Mapping[str, Any]
_LABELS = "labels"
# (language, file) -> why it was left out.
_unusable: dict[tuple[str, str], RKDeckError] = {}


def unusable_words(wanted: str) -> tuple[RKDeckError, ...]:
    """What stands in the way of a language that somebody wants; empty when nothing does.

    Args:
        wanted: a locale's name, or a language's code.

    Returns:
        `words.language_unusable` for one that is left out, else `words.file_unusable` for each of its files that was
        read so far and left out.
    """
    whole = left_out(wanted)
    if whole is not None:
        return (whole,)
    language = known(wanted)
    return tuple(error for (code, _), error in sorted(_unusable.items()) if code == language)


def read_words(language: str) -> None:
    """Read all of a language at once, so that nobody waits for it later, and `unusable_words` knows all there is."""
    for entry in (folder() / language).iterdir():
        if entry.name.endswith(".toml") and entry.name != "language.toml":  # which `languages` has read
            own_table(language, entry.name.removesuffix(".toml"))
    labels(language)


def forget() -> None:
    """Forget what was read: the files have changed."""
    _unusable.clear()
    for read in (own_table, table, labels):
        read.cache_clear()


@cache
def own_table(language: str, name: str) -> Table:
    """Return what a language's own file says; empty when it has none, or one that cannot be used.

    Args:
        language: a code that `languages()` lists.
        name: of the file, without its ending.
    """
    file = folder() / language / f"{name}.toml"
    if not file.is_file():
        return {}
    try:
        text = file.read_text("utf-8")
        found: Table = tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        if language == PLAIN:  # nothing stands in for it
            raise
        return _left_out(language, name, str(file), reason_of(error))
    wrong: Note | None = None
    if language != PLAIN:
        plain = None if name.startswith(_LABELS) else own_table(PLAIN, name)
        wrong = flaw(text, found, plain)
    return found if wrong is None else _left_out(language, name, str(file), wrong.to_json())


@cache
def table(language: str, name: str) -> Table:
    """Return a table of flat sections with English where the language says nothing."""
    plain, own = own_table(PLAIN, name), own_table(language, name)
    return {
        key: {**value, **own.get(key, {})} if isinstance(value, Mapping) else own.get(key, value)
        for key, value in {**own, **plain}.items()
    }


@cache
def labels(language: str) -> Mapping[str, str | list[str]]:
    """Return the fixed texts of all areas: English text -> translation, or its forms for a counted one."""
    found: dict[str, str | list[str]] = {}
    area = folder() / language / _LABELS
    if area.is_dir():
        for file in sorted(area.iterdir(), key=lambda entry: entry.name):
            if file.name.endswith(".toml"):
                found.update(own_table(language, f"{_LABELS}/{file.name.removesuffix('.toml')}"))
    return found


def _left_out(language: str, name: str, file: str, problem: JsonValue) -> Table:
    error = RKDeckError("words.file_unusable", language=language, file=file, problem=problem)
    _unusable[language, name] = error
    return {}
