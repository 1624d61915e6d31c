"""Uploads to real servers; the "board" is a folder of this computer."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from core.base.errors import RefusedError, RKDeckError
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession
from core.transfer.upload import UploadResult, upload
from tests.support.sshd import ROOT, SshServer, demo_board, openssh, openssh_running

SIZE = 6 * (1 << 20) + 12345


@pytest.fixture(scope="module")
def content() -> bytes:
    return os.urandom(SIZE)


@pytest.fixture
def local(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "model.rkllm"
    path.write_bytes(content)
    return path


@pytest.fixture
def partial(remote_folder: Path) -> Path:
    return remote_folder / "store/incoming/it's $(reboot).partial"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def send(session: SshSession, local: Path, partial: Path, **options: object) -> UploadResult:
    return upload(session, local, str(partial), digest(local.read_bytes()), **options)  # type: ignore[arg-type]


def failure(session: SshSession, local: Path, partial: Path, **options: object) -> RKDeckError:
    with pytest.raises(RKDeckError) as caught:
        send(session, local, partial, **options)
    return caught.value


class _Stopped(Exception):
    """Raised from a progress callback to end an upload at a known point."""


def at(share: float, action: Callable[[], None]) -> Callable[[int, int], None]:
    """A progress callback that acts once, when this share has been sent."""
    done: list[bool] = []

    def progress(sent: int, total: int) -> None:
        if not done and sent >= share * total:
            done.append(True)
            action()

    return progress


def test_file_arrives_and_progress_is_true(session: SshSession, local: Path, partial: Path) -> None:
    seen: list[tuple[int, int]] = []
    result = send(session, local, partial, progress=lambda done, total: seen.append((done, total)))
    assert partial.read_bytes() == local.read_bytes()
    assert (result.size_bytes, result.bytes_sent, result.resumed_from_bytes) == (SIZE, SIZE, 0)
    assert seen[0] == (0, SIZE)
    assert seen[-1] == (SIZE, SIZE)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert sorted(entry.name for entry in partial.parent.iterdir()) == [partial.name]


def test_empty_file(session: SshSession, tmp_path: Path, partial: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    assert send(session, empty, partial).bytes_sent == 0
    assert partial.read_bytes() == b""


def test_goes_on_from_a_true_beginning(
    session: SshSession, local: Path, partial: Path, content: bytes
) -> None:
    partial.parent.mkdir(parents=True)
    partial.write_bytes(content[:1_000_001])
    result = send(session, local, partial)
    assert (result.resumed_from_bytes, result.bytes_sent) == (1_000_001, SIZE - 1_000_001)
    assert partial.read_bytes() == content


def test_complete_part_is_only_verified(
    session: SshSession, local: Path, partial: Path, content: bytes
) -> None:
    partial.parent.mkdir(parents=True)
    partial.write_bytes(content)
    assert send(session, local, partial).bytes_sent == 0


def test_final_name_is_given_at_the_end_and_then_found(
    session: SshSession, local: Path, partial: Path, content: bytes, remote_folder: Path
) -> None:
    final = remote_folder / "store/blobs/a b.rkllm"
    seen: list[bool] = []
    send(session, local, partial, final=str(final), progress=lambda *_: seen.append(final.exists()))
    assert seen
    assert not any(seen)
    assert final.read_bytes() == content
    assert list(partial.parent.iterdir()) == []
    inode = final.stat().st_ino
    again = send(session, local, partial, final=str(final))
    assert (again.was_there, again.bytes_sent, final.stat().st_ino) == (True, 0, inode)
    assert list(partial.parent.iterdir()) == []


def test_damaged_final_file_is_replaced(
    session: SshSession, local: Path, partial: Path, content: bytes, remote_folder: Path
) -> None:
    final = remote_folder / "blob"
    final.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    result = send(session, local, partial, final=str(final))
    assert (result.was_there, result.bytes_sent) == (False, SIZE)
    assert final.read_bytes() == content


@pytest.mark.parametrize("kind", ["flipped", "longer", "zeros"])
def test_wrong_beginning_is_noticed_and_replaced(
    session: SshSession, local: Path, partial: Path, content: bytes, kind: str
) -> None:
    partial.parent.mkdir(parents=True)
    flipped = bytearray(content[:3_000_000])
    flipped[1_234_567] ^= 1
    partial.write_bytes(
        {"flipped": bytes(flipped), "longer": content + b"x", "zeros": bytes(2_000_000)}[kind]
    )
    result = send(session, local, partial)
    assert (result.resumed_from_bytes, result.bytes_sent) == (0, SIZE)
    assert partial.read_bytes() == content


def test_without_resume_everything_is_sent(
    session: SshSession, local: Path, partial: Path, content: bytes
) -> None:
    partial.parent.mkdir(parents=True)
    partial.write_bytes(content[:1000])
    assert send(session, local, partial, resume=False).bytes_sent == SIZE
    assert partial.read_bytes() == content


def test_cut_connection_then_resume(
    server: SshServer, session: SshSession, host_keys: HostKeys, local: Path, partial: Path, content: bytes
) -> None:
    error = failure(session, local, partial, progress=at(0.5, server.kill_connections))
    assert error.code in {"remote.closed", "remote.write_failed"}
    kept = partial.read_bytes()
    assert content.startswith(kept)
    with server.connect(host_keys) as again:
        result = send(again, local, partial)
    assert result.resumed_from_bytes == len(kept)
    assert partial.read_bytes() == content


def test_client_that_goes_away_then_resume(
    server: SshServer, session: SshSession, host_keys: HostKeys, local: Path, partial: Path, content: bytes
) -> None:
    def stop() -> None:
        raise _Stopped

    with pytest.raises(_Stopped):
        send(session, local, partial, progress=at(0.5, stop))
    with server.connect(host_keys) as again:
        send_when_free(again, local, partial)
    assert partial.read_bytes() == content


def send_when_free(session: SshSession, local: Path, partial: Path, **options: object) -> UploadResult:
    for _ in range(500):
        try:
            return send(session, local, partial, **options)
        except RKDeckError as error:
            if error.code != "remote.upload_busy":
                raise
    pytest.fail("still busy")


def test_second_sender_is_told_and_does_no_harm(
    server: SshServer, session: SshSession, host_keys: HostKeys, local: Path, partial: Path, content: bytes
) -> None:
    errors: list[RKDeckError] = []

    def interfere() -> None:
        with server.connect(host_keys) as other:
            errors.append(failure(other, local, partial))

    result = send(session, local, partial, progress=at(0.5, interfere))
    assert [error.code for error in errors] == ["remote.upload_busy"]
    assert isinstance(errors[0].facts["seen_bytes"], int)
    assert (result.bytes_sent, partial.read_bytes()) == (SIZE, content)


def test_silent_sender_is_ended_on_request(
    server: SshServer, session: SshSession, host_keys: HostKeys, local: Path, partial: Path, content: bytes
) -> None:
    def interfere() -> None:
        with server.connect(host_keys) as other:
            assert send(other, local, partial, takeover=True).size_bytes == SIZE

    error = failure(session, local, partial, progress=at(0.5, interfere))
    assert error.code in {"remote.closed", "remote.killed", "remote.write_failed"}
    assert partial.read_bytes() == content


def test_lock_of_the_dead_does_not_block(
    session: SshSession, local: Path, partial: Path, content: bytes
) -> None:
    lock = partial.with_name(partial.name + ".lock")
    lock.mkdir(parents=True)
    ended = subprocess.Popen(["true"])
    ended.wait()
    (lock / "owner").write_text(f"{ended.pid} 12345\n")
    send(session, local, partial)
    assert partial.read_bytes() == content
    assert not lock.exists()


def test_lock_of_a_reused_pid_does_not_block(session: SshSession, local: Path, partial: Path) -> None:
    lock = partial.with_name(partial.name + ".lock")
    lock.mkdir(parents=True)
    (lock / "owner").write_text(f"{os.getpid()} 1\n")  # we run, but did not start at tick 1
    send(session, local, partial)
    assert psutil.pid_exists(os.getpid())


def test_file_that_changes_meanwhile_is_refused(session: SshSession, local: Path, partial: Path) -> None:
    def change() -> None:
        with local.open("r+b") as file:
            file.seek(SIZE - 10)
            file.write(b"0123456789")

    error = failure(session, local, partial, progress=at(0.3, change))
    assert isinstance(error, RefusedError)
    assert error.code == "remote.source_changed"


def test_file_that_shrinks_meanwhile_is_refused(session: SshSession, local: Path, partial: Path) -> None:
    assert failure(session, local, partial, progress=at(0.3, lambda: os.truncate(local, 10))).code == (
        "remote.source_changed"
    )


def test_missing_file(session: SshSession, tmp_path: Path) -> None:
    with pytest.raises(RKDeckError) as caught:
        upload(session, tmp_path / "none", "/nowhere", "0" * 64)
    assert caught.value.code == "remote.source_missing"


def test_byte_damaged_on_the_way_is_found_and_the_file_removed(
    tmp_path: Path, host_keys: HostKeys, local: Path, partial: Path
) -> None:
    """Between the server and the disk; on the line itself SSH would notice."""
    damage = (
        "import os, sys\n"
        "done = 0\n"
        "while data := os.read(0, 65536):\n"
        "    at = 3_000_000 - done\n"
        "    if 0 <= at < len(data): data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]\n"
        "    done += len(data)\n"
        "    sys.stdout.buffer.write(data)\n"
        "    sys.stdout.flush()\n"
    )
    program = tmp_path / "damage.py"
    program.write_text(damage)
    with (
        openssh_running(tmp_path, f'{sys.executable} {program} | sh -c "$SSH_ORIGINAL_COMMAND"') as server,
        server.connect(host_keys) as session,
    ):
        final = partial.with_name("blob")
        error = failure(session, local, partial, final=str(final))
    assert error.code == "remote.digest_mismatch"
    assert not partial.exists()
    assert not final.exists()


def test_somebody_else_writes_to_the_part(
    session: SshSession, local: Path, partial: Path, content: bytes
) -> None:
    def append() -> None:
        with partial.open("ab") as file:
            file.write(b"X" * 100)

    assert failure(session, local, partial, progress=at(0.5, append)).code == "remote.write_failed"
    send(session, local, partial)
    assert partial.read_bytes() == content


def test_too_little_space_is_refused_before_anything_is_sent(
    session: SshSession, local: Path, partial: Path
) -> None:
    error = failure(session, local, partial, reserve_bytes=1 << 60)
    assert isinstance(error, RefusedError)
    assert error.code == "remote.no_space"
    assert partial.stat().st_size == 0


def test_link_in_place_of_the_part_is_not_followed(
    session: SshSession, local: Path, partial: Path, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("keep me")
    partial.parent.mkdir(parents=True)
    partial.symlink_to(precious)
    send(session, local, partial)
    assert precious.read_text() == "keep me"
    assert not partial.is_symlink()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_read_only_folder(session: SshSession, local: Path, remote_folder: Path) -> None:
    remote_folder.chmod(0o500)
    try:
        error = failure(session, local, remote_folder / "incoming/x.partial")
    finally:
        remote_folder.chmod(0o700)
    assert isinstance(error, RefusedError)
    assert error.code == "remote.not_writable"
    assert "denied" in str(error.facts["reason"])


def test_file_in_place_of_the_folder(session: SshSession, local: Path, remote_folder: Path) -> None:
    (remote_folder / "incoming").write_text("a file")
    error = failure(session, local, remote_folder / "incoming/x.partial")
    assert error.code == "remote.not_writable"


def test_limit_while_writing_keeps_what_arrived(
    tmp_path: Path, host_keys: HostKeys, local: Path, partial: Path
) -> None:
    """`ulimit -f` stands in for a disk that fails after 2 MiB: an ordinary user can set it."""
    with (
        openssh_running(
            tmp_path, 'ulimit -f 4096\ntrap "" XFSZ\nexec sh -c "$SSH_ORIGINAL_COMMAND"'
        ) as server,
        server.connect(host_keys) as session,
    ):
        error = failure(session, local, partial)
    assert error.code == "remote.write_failed"
    assert "File too large" in str(error.facts["reason"])
    assert error.facts["written_bytes"] == partial.stat().st_size == 4096 * 512


@pytest.mark.needs_root
def test_full_disk_is_left_usable(tmp_path: Path, host_keys: HostKeys, local: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", str(disk)], check=True)
    try:
        with openssh(tmp_path / "server") as server, server.connect(host_keys) as session:
            assert failure(session, local, disk / "in/x.partial").code == "remote.no_space"
            assert failure(session, local, disk / "in/x.partial", reserve_bytes=-(1 << 30)).code == (
                "remote.disk_full"
            )
        assert not (disk / "in/x.partial").exists()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_busybox_board(
    tmp_path: Path, host_keys: HostKeys, local: Path, partial: Path, content: bytes
) -> None:
    """Buildroot images have busybox for everything."""
    busybox = subprocess.run(["which", "busybox"], capture_output=True, text=True).stdout.strip()
    if not busybox:
        pytest.skip("busybox is not installed")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in (
        "sh", "cat", "dd", "df", "kill", "ls", "mkdir", "mv", "rm", "rmdir", "sha256sum", "sleep", "sync",
    ):  # fmt: skip
        (tools / name).symlink_to(busybox)
    with (
        openssh_running(tmp_path, f'PATH={tools}; export PATH\nexec sh -c "$SSH_ORIGINAL_COMMAND"') as server,
        server.connect(host_keys) as session,
    ):
        partial.parent.mkdir(parents=True)
        partial.write_bytes(content[:1_000_000])
        assert send(session, local, partial).resumed_from_bytes == 1_000_000
        assert partial.read_bytes() == content


def test_unknown_free_space_is_not_taken_for_none(
    tmp_path: Path, host_keys: HostKeys, local: Path, partial: Path, content: bytes
) -> None:
    """In a chroot or a container `df` may know no file system at all."""
    silent = tmp_path / "df"
    silent.write_text("#!/bin/sh\nexit 1\n")
    silent.chmod(0o755)
    with (
        openssh_running(
            tmp_path, f'PATH={tmp_path}:$PATH; export PATH\nexec sh -c "$SSH_ORIGINAL_COMMAND"'
        ) as server,
        server.connect(host_keys) as session,
    ):
        send(session, local, partial)
    assert partial.read_bytes() == content


def test_board_without_sha256sum(tmp_path: Path, host_keys: HostKeys, local: Path, partial: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "cat", "dd", "df", "ls"):
        (tools / name).symlink_to(f"/bin/{name}")
    with (
        openssh_running(tmp_path, f'PATH={tools}; export PATH\nexec sh -c "$SSH_ORIGINAL_COMMAND"') as server,
        server.connect(host_keys) as session,
    ):
        error = failure(session, local, partial)
    assert (error.code, error.facts["tool"]) == ("remote.no_tool", "sha256sum")


def test_noisy_login_script_is_ignored(
    tmp_path: Path, host_keys: HostKeys, local: Path, partial: Path
) -> None:
    with (
        openssh_running(
            tmp_path, 'printf "Welcome!\\033[2J\\nhave 1\\n"\nexec sh -c "$SSH_ORIGINAL_COMMAND"'
        ) as server,
        server.connect(host_keys) as session,
    ):
        assert send(session, local, partial).bytes_sent == SIZE


def test_killed_client_leaves_a_part_that_is_used(
    tmp_path: Path, host_keys: HostKeys, local: Path, partial: Path, content: bytes
) -> None:
    program = """
