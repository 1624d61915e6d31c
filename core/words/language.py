"""Which languages there are, and which one is wanted."""

import logging
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_log = logging.getLogger(__name__)
PLAIN = "en"
_NAME = re.compile(r"[a-z]{2,3}(?:_[A-Za-z0-9]{2,8})?\Z")
# POSIX: the first that is set and not empty counts (XBD 8.2).
_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")


@dataclass(frozen=True, slots=True)
class Language:
    """A language as its folder tells it.

    Attributes:
        code: the folder's name: `es`, `pt_BR`.
        name: in its own words.
        plural: conditions on the number for each form of a counted text, in order; the last form has none.
    """

    code: str
    name: str
    plural: tuple[Mapping[str, list[int]], ...]

    def form(self, count: int) -> int:
        """Return the place of the form for a number, from 0."""
        return next((place for place, rule in enumerate(self.plural) if _meets(count, rule)), 0)


def folder() -> "Traversable":
    """The folder with a folder for each language."""
    import importlib.resources  # 8 ms, which a command that words nothing need not spend

    return importlib.resources.files("resources") / "translations"


@cache
def languages() -> Mapping[str, Language]:
    """All languages by their codes: English first, then by code; a half-made folder is left out."""
    found = [
        language
        for entry in folder().iterdir()
        if _NAME.match(entry.name) and (entry / "language.toml").is_file()
        if (language := _language(entry)) is not None
    ]
    return {
        language.code: language for language in sorted(found, key=lambda one: (one.code != PLAIN, one.code))
    }


def known(wanted: str) -> str:
    """Return the code of the language that serves a locale's name: `es_MX.UTF-8` is `es`; unknown is English."""
    code = re.split(r"[.@]", wanted.replace("-", "_"))[0]
    short = code.partition("_")[0].lower()
    if short in {PLAIN, "c", "posix", ""}:
        return PLAIN  # without a look at the folders: the common case of the command line
    return next((name for name in (code, short) if name in languages()), PLAIN)


def chosen(setting: str, environ: Mapping[str, str]) -> str:
    """Return the language of a terminal: the setting's, else the environment's (LC_ALL, LC_MESSAGES, LANG).

    Args:
        setting: a language's code; empty = as the system.
        environ: the process's environment.
    """
    return known(setting or next((value for name in _VARIABLES if (value := environ.get(name))), PLAIN))


def _language(entry: "Traversable") -> Language | None:
    try:
        table: dict[str, Any] = tomllib.loads((entry / "language.toml").read_text("utf-8"))
        return Language(entry.name, str(table["name"]), tuple(dict(rule) for rule in table["plural"]))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        # Somebody may be in the middle of writing it; the other languages need not wait for that.
        _log.warning("the language %s is left out, its language.toml: %r", entry.name, error)
        return None


def _meets(count: int, rule: Mapping[str, list[int]]) -> bool:
    met = {
        "n": lambda numbers: count in numbers,
        "mod10": lambda numbers: count % 10 in numbers,
        "mod100": lambda numbers: count % 100 in numbers,
        "not_mod100": lambda numbers: count % 100 not in numbers,
    }
    return all(met[condition](numbers) for condition, numbers in rule.items())
