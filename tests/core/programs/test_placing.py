"""Programs below a store, over real SSH servers: whole or not there, several versions side by side, listed, removed."""

import hashlib
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.errors import RefusedError, RKDeckError
from core.base.paths import AppPaths
from core.programs.placing import Placed, place, placed, remove
from core.programs.table import RUNTIME_LIBRARY, Program
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession
from tests.support.sshd import SERVERS

TOOL = Program(folder="bin/a tool", file="tool.py", executable=True)


@pytest.fixture(params=["openssh", "dropbear"])
def session(request: pytest.FixtureRequest, tmp_path: Path, paths: AppPaths) -> Iterator[SshSession]:
    with (
        SERVERS[request.param](tmp_path / "server") as server,
        server.connect(HostKeys(paths.known_hosts)) as session,
    ):
        yield session


def made(path: Path, text: str) -> tuple[Path, str]:
    path.write_text(text)
    return path, hashlib.sha256(text.encode()).hexdigest()


def test_versions_lie_side_by_side_are_listed_and_go_one_by_one(session: SshSession, tmp_path: Path) -> None:
    store = str(tmp_path / "it's a store")
    assert placed(session, store, TOOL) == ()
    digests = {}
    for version in ("1.0", "1.1+simulated"):
        file, digests[version] = made(tmp_path / "new", f"#!/bin/sh\necho {version}\n")
        path = place(session, store, TOOL, version, file, digests[version])
        assert path == f"{store}/bin/a tool/{version}/tool.py"
        assert stat.S_IMODE(Path(path).stat().st_mode) == 0o755
        assert session.run([path]).text == f"{version}\n"
        assert [entry.name for entry in Path(path).parent.iterdir()] == ["tool.py"]
    assert set(placed(session, store, TOOL)) == {
        Placed(version, TOOL.path(store, version), digest) for version, digest in digests.items()
    }
    remove(session, store, TOOL, "1.0")
    remove(session, store, TOOL, "1.0")
    assert [found.version for found in placed(session, store, TOOL)] == ["1.1+simulated"]
    assert not (Path(store) / "bin/a tool/1.0").exists()


def test_what_is_not_the_promised_file_gets_no_final_name(session: SshSession, tmp_path: Path) -> None:
    file, _ = made(tmp_path / "new", "other bytes")
    with pytest.raises(RKDeckError) as caught:
        place(session, str(tmp_path / "store"), RUNTIME_LIBRARY, "1.0", file, "0" * 64)
    assert caught.value.code == "remote.source_changed"
    assert placed(session, str(tmp_path / "store"), RUNTIME_LIBRARY) == ()
    assert not Path(RUNTIME_LIBRARY.path(str(tmp_path / "store"), "1.0")).exists()


def test_a_changed_file_shows_another_digest_and_is_replaced(session: SshSession, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    file, digest = made(tmp_path / "new", "library")
    path = Path(place(session, store, RUNTIME_LIBRARY, "1.0", file, digest))
    path.write_text("library, spoiled")
    (found,) = placed(session, store, RUNTIME_LIBRARY)
    assert found.sha256 != digest
    place(session, store, RUNTIME_LIBRARY, "1.0", file, digest)
    assert path.read_text() == "library"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_folder_with_something_else_in_it_is_not_removed_in_silence(
    session: SshSession, tmp_path: Path
) -> None:
    store = str(tmp_path / "store")
    file, digest = made(tmp_path / "new", "library")
    note = Path(place(session, store, RUNTIME_LIBRARY, "1.0", file, digest)).with_name("note")
    note.write_text("mine")
    with pytest.raises(RKDeckError) as caught:
        remove(session, store, RUNTIME_LIBRARY, "1.0")
    assert caught.value.code == "programs.not_removed"
    assert note.read_text() == "mine"


@pytest.mark.parametrize("version", ["", "..", ".hidden", "a/b", "a b", "-rf", "x" * 101, "a\n"])
def test_a_version_that_is_no_plain_word_is_refused(version: str) -> None:
    with pytest.raises(RefusedError) as caught:
        TOOL.path("/store", version)
    assert caught.value.code == "names.unsafe_path"
