"""Passwords on standard input as files and pipes bring them, and what else a shell does to the command line."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.base.errors import UsageError
from core.base.paths import resolve_home
from core.cli.asking import read_secret
from tests.support.sshd import ROOT


def given(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), "ascii"))


@pytest.mark.parametrize(
    ("data", "secret"),
    [
        (b"geheim\n", "geheim"),
        (b"geheim\r\n", "geheim"),
        (b"geheim", "geheim"),
        (b"\xef\xbb\xbfgeheim\r\n", "geheim"),
        ("contrase\u00f1a\n".encode(), "contrase\u00f1a"),
        (b" two words \n", " two words "),
        (b"one\ntwo\n", "one"),
    ],
)
def test_the_line_is_the_password(monkeypatch: pytest.MonkeyPatch, data: bytes, secret: str) -> None:
    given(monkeypatch, data)
    assert read_secret() == secret


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "cli.password_missing"),
        (b"\n", "cli.password_missing"),
        (b"\r\n", "cli.password_missing"),
        (b"\xef\xbb\xbf\r\n", "cli.password_missing"),
        ("contrase\u00f1a\n".encode("latin-1"), "cli.password_not_utf8"),
        ("geheim\n".encode("utf-16"), "cli.password_not_utf8"),
        ("geheim\n".encode("utf-16-le"), "cli.password_not_utf8"),
        (b"x" * 5000, "cli.password_too_long"),
    ],
)
def test_what_is_none_is_refused_without_being_repeated(
    monkeypatch: pytest.MonkeyPatch, data: bytes, code: str
) -> None:
    given(monkeypatch, data)
    with pytest.raises(UsageError) as caught:
        read_secret()
    assert caught.value.code == code
    assert caught.value.__cause__ is None
    assert "geheim" not in repr(caught.value.facts)


@pytest.mark.parametrize("home", ["", " "])
def test_an_empty_home_is_not_the_users_own(home: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_home(home, {})
    assert caught.value.code == "base.home_empty"


def test_an_empty_home_is_a_usage_error_of_the_program(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gui.main", "--home", "", "board", "list"],
        cwd=ROOT, env={**os.environ, "HOME": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert "--home" in done.stderr
