"""Which languages there are, and which one is wanted."""

import logging
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from core.base.errors import JsonValue, RKDeckError
from core.base.notes import note
from core.base.trouble import reason_of

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
def _survey() -> tuple[Mapping[str, Language], Mapping[str, RKDeckError]]:
    """The languages that can be used, and why the others cannot."""
    found, unusable = [], {}
    for entry in folder().iterdir():
        if not _NAME.match(entry.name) or not (entry / "language.toml").is_file():
            continue
        try:
            found.append(_language(entry))
        except RKDeckError as error:
            # Somebody may be in the middle of writing it; the other languages need not wait for that.
            _log.warning("the language %s is left out: %s", entry.name, error)
            unusable[entry.name] = error
    ordered = sorted(found, key=lambda one: (one.code != PLAIN, one.code))
    return {language.code: language for language in ordered}, unusable


def languages() -> Mapping[str, Language]:
    """All languages by their codes: English first, then by code; one that cannot be used is left out."""
    return _survey()[0]


def left_out(wanted: str) -> RKDeckError | None:
    """Why the language that a locale's name asks for is left out (`words.language_unusable`); None when it is not."""
    names = _names(wanted)
    return (
        None if names is None else next((_survey()[1][name] for name in names if name in _survey()[1]), None)
    )


def forget() -> None:
    """Forget which languages there are: the folder has changed."""
    _survey.cache_clear()


def known(wanted: str) -> str:
    """Return the code of the language that serves a locale's name: `es_MX.UTF-8` is `es`; unknown is English."""
    # Without a look at the folders for English: the common case of the command line.
    return next((name for name in _names(wanted) or () if name in languages()), PLAIN)


def _names(wanted: str) -> tuple[str, str] | None:
    """The folders that a locale's name may mean, the nearer first; None for English."""
    code = re.split(r"[.@]", wanted.replace("-", "_"))[0]
    short = code.partition("_")[0].lower()
    return None if short in {PLAIN, "c", "posix", ""} else (code, short)


def wanted_language(setting: str, environ: Mapping[str, str]) -> str:
    """Return what names the language of a terminal: the setting, else the environment (LC_ALL, LC_MESSAGES, LANG).

    Args:
        setting: a language's code; empty = as the system.
        environ: the process's environment.
    """
    return setting or next((value for name in _VARIABLES if (value := environ.get(name))), PLAIN)


def chosen(setting: str, environ: Mapping[str, str]) -> str:
    """Return the language of a terminal, with the arguments of `wanted_language`."""
    return known(wanted_language(setting, environ))


def _language(entry: "Traversable") -> Language:
    file = entry / "language.toml"
    try:
        table: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
        return Language(entry.name, str(table["name"]), tuple(dict(rule) for rule in table["plural"]))
    except (KeyError, TypeError) as error:
        problem = note("no_language").to_json()
        raise _unusable(entry.name, str(file), problem) from error
    except (OSError, ValueError, RecursionError) as error:
        raise _unusable(entry.name, str(file), reason_of(error)) from error


def _unusable(code: str, file: str, problem: JsonValue) -> RKDeckError:
    return RKDeckError("words.language_unusable", language=code, file=file, problem=problem)


def _meets(count: int, rule: Mapping[str, list[int]]) -> bool:
    met = {
        "n": lambda numbers: count in numbers,
        "mod10": lambda numbers: count % 10 in numbers,
        "mod100": lambda numbers: count % 100 in numbers,
        "not_mod100": lambda numbers: count % 100 not in numbers,
    }
    return all(met[condition](numbers) for condition, numbers in rule.items())
