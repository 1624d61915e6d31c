"""Remarks and reasons of an estimate: a code with facts, worded by the data files."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.base import tomldata

_FILE = "estimator.toml"


@dataclass(frozen=True, slots=True)
class Note:
    """One remark or reason.

    Attributes:
        template: its English sentence over the facts, by which a front end finds its own words.
    """

    code: str
    facts: tuple[tuple[str, str | int], ...]
    template: str

    def text(self) -> str:
        """Return the English sentence with the facts filled in."""
        return self.template.format(**dict(self.facts))


def note(code: str, **facts: str | int) -> Note:
    """Make a remark."""
    return _made("notes", code, facts)


def reason_note(code: str, **facts: str | int) -> Note:
    """Make a reason (why a level is not supported, or does or does not fit)."""
    return _made("reasons", code, facts)


def advice_note(code: str, **facts: str | int) -> Note:
    """Make a piece of advice (what to change so that a level fits)."""
    return _made("advice", code, facts)


def refusal(template: str) -> Note:
    """Make a reason of a platform's own sentence (resources/platforms.toml), which has no facts."""
    return Note("refused", (), template.replace("{", "{{").replace("}", "}}"))


def _made(section: str, code: str, facts: Mapping[str, str | int]) -> Note:
    table = tomldata.subtable(tomldata.load_toml(_FILE), section, _FILE)
    return Note(code, tuple(facts.items()), tomldata.text(table, code, _FILE))
