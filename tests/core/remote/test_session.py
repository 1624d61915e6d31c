"""Against real servers: OpenSSH with and without SFTP, Dropbear, RKDeck's demo board."""

import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from core.base.errors import RefusedError, RKDeckError, UsageError
from core.base.paths import AppPaths
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession
from core.remote.target import SshTarget
from tests.support.sshd import SshServer, free_port, new_key, openssh


def failure(target: SshTarget, host_keys: HostKeys, **options: object) -> RKDeckError:
    with pytest.raises(RKDeckError) as caught:
        SshSession.connect(target, host_keys, **options)  # type: ignore[arg-type]
    return caught.value


class TestConnecting:
    def test_unknown_host_key_is_refused_then_accepted_then_known(
        self, server: SshServer, host_keys: HostKeys
    ) -> None:
        error = failure(server.target(), host_keys)
        assert (error.code, error.facts["fingerprint"]) == ("remote.host_key_unknown", server.fingerprint)
        assert isinstance(error, RefusedError)
        server.connect(host_keys).close()
        with SshSession.connect(server.target(), host_keys) as session:
            assert session.run(["true"]).exit_status == 0

    def test_changed_host_key_is_refused_before_the_password_is_sent(
        self, server: SshServer, host_keys: HostKeys, paths: AppPaths, tmp_path: Path
    ) -> None:
        other = new_key(tmp_path / "other").with_name("other.pub").read_text()
        paths.known_hosts.write_text(f"[127.0.0.1]:{server.port} {other}")
        error = failure(server.target(password="secret"), host_keys, accept_fingerprint=server.fingerprint)
        assert error.code == "remote.host_key_changed"
        assert error.facts["fingerprint"] == server.fingerprint

    def test_wrong_key_is_told_with_what_was_tried(
        self, server: SshServer, host_keys: HostKeys, tmp_path: Path
    ) -> None:
        wrong = new_key(tmp_path / "wrong")
        error = failure(server.target(identity_file=wrong), host_keys, accept_fingerprint=server.fingerprint)
        assert error.code == "remote.key_refused"
        assert str(wrong) in str(error.facts["tried"])

    def test_password_where_only_keys_are_taken(self, server: SshServer, host_keys: HostKeys) -> None:
        target = server.target(identity_file=None, password="wrong")
        error = failure(target, host_keys, accept_fingerprint=server.fingerprint)
        assert error.code == "remote.password_not_taken"
        assert "publickey" in str(error.facts["allowed"])
        assert "wrong" not in str(error) + repr(target)

    def test_nothing_to_log_in_with(self, server: SshServer, host_keys: HostKeys) -> None:
        error = failure(server.target(identity_file=None), host_keys, accept_fingerprint=server.fingerprint)
        assert error.code == "remote.no_credentials"

    def test_closing_leaves_no_thread(self, server: SshServer, host_keys: HostKeys) -> None:
        before = set(threading.enumerate())
        session = server.connect(host_keys)
        session.run(["true"])
        session.close()
        session.close()
        assert set(threading.enumerate()) <= before
        failure(server.target(identity_file=None), host_keys)
        assert set(threading.enumerate()) <= before

    @pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
    def test_passphrase(self, server: SshServer, host_keys: HostKeys, tmp_path: Path, kind: str) -> None:
        locked = new_key(tmp_path / kind, kind, passphrase="open sesame")
        accept = server.fingerprint
        error = failure(server.target(identity_file=locked), host_keys, accept_fingerprint=accept)
        assert error.code == "remote.passphrase_needed"
        error = failure(server.target(identity_file=locked, passphrase="no"), host_keys)
        assert error.code == "remote.passphrase_wrong"
        error = failure(server.target(identity_file=locked, passphrase="open sesame"), host_keys)
        assert error.code == "remote.key_refused"  # opened, but not this server's key


