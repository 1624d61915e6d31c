"""The window's words in the user's language: `tr` looks an English text up in resources/translations.

A table per language and area (`es/discover.toml`: English text = translation). Chosen over Qt's .ts files, which
need a compiled form beside them: see docs/decisions.md. Qt's own words (dialog buttons) come from Qt's catalogue.
"""

import tomllib
from functools import cache
from importlib import resources

LANGUAGES = {"en": "English", "es": "Español"}
_WORDING_FILES = {"errors.toml"}


class _Language:
    """The language of this process: a window shows one at a time, as Qt's own translator does."""

    code = "en"


def use_language(code: str) -> None:
    """Choose the language of all texts made from now on."""
    _Language.code = code if code in LANGUAGES else "en"


def language() -> str:
    """The language in use."""
    return _Language.code


def tr(text: str, /, **facts: object) -> str:
    """Translate an English text; `{name}` stands for a fact.

    One English word with two translations is told apart by what follows `@@`, which is never shown:
    `tr("Download@@noun")`.
    """
    template = catalogue(_Language.code).get(text, text).partition("@@")[0]
    return template.format(**facts) if facts else template


def noop(text: str) -> str:
    """Mark a text that is translated later, where it is shown."""
    return text


def trn(one: str, many: str, count: int, /, **facts: object) -> str:
    """Translate a text that counts: `one` for exactly one, `many` else; `{n}` is the number."""
    return tr(one if count == 1 else many, n=count, **facts)


@cache
def catalogue(code: str) -> dict[str, str]:
    """All texts of a language, the areas joined."""
    if code == "en":
        return {}
    found: dict[str, str] = {}
    for file in (resources.files("resources") / "translations" / code).iterdir():
        if file.name.endswith(".toml") and file.name not in _WORDING_FILES:
            found.update(tomllib.loads(file.read_text("utf-8")))
    return found
