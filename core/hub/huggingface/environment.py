"""What the environment tells huggingface_hub and the HTTP client, read before they fail over it without naming it."""

import errno
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

from core.base.errors import UsageError
from core.base.names import printable
from core.base.opening import NotRegularError, kind_of, open_regular
from core.base.trouble import reason_of
from core.hub.addresses import is_host, without_credentials

# huggingface_hub reads them as whole numbers while it is imported (huggingface_hub/constants.py, 2.4.0).
_SECONDS = ("HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
# httpx2/_config.py, 2.16.2
_SCHEMES = frozenset({"http", "https", "socks5", "socks5h"})
# GNOME's settings and curl's old habit; who writes it has a SOCKS 5 proxy.
_SOCKS = "socks://"
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")  # in this order (huggingface_hub/constants.py, 2.4.0)
_NEVER = re.compile(r"[\s\"'`<>\\^{|}\x00-\x1f\x7f]|[^\x00-\x7f]")


@dataclass(frozen=True, slots=True)
class EnvironmentProxy:
    """A proxy and the variable that names it; `address` is without name and password."""

    variable: str
    address: str


def check_environment() -> None:
    """Refuse variables that huggingface_hub or the HTTP client would fail over.

    Raises:
        UsageError: `hub.bad_timeout`, `hub.bad_proxy`.
    """
    for variable in _SECONDS:
        value = os.environ.get(variable)
        if value is not None and not re.fullmatch(r"\s*[0-9]{1,9}\s*", value, re.ASCII):
            raise UsageError("hub.bad_timeout", variable=variable, value=printable(value, 40))
    proxies = getproxies_environment()
    if "*" in {host.strip() for host in proxies.get("no", "").split(",")}:
        return  # no proxy is used at all
    for scheme in ("http", "https", "all"):
        if scheme in proxies and not _is_proxy(proxies[scheme]):
            found = _named(scheme, proxies)
            raise UsageError("hub.bad_proxy", variable=found.variable, proxy=found.address)


def proxy_for(scheme: str) -> EnvironmentProxy | None:
    """The proxy that the environment names for addresses of a scheme, `NO_PROXY` not considered."""
    proxies = getproxies_environment()
    return next((_named(kind, proxies) for kind in (scheme, "all") if proxies.get(kind)), None)


def usual_proxy(address: str) -> str:
    """A proxy's address in a form that the HTTP client takes."""
    return f"socks5://{address[len(_SOCKS) :]}" if address.lower().startswith(_SOCKS) else address


def offline_variable() -> tuple[str, str]:
    """The variable that keeps huggingface_hub from asking anybody, and what it says."""
    name = next((name for name in _OFFLINE if os.environ.get(name)), _OFFLINE[0])
    return name, printable(os.environ.get(name, ""), 40)


def check_tls_files() -> None:
    """Refuse files that Python's TLS would wait for without end, or fail over without a name.

    Raises:
        UsageError: `hub.bad_certificates`, `hub.bad_key_log`.
    """
    for variable, code, try_it in (
        ("SSL_CERT_FILE", "hub.bad_certificates", _try_reading),
        ("SSLKEYLOGFILE", "hub.bad_key_log", _try_appending),
    ):
        value = os.environ.get(variable)
        if not value:
            continue
        try:
            try_it(Path(value))
        except OSError as error:
            reason = reason_of(error)
            raise UsageError(code, variable=variable, path=printable(value), reason=reason) from error


def _try_reading(path: Path) -> None:
    open_regular(path).close()


def _try_appending(path: Path) -> None:
    """Open as TLS will, which makes the file; a named pipe that nobody reads is ENXIO instead of a wait."""
    try:
        os.close(
            os.open(
                path,
                os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY,
                0o600,
            )
        )
    except OSError as error:
        found = kind_of(path, follow=True) if error.errno == errno.ENXIO else None
        raise error if found is None else NotRegularError(path, found) from error


def certificates_variable() -> tuple[str, str] | None:
    """The variable that says where certificates are, and what it says; None when there is none."""
    return next(((name, os.environ[name]) for name in _CERTIFICATES if os.environ.get(name)), None)


def _named(scheme: str, proxies: Mapping[str, str]) -> EnvironmentProxy:
    lower = f"{scheme}_proxy"  # takes precedence, as everywhere
    variable = lower if os.environ.get(lower) else lower.upper()
    return EnvironmentProxy(variable, printable(without_credentials(proxies[scheme]), 100))


def _is_proxy(value: str) -> bool:
    try:
        parts = urlsplit(usual_proxy(value) if "://" in value else f"http://{value}")
        return (
            parts.scheme in _SCHEMES
            and is_host(parts.hostname or "")
            and parts.port != 0
            and not _NEVER.search(value)
        )
    except ValueError:
        return False
