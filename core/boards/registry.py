"""The boards the user added: how to reach each one and what it said when it was last probed."""

import json
import re
import time
from dataclasses import replace
from pathlib import Path
from sqlite3 import IntegrityError, Row

from core.base.database import Database
from core.base.errors import RefusedError, UsageError
from core.base.foreign import read_json
from core.base.names import printable
from core.boards.facts import BoardFacts, facts_from_json
from core.boards.identity import compare
from core.boards.records import Board
from core.boards.store import check_store_path
from core.remote.target import SshTarget

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class BoardRegistry:
    """The table of boards in RKDeck's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def check(self, board: Board) -> Board:
        """The board as `add` would enter it, when it would; nothing is written.

        Raises:
            UsageError: `boards.bad_name`, `boards.bad_store`, `boards.exists`, and what `SshTarget` refuses.
        """
        if not _NAME.fullmatch(board.name):
            raise UsageError("boards.bad_name", name=printable(board.name))
        SshTarget(board.host, board.port, board.user)
        store = check_store_path(board.store) if board.store is not None else None
        if self._database.query("SELECT 1 FROM boards WHERE name = ?", (board.name,)):
            raise UsageError("boards.exists", name=board.name)
        return replace(board, store=store, added_unix_s=board.added_unix_s or time.time())

    def add(self, board: Board) -> Board:
        """Add a board.

        Raises:
            UsageError: as `check`.
        """
        board = self.check(board)
        values = (
            board.name,
            board.host,
            board.port,
            board.user,
            str(board.identity_file) if board.identity_file is not None else None,
            board.store,
            board.sysroot,
            board.identity,
            json.dumps(board.facts.to_json()) if board.facts is not None else None,
            board.added_unix_s,
        )
        try:
            self._database.execute("INSERT INTO boards VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        except IntegrityError as error:
            raise UsageError("boards.exists", name=board.name) from error
        return board

    def get(self, name: str) -> Board:
        """One board.

        Raises:
            UsageError: `boards.unknown`.
        """
        rows = self._database.query("SELECT * FROM boards WHERE name = ?", (name,))
        if not rows:
            known = ", ".join(board.name for board in self.list())
            raise UsageError("boards.unknown", name=printable(name), known=known or "none yet")
        return _board(rows[0])

    def remove(self, name: str) -> Board:
        """Forget a board; what is on it stays there.

        Raises:
            UsageError: `boards.unknown`.
        """
        board = self.get(name)
        self._database.execute("DELETE FROM boards WHERE name = ?", (name,))
        return board

    def set_store(self, name: str, store: str) -> Board:
        """Choose where models live on a board.

        Raises:
            UsageError: `boards.unknown`, `boards.bad_store`.
        """
        self.get(name)
        self._database.execute("UPDATE boards SET store = ? WHERE name = ?", (check_store_path(store), name))
        return self.get(name)

    def remember(self, name: str, facts: BoardFacts, *, replaced: bool = False) -> Board:
        """Keep what a probe found; the proposed store is taken over when there is none yet.

        Args:
            name: of the board.
            facts: of this probe.
            replaced: the user said that this is other hardware under the same name.

        Raises:
            UsageError: `boards.unknown`.
            RefusedError: `boards.other_hardware` when another board answers at this address,
                `boards.unclear_hardware` when it may be the same one with a new system.
        """
        board = self.get(name)
        match = "same" if replaced else compare(board.identity, board.facts, facts)
        if match == "other":
            raise RefusedError("boards.other_hardware", name=name, host=board.host, model=facts.title)
        if match == "unclear":
            raise RefusedError("boards.unclear_hardware", name=name, host=board.host, model=facts.title)
        self._database.execute(
            "UPDATE boards SET identity = ?, facts = ?, store = ? WHERE name = ?",
            (
                facts.identity or board.identity,
                json.dumps(facts.to_json()),
                board.store or facts.store_proposal,
                name,
            ),
        )
        return self.get(name)

    def move(self, name: str, host: str, port: int, user: str) -> Board:
        """Reach a board in another way from now on.

        Raises:
            UsageError: `boards.unknown`, and what `SshTarget` refuses.
        """
        self.get(name)
        SshTarget(host, port, user)
        self._database.execute(
            "UPDATE boards SET host = ?, port = ?, user = ? WHERE name = ?", (host, port, user, name)
        )
        return self.get(name)

    def with_identity(self, identity: str | None) -> list[Board]:
        """The boards that are this very hardware (one board reached under two addresses)."""
        if identity is None:
            return []
        rows = self._database.query("SELECT * FROM boards WHERE identity = ? ORDER BY name", (identity,))
        return [_board(row) for row in rows]

    def list(self) -> list[Board]:
        """All boards, in the order they were added."""
        return [
            _board(row) for row in self._database.query("SELECT * FROM boards ORDER BY added_unix_s, name")
        ]


def _board(row: Row) -> Board:
    return Board(
        name=row["name"],
        host=row["host"],
        port=row["port"],
        user=row["user"],
        identity_file=Path(row["identity_file"]) if row["identity_file"] is not None else None,
        store=row["store"],
        sysroot=row["sysroot"],
        identity=row["identity"],
        facts=facts_from_json(read_json(row["facts"])) if row["facts"] is not None else None,
        added_unix_s=row["added_unix_s"],
    )
