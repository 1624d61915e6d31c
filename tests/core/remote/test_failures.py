"""Each way a connection fails has its own code, told from real servers and raw sockets."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko
import pytest
from paramiko.common import AUTH_FAILED
from paramiko.server import InteractiveQuery

from core.base.errors import RKDeckError
from core.base.notes import because
from core.remote.hostkeys import HostKeys
from core.remote.paramiko_setup import NotingTransport
from core.remote.session import SshSession
from core.remote.target import SshTarget
from core.words import word
from tests.support.sshd import ROOT, find_program, new_key, openssh


def failure(target: SshTarget, host_keys: HostKeys, **options: object) -> RKDeckError:
    with pytest.raises(RKDeckError) as caught:
        SshSession.connect(target, host_keys, **options)  # type: ignore[arg-type]
    assert not any(isinstance(thread, NotingTransport) for thread in threading.enumerate())
    message, hint = word(caught.value)
    assert hint
    assert "\x1b" not in message + hint
    return caught.value


@contextmanager
def raw_server(
    serve: Callable[[socket.socket, threading.Event], None], connections: int = 1
) -> Iterator[int]:
    """A server on loopback that treats its connections, one after the other, as it likes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def run() -> None:
            for _ in range(connections):
                with server.accept()[0] as link, contextlib.suppress(OSError):  # the client may hang up
                    serve(link, stop)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            stop.set()
            thread.join()


class TestBeforeTheGreeting:
    def test_closed_at_once(self, host_keys: HostKeys) -> None:
        with raw_server(lambda link, _stop: link.close()) as port:
            assert failure(SshTarget("127.0.0.1", port), host_keys).code == "remote.closed_at_once"

    def test_reset_at_once(self, host_keys: HostKeys) -> None:
        def reset(link: socket.socket, _stop: threading.Event) -> None:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            link.close()

        with raw_server(reset) as port:
            assert failure(SshTarget("127.0.0.1", port), host_keys).code == "remote.closed_at_once"

    @pytest.mark.parametrize("words", [b"Exceeded MaxStartups\r\n", b"Not allowed at this time\r\n"])
    def test_turned_away(self, host_keys: HostKeys, words: bytes) -> None:
        def turn_away(link: socket.socket, _stop: threading.Event) -> None:
            link.sendall(words)
            link.shutdown(socket.SHUT_WR)
            link.recv(100)

        with raw_server(turn_away) as port:
            error = failure(SshTarget("127.0.0.1", port), host_keys)
        assert error.code == "remote.locked_out"
        assert error.facts["reason"] == words.decode().strip()

    def test_hangs_after_its_name(self, host_keys: HostKeys) -> None:
        def name_only(link: socket.socket, stop: threading.Event) -> None:
            link.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            stop.wait(20)

        with raw_server(name_only) as port:
            started = time.monotonic()
            error = failure(SshTarget("127.0.0.1", port), host_keys, timeout_s=0.5)
            assert time.monotonic() - started < 5
        assert error.code == "remote.hung"

    @pytest.mark.parametrize("data", [b"A" * 4096, b"\x1b[2J spam\r\n" * 300, b"\0" * 4096])
    def test_endless_talk_is_cut(self, host_keys: HostKeys, data: bytes) -> None:
        sent = 0

        def talk(link: socket.socket, stop: threading.Event) -> None:
            nonlocal sent
            while not stop.is_set():
                link.sendall(data)
                sent += len(data)

        with raw_server(talk) as port:
            started = time.monotonic()
            error = failure(SshTarget("127.0.0.1", port), host_keys, timeout_s=2)
            assert time.monotonic() - started < 10
        assert error.code == "remote.not_ssh"
        assert len(str(error.facts["reason"])) < 1000
        assert sent < 64 << 20

    def test_a_drop_a_second_is_cut_too(self, host_keys: HostKeys) -> None:
        def drip(link: socket.socket, stop: threading.Event) -> None:
            while not stop.wait(0.05):
                link.sendall(b"wait\r\n")

        with raw_server(drip) as port:
            started = time.monotonic()
            error = failure(SshTarget("127.0.0.1", port), host_keys, timeout_s=1)
            assert time.monotonic() - started < 5
        assert error.code == "remote.not_ssh"

    def test_no_answer_at_all(self, host_keys: HostKeys) -> None:
        """A full queue makes Linux drop further connections, as a firewall does."""
        with socket.socket() as server, all_closed() as clients:
            server.bind(("127.0.0.1", 0))
            server.listen(0)
            for _ in range(4):
                client = socket.socket()
                clients.append(client)
                client.setblocking(False)
                client.connect_ex(server.getsockname())
            target = SshTarget("127.0.0.1", server.getsockname()[1])
            assert failure(target, host_keys, timeout_s=0.5).code == "remote.timeout"

    def test_no_route(self, tmp_path: Path) -> None:
        """In a network namespace that has no way out."""
        unshare = find_program("unshare")
        flags = ["--net"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--net"]
        if subprocess.run([unshare, *flags, "true"], capture_output=True).returncode:
            pytest.skip("this kernel gives nobody a network namespace")
        program = (
            "import sys; from pathlib import Path\n"
            "from core.base.errors import RKDeckError\n"
            "from core.remote.hostkeys import HostKeys\n"
            "from core.remote.session import SshSession, SshTarget\n"
            "try:\n    SshSession.connect(SshTarget('192.0.2.1'), HostKeys(Path(sys.argv[1])))\n"
            "except RKDeckError as error:\n    print(error.code)\n"
        )
        argv = [unshare, *flags, sys.executable, "-c", program, str(tmp_path / "known")]
        done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT)
        assert done.stdout.strip() == "remote.no_route", done.stderr


