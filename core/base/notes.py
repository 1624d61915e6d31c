"""Remarks and reasons, refusals of a platform: a code with facts, worded by `core.words`.

A note may be a fact of an error (`reason=found.to_json()`): front ends word both in their language.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from core.base.errors import JsonValue

KIND = "note"  # tells a note from an error among facts


@dataclass(frozen=True, slots=True)
class Note:
    """One remark or reason; its words are in translations/*/notes.toml."""

    code: str
    facts: tuple[tuple[str, str | int], ...] = ()

    def to_json(self) -> dict[str, JsonValue]:
        """Return the wire form, like an error's: `{"code", "kind": "note", "facts"}`."""
        return {"code": self.code, "kind": KIND, "facts": dict(self.facts)}


def note(code: str, **facts: str | int) -> Note:
    """Make a remark, a reason or a piece of advice."""
    return Note(code, tuple(facts.items()))


def because(code: str, **facts: str | int) -> JsonValue:
    """A reason as a fact of an error: a note in its wire form."""
    return note(code, **facts).to_json()


class NotedError(ValueError):
    """What does not fit, as a note; who catches it tells it as a reason (`core.base.trouble.reason_of`)."""

    def __init__(self, code: str, **facts: str | int) -> None:
        super().__init__(code)
        self.noted = note(code, **facts)


def note_from_json(value: Mapping[str, object]) -> Note:
    """Rebuild a note from its wire form; what is no text and no number among its facts is left out."""
    code, facts = value.get("code"), value.get("facts")
    known = facts.items() if isinstance(facts, Mapping) else ()
    return Note(str(code), tuple((str(key), item) for key, item in known if isinstance(item, str | int)))
