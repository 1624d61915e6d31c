"""A model's facts without its weights: config.json and safetensors headers by range request, all bounded."""

import time
from collections.abc import Collection

from core.base.errors import RefusedError, RKDeckError
from core.hub.protocol import Hub, read_file
from core.hub.records import ModelDetail
from core.model.facts import Hollow, ModelFacts, facts_of, join_shards, odd_encoding, parse_config
from core.model.files import (
    CONFIG_NAME,
    MAX_CONFIG_BYTES,
    WeightFiles,
    read_weight_files,
    shapeless,
)
from core.model.headers import LENGTH_BYTES, TensorInfo, needed_header_bytes, parse_safetensors_header

_MAX_SHARDS = 512
# 512 first requests make 32 MiB; padded headers of a hostile repository would make gigabytes.
_MAX_HEADERS_BYTES = 96 << 20
# Most headers fit into the first request; the rest takes one more.
_FIRST_BYTES = 64 << 10
# All reads together: each alone may be slow, and a hub may wait before each.
_MAX_SECONDS = 900.0


def fetch_model_facts(hub: Hub, repo: str, revision: str | None = None) -> ModelFacts:
    """Read what the estimate needs: one details request, config.json, and the header of each weight file.

    Raises:
        RKDeckError: as `Hub` does; `hub.too_slow`; `hub.no_config` when there is no config.json; `hub.shard_missing`;
            the estimate's errors for files that are damaged or hostile.
        RefusedError: `model.adapter_only`, `model.adapter_without_base`, `model.adapter_unmerged`; where
            there is no config.json, `model.gguf_only`, `model.rkllm_only`, `model.onnx_only`,
            `model.pickle_only`; `hub.too_many_files`, `hub.headers_too_large`.
    """
    return fetch_facts(hub, hub.details(repo, revision))


def fetch_facts(hub: Hub, detail: ModelDetail) -> ModelFacts:
    """Read the facts of a repository whose details are known.

    Raises:
        As `fetch_model_facts`.
    """
    reader = _Reader(hub, detail)
    names = {file.path: file.size_bytes for file in detail.files}
    found = read_weight_files(names, reader.read_file)
    _refuse(found, names, detail.repo)
    data = reader.read_file(CONFIG_NAME, MAX_CONFIG_BYTES)
    config = parse_config(data)
    shards = found.files if found.has_headers else ()
    if len(shards) > _MAX_SHARDS:
        raise RefusedError("hub.too_many_files", repo=detail.repo, count=len(shards))
    limit = reader.bytes_read + _MAX_HEADERS_BYTES
    tensors = join_shards(_read_header(reader, names, shard, limit) for shard in shards)
    empty: dict[str, Hollow] = {name: "empty" for name, size_bytes in names.items() if not size_bytes}
    encoding = odd_encoding(data)
    return facts_of(detail.repo, names, found, config, tensors, reader.bytes_read, encoding, empty)


def _refuse(found: WeightFiles, names: Collection[str], repo: str) -> None:
    """Refuse what has no shape to read: an adapter, and whatever has no config.json."""
    refusal = shapeless(found, repo, has_config=CONFIG_NAME in names)
    if refusal is not None:
        raise refusal
    if CONFIG_NAME not in names:
        raise RKDeckError("hub.no_config", repo=repo)


class _Reader:
    """Reads the files of one commit and counts: the hub's own count is of all threads together."""

    def __init__(self, hub: Hub, detail: ModelDetail) -> None:
        self._hub = hub
        self._commit = detail.commit
        self.repo = detail.repo
        self.bytes_read = 0
        self._began_s = time.monotonic()

    def read_file(self, path: str, max_bytes: int) -> bytes:
        return self._counted(read_file(self._hub, self.repo, self._commit, path, max_bytes))

    def read_range(self, path: str, start: int, length: int) -> bytes:
        return self._counted(self._hub.read_range(self.repo, self._commit, path, start, length))

    def _counted(self, data: bytes) -> bytes:
        self.bytes_read += len(data)
        took_s = time.monotonic() - self._began_s
        if took_s > _MAX_SECONDS:
            raise RKDeckError("hub.too_slow", bytes=self.bytes_read, seconds=round(took_s))
        return data


def _read_header(
    reader: _Reader, names: dict[str, int], shard: str, limit_bytes: int
) -> tuple[TensorInfo, ...]:
    if shard not in names:
        raise RKDeckError("hub.shard_missing", repo=reader.repo, file=shard)
    data = reader.read_range(shard, 0, _FIRST_BYTES)
    needed = needed_header_bytes(data[:LENGTH_BYTES], shard)
    if reader.bytes_read + needed - len(data) > limit_bytes:
        raise RefusedError("hub.headers_too_large", repo=reader.repo, limit_bytes=_MAX_HEADERS_BYTES)
    if needed > len(data):
        data += reader.read_range(shard, len(data), needed - len(data))
    return parse_safetensors_header(data, names[shard])
