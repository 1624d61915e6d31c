"""The parser of the command line, in the language of who reads it: argparse's words are asked of RKDeck's tables.

What a verb and its arguments are for lies in `resources/translations/LANGUAGE/help.toml`, by their names here. An
argument's `help` in the code is nothing but what the data name (levels, platforms); its text shows that as {listed}.
"""

import argparse
import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, NoReturn, TextIO, TypeVar, cast

from core.base.errors import UsageError
from core.base.names import printable
from core.cli.command import Command
from core.cli.output import Output
from core.words import PLAIN, counted, help_text, label

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

_COMMON = "rkdeck"
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


def build(command: Command | None, verbs: Mapping[str, str], language: str) -> argparse.ArgumentParser:
    """The parser: all verbs by their lines, and the arguments of the one that is called.

    Args:
        command: the verb that is called, None when none is.
        verbs: verb -> the module that has it.
        language: of the help.
    """
    parser = _Parser(prog="rkdeck", description=help_text(_COMMON, "description", language))
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


class _Parser(argparse.ArgumentParser):
    """Raises instead of ending the program, so that `--json` gets its error document."""

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments."""
        # argparse breaks and indents its lines, and a line break in a fact would be shown as what it is written like.
        usage = " ".join(self.format_usage().removeprefix(tr("usage: ")).split())
        raise UsageError("cli.usage", text=message, usage=usage)

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
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(tr("{text} is not a whole number", text=printable(text))) from None


def _decimal(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(tr("{text} is not a number", text=printable(text))) from None


def _plural(one: str, many: str, count: int) -> str:
    return counted(one, many, count, _language.get())
