"""Our own ranged GET over huggingface_hub's session: redirects by hand, the token for the Hub's host only."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from core.base.errors import RKDeckError, UsageError
from core.base.names import printable

if TYPE_CHECKING:
    import httpx2

Params = list[tuple[str, str | int | float | bool | None]]
_MAX_REDIRECTS = 5
_MAX_DOCUMENT_BYTES = 32 << 20
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OK, _PARTIAL, BEYOND_THE_END = 200, 206, 416
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)", re.IGNORECASE | re.ASCII)


class Transport:
    """Reads byte ranges of files of one endpoint.

    Raises:
        UsageError: `hub.bad_token`.
    """

    def __init__(self, endpoint: str, token: str | None, timeout_s: float) -> None:
        # The HTTP client would put a token it cannot send into its error, and so into the log.
        if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
            raise UsageError("hub.bad_token")
        self._endpoint = endpoint
        self._token = token
        self._timeout_s = timeout_s
        self.bytes_fetched = 0
        self.requests_count = 0

    def read_range(self, url: str, start: int, length: int) -> bytes:
        """Read a range into memory; empty when the file ends before it."""
        with self.stream(url, start, start + length) as response:
            if response.status_code == BEYOND_THE_END:
                return b""
            data = bytearray()
            for piece in response.iter_raw():
                self.bytes_fetched += len(piece)
                data += piece
                # A server that ignores the range must not fill the memory.
                if len(data) >= length:
                    break
            return bytes(data[:length])

    def get_json(self, path: str, params: Params) -> Any:  # noqa: ANN401
        """Ask the Hub's API for a document.

        Raises:
            RKDeckError: `hub.strange_answer` for what is no JSON; huggingface_hub's own for other statuses.
        """
        return self.get_page(path, params)[0]

    def get_page(self, path: str, params: Params) -> tuple[Any, str | None]:
        """Ask the Hub's API for a document that may go on elsewhere; returns its Link header as well.

        Raises:
            RKDeckError: as `get_json`.
        """
        from huggingface_hub.utils import (  # type: ignore[attr-defined]  # documented, but not re-exported
            build_hf_headers,
            get_session,
            hf_raise_for_status,
        )

        # The session follows redirects and drops the Authorization header on the way to another origin.
        headers = build_hf_headers(token=self._token or False, library_name="rkdeck")
        with get_session().stream(
            "GET", self._endpoint + path, params=params, headers=headers, timeout=self._timeout_s
        ) as response:
            if response.status_code != _OK:
                response.read()
                hf_raise_for_status(response)
            link = response.headers.get("Link")
            data = bytearray()
            for piece in response.iter_bytes():
                data += piece
                if len(data) > _MAX_DOCUMENT_BYTES:
                    raise RKDeckError("hub.strange_answer", what="an endless document")
        try:
            return json.loads(data), link
        except (ValueError, RecursionError) as error:
            raise RKDeckError("hub.strange_answer", what="no JSON") from error

    @contextmanager
    def stream(self, url: str, start: int, end: int | None) -> Iterator["httpx2.Response"]:
        """Open a file from byte `start` to `end` (exclusive, None: the rest): 206, 416, or 200 from byte 0.

        Raises:
            RKDeckError: `hub.*` for other statuses; httpx2.HTTPError for a broken line.
        """
        from huggingface_hub.utils import (  # type: ignore[attr-defined]  # documented, but not re-exported
            build_hf_headers,
            get_session,
            hf_raise_for_status,
        )

        origin, asked_path = _origin(url), urlsplit(url).path
        common = build_hf_headers(token=False, library_name="rkdeck")
        asked = f"bytes={start}-{'' if end is None else end - 1}"
        headers = {**common, "Accept-Encoding": "identity", "Range": asked}
        for _ in range(_MAX_REDIRECTS):
            own = {"Authorization": f"Bearer {self._token}"} if self._token and _origin(url) == origin else {}
            self.requests_count += 1
            with get_session().stream(
                "GET", url, headers={**headers, **own}, follow_redirects=False, timeout=self._timeout_s
            ) as response:
                if response.status_code in _REDIRECTS and "Location" in response.headers:
                    url = self._next(url, response.headers["Location"])
                    continue
                if response.status_code not in {_OK, _PARTIAL, BEYOND_THE_END}:
                    response.read()
                    hf_raise_for_status(response)
                    raise RKDeckError(
                        "hub.http_status", what=printable(asked_path), status=response.status_code
                    )
                _check_start(response, url, start)
                yield response
                return
        raise RKDeckError("hub.strange_answer", what="too many redirects")

    @staticmethod
    def _next(url: str, location: str) -> str:
        try:
            target = urljoin(url, location)
            before, after = urlsplit(url), urlsplit(target)
        except ValueError as error:
            raise RKDeckError("hub.strange_answer", what="a redirect to nowhere") from error
        if after.scheme not in {"http", "https"} or (before.scheme == "https" and after.scheme != "https"):
            raise RKDeckError("hub.strange_answer", what=f"a redirect to {printable(target)}")
        return target


def _check_start(response: "httpx2.Response", url: str, start: int) -> None:
    """Refuse a body that does not begin where it was asked to."""
    if response.status_code == _OK and start > 0:
        raise RKDeckError("hub.no_ranges", host=printable(urlsplit(url).netloc))
    if response.status_code == _PARTIAL:
        span = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        if span is None or int(span[1]) != start:
            raise RKDeckError("hub.strange_answer", what="another part of the file than asked for")


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()
