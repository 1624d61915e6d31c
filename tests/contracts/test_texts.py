"""Every fixed text of both front ends has its Spanish, with the same facts in it; no translation is left over."""

import argparse
import ast
import inspect
import re
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.cli.main import run as rkdeck

ROOT = Path(__file__).parents[2]
FRONT_ENDS = sorted([*(ROOT / "gui").rglob("*.py"), *(ROOT / "core" / "cli").rglob("*.py")])
SPANISH = sorted((ROOT / "resources" / "translations" / "es" / "labels").glob("*.toml"))
ARGPARSE = ROOT / "resources" / "translations" / "es" / "labels" / "argparse.toml"
# What argparse says of a wrong parser, which reaches nobody, and of what RKDeck's parser has not.
_PROGRAMMERS = (
    ".__call__()", "conflicting", "cannot merge", "'required' is", "invalid option string", "dest= is",
    "%r is not callable", "invalid conflict_resolution", "mutually exclusive", "cannot have multiple", 'argument "-"',
    "can't open", "%(prog)s", "is deprecated", "%(heading)s", "%(default)s", "subcommands", "program's version",
)  # fmt: skip
COUNTED = {"tr": 1, "trn": 2}


def _literals(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            for argument in node.args[: COUNTED.get(_called(node), 0)]:
                yield from ((text, node.lineno) for text in _texts(argument, path, node.lineno))
        for text in _headers(node) if "cli" in path.parts else ():
            yield text, getattr(node, "lineno", 0)


def _called(node: ast.Call) -> str:
    """`tr` of `tr(...)` and of `output.tr(...)`."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _headers(node: ast.AST) -> Iterator[str]:
    """The columns of a table: the first argument of `output.table`, or a tuple called `header` on its way there."""
    found: ast.expr | None = None
    if isinstance(node, ast.Call) and _called(node) == "table":
        found = node.args[0]
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        found = node.value if getattr(target, "id", "") in {"header", "perplexity"} else None
    for part in ast.walk(found) if found is not None else ():
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value:
            yield part.value


def _texts(argument: ast.expr, path: Path, line: int) -> Iterator[str]:
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        yield argument.value
    elif isinstance(argument, ast.IfExp):
        yield from _texts(argument.body, path, line)
        yield from _texts(argument.orelse, path, line)
    else:
        assert not isinstance(argument, ast.JoinedStr), f"{path}:{line}: an f-string cannot be translated"


def _used() -> dict[str, str]:
    found = {
        text: f"{path.relative_to(ROOT)}:{line}" for path in FRONT_ENDS for text, line in _literals(path)
    }
    # Texts that are data: titles of pages and the like, named where they are translated.
    from gui.shell.window import PAGES

    return found | {entry.title: "gui/shell/window.py" for entry in PAGES} | _declared()


def _declared() -> dict[str, str]:
    """Literals marked with `noop("...")`, translated later by a variable."""
    return {
        node.args[0].value: f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in FRONT_ENDS
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "noop"
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }


def _spanish() -> dict[str, str]:
    found: dict[str, str] = {}
    for file in SPANISH:
        found.update(tomllib.loads(file.read_text("utf-8")))
    return found


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_text_has_its_spanish() -> None:
    spanish = _spanish()
    missing = {text: where for text, where in _used().items() if text not in spanish}
    assert not missing


def _argparse() -> set[str]:
    """What argparse of this Python may say to a person."""
    return {
        text.value
        for node in ast.walk(ast.parse(inspect.getsource(argparse)))
        if isinstance(node, ast.Call) and _called(node) in {"_", "ngettext"}
        for text in node.args[:2]
        if isinstance(text, ast.Constant) and isinstance(text.value, str)
        if not any(part in text.value for part in _PROGRAMMERS)
    }


def test_a_wrong_command_is_refused_without_a_word_of_english(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("LC_ALL", "es_ES.UTF-8")
    wrong = [
        ["dance"], ["jobs", "dance"], ["estimate"], ["estimate", "x", "--context", "many"],
        ["estimate", "x", "--p", "1"],
        ["estimate", "x", "--context"], ["estimate", "x", "--dance"], ["monitor"], ["deploy", "x", "y", "--limit", "z"],
        ["estimate", "x", "--board", "b", "--platform", "p"], ["jobs", "--follow=1"], ["prune", "x", "--keep", "z"],
    ]  # fmt: skip
    english = [
        re.sub(r"%\(?\w*\)?[srd]|\{text\}|['\"]", " ", text) for text in _argparse() | set(_parser_texts())
    ]
    parts = {part.strip(" :(),") for text in english for part in text.split("  ")} - {""}
    for arguments in wrong:
        assert rkdeck([*arguments, "--home", str(tmp_path)]) == 2
        told = capsys.readouterr().err
        assert [part for part in parts if len(part.split()) > 1 and part in told] == [], told
        assert "usage" not in told, told


def _parser_texts() -> list[str]:
    return list(tomllib.loads(ARGPARSE.read_text("utf-8")))


def test_no_translation_is_left_over() -> None:
    # What argparse says differs between Pythons.
    assert sorted(set(_spanish()) - set(_used()) - set(_parser_texts())) == []


def test_every_word_of_the_arguments_parser_has_its_spanish() -> None:
    assert len(_argparse()) > 15
    assert sorted(_argparse() - set(_parser_texts())) == []


def test_translations_say_the_same_facts() -> None:
    for english, spanish in _spanish().items():
        assert _fields(english.partition("@@")[0]) == _fields(spanish), english


@pytest.mark.parametrize("file", SPANISH, ids=lambda file: file.name)
def test_translations_are_not_empty_and_keep_their_edges(file: Path) -> None:
    for english, spanish in tomllib.loads(file.read_text("utf-8")).items():
        assert spanish.strip()
        shown = english.partition("@@")[0]
        assert (shown[:1].isspace(), shown[-1:].isspace()) == (
            spanish[:1].isspace(),
            spanish[-1:].isspace(),
        ), english
