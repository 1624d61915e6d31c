"""One SSH connection to a board: commands, scripts, shells and tunnels, every wait bounded.

Numbers behind the settings (measured on loopback with OpenSSH 9.2 and Dropbear 2022.83): paramiko leaves
Nagle's algorithm on, which makes one command five times slower; the usual 2 MiB window limits large answers.
"""

import contextlib
import re
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import paramiko

from core.base.errors import JsonValue, RefusedError, RKDeckError
from core.base.names import printable
from core.base.notes import because
from core.base.trouble import reason_of
from core.remote import exchange
from core.remote.authentication import LOGIN_REFUSED, authenticate
from core.remote.connecting import end, greet, open_socket
from core.remote.hostkeys import HostKey, HostKeys
from core.remote.lines import MAX_SKIPPED_BYTES
from core.remote.paramiko_setup import DeadlinePacketizer, NotingTransport, prepare
from core.remote.password_dialogue import Answers
from core.remote.quoting import (
    between_marks,
    loaded,
    loader,
    new_mark,
    remote_command,
    script_with_arguments,
    whole,
)
from core.remote.shell import RemoteShell
from core.remote.target import SshTarget

__all__ = ["RemoteResult", "SshSession", "SshTarget"]

CONNECT_TIMEOUT_S = 10.0
_WINDOW_BYTES = 16 << 20
_PACKET_BYTES = 64 << 10
DEFAULT_TIMEOUT_S = 30.0
DEFAULT_MAX_OUTPUT_BYTES = 4 << 20
_EXPIRED_PASSWORD = re.compile(
    rb"password has expired|password change required|required to change your password", re.IGNORECASE
)
_PROHIBITED = 1  # SSH_OPEN_ADMINISTRATIVELY_PROHIBITED (RFC 4254, 5.1)
_NO_PLACE = frozenset({2, 4})  # SSH_OPEN_CONNECT_FAILED, which is OpenSSH's, and SSH_OPEN_RESOURCE_SHORTAGE
_FREED_WITHIN_S = 1.0
_LOOK_AGAIN_S = 0.02
Link = socket.socket | paramiko.Channel


