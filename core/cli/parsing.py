"""The parser of the command line, in the language of who reads it: argparse's words are asked of RKDeck's tables.

What a verb and its arguments are for lies in `resources/translations/LANGUAGE/help.toml`, by their names here. An
argument's `help` in the code is nothing but what the data name (levels, platforms); its text shows that as {listed}.
"""

import argparse
import contextlib
import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, TypeVar, cast

from core.base.errors import UsageError
from core.base.foreign import MAX_WHOLE, decimal, digits
from core.base.names import printable
from core.cli.command import Command
from core.cli.output import Output
from core.words import PLAIN, counted, help_text, label

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

_COMMON = "rkdeck"
_MAX_WORD = 100  # characters of a mistyped word that are compared: the time grows with their square
_Read = TypeVar("_Read")
_language: ContextVar[str] = ContextVar("language", default=PLAIN)


def tr(text: str, /, **facts: object) -> str:
    """Return an English text of the parser in the language of the arguments that are read now."""
    return label(text, _language.get(), **facts)


@contextlib.contextmanager
def speaking(language: str) -> Iterator[None]:
    """Let argparse speak a language: it asks for its words by two names of gettext, and here our tables answer.

    gettext itself would want compiled catalogues on a disk, and would take its language from the environment alone.
    """
    asked = vars(argparse)
    own = {name: asked[name] for name in ("_", "ngettext")}
    token = _language.set(language)
    asked.update(_=tr, ngettext=_plural)
    try:
        yield
    finally:
        asked.update(own)
        _language.reset(token)


def needed(read: _Read | None, refusal: str) -> _Read:
    """What was read from an argument; where it is nothing, argparse says `refusal` after the argument's name."""
    if read is None:
        raise argparse.ArgumentTypeError(refusal)
    return read


def build(command: Command | None, verbs: Mapping[str, str], language: str) -> "Parser":
    """The parser: all verbs by their lines, and the arguments of the one that is called.

    Args:
        command: the verb that is called, None when none is.
        verbs: verb -> the module that has it.
        language: of the help.
    """
    parser = Parser(prog="rkdeck", description=help_text(_COMMON, "description", language))
    _common(parser)
    tell(parser, _COMMON, language)
    choice = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in verbs:
        line = help_text("verbs", name, language)
        verb = choice.add_parser(name, help=line, description=line)
        _common(verb)
        if command is not None and command.name == name:
            command.configure(verb)
            verb.set_defaults(command=command)
            tell(verb, name, language)
    return parser


def tell(parser: argparse.ArgumentParser, section: str, language: str) -> None:
    """Give each argument its text: the verb's own, or the one that all verbs share."""
    for action in arguments(parser):
        text = help_text(
            (section, _COMMON), action.dest, language, default=action.default, listed=action.help
        )
        action.help = text.replace("%", "%%")  # argparse fills it once more


def arguments(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The arguments of a parser that its help shows."""
    # argparse offers no other way to them.
    return [action for action in parser._actions if action.help != argparse.SUPPRESS]  # noqa: SLF001


class Parser(argparse.ArgumentParser):
    """Raises instead of ending the program, so that `--json` gets its error document."""

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments."""
        # argparse breaks and indents its lines, and a line break in a fact would be shown as what it is written like.
        usage = " ".join(self.format_usage().removeprefix(tr("usage: ")).split())
        raise UsageError("cli.usage", text=message, usage=usage)

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        """As `parse_args`; of an option that there is not, the nearest one is named."""
        found, rest = self.parse_known_args(arguments)
        if rest:
            mistyped = next((word for word in rest if word.startswith("-")), "").partition("=")[0]
            text = tr("unrecognized arguments: %s") % " ".join(rest)
            self.error(text + _nearest(mistyped, self.options()))
        return found

    def options(self) -> set[str]:
        """The options of this parser and of its verbs: only the verb that was called has its own."""
        options = set(self._option_string_actions)
        for action in self._actions:
            for parser in action.choices.values() if isinstance(action.choices, dict) else ():
                options |= parser.options()
        return options

    def _check_value(self, action: argparse.Action, value: Any) -> None:  # noqa: ANN401  # argparse's
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            error.message += _nearest(str(value), map(str, action.choices or ()))
            raise

    def _print_message(self, message: str, file: "SupportsWrite[str] | None" = None) -> None:
        # argparse lets Python flush at its end, where nobody can word what goes wrong.
        Output(as_json=False, out=cast("TextIO | None", file)).text(message.rstrip("\n"))


def _common(parser: argparse.ArgumentParser) -> None:
    # SUPPRESS lets the options stand before or after the verb without one default undoing the other.
    parser.add_argument("--home", metavar="DIR", default=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS)
    # argparse would name Python's types to the reader: "invalid int value".
    parser.register("type", int, _whole)
    parser.register("type", float, _decimal)


def _whole(text: str) -> int:
    return needed(digits(text, -MAX_WHOLE), tr("{text} is not a whole number", text=printable(text)))


def _decimal(text: str) -> float:
    return needed(decimal(text), tr("{text} is not a number", text=printable(text)))


def _nearest(word: str, known: Iterable[str]) -> str:
    """What may have been meant, behind the refusal of a word; empty where nothing known is like it."""
    found = difflib.get_close_matches(word[:_MAX_WORD], list(known), 1)
    return tr("; did you mean {word}?", word=found[0]) if found else ""


def _plural(one: str, many: str, count: int) -> str:
    return counted(one, many, count, _language.get())
