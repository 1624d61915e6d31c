"""The command line's parser and its outermost frame: arguments in, exit code out."""

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from core.base.errors import CancelledError, RKDeckError, UsageError
from core.base.log import redact
from core.base.names import printable
from core.base.paths import AppPaths, resolve_home
from core.base.settings import load_settings
from core.cli.command import Command, Context, Tour
from core.cli.output import Output
from core.hub.pasted import read_model_id
from core.words import PLAIN, chosen, kind_name

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
        0 done, 1 failed, 2 usage, 3 refused by a check, 130 cancelled.
    """
    if not arguments:
        _parser(None).print_help(sys.stderr)
        return 0
    verb = next((argument for argument in arguments if argument in VERBS), None)
    command = _load(verb) if verb else None
    try:
        options = _parser(command).parse_args(arguments)
    except UsageError as error:
        Output(as_json="--json" in arguments, language=terminal_language(None)).error(error)
        return error.exit_code
    _read_pasted(options)
    assert command is not None  # without a verb the parser has raised or printed its help
    # Without a handler Python would print records to the terminal.
    logging.getLogger().addHandler(logging.NullHandler())
    as_json = getattr(options, "json", False)
    language = terminal_language(getattr(options, "home", None)) if not as_json else PLAIN
    output = Output(as_json=as_json, lines=command.lines, language=language)
    try:
        return _execute(command, options, output, tour)
    except RKDeckError as error:
        output.error(error)
        return error.exit_code
    except KeyboardInterrupt:
        output.error(CancelledError("cli.interrupted"))
        return CancelledError.exit_code
    except BrokenPipeError:
        # The reader (head, a closed terminal) left; Python must not complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE_EXIT


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


def _execute(command: Command, options: argparse.Namespace, output: Output, tour: Tour | None) -> int:
    if not command.needs_services:
        return _guarded(command, Context(options, output, None, tour))
    from core.services import Services

    paths = AppPaths(resolve_home(getattr(options, "home", None), os.environ))
    with Services.build(paths) as services:
        try:
            return _guarded(command, Context(options, output, services))
        finally:
            for record in services.interrupted:
                output.note(
                    output.tr(
                        "{kind} of {title} was interrupted earlier; go on with: rkdeck jobs resume {job}",
                        kind=kind_name(record.spec.kind, output.language),
                        title=printable(record.spec.title),
                        job=record.spec.id,
                    )
                )


def _guarded(command: Command, context: Context) -> int:
    """Run the command; what nobody expected goes to the log with its trace, and to the user in words."""
    try:
        return command.run(context)
    except (RKDeckError, BrokenPipeError):
        raise
    except KeyboardInterrupt:
        if context.services_or_none is not None:
            context.services_or_none.jobs.cancel_started()
        raise
    except Exception as error:
        logging.getLogger(__name__).exception("the command failed")
        raise RKDeckError("cli.fault", fault=type(error).__name__, text=redact(str(error))[:500]) from error


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
