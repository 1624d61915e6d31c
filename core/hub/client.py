"""The Hub by huggingface_hub's own API, URLs, session and errors, without its download (it cannot resume)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from core.base.errors import RefusedError, RKDeckError, UsageError
from core.base.names import printable
from core.hub.errors import translated
from core.hub.records import ModelDetail, ModelSummary, RepoFile, SearchQuery
from core.hub.transport import Params, Transport

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

OFFICIAL = "https://huggingface.co"
# huggingface_hub's own rule (utils/_validators.py), checked before anything is sent.
_REPO = re.compile(r"[\w-][\w.-]{0,95}/[\w-][\w.-]{0,95}", re.ASCII)
_REVISION = re.compile(r"[\w][\w./-]{0,200}", re.ASCII)
_SORTS = {"downloads": "downloads", "likes": "likes", "updated": "lastModified", "created": "createdAt"}
_MAX_FILES = 20_000
_EXPAND = ["downloads", "likes", "tags", "safetensors", "lastModified", "gated"]


class HubClient:
    """One Hub endpoint.

    Attributes:
        endpoint: base URL without a slash at its end.
    """

    def __init__(self, endpoint: str | None, token: str | None) -> None:
        from huggingface_hub import HfApi

        self.endpoint = (endpoint or OFFICIAL).rstrip("/")
        # token=False keeps huggingface_hub from looking for one by itself.
        self._api = HfApi(endpoint=self.endpoint, token=token or False, library_name="rkdeck")
        self._transport = Transport(self.endpoint, token)

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
            RKDeckError: `hub.unreachable`, `hub.rate_limited`, `hub.server_error`.
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
            if query.converted:
                params.append(("filter", "rkllm"))
            found = self._transport.get_json("/api/models", params)
            if not isinstance(found, list):
                raise RKDeckError("hub.strange_answer", what="no list of models")
            return [_summary(_model_info(entry)) for entry in found[: query.limit]]

    def details(self, repo: str, revision: str | None = None) -> ModelDetail:
        """One repository with its files, pinned to a commit.

        Raises:
            UsageError: `hub.bad_id`.
            RKDeckError: `hub.not_found`, `hub.gated`, `hub.unreachable`, `hub.rate_limited`,
                `hub.server_error`.
        """
        check_id(repo, revision)
        with self._asking(repo):
            info = self._api.model_info(repo, revision=revision, files_metadata=True)
        siblings = info.siblings or []
        if len(siblings) > _MAX_FILES:
            raise RefusedError("hub.too_many_files", repo=repo, count=len(siblings))
        if not info.sha:
            raise RKDeckError("hub.strange_answer", what="no commit")
        return ModelDetail(repo, info.sha, _summary(info), tuple(_file(sibling) for sibling in siblings))

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


def check_id(repo: str, revision: str | None = None) -> None:
    """Refuse what can be no repository id or revision, before it is sent anywhere.

    Raises:
        UsageError: `hub.bad_id`, `hub.bad_revision`.
    """
    if not _REPO.fullmatch(repo) or ".." in repo or "--" in repo:
        raise UsageError("hub.bad_id", repo=printable(repo))
    if revision is not None and (not _REVISION.fullmatch(revision) or ".." in revision):
        raise UsageError("hub.bad_revision", revision=printable(revision))


def _model_info(entry: Any) -> "ModelInfo":  # noqa: ANN401  # a member of the Hub's JSON
    from huggingface_hub.hf_api import ModelInfo

    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise RKDeckError("hub.strange_answer", what="a model without an id")
    return ModelInfo(**entry)  # type: ignore[no-untyped-call]


def _summary(info: "ModelInfo") -> ModelSummary:
    tags = tuple(printable(tag, 100) for tag in (info.tags or [])[:200])
    licences = [tag.removeprefix("license:") for tag in tags if tag.startswith("license:")]
    updated = info.last_modified
    return ModelSummary(
        repo=printable(info.id),
        downloads=info.downloads,
        likes=info.likes,
        parameters=info.safetensors.total if info.safetensors else None,
        license=licences[0] if licences else None,
        updated=updated.isoformat() if isinstance(updated, datetime) else None,
        gated=bool(info.gated),
        tags=tags,
    )


def _file(sibling: Any) -> RepoFile:  # noqa: ANN401  # huggingface_hub's RepoSibling
    size_bytes = sibling.size
    if not isinstance(size_bytes, int) or size_bytes < 0:
        raise RKDeckError("hub.strange_answer", what="a file without a size")
    sha256 = sibling.lfs.sha256 if sibling.lfs else None
    return RepoFile(sibling.rfilename, size_bytes, sibling.blob_id, sha256)
