"""Facts into templates: printable, cut, and never read as a template themselves."""

import string
from collections.abc import Mapping

from core.base.errors import JsonValue
from core.base.names import printable

_MAX_FACT_CHARACTERS = 500
_MAX_LIST_CHARACTERS = 4000
_FORMATTER = string.Formatter()


def fill(template: str, facts: Mapping[str, JsonValue], unknown: str = "unknown") -> str:
    """Put facts into a template.

    Facts come from the Hub, boards and files: they are made printable and cut before they meet a screen,
    and what they contain is never read as a template.

    Args:
        template: str.format text over the names of the facts.
        facts: an error's facts; None and absent ones are shown as `unknown`.
        unknown: the word for what is not known.
    """
    shown = _Facts(unknown, {key: _show(value, unknown) for key, value in facts.items()})
    return _FORMATTER.vformat(template, (), shown)


class _Facts(dict[str, str]):
    def __init__(self, unknown: str, facts: Mapping[str, str]) -> None:
        super().__init__(facts)
        self._unknown = unknown

    def __missing__(self, key: str) -> str:
        return self._unknown


def _show(value: JsonValue, unknown: str) -> str:
    if value is None:
        return unknown
    if isinstance(value, list):
        return _join(value, unknown)
    if isinstance(value, float):
        return f"{value:g}"
    return printable(str(value), limit=_MAX_FACT_CHARACTERS)


def _join(items: list[JsonValue], unknown: str) -> str:
    joined = ""
    for index, item in enumerate(items):
        joined += (", " if index else "") + _show(item, unknown)
        if len(joined) > _MAX_LIST_CHARACTERS:
            return joined[:_MAX_LIST_CHARACTERS] + "…"
    return joined
