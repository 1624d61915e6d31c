"""SQLite with migrations: WAL, a busy timeout, foreign keys, one connection per thread.

Several processes write (front ends and workers), so every change is one short immediate transaction.
"""

import contextlib
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.base.errors import RKDeckError
from core.base.locks import FileLock
from core.base.schema import MIGRATIONS

SqlValue = None | int | float | str | bytes
_BUSY_TIMEOUT_S = 30.0


class Database:
    """The one database file; open it, use it from any thread, close it."""

    def __init__(self, path: Path, migrations: Sequence[str] = MIGRATIONS) -> None:
        """Open `path`, creating or bringing it up to date.

        Raises:
            RKDeckError: `base.database_newer` when a later RKDeck wrote it, `base.database_broken` when it is
                not a database or a migration fails (the old file stays, with a copy beside it).
        """
        self._path = path
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: list[sqlite3.Connection] = []
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
        return self._connection().execute(sql, arguments).fetchall()

    def execute(self, sql: str, arguments: Sequence[SqlValue] = ()) -> int:
        """Change rows in a transaction of its own; returns how many were changed."""
        with self.transaction() as connection:
            return connection.execute(sql, arguments).rowcount

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Several changes together, or none of them."""
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.rollback()
            raise
        connection.commit()

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            connections, self._connections = self._connections, []
        for connection in connections:
            connection.close()
        self._local = threading.local()

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            # check_same_thread is off only so that close() may end the connections of other threads.
            connection = sqlite3.connect(
                self._path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            connection.row_factory = sqlite3.Row
            with self._lock:
                self._connections.append(connection)
            self._local.connection = connection
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _version(self) -> int:
        return int(self._connection().execute("PRAGMA user_version").fetchone()[0])

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
                try:
                    self._connection().executescript(script)
                except sqlite3.DatabaseError:
                    self._connection().rollback()
                    raise

    def _refuse_newer(self, known: int) -> None:
        if self._version() > known:
            raise RKDeckError(
                "base.database_newer", file=str(self._path), version=self._version(), known=known
            )

    def _back_up(self, version: int) -> None:
        self._connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy2(self._path, self._path.with_name(f"{self._path.name}.v{version}.bak"))
