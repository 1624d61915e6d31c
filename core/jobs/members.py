"""Typed access to the members of a stored JSON object: what is not as it should be is named, never guessed."""

import json
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TypeVar

from core.base import foreign
from core.base.errors import JsonValue, RKDeckError
from core.base.names import printable
from core.base.units import MAX_WHOLE

Value = TypeVar("Value")
JsonObject = Mapping[str, JsonValue]

_MAX_SHOWN = 80


class Members:
    """The members of one object of a job's order.

    Every reader takes a member's name and raises `jobs.order_lacks` when it is missing and `jobs.bad_order` when
    it is anything else than asked for: a number written as text, true for 1, NaN, 10**400.
    """

    def __init__(self, kind: str, values: JsonObject, place: str = "") -> None:
        """Wrap `values`, part of an order of that kind; `place` is where they lie in it, as `files.3.`."""
        self._kind = kind
        self._values = values
        self._place = place

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str) -> str:
        """Return a text."""
        value = self._get(name)
        if not isinstance(value, str):
            raise self._bad(name)
        return value

    def flag(self, name: str) -> bool:
        """Return true or false."""
        value = self._get(name)
        if not isinstance(value, bool):
            raise self._bad(name)
        return value

    def whole(self, name: str, minimum: int = 0, maximum: int = MAX_WHOLE) -> int:
        """Return a whole number within bounds, both included."""
        found = foreign.whole(self._get(name), minimum, maximum)
        if found is None:
            raise self._bad(name)
        return found

    def number(self, name: str, minimum: float = 0.0, maximum: float = MAX_WHOLE) -> float:
        """Return a finite number within bounds, both included."""
        found = foreign.number(self._get(name), minimum, maximum)
        if found is None:
            raise self._bad(name)
        return found

    def path(self, name: str) -> Path:
        """Return a path that the system can be asked about."""
        text = self.text(name)
        try:
            encoded = os.fsencode(text)
        except UnicodeEncodeError:
            raise self._bad(name) from None
        if not text or b"\0" in encoded:
            raise self._bad(name)
        return Path(text)

    def choice(self, name: str, allowed: Collection[str]) -> str:
        """Return one of the allowed texts."""
        text = self.text(name)
        if text not in allowed:
            raise self._bad(name)
        return text

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts."""
        found = self._list(name)
        rows = Members(self._kind, {str(place): value for place, value in enumerate(found)}, self._at(name))
        return tuple(rows.text(str(place)) for place in range(len(found)))

    def inner(self, name: str) -> "Members":
        """Return an object inside this one, to be read on."""
        return Members(self._kind, self.json(name), self._at(name))

    def rows(self, name: str) -> "tuple[Members, ...]":
        """Return a list of objects, to be read on."""
        return tuple(
            Members(self._kind, row, f"{self._at(name)}{place}.")
            for place, row in enumerate(self.json_rows(name))
        )

    def json(self, name: str) -> dict[str, JsonValue]:
        """Return an object as it is: what only another program reads, in numbers that every program can."""
        value = self._get(name)
        if not isinstance(value, dict) or not foreign.can_be_told(value):
            raise self._bad(name)
        return value

    def json_rows(self, name: str) -> tuple[dict[str, JsonValue], ...]:
        """Return a list of objects as they are."""
        found: list[dict[str, JsonValue]] = []
        for value in self._list(name):
            if not isinstance(value, dict) or not foreign.can_be_told(value):
                raise self._bad(name)
            found.append(value)
        return tuple(found)

    def optional(self, read: Callable[[str], Value], name: str) -> Value | None:
        """Return what one of the readers above finds, None for null; the member itself must be there."""
        return None if self._get(name) is None else read(name)

    def refuse(self, name: str) -> RKDeckError:
        """Return the error for a member that is well-formed and yet makes no sense in this order."""
        return self._bad(name)

    def _list(self, name: str) -> list[JsonValue]:
        value = self._get(name)
        if not isinstance(value, list):
            raise self._bad(name)
        return value

    def _at(self, name: str) -> str:
        return f"{self._place}{name}."

    def _get(self, name: str) -> JsonValue:
        if name not in self._values:
            raise RKDeckError("jobs.order_lacks", kind=self._kind, member=self._place + name)
        return self._values[name]

    def _bad(self, name: str) -> RKDeckError:
        found = _shown(self._values[name])
        return RKDeckError("jobs.bad_order", kind=self._kind, member=self._place + name, found=found)


def _shown(value: JsonValue) -> str:
    """A value as JSON writes it, short enough for a sentence."""
    try:
        text = json.dumps(value)
    except ValueError:
        # Python refuses to write out integers of more than 4300 digits, and hexadecimal is not limited.
        text = hex(value) if isinstance(value, int) else type(value).__name__
    return printable(text, _MAX_SHOWN)
