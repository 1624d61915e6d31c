"""A home folder with one board in its registry, and that board as a real server on loopback."""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.base.database import Database
from core.base.paths import AppPaths
from core.boards.records import Board
from core.boards.registry import BoardRegistry
from core.deploy.deployments import list_deployments
from core.jobs.manager import JobManager
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession
from tests.core.boards.trees import write_tree
from tests.core.deploy.models import real_file
from tests.support.libraries import library_bytes
from tests.support.orders import start_deploy
from tests.support.sshd import SshServer


def plain_board(root: Path, soc: str = "rk3588") -> Path:
    """What there must be of a board so that it takes a file: a SoC, and a library that runs the file."""
    return write_tree(
        root,
        {
            "proc/device-tree/compatible": f"rockchip,{soc}\0",
            "proc/sys/kernel/arch": "aarch64\n",
            "usr/lib/librkllmrt.so": library_bytes("1.2.3"),
        },
    )


@dataclass
class Site:
    """A home folder with one board in its registry, and that board."""

    paths: AppPaths
    jobs: JobManager
    board: Board
    server: SshServer
    folder: Path

    @property
    def store(self) -> Path:
        assert self.board.store is not None
        return Path(self.board.store)

    def deploy(self, file: Path, **options: object) -> dict[str, object]:
        return dict(start_deploy(self.jobs, self.board, file, **options).result(60))  # type: ignore[arg-type]

    def connect(self) -> SshSession:
        return self.server.connect(HostKeys(self.paths.known_hosts))


@contextlib.contextmanager
def site(
    paths: AppPaths, server: SshServer, store: Path, sysroot: Path, name: str = "bench"
) -> Iterator[Site]:
    with contextlib.closing(Database(paths.database_file)) as database:
        board = BoardRegistry(database).add(
            Board(name, server.host, server.port, server.user, server.key_file, str(store), str(sysroot))
        )
    server.connect(HostKeys(paths.known_hosts)).close()
    with contextlib.closing(JobManager(paths)) as jobs:
        yield Site(paths, jobs, board, server, store.parent)


def snapshot(folder: Path, store: Path) -> dict[str, tuple[int, int, int]]:
    """Everything below `folder` but the store: inode, change time, size."""
    return {
        str(path): (path.lstat().st_ino, path.lstat().st_mtime_ns, path.lstat().st_size)
        for path in sorted(folder.rglob("*"))
        if not path.is_relative_to(store) and path != folder
    }


def progress_events(site: Site, job_id: str) -> list[dict[str, object]]:
    """What a job told of its upload."""
    text = (site.paths.jobs / job_id / "events.jsonl").read_text()
    events = [json.loads(line) for line in text.splitlines()]
    found = [event.get("data", event) for event in events if event.get("event") == "progress"]
    return [event for event in found if event.get("phase") == "upload"]


def blob_at(site: Site, share: float, size: int) -> bool:
    """Whether this share of a file of that size has arrived."""
    return any(path.stat().st_size >= share * size for path in (site.store / "incoming").glob("*.partial"))


def deployed_small(site: Site, tmp_path: Path) -> str:
    """Deploy a small model called m; returns its digest."""
    return str(site.deploy(real_file(tmp_path / "old_rk3588.rkllm"), name="m")["sha256"])


def current_versions(site: Site) -> dict[str, str]:
    """Names and digests of what is live; each blob is read and must have its digest."""
    with site.connect() as session:
        found = list_deployments(session, str(site.store))
    for deployment in found:
        content = Path(deployment.path).read_bytes()
        assert hashlib.sha256(content).hexdigest() == deployment.sha256
    return {deployment.name: deployment.sha256 for deployment in found}
