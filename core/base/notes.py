"""Remarks and reasons of an estimate, refusals of a platform: a code with facts, worded by `core.words`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """One remark or reason; its words are in translations/*/notes.toml."""

    code: str
    facts: tuple[tuple[str, str | int], ...] = ()


def note(code: str, **facts: str | int) -> Note:
    """Make a remark, a reason or a piece of advice."""
    return Note(code, tuple(facts.items()))
