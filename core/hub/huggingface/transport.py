"""Our own GET over the session: redirects by hand, the token for the Hub's host only, every answer bounded."""

import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlencode, urljoin, urlsplit

from core.base.errors import JsonValue, RefusedError, RKDeckError, UsageError
from core.base.foreign import read_json
from core.base.names import printable
from core.hub.addresses import host_of, is_host

if TYPE_CHECKING:
    import httpx2

    from core.base.network import Deadline

Params = list[tuple[str, str]]
_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OK, PARTIAL, BEYOND_THE_END = 200, 206, 416
_UNKNOWN, _FORBIDDEN, _PROXY_WANTS_LOGIN = 401, 403, 407
# RFC 7617 and its like; the Hub itself asks for a bearer's token.
_ASKS_PASSWORD = re.compile(r"\s*(?:Basic|Digest|Negotiate|NTLM)\b", re.IGNORECASE)
_WANTS_LOGIN = 511  # RFC 6585, section 6: the network, not the server, asks for a log-in
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.IGNORECASE | re.ASCII)
# What a refusal is read from (its body is not: it may have no end).
_TELLING = ("X-Error-Code", "X-Error-Message", "Retry-After", "RateLimit")
# An answer that takes so many times the wait for a single byte is none.
_PATIENCE = 6
_LEAST_BYTES_PER_S = 64 << 10


@dataclass(frozen=True, slots=True)
class _Asked:
    """A part of a file: from `start` to `end` (exclusive; None: the rest), of `size_bytes` as the Hub told it."""

    start: int
    end: int | None
    size_bytes: int | None


