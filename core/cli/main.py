"""The command line's parser and its outermost frame: arguments in, exit code out."""

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn, TextIO, cast

from core.base.descriptors import settle, stand_ready
from core.base.errors import CancelledError, RKDeckError, UsageError
from core.base.log import redact
from core.base.names import printable
from core.base.paths import AppPaths, resolve_home
from core.base.settings import load_settings
from core.base.trouble import system_said
from core.cli.command import Command, Context, Tour
from core.cli.output import Output
from core.hub.pasted import read_model_id
from core.words import chosen, kind_name

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

    from core.jobs.model import JobRecord

# Verb -> the module of core.cli.commands that has it, and its line in the help. Only the module of the verb
# that was asked for is imported: `rkdeck estimate` should not wait for an SSH library.
VERBS: dict[str, tuple[str, str]] = {
    "demo": ("demo", "the whole path on the built-in hub, board and toolkit stand-in"),
    "search": ("search", "search models on the Hub"),
    "estimate": ("estimate", "estimate memory, size and speed per quantization level"),
    "download": ("download", "download a model from the Hub"),
    "library": ("library", "list, add, remove or verify the models on this computer"),
    "toolkit": ("toolkit", "list or add rkllm-toolkit environments"),
    "convert": ("convert", "convert a model with rkllm-toolkit"),
    "analyze": ("analyze", "tell what fewer bits do to a model's weights"),
    "perplexity": ("perplexity", "measure what fewer bits cost a model: perplexity per level"),
    "inspect": ("inspect", "tell what a model file is, also on the Hub"),
    "board": ("board", "add, list, probe or remove boards"),
    "doctor": ("doctor", "tell what a board can run and what to do about the rest"),
    "deploy": ("deploy", "send a model to boards, verified, and make it live"),
    "deployments": ("deploy", "list what a board holds"),
    "rollback": ("deploy", "go back to the version before"),
    "undeploy": ("deploy", "remove a deployment from a board"),
    "adopt": ("deploy", "make a model file on a board a deployment without sending it"),
    "prune": ("deploy", "remove old versions from a board"),
    "serve": ("serve", "start serving a deployed model"),
    "stop": ("serve", "stop what a board serves"),
    "chat": ("serve", "ask the served model"),
    "monitor": ("monitor", "watch boards: NPU, memory, clocks, temperature"),
    "jobs": ("jobs", "list, show, follow, cancel, resume or retry jobs"),
    "selftest": ("selftest", "check this installation"),
}
_BROKEN_PIPE_EXIT = 141


def run(arguments: Sequence[str], tour: Tour | None = None) -> int:
    """Run one command.

    Args:
        arguments: after the program's name.
        tour: drives the window through the demo, given by the front end that has one.

    Returns:
        0 done, 1 failed, 2 usage, 3 refused by a check, 130 cancelled, 141 when who read the result left.
    """
    stand_ready()
    # Without a handler Python would print records to the terminal.
    logging.getLogger().addHandler(logging.NullHandler())
    call = _Call(arguments, tour)
    try:
        return call.run()
    except BrokenPipeError:
        return _BROKEN_PIPE_EXIT  # the reader (head, a closed terminal) left
    finally:
        settle()


