"""Every command that the words tell to give is given, in both languages, and none ends with a usage error."""

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.errors import UsageError
from core.cli.main import run as rkdeck
from core.words import languages
from tests.support.every_verb import JOB, NOWHERE
from tests.support.odd_shells import House, build_house
from tests.support.sshd import ROOT

# Between backticks, or the rest of the sentence behind "rkdeck" and a verb.
_QUOTED = re.compile(r"`(rkdeck[^`]*)`")
_PART = r"(?:[a-z]+(?= [A-Z{/])|--?[a-z-]+|[A-Z{][\w{}@]*|/\S+|\.{3}|[a-z]+@[\d.]+)"
_BARE = re.compile(rf"(?<![`\w./-])(rkdeck (?:[a-z]+|--help)(?: {_PART})*)")
_WORD = re.compile(r"\{(\w+)\}|\b[A-Z]+(?:@[A-Z]+)?\b|\.\.\.")
# What stands for a thing of one's own, and what a message fills in.
_OWN = {
    "JOB": JOB, "BOARD": "desk", "NAME": "desk", "USER@HOST": f"me@{NOWHERE}", "ADDRESS": f"me@{NOWHERE}",
    "FILE": "@weights@", "MODEL": "@model@", "FOLDER": "@model@", "DIR": "/models", "PYTHON": "/bin/false",
    "REPO": "somebody/something", "QUERY": "qwen", "P": "rk3588", "D": "w8a8", "...": f"desk me@{NOWHERE}",
}  # fmt: skip
_FILLED = {
    "job": JOB, "board": "desk", "name": "desk", "known": "desk", "address": f"me@{NOWHERE}", "host": "127.0.0.1",
    "python": "/bin/false", "model": "somebody/something", "repo": "somebody/something", "file": "@weights@",
    "soc": "rk3588", "platform": "rk3588", "release": "1.2.3", "remedy": "library", "fingerprint": "SHA256:x",
}  # fmt: skip
_EXAMPLE = re.compile(r"/\S+/bin/python\b")
# They open a window, or build a whole board of their own (tests/e2e/test_demo.py).
_NOT_GIVEN = {"rkdeck", "rkdeck demo", "rkdeck demo --headless"}
# What the command says rightly in a house without a toolkit.
_HOUSE_LACKS = {"convert.no_toolkit"}


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def commands(text: str) -> set[str]:
    """The commands in one text."""
    quoted = set(_QUOTED.findall(text))
    return quoted | set(_BARE.findall(_QUOTED.sub("", text)))


def advised(language: str) -> dict[str, str]:
    """Each command that the words of a language hold, with one place where it stands."""
    found: dict[str, str] = {}
    for file in sorted((ROOT / "resources" / "translations" / language).rglob("*.toml")):
        for text in _strings(tomllib.loads(file.read_text("utf-8"))):
            found |= dict.fromkeys(commands(text), f"{language}/{file.name}: {text}")
    return {command: where for command, where in found.items() if command not in _NOT_GIVEN}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return build_house(tmp_path_factory.mktemp("house"))


def _filled(match: re.Match[str]) -> str:
    return _FILLED[match[1]] if match[1] else _OWN[match[0]]


def given(command: str, house: House) -> list[str]:
    """The command as somebody types it who has what it speaks of."""
    typed = _WORD.sub(_filled, command).replace("board add desk", "board add other")
    typed = _EXAMPLE.sub("/bin/false", typed)
    typed = typed.replace("@weights@", str(house.model / "model.safetensors"))
    typed = re.sub(r"/\S+/bin/python", "/bin/false", typed)  # of an environment there is not
    return shlex.split(typed.replace("@model@", str(house.model)))[1:]


@pytest.mark.parametrize("language", languages())
def test_every_command_in_the_words_can_be_given(
    language: str,
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", f"http://{NOWHERE}")
    monkeypatch.setenv("LC_ALL", "C")
    wrong: list[str] = []
    found = advised(language)
    assert len(found) > 30
    for number, (command, where) in enumerate(found.items()):
        home = house.copy(tmp_path / str(number)).home
        arguments = given(command, house)
        try:
            code = rkdeck([*arguments, "--json", "--home", str(home)])
        except SystemExit as ended:  # --help
            code = int(ended.code or 0)
        told = capsys.readouterr()
        if code == UsageError.exit_code and json.loads(told.out)["error"]["code"] not in _HOUSE_LACKS:
            wrong.append(f"{command!r} of {where!r}: {told.err}")
    assert not wrong, "\n".join(wrong)
