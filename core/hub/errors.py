"""HTTP statuses of a hub as RKDeck's errors."""

from core.base.errors import RefusedError, RKDeckError

_TOO_MANY, _UNLAWFUL, _SERVER = 429, 451, 500
_FORBIDDEN = frozenset({401, 403})
# What a hub, or what stands before it, may say of one file while it gives the others.
OF_ONE_FILE = frozenset(
    {
        "hub.broken_off", "hub.digest_differs", "hub.elsewhere_unreachable", "hub.file_not_found", "hub.filtered",
        "hub.forbidden", "hub.gated", "hub.http_status", "hub.in_circles", "hub.login_page", "hub.no_ranges",
        "hub.not_found", "hub.other_size", "hub.packed", "hub.server_error", "hub.strange_answer", "hub.unlawful",
    }
)  # fmt: skip


def http_error(
    status: int, wait_s: float | None, endpoint: str, what: str, *, with_token: bool = False
) -> RKDeckError:
    """The error for an HTTP status that is not a success.

    Args:
        status: the status.
        wait_s: how long the answer asks to wait, None when it does not (`core.hub.waiting.told_wait_s`).
        endpoint: base URL of the hub.
        what: was asked for.
        with_token: whether the hub was told whose question it is: more than that no advice can ask for.
    """
    until = None if wait_s is None else "hub.come_back"
    if status == _TOO_MANY:
        advice = (until or "hub.slow_down") if with_token else until and "hub.again_later"
        return RKDeckError("hub.rate_limited", endpoint=endpoint, retry_after_s=wait_s, hint=advice)
    if status in _FORBIDDEN:
        return RefusedError("hub.forbidden", what=what, hint=None if with_token else "hub.without_token")
    if status == _UNLAWFUL:
        return RefusedError("hub.unlawful", what=what)
    if status >= _SERVER:
        return RKDeckError(
            "hub.server_error", endpoint=endpoint, status=status, retry_after_s=wait_s, hint=until
        )
    return RKDeckError("hub.http_status", what=what, status=status)
