"""How RKDeck wants paramiko: quiet, no helper threads, fast ciphers first."""

import logging
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import paramiko
from paramiko.common import cMSG_GLOBAL_REQUEST
from paramiko.packet import Packetizer

from core.base.errors import JsonValue
from core.base.names import printable
from core.base.notes import because, note
from core.base.trouble import reason_of

LOG_CHANNEL = "rkdeck.ssh"
_MAX_GREETING_BYTES = 32 << 10
_GREETING_SHOWN_BYTES = 200
# One AES-GCM pass encrypts and authenticates; paramiko prefers AES-CTR with HMAC, which costs twice.
_FIRST_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")


# A question takes less than this; a way that has no room for it is stuck or busy, and hears of its end otherwise.
_ROOM_BYTES = 4096


class SilenceError(EOFError):
    """Nothing came from the other side for too long; paramiko takes it for the end of the connection.

    Attributes:
        noted: the same as a code with facts (`core.base.trouble.reason_of`).
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"nothing came for {seconds:g} s")
        self.noted = note("silence", seconds=f"{seconds:g}")


@dataclass(slots=True)
class _Watch:
    """Over a connection on which nothing arrives: when to ask next, how often was asked, and by whom."""

    interval_s: float
    most: int
    ask: Callable[[], None]
    due_s: float
    asked: int = 0


class _Demote(logging.Filter):
    """Turns every record into DEBUG: paramiko logs tracebacks at ERROR for what RKDeck raises as errors."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.levelno, record.levelname = logging.DEBUG, "DEBUG"
        return logging.getLogger(LOG_CHANNEL).isEnabledFor(logging.DEBUG)


class DeadlinePacketizer(Packetizer):
    """Watches the handshake by the clock; the original's timer thread outlives a failed handshake by 15 s.

    It also bounds what a server may say before it says who it is: the original collects an endless line for ever. And
    it notices a server that has become silent: the original goes on sending into a connection that is dead.
    """

    _deadline: float | None = None
    _watch: _Watch | None = None
    _greeting_deadline: float | None = None
    _greeting = b""

    @property
    def greeting(self) -> bytes:
        """The first bytes the server sent, at most 200; empty: it said nothing."""
        return self._greeting[:_GREETING_SHOWN_BYTES]

    def readline(self, timeout: float) -> str:
        """One line of the greeting."""
        if self._greeting_deadline is None:
            self._greeting_deadline = time.monotonic() + timeout
        return super().readline(timeout)

    def _read_timeout(self, timeout: float) -> bytes:
        left_s = (self._greeting_deadline or float("inf")) - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        data: bytes = super()._read_timeout(min(timeout, left_s))  # type: ignore[misc]
        self._greeting += data
        if len(self._greeting) > _MAX_GREETING_BYTES:
            raise paramiko.SSHException("an endless greeting")
        return data

    def start_handshake(self, timeout: float) -> None:
        """Start the handshake's time, in seconds."""
        if self._deadline is None:
            self._deadline = time.monotonic() + timeout

    def complete_handshake(self) -> None:
        """The handshake is over."""
        self._deadline = float("inf")

    def watch(self, interval_s: float, most: int, ask: Callable[[], None]) -> None:
        """From now on call `ask` whenever nothing came for `interval_s`.

        After `most` times in a row the connection is ended instead. `ask` is called by the thread that reads, so it
        must not wait for anything.
        """
        self._watch = _Watch(interval_s, most, ask, time.monotonic() + interval_s)

    def read_message(self) -> tuple[int, paramiko.Message]:
        """The next message; whatever it is, the other side lives."""
        message: tuple[int, paramiko.Message] = super().read_message()
        if self._watch is not None:
            self._watch.asked, self._watch.due_s = 0, time.monotonic() + self._watch.interval_s
        return message

    def _check_keepalive(self) -> None:
        """Called ten times a second while nothing arrives."""
        watch, now = self._watch, time.monotonic()
        if watch is None or now < watch.due_s:
            return
        if watch.asked >= watch.most:
            raise SilenceError(watch.interval_s * (watch.most + 1))
        watch.asked, watch.due_s = watch.asked + 1, now + watch.interval_s
        watch.ask()

    def handshake_timed_out(self) -> bool:
        """Whether the handshake took too long."""
        return self._deadline is not None and time.monotonic() > self._deadline