class Transport:
    """Reads documents and byte ranges of files of one endpoint.

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

    @property
    def has_token(self) -> bool:
        """Whether the hub is told who asks."""
        return bool(self._token)

    def read_range(self, url: str, start: int, length: int) -> bytes:
        """Read a range into memory; empty when the file ends before it."""
        from core.hub.huggingface.bodies import read_up_to

        deadline = self._deadline(length)
        with self._part(url, _Asked(start, start + length, None), deadline) as response:
            if response.status_code == BEYOND_THE_END:
                return b""
            # A server that ignores the range must not fill the memory.
            data = read_up_to(response, length, deadline)
            self.bytes_fetched += len(data)
            return data

    def get_json(self, path: str, params: Params) -> JsonValue:
        """Ask the Hub's API for a document.

        Raises:
            RKDeckError: `hub.strange_answer` for what is no JSON, `hub.login_page`; huggingface_hub's own for other
                statuses.
        """
        return self.get_page(path, params)[0]

    def get_page(self, path: str, params: Params) -> tuple[JsonValue, str | None]:
        """Ask the Hub's API for a document that may go on elsewhere; returns its Link header as well.

        Raises:
            RKDeckError: as `get_json`.
        """
        from core.hub.huggingface.bodies import begins_like_page, login_page, read_document, refuse_page

        url = f"{self._endpoint}{path}?{urlencode(params)}"
        deadline = self._deadline()
        with self._answer(url, {"Accept-Encoding": "gzip"}, {_OK}, deadline) as response:
            refuse_page(response, url)
            link = response.headers.get("Link")
            data = read_document(response, deadline)
            if begins_like_page(data):
                raise login_page(response)
            document = read_json(data)
        if document is None:
            raise RKDeckError("hub.strange_answer", what="no JSON")
        return document, link

    def size_of(self, url: str) -> int | None:
        """The size of a file by its headers alone; None when they do not tell it."""
        from core.hub.huggingface.bodies import refuse_page, told_bytes

        headers = {"Accept-Encoding": "identity"}
        with self._answer(url, headers, {_OK}, self._deadline(), method="HEAD") as response:
            refuse_page(response, url)
            return told_bytes(response)

    @contextmanager
    def stream(self, url: str, start: int, size_bytes: int) -> Iterator["httpx2.Response"]:
        """Open a file of `size_bytes` from byte `start` on: 206, 416, or 200 from byte 0.

        Raises:
            RKDeckError: `hub.*` for other statuses and for what is not the file; httpx2.HTTPError for a broken line.
        """
        with self._part(url, _Asked(start, None, size_bytes), self._deadline()) as response:
            yield response

    @contextmanager
    def _part(self, url: str, asked: _Asked, deadline: "Deadline") -> Iterator["httpx2.Response"]:
        span = f"bytes={asked.start}-{'' if asked.end is None else asked.end - 1}"
        headers = {"Accept-Encoding": "identity", "Range": span}
        self.requests_count += 1
        with self._answer(url, headers, {_OK, PARTIAL, BEYOND_THE_END}, deadline) as response:
            if response.status_code != BEYOND_THE_END:
                _check_start(response, url, asked, deadline)
            yield response

    @contextmanager
    def _answer(
        self,
        url: str,
        headers: Mapping[str, str],
        accepted: set[int],
        deadline: "Deadline",
        method: str = "GET",
    ) -> Iterator["httpx2.Response"]:
        """Ask, follow redirects, and yield an answer with one of the accepted statuses; its body is not read yet."""
        from core.hub.huggingface.session import plain_headers, session

        origin, asked_url = _origin(url), url
        for _ in range(_MAX_REDIRECTS):
            own = {"Authorization": f"Bearer {self._token}"} if self._token and _origin(url) == origin else {}
            client = session()
            request = client.build_request(
                method, url, headers={**plain_headers(), **headers, **own}, timeout=self._timeout_s
            )
            with deadline.kept():
                response = client.send(request, stream=True, follow_redirects=False)
            with closing(response):
                if response.status_code in accepted:
                    yield response
                    return
                if response.status_code not in _REDIRECTS or "Location" not in response.headers:
                    _refuse(response, asked_url, deadline)
                url = self._next(url, response.headers["Location"])
        raise RKDeckError("hub.in_circles", host=host_of(url))

    def _deadline(self, length: int = 0) -> "Deadline":
        from core.base.network import Deadline

        return Deadline(_PATIENCE * self._timeout_s + length / _LEAST_BYTES_PER_S)

    @staticmethod
    def _next(url: str, location: str) -> str:
        try:
            target = urljoin(url, location)
            before, after = urlsplit(url), urlsplit(target)
            leads_somewhere = is_host(after.hostname or "") and after.port != 0
        except ValueError as error:
            raise RKDeckError("hub.strange_answer", what="a redirect to nowhere") from error
        if not leads_somewhere:
            raise RKDeckError("hub.strange_answer", what="a redirect to nowhere")
        if after.scheme not in {"http", "https"} or (before.scheme == "https" and after.scheme != "https"):
            raise RKDeckError("hub.strange_answer", what=f"a redirect to {printable(target)}")
        return target


def _refuse(response: "httpx2.Response", asked_url: str, deadline: "Deadline") -> None:
    """Raise what a status says; huggingface_hub is shown no body, which may have no end, and no words to print."""
    import httpx2
    from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined]  # documented, not re-exported

    from core.hub.huggingface.bodies import is_page, login_page
    from core.hub.huggingface.errors import proxy_wants_login

    if response.status_code == _WANTS_LOGIN:
        raise login_page(response)
    if response.status_code == _PROXY_WANTS_LOGIN:
        raise proxy_wants_login(str(response.url))
    # The Hub says in a header why it forbids something; a page for people is a filter's or a log-in's.
    hub_says = any(name in response.headers for name in _TELLING[:2])
    if response.status_code == _UNKNOWN and _ASKS_PASSWORD.match(
        response.headers.get("WWW-Authenticate", "")
    ):
        raise RefusedError("hub.wants_password", host=host_of(str(response.url)))
    if response.status_code in {_UNKNOWN, _FORBIDDEN} and not hub_says and is_page(response, deadline):
        if response.status_code == _UNKNOWN:
            raise login_page(response)
        raise RefusedError("hub.filtered", host=host_of(str(response.url)))
    # As bytes: a mirror's words have letters of any alphabet, and httpx2 takes ASCII only as text.
    told = [(name.encode(), response.headers[name].encode()) for name in _TELLING if name in response.headers]
    hf_raise_for_status(httpx2.Response(response.status_code, headers=told, request=response.request))
    raise RKDeckError(
        "hub.http_status", what=printable(urlsplit(asked_url).path), status=response.status_code
    )


def _check_start(response: "httpx2.Response", url: str, asked: _Asked, deadline: "Deadline") -> None:
    """Refuse what is not the file, or does not begin where it was asked to, before its first byte is taken."""
    from core.hub.huggingface.bodies import refuse_hidden_page, refuse_page, told_bytes

    host = printable(urlsplit(str(response.url)).netloc)  # after redirects: who sent it
    file = printable(unquote(urlsplit(url).path.rpartition("/")[2]))
    refuse_page(response, url)
    packing = response.headers.get("Content-Encoding", "").strip().lower()
    if packing not in {"", "identity"}:
        raise RKDeckError("hub.packed", host=host, file=file, packing=printable(packing, 40))
    is_told_size = (
        asked.start == 0 and asked.size_bytes is not None and told_bytes(response) == asked.size_bytes
    )
    if response.status_code == _OK and not is_told_size:
        refuse_hidden_page(response, url, deadline)
    if response.status_code == _OK and asked.start > 0:
        raise RKDeckError("hub.no_ranges", host=host)
    length, whole = told_bytes(response), asked.size_bytes
    if response.status_code == PARTIAL:
        span = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        if (
            span is None
            or int(span[1]) != asked.start
            or length not in {None, int(span[2]) + 1 - int(span[1])}
        ):
            raise RKDeckError("hub.strange_answer", what="another part of the file than asked for")
        length = None if span[3] == "*" else int(span[3])
    if whole is not None and length is not None and length != whole:
        raise RKDeckError("hub.other_size", host=host, file=file, wanted_bytes=whole, found_bytes=length)


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()
