"""Folders for a while: gone afterwards, and honest about a disk without room."""

import errno
import os
from pathlib import Path

import pytest

from core.base import temporary
from core.base.errors import CancelledError, RKDeckError
from core.base.temporary import temporary_folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_it_is_gone_afterwards_with_all_that_is_in_it(elsewhere: Path) -> None:
    with temporary_folder("test") as folder:
        assert folder.parent == elsewhere
        (folder / "a").mkdir()
        (folder / "a" / "b").write_text("x")
    assert list(elsewhere.iterdir()) == []


def test_what_fails_there_stays_what_it_is_while_there_is_room(elsewhere: Path) -> None:
    with pytest.raises(RKDeckError) as caught, temporary_folder("test"):
        raise RKDeckError("jobs.worker_gone")
    assert caught.value.code == "jobs.worker_gone"
    assert list(elsewhere.iterdir()) == []


def test_no_room_is_told_with_the_folder(elsewhere: Path) -> None:
    with pytest.raises(RKDeckError) as caught, temporary_folder("test"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert (caught.value.code, caught.value.facts) == ("base.temporary_full", {"folder": str(elsewhere)})


def test_whatever_fails_on_a_full_disk_is_the_disks_doing_but_no_cancellation(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporary, "is_full", lambda place: place.parent == elsewhere)
    with pytest.raises(RKDeckError) as caught, temporary_folder("test"):
        raise RKDeckError("demo.did_not_start")
    assert caught.value.code == "base.temporary_full"
    with pytest.raises(CancelledError), temporary_folder("test"):
        raise CancelledError("base.cancelled")
