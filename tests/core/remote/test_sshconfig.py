"""~/.ssh/config means here what it means to ssh, and a way through other hosts is checked at each of them."""

import getpass
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.errors import RefusedError, RKDeckError
from core.remote.hostkeys import HostKeys
from core.remote.paramiko_setup import NotingTransport
from core.remote.session import SshSession
from core.remote.sshconfig import config_files, settings_for, with_config
from core.remote.target import SshTarget
from tests.support.sshd import SshServer, find_program, free_port, openssh

CONFIG = """
# boards
Host kitchen k?tchen2
    HostName 10.9.8.7
    Port 2222
    User pi
    ServerAliveInterval 1m5
    ServerAliveCountMax 7
    IdentityFile ~/.ssh/board_key
    IdentityFile /keys/%h_key

Host *.lab !quiet.lab
    ProxyJump admin@gate:2200,inner
    HostName=%h.example

Host inner
    User "two"
    Port 23

Match host matched*
    User m

Include more.d/*.conf

Host nowhere
    ProxyJump none

Host *
    User fallback
"""
MORE = "Host included\n  HostName 1.2.3.4\n\nHost kitchen\n  Port 9\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config"
    file.write_text(CONFIG)
    (tmp_path / "more.d").mkdir()
    (tmp_path / "more.d/a.conf").write_text(MORE)
    return file


@pytest.mark.parametrize(
    "name", ["kitchen", "kitchen2", "a.lab", "quiet.lab", "inner", "matched1", "included", "nowhere", "else"]
)
def test_it_means_what_it_means_to_ssh(config: Path, name: str) -> None:
    text = config.read_text().replace("Include more.d", f"Include {config.parent}/more.d")
    config.write_text(text)  # ssh looks for relative names in ~/.ssh only
    done = subprocess.run(
        [find_program("ssh"), "-G", "-F", str(config), name], capture_output=True, text=True, check=True
    )
    theirs = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    ours = settings_for(name, config)
    assert ours.address == theirs["hostname"]
    assert str(ours.port or 22) == theirs["port"]
    assert ours.user == theirs["user"]
    assert f"{ours.alive_interval_s or 0:g}" == theirs["serveraliveinterval"]
    assert str(ours.alive_count or 3) == theirs["serveralivecountmax"]
    assert ",".join(ours.jumps) == theirs.get("proxyjump", "").replace("none", "")


def test_keys(config: Path) -> None:
    assert settings_for("kitchen", config).identity_files == (
        Path.home() / ".ssh/board_key",
        Path("/keys/10.9.8.7_key"),
    )
    assert settings_for("else", config).identity_files == ()


def test_the_way_is_filled_in(config: Path) -> None:
    target = with_config(SshTarget("a.lab", 2022, "root", password="geheim"), config)
    assert (target.host, target.reached, target.port, target.user) == ("a.lab", "a.lab.example", 2022, "root")
    assert target.jump is not None
    assert target.jump.jump is not None
    assert (target.jump.host, target.jump.port, target.jump.user) == ("inner", 23, "two")
    assert (target.jump.jump.host, target.jump.jump.port, target.jump.jump.user) == ("gate", 2200, "admin")
    assert target.jump.jump.jump is None
    # A password is for the board alone.
    assert target.jump.password is target.jump.jump.password is None


def test_no_file_is_no_settings(tmp_path: Path) -> None:
    target = SshTarget("board.local")
    assert with_config(target, tmp_path / "none") == target


def test_the_users_own_file_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("RKDECK_SSH_CONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert config_files()[0] == tmp_path / ".ssh/config"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost"])
def test_this_computer_is_never_reached_through_another(tmp_path: Path, address: str) -> None:
    file = tmp_path / "config"
    file.write_text("Host * !gate\n ProxyJump gate\n")
    assert with_config(SshTarget(address), file).jump is None
    assert with_config(SshTarget("10.0.0.1"), file).jump is not None


