"""The form of a language's file: whoever writes one is told what does not fit, instead of whoever meets it later."""

import json
import re
import string
from collections.abc import Mapping
from typing import Any

from core.base.foreign import lines
from core.base.notes import Note, note

_FORMATTER = string.Formatter()
# What argparse fills (`%(prog)s`, `%s`, `%r`).
_PERCENT = re.compile(r"%(?:\(\w+\))?[a-z]")


def flaw(text: str, table: Mapping[str, Any], plain: Mapping[str, Any] | None) -> Note | None:
    """Return what does not fit in a file, None when all does.

    Args:
        text: of the file, in which the line is looked up.
        table: what it holds.
        plain: English's table, which tells sections and texts apart; None for fixed texts, whose keys are English.
    """
    only_sections = plain is not None and all(isinstance(value, Mapping) for value in plain.values())
    for key, value in table.items():
        if plain is None:
            entries = {key: _label_flaw(key, value)}
        elif not (only_sections or isinstance(plain.get(key, value), Mapping)):
            entries = {key: _text_flaw(value)}
        elif isinstance(value, Mapping):
            entries = {inner: _text_flaw(item) for inner, item in value.items()}
        else:
            entries = {key: "not_a_section"}
        for entry, found in entries.items():
            if found is not None:
                return _told(found, (key, entry), text)
    return None


def _label_flaw(english: str, value: object) -> str | None:
    forms: list[object] = value if isinstance(value, list) else [value]
    if not forms:
        return "not_a_text"
    allowed = {*(_places(english.partition("@@")[0]) or ()), "n"}
    for form in forms:
        if not isinstance(form, str):
            return "not_a_text"
        places = _places(form)
        # What argparse fills has to be there as well, all of it.
        same = sorted(_PERCENT.findall(form)) == sorted(_PERCENT.findall(english))
        if places is None or not same or not places <= allowed:
            return "bad_place"
    return None


def _text_flaw(value: object) -> str | None:
    if not isinstance(value, str):
        return "not_a_text"
    return "bad_place" if _places(value) is None else None


def _places(template: str) -> set[str] | None:
    """The names of the places of a template; None when one of them cannot be filled."""
    names = set()
    try:
        for _, name, form, conversion in _FORMATTER.parse(template):
            if name is None:
                continue
            if not name.isidentifier() or form or conversion not in {None, "r", "s"}:
                return None
            names.add(name)
    except ValueError:
        return None
    return names


def _told(code: str, way: tuple[str, str], text: str) -> Note:
    """What does not fit, with its line where that is found: that of the entry behind that of its section."""
    line = 0
    for key in way if way[0] != way[1] else way[1:]:
        written = tuple(
            f"{start}{form}" for form in (key, json.dumps(key, ensure_ascii=False)) for start in ("", "[")
        )
        numbered = enumerate(lines(text), 1)
        line = next(
            (number for number, one in numbered if number > line and one.lstrip().startswith(written)), 0
        )
    return note(code, entry=way[1], line=line) if line else note(code, entry=way[1])
