"""Words for notes: remarks and reasons of an estimate, refusals of a platform."""

from core.base.notes import Note
from core.words.language import PLAIN
from core.words.tables import table
from core.words.values import fill_worded


def note_text(note: Note, language: str = PLAIN) -> str:
    """Return a note's sentence with its facts; a code without words is shown as it is."""
    return fill_worded(str(table(language, "notes").get(note.code, note.code)), dict(note.facts), language)
