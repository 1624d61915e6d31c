"""The adapter's HTTP session: huggingface_hub's, with a deadline over whole waits and without what it tells others."""

from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version

import httpx2

from core.base.errors import UsageError
from core.base.names import printable
from core.base.network import keep_deadlines
from core.base.trouble import reason_of
from core.hub.huggingface.environment import (
    EnvironmentProxy,
    certificates_variable,
    check_tls_files,
    proxy_for,
    usual_proxy,
)


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
    check_tls_files()
    try:
        client = httpx2.Client(
            transport=httpx2.HTTPTransport(),
            mounts=_by_proxy(),
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
    keep_deadlines(client)
    return client


def _by_proxy() -> dict[str, httpx2.BaseTransport | None]:
    """The environment's proxies, by the addresses they are for; None: no proxy. The client itself takes fewer forms."""
    # Not public, as its patterns for NO_PROXY are the client's own.
    from httpx2._utils import get_environment_proxies

    return {
        pattern: None if proxy is None else httpx2.HTTPTransport(proxy=usual_proxy(proxy))
        for pattern, proxy in get_environment_proxies().items()
    }


def _refuse_offline(request: httpx2.Request) -> None:
    from huggingface_hub import is_offline_mode
    from huggingface_hub.errors import OfflineModeIsEnabled

    if is_offline_mode():
        raise OfflineModeIsEnabled("HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set")
