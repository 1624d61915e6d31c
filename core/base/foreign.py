"""What others wrote (boards, the Hub, files, workers): one reader for numbers and texts, one writer of JSON.

A JSON document may hold a number of 400 digits, NaN or 1e999: `isinstance(value, int)` says yes to the first, and then
`float`, `time` or a table fail. So every edge reads through here: within bounds, or unknown (None).
"""

import json
import math
import re
import sys
from typing import Any, Literal, TypeVar, overload

from core.base.errors import JsonValue
from core.base.names import printable

# What JSON readers everywhere keep exactly (RFC 8259, section 6).
MAX_WHOLE = (1 << 53) - 1
MAX_REAL = sys.float_info.max  # bounds of measured figures of whatever size, which are finite
# An exbibyte: more than any disk, and sums of many fit into 64 bits.
MAX_BYTES = 1 << 60
# The end of the year 9999, where calendars end (datetime.MAXYEAR), in seconds since 1970.
MAX_UNIX_S = 253_402_300_799
MAX_PID = 1 << 22  # Linux PID_MAX_LIMIT (proc(5), pid_max)
MAX_PORT = 65535
_DIGITS = re.compile(r"\s*(-?[0-9]{1,18})\s*", re.ASCII)
_DECIMAL = re.compile(
    r"\s*[-+]?(?:[0-9]{1,30}\.?[0-9]{0,30}|\.[0-9]{1,30})(?:[eE][-+]?[0-9]{1,3})?\s*", re.ASCII
)
_MAX_TEXT = 200
# A list costs 64 bytes and an object 240 for the two characters and the comma it is written with, so a document is
# measured before it is parsed: 16 MiB of "[],", would become 0.5 GiB. A page of the Hub has 10,000 of these marks, the
# header of a file of 100,000 tensors, more than any has, 800,000.
MAX_MARKS = 1_000_000
_Found = TypeVar("_Found")


def whole(value: object, low: int = 0, high: int = MAX_WHOLE) -> int | None:
    """A whole number within bounds, both included; None for anything else. True and 1.0 are none."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if low <= value <= high else None


def number(value: object, low: float = -MAX_WHOLE, high: float = MAX_WHOLE) -> float | None:
    """A finite number within bounds, both included; None for anything else. True is none."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    # Compared as it is: Python compares a huge whole number with a float without converting it.
    return float(value) if low <= value <= high else None


def size_bytes(value: object) -> int | None:
    """A size, up to an exbibyte."""
    return whole(value, 0, MAX_BYTES)


def unix_s(value: object) -> float | None:
    """A time in seconds since 1970 that calendars can show."""
    return number(value, 0, MAX_UNIX_S)


def digits(text: str | None, low: int = 0, high: int = MAX_WHOLE) -> int | None:
    """A whole number written in at most 18 ASCII digits, blanks around it allowed, within bounds; None otherwise."""
    match = None if text is None else _DIGITS.fullmatch(text)
    return None if match is None else whole(int(match[1]), low, high)


def decimal(text: str, low: float = -MAX_WHOLE, high: float = MAX_WHOLE) -> float | None:
    """A number in ASCII digits, perhaps with a point and an exponent, finite and within bounds; None otherwise.

    `float` would take the digits of every script, and `1_000`.
    """
    return number(float(text), low, high) if _DECIMAL.fullmatch(text) else None


def text(value: object, limit: int = _MAX_TEXT) -> str | None:
    """A text made printable and cut at `limit` characters; None for an empty one and for anything else."""
    return (printable(value, limit=limit) or None) if isinstance(value, str) else None


