"""The Hub by huggingface_hub's session, headers, URLs and errors, without its download (it cannot resume)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlsplit

from core.base.errors import RefusedError, RKDeckError, UsageError
from core.base.names import printable
from core.hub.answers import parse_detail, parse_summaries
from core.hub.errors import translated
from core.hub.records import ModelDetail, ModelSummary, SearchQuery
from core.hub.transport import TIMEOUT_S, Params, Transport

OFFICIAL = "https://huggingface.co"
# huggingface_hub's own rule (utils/_validators.py), checked before anything is sent.
_REPO = re.compile(r"[\w-][\w.-]{0,95}/[\w-][\w.-]{0,95}", re.ASCII)
_REVISION = re.compile(r"[\w][\w./-]{0,200}", re.ASCII)
_SORTS = {"downloads": "downloads", "likes": "likes", "updated": "lastModified", "created": "createdAt"}
_EXPAND = ["downloads", "likes", "tags", "safetensors", "lastModified", "gated"]


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
        """Search models.

        Raises:
            RKDeckError: `hub.unreachable`, `hub.rate_limited`, `hub.server_error`, `hub.strange_answer`.
        """
        with self._asking("search"):
            # Not HfApi.list_models: it retries for 23 s before it says that there is no network.
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
            return parse_summaries(self._transport.get_json("/api/models", params), query.limit)

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
