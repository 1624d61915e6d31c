"""Facts of models that were read before, by repository and commit: a commit never changes, so neither do they."""

import contextlib
import gzip
import hashlib
import json
import logging
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from core.base import atomic, foreign
from core.base.opening import open_regular
from core.base.records import record
from core.model.facts import ModelFacts
from core.model.gguf import GgufHeader, GgufTensor
from core.vendor.gguf_types import tensor_types

_SCHEMA = 6  # 6: names of tensors and empty tokenizers; older entries say nothing of them
_HEADER_SCHEMA = 1
_MAX_FILES = 500
_MAX_BYTES = 64 << 20  # unpacked; the largest known model's facts are 4 MB
_Known = TypeVar("_Known")
_log = logging.getLogger(__name__)


class FactsCache:
    """Small packed files in the cache folder; the ones used longest ago go first. Any thread may call."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, endpoint: str, repo: str, commit: str) -> ModelFacts | None:
        """What is known of a commit, with `bytes_fetched` 0; None when nothing usable is there."""
        facts = self._read(self._path(endpoint, repo, commit), _facts)
        return facts if facts is not None and facts.model == repo else None

    def put(self, endpoint: str, commit: str, facts: ModelFacts) -> None:
        """Keep facts; a cache that cannot be written is only slower."""
        value = {"schema": _SCHEMA, **asdict(facts), "bytes_fetched": 0}
        self._write(self._path(endpoint, facts.model, commit), value)

    def header(self, endpoint: str, repo: str, commit: str, path: str) -> GgufHeader | None:
        """The header of a GGUF file of a commit, with `bytes_read` 0; None when nothing usable is there."""
        return self._read(self._path(endpoint, repo, commit, path), _header)

    def put_header(self, endpoint: str, repo: str, commit: str, path: str, header: GgufHeader) -> None:
        """Keep the header of a GGUF file, as `put` does."""
        tensors = [
            [tensor.name, tensor.shape, tensor.type.name if tensor.type is not None else None, tensor.offset]
            for tensor in header.tensors
        ]
        value = {
            "schema": _HEADER_SCHEMA, "version": header.version, "tensor_count": header.tensor_count,
            "values": dict(header.values), "lengths": dict(header.lengths), "lists": dict(header.lists),
            "tensors": tensors, "is_whole": header.is_whole,
        }  # fmt: skip
        self._write(self._path(endpoint, repo, commit, path), value)

    def _read(self, path: Path, read: Callable[[object], _Known]) -> _Known | None:
        try:
            with open_regular(path) as packed, gzip.open(packed) as file:
                known = read(foreign.read_json(file.read(_MAX_BYTES)))
            path.touch()  # used last: goes last
        except FileNotFoundError:
            return None
        except (OSError, EOFError, ValueError, RecursionError, zlib.error) as error:
            # Damaged, or written by another version: it is read anew, and this file replaced.
            _log.info("%s in the cache is read anew: %s", path.name, type(error).__name__)
            return None
        return known

    def _write(self, path: Path, value: Mapping[str, object]) -> None:
        data = gzip.compress(json.dumps(value).encode(), compresslevel=3)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            atomic.write_bytes(path, data)
            self._prune()
        except OSError as error:
            _log.info("%s cannot be kept in the cache: %s", path.name, error.strerror)

    def _path(self, *key: str) -> Path:
        digest = hashlib.sha256("\n".join(key).encode()).hexdigest()
        return self._folder / f"{digest[:40]}.json.gz"

    def _prune(self) -> None:
        files = [(path.stat().st_mtime, path) for path in self._folder.glob("*.json.gz")]
        for _, path in sorted(files)[: max(0, len(files) - _MAX_FILES)]:
            with contextlib.suppress(FileNotFoundError):  # another process prunes, too
                path.unlink()


def _facts(value: object) -> ModelFacts:
    if not isinstance(value, dict) or value.get("schema") != _SCHEMA:
        raise ValueError("another schema")
    return record(ModelFacts, value)


def _header(value: object) -> GgufHeader:
    if not isinstance(value, dict) or value.get("schema") != _HEADER_SCHEMA:
        raise ValueError("another schema")
    try:
        return GgufHeader(
            value["version"], value["tensor_count"], _checked(value["values"], (int, float, bool, str)),
            _checked(value["lengths"], (int,)), tuple(map(_tensor, value["tensors"])),
            {key: tuple(found) for key, found in _checked(value["lists"], (list,)).items()},
            value["is_whole"] is True,
        )  # fmt: skip
    except (KeyError, TypeError) as error:
        raise ValueError("no header") from error


def _checked(value: Mapping[str, _Known], kinds: tuple[type, ...]) -> Mapping[str, _Known]:
    if not all(isinstance(item, kinds) for item in value.values()):
        raise ValueError("a value of another type")
    return value


def _tensor(row: list[object]) -> GgufTensor:
    name, shape, kind, offset = row
    known = {found.name: found for found in tensor_types().values()}
    sizes = shape if isinstance(shape, list) else [None]
    counts = [foreign.whole(number) for number in (*sizes, offset)]
    if not isinstance(name, str) or None in counts or kind not in {None, *known}:
        raise ValueError("no tensor")
    whole = [count for count in counts if count is not None]
    return GgufTensor(name, tuple(whole[:-1]), known[str(kind)] if kind is not None else None, whole[-1])
