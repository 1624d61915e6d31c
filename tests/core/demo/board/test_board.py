"""The demo board: an SSH server that takes everything it started with it."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paramiko
import psutil
import pytest

from core.base.errors import RKDeckError
from core.base.paths import AppPaths
from core.boards.probe import probe_board
from core.demo.board.main import DemoBoard
from core.remote.hostkeys import HostKeys
from core.remote.paramiko_setup import prepare
from core.remote.session import SshSession
from core.remote.target import SshTarget
from tests.support.sshd import ROOT, find_program, new_key
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_key(tmp_path_factory.mktemp("key") / "id")


def public(key: Path) -> str:
    return key.with_name(key.name + ".pub").read_text().strip()


@pytest.fixture
def board(tmp_path: Path, key: Path) -> Iterator[DemoBoard]:
    with DemoBoard(tmp_path / "board", [public(key)], bare=True) as running:
        yield running


def target(board: DemoBoard, key: Path, user: str = "pi") -> SshTarget:
    return SshTarget("127.0.0.1", board.port, user, key, use_agent=False)


@pytest.fixture
def session(board: DemoBoard, key: Path, paths: AppPaths) -> Iterator[SshSession]:
    keys = HostKeys(paths.known_hosts)
    with SshSession.connect(target(board, key), keys, board.host_key_sha256) as connected:
        yield connected


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


DAEMONS = """
setsid sleep 1000 >/dev/null 2>&1 </dev/null & echo $!
nohup sleep 1000 >/dev/null 2>&1 </dev/null & echo $!
(setsid sh -c 'trap "" HUP TERM; sleep 1000 & wait; sleep 1000' >/dev/null 2>&1 </dev/null & echo $!)
"""


class TestLogin:
    def test_host_key_is_made_once(self, tmp_path: Path, key: Path) -> None:
        seen = set()
        for _ in range(2):
            with DemoBoard(tmp_path / "board", [public(key)], bare=True) as running:
                seen.add(running.host_key_sha256)
        assert len(seen) == 1
        assert (tmp_path / "board/host_key").stat().st_mode & 0o777 == 0o600

    def test_only_the_one_key(self, board: DemoBoard, tmp_path: Path) -> None:
        with paramiko.Transport(("127.0.0.1", board.port)) as transport:
            prepare(transport)
            transport.start_client(timeout=10)
            with pytest.raises(paramiko.BadAuthenticationType) as caught:
                transport.auth_none("pi")
            assert caught.value.allowed_types == ["publickey"]
            with pytest.raises(paramiko.AuthenticationException):
                transport.auth_password("pi", "")
            wrong = paramiko.PKey.from_path(new_key(tmp_path / "wrong"))
            with pytest.raises(paramiko.AuthenticationException):
                transport.auth_publickey("pi", wrong)
            with pytest.raises(paramiko.SSHException):
                transport.open_session(timeout=5)

    def test_it_listens_on_the_loopback_only(self, board: DemoBoard) -> None:
        listening = [
            found.laddr.ip
            for found in psutil.Process().net_connections("tcp")
            if found.status == psutil.CONN_LISTEN and found.laddr.port == board.port
        ]
        assert listening == ["127.0.0.1"]

    def test_openssh_client(self, board: DemoBoard, key: Path, tmp_path: Path) -> None:
        ssh = find_program("ssh")
        options = [
            "-F",
            "none",
            "-i",
            str(key),
            "-p",
            str(board.port),
            "-o",
            "StrictHostKeyChecking=accept-new",
        ]
        options += ["-o", f"UserKnownHostsFile={tmp_path / 'kh'}", "-o", "IdentitiesOnly=yes"]
        command = [ssh, *options, "pi@127.0.0.1", "cat; echo err >&2; exit 5"]
        done = subprocess.run(command, input=b"x" * 300_000, capture_output=True)
        assert (done.returncode, len(done.stdout)) == (5, 300_000)
        assert done.stderr.endswith(b"err\n")


class TestCommands:
    def test_they_live_in_the_boards_folder(self, board: DemoBoard, session: SshSession) -> None:
        command = board.sysroot / "usr/local/bin/hello"
        command.write_text("#!/bin/sh\necho hello from the board\n")
        command.chmod(0o755)
        lines = session.run('pwd; echo "$HOME"; hello; env').text.splitlines()
        assert lines[:3] == [str(board.home), str(board.home), "hello from the board"]
        environment = dict(line.partition("=")[::2] for line in lines[3:])
        assert environment["PATH"].split(":")[0] == str(board.sysroot / "usr/local/bin")
        assert not {"SSH_AUTH_SOCK", "HF_TOKEN", "PYTHONPATH", "VIRTUAL_ENV"} & set(environment)

    def test_marked_as_simulated(self, board: DemoBoard, session: SshSession) -> None:
        facts = probe_board(session, str(board.sysroot))
        assert facts.simulated
        assert "simulated" in str(facts.simulated_text)

    def test_closed_channel_ends_the_command(self, session: SshSession) -> None:
        channel = session.open_exec("echo $$; exec sleep 1000")
        pid = int(channel.recv(100))
        channel.close()
        wait_until(lambda: not alive(pid))

    def test_cut_connection_ends_the_command(self, board: DemoBoard, session: SshSession) -> None:
        channel = session.open_exec("echo $$; exec sleep 1000")
        pid = int(channel.recv(100))
        board.drop_connections()
        wait_until(lambda: not alive(pid))
        assert not session.is_open

    def test_dropped_connections_can_come_back(
        self, board: DemoBoard, session: SshSession, key: Path, paths: AppPaths
    ) -> None:
        board.drop_connections()
        with SshSession.connect(target(board, key), HostKeys(paths.known_hosts)) as again:
            assert again.succeeds(["true"])

    def test_client_that_does_not_read_holds_the_command_back(self, session: SshSession) -> None:
        channel = session.open_exec("head -c 100000000 /dev/zero; echo done >&2")
        assert channel.recv(1000)
        time.sleep(0.3)
        assert not channel.recv_stderr_ready()
        received = 1000
        while data := channel.recv(1 << 20):
            received += len(data)
        assert received >= 100_000_000
        assert channel.recv_stderr(10) == b"done\n"
        channel.close()

    def test_background_process_survives_its_command_but_not_the_board(
        self, tmp_path: Path, key: Path, paths: AppPaths
    ) -> None:
        with DemoBoard(tmp_path / "board", [public(key)], bare=True) as running:
            keys = HostKeys(paths.known_hosts)
            with SshSession.connect(target(running, key), keys, running.host_key_sha256) as session:
                pids = [int(word) for word in session.run(DAEMONS).text.split()]
            with SshSession.connect(target(running, key), keys) as session:
                assert session.succeeds(["true"])
            assert [alive(pid) for pid in pids] == [True] * 3
        assert not any(alive(pid) for pid in pids)

    def test_life_line_ends_with_the_board(self, tmp_path: Path, key: Path, paths: AppPaths) -> None:
        """What a runtime on the board watches to end itself."""
        # Without its environment the keeper does not find it. (dash knows no descriptors above 9 in <&N.)
        watcher = ">$HOME/ready; cat </proc/self/fd/$RKDECK_BOARD_FD; echo over >$HOME/over"
        script = f'exec env -i sh -c "{watcher}" >/dev/null 2>&1 &'
        with DemoBoard(tmp_path / "board", [public(key)], bare=True) as running:
            keys = HostKeys(paths.known_hosts)
            with SshSession.connect(target(running, key), keys, running.host_key_sha256) as session:
                session.run(script)
            wait_until((running.home / "ready").exists)
            assert not (running.home / "over").exists()
        wait_until((running.home / "over").exists)

    def test_many_at_once(self, session: SshSession) -> None:
        results: dict[int, str] = {}

        def one(number: int) -> None:
            results[number] = session.run('cat >/dev/null; echo "$1"', [str(number)]).text

        threads = [threading.Thread(target=one, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == {number: f"{number}\n" for number in range(12)}


class TestTunnel:
    def test_only_to_the_loopback(self, session: SshSession) -> None:
        for host in ("169.254.169.254", "example.org", "0.0.0.0"):
            with pytest.raises(RKDeckError) as caught:
                session.open_tunnel(80, host=host)
            assert caught.value.code == "remote.tunnel_refused"


class TestFiles:
    @pytest.fixture
    def sftp(self, board: DemoBoard, key: Path) -> Iterator[paramiko.SFTPClient]:
        with paramiko.Transport(("127.0.0.1", board.port)) as transport:
            prepare(transport)
            transport.start_client(timeout=10)
            transport.auth_publickey("pi", paramiko.PKey.from_path(key))
            client = transport.open_sftp_client()
            assert client is not None
            with client:
                yield client

    def test_same_paths_as_commands_see(
        self, board: DemoBoard, sftp: paramiko.SFTPClient, tmp_path: Path
    ) -> None:
        (tmp_path / "local").write_bytes(b"x" * 100_000)
        sftp.put(str(tmp_path / "local"), "note")
        assert (board.home / "note").read_bytes() == b"x" * 100_000
        assert sftp.stat(str(board.home / "note")).st_size == 100_000
        sftp.posix_rename("note", str(board.store / "note"))
        assert sftp.listdir(str(board.store)) == ["note"]
        with pytest.raises(OSError, match=r"(?i)fail|exist"):
            sftp.mkdir(str(board.store / "note"))
        sftp.mkdir("folder")
        sftp.rmdir("folder")
        sftp.remove(str(board.store / "note"))

    @pytest.mark.parametrize(
        "path", ["/etc/passwd", "../../../../etc/passwd", "../../outside", "link/passwd", "file"]
    )
    def test_nothing_outside_the_board(
        self, board: DemoBoard, sftp: paramiko.SFTPClient, tmp_path: Path, path: str
    ) -> None:
        (tmp_path / "outside").write_text("secret")
        (board.home / "link").symlink_to("/etc")
        (board.home / "file").symlink_to("/etc/passwd")
        with pytest.raises(OSError):
            sftp.open(path).read()
        with pytest.raises(OSError):
            sftp.open(path, "w")
        assert (tmp_path / "outside").read_text() == "secret"


class TestProgram:
    @staticmethod
    def start(folder: Path, key: Path, *options: str) -> tuple["subprocess.Popen[bytes]", dict[str, object]]:
        command = [sys.executable, "-m", "core.demo.board.main", "--folder", str(folder)]
        process = subprocess.Popen(
            [*command, "--authorized-key", public(key), *options],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        return process, json.loads(process.stdout.readline())

    @pytest.mark.parametrize("end", ["eof", "term", "kill"])
    def test_everything_dies_with_it(self, tmp_path: Path, key: Path, paths: AppPaths, end: str) -> None:
        process, facts = self.start(tmp_path / "board", key, "--bare")
        assert {"port", "host_key_sha256", "sysroot", "store", "user", "host"} <= set(facts)
        where = SshTarget("127.0.0.1", int(str(facts["port"])), "pi", key, use_agent=False)
        with SshSession.connect(where, HostKeys(paths.known_hosts), str(facts["host_key_sha256"])) as session:
            pids = [int(word) for word in session.run(DAEMONS).text.split()]
            session.open_exec("exec sleep 1000")
            assert process.stdin is not None
            assert process.stdout is not None
            children = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
            assert all(alive(pid) for pid in pids)
            if end == "eof":
                process.stdin.close()
            else:
                process.send_signal(signal.SIGTERM if end == "term" else signal.SIGKILL)
            process.wait(timeout=30)
            process.stdin.close()
            process.stdout.close()
            wait_until(lambda: not any(map(alive, pids + children)), timeout_s=15)
        assert process.returncode == {"eof": 0, "term": 0, "kill": -9}[end]

    def test_full_board_tells_what_it_is(self, tmp_path: Path, key: Path, paths: AppPaths) -> None:
        process, facts = self.start(tmp_path / "board", key)
        try:
            where = SshTarget("127.0.0.1", int(str(facts["port"])), "pi", key, use_agent=False)
            keys = HostKeys(paths.known_hosts)
            with SshSession.connect(where, keys, str(facts["host_key_sha256"])) as session:
                found = probe_board(session, str(facts["sysroot"]))
        finally:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            process.stdout.close()
            process.wait(timeout=30)
        assert found.soc == "rk3588"
        assert found.simulated
        assert "simulated" in str(found.model).lower()
        assert found.npu_cores == 3
        assert [runtime.simulated for runtime in found.runtimes] == [True]
        assert process.returncode == 0


def test_nobody_else_reads_the_folder(board: DemoBoard) -> None:
    for name in ("home", "store", "tmp"):
        assert (board.folder / name).stat().st_mode & 0o077 == 0
    assert Path(str(board.describe()["sysroot"])).is_absolute()
