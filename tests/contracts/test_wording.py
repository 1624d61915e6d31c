"""Every error code raised in core has words, and the words only use facts that the raise gives."""

import ast
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.base.errors import RKDeckError
from core.words import messages, word

ROOT = Path(__file__).parents[2]
ERRORS = {"RKDeckError", "UsageError", "RefusedError", "CancelledError"}


@dataclass(frozen=True)
class Raise:
    code: str
    facts: frozenset[str] | None  # None: given as **facts, unknown to this test
    where: str


def _raises() -> Iterator[Raise]:
    for path in sorted((ROOT / "core").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                not isinstance(node, ast.Call)
                or not isinstance(node.func, ast.Name)
                or node.func.id not in ERRORS
            ):
                continue
            first = node.args[0] if node.args else None
            if not (isinstance(first, ast.Constant) and isinstance(first.value, str)):
                continue
            names = [keyword.arg for keyword in node.keywords]
            facts = None if None in names else frozenset(name for name in names if name and name != "hint")
            yield Raise(first.value, facts, f"{path.relative_to(ROOT)}:{node.lineno}")


def _fields(template: str) -> set[str]:
    return {name.split(".")[0].split("[")[0] for _, name, _, _ in string.Formatter().parse(template) if name}


def test_codes_are_found_at_all() -> None:
    assert len({found.code for found in _raises()}) > 10


@pytest.mark.parametrize("found", list(_raises()), ids=lambda found: f"{found.code}@{found.where}")
def test_code_has_words_over_its_own_facts(found: Raise) -> None:
    assert found.code in messages(), f"{found.where}: no words for {found.code}"
    message, advice = messages()[found.code]
    if found.facts is not None:
        assert _fields(message) | _fields(advice) <= found.facts, found.where


@pytest.mark.parametrize("code", sorted(messages()))
def test_words_are_sentences(code: str) -> None:
    message, advice = messages()[code]
    for text in filter(None, (message, advice)):
        assert text[0].isupper() or text[0] in "`{", text
        assert text == text.strip(), text


def test_hostile_facts_are_shown_harmless() -> None:
    message, _ = word(RKDeckError("names.unsafe_path", path="\x1b[2Jx\u202e", why="{0}{x!r}"))
    assert "\x1b" not in message
    assert "\u202e" not in message
    assert "{0}{x!r}" in message


def test_unknown_code_still_speaks() -> None:
    assert "nobody.knows" in word(RKDeckError("nobody.knows", n=1))[0]
