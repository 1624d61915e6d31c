"""Every fixed text of both front ends has its Spanish, with the same facts in it; no translation is left over."""

import ast
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FRONT_ENDS = sorted([*(ROOT / "gui").rglob("*.py"), *(ROOT / "core" / "cli").rglob("*.py")])
SPANISH = sorted((ROOT / "resources" / "translations" / "es" / "labels").glob("*.toml"))
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


def test_no_translation_is_left_over() -> None:
    assert sorted(set(_spanish()) - set(_used())) == []


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
