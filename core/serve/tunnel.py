"""HTTP/1.1 to a port of the board's loopback, over a channel of the SSH connection.

Python's HTTP client waits and reads for ever where a server goes on with interim answers, headers or trailers; so the
channel under it bounds what comes of one answer: the silences, the whole time, all bytes.
"""

import http.client
import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import paramiko

from core.base.errors import JsonValue, RefusedError, RKDeckError
from core.base.foreign import read_json
from core.base.names import printable
from core.base.notes import because
from core.base.trouble import reason_of
from core.remote.session import SshSession

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_ANSWER_BYTES = 32 << 20
_MAX_LINE_BYTES = 1 << 20
# With what HTTP puts around an answer: a token of three letters comes in an event of some 200 bytes.
_MAX_RAW_BYTES = 4 * MAX_ANSWER_BYTES


class _NoEndError(TimeoutError):
    """The whole time has passed, whatever still comes."""


class _Pace:
    """The bounds of one question and its answer."""

    def __init__(self, silence_s: float, whole_s: float) -> None:
        self._silence_s = silence_s
        self._until_s = time.monotonic() + whole_s
        self._left_bytes = _MAX_RAW_BYTES

    @contextmanager
    def kept(self, channel: paramiko.Channel) -> Iterator[None]:
        """What is waited for inside, on this channel, ends in time."""
        left_s = self._until_s - time.monotonic()
        if left_s <= 0:
            raise _NoEndError
        channel.settimeout(min(self._silence_s, left_s))
        try:
            yield
        except TimeoutError as error:
            if left_s <= self._silence_s:
                raise _NoEndError from error
            raise

    def took(self, count: int) -> None:
        """Count bytes that came."""
        self._left_bytes -= count
        if self._left_bytes < 0:
            raise http.client.HTTPException("it is too long")


class _ChannelReader(io.RawIOBase):
    """A channel as a raw stream; paramiko's own file object cannot `peek`, which chunked answers need."""

    def __init__(self, channel: paramiko.Channel, pace: _Pace) -> None:
        super().__init__()
        self._channel = channel
        self._pace = pace

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        with self._pace.kept(self._channel):
            data = self._channel.recv(len(view))
        self._pace.took(len(data))
        view[: len(data)] = data
        return len(data)


class _ChannelSocket:
    """What http.client uses of a socket."""

    def __init__(self, channel: paramiko.Channel, pace: _Pace) -> None:
        self._channel = channel
        self._pace = pace

    def sendall(self, data: bytes) -> None:
        left = data
        while left:
            with self._pace.kept(self._channel):
                left = left[self._channel.send(left) :]

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_ChannelReader(self._channel, self._pace))

    def close(self) -> None:
        """Do nothing yet: http.client closes a socket while it still reads an answer from it."""

    def end(self) -> None:
        """Close the channel."""
        self._channel.close()


class _TunnelConnection(http.client.HTTPConnection):
    """A connection whose socket is a channel."""

    def __init__(self, session: SshSession, port: int, pace: _Pace) -> None:
        super().__init__("127.0.0.1", port)
        self._session = session
        self._pace = pace
        self._opened: list[_ChannelSocket] = []

    def connect(self) -> None:
        self.sock = _ChannelSocket(self._session.open_tunnel(self.port), self._pace)
        self._opened.append(self.sock)

    def end(self) -> None:
        """Close the connection and its channel."""
        self.close()
        while self._opened:
            self._opened.pop().end()


class ChatTunnel:
    """One request to a serving; a context manager, since the channel must be closed.

    Args:
        session: the connection to the board.
        port: where the runtime listens.
        token: its bearer token.
        timeout_s: how long to wait for the next bytes.
        whole_s: for everything together, from now on.
    """

    def __init__(self, session: SshSession, port: int, token: str, timeout_s: float, whole_s: float) -> None:
        self._connection = _TunnelConnection(session, port, _Pace(timeout_s, whole_s))
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._timeout_s = timeout_s
        self._whole_s = whole_s

    def __enter__(self) -> "ChatTunnel":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.end()

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request and return the JSON object of its answer.

        Raises:
            RKDeckError: `serve.no_answer`, `serve.no_end`, `serve.bad_answer`, `serve.unauthorized`, `serve.busy`,
                `serve.runtime_error`; RefusedError `serve.request_refused` with the runtime's own words.
        """
        try:
            response = self._send(method, path, body)
            data = response.read(MAX_ANSWER_BYTES + 1)
        except (OSError, EOFError, http.client.HTTPException) as error:
            raise self._lost(error) from error
        if len(data) > MAX_ANSWER_BYTES:
            raise RKDeckError("serve.bad_answer", reason=because("answer_too_long"))
        return _object(data)

    def stream(self, path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Send a request and yield the JSON objects of its event stream, up to `[DONE]`.

        Raises:
            RKDeckError: as `call`.
        """
        taken = 0
        try:
            response = self._send("POST", path, body)
            while line := response.readline(_MAX_LINE_BYTES):
                taken += len(line)
                if taken > MAX_ANSWER_BYTES or not line.endswith(b"\n"):
                    raise RKDeckError("serve.bad_answer", reason=because("answer_torn"))
                if not line.startswith(b"data:"):
                    continue
                data = line.removeprefix(b"data:").strip()
                if data == b"[DONE]":
                    return
                yield _object(data)
        except (OSError, EOFError, http.client.HTTPException) as error:
            raise self._lost(error) from error
        raise RKDeckError("serve.bad_answer", reason=because("answer_cut"))

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> http.client.HTTPResponse:
        data = None if body is None else json.dumps(body).encode()
        self._connection.request(method, path, body=data, headers=self._headers)
        response = self._connection.getresponse()
        if response.status != http.client.OK:
            raise _refusal(response.status, response.read(64 << 10))
        return response

    def _lost(self, error: Exception) -> RKDeckError:
        if isinstance(error, _NoEndError):
            return RKDeckError("serve.no_end", seconds=self._whole_s)
        if isinstance(error, TimeoutError):
            return RKDeckError("serve.no_answer", seconds=self._timeout_s)
        return RKDeckError("serve.bad_answer", reason=reason_of(error))


def _refusal(status: int, data: bytes) -> RKDeckError:
    reason = _reason(data)
    if status == http.client.UNAUTHORIZED:
        return RKDeckError("serve.unauthorized")
    if status == http.client.SERVICE_UNAVAILABLE:
        return RKDeckError("serve.busy", reason=reason)
    if http.client.BAD_REQUEST <= status < http.client.INTERNAL_SERVER_ERROR:
        return RefusedError("serve.request_refused", reason=reason, status=status)
    return RKDeckError("serve.runtime_error", reason=reason, status=status)


def _reason(data: bytes) -> JsonValue:
    value = read_json(data)
    if value is None:
        return printable(data[:300].decode("utf-8", "replace").strip())
    error = value.get("error") if isinstance(value, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return printable(message, 300) if isinstance(message, str) else because("no_reason")


def _object(data: bytes) -> dict[str, Any]:
    value = read_json(data)
    if not isinstance(value, dict):
        raise RKDeckError("serve.bad_answer", reason=because("answer_no_object"))
    return value
