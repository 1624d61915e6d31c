"""Boards that are watched: demo boards that can be switched off and on, and what a feed says of them."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from core.base.database import Database
from core.base.errors import RKDeckError
from core.base.paths import AppPaths
from core.boards.records import Board
from core.boards.registry import BoardRegistry
from core.demo.board.main import DemoBoard
from core.monitor.feed import MonitorFeed
from core.monitor.sample import UP, BoardSample
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession
from core.remote.target import SshTarget
from tests.support.sshd import new_key
from tests.support.waiting import wait_until


class Place:
    """A home folder with boards in it, and what a feed reports of them."""

    def __init__(self, paths: AppPaths, folder: Path, key: Path) -> None:
        self.paths = paths
        self.key = key
        self.folder = folder
        self.database = Database(paths.database_file)
        self.registry = BoardRegistry(self.database)
        self.samples: list[BoardSample] = []
        self.passwords: dict[str, str] = {}
        self.boards: dict[str, DemoBoard] = {}

    def switch_on(self, name: str, key: Path | None = None) -> DemoBoard:
        """A board of that name, remembered with its host key; where an earlier one was, it takes its place."""
        public = [(self.key.parent / f"{path.name}.pub").read_text() for path in (self.key, key or self.key)]
        board = self.boards[name] = DemoBoard(self.folder / name, public, bare=True).start()
        with contextlib.suppress(RKDeckError):
            self.registry.remove(name)
        self.registry.add(Board(name, "127.0.0.1", board.port, board.user, key or self.key))
        target = SshTarget("127.0.0.1", board.port, board.user, self.key, use_agent=False)
        SshSession.connect(target, HostKeys(self.paths.known_hosts), board.host_key_sha256).close()
        return board

    def feed(self, *boards: str) -> MonitorFeed:
        feed = MonitorFeed(self.paths, self.samples.append, secrets=self.passwords.get, interval_s=0.2)
        feed.watch(boards)
        return feed

    def links(self, name: str) -> list[str]:
        """What the samples of a board said: "up", or why not."""
        return [sample.missing.get("link", UP) for sample in list(self.samples) if sample.board == name]

    def wait_for(self, name: str, link: str, since: int = 0) -> int:
        """Wait for such a sample; returns how many there are of that board."""
        wait_until(lambda: link in self.links(name)[since:], what=f"{name} {link}")
        return len(self.links(name))


@contextlib.contextmanager
def boards_in(paths: AppPaths, folder: Path) -> Iterator[Place]:
    """A place without boards yet; all are switched off in the end."""
    place = Place(paths, folder / "boards", new_key(folder / "key"))
    try:
        yield place
    finally:
        place.database.close()
        for board in place.boards.values():
            board.stop()
