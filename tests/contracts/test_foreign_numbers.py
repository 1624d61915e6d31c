"""No number of any length: Python fails to read one of 5,000 digits, and others fail to take one of 400."""

import ast
import re
from pathlib import Path

import pytest

from core.boards.doctor.reading import _swap
from core.convert.output import ToolkitOutput
from core.monitor.npu import parse_npu_interrupts
from core.vendor.releases import version_key

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "core").rglob("*.py"))
_ENDLESS = re.compile(r"\((?:\\d|\[0-9\])[+*]\)")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_digits_that_are_taken_out_of_a_text_are_counted(path: Path) -> None:
    found = [
        f"line {node.lineno}: {node.value!r} takes a number of any length; write \\d{{1,18}}"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _ENDLESS.search(node.value)
    ]
    assert not found, f"{path.relative_to(ROOT)}: " + "; ".join(found)


@pytest.mark.parametrize("digits", [400, 5000])
def test_a_number_without_end_is_none_wherever_texts_are_read(digits: int) -> None:
    many = "9" * digits
    line = " 30:  {} 7  GICv3 {} Level fdab0000.npu"
    assert parse_npu_interrupts([line.format(many, 142), line.format(3, many)]) is None
    assert parse_npu_interrupts([line.format(3, 142)]) == (10,)
    assert _swap({"/proc/swaps": f"/dev/zram0 partition {many} 0\n"}, {"mem": []}) == {}
    assert version_key("1.2.3") < version_key(f"1.{many}")
    told: list[tuple[str, int, int]] = []
    output = ToolkitOutput(lambda *progress: told.append(progress))
    for done in (many, "3"):
        output.feed(f"Building model: 5%|#| {done}/{done} [00:01]\r[=> ] {done}/{done} (5%)\r".encode())
    assert told == [("Building model", 3, 3), ("Exporting model", 3, 3)]
