"""Reading a language's tables; each is read once, when it is first asked."""

import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Any

from core.words.language import PLAIN, folder

# A shipped table; its readers know their form, and tests/contracts/test_words.py keeps it.
Table = Mapping[str, Any]


@cache
def own_table(language: str, name: str) -> Table:
    """Return what a language's own file says; empty when it has none.

    Args:
        language: a code that `languages()` lists.
        name: of the file, without its ending.
    """
    file = folder() / language / f"{name}.toml"
    return tomllib.loads(file.read_text("utf-8")) if file.is_file() else {}


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
    area = folder() / language / "labels"
    if area.is_dir():
        for file in sorted(area.iterdir(), key=lambda entry: entry.name):
            if file.name.endswith(".toml"):
                found.update(tomllib.loads(file.read_text("utf-8")))
    return found
