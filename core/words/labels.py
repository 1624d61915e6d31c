"""The fixed texts of the front ends: an English text is looked up in the language's `labels/*.toml`.

Chosen over Qt's .ts files and gettext's .mo, which need a compiled form beside them: see docs/decisions.md.
"""

from core.words.language import PLAIN, languages
from core.words.tables import labels


def label(text: str, language: str, /, **facts: object) -> str:
    """Translate an English text; `{name}` stands for a fact.

    One English word with two translations is told apart by what follows `@@`, which is never shown:
    `label("Download@@noun", "es")`.
    """
    found = text if language == PLAIN else labels(language).get(text, text)
    template = (found if isinstance(found, str) else found[-1]).partition("@@")[0]
    return template.format(**facts) if facts else template


def counted(one: str, many: str, count: int, language: str, /, **facts: object) -> str:
    """Translate a text that counts; `{n}` is the number.

    Args:
        one: the English text for exactly one.
        many: the English text for any other number; a language with other forms than English's two has a list of
            its forms under this one, in the order of its plural rule.
        count: the number.
        language: of the words.
        facts: that fill further places.
    """
    forms = [] if language == PLAIN else labels(language).get(many, [])
    if isinstance(forms, list) and forms:
        place = min(languages()[language].form(count), len(forms) - 1)
        return forms[place].format(n=count, **facts)
    return label(one if count == 1 else many, language, n=count, **facts)
