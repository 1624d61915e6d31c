"""Names for codes that stand alone: kinds and states of jobs, phases, verdicts, why a figure is missing."""

from collections.abc import Mapping

from core.base.errors import JsonValue
from core.base.names import printable
from core.words.language import PLAIN
from core.words.tables import table
from core.words.values import fill_worded

_MAX_CODE_CHARACTERS = 60


def kind_name(kind: str, language: str = PLAIN) -> str:
    """What a job does, as a noun."""
    return _name("kind", kind, language)


def state_name(state: str, language: str = PLAIN) -> str:
    """Where a job stands, in a word."""
    return _name("state", state, language)


def phase_name(phase: str, facts: Mapping[str, JsonValue], language: str = PLAIN) -> str:
    """What a job is doing now; a stage of the toolkit that RKDeck does not know stays in its words."""
    return _name("phase", phase, language, facts)


def verdict_name(verdict: str, language: str = PLAIN) -> str:
    """Whether something fits."""
    return _name("verdict", verdict, language)


def missing_name(reason: str, language: str = PLAIN) -> str:
    """Why a figure of a sample is not there."""
    return _name("missing", reason, language)


def field_name(field: str, language: str = PLAIN) -> str:
    """What a member of a document is called where people read it."""
    return _name("field", field, language)


def _name(section: str, code: str, language: str, facts: Mapping[str, JsonValue] | None = None) -> str:
    template = table(language, "names")[section].get(code)
    if template is None:
        return printable(code, _MAX_CODE_CHARACTERS)  # of another version, or a toolkit's own
    return fill_worded(template, facts or {}, language)
