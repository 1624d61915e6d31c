"""Reading what a server sends: at most so many bytes, in at most so much time, whatever it packs or promises."""

import time
import zlib
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2

from core.base.errors import RKDeckError
from core.base.foreign import digits
from core.base.names import printable
from core.base.network import Deadline

# 20,000 files, the most that is read of a repository, make 6 MB. JSON of empty lists takes 24 times its size in memory.
MAX_DOCUMENT_BYTES = 8 << 20
# A line slower than this brings no model in a year.
_LEAST_BYTES_PER_S = 100
_PAGES = frozenset({"text/html", "application/xhtml+xml"})
_PAGE_NAMES = (".html", ".htm", ".xhtml")
_BEGINS = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<meta ")
_SEEN_BYTES = 4096
# Of most files their first bytes tell that they are no page; one may begin with a long comment.
_TELLING_BYTES = 64


def read_document(response: httpx2.Response, deadline: Deadline) -> bytes:
    """Read a small document whole, unpacked.

    Raises:
        RKDeckError: `hub.strange_answer`; httpx2.HTTPError for a broken or too slow line.
    """
    packing = response.headers.get("Content-Encoding", "").strip().lower()
    if packing not in {"", "identity", "gzip", "x-gzip"}:
        raise RKDeckError("hub.strange_answer", what="a packing nobody asked for")
    unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16) if packing.endswith("gzip") else None
    data, got = bytearray(), 0
    for piece in _pieces(response, deadline):
        got += len(piece)
        try:
            # Never more than is wanted: 64 KiB may hold 64 MiB of zeros.
            data += piece if unpack is None else unpack.decompress(piece, MAX_DOCUMENT_BYTES + 1 - len(data))
        except zlib.error as error:
            raise RKDeckError("hub.strange_answer", what="a damaged document") from error
        if max(got, len(data)) > MAX_DOCUMENT_BYTES:
            raise RKDeckError("hub.strange_answer", what="an endless document")
    return bytes(data)


def read_up_to(response: httpx2.Response, length: int, deadline: Deadline) -> bytes:
    """Read the first `length` bytes of a body, less where it ends before; what the server sends more stays unread."""
    data = bytearray()
    for piece in _pieces(response, deadline):
        data += piece
        if len(data) >= length:
            break
    return bytes(data[:length])


def lively_pieces(response: httpx2.Response, timeout_s: float) -> Iterator[bytes]:
    """The bytes of a long body as they arrive.

    Raises:
        RKDeckError: `hub.too_slow` for a line that lives without bringing anything; httpx2.HTTPError for one that broke
            or brought no byte for `timeout_s`.
    """
    began_s, got = time.monotonic(), 0
    pieces = response.iter_raw()
    while True:
        with Deadline(timeout_s).kept():
            piece = next(pieces, None)
        if piece is None:
            return
        got += len(piece)
        yield piece
        took_s = time.monotonic() - began_s
        if took_s >= timeout_s:
            if got < _LEAST_BYTES_PER_S * took_s:
                raise RKDeckError("hub.too_slow", bytes=got, seconds=round(took_s))
            began_s, got = time.monotonic(), 0


def refuse_page(response: httpx2.Response, url: str) -> None:
    """Refuse a web page where a document or a file was asked for: networks that want a log-in answer so.

    Raises:
        RKDeckError: `hub.login_page`.
    """
    if _kind(response) in _PAGES and not urlsplit(url).path.lower().endswith(_PAGE_NAMES):
        raise login_page(response)


def is_page(response: httpx2.Response, deadline: Deadline) -> bool:
    """Whether an answer is a web page, by its kind, else by its first bytes (which are read here)."""
    if "Content-Type" in response.headers:
        return _kind(response) in _PAGES
    return begins_like_page(read_up_to(response, _SEEN_BYTES, deadline))


class _Seen(httpx2.SyncByteStream):
    """A body whose beginning was looked at already."""

    def __init__(self, start: bytes, rest: Iterator[bytes], body: httpx2.SyncByteStream) -> None:
        self._start, self._rest, self._body = start, rest, body

    def __iter__(self) -> Iterator[bytes]:
        if self._start:
            yield self._start
        yield from self._rest

    def close(self) -> None:
        self._body.close()


def refuse_hidden_page(response: httpx2.Response, url: str, deadline: Deadline) -> None:
    """Refuse a web page that does not say it is one; the body can be read from its beginning afterwards.

    Raises:
        RKDeckError: `hub.login_page`; httpx2.HTTPError for a broken or silent line.
    """
    if urlsplit(url).path.lower().endswith((*_PAGE_NAMES, ".md")):
        return
    body = response.stream
    if not isinstance(body, httpx2.SyncByteStream):
        raise TypeError(type(body))  # the session is no asynchronous one
    rest, start = iter(body), b""
    try:
        with deadline.kept():
            while len(start) < (_SEEN_BYTES if b"<" in start[:_TELLING_BYTES] else _TELLING_BYTES):
                start += (piece := next(rest, b""))
                if not piece:
                    break
    except httpx2.RequestError as error:
        error.request = response.request  # as the client's own readers do: it tells the address that failed
        raise
    if begins_like_page(start):
        raise login_page(response)
    response.stream = _Seen(start, rest, body)


def begins_like_page(data: bytes) -> bool:
    """Whether these first bytes are those of a web page."""
    start = data[:_SEEN_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for opens, ends in ((b"<?xml", b"?>"), (b"<!--", b"-->")):
        while start.startswith(opens) and ends in start:
            start = start.partition(ends)[2].lstrip()
    return start.startswith(_BEGINS)


def login_page(response: httpx2.Response) -> RKDeckError:
    """The error for an answer of the network's instead of the hub's."""
    return RKDeckError("hub.login_page", host=printable(str(response.url.netloc, "ascii", "replace")))


def told_bytes(response: httpx2.Response) -> int | None:
    """The size of the body as the answer tells it; None when it does not, or in no number."""
    return digits(response.headers.get("Content-Length"))


def _kind(response: httpx2.Response) -> str:
    return response.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _pieces(response: httpx2.Response, deadline: Deadline) -> Iterator[bytes]:
    pieces = response.iter_raw()
    while True:
        with deadline.kept():
            piece = next(pieces, None)
        if piece is None:
            return
        yield piece
