"""What the system refuses is told as what it is, and the home folder is one folder wherever a command is given."""

import errno
import os
import tempfile
from pathlib import Path

import pytest

from core.base.errors import UsageError
from core.base.paths import resolve_home
from core.base.trouble import is_full, system_said


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "base.disk_full_somewhere"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), "base.disk_full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "/x"), "base.disk_full"),
        (OSError(errno.EFBIG, "File too large"), "base.file_limit"),
        (OSError(errno.EMFILE, "Too many open files", "/x"), "base.too_many_files"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "base.out_of_memory"),
        (MemoryError(), "base.out_of_memory"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "base.place_unusable"),
        (OSError(errno.EROFS, "Read-only file system", b"/x"), "base.place_unusable"),
        (FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/x']"), "base.no_temporary_folder"),
        (UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"), "base.not_text"),
    ],
)  # fmt: skip
def test_what_the_system_says(error: BaseException, code: str) -> None:
    told = system_said(error)
    assert told is not None
    assert told.code == code


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        OSError("x"),
        FileNotFoundError(errno.ENOENT, "No such file", "/x"),
        ConnectionResetError(),
    ],
)
def test_what_it_does_not_say_stays_a_fault(error: BaseException) -> None:
    assert system_said(error) is None


def test_a_folder_that_was_deleted_under_us_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(FileNotFoundError) as caught:
        Path("model").absolute()
    told = system_said(caught.value)
    assert told is not None
    assert told.code == "base.folder_gone"


def test_a_disk_that_cannot_be_asked_is_not_called_full(tmp_path: Path) -> None:
    assert not is_full(tmp_path / "nothing")
    assert not is_full(Path(tempfile.gettempdir()))


def test_a_relative_data_folder_is_ignored_as_the_specification_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "somewhere")
    monkeypatch.setenv("HOME", "/home/me")
    assert resolve_home(None, os.environ) == Path("/home/me/.local/share/rkdeck")


@pytest.mark.parametrize("option", [None, "~nobody-has-this-name/x"])
def test_a_home_that_nothing_tells_is_refused(monkeypatch: pytest.MonkeyPatch, option: str | None) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "somewhere")
    monkeypatch.setenv("HOME", "not/absolute")
    with pytest.raises(UsageError) as caught:
        resolve_home(option, os.environ)
    assert caught.value.code == "base.home_unknown"
