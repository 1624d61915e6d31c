"""huggingface_hub's and the HTTP client's exceptions as RKDeck's errors."""

import re
from typing import TYPE_CHECKING

from core.base.errors import JsonValue, RefusedError, RKDeckError
from core.base.names import printable
from core.base.trouble import reason_of
from core.hub.addresses import host_of, likely_endpoint
from core.hub.errors import http_error
from core.hub.huggingface.environment import certificates_variable, offline_variable, unfollowed_certificates
from core.hub.waiting import told_wait_s

if TYPE_CHECKING:
    import httpx2

# A proxy's refusal has no status of its own in the HTTP client: its words begin with it (httpcore2's http_proxy.py), or
# are those of SOCKS (socks_proxy.py: no way to log in that both know, a log-in that is not taken, a rule of the proxy).
_WANTS_LOGIN = re.compile(r"407\b|Requested .+ from proxy server|Invalid username/password")
_FORBIDS = re.compile(r"403\b|.*not allowed by ruleset", re.IGNORECASE)
# What a hub, or whoever else is there, says where there is no such thing as was asked for.
_OF_THE_ADDRESS = frozenset(
    {
        "hub.forbidden",
        "hub.http_status",
        "hub.in_circles",
        "hub.login_page",
        "hub.not_found",
        "hub.strange_answer",
    }
    | {"hub.file_not_found", "hub.revision_not_found", "hub.filtered"}
)


def translated(error: Exception, *, endpoint: str, what: str, with_token: bool) -> RKDeckError | None:
    """Return our error for a foreign one, None when it is not the Hub's doing."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return RefusedError("hub.gated", what=what)
    if isinstance(error, errors.RepositoryNotFoundError):
        return RKDeckError("hub.not_found", what=what)
    if isinstance(error, errors.RevisionNotFoundError):
        return RKDeckError("hub.revision_not_found", what=what)
    if isinstance(error, errors.EntryNotFoundError):
        return RKDeckError("hub.file_not_found", what=what)
    if isinstance(error, errors.HfHubHTTPError):
        response = error.response
        wait_s = told_wait_s(response.headers)
        return http_error(response.status_code, wait_s, endpoint, what, with_token=with_token)
    if isinstance(error, errors.HFValidationError):
        return RKDeckError("hub.not_found", what=what)
    import httpx2

    if isinstance(error, httpx2.InvalidURL):
        return RKDeckError("hub.strange_answer", what="an impossible address")
    if isinstance(error, errors.OfflineModeIsEnabled):
        variable, value = offline_variable()
        return RefusedError("hub.offline", variable=variable, value=value)
    return _broken(error, endpoint) if isinstance(error, httpx2.HTTPError) else None


def suspecting(error: RKDeckError, endpoint: str) -> RKDeckError:
    """The same error; where the hub's address may be at fault, with the advice to mend that."""
    better = likely_endpoint(endpoint)
    if better is not None and error.code in _OF_THE_ADDRESS:
        error.hint = "hub.endpoint_too_long"
        error.facts |= {"endpoint": printable(endpoint), "better": better}
    return error


def proxy_wants_login(url: str) -> RKDeckError:
    """The error for an address whose proxy lets nobody through without the right name and password."""
    from core.hub.huggingface.session import proxy_in_use

    proxy = proxy_in_use(url)
    if proxy is None:  # one that nobody named, on the way there
        return RefusedError("hub.filtered", host=host_of(url))
    return RefusedError("hub.proxy_login", proxy=proxy.address, variable=proxy.variable)


def _broken(error: "httpx2.HTTPError", endpoint: str) -> RKDeckError:
    """The error for a line that did not come about or broke."""
    import httpx2

    asked = _asked(error) or endpoint
    if isinstance(error, httpx2.ProxyError):
        if _WANTS_LOGIN.match(str(error)):
            return proxy_wants_login(asked)
        if _FORBIDS.match(str(error)):
            return RefusedError("hub.filtered", host=host_of(asked))
    return _unreachable(reason_of(error), endpoint, asked)


def _asked(error: "httpx2.HTTPError") -> str | None:
    """The address that failed, which behind a redirect is not the Hub's; None where the error does not tell it."""
    try:
        return str(error.request.url)
    except RuntimeError:  # httpx2's, for an error that no question was given to
        return None


def _unreachable(reason: JsonValue, endpoint: str, asked: str) -> RKDeckError:
    from core.hub.huggingface.session import proxy_in_use

    host, proxy = host_of(asked), proxy_in_use(asked)
    facts: dict[str, JsonValue] = {"endpoint": endpoint, "reason": reason}
    code, hint = "hub.unreachable", None
    if host != host_of(endpoint):
        code, facts["host"] = "hub.elsewhere_unreachable", host
    why = reason.get("code") if isinstance(reason, dict) else None
    if why in {"no_trust_yet", "no_trust_any_more"}:
        hint, facts["host"] = "hub.no_trust_now", host
    elif why == "no_trust_of_name":
        hint, facts["host"] = "hub.no_trust_of_name", host
    elif why == "no_trust":
        told, other = certificates_variable(), unfollowed_certificates()
        hint, facts["host"] = "hub.no_trust", host
        if told is not None:
            hint, facts["variable"] = "hub.no_trust_by_variable", told[0]
        elif other is not None:
            hint, facts["variable"] = "hub.no_trust_unfollowed", other
    elif proxy is not None:
        hint, facts["variable"], facts["proxy"] = "hub.by_proxy", proxy.variable, proxy.address
    return RKDeckError(code, hint=hint, **facts)
