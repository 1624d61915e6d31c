"""What keeps the window from opening or closing is one sentence and the right exit code, never a trace or a hang."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120


def start(home: Path, *what: str, **environment: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if name not in {"DISPLAY", "WAYLAND_DISPLAY"}}
    return subprocess.run(
        [sys.executable, "-m", "tests.gui.start_victim", str(home), *what], cwd=ROOT, capture_output=True, text=True,
        timeout=PATIENCE_S, env=plain | {"QT_QPA_PLATFORM": "offscreen"} | environment,
    )  # fmt: skip


def in_words(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert "Fatal Python error" not in done.stderr, done.stderr
    assert done.stderr.count("rkdeck: ") == 1, done.stderr
    for word in words:
        assert word in done.stderr


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home where a window was open before."""
    folder = tmp_path / "home"
    done = start(folder)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def test_a_damaged_settings_file_is_named(home: Path) -> None:
    (home / "settings.toml").write_text("language = [")
    in_words(start(home), 1, str(home / "settings.toml"))


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    in_words(start(tmp_path / "file" / "home"), 1, str(tmp_path / "file"))


def test_a_damaged_database_does_not_keep_the_window_from_closing(home: Path) -> None:
    for file in home.glob("*.db*"):
        file.write_bytes(b"no database at all" * 1000)
    done = start(home)
    assert "Traceback" not in done.stderr
    assert done.returncode in {0, 1}  # shown in the window, which then closes in order, or told here


def test_a_database_of_a_newer_rkdeck_is_told(home: Path) -> None:
    for file in home.glob("*.db"):
        with sqlite3.connect(file) as database:
            database.execute("PRAGMA user_version = 9999")
        database.close()
    done = start(home)
    assert "Traceback" not in done.stderr
    assert done.returncode in {0, 1}


@pytest.mark.parametrize(
    "content", ["{", '{"geometry": "abc", "page": 7}', '{"geometry": "%%%%"}', "[]", "\x00"]
)
def test_a_damaged_state_of_the_window_is_left_aside(home: Path, content: str) -> None:
    (home / "window.json").write_text(content)
    done = start(home)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_platform_that_is_not_installed_is_told_instead_of_an_abort(tmp_path: Path) -> None:
    in_words(start(tmp_path / "home", QT_QPA_PLATFORM="nowhere"), 1, "nowhere", "in a terminal too")


def test_a_display_that_does_not_answer_is_told_instead_of_an_abort(tmp_path: Path) -> None:
    in_words(start(tmp_path / "home", QT_QPA_PLATFORM="", DISPLAY="127.0.0.1:99"), 1, "in a terminal too")


def test_a_state_that_cannot_be_kept_does_not_keep_the_window_from_closing(home: Path) -> None:
    in_words(start(home, "closing"), 1, "window.json")


def test_an_error_nobody_expected_on_the_way_in_ends_in_order(home: Path) -> None:
    in_words(start(home, "opening"), 1, "OSError", "Input/output error")
    assert "Traceback" in (home / "logs" / "rkdeck.log").read_text()
    done = start(home)  # nothing was left locked
    assert (done.returncode, done.stderr) == (0, "")


def test_a_closed_terminal_changes_no_exit_code(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tests.gui.start_victim", str(tmp_path / "file" / "home")], cwd=ROOT, stderr=full,
            timeout=PATIENCE_S, env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
        )  # fmt: skip
    assert done.returncode == 1
