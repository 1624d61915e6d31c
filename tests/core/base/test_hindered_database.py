"""A database that the system or another program hinders: each hindrance has its name, and advice that works."""

import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base import database as module
from core.base.database import Database
from core.base.errors import RKDeckError
from core.base.schema import MIGRATIONS
from tests.support.disks import disk, fill
from tests.support.odd_shells import damage_pages
from tests.support.sshd import ROOT

_ROW = "INSERT INTO toolkits VALUES (?, '1', 0, '{}', 1.0)"


def filled(path: Path, rows: int = 500) -> None:
    database = Database(path)
    with database.transaction() as connection:
        connection.executemany(_ROW, [(f"{number:0200}",) for number in range(rows)])
    database.close()


def told(path: Path) -> str:
    """The code of what is in the way of one row more."""
    with pytest.raises(RKDeckError) as caught:
        database = Database(path)
        try:
            database.execute(_ROW, ("one more" * 500,))
        finally:
            database.close()
    assert caught.value.facts["file"] == str(path)
    return caught.value.code


def count(path: Path) -> int:
    database = Database(path)
    found = int(database.query("SELECT count(*) FROM toolkits")[0][0])
    database.close()
    return found


def test_a_damaged_name_of_a_column_is_told_at_the_opening(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    filled(path, 1)
    data = path.read_bytes()
    assert data.count(b"simulated INTEGER") == 1
    path.write_bytes(data.replace(b"simulated INTEGER", b"simulbted INTEGER"))
    with pytest.raises(RKDeckError) as caught:
        Database(path)
    assert caught.value.code == "base.database_broken"
    assert caught.value.facts["reason"] == "no column toolkits.simulated"
    assert path.read_bytes() == data.replace(b"simulated INTEGER", b"simulbted INTEGER")


def put(path: Path, what: str) -> None:
    """Something that is no file, in a file's place."""
    path.unlink(missing_ok=True)
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    elif what == "socket":
        with socket.socket(socket.AF_UNIX) as unix:
            unix.bind(str(path))
    else:
        path.symlink_to("/dev/zero")


@pytest.mark.parametrize("what", ["pipe", "folder", "socket", "device"])
@pytest.mark.parametrize("end", ["", "-wal", "-shm", "-journal", ".migrate-lock"])
def test_what_is_no_file_in_a_place_of_the_database_is_named(tmp_path: Path, end: str, what: str) -> None:
    path = tmp_path / "x.sqlite3"
    filled(path, 1)
    taken = path.with_name(path.name + end)
    put(taken, what)
    with pytest.raises(RKDeckError) as caught:
        Database(path)
    assert (caught.value.code, caught.value.facts["file"]) == ("base.database_place", str(taken))
    assert what in str(caught.value.facts["reason"])


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("PRAGMA user_version = -5", "base.database_foreign"),
        ("PRAGMA user_version = -2147483648", "base.database_foreign"),
        (
            "CREATE TRIGGER odd BEFORE INSERT ON toolkits BEGIN SELECT RAISE(ABORT, 'no'); END",
            "base.database_foreign",
        ),
        ("DROP TABLE boards; CREATE VIEW boards AS SELECT 1 AS name", "base.database_foreign"),
        ("ALTER TABLE boards DROP COLUMN facts", "base.database_broken"),
        ("DROP TABLE boards", "base.database_broken"),
        ("PRAGMA user_version = 0", "base.database_broken"),
        (
            # Not STRICT any more: it takes texts for numbers.
            "DROP TABLE toolkits; CREATE TABLE toolkits (python, version, simulated INTEGER, facts, added_unix_s)",
            "base.database_broken",
        ),
    ],
)
def test_what_another_program_made_of_it_is_told_at_the_opening(
    tmp_path: Path, script: str, code: str
) -> None:
    path = tmp_path / "x.sqlite3"
    filled(path, 1)
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.executescript(script)
    before = path.read_bytes()
    with pytest.raises(RKDeckError) as caught:
        Database(path)
    assert caught.value.code == code
    assert path.read_bytes() == before


def test_damaged_pages_are_told_where_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    filled(path)
    data = path.read_bytes()
    # The first pages hold the tables' names; the rows come after them.
    path.write_bytes(data[:32768] + bytes(byte ^ 0x5A for byte in data[32768:]))
    database = Database(path)
    with pytest.raises(RKDeckError) as caught:
        database.query("SELECT * FROM toolkits")
    database.close()
    assert caught.value.code == "base.database_broken"


