"""HTTP statuses of a hub as RKDeck's errors."""

from core.base.errors import RefusedError, RKDeckError

_TOO_MANY, _SERVER = 429, 500
_FORBIDDEN = frozenset({401, 403})


def http_error(status: int, retry_after: str | None, endpoint: str, what: str) -> RKDeckError:
    """The error for an HTTP status that is not a success."""
    if status == _TOO_MANY:
        return RKDeckError("hub.rate_limited", endpoint=endpoint, retry_after_s=retry_after)
    if status in _FORBIDDEN:
        return RefusedError("hub.forbidden", what=what)
    if status >= _SERVER:
        return RKDeckError("hub.server_error", endpoint=endpoint, status=status)
    return RKDeckError("hub.http_status", what=what, status=status)
