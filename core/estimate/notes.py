"""Remarks that belong to an estimate: a code with facts, worded by the data file."""

from dataclasses import dataclass

from core.estimate import tomldata

_FILE = "estimator.toml"


@dataclass(frozen=True, slots=True)
class Note:
    """One remark; a front end may word the code itself, `text` gives the English sentence."""

    code: str
    facts: tuple[tuple[str, str | int], ...] = ()

    def text(self) -> str:
        """Return the sentence of resources/estimator.toml with the facts filled in."""
        template = tomldata.text(_section("notes"), self.code, _FILE)
        return template.format(**dict(self.facts))


def note(code: str, **facts: str | int) -> Note:
    """Make a note."""
    return Note(code, tuple(facts.items()))


def reason_text(code: str, **facts: str | int) -> str:
    """Return a worded reason (why a level is not supported, or does or does not fit)."""
    return tomldata.text(_section("reasons"), code, _FILE).format(**facts)


def _section(name: str) -> tomldata.Table:
    return tomldata.subtable(tomldata.load_toml(_FILE), name, _FILE)