@pytest.mark.parametrize("place", [b"CREATE TABLE toolkits", b"0" * 60])
def test_a_damaged_letter_is_told(tmp_path: Path, place: bytes) -> None:
    """In the tables' names, which SQLite quotes, and in a row."""
    path = tmp_path / "x.sqlite3"
    filled(path)
    path.write_bytes(path.read_bytes().replace(place, place[:8] + b"\x80" + place[9:]))
    with pytest.raises(RKDeckError) as caught, contextlib.closing(Database(path)) as database:
        database.query("SELECT * FROM toolkits")
    assert caught.value.code == "base.database_broken"


def test_the_advice_for_a_damaged_one_works(tmp_path: Path) -> None:
    """Moved away alone, its journal would be played into the new one."""
    path = tmp_path / "x.sqlite3"
    filled(path)
    damage_pages(path)
    (tmp_path / "x.sqlite3-wal").write_bytes(b"left behind")
    assert told(path) == "base.database_broken"
    (tmp_path / "away").mkdir()
    for file in tmp_path.glob("x.sqlite3*"):
        file.rename(tmp_path / "away" / file.name)
    assert count(path) == 0


def test_one_that_another_program_keeps_locked_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BUSY_TIMEOUT_S", 0.05)
    path = tmp_path / "x.sqlite3"
    filled(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert told(path) == "base.database_busy"
    other.execute("COMMIT")
    other.close()
    assert count(path) == 500


def test_one_in_a_folder_that_is_none_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert told(tmp_path / "file" / "x.sqlite3") == "base.database_unwritable"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_one_that_may_only_be_read_is_read_and_not_written(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    filled(path)
    path.chmod(0o400)
    assert count(path) == 500
    assert told(path) == "base.database_unwritable"
    path.chmod(0o600)
    tmp_path.chmod(0o500)
    assert told(path) == "base.database_unwritable"
    tmp_path.chmod(0o700)
    assert count(path) == 500


def test_a_limit_of_the_shell_is_not_taken_for_damage(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    filled(path)
    script = (
        "import resource, sys; from pathlib import Path; from tests.core.base.test_hindered_database import told\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY)); print(told(Path(sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "base.database_disk", done.stderr
    assert count(path) == 500


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with disk(tmp_path / "disk", "size=2m") as folder:
        yield folder


@pytest.mark.needs_root
def test_a_full_disk_is_full_and_with_room_again_all_is_there(small_disk: Path) -> None:
    path = small_disk / "x.sqlite3"
    filled(path)
    full = fill(small_disk)
    assert told(path) == "base.database_full"
    full.unlink()
    assert count(path) == 500


@pytest.mark.needs_root
def test_a_disk_that_fills_up_within_a_transaction_keeps_what_was_there(small_disk: Path) -> None:
    path = small_disk / "x.sqlite3"
    filled(path)
    database = Database(path)
    with pytest.raises(RKDeckError) as caught, database.transaction() as connection:
        connection.executemany(_ROW, [(f"more {number}" * 40,) for number in range(20_000)])
    database.close()
    assert caught.value.code == "base.database_full"
    assert count(path) == 500


@pytest.mark.needs_root
def test_a_backup_that_finds_no_room_leaves_no_half_one(small_disk: Path) -> None:
    path = small_disk / "x.sqlite3"
    filled(path, rows=2000)
    room = shutil.disk_usage(small_disk).free
    (small_disk / "fill").write_bytes(bytes(max(0, room - (400 << 10))))
    with pytest.raises(RKDeckError) as caught:
        Database(path, [*MIGRATIONS, "CREATE TABLE later (x INTEGER) STRICT"])
    assert caught.value.code == "base.database_full"
    assert sorted(small_disk.glob("*.bak*")) == []
    (small_disk / "fill").unlink()
    assert count(path) == 2000


@pytest.mark.parametrize(
    "script",
    [
        "ALTER TABLE toolkits ADD COLUMN odd TEXT AS (hex(zeroblob(200000000))) VIRTUAL",
        "UPDATE toolkits SET facts = hex(zeroblob(20000000))",
    ],
)
def test_a_row_that_would_fill_the_memory_is_not_read(tmp_path: Path, script: str) -> None:
    path = tmp_path / "x.sqlite3"
    filled(path, 1)
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.executescript(script)
    with pytest.raises(RKDeckError) as caught:
        Database(path).query("SELECT * FROM toolkits")
    assert caught.value.code == "base.database_broken"
