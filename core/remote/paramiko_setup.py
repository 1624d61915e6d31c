"""How RKDeck wants paramiko: quiet, no helper threads, fast ciphers first."""

import logging
import time
from collections.abc import Sequence

import paramiko
from paramiko.packet import Packetizer

LOG_CHANNEL = "rkdeck.ssh"
# One AES-GCM pass encrypts and authenticates; paramiko prefers AES-CTR with HMAC, which costs twice.
_FIRST_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")


class _Demote(logging.Filter):
    """Turns every record into DEBUG: paramiko logs tracebacks at ERROR for what RKDeck raises as errors."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.levelno, record.levelname = logging.DEBUG, "DEBUG"
        return logging.getLogger(LOG_CHANNEL).isEnabledFor(logging.DEBUG)


class DeadlinePacketizer(Packetizer):
    """Watches the handshake by the clock; the original's timer thread outlives a failed handshake by 15 s."""

    _deadline: float | None = None

    def start_handshake(self, timeout: float) -> None:
        """Start the handshake's time, in seconds."""
        if self._deadline is None:
            self._deadline = time.monotonic() + timeout

    def complete_handshake(self) -> None:
        """The handshake is over."""
        self._deadline = float("inf")

    def handshake_timed_out(self) -> bool:
        """Whether the handshake took too long."""
        return self._deadline is not None and time.monotonic() > self._deadline


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
