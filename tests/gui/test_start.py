"""Which command lines open the window, and what keeps it from opening in words."""

import subprocess
import sys
from pathlib import Path

import pytest

from gui.main import _wants_window

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("arguments", "window"),
    [
        ([], True), (["--home", "/x"], True), (["--home=/x"], True), (["demo"], True), (["--home", "/x", "demo"], True),
        (["demo", "--home", "/x"], True), (["demo", "--headless"], False), (["search", "qwen"], False),
        (["--help"], False), (["jobs"], False), (["demo", "--json"], False), (["--home", "demo", "jobs"], False),
    ],
)  # fmt: skip
def test_what_opens_the_window(arguments: list[str], window: bool) -> None:
    assert _wants_window(arguments) is window


def test_the_entry_point_and_the_command_line_work_without_qt(tmp_path: Path) -> None:
    script = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"PySide6", "shiboken6", "pyqtgraph"}:
            raise ImportError("libEGL.so.1: cannot open shared object file")
sys.meta_path.insert(0, Blocker())
import os
os.environ["QT_QPA_PLATFORM"] = "offscreen"
from gui.main import main
assert main(["jobs", "--home", sys.argv[1]]) == 0
sys.exit(main(["--home", sys.argv[1]]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "libEGL.so.1" in done.stderr
    assert "apt install" in done.stderr
    assert "Traceback" not in done.stderr