def test_commands_are_not_run(tmp_path: Path) -> None:
    file, mark = tmp_path / "config", tmp_path / "ran"
    file.write_text(f'Match host x exec "touch {mark}"\n User no\n\nHost x\n User yes\n')
    assert settings_for("x", file).user == "yes"
    file.write_text(f"Host x\n ProxyCommand touch {mark}\n")
    with pytest.raises(RefusedError) as caught:
        settings_for("x", file)
    assert caught.value.code == "remote.proxy_command"
    assert not mark.exists()
    file.write_text("Host x\n ProxyCommand none\n")
    assert settings_for("x", file).jumps == ()


@pytest.mark.parametrize(
    "criterion",
    ["localnetwork 10.0.0.0/8", "host x tagged y", "!exec false", "version OpenSSH*", "host x nonsense z"],
)
def test_criteria_that_cannot_be_judged_do_not_match(tmp_path: Path, criterion: str) -> None:
    file = tmp_path / "config"
    file.write_text(f"Match {criterion}\n User no\nMatch host x user {getpass.getuser()}\n User yes\n")
    assert settings_for("x", file).user == "yes"


def test_values_are_filled_in_without_asking_dns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> str:
        raise AssertionError("DNS was asked")

    monkeypatch.setattr("socket.getfqdn", never)
    monkeypatch.setattr("socket.getaddrinfo", never)
    file = tmp_path / "config"
    file.write_text("Host x\n HostName %h.lab\n User u\n IdentityFile ~/%n-%r-%%-%l\n ProxyJump %r@gate\n")
    found = settings_for("x", file)
    assert found.address == "x.lab"
    assert found.identity_files == (Path.home() / f"x-u-%-{socket.gethostname()}",)
    assert found.jumps == ("u@gate",)


def test_blocks_included_for_one_host_are_not_for_others(tmp_path: Path) -> None:
    file = tmp_path / "config"
    (tmp_path / "part").write_text("Port 7\nHost other\n Port 8\n")
    file.write_text(f"Host one\n Include {tmp_path}/part\n User u\n\nHost two\n User v\n")
    assert (settings_for("one", file).port, settings_for("one", file).user) == (7, "u")
    assert settings_for("other", file).port is None
    assert settings_for("two", file).user == "v"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Host x\n Port many\n", "remote.ssh_config_unusable"),
        ("Host x\n ???\n", "remote.ssh_config_unusable"),
        ("Include @/config\n", "remote.ssh_config_unusable"),
        ("#" * (1 << 20) + "\n", "remote.ssh_config_unusable"),
        ("Host x\n ProxyJump y\nHost y\n ProxyJump x\n", "remote.jump_loop"),
        ("Host x\n ProxyJump a,b,c,d,e,f,g,h,i\n", "remote.jump_loop"),
        ("Host x\n ProxyJump -oProxyCommand=id\n", "remote.bad_host"),
        ("Host x\n HostName -oProxyCommand=id\n", "remote.bad_host"),
        ("Host x\n ProxyJump a@b@c:0\n", "remote.ssh_config_unusable"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, text: str, code: str) -> None:
    file = tmp_path / "config"
    file.write_text(text.replace("@/", f"{tmp_path}/"))
    with pytest.raises(RKDeckError) as caught:
        with_config(SshTarget("x"), file)
    assert caught.value.code == code


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with openssh(tmp_path_factory.mktemp("gate")) as server:
        yield server


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with openssh(tmp_path_factory.mktemp("board")) as server:
        yield server


