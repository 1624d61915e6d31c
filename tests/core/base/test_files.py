import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from core.base import atomic
from core.base.database import Database
from core.base.errors import RKDeckError
from core.base.locks import FileLock, lock_is_held
from core.base.schema import MIGRATIONS
from core.base.settings import Settings
from core.base.settings_file import load_settings, save_settings


def test_write_replaces_whole_and_keeps_private(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    atomic.write_json(target, {"a": [1, None, "é"]})
    atomic.write_json(target, {"b": 2})
    assert atomic.read_json(target) == {"b": 2}
    assert target.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["a.json"]


def test_longest_names_can_be_written(tmp_path: Path) -> None:
    target = tmp_path / ("模" * 85)  # 255 bytes, all a file system takes
    atomic.write_text(target, "x")
    assert target.read_text() == "x"


def test_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    atomic.write_text(target, "old")
    script = textwrap.dedent(
        """
        import resource, signal, sys
        from pathlib import Path
        from core.base import atomic
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            atomic.write_bytes(Path(sys.argv[1]), b"x" * 5000)
        except OSError:
            sys.exit(7)
        """
    )
    done = subprocess.run([sys.executable, "-c", script, str(target)], cwd=Path.cwd())
    assert done.returncode == 7
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("data", [b"{", b"\xff\xfe", b"[" * 100_000, b"1" * 101])
def test_bad_json_is_an_error_with_the_file(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(data)
    with pytest.raises(RKDeckError) as caught:
        atomic.read_json(path, max_bytes=100 if data[:1] == b"1" else 1 << 20)
    assert caught.value.code == "base.bad_json"
    assert caught.value.facts["file"] == str(path)


def test_lock_excludes_and_dies_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not lock_is_held(path)
    script = (
        "import sys, time; from pathlib import Path; from core.base.locks import FileLock\n"
        "lock = FileLock(Path(sys.argv[1])); lock.acquire(5); print('held', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert lock_is_held(path)
        assert not FileLock(path).try_acquire()
        with pytest.raises(RKDeckError) as caught:
            FileLock(path).acquire(timeout_s=0.1)
        assert caught.value.code == "base.lock_timeout"
        holder.send_signal(signal.SIGKILL)
    with FileLock(path) as lock:
        assert lock.held
    assert not lock_is_held(path)


def test_database_migrates_once_backs_up_and_refuses_a_newer_one(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    first = Database(path)
    first.execute("INSERT INTO toolkits VALUES ('py', '1', 0, '{}', 1.0)")
    first.close()
    second = Database(path, [*MIGRATIONS, "CREATE TABLE later (x INTEGER) STRICT"])
    assert [row["python"] for row in second.query("SELECT * FROM toolkits")] == ["py"]
    second.close()
    assert (tmp_path / f"x.sqlite3.v{len(MIGRATIONS)}.bak").exists()
    with pytest.raises(RKDeckError) as caught:
        Database(path)
    assert caught.value.code == "base.database_newer"


def test_a_failing_migration_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    Database(path).close()
    with pytest.raises(RKDeckError) as caught:
        Database(path, [*MIGRATIONS, "CREATE TABLE half (x INTEGER) STRICT; CREATE TABLE boards (x INTEGER)"])
    assert caught.value.code == "base.database_broken"
    with sqlite3.connect(path) as plain:
        names = {row[0] for row in plain.execute("SELECT name FROM sqlite_master")}
    plain.close()
    assert "half" not in names


def test_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.sqlite3")
    insert = "INSERT INTO toolkits VALUES ('py', '1', 0, '{}', 1.0)"
    with pytest.raises(sqlite3.IntegrityError), database.transaction() as connection:
        connection.execute(insert)
        connection.execute(insert)
    assert database.query("SELECT * FROM toolkits") == []
    database.close()


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    path.write_bytes(b"not a database, but long enough to look at" * 50)
    with pytest.raises(RKDeckError) as caught:
        Database(path)
    assert caught.value.code == "base.database_broken"


def test_settings_round_trip_and_keep_what_a_later_version_wrote(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    assert load_settings(path) == Settings()
    path.write_text('future = "kept"\n')
    settings = Settings(hub_endpoint='http://x/"\\\n', default_context=2048)
    save_settings(path, settings)
    assert load_settings(path) == settings
    assert 'future = "kept"' in path.read_text()


@pytest.mark.parametrize(
    "text",
    [
        "default_context = 'many'",
        "default_context = true",
        "upload_limit_bytes_per_s = -1",
        "keep_deployments = -1",
        f"deployments_budget_bytes = {1 << 63}",
        f"keep_deployments = 0x{'f' * 5000}",
    ],
)
def test_bad_settings_name_file_and_entry(tmp_path: Path, text: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    with pytest.raises(RKDeckError) as caught:
        load_settings(path)
    assert caught.value.code == "base.bad_settings"
    assert str(caught.value.facts["entry"]) in text


@pytest.mark.parametrize("text", ["= 3", "keep_deployments = " + "1" * 5000, "future = " + "[" * 5000])
def test_settings_that_are_no_toml_say_why(tmp_path: Path, text: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    with pytest.raises(RKDeckError) as caught:
        load_settings(path)
    assert caught.value.code == "base.settings_unreadable"
    assert caught.value.facts["reason"]


def test_a_folder_in_place_of_the_settings_is_told(tmp_path: Path) -> None:
    with pytest.raises(RKDeckError) as caught:
        load_settings(tmp_path)
    assert caught.value.code == "base.settings_unreadable"
