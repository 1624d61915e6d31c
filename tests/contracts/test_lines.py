"""Lines are told apart by `core.base.foreign.lines`: `splitlines` ends them where whoever wrote them did not."""

import ast

from tests.contracts.sources import trees

# What runs under the toolkits' Pythons, without this package, cuts its own error's text; OpenSSH's reader of its own
# files decides what ends a line there.
ELSEWHERE = ("core/workers/foreign/",)


def test_core_ends_lines_in_one_place() -> None:
    found = [
        f"{path}:{node.lineno}"
        for path, tree in trees().items()
        if path.startswith("core/") and not path.startswith(ELSEWHERE)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "splitlines"
    ]
    assert not found, f"ends lines at \\r, \\x85, U+2028: {', '.join(found)}; use foreign.lines"
