"""Every text of the window has its Spanish, with the same facts in it; no translation is left over."""

import ast
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUI = sorted((ROOT / "gui").rglob("*.py"))
SPANISH = sorted((ROOT / "resources" / "translations" / "es").glob("*.toml"))
# Worded by code or by template of the core, not by literals of the window (tests/gui/test_wording.py).
OTHER = {"errors.toml", "estimate.toml"}
COUNTED = {"tr": 1, "trn": 2}


def _literals(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        for argument in node.args[: COUNTED.get(node.func.id, 0)]:
            yield from ((text, node.lineno) for text in _texts(argument, path, node.lineno))


def _texts(argument: ast.expr, path: Path, line: int) -> Iterator[str]:
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        yield argument.value
    elif isinstance(argument, ast.IfExp):
        yield from _texts(argument.body, path, line)
        yield from _texts(argument.orelse, path, line)
    else:
        assert not isinstance(argument, ast.JoinedStr), f"{path}:{line}: an f-string cannot be translated"


def _used() -> dict[str, str]:
    found = {text: f"{path.relative_to(ROOT)}:{line}" for path in GUI for text, line in _literals(path)}
    # Texts that are data: titles of pages, nouns for kinds of jobs and the like, named where they are translated.
    from core.plans.kinds import ORDERS
    from gui.shell.window import PAGES

    kinds = {order.kind.words: "core/plans/kinds.py" for order in ORDERS}
    return found | {entry.title: "gui/shell/window.py" for entry in PAGES} | kinds | _declared()


def _declared() -> dict[str, str]:
    """Literals marked with `noop("...")`, translated later by a variable."""
    return {
        node.args[0].value: f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in GUI
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
        if file.name not in OTHER:
            found.update(tomllib.loads(file.read_text("utf-8")))
    return found


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_text_has_its_spanish() -> None:
    spanish = _spanish()
    missing = {text: where for text, where in _used().items() if text not in spanish}
    assert not missing


def test_no_translation_is_left_over() -> None:
    assert sorted(set(_spanish()) - set(_used())) == []


def test_translations_say_the_same_facts() -> None:
    for english, spanish in _spanish().items():
        assert _fields(english.partition("@@")[0]) == _fields(spanish), english


@pytest.mark.parametrize(
    "file", [file for file in SPANISH if file.name not in OTHER], ids=lambda file: file.name
)
def test_translations_are_not_empty_and_keep_their_edges(file: Path) -> None:
    for english, spanish in tomllib.loads(file.read_text("utf-8")).items():
        assert spanish.strip()
        shown = english.partition("@@")[0]
        assert (shown[:1].isspace(), shown[-1:].isspace()) == (
            spanish[:1].isspace(),
            spanish[-1:].isspace(),
        ), english
