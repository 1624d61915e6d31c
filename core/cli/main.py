"""The command line's parser and its outermost frame: arguments in, exit code out."""

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.base.blot import holds_secret
from core.base.descriptors import settle, stand_ready
from core.base.errors import CancelledError, RKDeckError
from core.base.log import redact
from core.base.names import printable
from core.base.paths import AppPaths, resolve_home
from core.base.settings_file import load_settings
from core.base.trouble import system_said
from core.cli.command import Command, Context, Tour
from core.cli.output import Output
from core.cli.parsing import build, speaking
from core.hub.pasted import read_model_id
from core.words import PLAIN, kind_name, known, unusable_words, wanted_language, word

if TYPE_CHECKING:
    from core.jobs.model import JobRecord

# Verb -> the module of core.cli.commands that has it. Only the module of the verb that was asked for is imported:
# `rkdeck estimate` should not wait for an SSH library.
VERBS: dict[str, str] = {
    "demo": "demo",
    "search": "search",
    "estimate": "estimate",
    "download": "download",
    "library": "library",
    "toolkit": "toolkit",
    "convert": "convert",
    "analyze": "analyze",
    "perplexity": "perplexity",
    "inspect": "inspect",
    "board": "board",
    "doctor": "doctor",
    "deploy": "deploy",
    "deployments": "deploy",
    "rollback": "deploy",
    "undeploy": "deploy",
    "adopt": "deploy",
    "prune": "deploy",
    "serve": "serve",
    "stop": "serve",
    "chat": "serve",
    "monitor": "monitor",
    "jobs": "jobs",
    "selftest": "selftest",
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
        self._wanted = PLAIN

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
        finally:
            self._tell_words()

    def _tell_words(self) -> None:
        """Say which words are English because the language's own cannot be used."""
        for error in () if self._output.json else unusable_words(self._wanted):
            self._output.note("rkdeck: " + " ".join(word(error, self._output.language)))

    def _run(self) -> int:
        self._wanted = _wanted(_home(self._arguments))
        self._output = Output(as_json=self._output.json, language=known(self._wanted))
        verb = next((argument for argument in self._arguments if argument in VERBS), None)
        command = _load(verb) if verb else None
        with speaking(self._output.language):
            parser = build(command, VERBS, self._output.language)
            if not self._arguments:
                parser.print_help(sys.stderr)
                return 0
            options = parser.read(self._arguments)
        secret = _read_pasted(options)
        assert command is not None  # without a verb the parser has raised or printed its help
        self._wanted = _wanted(getattr(options, "home", None))
        self._output = Output(
            as_json=getattr(options, "json", False), lines=command.lines, language=known(self._wanted)
        )
        if secret:
            self._output.note(
                self._output.tr(
                    "rkdeck: a token or password in what was given is not used, and whoever read it may use it: revoke "
                    "it. Give a token in HF_TOKEN."
                )
            )
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
    return known(_wanted(home))


def _wanted(home: str | None) -> str:
    try:
        setting = load_settings(AppPaths(resolve_home(home, os.environ)).settings_file).language
    except (RKDeckError, OSError):
        setting = ""  # the command itself tells what is wrong with the file
    return wanted_language(setting, os.environ)


def _home(arguments: Sequence[str]) -> str | None:
    """What `--home` says before anything is parsed: its settings tell the language of the parser."""
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if argument == "--home" or argument.startswith("--home="):
            return argument.partition("=")[2] or following or None
    return None


def _read_pasted(options: argparse.Namespace) -> bool:
    """Take the name of a model as people paste it; a path stays as it is. Returns whether a secret was read over."""
    secret = False
    for name, or_path in (("model", True), ("repo", False), ("query", False), ("file", True)):
        text = getattr(options, name, None)
        if isinstance(text, str) and not (
            or_path and (text.startswith((".", "/", "~")) or os.path.lexists(text))
        ):
            setattr(options, name, read_model_id(text))
            secret = secret or holds_secret(text)
    return secret


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
    module = importlib.import_module(f"core.cli.commands.{VERBS[verb]}")
    commands: Sequence[Command] = module.COMMANDS
    return next(command for command in commands if command.name == verb)
