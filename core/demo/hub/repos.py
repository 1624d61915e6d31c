"""Folders as Hub repositories: what the API says of them."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

# What a search is sorted by: a count, or a date as text.
Rank = int | str
# Of a config.json, in a search result.
_TOLD = ("architectures", "model_type", "quantization_config")
_LFS_SUFFIXES = (".safetensors", ".rkllm", ".gguf", ".bin")
_LFS_MIN_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 20
TAG = "rkdeck-demo"
FACTS_ONLY = "facts-only"
NOTES = ".hub.json"
_DATE = "2026-01-01T00:00:00.000Z"


@dataclass(frozen=True)
class HubFile:
    """One file of a repository; `sha256` only for LFS files, as on the Hub.

    Of a file that is facts only, `path` holds the first bytes (a header); the rest up to `size_bytes` would be zeros.
    """

    name: str
    path: Path
    size_bytes: int
    blob_id: str
    sha256: str | None
    is_facts_only: bool = False

    @property
    def etag(self) -> str:
        """SHA-256 of LFS files, git blob id of the others."""
        return self.sha256 or self.blob_id


@dataclass(frozen=True)
class HubRepo:
    """A repository served from a folder; read again at every start, so it always tells what is there.

    A hidden file `.hub.json` may add `tags`, and `sizes_bytes`: files of which only the first bytes are there.
    """

    repo: str
    folder: Path
    gated: bool = False
    born: str | None = None  # its first name, when it has another by now: its commits stay what they were

    def files(self) -> tuple[HubFile, ...]:
        """The files as they are now, sorted by name."""
        return tuple(self._read())

    def commit(self, files: tuple[HubFile, ...]) -> str:
        """A commit id made from names and contents: equal folders have equal commits."""
        text = "".join(f"{file.name}\0{file.etag}\0" for file in files)
        return hashlib.sha1(f"{self.born or self.repo}\0{text}".encode(), usedforsecurity=False).hexdigest()

    def summary(self) -> dict[str, Any]:
        """The entry of a search result."""
        files = self.files()
        return {
            "_id": self.repo,
            "id": self.repo,
            "modelId": self.repo,
            "author": self.repo.split("/", maxsplit=1)[0],
            "sha": self.commit(files),
            "lastModified": self.rank("lastModified"),
            "createdAt": self.rank("createdAt"),
            "private": False,
            "gated": "auto" if self.gated else False,
            "disabled": False,
            # Nobody counted those of a well-known model here.
            "downloads": None if self._sizes else self.rank("downloads"),
            "likes": None if self._sizes else self.rank("likes"),
            "library_name": "transformers",
            "pipeline_tag": "text-generation",
            "tags": self.tags(),
            "safetensors": self.parameters(),
            "config": _classes(self._config),
        }

    def info(self, *, blobs: bool) -> dict[str, Any]:
        """The document of /api/models/{repo}."""
        files = self.files()
        return {
            **self.summary(),
            "siblings": [_sibling(file, blobs=blobs) for file in files],
            "config": self._config,
        }

    def tree(self, folder: str = "", *, recursive: bool = True) -> list[dict[str, Any]]:
        """The document of /api/models/{repo}/tree/{revision}/{folder}: the files, or one level of them."""
        prefix = f"{folder}/" if folder else ""
        below = [file for file in self.files() if file.name.startswith(prefix)]
        if recursive:
            return [tree_entry(file) for file in below]
        rests = [file.name.removeprefix(prefix) for file in below]
        folders = sorted({rest.split("/", 1)[0] for rest in rests if "/" in rest})
        here = [tree_entry(file) for file, rest in zip(below, rests, strict=True) if "/" not in rest]
        return [
            *({"type": "directory", "oid": "0" * 40, "size": 0, "path": prefix + name} for name in folders),
            *here,
        ]

    def rank(self, key: str) -> Rank:
        """What a search sorted by `key` (downloads, likes, lastModified, createdAt) goes by."""
        if key in {"lastModified", "createdAt"}:
            return _DATE
        if self._sizes:
            return 0
        return 1000 + len(self.repo) if key == "downloads" else 1

    @cached_property
    def _config(self) -> Any:  # noqa: ANN401  # a JSON document of the model
        path = self.folder / "config.json"
        try:
            return json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            return None

    @cached_property
    def _notes(self) -> dict[str, Any]:
        path = self.folder / NOTES
        return json.loads(path.read_text("utf-8")) if path.is_file() else {}

    def tags(self) -> list[str]:
        """What the repository is tagged with, by its files and its notes."""
        files = self.files()
        tags = [TAG, "text-generation", *(self._notes.get("tags") or ["license:other"])]
        if self._sizes:
            tags.append(FACTS_ONLY)
        if any(file.name.endswith(".safetensors") for file in files):
            tags += ["transformers", "safetensors"]
        if any(file.name == "adapter_config.json" for file in files):
            tags.append(f"base_model:adapter:{self._base}")
        tags += [form for form in ("rkllm", "gguf") if any(file.name.endswith(f".{form}") for file in files)]
        return tags

    @property
    def _base(self) -> str:
        try:
            return str(
                json.loads((self.folder / "adapter_config.json").read_text("utf-8"))[
                    "base_model_name_or_path"
                ]
            )
        except (OSError, ValueError, KeyError, TypeError):
            return "unknown"

    def parameters(self) -> dict[str, Any] | None:
        """Parameters by type, counted in the headers of the weights."""
        counts: dict[str, int] = {}
        for file in self.files():
            if file.name.endswith(".safetensors"):
                for dtype, count in _tensor_sizes(file.path):
                    counts[dtype] = counts.get(dtype, 0) + count
        return {"parameters": counts, "total": sum(counts.values())} if counts else None

    @property
    def _sizes(self) -> dict[str, int]:
        return self._notes.get("sizes_bytes") or {}

    def _read(self) -> Iterator[HubFile]:
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and not any(
                part.startswith(".") for part in path.relative_to(self.folder).parts
            ):
                name, size_bytes = path.relative_to(self.folder).as_posix(), path.stat().st_size
                lfs = size_bytes >= _LFS_MIN_BYTES or name.endswith(_LFS_SUFFIXES)
                blob_id, sha256 = _digests(path, size_bytes)
                if name in self._sizes:
                    # No digest of a body that nobody wrote: of its header and size, so that it changes with them.
                    made_up = hashlib.sha256(f"{sha256} {self._sizes[name]}".encode()).hexdigest()
                    yield HubFile(name, path, self._sizes[name], blob_id, made_up, is_facts_only=True)
                    continue
                yield HubFile(name, path, size_bytes, blob_id, sha256 if lfs else None)


def _classes(config: Any) -> Any:  # noqa: ANN401  # a JSON document of the model
    """What a search result tells of a config.json."""
    if not isinstance(config, dict):
        return config
    return {name: config[name] for name in _TOLD if name in config}


_known_digests: dict[tuple[Path, int, int], tuple[str, str]] = {}


def _digests(path: Path, size_bytes: int) -> tuple[str, str]:
    """Git blob id and SHA-256, remembered until the file changes."""
    key = (path, size_bytes, path.stat().st_mtime_ns)
    if key not in _known_digests:
        sha256, blob = hashlib.sha256(), hashlib.sha1(f"blob {size_bytes}\0".encode(), usedforsecurity=False)
        with path.open("rb") as file:
            while data := file.read(_CHUNK_BYTES):
                sha256.update(data)
                blob.update(data)
        _known_digests[key] = (blob.hexdigest(), sha256.hexdigest())
    return _known_digests[key]


def _sibling(file: HubFile, *, blobs: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"rfilename": file.name}
    if blobs:
        entry |= {"size": file.size_bytes, "blobId": file.blob_id}
        if file.sha256:
            entry["lfs"] = {"sha256": file.sha256, "size": file.size_bytes, "pointerSize": 135}
    return entry


def tree_entry(file: HubFile) -> dict[str, Any]:
    """One entry of the tree and paths-info documents."""
    entry: dict[str, Any] = {"type": "file", "oid": file.blob_id, "size": file.size_bytes, "path": file.name}
    if file.sha256:
        entry["lfs"] = {"oid": file.sha256, "size": file.size_bytes, "pointerSize": 135}
    return entry


def _tensor_sizes(path: Path) -> Iterator[tuple[str, int]]:
    """Type and number of elements of each tensor; nothing for a damaged file, which the Hub does not count."""
    with path.open("rb") as file:
        size_bytes = int.from_bytes(file.read(8), "little")
        data = file.read(size_bytes) if size_bytes < path.stat().st_size else b""
    try:
        header = json.loads(data)
    except ValueError:
        return
    for name, entry in header.items():
        if name != "__metadata__":
            count = 1
            for size in entry["shape"]:
                count *= size
            yield entry["dtype"], count