@contextmanager
def all_closed() -> Iterator[list[socket.socket]]:
    """Sockets that are closed at the end."""
    sockets: list[socket.socket] = []
    try:
        yield sockets
    finally:
        for entry in sockets:
            entry.close()


class TestKeysOfTheServer:
    @pytest.mark.parametrize(
        "option", ["KexAlgorithms diffie-hellman-group1-sha1", "MACs umac-64@openssh.com\nCiphers aes128-cbc"]
    )
    def test_no_common_algorithm(self, host_keys: HostKeys, tmp_path: Path, option: str) -> None:
        with openssh(tmp_path / "old", option) as server:
            error = failure(server.target(), host_keys)
        assert error.code == "remote.no_common_algorithm"
        assert error.facts["reason"]

    def test_changed_key_names_both_fingerprints(self, host_keys: HostKeys, tmp_path: Path) -> None:
        with openssh(tmp_path / "a") as first, openssh(tmp_path / "b") as second:
            first.connect(host_keys).close()
            kept = host_keys.lookup(first.host, first.port)
            host_keys.accept(second.host, second.port, kept[0])
            error = failure(second.target(), host_keys, accept_fingerprint=second.fingerprint)
            assert error.code == "remote.host_key_changed"
            assert error.facts["fingerprint"] == second.fingerprint
            assert error.facts["known_fingerprint"] == first.fingerprint
            # Let pass on purpose, and only this very key; nothing is remembered by that.
            wrong = failure(second.target(), host_keys, replace_fingerprint=first.fingerprint)
            assert wrong.code == "remote.host_key_changed"
            replacing = second.fingerprint
            with SshSession.connect(second.target(), host_keys, replace_fingerprint=replacing) as session:
                assert host_keys.lookup(second.host, second.port) == kept
                host_keys.replace(second.host, second.port, session.host_key)
            second.connect(host_keys).close()


class TestLoggingIn:
    def test_too_many_attempts(self, host_keys: HostKeys, tmp_path: Path) -> None:
        wrong = tuple(new_key(tmp_path / f"wrong{number}") for number in range(3))
        with openssh(tmp_path / "server", "MaxAuthTries 2") as server:
            target = server.target(identity_file=None, identity_files=wrong)
            error = failure(target, host_keys, accept_fingerprint=server.fingerprint)
        assert error.code == "remote.too_many_attempts"
        assert str(wrong[0]) in str(error.facts["tried"])

    def test_keys_leave_room_for_the_password(self, host_keys: HostKeys, tmp_path: Path) -> None:
        """OpenSSH hangs up after six failures: with a password five of nine keys are offered, without one six."""
        wrong = tuple(new_key(tmp_path / f"wrong{number}") for number in range(9))
        with openssh(tmp_path / "server") as server:
            target = server.target(identity_file=None, identity_files=wrong)
            error = failure(target, host_keys, accept_fingerprint=server.fingerprint)
            assert error.code == "remote.too_many_attempts"
            assert str(error.facts["tried"]).count("key ") == 6
        with openssh(tmp_path / "two", "PasswordAuthentication yes") as server:
            target = server.target(identity_file=None, identity_files=wrong, password="geheim")
            error = failure(target, host_keys, accept_fingerprint=server.fingerprint)
        assert str(error.facts["tried"]).count("key ") == 5
        assert "password" in str(error.facts["tried"])

    def test_keys_of_the_settings_are_offered_where_they_exist(
        self, host_keys: HostKeys, tmp_path: Path
    ) -> None:
        with openssh(tmp_path / "server") as server:
            files = (tmp_path / "none", server.key_file)
            target = server.target(identity_file=None, identity_files=files)
            with SshSession.connect(target, host_keys, server.fingerprint) as session:
                assert session.succeeds(["true"])

    def test_more_than_one_proof(self, host_keys: HostKeys, tmp_path: Path) -> None:
        option = "AuthenticationMethods publickey,hostbased"
        with openssh(tmp_path / "server", option, "HostbasedAuthentication yes") as server:
            error = failure(server.target(), host_keys, accept_fingerprint=server.fingerprint)
        assert error.code == "remote.auth_failed"
        assert "accepted" in str(error.facts["tried"])


