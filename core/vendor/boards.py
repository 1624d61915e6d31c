"""Boards known by name (`resources/boards.toml`)."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from core.base import tomldata

_FILE = "boards.toml"


@cache
def _names() -> Mapping[str, str]:
    """Board names by the part of `compatible` after the comma."""
    rows = tomldata.subtables(tomldata.load_toml(_FILE), "board", _FILE)
    return MappingProxyType(
        {
            entry: tomldata.text(row, "name", _FILE)
            for row in rows
            for entry in tomldata.texts(row, "match", _FILE)
        }
    )


def board_name(compatibles: tuple[str, ...]) -> str | None:
    """The board's name by its device tree's `compatible` entries, most specific first; None if unknown."""
    for entry in compatibles:
        name = _names().get(entry.partition(",")[2])
        if name is not None:
            return name
    return None
