"""The Hub by huggingface_hub's session, URLs and errors, without its download (it cannot resume)."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from core.base.errors import RKDeckError
from core.base.names import printable
from core.hub.addresses import DEFAULT_HUB, check_endpoint, check_revision, own_id
from core.hub.errors import OF_ONE_FILE
from core.hub.huggingface.answers import (
    next_cursor,
    parse_commit,
    parse_detail,
    parse_summaries,
    parse_tree,
    unsized_paths,
)
from core.hub.huggingface.environment import check_environment, keeps_token_back
from core.hub.huggingface.errors import suspecting, translated
from core.hub.huggingface.transport import BEYOND_THE_END, PARTIAL, Params, Transport
from core.hub.protocol import TIMEOUT_S, FileBody, check_page
from core.hub.records import ModelDetail, RepoFile, SearchPage, SearchQuery

_SORTS = {"downloads": "downloads", "likes": "likes", "updated": "lastModified", "created": "createdAt"}
_NOT_THERE = frozenset({"hub.not_found", "hub.file_not_found"})
# What a mirror without the tree says when it is asked for one.
_NO_TREE = _NOT_THERE | {"hub.http_status", "hub.strange_answer"}
_MOST_TREE_PAGES = 50  # a thousand files each
_MOST_SIZES_ASKED = 200
_MOST_SECONDS = 300.0
_log = logging.getLogger(__name__)
_SEARCH = "/api/models"
_EXPAND = ["downloads", "likes", "tags", "safetensors", "lastModified", "gated", "sha", "config"]


class HubClient:
    """One endpoint that speaks the Hugging Face Hub's API; the adapter of `core.hub.protocol.Hub`.

    Attributes:
        name: its key in the table of hubs.
        endpoint: base URL without a slash at its end.

    Raises:
        UsageError: `hub.bad_endpoint`, `hub.bad_token`.
    """

    name = DEFAULT_HUB

    def __init__(self, endpoint: str, token: str | None, *, timeout_s: float = TIMEOUT_S) -> None:
        self.endpoint = endpoint.rstrip("/")
        check_endpoint(self.endpoint)
        self._timeout_s = timeout_s
        self._transport = Transport(self.endpoint, token, timeout_s)

    @property
    def bytes_fetched(self) -> int:
        """Body bytes of all range reads so far (API documents and opened files not counted)."""
        return self._transport.bytes_fetched

    @property
    def requests_count(self) -> int:
        """Reads of files so far, redirects counted."""
        return self._transport.requests_count

    def search_page(self, query: SearchQuery, cursor: str | None = None) -> SearchPage:
        """See `Hub.search_page`.

        The Hub names the next page by an address in its Link header. Only the cursor in it is used, and only
        when the address is the search of this endpoint: nobody can send us elsewhere.
        """
        check_page(query)
        params = _params(query) + ([("cursor", cursor)] if cursor is not None else [])
        with self._asking("search"):
            # Not HfApi.list_models: it retries for 23 s before it says that there is no network.
            document, link = self._transport.get_page(_SEARCH, params)
            models = parse_summaries(document, query.limit)
        following = next_cursor(link, self.endpoint + _SEARCH)
        # An empty page, or one that leads to itself, would never end.
        return SearchPage(tuple(models), following if models and following != cursor else None)

    def details(self, repo: str, revision: str | None = None) -> ModelDetail:
        """See `Hub.details`."""
        model = own_id(self.name, repo)
        if revision is not None:
            check_revision(revision)
        path = f"/api/models/{model.repo}" + (f"/revision/{quote(revision, safe='')}" if revision else "")
        with self._asking(repo):
            # Not HfApi.model_info: it waits for ever, and a garbled answer becomes a KeyError.
            document = self._transport.get_json(path, [("blobs", "true")])
            unsized = unsized_paths(document) if isinstance(document, dict) else ()
            told = self._told_elsewhere(str(model), parse_commit(document), unsized) if unsized else {}
            return parse_detail(str(model), document, told)

    def _told_elsewhere(self, repo: str, commit: str, paths: Sequence[str]) -> dict[str, RepoFile]:
        """Files whose sizes a mirror left out: by the tree of the commit, those it lacks by asking for each."""
        try:
            with self._asking(repo):
                told = self._tree(repo, commit)
        except RKDeckError as error:
            if error.code not in _NO_TREE:
                raise
            _log.info("no tree of %s: %s", printable(repo), error)
            told = {}
        rest = [path for path in paths if path not in told]
        if len(rest) <= _MOST_SIZES_ASKED:
            until_s = time.monotonic() + _MOST_SECONDS
            for path in rest:
                if time.monotonic() > until_s:
                    break
                size_bytes = self._size_of(repo, commit, path)
                if size_bytes is not None:
                    told[path] = RepoFile(path, size_bytes, None, None)
        return told

    def _size_of(self, repo: str, commit: str, path: str) -> int | None:
        """What a file's headers tell; None also of one the hub does not give, which matters if the model needs it."""
        try:
            with self._asking(f"{repo}/{path}"):
                return self._transport.size_of(self._url(repo, commit, path))
        except RKDeckError as error:
            if error.code not in OF_ONE_FILE:
                raise
            return None

    def _tree(self, repo: str, commit: str) -> dict[str, RepoFile]:
        path = f"/api/models/{own_id(self.name, repo).repo}/tree/{commit}"
        told: dict[str, RepoFile] = {}
        cursor: str | None = None
        until_s = time.monotonic() + _MOST_SECONDS
        for _ in range(_MOST_TREE_PAGES):
            params = [("recursive", "true"), *([("cursor", cursor)] if cursor is not None else [])]
            document, link = self._transport.get_page(path, params)
            told |= parse_tree(repo, document)
            following = next_cursor(link, self.endpoint + path)
            if following is None or following == cursor or time.monotonic() > until_s:
                break
            cursor = following
        return told

    def read_range(self, repo: str, commit: str, path: str, start: int, length: int) -> bytes:
        """See `Hub.read_range`."""
        with self._asking(f"{repo}/{path}"):
            return self._transport.read_range(self._url(repo, commit, path), start, length)

    @contextmanager
    def open_file(
        self, repo: str, commit: str, path: str, start: int, size_bytes: int
    ) -> Iterator[FileBody | None]:
        """See `Hub.open_file`."""
        from core.hub.huggingface.bodies import lively_pieces, told_bytes

        with (
            self._asking(path),
            self._transport.stream(self._url(repo, commit, path), start, size_bytes) as response,
        ):
            if response.status_code == BEYOND_THE_END:
                yield None
                return
            # As they arrive: collected into larger ones, a cut would cost the collected bytes.
            pieces = lively_pieces(response, self._timeout_s)
            yield FileBody(
                pieces, is_sure=response.status_code == PARTIAL or told_bytes(response) is not None
            )

    def close(self) -> None:
        """Nothing is held open: the session is huggingface_hub's own."""

    def _url(self, repo: str, commit: str, path: str) -> str:
        from huggingface_hub import hf_hub_url

        model = own_id(self.name, repo)
        check_revision(commit)
        return hf_hub_url(model.repo, path, revision=commit, endpoint=self.endpoint)

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        try:
            yield
        except RKDeckError as error:
            raise suspecting(error, self.endpoint) from error.__cause__
        except Exception as error:  # every foreign one becomes ours, or is raised on
            ours = translated(
                error, endpoint=self.endpoint, what=printable(what), with_token=self._transport.has_token
            )
            if ours is None:
                raise
            raise suspecting(ours, self.endpoint) from error


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
    if query.kind is not None:
        params.append(("filter", query.kind.hub_filter))
    return params


def open_hub(endpoint: str, token: str | None, timeout_s: float) -> HubClient:
    """See `core.hub.hubs.Adapter`."""
    check_environment()
    return HubClient(endpoint, token, timeout_s=timeout_s)


def token_file(environ: Mapping[str, str]) -> Path | None:
    """See `core.hub.hubs.Adapter`: huggingface_hub's own token file."""
    check_environment()
    if keeps_token_back():
        return None
    from huggingface_hub import constants

    return Path(environ.get("HF_TOKEN_PATH") or constants.HF_TOKEN_PATH)
