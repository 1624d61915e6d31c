"""Files that are on a board already."""

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from core.base.database import Database
from core.base.digest import sha256_of
from core.base.errors import RefusedError, RKDeckError
from core.base.paths import AppPaths
from core.boards.facts import BoardFacts, Library
from core.boards.probe import probe_board
from core.boards.records import Board
from core.deploy.adopting import adopt, check_remote_path, find_files
from core.deploy.deployments import list_deployments, undeploy
from core.deploy.layout import Deployment
from core.fitness.sight import board_seen
from core.library import library as models
from core.library.records import LibraryFile
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession
from tests.core.boards.trees import write_tree
from tests.core.deploy.models import real_file, simulated_file
from tests.support.needs import need_of_bytes
from tests.support.sshd import SERVERS, SshServer


@pytest.fixture(scope="module", params=["openssh", "dropbear"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as running:
        yield running


@pytest.fixture
def session(server: SshServer, paths: AppPaths) -> Iterator[SshSession]:
    with server.connect(HostKeys(paths.known_hosts)) as connected:
        yield connected


@pytest.fixture
def facts(session: SshSession, tmp_path: Path) -> BoardFacts:
    sysroot = write_tree(tmp_path / "root", {"proc/device-tree/compatible": b"rockchip,rk3588\0"})
    library = Library("/usr/lib/librkllmrt.so", "1.3.0")
    return replace(probe_board(session, str(sysroot)), simulated=False, libraries=(library,))


def take(session: SshSession, facts: BoardFacts, store: Path, path: Path, **options: object) -> Deployment:
    seen = board_seen(Board("bench", "host", store=str(store), facts=facts))
    with closing(Database(path.parent / "rkdeck.sqlite")) as database:
        known = models.Library(database, path.parent / "library")
        return adopt(session, seen, str(path), board="bench", library=known, **options)  # type: ignore[arg-type]


def test_file_becomes_a_deployment_without_a_second_copy(
    session: SshSession, facts: BoardFacts, tmp_path: Path
) -> None:
    folder = tmp_path / "it's $(touch owned)"
    folder.mkdir()
    file, store = real_file(folder / "My Model_w8a8_rk3588.rkllm"), tmp_path / "store"
    found = take(session, facts, store, file)
    assert list_deployments(session, str(store)) == [found]
    assert (found.name, found.dtype) == ("My-Model_w8a8_rk3588", "w8a8")
    assert Path(found.path).read_bytes() == file.read_bytes()
    assert Path(found.path).stat().st_ino == file.stat().st_ino
    assert take(session, facts, store, file) == found
    undeploy(session, str(store), found.name)
    assert file.exists()
    assert not Path(found.path).exists()
    assert not list(tmp_path.rglob("owned"))


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no second file system")
def test_file_on_another_disk_is_referred_to(session: SshSession, facts: BoardFacts, tmp_path: Path) -> None:
    other = Path("/dev/shm") / f"rkdeck-test-{os.getpid()}_rk3588.rkllm"
    if other.parent.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("/dev/shm is on the same file system")
    real_file(other)
    try:
        found = take(session, facts, tmp_path / "store", other, name="far")
        assert Path(found.path).is_symlink()
        assert Path(found.path).read_bytes() == other.read_bytes()
        undeploy(session, str(tmp_path / "store"), "far")
        assert other.exists()
    finally:
        other.unlink()


def test_same_checks_as_for_sending(session: SshSession, facts: BoardFacts, tmp_path: Path) -> None:
    store = tmp_path / "store"
    (tmp_path / "text.rkllm").write_text("no model at all, only text that is long enough to be looked at")
    for path, code in (
        (tmp_path / "text.rkllm", "deploy.not_a_model"),
        (simulated_file(tmp_path / "s.rkllm"), "deploy.simulated_file"),
        (real_file(tmp_path / "m_w4a16_rk3576.rkllm"), "deploy.wrong_platform"),
    ):
        with pytest.raises(RefusedError) as caught:
            take(session, facts, store, path)
        assert caught.value.code == code
    assert not store.exists()
    assert take(session, facts, store, tmp_path / "m_w4a16_rk3576.rkllm", force=True).platform == "rk3576"


def test_a_file_of_the_library_is_judged_as_when_it_is_sent(
    session: SshSession, facts: BoardFacts, tmp_path: Path
) -> None:
    """Its need is known there; a file of the same size with other bytes is not it."""
    (tmp_path / "board").mkdir()
    file, other = tmp_path / "board/m_w8a8_rk3588.rkllm", tmp_path / "board/other_w8a8_rk3588.rkllm"
    real_file(file)
    real_file(other)
    facts = replace(facts, mem_total_bytes=8 << 30)
    with closing(Database(tmp_path / "board/rkdeck.sqlite")) as database:
        models.Library(database, tmp_path / "board/library").register(
            kind="rkllm", title="M", path=tmp_path / "here.rkllm", repo="some/made", revision="c" * 40,
            files=(LibraryFile("here.rkllm", file.stat().st_size, sha256_of(file)),),
            provenance=need_of_bytes(20 << 30).to_json(),
        )  # fmt: skip
    with pytest.raises(RefusedError, match=r"doctor\.model_memory_no"):
        take(session, facts, tmp_path / "store", file)
    found = take(session, facts, tmp_path / "store", file, force=True)
    assert (found.origin.repo, found.origin.revision) == ("some/made", "c" * 40)
    assert take(session, facts, tmp_path / "store", other).origin.repo is None


def test_what_is_not_there(session: SshSession, facts: BoardFacts, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.rkllm")
    for name in ("none.rkllm", "pipe.rkllm", "."):
        with pytest.raises(RKDeckError) as caught:
            take(session, facts, tmp_path / "store", tmp_path / name)
        assert caught.value.code == "deploy.no_such_file"
    with pytest.raises(RKDeckError) as caught:
        find_files(session, str(tmp_path / "none"))
    assert caught.value.code == "deploy.no_such_folder"


def test_files_are_found_below_a_folder(session: SshSession, tmp_path: Path) -> None:
    good = real_file(tmp_path / "a b.rkllm")
    (tmp_path / "one/two/three").mkdir(parents=True)
    deep = real_file(tmp_path / "one/two/c.rkllm")
    real_file(tmp_path / "one/two/three/too deep.rkllm")
    real_file(tmp_path / "line\n9\tpasswd.rkllm")
    real_file(tmp_path / "esc\x1b[2J.rkllm")
    (tmp_path / "link.rkllm").symlink_to(good)
    (tmp_path / "folder.rkllm").mkdir()
    found = find_files(session, str(tmp_path))
    assert [(file.path, file.size_bytes) for file in found] == [
        (str(good), good.stat().st_size),
        (str(deep), deep.stat().st_size),
    ]


@pytest.mark.parametrize("path", ["", "x", "../x", "-rf", "a\0b", "/a\0b", "/" + "x" * 5000])
def test_only_absolute_paths(path: str) -> None:
    with pytest.raises(RefusedError):
        check_remote_path(path)
    assert check_remote_path("//a/../b/./c") == "/b/c"
