"""Waiting for the network: one deadline over all that an HTTP client waits for.

The client's own time-outs begin anew with every byte, so that a server that sends one a second holds a request for
ever. `Deadline.kept` bounds all that is waited for inside: connecting, a proxy's handshake, headers, a body.
"""

import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpcore2
import httpx2

_until_s: ContextVar[float | None] = ContextVar("until_s", default=None)


class Deadline:
    """A moment by which something is over, `seconds` from now."""

    def __init__(self, seconds: float) -> None:
        self._until_s = time.monotonic() + seconds

    @contextmanager
    def kept(self) -> Iterator[None]:
        """What is waited for inside, on this thread, ends by then with a time-out of the HTTP client's."""
        token = _until_s.set(self._until_s)
        try:
            yield
        finally:
            _until_s.reset(token)


def keep_deadlines(client: httpx2.Client) -> None:
    """Let a client's connections keep the deadlines of whoever waits for them."""
    # httpx2 offers its pools' network for no choice; without this, tests of slow servers never end.
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001
        if isinstance(transport, httpx2.HTTPTransport):
            transport._pool._network_backend = _Network()  # noqa: SLF001


def _left_s(timeout_s: float | None, error: type[Exception]) -> float | None:
    until_s = _until_s.get()
    if until_s is None:
        return timeout_s
    left_s = until_s - time.monotonic()
    if left_s <= 0:
        raise error("it took too long")
    return left_s if timeout_s is None else min(timeout_s, left_s)


class _Network(httpcore2.NetworkBackend):
    """The usual network; its connections keep the deadline."""

    def __init__(self) -> None:
        self._network = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        left_s = _left_s(timeout, httpcore2.ConnectTimeout)
        return _Stream(self._network.connect_tcp(host, port, left_s, local_address, socket_options))


class _Stream(httpcore2.NetworkStream):
    """A connection whose every wait ends with the deadline."""

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left_s(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left_s(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        left_s = _left_s(timeout, httpcore2.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left_s))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401  # the base class's own signature
        return self._stream.get_extra_info(info)