class NotingTransport(paramiko.Transport):
    """Keeps the words with which a server ends a connection (RFC 4253, 11.1); paramiko only logs them."""

    farewell: str | None = None

    @property
    def greeting(self) -> bytes:
        """The first bytes the server sent, at most 200; empty: it said nothing."""
        packetizer = self.packetizer
        assert isinstance(packetizer, DeadlinePacketizer)
        return packetizer.greeting

    @property
    def is_overdue(self) -> bool:
        """Whether the handshake took too long."""
        return bool(self.packetizer.handshake_timed_out())

    def why_ended(self, error: BaseException | None, otherwise: str) -> JsonValue:
        """The reason of an end: the server's last words, else what the error says, else a note of that code."""
        if self.farewell:
            return printable(self.farewell)
        return reason_of(error) if error is not None and str(error) else because(otherwise)

    def watch_silence(self, interval_s: float, most: int) -> None:
        """Ask the server for a sign of life whenever nothing came for so long; without any, the connection ends.

        As OpenSSH's ServerAliveInterval and ServerAliveCountMax (ssh_config(5)): after `most` questions in a row that
        nobody answered, a last interval later. TCP alone never notices a server behind a jump host.

        Args:
            interval_s: in seconds.
            most: questions.
        """
        packetizer = self.packetizer
        assert isinstance(packetizer, DeadlinePacketizer)
        packetizer.watch(interval_s, most, self._ask_for_life)

    def _ask_for_life(self) -> None:
        """Send a request that every server answers, be it with a no; not while something else is being sent."""
        if not self.clear_to_send_lock.acquire(blocking=False):
            return
        try:
            if self.clear_to_send.is_set() and _has_room(self.sock):
                question = paramiko.Message()
                question.add_byte(cMSG_GLOBAL_REQUEST)
                question.add_string("keepalive@openssh.com")
                question.add_boolean(True)
                self._send_message(question)  # type: ignore[attr-defined]  # not among the published types
        finally:
            self.clear_to_send_lock.release()

    def _parse_disconnect(self, message: paramiko.Message) -> None:
        message.get_int()
        self.farewell = message.get_text()


def _has_room(link: socket.socket | paramiko.Channel) -> bool:
    """Whether a few bytes can be sent at once."""
    if isinstance(link, paramiko.Channel):
        return link.send_ready() and link.out_window_size >= _ROOM_BYTES
    with selectors.DefaultSelector() as selector:
        selector.register(link, selectors.EVENT_WRITE)
        return bool(selector.select(timeout=0))


def prepare(transport: paramiko.Transport, host_key_types: tuple[str, ...] = ()) -> None:
    """Set a client transport's log and preferences; call before `start_client`.

    Args:
        transport: not started yet.
        host_key_types: types of the keys remembered for the server, asked for first, so that a server with
            several keys shows the one that can be compared.
    """
    logger = logging.getLogger(LOG_CHANNEL)
    if not any(isinstance(entry, _Demote) for entry in logger.filters):
        logger.addFilter(_Demote())
    transport.set_log_channel(LOG_CHANNEL)
    options = transport.get_security_options()
    options.ciphers = _first(_FIRST_CIPHERS, options.ciphers)
    wanted = tuple(name for kind in host_key_types for name in _algorithms(kind))
    options.key_types = _first(wanted, options.key_types)


def _algorithms(kind: str) -> tuple[str, ...]:
    return ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,)


def _first(wanted: Sequence[str], offered: Sequence[str]) -> tuple[str, ...]:
    known = tuple(name for name in wanted if name in offered)
    return known + tuple(name for name in offered if name not in known)
