"""The window's words for errors: resources/translations/<language>/errors.toml, else the command line's.

A table per code with `message` and `hint`; a member that is left out is the command line's English one. The tables
`facts.<name>` word the values of a fact that RKDeck itself chooses (states, kinds, causes); their entries may be
templates too: `"exit status {status}" = "código de salida {status}"`.
"""

import re
import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from core.base.errors import JsonValue, RKDeckError
from core.words import bare, fill, messages

_PLAIN = "en"
_REASON = "reason"
_MAX_MATCHED_CHARACTERS = 500
_FORMATTER = string.Formatter()


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A value with open places, and its translation."""

    matcher: re.Pattern[str]
    translation: str


@dataclass(frozen=True, slots=True)
class _Values:
    """What the values of one fact are called."""

    exact: Mapping[str, str]
    patterns: tuple[_Pattern, ...]


@dataclass(frozen=True, slots=True)
class _Words:
    """One language: message and hint of each code, the values of facts, the word for what is not known."""

    codes: Mapping[str, tuple[str, str]]
    values: Mapping[str, _Values]
    unknown: str


def word_error(error: RKDeckError, language: str) -> tuple[str, str]:
    """Return (message, hint) in the window's words; a code without words is shown as it is.

    Facts come from the Hub, boards and files: they come out printable and cut (`core.words.fill`).

    Args:
        error: what is to be told.
        language: `en` or `es`; a region (`es_MX`) is left aside, any other language is shown in English.
    """
    words = _words(_known(language))
    template = words.codes.get(error.code)
    if template is None:
        return bare(error), ""
    message, hint = template
    if error.hint is not None and error.hint in words.codes:
        hint = words.codes[error.hint][1]
    facts = {name: _translated(name, value, words) for name, value in error.facts.items()}
    return fill(message, facts, words.unknown), fill(hint, facts, words.unknown)


def _known(language: str) -> str:
    code = language.replace("-", "_").partition("_")[0].lower()
    return code if code in {_PLAIN, "es"} else _PLAIN


@cache
def _words(language: str) -> _Words:
    own = _read(language, "errors.toml")
    codes = dict(messages())
    for code, (message, hint) in messages().items():
        mine = own.get(code, {})
        codes[code] = mine.get("message", message), mine.get("hint", hint)
    values = {name: dict(table) for name, table in own.get("facts", {}).items()}
    if language != _PLAIN:
        values.setdefault(_REASON, {}).update(_read(language, "estimate.toml"))
    unknown = own.get("unknown", "unknown")
    return _Words(codes, {name: _values(table) for name, table in values.items()}, unknown)


def _read(language: str, name: str) -> dict[str, Any]:
    file = resources.files("resources") / "translations" / language / name
    return tomllib.loads(file.read_text("utf-8"))


def _values(table: Mapping[str, str]) -> _Values:
    exact = {value: text for value, text in table.items() if "{" not in value}
    patterns = (_Pattern(_matcher(value), text) for value, text in table.items() if "{" in value)
    return _Values(exact, tuple(patterns))


def _matcher(template: str) -> re.Pattern[str]:
    parts = _FORMATTER.parse(template)
    return re.compile(
        "".join(re.escape(text) + (f"(?P<{name}>.+?)" if name else "") for text, name, _, _ in parts)
    )


def _translated(name: str, value: JsonValue, words: _Words) -> JsonValue:
    values = words.values.get(name)
    if values is None:
        return value
    if isinstance(value, list):
        return [_translated(name, item, words) for item in value]
    if not isinstance(value, str) or len(value) > _MAX_MATCHED_CHARACTERS:
        return value
    if value in values.exact:
        return values.exact[value]
    for pattern in values.patterns:
        if found := pattern.matcher.fullmatch(value):
            places = {place: _translated(place, text, words) for place, text in found.groupdict().items()}
            return fill(pattern.translation, places, words.unknown)
    parts = value.split(", ")
    return ", ".join(values.exact.get(part, part) for part in parts)
