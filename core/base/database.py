"""SQLite with migrations: WAL, a busy timeout, foreign keys, one connection per thread.

Several processes write (front ends and workers), so every change is one short immediate transaction.
"""

import contextlib
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.base.errors import CancelledError, RKDeckError
from core.base.locks import FileLock
from core.base.schema import MIGRATIONS

SqlValue = None | int | float | str | bytes
_BUSY_TIMEOUT_S = 30.0
# Longer than between the last look at `_closed` and the release of the lock; who needs longer closes it himself.
_CLOSE_TIMEOUT_S = 1.0


class _Held:
    """A thread's connection, and whether it is in use: closing one during a call takes the process down (SIGSEGV)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.lock = threading.RLock()
        self.depth = 0


class Database:
    """The one database file; open it, use it from any thread, close it.

    Once it is closed every call raises CancelledError `base.closing`; one under way comes to its end.
    """

    def __init__(self, path: Path, migrations: Sequence[str] = MIGRATIONS) -> None:
        """Open `path`, creating or bringing it up to date.

        Raises:
            RKDeckError: `base.database_newer` when a later RKDeck wrote it, `base.database_broken` when it is
                not a database or a migration fails (the old file stays, with a copy beside it).
        """
        self._path = path
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: list[_Held] = []
        self._closed = False
        try:
            self._migrate(migrations)
        except sqlite3.DatabaseError as error:
            self.close()
            raise RKDeckError("base.database_broken", file=str(path), reason=str(error)) from error
        except RKDeckError:
            self.close()
            raise

    def query(self, sql: str, arguments: Sequence[SqlValue] = ()) -> list[sqlite3.Row]:
        """Read rows."""
        with self._use() as connection:
            return connection.execute(sql, arguments).fetchall()

    def execute(self, sql: str, arguments: Sequence[SqlValue] = ()) -> int:
        """Change rows in a transaction of its own; returns how many were changed."""
        with self.transaction() as connection:
            return connection.execute(sql, arguments).rowcount

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Several changes together, or none of them."""
        with self._use() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def close(self) -> None:
        """Close the connections of all threads; one that is in use is closed by its thread after that."""
        with self._lock:
            self._closed = True
            connections, self._connections = self._connections, []
        for held in connections:
            if held.lock.acquire(timeout=_CLOSE_TIMEOUT_S):
                try:
                    held.connection.close()
                finally:
                    held.lock.release()

    @contextlib.contextmanager
    def _use(self) -> Iterator[sqlite3.Connection]:
        """This thread's connection, which nobody closes meanwhile."""
        held: _Held | None = getattr(self._local, "held", None)
        if held is None:
            held = self._local.held = self._open()
        with held.lock:
            if self._is_closed() and held.depth == 0:
                held.connection.close()
                raise CancelledError("base.closing")
            held.depth += 1
            try:
                yield held.connection
            finally:
                held.depth -= 1
                if self._is_closed() and held.depth == 0:
                    held.connection.close()

    def _is_closed(self) -> bool:
        return self._closed  # another thread may have changed it

    def _open(self) -> _Held:
        # check_same_thread is off only so that close() may end the connections of other threads.
        connection = sqlite3.connect(
            self._path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        held = _Held(connection)
        with self._lock:
            if self._closed:
                connection.close()
                raise CancelledError("base.closing")
            self._connections.append(held)
            held.lock.acquire()
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
        finally:
            held.lock.release()
        return held

    def _version(self) -> int:
        with self._use() as connection:
            return int(connection.execute("PRAGMA user_version").fetchone()[0])

    def _migrate(self, migrations: Sequence[str]) -> None:
        self._refuse_newer(len(migrations))
        if self._version() == len(migrations):
            return
        # Two processes may start at once: only one migrates, the other then finds it done.
        with FileLock(self._path.with_name(self._path.name + ".migrate-lock")):
            current = self._version()
            if 0 < current < len(migrations):
                self._back_up(current)
            for number in range(current, len(migrations)):
                script = f"BEGIN IMMEDIATE;{migrations[number]};PRAGMA user_version = {number + 1};COMMIT;"
                with self._use() as connection:
                    try:
                        connection.executescript(script)
                    except sqlite3.DatabaseError:
                        connection.rollback()
                        raise

    def _refuse_newer(self, known: int) -> None:
        if self._version() > known:
            raise RKDeckError(
                "base.database_newer", file=str(self._path), version=self._version(), known=known
            )

    def _back_up(self, version: int) -> None:
        with self._use() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy2(self._path, self._path.with_name(f"{self._path.name}.v{version}.bak"))
