"""What the values of a fact are called inside a sentence: states, kinds, causes that RKDeck itself chooses.

Tables: `values.toml`, a section per fact. An entry may be a template: `"exit status {status}" = "código de salida
{status}"`.
"""

import re
import string
from collections.abc import Mapping
from functools import cache

from core.base.errors import JsonValue
from core.base.units import format_bytes
from core.words.filling import fill
from core.words.language import PLAIN
from core.words.tables import table

_MAX_MATCHED_CHARACTERS = 500
_FORMATTER = string.Formatter()


# What the values of one fact are called: exact ones, and (matcher, words) of those with open places.
Values = tuple[Mapping[str, str], tuple[tuple[re.Pattern[str], str], ...]]


def unknown_word(language: str) -> str:
    """Return the word for what is not known."""
    return str(table(language, "values")["unknown"])


def value_word(fact: str, value: JsonValue, language: str = PLAIN) -> JsonValue:
    """Return what a fact's value is called; a value without words, and a list's members without, stay as they are."""
    values = worded_values(language).get(fact)
    if values is None:
        return value
    if isinstance(value, list):
        return [value_word(fact, item, language) for item in value]
    if not isinstance(value, str) or len(value) > _MAX_MATCHED_CHARACTERS:
        return value
    exact, patterns = values
    if value in exact:
        return exact[value]
    for matcher, words in patterns:
        if found := matcher.fullmatch(value):
            places = {place: value_word(place, text, language) for place, text in found.groupdict().items()}
            return fill(words, places, unknown_word(language))
    return ", ".join(exact.get(part, part) for part in value.split(", "))


def fill_worded(template: str, facts: Mapping[str, JsonValue], language: str) -> str:
    """Put facts into a template, their values in the language's words."""
    worded = {name: value_word(name, value, language) for name, value in facts.items()}
    return fill(template, {**worded, **_sizes(facts)}, unknown_word(language))


def _sizes(facts: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The facts that are sizes (their names end in `_bytes`) as people read them; exact where they would look alike."""
    sizes = {
        name: value
        for name, value in facts.items()
        if name.endswith("_bytes") and isinstance(value, int | float) and not isinstance(value, bool)
    }
    shown = {name: format_bytes(size) for name, size in sizes.items()}
    alike = len(set(shown.values())) < len(set(sizes.values()))
    return {name: f"{size} B" if alike else shown[name] for name, size in sizes.items()}


@cache
def worded_values(language: str) -> Mapping[str, Values]:
    """Return the words of each fact's values."""
    sections = {
        name: dict(section)
        for name, section in table(language, "values").items()
        if isinstance(section, Mapping)
    }
    return {name: _values(section) for name, section in sections.items()}


def _values(section: Mapping[str, str]) -> Values:
    exact = {value: text for value, text in section.items() if "{" not in value}
    # A template with more words of its own first: a shorter one of its shape would take those for what it leaves open.
    open_ones = sorted((value for value in section if "{" in value), key=_own_letters, reverse=True)
    return exact, tuple((_matcher(value), section[value]) for value in open_ones)


def _own_letters(template: str) -> int:
    return sum(len(text) for text, *_ in _FORMATTER.parse(template))


def _matcher(template: str) -> re.Pattern[str]:
    parts = _FORMATTER.parse(template)
    return re.compile(
        "".join(re.escape(text) + (f"(?P<{name}>.+?)" if name else "") for text, name, _, _ in parts)
    )
