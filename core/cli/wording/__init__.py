"""Words for the core's codes: what happened, why, what to do. One module per room, joined here."""

import importlib
import pkgutil
import string
from functools import cache

from core.base.errors import JsonValue, RKDeckError
from core.base.names import printable


@cache
def messages() -> dict[str, tuple[str, str]]:
    """Every known code with its sentence and its advice, both templates over the error's facts."""
    found: dict[str, tuple[str, str]] = {}
    for module in pkgutil.iter_modules(__path__):
        found.update(importlib.import_module(f"{__name__}.{module.name}").MESSAGES)
    return found


def word(error: RKDeckError) -> tuple[str, str]:
    """Return (message, advice) for an error; a code without words is shown as it is, with its facts.

    Facts come from the Hub, boards and files: they are made printable before they meet a terminal.
    """
    shown = _Facts({key: _show(value) for key, value in error.facts.items()})
    template = messages().get(error.code)
    if template is None:
        return printable(str(error), limit=1000), ""
    message, advice = template
    if error.hint is not None and error.hint in messages():
        advice = messages()[error.hint][1]
    formatter = string.Formatter()
    return formatter.vformat(message, (), shown), formatter.vformat(advice, (), shown)


class _Facts(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "unknown"


def _show(value: JsonValue) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, list):
        return ", ".join(_show(item) for item in value)
    if isinstance(value, float):
        return f"{value:g}"
    return printable(str(value), limit=500)
