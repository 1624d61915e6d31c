"""The Hub by huggingface_hub's session, headers, URLs and errors, without its download (it cannot resume)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlsplit

from core.base.errors import RefusedError, RKDeckError, UsageError
from core.base.names import printable
from core.hub.answers import next_cursor, parse_detail, parse_summaries
from core.hub.errors import translated
from core.hub.records import ModelDetail, ModelSummary, SearchPage, SearchQuery
from core.hub.transport import TIMEOUT_S, Params, Transport

OFFICIAL = "https://huggingface.co"
# huggingface_hub's own rule (utils/_validators.py), checked before anything is sent.
_REPO = re.compile(r"[\w-][\w.-]{0,95}/[\w-][\w.-]{0,95}", re.ASCII)
_REVISION = re.compile(r"[\w][\w./-]{0,200}", re.ASCII)
_SORTS = {"downloads": "downloads", "likes": "likes", "updated": "lastModified", "created": "createdAt"}
_SEARCH = "/api/models"
MAX_PAGE = 100
_EXPAND = ["downloads", "likes", "tags", "safetensors", "lastModified", "gated", "sha", "config"]


class HubClient:
    """One Hub endpoint.

    Attributes:
        endpoint: base URL without a slash at its end.

    Raises:
        UsageError: `hub.bad_endpoint`, `hub.bad_token`.
    """

    def __init__(self, endpoint: str | None, token: str | None, *, timeout_s: float = TIMEOUT_S) -> None:
        self.endpoint = (endpoint or OFFICIAL).rstrip("/")
        check_endpoint(self.endpoint)
        self._transport = Transport(self.endpoint, token, timeout_s)

    @property
    def bytes_fetched(self) -> int:
        """Body bytes of all range and file reads so far (API documents not counted)."""
        return self._transport.bytes_fetched

    @property
    def requests_count(self) -> int:
        """Range and file reads so far, redirects counted."""
        return self._transport.requests_count

    def search(self, query: SearchQuery) -> list[ModelSummary]:
        """Search models; the first `limit` of them.

        Raises:
            RKDeckError: `hub.unreachable`, `hub.rate_limited`, `hub.server_error`, `hub.strange_answer`.
        """
        with self._asking("search"):
            # Not HfApi.list_models: it retries for 23 s before it says that there is no network.
            return parse_summaries(self._transport.get_json(_SEARCH, _params(query)), query.limit)

    def search_page(self, query: SearchQuery, cursor: str | None = None) -> SearchPage:
        """Search models, `query.limit` (1 to 100) at a time.

        The Hub names the next page by an address in its Link header. Only the cursor in it is used, and only
        when the address is the search of this endpoint: nobody can send us elsewhere.

        Args:
            query: the same for all pages of one search.
            cursor: `next_cursor` of the page before; None for the first page.

        Raises:
            UsageError: `hub.bad_limit`.
            RKDeckError: as `search`.
        """
        if not 1 <= query.limit <= MAX_PAGE:
            raise UsageError("hub.bad_limit", limit=query.limit, max=MAX_PAGE)
        params = _params(query) + ([("cursor", cursor)] if cursor is not None else [])
        with self._asking("search"):
            document, link = self._transport.get_page(_SEARCH, params)
            models = parse_summaries(document, query.limit)
        following = next_cursor(link, self.endpoint + _SEARCH)
        # An empty page, or one that leads to itself, would never end.
        return SearchPage(tuple(models), following if models and following != cursor else None)

    def details(self, repo: str, revision: str | None = None) -> ModelDetail:
        """One repository with its files, pinned to a commit.

        Raises:
            UsageError: `hub.bad_id`.
            RefusedError: `hub.gated`, `hub.too_many_files`.
            RKDeckError: `hub.not_found`, `hub.unreachable`, `hub.rate_limited`, `hub.server_error`,
                `hub.strange_answer`.
        """
        check_id(repo, revision)
        path = f"/api/models/{repo}" + (f"/revision/{quote(revision, safe='')}" if revision else "")
        with self._asking(repo):
            # Not HfApi.model_info: it waits for ever, and a garbled answer becomes a KeyError.
            return parse_detail(repo, self._transport.get_json(path, [("blobs", "true")]))

    def read_range(self, repo: str, commit: str, path: str, start: int, length: int) -> bytes:
        """Read at most `length` bytes of a file from byte `start` on; less only at the file's end."""
        check_id(repo, commit)
        with self._asking(f"{repo}/{path}"):
            return self._transport.read_range(repo, commit, path, start, length)

    def read_file(self, repo: str, commit: str, path: str, max_bytes: int) -> bytes:
        """Read a small file whole.

        Raises:
            RefusedError: `hub.file_too_large`.
        """
        data = self.read_range(repo, commit, path, 0, max_bytes + 1)
        if len(data) > max_bytes:
            raise RefusedError("hub.file_too_large", file=printable(path), limit_bytes=max_bytes)
        return data

    def close(self) -> None:
        """Nothing is held open: the session is huggingface_hub's own."""

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        try:
            yield
        except RKDeckError:
            raise
        except Exception as error:  # every foreign one becomes ours, or is raised on
            ours = translated(error, endpoint=self.endpoint, what=printable(what))
            if ours is None:
                raise
            raise ours from error


def _params(query: SearchQuery) -> Params:
    params: Params = [
        ("search", query.text),
        ("limit", str(query.limit)),
        *(("expand", name) for name in _EXPAND),
    ]
    if query.sort in _SORTS:
        params.append(("sort", _SORTS[query.sort]))
    if query.author:
        params.append(("author", query.author))
    if query.converted:
        params.append(("filter", "rkllm"))
    return params


def check_endpoint(endpoint: str) -> None:
    """Refuse what can be no address of a Hub.

    Raises:
        UsageError: `hub.bad_endpoint`.
    """
    try:
        parts = urlsplit(endpoint)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise UsageError("hub.bad_endpoint", endpoint=printable(endpoint))


def check_id(repo: str, revision: str | None = None) -> None:
    """Refuse what can be no repository id or revision, before it is sent anywhere.

    Raises:
        UsageError: `hub.bad_id`, `hub.bad_revision`.
    """
    if not _REPO.fullmatch(repo) or ".." in repo or "--" in repo:
        raise UsageError("hub.bad_id", repo=printable(repo))
    if revision is not None and (not _REVISION.fullmatch(revision) or ".." in revision):
        raise UsageError("hub.bad_revision", revision=printable(revision))
