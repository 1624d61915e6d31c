"""SQLite with migrations: WAL, a busy timeout, foreign keys, one connection per thread.

Several processes write (front ends and workers), so every change is one short immediate transaction.
"""

import contextlib
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.base import atomic
from core.base.errors import CancelledError, RKDeckError
from core.base.locks import FileLock
from core.base.names import printable
from core.base.opening import NotRegularError, kind_of
from core.base.schema import MIGRATIONS
from core.base.trouble import NO_ROOM, is_full, reason_of

SqlValue = None | int | float | str | bytes
_BUSY_TIMEOUT_S = 30.0
_MAX_ROW_BYTES = 16 << 20
# Longer than between the last look at `_closed` and the release of the lock; who needs longer closes it himself.
_CLOSE_TIMEOUT_S = 1.0
_HINDRANCES = {
    sqlite3.SQLITE_FULL: "base.database_full",
    sqlite3.SQLITE_CORRUPT: "base.database_broken",
    sqlite3.SQLITE_NOTADB: "base.database_broken",
    sqlite3.SQLITE_TOOBIG: "base.database_broken",  # beyond `_MAX_ROW_BYTES`
    sqlite3.SQLITE_BUSY: "base.database_busy",
    sqlite3.SQLITE_LOCKED: "base.database_busy",
    sqlite3.SQLITE_PROTOCOL: "base.database_busy",
    sqlite3.SQLITE_READONLY: "base.database_unwritable",
    sqlite3.SQLITE_CANTOPEN: "base.database_unwritable",
    sqlite3.SQLITE_PERM: "base.database_unwritable",
    sqlite3.SQLITE_IOERR: "base.database_disk",
}
_DISK_KINDS = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
# The database, what SQLite keeps beside it (sqlite.org/tempfiles.html) and our lock. SQLite would wait for ever to open
# a named pipe there, and calls a folder a disk that fails.
_PLACES = ("", "-wal", "-shm", "-journal", ".migrate-lock")
_COLUMNS = """
    SELECT tables.name, columns.name, columns.type, tables.strict
    FROM pragma_table_list AS tables, pragma_table_info(tables.name) AS columns
    WHERE tables.schema = 'main' AND tables.type = 'table'
"""
_FOREIGN = "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view') ORDER BY name LIMIT 1"


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
            RKDeckError: `base.database_newer` when a later RKDeck wrote it, `base.database_foreign` when another
                program changed what it is made of, `base.database_place` when a folder, pipe or device has its name
                or one beside it, `base.database_broken` when it is not a database or a migration fails (the old
                file stays, with a copy beside it), and as `query`.
        """
        self._path = path
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: list[_Held] = []
        self._closed = False
        try:
            self._refuse_places()
            self._refuse_other_versions(len(migrations))
            self._refuse_foreign()
            self._migrate(migrations)
            self._refuse_damaged(migrations)
        except sqlite3.DatabaseError as error:
            self.close()
            raise RKDeckError("base.database_broken", file=str(path), reason=reason_of(error)) from error
        except (RKDeckError, OSError):
            self.close()
            raise

    def query(self, sql: str, arguments: Sequence[SqlValue] = ()) -> list[sqlite3.Row]:
        """Read rows.

        Raises:
            RKDeckError: what stands in the way of the file, here and in `execute` and `transaction`:
                `base.database_full`, `base.database_busy`, `base.database_unwritable`, `base.database_disk`, and
                `base.database_broken` when its pages are damaged.
        """
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
        """This thread's connection, which nobody closes meanwhile; what hinders it comes as a typed error."""
        try:
            with self._used() as connection:
                yield connection
        except sqlite3.DatabaseError as error:
            hindrance = self._hindrance(error)
            if hindrance is None:
                raise
            raise hindrance from error
        except UnicodeDecodeError as error:  # of SQLite's own words, when it quotes a damaged page
            raise RKDeckError(
                "base.database_broken", file=str(self._path), reason=reason_of(error)
            ) from error

    @contextlib.contextmanager
    def _used(self) -> Iterator[sqlite3.Connection]:
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

    def _hindrance(self, error: sqlite3.DatabaseError) -> RKDeckError | None:
        """What the system or another program does to the file; None for what the call itself did wrong.

        Result codes: https://sqlite.org/rescode.html; the low byte is the kind.
        """
        kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
        # A damaged text: sqlite3 has no code for its own words.
        if not kind and str(error).startswith("Could not decode to UTF-8"):
            kind = sqlite3.SQLITE_CORRUPT
        # A file that cannot grow is an I/O error where it is mapped into memory.
        if kind in _DISK_KINDS and is_full(self._path.parent):
            kind = sqlite3.SQLITE_FULL
        code = _HINDRANCES.get(kind)
        return None if code is None else RKDeckError(code, file=str(self._path), reason=reason_of(error))

    def _is_closed(self) -> bool:
        return self._closed  # another thread may have changed it

    def _open(self) -> _Held:
        # check_same_thread is off only so that close() may end the connections of other threads.
        connection = sqlite3.connect(
            self._path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        # No row of ours comes near; a column that computes itself, or a text somebody put there, would take all memory.
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_ROW_BYTES)
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

    def _refuse_places(self) -> None:
        # Only looked at: to close it again would free the locks that SQLite holds on it in this process (POSIX).
        for end in _PLACES:
            path = self._path.with_name(self._path.name + end)
            try:
                found = kind_of(path, follow=True)
            except OSError:  # nothing there, or SQLite hears the same
                continue
            if found is not None:
                reason = reason_of(NotRegularError(path, found))
                raise RKDeckError("base.database_place", file=str(path), reason=reason)

    def _refuse_other_versions(self, known: int) -> None:
        version = self._version()
        if version > known:
            raise RKDeckError("base.database_newer", file=str(self._path), version=version, known=known)
        if version < 0:
            raise RKDeckError("base.database_foreign", file=str(self._path), what=f"user_version {version}")

    def _refuse_foreign(self) -> None:
        """A trigger would change rows behind our back, a view stands for what is no table."""
        for row in self.query(_FOREIGN):
            what = printable(f"{row['type']} {row['name']}")
            raise RKDeckError("base.database_foreign", file=str(self._path), what=what)

    def _refuse_damaged(self, migrations: Sequence[str]) -> None:
        """SQLite takes what stands there for the tables; a flipped letter is another column to it, and no damage."""
        with contextlib.closing(sqlite3.connect(":memory:")) as pattern:
            for script in migrations:
                pattern.executescript(script)
            wanted = {tuple(row) for row in pattern.execute(_COLUMNS)}
        missing = wanted - {tuple(row) for row in self.query(_COLUMNS)}
        if missing:
            reason = f"no column {'.'.join(min(missing)[:2])}"
            raise RKDeckError("base.database_broken", file=str(self._path), reason=reason)

    def _back_up(self, version: int) -> None:
        with self._use() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        backup = self._path.with_name(f"{self._path.name}.v{version}.bak")
        half = backup.with_name(backup.name + ".new")
        try:
            shutil.copy2(self._path, half)
            atomic.replace_durably(half, backup)
        except OSError as error:
            half.unlink(missing_ok=True)
            if error.errno in NO_ROOM:
                raise RKDeckError(
                    "base.database_full", file=str(self._path), reason=reason_of(error)
                ) from error
            raise
