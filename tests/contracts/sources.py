"""The program's own source, parsed when the first contract looks into it, and once for all of them."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def trees() -> dict[str, ast.Module]:
    """What `core` and `gui` say, by the file's path from the root; not to be changed.

    Never asked for while tests are collected: every worker would parse a million nodes and keep them.
    """
    return {
        str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8"))
        for room in ("core", "gui")
        for path in sorted((ROOT / room).rglob("*.py"))
    }
