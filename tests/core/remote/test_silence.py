"""A server from which nothing comes any more: noticed with or without traffic, directly and behind a jump host."""

import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.errors import RKDeckError
from core.remote.hostkeys import HostKeys
from core.remote.paramiko_setup import NotingTransport
from core.remote.session import SshSession
from core.remote.sshconfig import settings_for, with_config
from core.remote.target import SshTarget
from core.transfer.upload import upload
from core.words import word
from tests.support.network import Network
from tests.support.sshd import SERVERS, SshServer, openssh
from tests.support.waiting import wait_until

INTERVAL_S = 0.5
COUNT = 2
VERDICT_S = INTERVAL_S * (COUNT + 1)
SIZE = 32 << 20


@pytest.fixture(scope="module", params=["dropbear", "openssh"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """What boards run; another one where a test asks for it."""
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as running:
        yield running


@pytest.fixture
def network(server: SshServer) -> Iterator[Network]:
    with Network(server.port) as network:
        yield network


def connect(server: SshServer, network: Network, host_keys: HostKeys, **changes: object) -> SshSession:
    values: dict[str, object] = {"alive_interval_s": INTERVAL_S, "alive_count": COUNT, **changes}
    return server.connect(host_keys, port=network.port, **values)


@pytest.mark.parametrize("server", ["demo", "dropbear", "openssh"], indirect=True)
def test_each_kind_of_server_answers_while_nothing_happens(
    server: SshServer, network: Network, host_keys: HostKeys
) -> None:
    with connect(server, network, host_keys, alive_interval_s=0.2, alive_count=8) as session:
        session.run(["true"])
        before = network.to_server_bytes
        # A question takes less than a hundred bytes; the ninth without an answer would have been the end.
        wait_until(lambda: network.to_server_bytes - before > 900, timeout_s=20)
        assert session.run(["echo", "here"]).text == "here\n"


def test_an_idle_connection_ends(server: SshServer, network: Network, host_keys: HostKeys) -> None:
    with connect(server, network, host_keys) as session:
        begun = time.monotonic()
        network.freeze()
        wait_until(lambda: not session.is_open, timeout_s=5 * VERDICT_S)
        assert time.monotonic() - begun >= VERDICT_S - INTERVAL_S
        with pytest.raises(RKDeckError) as caught:
            session.run(["true"])
    assert caught.value.code == "remote.closed"
    assert f"nothing came from it for {VERDICT_S:g} s" in word(caught.value)[0]
    assert f"no llegó nada durante {VERDICT_S:g} s" in word(caught.value, "es")[0]


def test_a_command_that_waits_for_its_end_hears_of_it(
    server: SshServer, network: Network, host_keys: HostKeys
) -> None:
    with connect(server, network, host_keys) as session:
        timer = threading.Timer(0.3, network.freeze)
        timer.start()
        begun = time.monotonic()
        with pytest.raises(RKDeckError) as caught:
            session.run(["sleep", "60"], timeout_s=60)
        timer.join()
        assert time.monotonic() - begun < 20
    assert caught.value.code == "remote.closed"


def test_a_short_silence_is_none(server: SshServer, network: Network, host_keys: HostKeys) -> None:
    """The last question is still open when the network comes back."""
    with connect(server, network, host_keys, alive_interval_s=1.0, alive_count=5) as session:
        begun = time.monotonic()
        network.freeze()
        wait_until(lambda: time.monotonic() - begun > 1.5)  # after the first of five questions
        network.thaw()
        assert session.run(["echo", "here"], timeout_s=20).text == "here\n"
        assert session.is_open


def big_file(folder: Path) -> tuple[Path, str]:
    file = folder / "big"
    file.write_bytes(bytes(SIZE))
    return file, hashlib.sha256(file.read_bytes()).hexdigest()


def ends_while_sending(
    session: SshSession, network: Network, file: Path, sha256: str, partial: Path
) -> RKDeckError:
    """Freeze the network in the middle of an upload; returns what the upload says."""

    def cut(done: int, _: int) -> None:
        if done > SIZE // 4:
            network.freeze()

    begun = time.monotonic()
    with pytest.raises(RKDeckError) as caught:
        upload(session, file, str(partial), sha256, progress=cut)
    assert time.monotonic() - begun < 20
    return caught.value


def test_who_sends_is_woken(
    server: SshServer, network: Network, host_keys: HostKeys, remote_folder: Path, tmp_path: Path
) -> None:
    """Also one who is stuck in the middle of a packet, because nobody takes it."""
    file, sha256 = big_file(tmp_path)
    with connect(server, network, host_keys) as session:
        error = ends_while_sending(session, network, file, sha256, remote_folder / "big.partial")
    assert error.code == "remote.closed"
    wait_until(lambda: not any(isinstance(thread, NotingTransport) for thread in threading.enumerate()))


def test_behind_a_jump_host_that_lives(host_keys: HostKeys, remote_folder: Path, tmp_path: Path) -> None:
    """Its own connection to the board may stand for a quarter of an hour (tcp(7), tcp_retries2)."""
    file, sha256 = big_file(tmp_path)
    with (
        openssh(tmp_path / "gate") as gate,
        openssh(tmp_path / "board") as board,
        Network(board.port) as network,
    ):
        config = tmp_path / "config"
        config.write_text(
            f"Host gate\n HostName 127.0.0.1\n Port {gate.port}\n IdentityFile {gate.key_file}\n"
            f"Host board\n HostName 127.0.0.1\n ProxyJump gate\n IdentityFile {board.key_file}\n"
            " ServerAliveInterval 1\n ServerAliveCountMax 1\n"
        )
        target = with_config(board.target(host="board", port=network.port, identity_file=None), config)
        both = f"{gate.fingerprint},{board.fingerprint}"
        for sends in (False, True):
            with SshSession.connect(target, host_keys, both) as session:
                if sends:
                    error = ends_while_sending(session, network, file, sha256, remote_folder / "big.partial")
                    assert error.code == "remote.closed"
                else:
                    network.freeze()
                    wait_until(lambda: not session.is_open, timeout_s=20)
            network.thaw()


@pytest.mark.parametrize(
    ("lines", "interval_s", "count"),
    [
        ("", 15.0, 3),
        ("ServerAliveInterval 0", 15.0, 3),
        ("ServerAliveInterval 40\n ServerAliveCountMax 10", 40.0, 10),
        ("ServerAliveInterval 1m30s", 90.0, 3),
        ("ServerAliveCountMax 0", 15.0, 1),
    ],
)
def test_the_users_settings(tmp_path: Path, lines: str, interval_s: float, count: int) -> None:
    file = tmp_path / "config"
    file.write_text(f"Host x gate\n {lines}\nHost y\n ProxyJump gate\n")
    found = with_config(SshTarget("x"), file)
    assert (found.alive_interval_s, found.alive_count) == (interval_s, count)
    hop = with_config(SshTarget("y"), file).jump
    assert hop is not None
    assert (hop.alive_interval_s, hop.alive_count) == (interval_s, count)


@pytest.mark.parametrize(
    "line", ["ServerAliveInterval soon", "ServerAliveInterval -1", "ServerAliveCountMax x"]
)
def test_settings_that_mean_nothing(tmp_path: Path, line: str) -> None:
    file = tmp_path / "config"
    file.write_text(f"Host x\n {line}\n")
    with pytest.raises(RKDeckError) as caught:
        settings_for("x", file)
    assert caught.value.code == "remote.ssh_config_unusable"