class _Call:
    """One call from its arguments to its exit code: nothing of it is outside the guard that words errors."""

    def __init__(self, arguments: Sequence[str], tour: Tour | None) -> None:
        self._arguments = arguments
        self._tour = tour
        self._output = Output(as_json="--json" in arguments)

    def run(self) -> int:
        """Run it.

        Raises:
            BrokenPipeError: when who reads standard output left.
        """
        try:
            return self._run()
        except BrokenPipeError:
            raise
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # the outermost frame
            told = _worded(error)
            self._output.error(told)
            return told.exit_code

    def _run(self) -> int:
        if not self._arguments:
            _parser(None).print_help(sys.stderr)
            return 0
        self._output = Output(as_json=self._output.json, language=terminal_language(None))
        verb = next((argument for argument in self._arguments if argument in VERBS), None)
        command = _load(verb) if verb else None
        options = _parser(command).parse_args(self._arguments)
        _read_pasted(options)
        assert command is not None  # without a verb the parser has raised or printed its help
        language = terminal_language(getattr(options, "home", None))
        self._output = Output(as_json=getattr(options, "json", False), lines=command.lines, language=language)
        return self._execute(command, options)

    def _execute(self, command: Command, options: argparse.Namespace) -> int:
        if not command.needs_services:
            return command.run(Context(options, self._output, None, self._tour))
        from core.cli.following import HubCountdown
        from core.hub.waiting import HubWait
        from core.services import Services

        paths = AppPaths(resolve_home(getattr(options, "home", None), os.environ))
        with Services.build(paths) as services:
            countdown = HubCountdown(self._output)
            services.events.subscribe(HubWait, countdown.show)
            try:
                return _guarded(command, Context(options, self._output, services))
            finally:
                for record in services.interrupted:
                    self._note_interrupted(record)

    def _note_interrupted(self, record: "JobRecord") -> None:
        self._output.note(
            self._output.tr(
                "{kind} of {title} was interrupted earlier; go on with: rkdeck jobs resume {job}",
                kind=kind_name(record.spec.kind, self._output.language),
                title=printable(record.spec.title),
                job=record.spec.id,
            )
        )


def terminal_language(home: str | None) -> str:
    """Return the language of what people read at a terminal: the setting's, else the environment's.

    Args:
        home: as `--home` gives it.
    """
    try:
        setting = load_settings(AppPaths(resolve_home(home, os.environ)).settings_file).language
    except (RKDeckError, OSError):
        setting = ""  # the command itself tells what is wrong with the file
    return chosen(setting, os.environ)


def _read_pasted(options: argparse.Namespace) -> None:
    """Take the name of a model as people paste it; a path stays as it is."""
    for name in ("model", "repo", "query", "file"):
        text = getattr(options, name, None)
        if isinstance(text, str) and not text.startswith((".", "/", "~")):
            setattr(options, name, read_model_id(text))


def _guarded(command: Command, context: Context) -> int:
    """Run the command; what nobody expected goes to the log with its trace, and to the user in words."""
    try:
        return command.run(context)
    except (RKDeckError, BrokenPipeError):
        raise
    except KeyboardInterrupt:
        context.services.jobs.cancel_started()
        raise
    except Exception as error:
        logging.getLogger(__name__).exception("the command failed")
        raise system_said(error) or _fault("cli.fault", error) from error


def _worded(error: BaseException) -> RKDeckError:
    """The error as it is told; the log is not open any more, or not yet."""
    if isinstance(error, RKDeckError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return CancelledError("cli.interrupted")
    return system_said(error) or _fault("cli.fault_outside", error)


def _fault(code: str, error: BaseException) -> RKDeckError:
    return RKDeckError(code, fault=type(error).__name__, text=redact(str(error))[:500])


def _load(verb: str) -> Command:
    module = importlib.import_module(f"core.cli.commands.{VERBS[verb][0]}")
    commands: Sequence[Command] = module.COMMANDS
    return next(command for command in commands if command.name == verb)


class _Parser(argparse.ArgumentParser):
    """Raises instead of ending the program, so that `--json` gets its error document."""

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments."""
        # argparse breaks and indents its lines, and a line break in a fact would be shown as what it is written like.
        usage = " ".join(self.format_usage().removeprefix("usage: ").split())
        raise UsageError("cli.usage", text=message, usage=usage)

    def _print_message(self, message: str, file: "SupportsWrite[str] | None" = None) -> None:
        # argparse lets Python flush at its end, where nobody can word what goes wrong.
        Output(as_json=False, out=cast("TextIO | None", file)).text(message.rstrip("\n"))


def _parser(command: Command | None) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="rkdeck",
        description="From the Hugging Face Hub to a running, watched model on Rockchip boards.",
    )
    _common(parser)
    verbs = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (_, text) in VERBS.items():
        verb = verbs.add_parser(name, help=text, description=text)
        _common(verb)
        if command is not None and command.name == name:
            command.configure(verb)
            verb.set_defaults(command=command)
    return parser


def _common(parser: argparse.ArgumentParser) -> None:
    # SUPPRESS lets the options stand before or after the verb without one default undoing the other.
    parser.add_argument("--home", metavar="DIR", default=argparse.SUPPRESS, help="RKDeck's home folder")
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="JSON on stdout")