class TestJumping:
    def through(self, gate: SshServer, board: SshServer, tmp_path: Path, **changes: object) -> SshTarget:
        file = tmp_path / "config"
        file.write_text(
            f"Host gate\n HostName 127.0.0.1\n Port {gate.port}\n IdentityFile {gate.key_file}\n"
            f"Host board\n HostName 127.0.0.1\n ProxyJump gate\n IdentityFile {board.key_file}\n"
        )
        target = board.target(host="board", identity_file=None, **changes)
        return with_config(target, file)

    def test_each_host_shows_its_key_first(
        self, gate: SshServer, board: SshServer, tmp_path: Path, host_keys: HostKeys
    ) -> None:
        target = self.through(gate, board, tmp_path)
        assert target.jump is not None
        assert target.jump.user == getpass.getuser()
        for host, port, server in (("gate", gate.port, gate), ("board", board.port, board)):
            with pytest.raises(RefusedError) as caught:
                SshSession.connect(target, host_keys)
            assert caught.value.code == "remote.host_key_unknown"
            assert caught.value.facts["host"] == host
            assert caught.value.facts["fingerprint"] == server.fingerprint
            with pytest.raises(RefusedError):  # the other one's fingerprint opens nothing
                SshSession.connect(target, host_keys, accept_fingerprint="SHA256:" + "A" * 43)
            if server is gate:
                with pytest.raises(RefusedError):
                    SshSession.connect(target, host_keys, accept_fingerprint=gate.fingerprint)
            assert bool(host_keys.lookup(host, port)) == (server is gate)
        with SshSession.connect(target, host_keys, accept_fingerprint=board.fingerprint) as session:
            assert session.run(["cat"], stdin=b"x" * 3_000_000).stdout == b"x" * 3_000_000
        assert not any(isinstance(thread, NotingTransport) for thread in threading.enumerate())

    def test_both_fingerprints_at_once(
        self, gate: SshServer, board: SshServer, tmp_path: Path, host_keys: HostKeys
    ) -> None:
        target = self.through(gate, board, tmp_path)
        both = f"{gate.fingerprint},{board.fingerprint}"
        with SshSession.connect(target, host_keys, accept_fingerprint=both) as session:
            assert session.succeeds(["true"])

    def test_a_changed_key_on_the_way_is_refused(
        self, gate: SshServer, board: SshServer, tmp_path: Path, host_keys: HostKeys
    ) -> None:
        board.connect(host_keys).close()
        host_keys.accept("gate", gate.port, host_keys.lookup(board.host, board.port)[0])
        with pytest.raises(RefusedError) as caught:
            SshSession.connect(self.through(gate, board, tmp_path, password="geheim"), host_keys)
        assert (caught.value.code, caught.value.facts["host"]) == ("remote.host_key_changed", "gate")

    def test_the_board_is_off(
        self, gate: SshServer, board: SshServer, tmp_path: Path, host_keys: HostKeys
    ) -> None:
        target = self.through(gate, board, tmp_path, port=free_port())
        with pytest.raises(RKDeckError) as caught:
            SshSession.connect(target, host_keys, accept_fingerprint=gate.fingerprint)
        assert caught.value.code == "remote.jump_no_way"
        assert caught.value.facts["jump"] == "gate"
        assert caught.value.facts["reason"]

    def test_the_gate_forbids_it(self, board: SshServer, tmp_path: Path, host_keys: HostKeys) -> None:
        with openssh(tmp_path / "strict", "AllowTcpForwarding no") as gate:
            with pytest.raises(RKDeckError) as caught:
                SshSession.connect(
                    self.through(gate, board, tmp_path), host_keys, accept_fingerprint=gate.fingerprint
                )
            assert caught.value.code == "remote.jump_forbidden"

    def test_the_gate_dies_on_the_way(self, board: SshServer, tmp_path: Path, host_keys: HostKeys) -> None:
        with openssh(tmp_path / "gate") as gate:
            both = f"{gate.fingerprint},{board.fingerprint}"
            target = self.through(gate, board, tmp_path)
            with SshSession.connect(target, host_keys, accept_fingerprint=both) as session:
                timer = threading.Timer(0.3, gate.kill_connections)
                timer.start()
                with pytest.raises(RKDeckError) as caught:
                    session.run(["sleep", "30"], timeout_s=20)
                timer.join()
        assert caught.value.code in {"remote.closed", "remote.killed"}
