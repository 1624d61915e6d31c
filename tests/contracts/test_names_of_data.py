"""No rule reads a meaning out of a dtype's or a platform's name: it asks the record that the data file fills.

What is compared with a name, or with the beginning of one, is a place where the next dtype or the next SoC is
forgotten without anybody noticing. Where a name has to stand in code (what the demo shows, what a setting is at
first) the file is listed here with the reason.
"""

import ast
import re
from collections.abc import Iterator

import pytest

from core.vendor.levels import load_levels
from core.vendor.platforms import load_platforms
from tests.contracts.sources import trees

NAMES = {level.name for level in load_levels()} | set(load_platforms())
# Beginnings and pieces of names: w4, a16, w8a8, _g, g128, rk, rk35, rv1126.
PIECE = re.compile(r"(?:w\d*)?(?:a\d+)?_?(?:g\d*)?|rk\d*|rv\d*[a-z]?", re.IGNORECASE)
NAMED: dict[str, str] = {
    "core/base/settings.py": "the platform of a home where nobody chose one yet",
    "core/cli/demo_path.py": "what the demo converts",
    "core/demo/board/main.py": "which board the imaginary one is",
    "core/demo/board/state.py": "which board the imaginary one is",
    "core/demo/checkpoint.py": "what the demo model's card measures",
    "core/demo/container.py": "numpy's names of array types",
    "core/demo/toolkit/api.py": "defaults of the real toolkit's calls",
    "core/showcase/models.py": "what the built-in hub offers",
    "gui/walk/tour.py": "what the tour converts and looks at",
}


def texts(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def speaks_of_a_name(text: str) -> bool:
    return text in NAMES or bool(re.search(r"\d|_g", text) and PIECE.fullmatch(text))


def rules_by_name(tree: ast.AST) -> Iterator[str]:
    """Comparisons and tests of beginnings and ends whose other side is a name, or a piece of one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides: list[ast.AST] = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            sides = [node.value]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {
            "startswith", "endswith", "removeprefix", "removesuffix", "partition", "rpartition", "split", "rsplit",
        }:  # fmt: skip
            sides = [*node.args]
        else:
            continue
        direct = (side for side in sides if isinstance(side, ast.Constant | ast.Tuple | ast.Set | ast.List))
        for side in direct:
            yield from (f"line {node.lineno}: {text!r}" for text in texts(side) if speaks_of_a_name(text))


def names_in(tree: ast.AST) -> list[str]:
    return [
        f"line {node.lineno}: {node.value!r}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in NAMES
    ]


def test_a_dtype_and_a_platform_are_asked_for_their_properties() -> None:
    rules = {file: found for file, tree in trees().items() if (found := list(rules_by_name(tree)))}
    assert not rules, f"ask the Level or the Platform for a property (resources/*.toml) instead: {rules}"


def test_a_choice_of_a_dtype_or_a_platform_stands_in_data() -> None:
    choices = {
        file: found for file, tree in trees().items() if file not in NAMED and (found := names_in(tree))
    }
    assert not choices, f"put the choice into data, or list the file above with its reason: {choices}"


def test_the_list_of_files_with_names_has_no_more_than_it_needs() -> None:
    for name in NAMED:
        assert names_in(trees()[name]), f"{name} needs no exemption any more"


@pytest.mark.parametrize(
    "code",
    [
        'dtype.startswith("w4a16")', 'level.name != "fp16_rkllm"', 'platform == "rk3576"', '"a8" in dtype',
        'name in {"w8a8", "int8"}', 'dtype.endswith(("_g32", "g64"))', 'dtype.rsplit("_g", 1)',
        'soc.startswith("rk35")',
    ],
)  # fmt: skip
def test_the_rule_sees(code: str) -> None:
    assert list(rules_by_name(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        'name.startswith("rkllm-toolkit ")',
        'kind == "rkllm"',
        'mode in {"a", "w"}',
        'text.split("_r", 1)',
        'x == ""',
    ],
)
def test_the_rule_leaves_alone(code: str) -> None:
    assert not list(rules_by_name(ast.parse(code)))
