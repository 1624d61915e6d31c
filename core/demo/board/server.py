"""One connection to a demo board: key login, commands, SFTP and tunnels to the loopback, by paramiko."""

import contextlib
import logging
import socket
import struct
import threading
import time

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    MSG_CHANNEL_SUCCESS,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_FAILED_CONNECT_FAILED,
    OPEN_SUCCEEDED,
)
from paramiko.packet import Packetizer

from core.demo.board.processes import BoardProcesses
from core.demo.board.sftp import BoardFiles

LOG_CHANNEL = "rkdeck.demo.board"
_CHUNK_BYTES = 128 << 10
_WINDOW_BYTES = 8 << 20
_HANDSHAKE_S = 15.0
# A client that asked for no answer gets none.
_ANSWER_S = 0.5
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
# Whoever connects to the demo board sees its failures; paramiko's tracebacks in the log help nobody.
logging.getLogger(LOG_CHANNEL).setLevel(logging.CRITICAL + 1)


class _Packetizer(Packetizer):
    """Watches the handshake by the clock and notes which requests have been answered.

    The original's timer thread outlives a failed handshake. Answers matter because a command may have ended
    before paramiko has told the client that it was started; the end must not overtake that answer.
    """

    def __init__(self, link: socket.socket) -> None:
        super().__init__(link)
        self._deadline: float | None = None
        self._answers = threading.Condition()
        self._answered: set[int] = set()

    def start_handshake(self, timeout: float) -> None:
        self._deadline = time.monotonic() + timeout

    def complete_handshake(self) -> None:
        self._deadline = None

    def handshake_timed_out(self) -> bool:
        return self._deadline is not None and time.monotonic() > self._deadline

    def send_message(self, data: paramiko.Message) -> None:
        super().send_message(data)
        kind, channel = struct.unpack(">BI", data.asbytes()[:5].ljust(5, b"\0"))
        if kind == MSG_CHANNEL_SUCCESS:
            with self._answers:
                self._answered.add(channel)
                self._answers.notify_all()

    def wait_for_answer(self, channel: int) -> None:
        """Wait until a request on the client's channel of this number was answered."""
        with self._answers:
            self._answers.wait_for(lambda: channel in self._answered, timeout=_ANSWER_S)
            self._answered.discard(channel)


class BoardConnection(paramiko.ServerInterface):
    """The server's side of one connection; lives until the client leaves or `close` is called."""

    def __init__(
        self,
        link: socket.socket,
        host_key: paramiko.PKey,
        authorized: frozenset[str],
        processes: BoardProcesses,
    ) -> None:
        self._authorized = authorized
        self._processes = processes
        self._tunnels: dict[int, socket.socket] = {}
        self._channels: list[paramiko.Channel] = []
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport = paramiko.Transport(
            link, default_window_size=_WINDOW_BYTES, packetizer_class=_Packetizer
        )
        self._transport.set_log_channel(LOG_CHANNEL)
        self._transport.handshake_timeout = _HANDSHAKE_S
        self._transport.add_server_key(host_key)
        self._transport.set_subsystem_handler("sftp", paramiko.SFTPServer, BoardFiles, processes.folder)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def is_open(self) -> bool:
        """Whether the client is still there."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Greet the client, in the background."""
        self._thread.start()

    def close(self) -> None:
        """Cut the connection."""
        self._transport.close()
        self._transport.sock.close()
        self._thread.join()

    def _serve(self) -> None:
        try:
            self._transport.start_server(server=self)
            while self._transport.is_active():
                channel = self._transport.accept(0.2)
                # paramiko closes a channel nobody refers to.
                self._channels = [entry for entry in self._channels if not entry.closed]
                if channel is not None:
                    self._channels.append(channel)
                    self._join_tunnel(channel)
        except (paramiko.SSHException, EOFError, OSError):
            return  # a client that left during the greeting; the transport has said why
        finally:
            self._transport.close()
            self._transport.join()
            for link in self._tunnels.values():
                link.close()

    # --- what paramiko asks

    def get_allowed_auths(self, username: str) -> str:
        """Keys only."""
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        """The one-time key, for any user name: there is one account."""
        known = f"{key.get_name()} {key.get_base64()}" in self._authorized
        return AUTH_SUCCESSFUL if known else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        """Sessions."""
        if kind == "session":
            return OPEN_SUCCEEDED
        return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        """Run a command line."""
        return self._run(channel, command.decode("utf-8", "surrogateescape"))

    def check_channel_shell_request(self, channel: paramiko.Channel) -> bool:
        """A shell without terminal."""
        return self._run(channel, None)

    def _run(self, channel: paramiko.Channel, command: str | None) -> bool:
        packetizer = self._transport.packetizer
        assert isinstance(packetizer, _Packetizer)
        try:
            self._processes.run(channel, command, lambda: packetizer.wait_for_answer(channel.remote_chanid))
        except (OSError, ValueError):
            return False
        return True

    def check_channel_direct_tcpip_request(
        self,
        chanid: int,
        origin: tuple[str, int],
        destination: tuple[str, int],
    ) -> int:
        """Tunnels to this computer's loopback only."""
        host, port = destination
        if host not in _LOOPBACK:
            return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        try:
            link = socket.create_connection(("127.0.0.1", port), timeout=5.0)
        except (OSError, OverflowError):
            return OPEN_FAILED_CONNECT_FAILED
        link.settimeout(None)
        self._tunnels[chanid] = link
        return OPEN_SUCCEEDED

    def _join_tunnel(self, channel: paramiko.Channel) -> None:
        link = self._tunnels.pop(channel.chanid, None)
        if link is not None:
            threading.Thread(target=_outwards, args=(channel, link), daemon=True).start()
            threading.Thread(target=_inwards, args=(channel, link), daemon=True).start()


def _outwards(channel: paramiko.Channel, link: socket.socket) -> None:
    with contextlib.suppress(OSError, EOFError):
        while data := channel.recv(_CHUNK_BYTES):
            link.sendall(data)
        link.shutdown(socket.SHUT_WR)
    channel.status_event.wait()  # closed: also ends a service that waits for nothing
    with contextlib.suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)


def _inwards(channel: paramiko.Channel, link: socket.socket) -> None:
    with contextlib.suppress(OSError, EOFError):
        while data := link.recv(_CHUNK_BYTES):
            channel.sendall(data)
    with contextlib.suppress(OSError, EOFError):
        channel.close()
    link.close()