@dataclass(frozen=True, slots=True)
class RemoteResult:
    """How a command on a board ended; its output is hostile text until it has been made printable."""

    exit_status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text; bytes that are no UTF-8 are replaced."""
        return self.stdout.decode("utf-8", "replace")

    @property
    def complaint(self) -> str:
        """The end of standard error, made printable, for error facts."""
        return printable(self.stderr[-600:].decode("utf-8", "replace").strip(), limit=600)

    @property
    def why(self) -> JsonValue:
        """Why it failed, as a fact of an error: its complaint, else how it ended."""
        return self.complaint or because("exit_status", status=self.exit_status)


class SshSession:
    """A connection that was verified and logged in. Use one object from one thread, or one channel each."""

    def __init__(
        self,
        transport: NotingTransport,
        target: SshTarget,
        host_key: HostKey,
        via: "SshSession | None" = None,
    ) -> None:
        """Take over a transport and the session it runs through; use `connect`."""
        self._transport = transport
        self._via = via
        self.target = target
        self.host_key = host_key

    @classmethod
    def connect(
        cls,
        target: SshTarget,
        host_keys: HostKeys,
        accept_fingerprint: str | None = None,
        timeout_s: float = CONNECT_TIMEOUT_S,
        *,
        replace_fingerprint: str | None = None,
        answers: Answers | None = None,
    ) -> Self:
        """Connect, check the host key, then log in; nothing secret is sent before the check.

        The hosts on the way (`target.jump`) are connected to in the same manner, each with its own check; the fact
        `jump_to` of `remote.host_key_changed` tells that one of them is meant, and where the way leads.

        Args:
            target: the account.
            host_keys: the keys known so far.
            accept_fingerprint: `SHA256:...` of a key that may be remembered if the server is unknown; several
                are separated by commas.
            timeout_s: for each of connecting, greeting and logging in.
            replace_fingerprint: of a key of the target, not of a host on the way, that is let pass in place of the
                remembered ones, this once; remembering it is left to the caller (`HostKeys.replace`).
            answers: to a server that asks for a new password while it lets in.

        Raises:
            RefusedError: `remote.host_key_*`, `remote.identity_*`, `remote.passphrase_*`.
            RKDeckError: `remote.unknown_host`, `remote.refused`, `remote.timeout`, `remote.no_route`,
                `remote.no_connection`, `remote.jump_*`, and what `greet` and `authenticate` raise.
        """
        via: SshSession | None = None
        if target.jump is not None:
            via = cls._connect_hop(target, target.jump, host_keys, accept_fingerprint, timeout_s)

        def check(key: HostKey) -> None:
            host_keys.check(target.host, target.port, key, accept_fingerprint, replace_fingerprint)

        try:
            kinds = tuple(key.kind for key in host_keys.lookup(target.host, target.port))
            transport, host_key = _log_in(target, via, kinds, check, timeout_s, answers)
        except BaseException as error:
            if via is not None:
                via.close()
            if isinstance(error, RKDeckError):
                _name_what_is_not_followed(error, target)
            raise
        return cls(transport, target, host_key, via)

    @classmethod
    def _connect_hop(
        cls,
        target: SshTarget,
        jump: SshTarget,
        host_keys: HostKeys,
        accept_fingerprint: str | None,
        timeout_s: float,
    ) -> Self:
        """Connect to the host before the target; a changed key there says whose way it is on."""
        try:
            return cls.connect(jump, host_keys, accept_fingerprint, timeout_s)
        except RefusedError as error:
            if error.code == "remote.host_key_changed":
                error.facts["jump_to"] = target.host
                error.hint = "remote.jump_key_changed"
            raise

    def beside(self, timeout_s: float = CONNECT_TIMEOUT_S) -> "SshSession":
        """Open another connection to the same account; the server must show the very same host key.

        It goes through the same host on the way, if there is one, and must be closed before this session.

        Raises:
            RefusedError, RKDeckError: as `connect`; `remote.host_key_changed` for any other key.
        """
        target, own = self.target, self.host_key

        def check(key: HostKey) -> None:
            if key != own:
                raise RefusedError(
                    "remote.host_key_changed",
                    host=target.host,
                    port=target.port,
                    fingerprint=key.fingerprint,
                    key_type=key.kind,
                    known_fingerprint=own.fingerprint,
                    file=None,
                )

        transport, host_key = _log_in(target, self._via, (own.kind,), check, timeout_s, None)
        return SshSession(transport, target, host_key)

    @property
    def is_open(self) -> bool:
        """Whether the connection stands, as far as this side knows."""
        return self._transport.is_active()

    def run(
        self,
        command: Sequence[str] | str,
        arguments: Sequence[str] = (),
        *,
        stdin: bytes = b"",
        timeout_s: float = DEFAULT_TIMEOUT_S,
        max_output_bytes: int = DEFAULT_MAX_OUTPUT_BYTES,
    ) -> RemoteResult:
        """Run a program or a script to its end; a non-zero exit status is returned, not raised.

        Args:
            command: the words of a command, or the text of a script. Either travels on the standard input of `sh`
                and runs only if it arrived whole; no hostile name is ever on a command line, and what the login
                shell or its start-up files print is no part of the output.
            arguments: `$1`, `$2`, ... of a script.
            stdin: standard input of a command; a script's own is empty.
            timeout_s: for everything together.
            max_output_bytes: of standard output and standard error each.

        Raises:
            RefusedError: `remote.unsafe_argument`.
            RKDeckError: `remote.command_timeout`, `remote.output_too_large`, `remote.killed`, `remote.no_shell` and
                `remote.unexpected_answer` when the account's shell did not run it, `remote.password_expired`,
                `remote.closed`.
        """
        mark = new_mark()
        if isinstance(command, str):
            line, data = "exec sh -s", script_with_arguments(command, arguments, mark).encode()
            name = "a script"
        else:
            text = whole(between_marks(remote_command(command), mark), mark)
            line, data = loader(mark), text.encode() + stdin
            name = printable(" ".join(command), limit=80)
        deadline = time.monotonic() + timeout_s
        channel = self.open_exec(line)
        try:
            outcome = exchange.converse(channel, data, deadline, max_output_bytes + MAX_SKIPPED_BYTES)
            exchange.close(channel)
            result = self._result(outcome, mark, name)
            if len(result.stdout) > max_output_bytes:
                raise exchange.TooMuchError
        except exchange.TooSlowError as error:
            raise RKDeckError(
                "remote.command_timeout",
                command=name,
                seconds=timeout_s,
                host=self.target.host,
                port=self.target.port,
            ) from error
        except exchange.TooMuchError as error:
            raise RKDeckError(
                "remote.output_too_large",
                command=name,
                limit_bytes=max_output_bytes,
                host=self.target.host,
                port=self.target.port,
            ) from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise self.closed_error(error) from error
        finally:
            exchange.abandon(channel)
        return result

    def _result(self, outcome: exchange.Outcome, mark: str, name: str) -> RemoteResult:
        """What is between the marks, when the command ran to its end."""
        status = outcome.exit_status
        if status is None and not self.is_open:
            raise self.closed_error(None)
        if status and _EXPIRED_PASSWORD.search(outcome.stderr + outcome.stdout):
            raise RKDeckError("remote.password_expired", user=self.target.user, host=self.target.host)
        before, begun, rest = outcome.stdout.partition(f"\n{mark}\n".encode())
        output, ended, _ = rest.partition(f"\n{mark}.end\n".encode())
        if status is not None and not begun:
            raise self.not_run(before, outcome.stderr, status)
        if status is None or not ended:
            raise RKDeckError("remote.killed", command=name, host=self.target.host, port=self.target.port)
        return RemoteResult(status, output, outcome.stderr)

    def not_run(self, stdout: bytes, stderr: bytes, status: int) -> RKDeckError:
        """The error for an account whose shell ended with `status` without having run what it was given."""
        said = [
            printable(text[-600:].decode("utf-8", "replace").strip(), limit=300) for text in (stdout, stderr)
        ]
        target = self.target
        if status == 0 and said[0]:
            return RKDeckError(
                "remote.unexpected_answer",
                host=target.host,
                text=said[0],
                reason=said[1] or because("no_reason"),
            )
        return RKDeckError(
            "remote.no_shell",
            user=target.user,
            host=target.host,
            port=target.port,
            status=status,
            reason=" ".join(filter(None, said)) or None,
        )

    def succeeds(self, argv: Sequence[str], timeout_s: float = DEFAULT_TIMEOUT_S) -> bool:
        """Whether a command ends with status 0."""
        return self.run(argv, timeout_s=timeout_s).exit_status == 0

    def open_shell(self, argv: Sequence[str] = ("sh", "-s")) -> RemoteShell:
        """Start a program that is driven over its standard input and ends when that is closed.

        Raises:
            RKDeckError: `remote.closed`.
        """
        return RemoteShell(self.open_exec(remote_command(argv)))

    def open_script(self, script: str, arguments: Sequence[str], mark: str) -> RemoteShell:
        """Start a script that goes on reading from its standard input; it prints the line `mark` first.

        Raises:
            RefusedError: `remote.unsafe_argument`.
            RKDeckError: `remote.no_channel`, `remote.closed`.
        """
        text = loaded(script, arguments, mark).encode()
        shell = RemoteShell(self.open_exec(loader(mark)))
        # One that has ended already says why to whoever reads what it printed.
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            shell.send(text)
        return shell

    def open_exec(self, line: str) -> paramiko.Channel:
        """Start a command line on a channel of its own; the account's login shell, whichever it is, reads it.

        Raises:
            RKDeckError: `remote.no_channel` when the server refuses, `remote.closed`.
        """
        return self._open_session(lambda channel: channel.exec_command(line))

    def _open_session(self, begin: Callable[[paramiko.Channel], None]) -> paramiko.Channel:
        channel: paramiko.Channel | None = None
        try:
            channel = self._take_place()
            channel.settimeout(CONNECT_TIMEOUT_S)
            begin(channel)
        except (paramiko.SSHException, EOFError, OSError) as error:
            if channel is not None:
                exchange.abandon(channel)
            if isinstance(error, paramiko.SSHException) and self.is_open:
                raise RKDeckError(
                    "remote.no_channel",
                    reason=reason_of(error),
                    host=self.target.host,
                    port=self.target.port,
                ) from error
            raise self.closed_error(error) from error
        return channel

    def _take_place(self) -> paramiko.Channel:
        """Open a channel. A server of few places (`MaxSessions 1`) frees one a moment after it was left."""
        deadline = time.monotonic() + _FREED_WITHIN_S
        while True:
            try:
                return self._transport.open_session(timeout=CONNECT_TIMEOUT_S)
            except paramiko.ChannelException as error:
                if error.code not in _NO_PLACE or time.monotonic() > deadline:
                    raise
            time.sleep(_LOOK_AGAIN_S)

    def open_terminal(self) -> paramiko.Channel:
        """Start the account's login shell (or what the server runs in its place) on a terminal.

        Raises:
            RKDeckError: `remote.no_channel`, `remote.closed`.
        """
        return self._open_session(_on_terminal)

    def open_tunnel(self, port: int, host: str = "127.0.0.1", timeout_s: float = 10.0) -> paramiko.Channel:
        """Connect to a port on the board itself; the channel is used like a connected socket.

        Raises:
            RKDeckError: `remote.tunnel_refused` when nothing listens there or the server forbids it,
                `remote.closed`.
        """
        try:
            channel = self._transport.open_channel(
                "direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=timeout_s
            )
        except (paramiko.SSHException, EOFError, OSError) as error:
            if isinstance(error, paramiko.SSHException) and self.is_open:
                raise RKDeckError(
                    "remote.tunnel_refused",
                    tunnel_port=port,
                    reason=reason_of(error),
                    host=self.target.host,
                    port=self.target.port,
                ) from error
            raise self.closed_error(error) from error
        channel.settimeout(timeout_s)
        return channel

    def open_hop(self, target: SshTarget, timeout_s: float) -> paramiko.Channel:
        """Connect from this host to the next one on the way.

        Raises:
            RKDeckError: `remote.jump_forbidden`, `remote.jump_no_way`, `remote.closed`.
        """
        jump, host, port = self.target.host, target.reached, target.port
        try:
            return self._transport.open_channel(
                "direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=timeout_s
            )
        except (paramiko.SSHException, EOFError, OSError) as error:
            if not self.is_open:
                raise self.closed_error(error) from error
            if isinstance(error, paramiko.ChannelException) and error.code == _PROHIBITED:
                raise RKDeckError("remote.jump_forbidden", jump=jump, host=host, port=port) from error
            reason = printable(getattr(error, "text", "") or str(error))
            raise RKDeckError("remote.jump_no_way", jump=jump, host=host, port=port, reason=reason) from error

    def closed_error(self, error: BaseException | None) -> RKDeckError:
        """The error for a connection that ended under a command."""
        cause = self._transport.get_exception() or error
        reason = self._transport.why_ended(cause, "connection_ended")
        return RKDeckError("remote.closed", reason=reason, host=self.target.host, port=self.target.port)

    def close(self) -> None:
        """End the connection and its thread; harmless when it has ended already."""
        end(self._transport)
        if self._via is not None:
            self._via.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _log_in(
    target: SshTarget,
    via: SshSession | None,
    key_types: tuple[str, ...],
    check: Callable[[HostKey], None],
    timeout_s: float,
    answers: Answers | None,
) -> tuple[NotingTransport, HostKey]:
    """Connect, let the host key be checked, and only then log in."""
    link: Link = open_socket(target, timeout_s) if via is None else via.open_hop(target, timeout_s)
    try:
        transport = _transport(link, key_types, timeout_s)
    except BaseException:
        link.close()
        raise
    try:
        host_key = greet(transport, target, timeout_s)
        check(host_key)
        authenticate(transport, target, answers)
        transport.watch_silence(target.alive_interval_s, target.alive_count)
    except BaseException:
        end(transport)
        raise
    return transport, host_key


def _name_what_is_not_followed(error: RKDeckError, target: SshTarget) -> None:
    """Let an error name the settings of `~/.ssh/config` that may be why `ssh` gets in and RKDeck does not."""
    login, connection, host_key = target.not_followed
    about_key = error.code.startswith("remote.host_key")
    names = login if error.code in LOGIN_REFUSED else host_key if about_key else connection
    if not names:
        return
    error.facts["not_followed"] = list(names)
    if not about_key:  # there the advice is how to go on, which no setting replaces
        error.hint = "remote.config_not_followed"


def _on_terminal(channel: paramiko.Channel) -> None:
    channel.get_pty(term="dumb", width=200, height=50)
    channel.invoke_shell()


def _transport(link: Link, host_key_types: tuple[str, ...], timeout_s: float) -> NotingTransport:
    """A transport over a socket, or over a channel of the host before; not started."""
    transport = NotingTransport(
        link,
        default_window_size=_WINDOW_BYTES,
        default_max_packet_size=_PACKET_BYTES,
        packetizer_class=DeadlinePacketizer,
    )
    transport.banner_timeout = transport.auth_timeout = timeout_s
    transport.handshake_timeout = transport.channel_timeout = timeout_s
    prepare(transport, host_key_types)
    return transport
