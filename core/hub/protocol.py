"""What RKDeck asks of a hub, whoever runs it: the one door. Each adapter (`core.hub.hubs.HUBS`) is one of these."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

from core.base.errors import RefusedError, UsageError
from core.base.names import printable
from core.hub.records import ModelDetail, ModelSummary, SearchPage, SearchQuery

# Without a byte for so long, a line counts as dead.
TIMEOUT_S = 20.0
MAX_PAGE = 100


@dataclass(frozen=True, slots=True)
class FileBody:
    """A file on its way.

    Attributes:
        pieces: its bytes as they arrive.
        is_sure: whether the answer tells that these are bytes of the file (the part asked for, or the whole of its
            size). Others are the file's only when all of it arrives: a short one may be anything.
    """

    pieces: Iterator[bytes]
    is_sure: bool


class Hub(Protocol):
    """A hub at one endpoint, asked by many threads.

    Every `repo`, given or told, is a model id as text (`core.hub.addresses.ModelId`) of this hub. All but `open_file`
    and `close` wait for the network and raise, besides what they name:

        UsageError: `hub.bad_id`, `hub.bad_revision`.
        RefusedError: `hub.gated`, `hub.forbidden`, `hub.filtered`, `hub.proxy_login`, `hub.unlawful`, `hub.offline`.
        RKDeckError: `hub.not_found`, `hub.revision_not_found`, `hub.file_not_found`, `hub.unreachable`,
            `hub.rate_limited`, `hub.server_error`, `hub.http_status`, `hub.strange_answer`, `hub.login_page`,
            `hub.elsewhere_unreachable`, `hub.in_circles`. An
            adapter whose users need other advice gives the error a `hint` of its own.

    Foreign exceptions never come out, but for those of whoever holds an open file; `core.hub.errors.http_error` makes
    ours of a status. Documents are foreign: what they lack or garble is `hub.strange_answer`. A token goes to the
    endpoint's host alone, wherever that sends us. `tests/core/hub/test_promises.py` asks all this of every hub.
    """

    @property
    def name(self) -> str:
        """Its key in the table of hubs."""

    @property
    def endpoint(self) -> str:
        """Base URL without a slash at its end."""

    def search_page(self, query: SearchQuery, cursor: str | None = None) -> SearchPage:
        """Search models, `query.limit` (1 to 100) at a time.

        Args:
            query: the same for all pages of one search.
            cursor: `next_cursor` of the page before; None for the first page.

        Raises:
            UsageError: `hub.bad_limit`.
        """

    def details(self, repo: str, revision: str | None = None) -> ModelDetail:
        """One repository with its files, pinned to a commit.

        Raises:
            RefusedError: `hub.too_many_files`, `hub.impossible_size`.
        """

    def read_range(self, repo: str, commit: str, path: str, start: int, length: int) -> bytes:
        """Read at most `length` bytes of a file from byte `start` on; less only at the file's end."""

    def open_file(
        self, repo: str, commit: str, path: str, start: int, size_bytes: int
    ) -> "AbstractContextManager[FileBody | None]":
        """Open a file of `size_bytes` from byte `start` on; None when it ends before `start`.

        What is not the file (a log-in page, another size, packed bytes) is refused before its first byte. What breaks
        while its bytes are read, or ends before its time, is raised as one of ours; what is raised in the body of the
        `with` goes through as it is (a full disk is no dead line).

        Raises:
            RKDeckError: `hub.no_ranges` where it can only be sent from its beginning; `hub.login_page`,
                `hub.other_size`, `hub.packed`, `hub.too_slow`.
        """

    def close(self) -> None:
        """Let go of connections."""


def search(hub: Hub, query: SearchQuery) -> list[ModelSummary]:
    """The first `query.limit` models of a search, however many pages that takes.

    Raises:
        As `Hub.search_page`.
    """
    found: list[ModelSummary] = []
    pages = replace(query, limit=min(query.limit, MAX_PAGE))
    cursor: str | None = None
    while True:
        page = hub.search_page(pages, cursor)
        found += page.models
        cursor = page.next_cursor
        if cursor is None or len(found) >= query.limit:
            return found[: query.limit]


def read_file(hub: Hub, repo: str, commit: str, path: str, max_bytes: int) -> bytes:
    """Read a small file whole.

    Raises:
        RefusedError: `hub.file_too_large`; RKDeckError: as `Hub.read_range`.
    """
    data = hub.read_range(repo, commit, path, 0, max_bytes + 1)
    if len(data) > max_bytes:
        raise RefusedError("hub.file_too_large", file=printable(path), limit_bytes=max_bytes)
    return data


def check_page(query: SearchQuery) -> None:
    """Refuse a page that no hub is asked for.

    Raises:
        UsageError: `hub.bad_limit`.
    """
    if not 1 <= query.limit <= MAX_PAGE:
        raise UsageError("hub.bad_limit", limit=query.limit, max=MAX_PAGE)
