"""A board behind a network that can be switched off, and what must be true when it comes back."""

import contextlib
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from core.base.database import Database
from core.boards.registry import BoardRegistry
from core.jobs.manager import JobHandle
from core.remote.hostkeys import HostKeys
from tests.core.deploy.models import real_file
from tests.core.deploy.site import Site, blob_at, current_versions, deployed_small, progress_events, snapshot
from tests.support.network import Network
from tests.support.orders import start_deploy
from tests.support.waiting import wait_until

MIB = 1 << 20
SIZE = 24 * MIB
# What may be sent twice, the words of SSH included.
TWICE_BYTES = 8 * MIB


@dataclass
class Far:
    """A deployment that is under way to a board behind `network`, over another model that is live there."""

    place: Site
    network: Network
    file: Path
    old: str
    handle: JobHandle
    before_bytes: int

    @property
    def is_stalled(self) -> bool:
        """Whether the job says now that nothing moves."""
        progress = self.place.jobs.store.get(self.handle.id).progress
        return progress is not None and progress.stalled

    @property
    def log(self) -> str:
        """What the job told in words."""
        events, _ = self.place.jobs.store.folder(self.handle.id).events()
        return "\n".join(str(event.data.get("text")) for event in events if event.event == "log")

    def is_told_and_harmless(self) -> None:
        """In the middle of the outage: the job tells of it, and the old model is untouched."""
        wait_until(lambda: self.is_stalled, timeout_s=30)
        assert current_versions(self.place) == {"m": self.old}
        stalled = [event for event in progress_events(self.place, self.handle.id) if event["stalled"]]
        assert (stalled[0]["rate_bytes_per_s"], stalled[0]["eta_s"]) == (0, None)
        since = [float(str(event["stalled_s"])) for event in stalled]
        assert since[0] >= 3
        assert since == sorted(since)

    def ends_well(self, timeout_s: float = 60) -> dict[str, object]:
        """Wait for the end, which the old model outlives; returns the job's result."""
        new = hashlib.sha256(self.file.read_bytes()).hexdigest()
        live = [self.old]
        deadline = time.monotonic() + timeout_s
        while not self.handle.record().state.is_terminal:
            assert time.monotonic() < deadline
            live.append(current_versions(self.place)["m"])
        result: dict[str, object] = dict(self.handle.result(timeout_s))
        assert live == sorted(live, key=[self.old, new].index)  # once it was the new one, it stayed
        assert result["sha256"] == new
        assert current_versions(self.place) == {"m": new}  # which reads the file on the board
        assert 0 <= self.sent_twice_bytes <= TWICE_BYTES
        done = [float(str(event["done"])) for event in progress_events(self.place, self.handle.id)]
        assert done == sorted(done)
        return result

    @property
    def sent_twice_bytes(self) -> int:
        """What reached the board beyond the file, the words of SSH included."""
        return self.network.to_server_bytes - self.before_bytes - self.file.stat().st_size


@contextlib.contextmanager
def far_board(place: Site, network: Network, tmp_path: Path, host: str = "127.0.0.1") -> Iterator[Far]:
    """Deploy a small model, then send a big one of the same name through `network` until a third of it is there."""
    old = deployed_small(place, tmp_path)
    outside = snapshot(place.folder, place.store)
    with contextlib.closing(Database(place.paths.database_file)) as database:
        board = BoardRegistry(database).add(replace(place.board, name="far", host=host, port=network.port))
    place.server.connect(HostKeys(place.paths.known_hosts), host=host, port=network.port).close()
    before = network.to_server_bytes
    file = real_file(tmp_path / "new_rk3588.rkllm", SIZE)
    handle = start_deploy(place.jobs, board, file, name="m", limit_bytes_per_s=SIZE // 2)
    wait_until(lambda: blob_at(place, 0.3, SIZE), timeout_s=30)
    yield Far(place, network, file, old, handle, before)
    assert snapshot(place.folder, place.store) == outside
