"""Everything that goes wrong while a model is sent: nothing is lost, and the old one stays live.

Each test deploys a small model first and compares, at the end, what is live, and every inode outside the store.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core.base.errors import RKDeckError
from core.base.paths import AppPaths
from core.deploy.deployments import list_versions
from core.jobs.manager import JobHandle
from tests.core.deploy.models import real_file
from tests.core.deploy.site import (
    Site,
    blob_at,
    current_versions,
    deployed_small,
    plain_board,
    progress_events,
    site,
    snapshot,
)  # fmt: skip
from tests.support.orders import start_deploy
from tests.support.sshd import find_program, openssh, openssh_running
from tests.support.waiting import wait_until

MIB = 1 << 20
SIZE = 24 * MIB


@pytest.fixture
def old(real: Site, tmp_path: Path) -> Iterator[str]:
    """The digest of a model that is live before, and must be afterwards."""
    sha256 = deployed_small(real, tmp_path)
    before = snapshot(real.folder, real.store)
    yield sha256
    assert snapshot(real.folder, real.store) == before


def sending(place: Site, file: Path, until: float = 0.3, limit: int = 12 * MIB) -> JobHandle:
    """A deployment of the same name, on its way; returns when this share has arrived."""
    handle = start_deploy(place.jobs, place.board, file, name="m", limit_bytes_per_s=limit, force=True)
    wait_until(lambda: blob_at(place, until, SIZE), timeout_s=30)
    return handle


def failure(handle: JobHandle) -> RKDeckError:
    with pytest.raises(RKDeckError) as caught:
        handle.result(60)
    return caught.value


def test_source_that_changes_meanwhile(real: Site, old: str, tmp_path: Path) -> None:
    file = real_file(tmp_path / "new_rk3588.rkllm", SIZE)
    handle = sending(real, file)
    with file.open("r+b") as source:
        source.seek(SIZE - 1000)
        source.write(b"another ending")
    assert failure(handle).code == "remote.source_changed"
    assert current_versions(real) == {"m": old}
    again = real.deploy(file, name="m")
    assert current_versions(real) == {"m": again["sha256"]}


def test_board_that_reboots(real: Site, old: str, tmp_path: Path) -> None:
    """Server and connections die; later a new server listens at the same address."""
    file = real_file(tmp_path / "new_rk3588.rkllm", SIZE)
    handle = sending(real, file)
    for process in (psutil.Process(real.server.pid), *real.server.children()):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    arrived = max(path.stat().st_size for path in (real.store / "incoming").glob("*.partial"))
    assert current_blobs(real) == {old}
    config = real.server.log_file.parent / "sshd_config"
    wait_until(lambda: any(event["stalled"] for event in progress_events(real, handle.id)), timeout_s=20)
    booted = subprocess.Popen(
        [find_program("sshd"), "-D", "-e", "-f", str(config)], stderr=subprocess.DEVNULL
    )
    try:
        result = handle.result(60)
    finally:
        booted.kill()
        booted.wait()
    assert Path(str(result["path"])).read_bytes() == file.read_bytes()
    assert int(str(result["bytes_sent"])) - file.stat().st_size <= 8 * MIB
    assert arrived > 0


def current_blobs(place: Site) -> set[str]:
    """Digests of the complete files, read from the disk: the server may be away."""
    return {path.stem for path in (place.store / "blobs").iterdir()}


def test_byte_damaged_on_the_way(paths: AppPaths, tmp_path: Path) -> None:
    flag, program = tmp_path / "damage", tmp_path / "damage.py"
    program.write_text(
        "import os, sys\n"
        "done = 0\n"
        "while data := os.read(0, 65536):\n"
        "    at = 10_000_000 - done\n"
        "    if 0 <= at < len(data): data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]\n"
        "    done += len(data)\n"
        "    os.write(1, data)\n"
    )
    login = (
        f'[ -e {flag} ] || exec sh -c "$SSH_ORIGINAL_COMMAND"\n'
        f'{sys.executable} {program} | sh -c "$SSH_ORIGINAL_COMMAND"'
    )
    sysroot = plain_board(tmp_path / "board/root")
    with (
        openssh_running(tmp_path, login) as server,
        site(paths, server, tmp_path / "board/store", sysroot) as place,
    ):
        old = deployed_small(place, tmp_path)
        before = snapshot(place.folder, place.store)
        flag.touch()
        file = real_file(tmp_path / "new_rk3588.rkllm", SIZE)
        handle = start_deploy(place.jobs, place.board, file, name="m")
        assert failure(handle).code == "remote.digest_mismatch"
        flag.unlink()
        assert current_versions(place) == {"m": old}
        assert list((place.store / "incoming").iterdir()) == []
        assert current_blobs(place) == {old}
        place.deploy(file, name="m")
        assert snapshot(place.folder, place.store) == before


def test_two_apps_send_different_files_under_one_name(real: Site, old: str, tmp_path: Path) -> None:
    other = AppPaths(tmp_path / "other home")
    other.ensure()
    with site(other, real.server, real.store, Path(real.board.sysroot)) as second:
        files = [real_file(tmp_path / f"{number}_rk3588.rkllm", 8 * MIB) for number in range(2)]
        handles = [
            start_deploy(place.jobs, place.board, file, name="m")
            for place, file in zip((real, second), files, strict=True)
        ]
        sent = [str(handle.result(90)["sha256"]) for handle in handles]
    assert current_versions(real)["m"] in sent
    with real.connect() as session:
        assert {version.sha256 for version in list_versions(session, str(real.store))} == {old, *sent}


HOSTILE = (
    "$(reboot)",
    "`touch owned`",
    "../../etc/x",
    'it\'s "quoted"; touch owned',
    "new\nline\ttab",
    "x" * 300,
    "\u202egnp.ledom\u200f",
    "-rf",
    ".",
    "\x1b[2J\x07",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_name_of_a_model(real: Site, old: str, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "from the hub"
    folder.mkdir()
    file = folder / (name.replace("/", "_")[:200] + "_rk3588.rkllm")
    real_file(file, 100_000)
    result = real.deploy(file, name=name, title=name)
    live = current_versions(real)
    assert live == {"m": old, str(result["name"]): result["sha256"]}
    assert (real.store / "deployments" / str(result["name"])).is_dir()
    assert not list(tmp_path.rglob("owned"))
    assert sorted(path.name for path in real.store.iterdir()) == ["blobs", "deployments", "incoming"]


@pytest.mark.needs_root
def test_disk_that_is_full_at_99_percent(paths: AppPaths, tmp_path: Path) -> None:
    disk = tmp_path / "board/disk"
    disk.mkdir(parents=True)
    sysroot = plain_board(tmp_path / "board/root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128m", "tmpfs", str(disk)], check=True)
    try:
        with (
            openssh(tmp_path / "server") as server,
            site(paths, server, disk / "store", sysroot) as place,
        ):
            first = real_file(tmp_path / "old_rk3588.rkllm")
            old = str(place.deploy(first, name="m", force=True)["sha256"])
            file = real_file(tmp_path / "new_rk3588.rkllm", SIZE)
            handle = sending(place, file)
            facts = os.statvfs(disk)
            arrived = max(path.stat().st_size for path in (place.store / "incoming").glob("*.partial"))
            left = facts.f_bavail * facts.f_frsize - (int(SIZE * 0.99) - arrived)
            subprocess.run(["fallocate", "-l", str(left), str(disk / "filler")], check=True)
            assert failure(handle).code == "remote.disk_full"
            assert current_versions(place) == {"m": old}
            assert list((place.store / "incoming").iterdir()) == []
            (disk / "filler").unlink()
            result = place.deploy(file, name="m", force=True)
            assert current_versions(place) == {"m": result["sha256"]}
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.needs_root
def test_store_on_a_read_only_mount(real: Site, old: str, tmp_path: Path) -> None:
    subprocess.run(["mount", "--bind", str(real.store), str(real.store)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(real.store)], check=True)
        handle = start_deploy(real.jobs, real.board, real_file(tmp_path / "n_rk3588.rkllm"), name="m")
        assert failure(handle).code == "doctor.store_read_only"
        assert current_versions(real) == {"m": old}
    finally:
        subprocess.run(["umount", str(real.store)], check=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_store_that_may_not_be_written(real: Site, old: str, tmp_path: Path) -> None:
    for path in (real.store / "incoming", real.store):
        path.chmod(0o500)
    try:
        handle = start_deploy(real.jobs, real.board, real_file(tmp_path / "n_rk3588.rkllm"), name="m")
        assert failure(handle).code == "doctor.store_read_only"
    finally:
        for path in (real.store, real.store / "incoming"):
            path.chmod(0o700)
    assert current_versions(real) == {"m": old}


def test_app_killed_at_99_percent_sends_little_twice(real: Site, old: str, tmp_path: Path) -> None:
    """The whole tree of the job dies at once, as when the computer loses its power."""
    file = real_file(tmp_path / "new_rk3588.rkllm", SIZE)
    handle = sending(real, file, until=0.97)
    killed = time.monotonic()
    for process in psutil.process_iter(["cmdline"]):
        if handle.id in " ".join(process.info["cmdline"] or ()):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    assert handle.wait(30).state.name == "INTERRUPTED"
    assert time.monotonic() - killed < 30
    assert current_blobs(real) == {old}
    result = real.jobs.resume(handle.id).result(60)
    assert int(str(result["resumed_from_bytes"])) >= 0.97 * SIZE
    assert int(str(result["bytes_sent"])) <= 8 * MIB
    assert current_versions(real) == {"m": result["sha256"]}
