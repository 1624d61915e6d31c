"""Uploads over several connections to real servers; when to open them is set so that they always are."""

import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from core.base.errors import RKDeckError
from core.remote.hostkeys import HostKey, HostKeys
from core.remote.session import SshSession
from core.transfer.lane import BLOCK_BYTES
from core.transfer.sharing import Sharing
from core.transfer.source import SourceFile
from core.transfer.upload import UploadResult, upload
from tests.support.processes import command_of
from tests.support.sshd import ROOT, SERVERS, SshServer, openssh, openssh_running
from tests.support.waiting import wait_until

SIZE = 48 * (1 << 20) + 12345
ALWAYS = Sharing(
    least_bytes=0, least_limit_bytes_per_s=0, probe_s=0, probe_bytes=0, settle_s=0, busy_share=-1, gain=0,
    near_limit=float("inf"), fast_bytes_per_s=float("inf"),
)  # fmt: skip
Progress = Callable[[int, int], None]


@pytest.fixture(scope="module", params=["dropbear", "openssh"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """Servers with a process for each connection."""
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as running:
        yield running


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("library") / "model.rkllm"
    path.write_bytes(os.urandom(SIZE))
    return path


@pytest.fixture(scope="module")
def content(local: Path) -> bytes:
    return local.read_bytes()


@pytest.fixture
def partial(remote_folder: Path) -> Path:
    return remote_folder / "store/incoming/it's $(reboot).partial"


def with_all(action: Progress = lambda *_: None) -> Progress:
    """A progress callback that lets connections be made before the upload goes on."""

    def progress(done: int, total: int) -> None:
        for thread in threading.enumerate():
            if thread.name == "upload connection":
                thread.join()
        action(done, total)

    return progress


def once(share: float, action: Callable[[], object]) -> Progress:
    left = [action]

    def progress(done: int, total: int) -> None:
        if left and done >= share * total:
            left.pop()()

    return progress


def send(
    session: SshSession, local: Path, partial: Path, action: Progress = lambda *_: None, **options: object
) -> UploadResult:
    sha256 = hashlib.sha256(local.read_bytes()).hexdigest()
    options = {"sharing": ALWAYS, "progress": with_all(action), **options}
    return upload(session, local, str(partial), sha256, **options)  # type: ignore[arg-type]


def send_when_free(session: SshSession, local: Path, partial: Path, **options: object) -> UploadResult:
    for _ in range(500):
        try:
            return send(session, local, partial, **options)  # type: ignore[arg-type]
        except RKDeckError as error:
            if error.code != "remote.upload_busy":
                raise
    pytest.fail("still busy")


def connections_of(server: SshServer) -> list[psutil.Process]:
    """The server's process for each connection, the first one first."""
    return sorted(psutil.Process(server.pid).children(), key=lambda process: process.create_time())


def last_connection(server: SshServer) -> list[psutil.Process]:
    """The server's processes of the newest connection; for an ordinary account OpenSSH has two (sshd(8), privsep)."""
    first = connections_of(server)[-1]
    return [first, *(each for each in first.children(recursive=True) if each.name().startswith("sshd"))]


def left_on_board(partial: Path) -> list[str]:
    """Programs of ours that still run, and what lies beside the file."""
    mine = [
        str(process.pid) for process in psutil.process_iter() if str(partial) in " ".join(_words(process))
    ]
    return mine + [entry.name for entry in partial.parent.iterdir() if entry != partial]


def _words(process: psutil.Process) -> list[str]:
    try:
        return command_of(process)
    except psutil.Error:
        return []


def test_file_arrives_over_three_connections(
    session: SshSession, local: Path, partial: Path, content: bytes
) -> None:
    seen: list[int] = []
    final = partial.parent / "blob"
    result = send(session, local, partial, lambda done, _: seen.append(done), final=str(final))
    assert final.read_bytes() == content
    assert (result.connections, result.alone_because) == (3, "most")
    assert (result.bytes_sent, result.resumed_from_bytes) == (SIZE, 0)
    assert (seen, seen[0], seen[-1]) == (sorted(seen), 0, SIZE)
    assert [entry.name for entry in partial.parent.iterdir()] == ["blob"]
    assert session.succeeds(["true"])


def test_goes_on_from_a_true_beginning(
    session: SshSession, local: Path, partial: Path, content: bytes
) -> None:
    partial.parent.mkdir(parents=True)
    partial.write_bytes(content[:3_000_001])
    result = send(session, local, partial)
    assert (result.resumed_from_bytes, result.bytes_sent) == (3_000_001, SIZE - 3_000_001)
    assert result.connections > 1
    assert partial.read_bytes() == content


def test_one_of_them_is_killed(
    server: SshServer, session: SshSession, local: Path, partial: Path, content: bytes
) -> None:
    def kill() -> None:
        for process in last_connection(server):
            process.kill()

    result = send(session, local, partial, once(0.4, kill))
    assert partial.read_bytes() == content
    assert result.connections > 1
    assert result.alone_because.startswith("remote.")
    assert result.bytes_sent <= SIZE + 2 * BLOCK_BYTES
    wait_until(lambda: left_on_board(partial) == [])


def test_one_of_them_hangs(
    server: SshServer, session: SshSession, local: Path, partial: Path, content: bytes
) -> None:
    stopped: list[psutil.Process] = []

    def stop() -> None:
        stopped.extend(last_connection(server))
        for each in stopped:
            each.suspend()

    try:
        result = send(session, local, partial, once(0.4, stop), sharing=replace(ALWAYS, most=2, hung_s=0.2))
        assert partial.read_bytes() == content
        assert (result.connections, result.alone_because) == (2, "remote.stalled")
    finally:
        for each in stopped:
            each.resume()


def test_everything_cut_then_resumed_within_the_bound(
    server: SshServer,
    session: SshSession,
    host_keys: HostKeys,
    local: Path,
    partial: Path,
    content: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ends: list[int] = []
    read = SourceFile.block

    def noted(source: SourceFile, offset: int, size_bytes: int) -> bytes:
        ends.append(offset + size_bytes)
        return read(source, offset, size_bytes)

    monkeypatch.setattr(SourceFile, "block", noted)
    seen: list[int] = []

    def cut(done: int, total: int) -> None:
        seen.append(done)
        if done > total // 2:
            server.kill_connections()

    with pytest.raises(RKDeckError) as caught:
        send(session, local, partial, cut)
    assert caught.value.code in {"remote.closed", "remote.write_failed"}
    kept = partial.read_bytes()
    assert content.startswith(kept)
    assert len(kept) >= seen[-1]
    assert max(ends) - len(kept) <= 8 << 20
    with server.connect(host_keys) as again:
        result = send_when_free(again, local, partial)
    assert result.resumed_from_bytes >= len(kept)
    assert partial.read_bytes() == content
    assert left_on_board(partial) == []


def test_limit_holds_for_the_sum(session: SshSession, local: Path, partial: Path, content: bytes) -> None:
    rate = 16 << 20
    result = send(session, local, partial, limit_bytes_per_s=rate)
    assert result.connections == 3
    assert result.seconds >= SIZE / rate - 0.3
    assert partial.read_bytes() == content


@pytest.mark.parametrize(
    ("sharing", "connections", "why"),
    [
        (replace(ALWAYS, busy_share=1e9), 1, "line"),
        (replace(ALWAYS, fast_bytes_per_s=0), 1, "fast"),
        (replace(ALWAYS, busy_share=1e9, narrow_bytes=1 << 40), 3, "most"),
        (replace(ALWAYS, gain=1e9, probe_bytes=1), 2, "no_gain"),
        (replace(ALWAYS, least_bytes=SIZE + 1), 1, "small"),
        (replace(ALWAYS, most=2), 2, "most"),
        (replace(ALWAYS, probe_s=1e9), 1, "ended"),
    ],
)
def test_no_more_than_pay(
    tmp_path: Path, host_keys: HostKeys, local: Path, partial: Path, content: bytes,
    sharing: Sharing, connections: int, why: str,
) -> None:  # fmt: skip
    with openssh(tmp_path / "server") as server, server.connect(host_keys) as session:
        result = send(session, local, partial, sharing=sharing)
    assert (result.connections, result.alone_because, result.bytes_sent) == (connections, why, SIZE)
    assert partial.read_bytes() == content


def test_low_limit_asks_for_no_second_connection(session: SshSession, local: Path, partial: Path) -> None:
    sharing = replace(ALWAYS, least_limit_bytes_per_s=64 << 20)
    result = send(session, local, partial, sharing=sharing, limit_bytes_per_s=48 << 20)
    assert (result.connections, result.alone_because) == (1, "small")


def test_reached_limit_asks_for_no_second_connection(session: SshSession, local: Path, partial: Path) -> None:
    sharing = replace(ALWAYS, near_limit=0.05, probe_s=0.3)
    result = send(session, local, partial, sharing=sharing, limit_bytes_per_s=20 << 20)
    assert (result.connections, result.alone_because) == (1, "limit")


def _waits_for_login(server: SshServer, stack: contextlib.ExitStack) -> bool:
    link = stack.enter_context(socket.create_connection((server.host, server.port)))
    return link.recv(4) == b"SSH-"


def test_server_lets_nobody_else_in(
    tmp_path: Path, host_keys: HostKeys, local: Path, partial: Path, content: bytes
) -> None:
    with (
        openssh(tmp_path / "server", "MaxStartups 1") as server,
        server.connect_when_free(host_keys) as session,
        contextlib.ExitStack() as stack,
    ):
        # The place of a connection that has just logged in becomes free a moment later.
        wait_until(lambda: _waits_for_login(server, stack))
        result = send(session, local, partial)
    assert (result.connections, result.alone_because) == (1, "remote.locked_out")
    assert (result.bytes_sent, partial.read_bytes() == content) == (SIZE, True)


def test_other_host_key_is_refused(session: SshSession, local: Path, partial: Path) -> None:
    session.host_key = HostKey(session.host_key.kind, b"of another board")
    with pytest.raises(RKDeckError) as caught:
        session.beside()
    assert caught.value.code == "remote.host_key_changed"
    result = send(session, local, partial)
    assert (result.connections, result.alone_because) == (1, "remote.host_key_changed")


class _Stopped(Exception):
    """Raised from a progress callback."""


def test_cancelled_leaves_nothing_running(
    server: SshServer, session: SshSession, host_keys: HostKeys, local: Path, partial: Path, content: bytes
) -> None:
    def stop(done: int, total: int) -> None:
        if done > total // 2:
            raise _Stopped

    with pytest.raises(_Stopped):
        send(session, local, partial, stop)
    wait_until(lambda: left_on_board(partial) == [])
    assert content.startswith(partial.read_bytes())
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("upload ")]
    result = send(session, local, partial)
    assert result.resumed_from_bytes > SIZE // 2
    assert partial.read_bytes() == content


def test_silent_sender_is_ended_on_request(
    server: SshServer, session: SshSession, host_keys: HostKeys, local: Path, partial: Path, content: bytes
) -> None:
    def interfere() -> None:
        with server.connect(host_keys) as other:
            assert send(other, local, partial, takeover=True, progress=None).size_bytes == SIZE

    with pytest.raises(RKDeckError) as caught:
        send(session, local, partial, once(0.5, interfere))
    assert caught.value.code in {"remote.closed", "remote.killed", "remote.write_failed"}
    assert partial.read_bytes() == content
    wait_until(lambda: left_on_board(partial) == [])


def test_two_at_once_both_end_well(
    server: SshServer, host_keys: HostKeys, local: Path, partial: Path, content: bytes
) -> None:
    results: list[UploadResult] = []
    final = partial.with_name("blob")

    def one() -> None:
        with server.connect(host_keys) as session:
            results.append(send_when_free(session, local, partial, final=str(final), progress=None))

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(result.bytes_sent for result in results) == SIZE
    assert final.read_bytes() == content


def test_file_that_shrinks_meanwhile_is_refused(
    session: SshSession, local: Path, partial: Path, tmp_path: Path, content: bytes
) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(content)
    with pytest.raises(RKDeckError) as caught:
        send(session, copy, partial, once(0.3, lambda: os.truncate(copy, 10)))
    assert caught.value.code == "remote.source_changed"


def test_file_that_changes_meanwhile_is_refused(
    session: SshSession, local: Path, partial: Path, tmp_path: Path, content: bytes
) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(content)

    def change() -> None:
        with copy.open("r+b") as file:
            file.seek(SIZE - 4_000_000)
            file.write(b"0123456789")

    with pytest.raises(RKDeckError) as caught:
        send(session, copy, partial, once(0.3, change))
    assert caught.value.code == "remote.source_changed"


def test_disk_that_fails_keeps_what_arrived(
    tmp_path: Path, host_keys: HostKeys, local: Path, partial: Path, content: bytes
) -> None:
    with (
        openssh_running(
            tmp_path, 'ulimit -f 16384\ntrap "" XFSZ\nexec sh -c "$SSH_ORIGINAL_COMMAND"'
        ) as server,
        server.connect(host_keys) as session,
        pytest.raises(RKDeckError) as caught,
    ):
        send(session, local, partial)
    assert caught.value.code == "remote.write_failed"
    assert "File too large" in str(caught.value.facts["reason"])
    assert partial.read_bytes() == content[: 16384 * 512]


def test_busybox_board(
    tmp_path: Path, host_keys: HostKeys, local: Path, partial: Path, content: bytes
) -> None:
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
        result = send(session, local, partial)
    assert (result.connections, result.bytes_sent) == (3, SIZE)
    assert partial.read_bytes() == content


def test_board_whose_dd_cannot_wait_for_whole_blocks(
    tmp_path: Path, host_keys: HostKeys, local: Path, partial: Path, content: bytes
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    old = tools / "dd"
    old.write_text('#!/bin/sh\ncase "$*" in *fullblock*) exit 1;; esac\nexec /bin/dd "$@"\n')
    old.chmod(0o755)
    with (
        openssh_running(
            tmp_path, f'PATH={tools}:$PATH; export PATH\nexec sh -c "$SSH_ORIGINAL_COMMAND"'
        ) as server,
        server.connect(host_keys) as session,
    ):
        result = send(session, local, partial)
    assert (result.connections, result.alone_because) == (1, "unable")
    assert partial.read_bytes() == content


@pytest.mark.parametrize(
    "answers",
    [
        "@have 0 - - 1;reboot",
        f"@have 0 - - {'9' * 40}",
        "@have 0 - - 7\\n@cpu -5",
        f"@have 0 - - 7\\n@cpu {'9' * 40}",
        "@have 0 - - 7\\n@ok 1 2",
    ],
)
def test_nonsense_from_the_board_is_an_error(
    tmp_path: Path, host_keys: HostKeys, local: Path, partial: Path, answers: str
) -> None:
    with (
        openssh_running(tmp_path, f"printf '{answers}\\n'\nexec head -n 1 >/dev/null") as server,
        server.connect(host_keys) as session,
        pytest.raises(RKDeckError) as caught,
    ):
        send(session, local, partial)
    assert caught.value.code == "remote.unexpected_answer"


def test_more_answers_than_orders_do_no_harm(
    tmp_path: Path, host_keys: HostKeys, local: Path, partial: Path
) -> None:
    many = "@have 0 - - 7\\n@cpu 1\\n@ok\\n" + "@ok\\n" * 100
    with (
        openssh_running(tmp_path, f"printf '{many}'\nexec head -n 1 >/dev/null") as server,
        server.connect(host_keys) as session,
        pytest.raises(RKDeckError) as caught,
    ):
        send(session, local, partial)
    assert caught.value.code in {"remote.unexpected_answer", "remote.closed"}


def test_killed_client_leaves_a_part_that_is_used(
    server: SshServer, host_keys: HostKeys, session: SshSession, local: Path, partial: Path, content: bytes
) -> None:
    program = """
import os, signal, sys
from pathlib import Path
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession, SshTarget
from core.transfer.upload import upload
from tests.core.transfer.test_sharing import ALWAYS, with_all
known, port, user, key, local, partial, sha = sys.argv[1:]
target = SshTarget("127.0.0.1", int(port), user, Path(key), use_agent=False)
def stop(done, total):
    if done * 2 > total:
        os.kill(os.getpid(), signal.SIGKILL)
with SshSession.connect(target, HostKeys(Path(known))) as session:
    upload(session, Path(local), partial, sha, progress=with_all(stop), sharing=ALWAYS)
"""
    arguments = [host_keys._file, server.port, server.user, server.key_file, local, partial]
    sha256 = hashlib.sha256(content).hexdigest()
    done = subprocess.run([sys.executable, "-c", program, *map(str, arguments), sha256], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    result = send_when_free(session, local, partial)
    assert result.resumed_from_bytes > SIZE // 2
    assert partial.read_bytes() == content
    wait_until(lambda: left_on_board(partial) == [])
