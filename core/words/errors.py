"""Words for errors and findings: what happened, why, what to do."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from core.base.errors import JsonValue, RKDeckError, error_from_json
from core.base.names import printable
from core.base.notes import KIND as NOTE_KIND
from core.base.notes import note_from_json
from core.words.language import PLAIN
from core.words.notes import note_text
from core.words.tables import own_table
from core.words.values import fill_worded


@cache
def messages(language: str = PLAIN, *, window: bool = False) -> Mapping[str, tuple[str, str]]:
    """Every known code with its sentence and its advice, both templates over the error's facts.

    Args:
        language: a code that `languages()` lists.
        window: in the window's terms, which names pages where the command line names commands.
    """
    plain, own = own_table(PLAIN, "errors"), own_table(language, "errors")
    plain_window, own_window = (
        own_table(one, "errors_in_window") if window else {} for one in (PLAIN, language)
    )
    # A language that lacks the window's own form must not send a person from the window to a command.
    order = (own_window, plain_window, own, plain) if language != PLAIN else (plain_window, plain)
    return {
        code: (_member(code, "message", order), _member(code, "hint", order))
        for code in {**plain, **own}
        if "." in code
    }


def word(error: RKDeckError, language: str = PLAIN, *, window: bool = False) -> tuple[str, str]:
    """Return (message, advice) for an error; a code without words is shown as it is, with its facts.

    Facts come from the Hub, boards and files: they come out printable and cut (`core.words.filling`).
    """
    known = messages(language, window=window)
    template = known.get(error.code)
    if template is None:
        return bare(error), ""
    message, advice = template
    if error.hint is not None and error.hint in known:
        advice = known[error.hint][1]
    facts = {name: _spoken(value, language) for name, value in error.facts.items()}
    return fill_worded(message, facts, language), fill_worded(advice, facts, language)


def sentence(error: RKDeckError, language: str = PLAIN) -> str:
    """Return what happened without the advice, for a line of a log or a list."""
    return word(error, language)[0]


def _spoken(value: JsonValue, language: str) -> JsonValue:
    """A fact that is itself an error or a note (their `to_json`), or has some in a list, as their sentences."""
    if isinstance(value, list):
        return [_spoken(item, language) for item in value]
    if isinstance(value, dict) and isinstance(value.get("code"), str) and "facts" in value:
        if value.get("kind") == NOTE_KIND:
            return note_text(note_from_json(value), language).rstrip(".")
        return sentence(error_from_json(value), language).rstrip(".")
    return value


def bare(error: RKDeckError) -> str:
    """Return code and facts as they are, for a code that has no words."""
    return printable(str(error), limit=1000)


def _member(code: str, member: str, order: tuple[Mapping[str, Any], ...]) -> str:
    return next((str(table[code][member]) for table in order if member in table.get(code, {})), "")
