"""The command line's parser and its outermost frame: arguments in, exit code out."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from core.base.errors import CancelledError, RKDeckError
from core.base.paths import AppPaths, resolve_home
from core.cli.command import Command, Context
from core.cli.output import Output

_MODULES = (
    "demo",
    "search",
    "estimate",
    "download",
    "library",
    "toolkit",
    "convert",
    "inspect",
    "board",
    "deploy",
    "deployments",
    "serve",
    "monitor",
    "jobs",
    "selftest",
)
_BROKEN_PIPE_EXIT = 141


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Returns:
        0 done, 1 failed, 2 usage, 3 refused by a check, 130 cancelled.
    """
    commands = [command for name in _MODULES for command in _load(name)]
    parser = _parser(commands)
    if not arguments:
        parser.print_help(sys.stderr)
        sys.stderr.write("\nThis RKDeck has no window yet; every stage works from here.\n")
        return 2
    options = parser.parse_args(arguments)
    command: Command = options.command
    output = Output(as_json=getattr(options, "json", False), lines=command.lines)
    try:
        return _execute(command, options, output)
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


def _execute(command: Command, options: argparse.Namespace, output: Output) -> int:
    if not command.needs_services:
        return command.run(Context(options, output, None))
    from core.services import Services

    paths = AppPaths(resolve_home(getattr(options, "home", None), os.environ))
    with Services.build(paths) as services:
        return command.run(Context(options, output, services))


def _load(name: str) -> Sequence[Command]:
    commands: Sequence[Command] = importlib.import_module(f"core.cli.commands.{name}").COMMANDS
    return commands


def _parser(commands: Sequence[Command]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rkdeck",
        description="From the Hugging Face Hub to a running, watched model on Rockchip boards.",
    )
    _common(parser)
    verbs = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in commands:
        verb = verbs.add_parser(command.name, help=command.help, description=command.help)
        _common(verb)
        command.configure(verb)
        verb.set_defaults(command=command)
    return parser


def _common(parser: argparse.ArgumentParser) -> None:
    # SUPPRESS lets the options stand before or after the verb without one default undoing the other.
    parser.add_argument("--home", metavar="DIR", default=argparse.SUPPRESS, help="RKDeck's home folder")
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="JSON on stdout")
