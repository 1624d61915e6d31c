"""`rkdeck library` tells what it leaves out, in the reader's language, and nothing of it acts on the terminal."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.base.paths import AppPaths
from tests.support.hub_fixtures import small_repo

ROOT = Path(__file__).parents[3]


def run(paths: AppPaths, language: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gui.main", "library", *arguments, "--home", str(paths.home)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, env={**os.environ, "LC_ALL": language},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("language", "words"), [("C", "it turns the direction of writing"), ("es_ES.UTF-8", "cambia el sentido")]
)
def test_what_is_left_out_is_told_and_the_rest_verifies(
    paths: AppPaths, tmp_path: Path, language: str, words: str
) -> None:
    folder = small_repo(tmp_path / "odd")
    for name in ("turned\u202etxt.exe", "red\x1b[31m.txt", "screenshot 9.41\u202fAM.png", "blank "):
        (folder / name).write_text("x")
    added = run(paths, language, "add", str(folder))
    assert added.returncode == 0
    assert words in added.stderr
    assert "turned\\u202etxt.exe" in added.stderr
    assert "red\\x1b[31m.txt" in added.stderr
    assert not set("\u202e\x1b") & set(added.stdout + added.stderr)
    assert run(paths, language, "verify").returncode == 0
