"""What the environment tells huggingface_hub and the HTTP client, read before they fail over it without naming it."""

import errno
import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

from core.base.errors import UsageError
from core.base.names import printable
from core.base.notes import NotedError
from core.base.opening import NotRegularError, kind_of, open_regular
from core.base.trouble import reason_of
from core.hub.addresses import is_host, without_credentials

# huggingface_hub reads them as whole numbers while it is imported (huggingface_hub/constants.py, 2.4.0).
_SECONDS = ("HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT")
# httpcore2/_ssl.py, 2.9: the first that is set; what `requests` and curl follow besides is not followed.
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_NOT_FOLLOWED = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
# As `openssl rehash` names them; in a folder OpenSSL looks for no others.
_HASHED = re.compile(r"[0-9a-f]{8}\.\d{1,9}", re.ASCII)
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
    """Refuse variables that huggingface_hub or the HTTP client would fail over; what it warns of is not for people.

    Raises:
        UsageError: `hub.bad_timeout`, `hub.bad_proxy`.
    """
    # While it is imported it warns of a variable that does nothing any more, in its own words and on stderr.
    warnings.filterwarnings("ignore", module=r"huggingface_hub(\.|$)")
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
    """Refuse files that Python's TLS would wait for without end, fail over without a name, or find nothing in.

    Raises:
        UsageError: `hub.bad_certificates`, `hub.bad_key_log`.
    """
    used = certificates_variable()
    for variable, code, try_it in (
        ("SSL_CERT_FILE", "hub.bad_certificates", _try_reading),
        ("SSL_CERT_DIR", "hub.bad_certificates", _try_listing),
        ("SSLKEYLOGFILE", "hub.bad_key_log", _try_appending),
    ):
        value = os.environ.get(variable)
        if not value or (variable in _CERTIFICATES and used is not None and used[0] != variable):
            continue
        try:
            try_it(Path(value))
        except (OSError, NotedError) as error:
            reason = reason_of(error)
            hint = "hub.bad_certificates_folder" if variable == "SSL_CERT_DIR" else None
            shown = printable(value)
            raise UsageError(code, hint=hint, variable=variable, path=shown, reason=reason) from error


def _try_reading(path: Path) -> None:
    open_regular(path).close()


def _try_listing(path: Path) -> None:
    """Look for certificates as OpenSSL does: in one folder or several, by the names of their hashes."""
    folders = [Path(part) for part in str(path).split(os.pathsep) if part]
    if not any(_HASHED.fullmatch(name) for folder in folders for name in os.listdir(folder)):
        raise NotedError("no_hashed_certificates")


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


def unfollowed_certificates() -> str | None:
    """A variable that other programs take certificates from and the HTTP client does not; None where none is set."""
    return next((name for name in _NOT_FOLLOWED if os.environ.get(name)), None)


def keeps_token_back() -> bool:
    """Whether the user does not want the token of huggingface_hub's file sent unasked, as that library reads it."""
    said = os.environ.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "")
    return said.upper() in {"1", "ON", "YES", "TRUE"}


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
