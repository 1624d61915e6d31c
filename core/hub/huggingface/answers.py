"""The Hub's JSON as records. Mirrors, proxies and log-in pages answer too: every type is checked first."""

import logging
import re
from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar
from urllib.parse import parse_qs, urljoin, urlsplit

from core.base.errors import RefusedError, RKDeckError
from core.base.names import printable
from core.hub.records import ModelDetail, ModelSummary, RepoFile

_MAX_FILES = 20_000
_MAX_TAGS = 200
_MAX_ARCHITECTURES = 10
_MAX_CURSOR_CHARACTERS = 4096
# RFC 8288, as far as the Hub uses it: <address>; rel="next".
_NEXT = re.compile(r'<([^<>]*)>[^,<]*;\s*rel="?next"?\s*(?:[;,]|$)')
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_Kind = TypeVar("_Kind")
_log = logging.getLogger(__name__)


def parse_summaries(value: object, limit: int) -> list[ModelSummary]:
    """Read the document of `/api/models`.

    Raises:
        RKDeckError: `hub.strange_answer`.
    """
    if not isinstance(value, list):
        raise _strange("no list of models")
    return [parse_summary(entry) for entry in value[:limit]]


def next_cursor(link: str | None, url: str) -> str | None:
    """Read the cursor of the next page out of a Link header; None when there is none, or none to be trusted.

    Args:
        link: the header of the answer.
        url: the address that was asked, without its query; the next page must be there too (behind a proxy that
            speaks another scheme inside, the scheme may differ).
    """
    found = _NEXT.search(link or "")
    if found is None:
        return None
    try:
        asked, named = urlsplit(url), urlsplit(urljoin(url, found[1]))
        # More members than the Hub's own addresses have would only cost time.
        cursors = parse_qs(named.query, max_num_fields=100).get("cursor", [])
    except ValueError:
        return None
    if (named.netloc.lower(), named.path) != (asked.netloc.lower(), asked.path):
        _log.info("the next page of a search is said to be elsewhere: %s", printable(found[1]))
        return None
    cursor = cursors[0] if len(cursors) == 1 else ""
    return cursor if 0 < len(cursor) <= _MAX_CURSOR_CHARACTERS and cursor.isprintable() else None


def parse_summary(value: object) -> ModelSummary:
    """Read one model's document, or its entry in a search result.

    Raises:
        RKDeckError: `hub.strange_answer`.
    """
    if not isinstance(value, dict):
        raise _strange("no description of a model")
    repo = _member(value, "id", str)
    if not repo:
        raise _strange("a model without an id")
    told = (_member(value, "tags", list) or [])[:_MAX_TAGS]
    tags = tuple(printable(_checked("tags", tag, str), 100) for tag in told)
    licences = [tag.removeprefix("license:") for tag in tags if tag.startswith("license:")]
    safetensors = _member(value, "safetensors", dict)
    return ModelSummary(
        repo=printable(repo),
        downloads=_member(value, "downloads", int),
        likes=_member(value, "likes", int),
        parameters=_member(safetensors, "total", int) if safetensors else None,
        license=licences[0] if licences else None,
        updated=_date(_member(value, "lastModified", str)),
        gated=bool(value.get("gated")),
        tags=tags,
        commit=_digest(value, "sha", _COMMIT),
        architectures=_architectures(value),
    )


def _architectures(value: Mapping[str, object]) -> tuple[str, ...]:
    """What a repository's own config.json says, which may be anything: it is no fault of the Hub's."""
    config = value.get("config")
    told = config.get("architectures") if isinstance(config, dict) else None
    names = told[:_MAX_ARCHITECTURES] if isinstance(told, list) else []
    return tuple(printable(name, 100) for name in names if isinstance(name, str))


def parse_detail(repo: str, value: object) -> ModelDetail:
    """Read the document of `/api/models/{repo}?blobs=true`.

    Raises:
        RKDeckError: `hub.strange_answer`.
        RefusedError: `hub.too_many_files`.
    """
    summary = parse_summary(value)
    assert isinstance(value, dict)
    commit = _member(value, "sha", str)
    # It becomes a folder's name, so it has to be what git makes.
    if commit is None or not _COMMIT.fullmatch(commit):
        raise _strange("no commit")
    siblings = _member(value, "siblings", list) or []
    if len(siblings) > _MAX_FILES:
        raise RefusedError("hub.too_many_files", repo=repo, count=len(siblings))
    return ModelDetail(repo, commit, summary, tuple(_file(sibling) for sibling in siblings))


def _file(value: object) -> RepoFile:
    entry = _checked("siblings", value, dict)
    path, size_bytes = _member(entry, "rfilename", str), _member(entry, "size", int)
    if not path:
        raise _strange("a file without a name")
    if size_bytes is None or size_bytes < 0:
        raise _strange("a file without a size")
    return RepoFile(path, size_bytes, _digest(entry, "blobId", _COMMIT), _lfs_digest(entry))


def _lfs_digest(entry: Mapping[str, object]) -> str | None:
    lfs = _member(entry, "lfs", dict)
    if lfs is None:
        return None
    found = _digest(lfs, "sha256", _SHA256)
    if found is None:
        raise _strange("a large file without a digest")
    return found


def _digest(entry: Mapping[str, object], name: str, form: re.Pattern[str]) -> str | None:
    text = _member(entry, name, str)
    if text is not None and not form.fullmatch(text):
        raise _strange(f"an impossible {name}")
    return text


def _date(text: str | None) -> str | None:
    try:
        return None if text is None else datetime.fromisoformat(text).isoformat()
    except ValueError as error:
        raise _strange("an impossible date") from error


def _member(value: Mapping[str, object], name: str, kind: type[_Kind]) -> _Kind | None:
    found = value.get(name)
    return None if found is None else _checked(name, found, kind)


def _checked(name: str, value: object, kind: type[_Kind]) -> _Kind:
    # bool is an int in Python, never in the Hub's documents.
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _strange(f"{name} of another type")
    return value


def _strange(what: str) -> RKDeckError:
    return RKDeckError("hub.strange_answer", what=what)
