"""Words for the core's codes, in every language, for both front ends.

Errors, findings, notes, phases, kinds and states are codes with facts; what they are called lies in one folder per
language, `resources/translations/<language>/`:

    language.toml            the language's name in its own words, its plural rule
    errors.toml              code -> message, hint
    errors_in_window.toml    the same, where the window says it in its own terms (pages instead of commands)
    values.toml              what the values of a fact are called inside a sentence
    notes.toml               remarks and reasons of estimates, refusals of platforms
    names.toml               kinds, states, phases, verdicts, missing figures: what stands alone
    help.toml                what the command line's help says of its verbs and arguments
    labels/*.toml            fixed texts of a front end: English text -> translation (English needs none)

What a language lacks is English, and so is a file of it that cannot be used, which `unusable_words` tells. A new
language is a new folder; no code names one, but English as the last resort.
Modules: `language` (which there are, which is wanted), `tables` (reading), `form` (whether a file can be used),
`filling` (facts into templates), `values`, `errors`, `notes`, `names`, `help`, `labels`, `telling` (a job's log).
"""

from core.words.errors import bare, messages, sentence, word
from core.words.filling import fill
from core.words.help import help_text
from core.words.labels import counted, label
from core.words.language import PLAIN, chosen, known, languages, wanted_language
from core.words.names import field_name, kind_name, missing_name, phase_name, state_name, verdict_name
from core.words.notes import note_text
from core.words.tables import read_words, unusable_words
from core.words.telling import tell
from core.words.values import value_word

__all__ = [
    "PLAIN",
    "bare",
    "chosen",
    "counted",
    "field_name",
    "fill",
    "help_text",
    "kind_name",
    "known",
    "label",
    "languages",
    "messages",
    "missing_name",
    "note_text",
    "phase_name",
    "read_words",
    "sentence",
    "state_name",
    "tell",
    "unusable_words",
    "value_word",
    "verdict_name",
    "wanted_language",
    "word",
]
