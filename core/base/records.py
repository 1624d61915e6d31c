"""Frozen records that come back from JSON by their own annotations: whole, or a ValueError that names the member.

For what RKDeck itself wrote and somebody may have damaged or forged since: facts of a board, measured figures, the
cache. Whole numbers are counts and sizes (0 up to an exbibyte), other numbers are finite, texts and objects stay.
What members an order or a sample has, and in what bounds each, is their rooms' to say (`core.jobs.members`).
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache, partial
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from core.base.foreign import MAX_REAL, can_be_told, number, required, size_bytes

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record", bound="DataclassInstance")
_Reader = Callable[[Any], Any]


def record(kind: type[Record], value: object) -> Record:
    """Read a frozen record; members it does not know are left out, missing ones take their default.

    Raises:
        ValueError: a member is missing without a default, or is not what its annotation says.
    """
    told, found = _object(value), dict[str, Any]()
    for name, needed, read in _members(kind):
        if name in told:
            try:
                found[name] = read(told[name])
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        elif needed:
            raise ValueError(f"{name}: missing")
    return kind(**found)


@cache  # of the few records there are; a model's facts hold thousands of the same one
def _members(kind: Any) -> tuple[tuple[str, bool, _Reader], ...]:  # noqa: ANN401  # a type, which is hashable
    hints = get_type_hints(kind)
    return tuple(
        (
            member.name,
            member.default is MISSING and member.default_factory is MISSING,
            _reader(hints[member.name]),
        )
        for member in fields(kind)
    )


def _reader(hint: Any) -> _Reader:  # noqa: ANN401  # whatever stands in an annotation
    kind, inner = get_origin(hint), get_args(hint)
    if kind in {Union, UnionType}:
        (only,) = (choice for choice in inner if choice is not NoneType)
        return partial(_maybe, _reader(only))
    if kind is tuple:
        return partial(_many, _reader(inner[0]))
    if kind is Literal:
        return partial(_one_of, inner)
    if isinstance(hint, type) and is_dataclass(hint):
        return partial(record, hint)
    return _PLAIN[kind or hint]


def _maybe(read: _Reader, value: object) -> object:
    return None if value is None else read(value)


def _many(read: _Reader, value: object) -> tuple[Any, ...]:
    return tuple(map(read, required(value if isinstance(value, list) else None, "a list")))


def _one_of(allowed: tuple[object, ...], value: object) -> object:
    return required(value if value in allowed else None, f"one of {allowed}")


def _object(value: object) -> Mapping[str, Any]:
    return required(value if isinstance(value, dict) else None, "an object")


def _document(value: object) -> Mapping[str, Any]:
    return required(_object(value) if can_be_told(value) else None, "an object with numbers that JSON has")


def _flag(value: object) -> bool:
    return required(value if isinstance(value, bool) else None, "true or false")


def _text(value: object) -> str:
    return required(value if isinstance(value, str) else None, "a text")


def _whole(value: object) -> int:
    return required(size_bytes(value), "a whole number of this kind")


def _number(value: object) -> float:
    return required(number(value, -MAX_REAL, MAX_REAL), "a finite number")


_PLAIN: Mapping[Any, _Reader] = {
    dict: _document, bool: _flag, str: _text, int: _whole, float: _number,
}  # fmt: skip