@overload
def lines(told: str, most: int | None = None) -> list[str]: ...
@overload
def lines(told: bytes, most: int | None = None) -> list[bytes]: ...
def lines(told: str | bytes, most: int | None = None) -> list[Any]:
    r"""The lines of what was written with an end of "\n" each, at most so many; nothing behind the last end is no line.

    `splitlines` also ends them at "\r", "\v", "\x1c", "\x85", U+2028 and more, which whoever wrote a line left in it:
    what stands behind one would be taken for a line of its own.
    """
    bound = -1 if most is None else most
    found: list[Any] = told.split("\n", bound) if isinstance(told, str) else told.split(b"\n", bound)
    if not found[-1]:
        found.pop()
    return found[:most]


def required(found: _Found | None, what: str) -> _Found:
    """What a reader found, where a record cannot do without it.

    Raises:
        ValueError: it is unknown; the error's text says that it is not `what`.
    """
    if found is None:
        raise ValueError(f"not {what}")
    return found


class JsonError(ValueError):
    """What is no JSON document, or one that nobody should read; its cause says more.

    Attributes:
        why: "too_many" values, "too_deep" or "not_json".
    """

    def __init__(self, why: Literal["too_many", "too_deep", "not_json"], text: str) -> None:
        super().__init__(text)
        self.why = why


def parse_json(data: str | bytes, most: int = MAX_MARKS) -> JsonValue:
    """A JSON document whose numbers can be written and added again.

    One of more marks than `most` is none: it would take all memory. A number that is not finite, or too long for 64
    bits, becomes None where it stands: it is unknown, and no reason to lose what stands beside it.

    Raises:
        JsonError: for what is none, whatever it is.
    """
    if has_too_many(data, most):
        raise JsonError("too_many", f"more than {most} values")
    try:
        value: JsonValue = json.loads(data, parse_constant=_unknown, parse_float=_finite, parse_int=_short)
    except RecursionError as error:
        raise JsonError("too_deep", "nested too deeply") from error
    except ValueError as error:
        raise JsonError("not_json", str(error)) from error
    return value


def read_json(data: str | bytes) -> JsonValue:
    """A JSON document as `parse_json` has it; None when it is none."""
    try:
        return parse_json(data)
    except JsonError:
        return None


def has_too_many(data: str | bytes, most: int = MAX_MARKS) -> bool:
    """Whether a JSON document has more commas, lists and objects than `most`; those within its texts count as well."""
    if len(data) <= most:
        return False
    if isinstance(data, str):
        return data.count(",") + data.count("[") + data.count("{") > most
    return data.count(b",") + data.count(b"[") + data.count(b"{") > most


def members(data: str | bytes | None) -> dict[str, JsonValue]:
    """The members of a JSON object; empty for anything else."""
    value = None if data is None else read_json(data)
    return value if isinstance(value, dict) else {}


def can_be_told(value: object) -> bool:
    """Whether all numbers in a document are finite and of 64 bits, so that every reader of JSON takes them alike."""
    rest = [value]  # no recursion: a parser goes deeper than a function of ours could
    while rest:
        item = rest.pop()
        if isinstance(item, dict | list):
            rest += item.values() if isinstance(item, dict) else item
        elif isinstance(item, float):
            if not math.isfinite(item):
                return False
        elif isinstance(item, int) and not -(1 << 63) <= item < 1 << 64:
            return False
    return True


def json_text(value: JsonValue) -> str:
    """One line of JSON as the standard has it: what is not finite leaves as null, never as NaN or Infinity."""
    try:
        return json.dumps(value, ensure_ascii=True, allow_nan=False)
    except ValueError:
        return json.dumps(_plain(value), ensure_ascii=True, allow_nan=False)


def _plain(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _unknown(_: str) -> None:
    return None


def _finite(written: str) -> float | None:
    value = float(written)
    return value if math.isfinite(value) else None


def _short(written: str) -> int | None:
    return int(written) if len(written) <= 19 else None


def is_lfs_pointer(data: bytes) -> bool:
    """Whether a file's beginning is that of what Git leaves in place of a large file (git-lfs, docs/spec.md)."""
    return data.startswith(b"version https://git-lfs.github.com/spec/")
