"""Talking to one running command: input and both outputs at once, with a deadline and a bound."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import paramiko

_CHUNK_BYTES = 256 << 10
# paramiko tells when output arrives, but not when the server's window opens for input.
_INPUT_POLL_S = 0.01
_STATUS_GRACE_S = 2.0
_CLOSE_GRACE_S = 0.25
_CLOSE_POLL_S = 0.001


class TooSlowError(Exception):
    """The deadline passed."""


class TooMuchError(Exception):
    """More output than allowed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left: exit status (None: ended by a signal, or the link broke) and its outputs."""

    exit_status: int | None
    stdout: bytes
    stderr: bytes


class Arrival(threading.Event):
    """Set whenever a channel has got output, or its end.

    `Channel.fileno` offers the same through a pipe, but closing the channel closes that pipe under the hands
    of paramiko's thread, which then dies with the whole connection (paramiko 5.1, measured).
    """

    def __init__(self, channel: paramiko.Channel) -> None:
        super().__init__()
        channel.in_buffer.set_event(self)
        channel.in_stderr_buffer.set_event(self)

    def clear(self) -> None:
        """Not for paramiko: it would clear after reading one output while the other has more."""

    def look(self) -> None:
        """Clear; to be followed by a look at what has arrived, so that nothing is overlooked."""
        super().clear()


class _Collected:
    """Both outputs, each bounded."""

    def __init__(self, channel: paramiko.Channel, max_bytes: int) -> None:
        self._channel = channel
        self._max_bytes = max_bytes
        self.stdout = bytearray()
        self.stderr = bytearray()

    def take(self) -> bool:
        """Take what has arrived; False when nothing had."""
        channel, taken = self._channel, False
        if channel.recv_ready():
            self.stdout += channel.recv(_CHUNK_BYTES)
            taken = True
        if channel.recv_stderr_ready():
            self.stderr += channel.recv_stderr(_CHUNK_BYTES)
            taken = True
        if max(len(self.stdout), len(self.stderr)) > self._max_bytes:
            raise TooMuchError
        return taken


def converse(channel: paramiko.Channel, data: bytes, deadline: float, max_output_bytes: int) -> Outcome:
    """Send `data` and end of input while collecting both outputs until the command has ended.

    A command that ends without reading all its input is no failure. The caller closes the channel, which
    makes the server drop what is still running.

    Args:
        channel: with its command started.
        data: the whole standard input.
        deadline: on `time.monotonic`'s clock.
        max_output_bytes: for each output.

    Raises:
        TooSlowError, TooMuchError: see their names.
    """
    collected = _Collected(channel, max_output_bytes)
    arrival = Arrival(channel)
    left = memoryview(data)
    if not data:
        channel.shutdown_write()
    while not _ended(channel):
        arrival.look()
        now = time.monotonic()
        if now >= deadline:
            raise TooSlowError
        sent = 0
        if left and channel.send_ready():
            sent = _send(channel, bytes(left[:_CHUNK_BYTES]))
            left = left[sent:]
            if not left:
                channel.shutdown_write()
        if collected.take() or sent:
            continue
        pause_s = min(_INPUT_POLL_S, deadline - now) if left else deadline - now
        if not _ended(channel):
            arrival.wait(pause_s)
    while collected.take():
        pass
    return Outcome(_status(channel, deadline), bytes(collected.stdout), bytes(collected.stderr))


def _ended(channel: paramiko.Channel) -> bool:
    return bool(channel.eof_received or channel.closed)


def close(channel: paramiko.Channel) -> None:
    """End a program's input, let it end, and close its channel; one that goes on is abandoned.

    Dropbear 2022.83 mixes up a channel that is opened while it closes another one: the new command runs, but
    its output and status are lost (measured, every other time). So the server closes first where it can.
    """
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):  # the link may be gone
        channel.shutdown_write()
    _wait(channel, lambda: channel.closed)
    abandon(channel)


def abandon(channel: paramiko.Channel) -> None:
    """Close a channel whose command may still run, and give the server a moment to see it."""
    if channel.closed:
        return
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        channel.close()
    _wait(channel, lambda: bool(channel.eof_received))


def _wait(channel: paramiko.Channel, condition: Callable[[], bool]) -> None:
    transport, deadline = channel.get_transport(), time.monotonic() + _CLOSE_GRACE_S
    while not condition() and transport.is_active() and time.monotonic() < deadline:
        time.sleep(_CLOSE_POLL_S)


def _send(channel: paramiko.Channel, data: bytes) -> int:
    try:
        return channel.send(data)
    except OSError:
        if channel.closed:  # the command has ended, the loop will see it
            return 0
        raise


def _status(channel: paramiko.Channel, deadline: float) -> int | None:
    """The exit status; it may come a little after the end of output (a command that closed its outputs)."""
    grace_s = max(_STATUS_GRACE_S, deadline - time.monotonic())
    if not channel.status_event.wait(grace_s):
        raise TooSlowError
    return channel.exit_status if channel.exit_status >= 0 else None
