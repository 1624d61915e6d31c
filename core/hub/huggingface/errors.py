"""huggingface_hub's and the HTTP client's exceptions as RKDeck's errors."""

from core.base.errors import JsonValue, RefusedError, RKDeckError
from core.base.notes import note
from core.base.trouble import reason_of
from core.hub.errors import http_error
from core.hub.waiting import told_wait_s


def translated(error: Exception, *, endpoint: str, what: str) -> RKDeckError | None:
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
        return http_error(response.status_code, told_wait_s(response.headers), endpoint, what)
    if isinstance(error, errors.HFValidationError):
        return RKDeckError("hub.not_found", what=what)
    import httpx2

    if isinstance(error, httpx2.InvalidURL):
        return RKDeckError("hub.strange_answer", what="an impossible address")
    if isinstance(error, errors.OfflineModeIsEnabled):
        return _unreachable(note("offline").to_json(), endpoint)
    return _unreachable(reason_of(error), endpoint) if isinstance(error, httpx2.HTTPError) else None


def _unreachable(reason: JsonValue, endpoint: str) -> RKDeckError:
    from core.hub.huggingface.session import proxy_in_use

    proxy = proxy_in_use(endpoint)
    if proxy is None:
        return RKDeckError("hub.unreachable", endpoint=endpoint, reason=reason)
    return RKDeckError(
        "hub.unreachable", hint="hub.by_proxy", endpoint=endpoint, reason=reason,
        variable=proxy.variable, proxy=proxy.address,
    )  # fmt: skip