import os, signal, sys
from pathlib import Path
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession, SshTarget
from core.transfer.upload import upload
known, port, user, key, local, partial, sha = sys.argv[1:]
target = SshTarget("127.0.0.1", int(port), user, Path(key), use_agent=False)
def progress(done, total):
    if done * 2 > total:
        os.kill(os.getpid(), signal.SIGKILL)
with SshSession.connect(target, HostKeys(Path(known))) as session:
    upload(session, Path(local), partial, sha, progress=progress)
"""
    with demo_board(tmp_path / "server") as server, server.connect(host_keys) as session:
        arguments = [host_keys_file(host_keys), server.port, server.user, server.key_file, local, partial]
        done = subprocess.run(
            [sys.executable, "-c", program, *map(str, arguments), digest(content)], cwd=ROOT
        )
        assert done.returncode == -signal.SIGKILL
        result = send_when_free(session, local, partial)
        assert result.resumed_from_bytes > 0
        assert partial.read_bytes() == content


def host_keys_file(host_keys: HostKeys) -> Path:
    return host_keys._file


def test_two_at_once_both_end_well(
    server: SshServer, host_keys: HostKeys, local: Path, partial: Path, content: bytes
) -> None:
    results: list[UploadResult] = []
    final = partial.with_name("blob")

    def one() -> None:
        with server.connect(host_keys) as session:
            results.append(send_when_free(session, local, partial, final=str(final)))

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2
    assert final.read_bytes() == content
    assert sum(result.bytes_sent for result in results) == SIZE
