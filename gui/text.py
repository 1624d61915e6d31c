"""The window's words in the user's language, which is one for the whole process, as with Qt's own translator.

Words and their tables are `core.words`; here is only which language the window shows, and its fixed texts by `tr`.
"""

from core import words
from core.base.errors import RKDeckError


class _Language:
    """The language of this process."""

    code = words.PLAIN


def use_language(code: str) -> None:
    """Choose the language of all texts made from now on."""
    _Language.code = words.known(code)
    # Read now, 40 ms before there is a window, what else the first error would read while the user waits.
    words.read_words(_Language.code)
    words.messages(_Language.code, window=True)
    words.value_word("reason", "", _Language.code)


def language() -> str:
    """The language in use."""
    return _Language.code


def tr(text: str, /, **facts: object) -> str:
    """Translate an English text; `{name}` stands for a fact, `@@` ends what is shown (`core.words.labels`)."""
    return words.label(text, _Language.code, **facts)


def noop(text: str) -> str:
    """Mark a text that is translated later, where it is shown."""
    return text


def trn(one: str, many: str, count: int, /, **facts: object) -> str:
    """Translate a text that counts: `one` for exactly one, `many` else; `{n}` is the number."""
    return words.counted(one, many, count, _Language.code, **facts)


def word_error(error: RKDeckError) -> tuple[str, str]:
    """Return (message, hint) for an error, in the window's terms."""
    return words.word(error, _Language.code, window=True)
