"""The Hub's JSON as records. Mirrors, proxies and log-in pages answer too: every type is checked first."""

import contextlib
import logging
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeVar
from urllib.parse import parse_qs, urljoin, urlsplit

from core.base import foreign
from core.base.errors import RefusedError, RKDeckError, UsageError
from core.base.left_out import LeftOut
from core.base.names import printable
from core.hub.addresses import parse_id
from core.hub.download import is_needed
from core.hub.records import ModelDetail, ModelSummary, RepoFile
from core.model.facts import FLOATS, packing_of, stated_quantization
from core.model.files import WITH_HEADERS, WeightFiles, WeightsKind, weight_files
from core.model.textconfig import stated_classes, stated_model_type

_MAX_FILES = 20_000
_MAX_TAGS = 200
_MAX_CURSOR_CHARACTERS = 4096
# RFC 8288, as far as the Hub uses it: <address>; rel="next".
_NEXT = re.compile(r'<([^<>]*)>[^,<]*;\s*rel="?next"?\s*(?:[;,]|$)')
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_BASE_TAG = "base_model:"
_ADAPTER_TAG = f"{_BASE_TAG}adapter:"
_FORM_TAGS: tuple[tuple[str, WeightsKind], ...] = (("pytorch", "pickle"), ("gguf", "gguf"), ("onnx", "onnx"))
# Codes of four bits that an element holds (GPTQ and AWQ pack into I32, MLX into U32).
_CODES = {"I32": 8, "U32": 8}
_SMALL_FLOAT = re.compile(r"F[468](?:_|$)")
_Kind = TypeVar("_Kind")
_log = logging.getLogger(__name__)


def parse_summaries(value: object, limit: int) -> list[ModelSummary]:
    """Read the document of `/api/models`.

    Raises:
        RKDeckError: `hub.strange_answer`.
    """
    if not isinstance(value, list):
        raise _strange("no list of models")
    found: list[ModelSummary] = []
    failure: RKDeckError | None = None
    for entry in value[:limit]:
        try:
            found.append(parse_summary(entry))
        except RKDeckError as error:  # costs this entry; where none is sound, it is no list of models
            _log.info("an entry of a search: %s", error)
            failure = error
    if failure is not None and not found:
        raise failure
    return found


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
    tags = tuple(printable(tag, 100) for tag in told if isinstance(tag, str))
    licences = [tag.removeprefix("license:") for tag in tags if tag.startswith("license:")]
    # What only adorns a model may be unknown; another type would be no fault of its files.
    safetensors = value.get("safetensors")
    safetensors = safetensors if isinstance(safetensors, dict) else None
    # A repository's own config.json may be anything: it is no fault of the Hub's.
    config = value.get("config")
    config = config if isinstance(config, dict) else {}
    return ModelSummary(
        repo=printable(repo),
        downloads=_count(value, "downloads"),
        likes=_count(value, "likes"),
        parameters=_count(safetensors, "total") if safetensors else None,
        license=licences[0] if licences else None,
        updated=_date(value.get("lastModified")),
        gated=bool(value.get("gated")),
        tags=tags,
        commit=_digest(value, "sha", _COMMIT),
        architectures=stated_classes(config),
        model_type=stated_model_type(config),
        weights=_weights(value, tags, counted=safetensors is not None),
        quantization=stated_quantization(config) or _packed(safetensors),
    )


def _weights(value: Mapping[str, object], tags: tuple[str, ...], *, counted: bool) -> WeightsKind | None:
    """The form of the weights where it is none the toolkit is given: by the files where they are listed.

    A search tells tags only; the Hub gives them by the files it finds, and counts the parameters of safetensors.
    """
    listed = value.get("siblings")
    entries = listed[:_MAX_FILES] if isinstance(listed, list) else []
    paths = [entry.get("rfilename") for entry in entries if isinstance(entry, dict)]
    kind = weight_files(path for path in paths if isinstance(path, str)).kind
    # Ready-made files are looked at for themselves, whatever lies beside.
    if kind != "none":
        return None if kind in WITH_HEADERS or kind == "rkllm" else kind
    if any(tag.startswith(_ADAPTER_TAG) for tag in tags):
        return "adapter"
    if counted or not {"safetensors", "rkllm"}.isdisjoint(tags):
        return None
    return next((form for tag, form in _FORM_TAGS if tag in tags), None)


