"""A running program on a board that is driven over its standard input."""

import contextlib
import time

import paramiko

from core.remote import exchange

_CHUNK_BYTES = 256 << 10
_STDERR_KEPT_BYTES = 4096
_SEND_TIMEOUT_S = 60.0
_STATUS_S = 2.0


class RemoteShell:
    """One `sh -s` (or the like). It ends by itself when its input is closed or the connection breaks."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self.channel = channel
        self._arrival = exchange.Arrival(channel)
        self._stderr = bytearray()
        channel.settimeout(_SEND_TIMEOUT_S)

    @property
    def stderr_tail(self) -> bytes:
        """The last 4 KiB of standard error read so far."""
        return bytes(self._stderr)

    def send(self, data: bytes) -> None:
        """Write to standard input.

        Raises:
            TimeoutError: the program does not read.
            OSError, EOFError: it has ended, or the connection.
        """
        self.channel.sendall(data)

    def receive(self, timeout_s: float) -> bytes:
        """Return what it printed on standard output; empty at its end.

        Raises:
            TimeoutError: nothing came in time, whatever it printed on standard error meanwhile.
        """
        channel, deadline = self.channel, time.monotonic() + timeout_s
        while True:
            self._arrival.look()
            took = channel.recv_stderr_ready()
            if took:
                self._stderr += channel.recv_stderr(_CHUNK_BYTES)
                del self._stderr[:-_STDERR_KEPT_BYTES]
            if channel.recv_ready():
                return channel.recv(_CHUNK_BYTES)
            left_s = deadline - time.monotonic()
            if took and left_s > 0:
                continue
            if channel.eof_received or channel.closed:
                # What arrived between the look above and the end is still there.
                return channel.recv(_CHUNK_BYTES) if channel.recv_ready() else b""
            if not self._arrival.wait(max(0.0, left_s)):
                raise TimeoutError

    @property
    def send_timeout_s(self) -> float:
        """How long `send` waits for a program that does not read."""
        return _SEND_TIMEOUT_S

    def exit_status(self) -> int | None:
        """How it ended, a little time allowed for word of it; None: by a signal, with the connection, or not yet."""
        known = self.channel.status_event.wait(_STATUS_S)
        return self.channel.exit_status if known and self.channel.exit_status >= 0 else None

    def end_input(self) -> None:
        """Let the program see the end of its input; what it still prints can be received."""
        with contextlib.suppress(OSError, EOFError):
            self.channel.shutdown_write()

    def close(self) -> None:
        """Close the input and forget the program."""
        exchange.close(self.channel)
