"""Old versions and files nobody refers to: what is chosen, and what really goes from a real server's disk."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.paths import AppPaths
from core.deploy.deployments import list_versions, undeploy
from core.deploy.layout import DeployedFile, Deployment, Origin
from core.deploy.pruning import plan_pruning, prune
from core.deploy.records import Blob
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession
from core.transfer.discard import discard_part
from core.transfer.receiving import Receiver
from core.vendor.kinds import model_kinds
from tests.core.deploy.test_deployments import deploy
from tests.support.sshd import SERVERS, SshServer
from tests.support.waiting import wait_until

RKLLM = model_kinds()["rkllm"]
GIB = 1 << 30


def version(name: str, day: int, letter: str, *, current: bool = False, files: str = "") -> Deployment:
    sha256 = letter * 64
    return Deployment(
        name, f"202601{day:02}T000000Z-{sha256[:12]}", RKLLM, f"/s/blobs/{sha256}.rkllm", sha256, GIB, None, None,
        False, name, current=current, origin=Origin(tuple(DeployedFile(f"f{one}", one * 64, 10) for one in files)),
    )  # fmt: skip


def blob(letter: str, size: int = GIB, kind: str = "rkllm", *, settled: bool = True) -> Blob:
    return Blob(f"{letter * 64}.{kind}", letter * 64, size, settled)


def names(found: tuple[Deployment, ...]) -> list[str]:
    return [f"{entry.name}{entry.version[6:8]}" for entry in found]


def test_newest_stay_and_what_is_live_takes_a_place_wherever_it_is() -> None:
    versions = [version("a", day, letter, current=day == 1) for day, letter in enumerate("abcd", 1)]
    plan = plan_pruning(versions, [blob(letter) for letter in "abcd"], keep=2)
    assert names(plan.versions) == ["a02", "a03"]
    assert sorted(found.sha256[0] for found in plan.blobs) == ["b", "c"]
    assert (plan.freed_bytes, plan.kept_bytes) == (2 * GIB, 2 * GIB)
    assert plan_pruning(versions, [], keep=1).versions == tuple(versions[1:])
    assert plan_pruning(versions, [], keep=0).versions == ()


def test_files_others_need_stay() -> None:
    versions = [
        version("a", 1, "a", files="e"),
        version("a", 2, "b", current=True, files="e"),
        version("z", 1, "a", current=True),
    ]
    plan = plan_pruning(versions, [blob("a"), blob("b"), blob("e", 10, "file")], keep=1)
    assert names(plan.versions) == ["a01"]
    assert plan.blobs == ()


def test_budget_takes_the_oldest_first_and_never_what_is_live() -> None:
    versions = [
        version("a", 1, "a"),
        version("a", 5, "b", current=True),
        version("z", 2, "c"),
        version("z", 3, "d", current=True),
    ]
    blobs = [blob(letter) for letter in "abcd"]
    assert names(plan_pruning(versions, blobs, keep=0, budget_bytes=3 * GIB).versions) == ["a01"]
    assert names(plan_pruning(versions, blobs, keep=0, budget_bytes=1).versions) == ["a01", "z02"]
    assert plan_pruning(versions, blobs, keep=0, budget_bytes=4 * GIB).versions == ()


def test_file_that_just_arrived_is_left_to_its_deployment() -> None:
    plan = plan_pruning([], [blob("a"), blob("b", settled=False)], keep=1)
    assert [found.sha256[0] for found in plan.blobs] == ["a"]


@pytest.fixture(scope="module", params=["openssh", "dropbear"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as running:
        yield running


@pytest.fixture
def session(server: SshServer, paths: AppPaths) -> Iterator[SshSession]:
    with server.connect(HostKeys(paths.known_hosts)) as connected:
        yield connected


def test_dry_run_tells_what_the_real_one_does(session: SshSession, tmp_path: Path) -> None:
    store = tmp_path / "a $(touch owned) store"
    for day in range(1, 5):
        deploy(session, store, "one", bytes([day]) * 100, version=f"202601{day:02}T000000Z")
    kept = deploy(session, store, "two", b"two")
    orphan = store / "blobs" / ("e" * 64 + ".rkllm")
    orphan.write_bytes(b"x" * 1000)
    os.utime(orphan, (1, 1))
    fresh = store / "blobs" / ("f" * 64 + ".rkllm")
    fresh.write_bytes(b"just arrived")
    stranger = store / "blobs/somebody's notes.txt"
    stranger.write_text("keep")
    os.utime(stranger, (1, 1))
    before = sorted(store.rglob("*"))
    plan = prune(session, str(store), 2, dry_run=True)
    assert sorted(store.rglob("*")) == before
    done = prune(session, str(store), 2)
    assert done == plan
    assert (len(done.versions), len(done.blobs), done.freed_bytes) == (2, 3, 1200)
    assert [entry.version[:8] for entry in list_versions(session, str(store)) if entry.name == "one"] == [
        "20260103",
        "20260104",
    ]
    assert Path(kept.path).exists()
    assert fresh.exists()
    assert stranger.read_text() == "keep"
    assert not orphan.exists()
    assert prune(session, str(store), 2).versions == ()
    assert not list(tmp_path.rglob("owned"))


def test_small_files_go_with_the_last_version_that_needs_them(session: SshSession, tmp_path: Path) -> None:
    deploy(session, tmp_path, "one", b"a")
    (found,) = list_versions(session, str(tmp_path))
    assert found.origin == Origin()
    undeploy(session, str(tmp_path), "one")
    assert list((tmp_path / "blobs").iterdir()) == []


def test_what_is_live_stays_while_two_tidy_up_at_once(
    server: SshServer, paths: AppPaths, session: SshSession, tmp_path: Path
) -> None:
    for day in range(1, 8):
        deploy(session, tmp_path, "one", bytes([day]), version=f"202601{day:02}T000000Z")
    live = list_versions(session, str(tmp_path))[-1]
    assert live.current
    errors: list[BaseException] = []

    def tidy() -> None:
        try:
            with server.connect(HostKeys(paths.known_hosts)) as other:
                prune(other, str(tmp_path), 1)
        except BaseException as error:  # noqa: BLE001  # shown by the test
            errors.append(error)

    threads = [threading.Thread(target=tidy) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert list_versions(session, str(tmp_path)) == [live]
    assert [path.name for path in (tmp_path / "blobs").iterdir()] == [f"{live.sha256}.rkllm"]


WEEK_S = 7 * 86400


def _part(store: Path, letter: str, age_s: float) -> Path:
    part = store / "incoming" / f"{letter * 64}.partial"
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(b"x" * 1000)
    os.utime(part, (part.stat().st_mtime - age_s,) * 2)
    return part


def test_parts_that_nobody_went_on_with_for_a_week_go(session: SshSession, tmp_path: Path) -> None:
    store = tmp_path / "a $(touch owned) store"
    old, young = _part(store, "a", WEEK_S + 3600), _part(store, "b", WEEK_S - 3600)
    dead = Path(f"{_part(store, 'c', 2 * WEEK_S)}.lock")  # its sender was killed with the connection
    dead.mkdir()
    (dead / "owner").write_text("999999 1 somebody\n")
    notes = store / "incoming" / "notes.partial"
    notes.write_text("somebody's own")
    os.utime(notes, (1, 1))
    before = sorted(store.rglob("*"))
    plan = prune(session, str(store), 0, dry_run=True)
    assert sorted(store.rglob("*")) == before
    done = prune(session, str(store), 0)
    assert done == plan
    assert ([part.sha256[0] for part in done.parts], done.freed_bytes) == (["a", "c"], 2000)
    assert sorted((store / "incoming").iterdir()) == [young, notes]
    assert not old.exists()
    assert prune(session, str(store), 0).is_empty
    assert not list(tmp_path.rglob("owned"))


def test_a_part_that_another_computer_is_sending_stays_however_old_it_looks(
    session: SshSession, server: SshServer, paths: AppPaths, tmp_path: Path
) -> None:
    """A board without a battery wakes up years ago: what arrives before its clock is set looks old."""
    store, part = tmp_path, _part(tmp_path, "d", 0)
    with server.connect(HostKeys(paths.known_hosts)) as other:
        arguments = [str(part), "5000", "d" * 64, "0", "", "other"]
        sender = Receiver(other, str(part), "receive.sh", arguments)
        have = sender.have(5000)
        assert have is not None
        sender.begin(have.size_bytes)
        os.utime(part, (1, 1))
        assert [found.size_bytes for found in prune(session, str(store), 0, dry_run=True).parts] == [1000]
        done = prune(session, str(store), 0)
        assert done.is_empty
        assert part.read_bytes() == b"x" * 1000
        sender.close()


def test_a_part_that_grew_since_it_was_listed_stays(session: SshSession, tmp_path: Path) -> None:
    part = _part(tmp_path, "e", 2 * WEEK_S)
    assert not discard_part(session, str(part), 999)
    assert part.read_bytes() == b"x" * 1000
    wait_until(lambda: list(part.parent.iterdir()) == [part], what="the script lets go of the part")
    assert discard_part(session, str(part), 1000)
    assert list(part.parent.iterdir()) == []