def _packed(safetensors: Mapping[str, object] | None) -> str | None:
    """The packing of weights of a type that none is trained in, or that are mostly words of codes; None for floats.

    The Hub counts elements by type, and a word of 32 bits holds eight codes of four. A few integers are tables and
    positions.
    """
    counts = safetensors.get("parameters") if safetensors is not None else None
    if not isinstance(counts, dict):
        return None
    sizes = {name: count for name, count in counts.items() if isinstance(count, int) and count > 0}
    codes = {name: count * _CODES.get(name, 1) for name, count in sizes.items()}
    others = [name for name in codes if name not in FLOATS and name != "BOOL"]
    small = next((name for name in others if _SMALL_FLOAT.match(name)), None)
    most = small or max(others, key=lambda name: codes[name], default=None)
    if most is None or (small is None and 2 * sum(codes[name] for name in others) <= sum(codes.values())):
        return None
    return packing_of(printable(most, 20))


def parse_detail(repo: str, value: object, told: Mapping[str, RepoFile] | None = None) -> ModelDetail:
    """Read the document of `/api/models/{repo}?blobs=true`.

    Args:
        repo: its id.
        value: the document.
        told: files whose sizes were told elsewhere, by their paths, for those that have none here.

    Raises:
        RKDeckError: `hub.strange_answer`.
        RefusedError: `hub.too_many_files`; `hub.impossible_size` for files the model needs.
    """
    summary, commit = parse_summary(value), parse_commit(value)
    siblings = _siblings(value)
    if len(siblings) > _MAX_FILES:
        raise RefusedError("hub.too_many_files", repo=repo, count=len(siblings))
    files, left_out = _files(repo, siblings, told or {})
    return ModelDetail(repo, commit, summary, files, base_of(repo, summary.tags), left_out)


def _files(
    repo: str, entries: Iterable[object], elsewhere: Mapping[str, RepoFile]
) -> tuple[tuple[RepoFile, ...], tuple[LeftOut, ...]]:
    """The files; what is told of one may be impossible, which costs that file, unless the model needs it."""
    files: list[RepoFile] = []
    odd: dict[str, RKDeckError] = {}
    nameless: RKDeckError | None = None
    for entry in entries:
        path = entry.get("rfilename") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(path, str) or not path:
            nameless = _strange("a file without a name")
            continue
        try:
            files.append(_file(repo, path, entry, elsewhere))
        except RKDeckError as error:
            odd[path] = error
    if nameless is not None and not files:
        raise nameless
    weights = weight_files([*(file.path for file in files), *odd])
    for large in _beyond_any_disk(files, weights):
        files.remove(large)
        odd[large.path] = RefusedError("hub.impossible_size", repo=repo, file=printable(large.path))
    sound = {file.path for file in files}
    odd = {path: why for path, why in odd.items() if path not in sound}  # told twice, soundly once
    for path, why in odd.items():
        if not files or is_needed(path, weights, sound):
            raise why
    return tuple(files), tuple(LeftOut(path, "strange") for path in odd)


def _beyond_any_disk(files: Sequence[RepoFile], weights: WeightFiles) -> Iterator[RepoFile]:
    """The largest files, those that nobody needs first, as long as all together have a size that cannot be."""
    whole_bytes = sum(file.size_bytes for file in files)
    for file in sorted(files, key=lambda file: (is_needed(file.path, weights), -file.size_bytes)):
        if whole_bytes <= foreign.MAX_BYTES:
            return
        whole_bytes -= file.size_bytes
        yield file


