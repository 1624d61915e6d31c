"""Closing the database while other threads are at it, as the end of the program does."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from core.base.database import Database
from core.base.errors import CancelledError
from tests.support.sshd import ROOT

_ROUNDS = 30
# In a process of its own: what this guards against is a segmentation fault.
_PROGRAM = """
import sys, threading, time
from pathlib import Path
from core.base.database import Database
from core.base.errors import CancelledError

COUNT = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3000) SELECT count(*) FROM n"
unexpected = []

def work(database, begun):
    try:
        while True:
            database.query(COUNT)
            with database.transaction():
                database.query(COUNT)
            begun.set()
    except CancelledError:
        return
    except BaseException as error:
        unexpected.append(repr(error))

for number in range(int(sys.argv[2])):
    database = Database(Path(sys.argv[1]) / f"{number}.sqlite", ("CREATE TABLE t (x)",))
    signs = [threading.Event() for _ in range(4)]
    threads = [threading.Thread(target=work, args=(database, sign)) for sign in signs]
    for thread in threads:
        thread.start()
    for sign in signs:
        sign.wait(30)
    time.sleep(number / 3000)
    database.close()
    for thread in threads:
        thread.join()
print(unexpected)
"""


def test_threads_at_work_end_with_a_word_and_not_with_a_crash(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _PROGRAM, str(tmp_path), str(_ROUNDS)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
    assert not list(tmp_path.glob("*-wal"))  # every connection was closed


def test_a_transaction_under_way_is_finished(tmp_path: Path) -> None:
    database = Database(tmp_path / "file", ("CREATE TABLE t (x)",))
    inside, go_on = threading.Event(), threading.Event()

    def write() -> None:
        with database.transaction() as connection:
            connection.execute("INSERT INTO t VALUES (1)")
            inside.set()
            go_on.wait(30)

    writer = threading.Thread(target=write)
    writer.start()
    assert inside.wait(30)
    database.close()
    go_on.set()
    writer.join()
    with pytest.raises(CancelledError):
        database.query("SELECT x FROM t")
    again = Database(tmp_path / "file", ("CREATE TABLE t (x)",))
    assert [row["x"] for row in again.query("SELECT x FROM t")] == [1]
    again.close()
    assert not list(tmp_path.glob("*-wal"))