class Doorkeeper(paramiko.ServerInterface):
    """A server of paramiko that answers a password in the ways of PAM; no test account is needed."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.asked: list[str] = []

    def get_allowed_auths(self, username: str) -> str:
        return "password" if self.kind in {"refuse", "banner"} else "keyboard-interactive"

    def check_auth_password(self, username: str, password: str) -> int:
        if self.kind in {"refuse", "banner"}:  # paramiko asks here for a form of login it does not offer, too
            self.asked.append(password)
        return AUTH_FAILED

    def get_banner(self) -> tuple[str, str]:
        if self.kind == "banner":
            return ("\x1b[31mThe account is locked due to 3 failed logins.\r\n", "en")
        return ("Welcome", "en")

    def check_auth_interactive(self, username: str, submethods: str) -> InteractiveQuery:
        text = "The account is locked due to 3 failed logins." if self.kind == "locked" else ""
        return InteractiveQuery("", text, ("Password: ", False))

    def check_auth_interactive_response(self, responses: list[str]) -> int | InteractiveQuery:
        self.asked += responses
        if self.kind == "expired" and len(self.asked) == 1:
            text = "You are required to change your password immediately."
            return InteractiveQuery("", text, ("New password: ", False))
        if self.kind == "again" and len(self.asked) < 3:
            return InteractiveQuery("", "", ("Password: ", False))
        return AUTH_FAILED


@contextmanager
def kept_by(keeper: paramiko.ServerInterface, key: paramiko.PKey) -> Iterator[int]:
    """A server of paramiko, for one connection."""

    def serve(link: socket.socket, stop: threading.Event) -> None:
        transport = paramiko.Transport(link)
        transport.set_log_channel("rkdeck.ssh")
        transport.add_server_key(key)
        try:
            transport.start_server(server=keeper)
            while transport.is_active() and not stop.wait(0.02):
                pass
        finally:
            transport.close()
            transport.join()

    with raw_server(serve) as port:
        yield port


class Sleeper(paramiko.ServerInterface):
    """A server whose login hangs, as PAM does behind a directory or a name server that is away."""

    def __init__(self, slow: str) -> None:
        self._slow, self.enough = slow, threading.Event()

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_auth_none(self, username: str) -> int:
        return self._wait("none")

    def check_auth_password(self, username: str, password: str) -> int:
        return self._wait("password")

    def _wait(self, method: str) -> int:
        if method == self._slow:
            self.enough.wait(60.0)
        return AUTH_FAILED


@pytest.mark.parametrize("slow", ["none", "password"])
def test_who_gives_no_answer_has_refused_nothing(host_keys: HostKeys, slow: str) -> None:
    keeper, key = Sleeper(slow), paramiko.ECDSAKey.generate()

    with kept_by(keeper, key) as port:
        target = SshTarget(
            "127.0.0.1", port, "pi", password="geheim", use_agent=False, use_default_keys=False
        )
        error = failure(target, host_keys, accept_fingerprint=key.fingerprint, timeout_s=2.0)
        keeper.enough.set()
    assert error.code == "remote.closed"
    assert error.facts["reason"] == because("silent_logging_in", seconds=2)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("refuse", "remote.password_refused"),
        ("banner", "remote.locked_out"),
        ("locked", "remote.locked_out"),
        ("again", "remote.password_refused"),
        ("expired", "remote.password_expired"),
    ],
)
def test_passwords(host_keys: HostKeys, kind: str, code: str) -> None:
    keeper = Doorkeeper(kind)
    key = paramiko.ECDSAKey.generate()

    with kept_by(keeper, key) as port:
        fingerprint = key.fingerprint
        target = SshTarget(
            "127.0.0.1", port, "pi", password="geheim", use_agent=False, use_default_keys=False
        )
        error = failure(target, host_keys, accept_fingerprint=fingerprint, timeout_s=20)
    assert error.code == code
    assert "geheim" not in str(error.facts)
    # The old password is never given as the new one.
    assert keeper.asked.count("geheim") == 1
