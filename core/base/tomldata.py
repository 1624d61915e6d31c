"""Reading the shipped data files with typed access and clear failures."""

import importlib.resources
import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Any

from core.base.errors import RKDeckError
from core.base.trouble import reason_of

# A shipped file is data that its reader checks member by member, so Any stops at the accessors below.
Table = Mapping[str, Any]


@cache
def load_toml(name: str) -> Table:
    """Return the parsed `resources/<name>`; a name may lie in a folder (`lab/texts.toml`).

    Raises:
        RKDeckError: `estimate.bad_data_file` when the file is missing or is not TOML.
    """
    try:
        text = importlib.resources.files("resources").joinpath(name).read_text(encoding="utf-8")
        return tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RKDeckError("estimate.bad_data_file", file=name, problem=reason_of(error)) from error


def text(table: Table, key: str, file: str) -> str:
    """Return a string member of a shipped table."""
    value = table.get(key)
    if not isinstance(value, str):
        raise RKDeckError("estimate.bad_data_file", file=file, problem=f"{key} is not a string")
    return value


def optional_text(table: Table, key: str, file: str) -> str | None:
    """Return a string member of a shipped table, None where the key is absent."""
    return text(table, key, file) if key in table else None


def flag(table: Table, key: str, file: str) -> bool:
    """Return a truth value of a shipped table, False where the key is absent."""
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise RKDeckError("estimate.bad_data_file", file=file, problem=f"{key} is neither true nor false")
    return value


def integer(table: Table, key: str, file: str) -> int:
    """Return an integer member of a shipped table."""
    value = table.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise RKDeckError("estimate.bad_data_file", file=file, problem=f"{key} is not an integer")
    return value


def optional_integer(table: Table, key: str, file: str) -> int | None:
    """Return an integer member of a shipped table, None where the key is absent."""
    return integer(table, key, file) if key in table else None


def number(table: Table, key: str, file: str) -> float:
    """Return a number of a shipped table, as float."""
    value = table.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise RKDeckError("estimate.bad_data_file", file=file, problem=f"{key} is not a number")
    return float(value)


def numbers(table: Table, key: str, file: str) -> tuple[float, ...]:
    """Return a list of numbers of a shipped table, as floats."""
    value = table.get(key)
    if not isinstance(value, list) or not all(type(item) in {int, float} for item in value):
        raise RKDeckError("estimate.bad_data_file", file=file, problem=f"{key} is not a list of numbers")
    return tuple(map(float, value))


def texts(table: Table, key: str, file: str) -> tuple[str, ...]:
    """Return a list of strings of a shipped table."""
    value = table.get(key)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise RKDeckError("estimate.bad_data_file", file=file, problem=f"{key} is not a list of strings")
    return tuple(value)


def subtable(table: Table, key: str, file: str) -> Table:
    """Return a table inside a shipped table."""
    value = table.get(key)
    if not isinstance(value, dict):
        raise RKDeckError("estimate.bad_data_file", file=file, problem=f"{key} is not a table")
    return value


def subtables(table: Table, key: str, file: str) -> tuple[Table, ...]:
    """Return an array of tables inside a shipped table."""
    value = table.get(key)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise RKDeckError("estimate.bad_data_file", file=file, problem=f"{key} is not an array of tables")
    return tuple(value)