def base_of(repo: str, tags: tuple[str, ...]) -> str | None:
    """The model a repository's tags say it was made from: `base_model:ID` or `base_model:quantized:ID`.

    The longer tag says it more exactly. What can be no id, and the repository itself, say nothing.
    """
    for tag in sorted(tags, key=len, reverse=True):
        if tag.startswith(_BASE_TAG):
            try:
                base = str(parse_id(tag.rpartition(":")[2]))
            except UsageError:
                continue
            if base != repo:
                return base
    return None


def parse_commit(value: object) -> str:
    """Read the commit of a repository's document.

    Raises:
        RKDeckError: `hub.strange_answer`.
    """
    commit = _member(_checked("model", value, dict), "sha", str)
    # It becomes a folder's name, so it has to be what git makes.
    if commit is None or not _COMMIT.fullmatch(commit):
        raise _strange("no commit")
    return commit


def unsized_paths(value: object) -> tuple[str, ...]:
    """The files of a repository's document that have no size there: some mirrors leave them out."""
    entries = [entry for entry in _siblings(value) if isinstance(entry, dict) and entry.get("size") is None]
    return tuple(path for path in (_member(entry, "rfilename", str) for entry in entries) if path)


def parse_tree(repo: str, value: object) -> dict[str, RepoFile]:
    """Read one page of `/api/models/{repo}/tree/{commit}`: its files by their paths.

    Raises:
        RKDeckError: `hub.strange_answer`.
        RefusedError: `hub.impossible_size`.
    """
    if not isinstance(value, list):
        raise _strange("no list of files")
    found: dict[str, RepoFile] = {}
    for told in value[:_MAX_FILES]:
        entry = _checked("tree", told, dict)
        if entry.get("type") == "file":
            lfs = entry.get("lfs")
            as_sibling = {
                "size": entry.get("size"), "blobId": entry.get("oid"),
                "lfs": {"sha256": lfs.get("oid")} if isinstance(lfs, dict) else lfs,
            }  # fmt: skip
            path = _member(entry, "path", str)
            if not path:
                raise _strange("a file without a name")
            with contextlib.suppress(RKDeckError):  # then nothing is told of it here
                found[path] = _file(repo, path, as_sibling, {})
    return found


def _siblings(value: object) -> list[object]:
    return _member(_checked("model", value, dict), "siblings", list) or []


def _file(repo: str, path: str, entry: Mapping[str, object], elsewhere: Mapping[str, RepoFile]) -> RepoFile:
    told = entry.get("size")
    blob_id, sha256 = _digest(entry, "blobId", _COMMIT), _lfs_digest(entry)
    if told is None and path in elsewhere:
        other = elsewhere[path]
        return RepoFile(path, other.size_bytes, blob_id or other.blob_id, sha256 or other.sha256)
    size_bytes = foreign.size_bytes(told)
    if size_bytes is None and foreign.number(told, foreign.MAX_BYTES, math.inf) is not None:
        raise RefusedError("hub.impossible_size", repo=repo, file=printable(path))
    if size_bytes is None:
        raise _strange("a file without a size")
    return RepoFile(path, size_bytes, blob_id, sha256)


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


def _date(told: object) -> str | None:
    try:
        return datetime.fromisoformat(told).isoformat() if isinstance(told, str) else None
    except ValueError:
        return None


def _member(value: Mapping[str, object], name: str, kind: type[_Kind]) -> _Kind | None:
    found = value.get(name)
    return None if found is None else _checked(name, found, kind)


def _count(value: Mapping[str, object], name: str) -> int | None:
    """A number for people; one that cannot be is unknown."""
    return foreign.whole(value.get(name))


def _checked(name: str, value: object, kind: type[_Kind]) -> _Kind:
    # bool is an int in Python, never in the Hub's documents.
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _strange(f"{name} of another type")
    return value


def _strange(what: str) -> RKDeckError:
    return RKDeckError("hub.strange_answer", what=what)
