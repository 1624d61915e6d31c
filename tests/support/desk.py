"""Somebody at a terminal who is told what to do, and does it as it stands there."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.cli.main import run as rkdeck

# Between backticks, or the rest of the sentence.
_COMMAND = re.compile(r"(?:`rkdeck |(?<![`\w./-])rkdeck )([^`\n;]*[^`\n;.])")


@dataclass
class Desk:
    """Somebody at a terminal, who does what it says.

    Attributes:
        home: of RKDeck.
        capsys: what reads the terminal.
    """

    home: Path
    capsys: pytest.CaptureFixture[str]

    def call(self, *arguments: str) -> dict[str, object]:
        """The last JSON document of a call that has to end well."""
        code, told = self._run(arguments)
        assert code == 0, told
        return told

    def fault(self, code: str, *arguments: str) -> str:
        """The hint of a call that has to fail so."""
        status, told = self._run(arguments)
        error = told.get("error")
        assert isinstance(error, dict), told
        assert (error["code"], status != 0) == (code, True)
        return str(error["hint"])

    def advised(self, hint: str, begin: str, *more: str, **own: str) -> dict[str, object]:
        """Give the command of a hint that begins so, with what capitals stand for; it has to end well."""
        return self.call(*self.command(hint, begin, **own), *more)

    def command(self, hint: str, begin: str, **own: str) -> list[str]:
        """The words behind `rkdeck` of a hint's command that begins so, with what capitals stand for."""
        names = {word.replace("_", "@"): value for word, value in own.items()}
        commands = [text for text in _COMMAND.findall(hint) if text.startswith(begin)]
        assert commands, hint
        return [names.get(word, word) for word in shlex.split(commands[0])]

    def _run(self, arguments: tuple[str, ...]) -> tuple[int, dict[str, object]]:
        code = rkdeck([*arguments, "--json", "--home", str(self.home)])
        told = json.loads(self.capsys.readouterr().out.splitlines()[-1])
        assert isinstance(told, dict)
        return code, told
