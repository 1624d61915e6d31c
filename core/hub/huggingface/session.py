"""The adapter's HTTP session: huggingface_hub's, with a deadline over whole waits and without what it tells others.

The HTTP client's own time-outs begin anew with every byte, so that a server that sends one a second holds a request for
ever. `Deadline.kept` bounds all that is waited for inside: connecting, a proxy's handshake, headers, a body.
"""

import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version
from typing import Any

import httpcore2
import httpx2

from core.base.errors import UsageError
from core.base.names import printable
from core.base.trouble import reason_of
from core.hub.huggingface.environment import EnvironmentProxy, certificates_variable, proxy_for

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


def session() -> httpx2.Client:
    """huggingface_hub's session, which it keeps and closes; it follows no redirects by itself."""
    from huggingface_hub import get_session

    _prepare()
    return get_session()


def proxy_in_use(url: str) -> EnvironmentProxy | None:
    """The proxy over which the session asks for an address; None when it asks itself."""
    client, asked = session(), httpx2.URL(url)
    return None if client._transport_for_url(asked) is client._transport else proxy_for(asked.scheme)  # noqa: SLF001


def plain_headers() -> dict[str, str]:
    """The headers of every request.

    Not huggingface_hub's `build_hf_headers`: to name the program that called us it asks the endpoint for a list, whose
    size it does not bound, and tells what else is installed here.
    """
    return {"User-Agent": f"rkdeck/{version('rkdeck')}; hf_hub/{version('huggingface_hub')}"}


@cache
def _prepare() -> None:
    from huggingface_hub import set_client_factory

    set_client_factory(_client)


def _client() -> httpx2.Client:
    try:
        client = httpx2.Client(
            event_hooks={"request": [_refuse_offline]},
            # A hub needs none, and a stranger's would stay in memory.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )
    except OSError as error:
        told = certificates_variable()
        if told is None:
            raise
        reason = reason_of(error)
        raise UsageError(
            "hub.bad_certificates", variable=told[0], path=printable(told[1]), reason=reason
        ) from error
    # httpx2 offers its pools' network for no choice; without this, tests of slow servers never end.
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001
        if isinstance(transport, httpx2.HTTPTransport):
            transport._pool._network_backend = _Network()  # noqa: SLF001
    return client


def _refuse_offline(request: httpx2.Request) -> None:
    from huggingface_hub import is_offline_mode
    from huggingface_hub.errors import OfflineModeIsEnabled

    if is_offline_mode():
        raise OfflineModeIsEnabled("HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set")


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