@contextmanager
def listener(answer: bytes | None) -> Iterator[int]:
    """A server that says one thing and hangs up, or (None) says nothing at all."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def serve() -> None:
            with server.accept()[0] as link, suppress(OSError):  # the client may hang up at once
                if answer is not None:
                    link.sendall(answer)
                    link.shutdown(socket.SHUT_WR)
                stop.wait(10)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            stop.set()
            thread.join()


class TestUnreachable:
    def test_refused_port(self, host_keys: HostKeys) -> None:
        error = failure(SshTarget("127.0.0.1", free_port()), host_keys)
        assert error.code == "remote.refused"

    def test_unknown_name(self, host_keys: HostKeys) -> None:
        assert failure(SshTarget("no-such-board.invalid"), host_keys).code == "remote.unknown_host"

    def test_silent_server(self, host_keys: HostKeys) -> None:
        before = set(threading.enumerate())
        with listener(None) as port:
            started = time.monotonic()
            error = failure(SshTarget("127.0.0.1", port), host_keys, timeout_s=0.5)
        assert error.code == "remote.hung"
        assert time.monotonic() - started < 5
        assert set(threading.enumerate()) <= before

    @pytest.mark.parametrize(
        "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x1b[2J\xff\n" * 200, b"SSH-1.5-old\r\n"]
    )
    def test_something_else_than_ssh(self, host_keys: HostKeys, answer: bytes) -> None:
        with listener(answer) as port:
            error = failure(SshTarget("127.0.0.1", port), host_keys, timeout_s=1)
        assert error.code in {"remote.not_ssh", "remote.no_common_algorithm"}
        assert "\x1b" not in str(error.facts)

    def test_hangs_up_after_the_greeting(self, host_keys: HostKeys) -> None:
        before = set(threading.enumerate())
        with listener(b"SSH-2.0-gone\r\n") as port:
            error = failure(SshTarget("127.0.0.1", port), host_keys, timeout_s=1)
        assert error.code == "remote.closed"
        assert set(threading.enumerate()) <= before

    def test_no_common_algorithm(self, host_keys: HostKeys, tmp_path: Path) -> None:
        with openssh(tmp_path / "old", "Ciphers chacha20-poly1305@openssh.com") as server:
            assert failure(server.target(), host_keys).code == "remote.no_common_algorithm"

    @pytest.mark.parametrize(
        ("values", "code"),
        [
            ({"host": "a b"}, "remote.bad_host"),
            ({"host": "-oProxyCommand=x"}, "remote.bad_host"),
            ({"host": "x\n[evil]:22"}, "remote.bad_host"),
            ({"host": "a,b"}, "remote.bad_host"),
            ({"host": "h", "user": "x y"}, "remote.bad_user"),
            ({"host": "h", "port": 0}, "remote.bad_port"),
        ],
    )
    def test_hostile_addresses(self, values: dict[str, object], code: str) -> None:
        with pytest.raises(UsageError) as caught:
            SshTarget(**values)  # type: ignore[arg-type]
        assert caught.value.code == code

    def test_identity_that_is_no_key(self, host_keys: HostKeys, tmp_path: Path) -> None:
        with openssh(tmp_path / "server") as server:
            server.connect(host_keys).close()
            junk = tmp_path / "junk"
            junk.write_text("not a key")
            assert failure(server.target(identity_file=junk), host_keys).code == "remote.identity_unusable"
            missing = server.target(identity_file=tmp_path / "none")
            assert failure(missing, host_keys).code == "remote.identity_missing"


class TestCommands:
    def test_words_arrive_and_outputs_are_apart(self, session: SshSession) -> None:
        result = session.run(["sh", "-c", 'printf %s "$1"; echo bad >&2; exit 7', "x", "it's\n$(reboot)"])
        assert (result.exit_status, result.stdout, result.stderr) == (7, b"it's\n$(reboot)", b"bad\n")

    def test_script_with_arguments(self, session: SshSession) -> None:
        result = session.run('printf "[%s]" "$@"; cat; exit 3', ["a b", "", "'; reboot; '"])
        assert (result.exit_status, result.text) == (3, "[a b][]['; reboot; ']")

    def test_large_input_comes_back(self, session: SshSession) -> None:
        data = bytes(range(256)) * 16384  # 4 MiB, more than the window of any of the servers
        assert session.run(["cat"], stdin=data, max_output_bytes=len(data)).stdout == data

    def test_large_stderr_does_not_block_stdout(self, session: SshSession) -> None:
        result = session.run("dd if=/dev/zero bs=1024 count=3000 1>&2 2>/dev/null; echo done")
        assert (result.stdout, len(result.stderr)) == (b"done\n", 3000 * 1024)

    def test_input_nobody_reads_is_no_failure(self, session: SshSession) -> None:
        assert session.run(["true"], stdin=b"x" * 3_000_000).exit_status == 0

    def test_endless_answer_is_cut_in_bounded_memory(self, session: SshSession) -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(RKDeckError) as caught:
            session.run(["cat", "/dev/zero"], max_output_bytes=1 << 20, timeout_s=60)
        assert caught.value.code == "remote.output_too_large"
        grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        assert grown_mib < 100
        assert session.run(["echo", "well"]).text == "well\n"

    def test_time_out(self, session: SshSession) -> None:
        started = time.monotonic()
        with pytest.raises(RKDeckError) as caught:
            session.run(["sleep", "30"], timeout_s=0.3)
        assert caught.value.code == "remote.command_timeout"
        assert time.monotonic() - started < 5
        assert session.run(["echo", "well"]).text == "well\n"

    def test_killed_command(self, server: SshServer, session: SshSession) -> None:
        command = ["sh", "-c", "kill -9 $$"]
        if server.kind != "openssh":  # Dropbear and the demo board report 128 + signal, as shells do
            assert session.run(command).exit_status == 137
            return
        with pytest.raises(RKDeckError) as caught:
            session.run(command)
        assert caught.value.code == "remote.killed"

    def test_control_characters_are_shown_harmless(self, session: SshSession) -> None:
        result = session.run(["sh", "-c", r"printf '\033[2J\033]0;owned\007' >&2"])
        assert b"\x1b" in result.stderr
        assert "\x1b" not in result.complaint
        assert "owned" in result.complaint

    def test_cut_connection(self, server: SshServer, session: SshSession) -> None:
        if server.kind == "demo":
            pytest.skip("its connections are threads, not processes; see the demo board's own tests")
        timer = threading.Timer(0.3, server.kill_connections)
        timer.start()
        with pytest.raises(RKDeckError) as caught:
            session.run(["sleep", "30"], timeout_s=20)
        timer.join()
        assert caught.value.code in {"remote.closed", "remote.killed"}

    def test_after_close(self, session: SshSession) -> None:
        session.close()
        assert not session.is_open
        with pytest.raises(RKDeckError) as caught:
            session.run(["true"])
        assert caught.value.code == "remote.closed"

    def test_succeeds(self, session: SshSession) -> None:
        assert session.succeeds(["true"])
        assert not session.succeeds(["false"])


class TestShell:
    def test_one_line_in_one_answer_out(self, session: SshSession) -> None:
        shell = session.open_shell()
        for number in range(20):
            shell.send(f"echo {number}; echo err >&2\n".encode())
            assert shell.receive(10) == f"{number}\n".encode()
        with pytest.raises(TimeoutError):
            shell.receive(0.05)
        shell.send(b"exit\n")
        assert shell.receive(10) == b""
        assert b"err" in shell.stderr_tail
        shell.close()

    def test_many_shells_one_after_the_other(self, session: SshSession, remote_folder: Path) -> None:
        for number in range(20):
            shell = session.open_shell()
            shell.send(b"echo $$\n")
            assert shell.receive(10)
            shell.close()
            assert session.run('echo x >>"$1/count"; echo "$2"', [str(remote_folder), str(number)]).text == (
                f"{number}\n"
            )
        assert (remote_folder / "count").read_text() == "x\n" * 20

    def test_it_ends_when_closed(self, server: SshServer, session: SshSession) -> None:
        shell = session.open_shell()
        shell.send(b"echo $$\n")
        pid = int(shell.receive(10))
        shell.close()
        deadline = time.monotonic() + 10
        while session.succeeds(["kill", "-0", str(pid)]):
            assert time.monotonic() < deadline


class TestTunnel:
    def test_reaches_a_service_on_the_board(self, session: SshSession) -> None:
        with listener(b"hello") as port:
            channel = session.open_tunnel(port)
            assert channel.makefile("rb").read() == b"hello"
            channel.close()

    def test_nothing_listens(self, session: SshSession) -> None:
        with pytest.raises(RKDeckError) as caught:
            session.open_tunnel(free_port())
        assert caught.value.code == "remote.tunnel_refused"
        assert session.succeeds(["true"])


class TestAServerWithOnePlace:
    """OpenSSH with `MaxSessions 1`."""

    @pytest.fixture
    def narrow(self, tmp_path: Path, host_keys: HostKeys) -> Iterator[SshSession]:
        with openssh(tmp_path / "narrow", "MaxSessions 1") as server, server.connect(host_keys) as session:
            yield session

    def test_commands_and_shells_follow_each_other_at_once(self, narrow: SshSession) -> None:
        for number in range(20):
            assert narrow.run(["echo", str(number)]).text == f"{number}\n"
            shell = narrow.open_shell()
            shell.send(b"echo here\n")
            assert shell.receive(10) == b"here\n"
            shell.close()

    def test_a_second_at_the_same_time_is_told_and_the_first_goes_on(self, narrow: SshSession) -> None:
        shell = narrow.open_shell()
        with pytest.raises(RKDeckError) as caught:
            narrow.run(["true"])
        assert caught.value.code == "remote.no_channel"
        shell.send(b"echo here\n")
        assert shell.receive(10) == b"here\n"
        shell.close()
        assert narrow.succeeds(["true"])
