"""A model's facts without its weights: config.json and safetensors headers by range request, all bounded."""

from core.base.errors import RefusedError, RKDeckError
from core.base.names import printable
from core.hub.client import HubClient
from core.hub.records import ModelDetail
from core.model.facts import (
    CONFIG_NAME,
    INDEX_NAME,
    MAX_CONFIG_BYTES,
    MAX_INDEX_BYTES,
    ModelFacts,
    choose_weight_files,
    detect_quantization,
    join_shards,
    parse_config,
    parse_index,
)
from core.model.headers import LENGTH_BYTES, TensorInfo, needed_header_bytes, parse_safetensors_header

_MAX_SHARDS = 512
_ADAPTER = "adapter_config.json"
# 512 first requests make 32 MiB; padded headers of a hostile repository would make gigabytes.
_MAX_HEADERS_BYTES = 96 << 20
# Most headers fit into the first request; the rest takes one more.
_FIRST_BYTES = 64 << 10


def fetch_model_facts(client: HubClient, repo: str, revision: str | None = None) -> ModelFacts:
    """Read what the estimate needs: one details request, config.json, and the header of each weight file.

    Raises:
        RKDeckError: as `HubClient` does; `hub.no_config` when there is no config.json; `hub.adapter_only` with the
            name of its base when there is an adapter instead; `hub.shard_missing`;
            the estimate's errors for files that are damaged or hostile.
        RefusedError: `hub.too_many_files`, `hub.headers_too_large`.
    """
    return fetch_facts(client, client.details(repo, revision))


def fetch_facts(client: HubClient, detail: ModelDetail) -> ModelFacts:
    """Read the facts of a repository whose details are known.

    Raises:
        As `fetch_model_facts`.
    """
    reader = _Reader(client, detail)
    names = {file.path: file.size_bytes for file in detail.files}
    if CONFIG_NAME not in names:
        if _ADAPTER in names:
            raise _adapter_only(reader)
        raise RKDeckError("hub.no_config", repo=detail.repo)
    config = parse_config(reader.read_file(CONFIG_NAME, MAX_CONFIG_BYTES))
    if INDEX_NAME in names:
        shards = parse_index(reader.read_file(INDEX_NAME, MAX_INDEX_BYTES))
    else:
        shards = choose_weight_files(names)
    if len(shards) > _MAX_SHARDS:
        raise RefusedError("hub.too_many_files", repo=detail.repo, count=len(shards))
    limit = reader.bytes_read + _MAX_HEADERS_BYTES
    tensors = join_shards(_read_header(reader, names, shard, limit) for shard in shards)
    return ModelFacts(
        model=detail.repo,
        config=config,
        tensors=tensors,
        bytes_fetched=reader.bytes_read,
        quantization=detect_quantization(config, tensors),
    )


def _adapter_only(reader: "_Reader") -> RKDeckError:
    """An adapter has no shape of its own: say whose it is."""
    base: object = None
    try:
        base = parse_config(reader.read_file(_ADAPTER, MAX_CONFIG_BYTES)).get("base_model_name_or_path")
    except RKDeckError as error:
        if not error.code.startswith("estimate."):  # the Hub's own trouble is told as that
            return error
    if not isinstance(base, str) or not base:
        return RKDeckError("hub.adapter_without_base", repo=reader.repo)
    return RKDeckError("hub.adapter_only", repo=reader.repo, base=printable(base, 120))


class _Reader:
    """Reads the files of one commit and counts: the client's own count is of all threads together."""

    def __init__(self, client: HubClient, detail: ModelDetail) -> None:
        self._client = client
        self._commit = detail.commit
        self.repo = detail.repo
        self.bytes_read = 0

    def read_file(self, path: str, max_bytes: int) -> bytes:
        return self._counted(self._client.read_file(self.repo, self._commit, path, max_bytes))

    def read_range(self, path: str, start: int, length: int) -> bytes:
        return self._counted(self._client.read_range(self.repo, self._commit, path, start, length))

    def _counted(self, data: bytes) -> bytes:
        self.bytes_read += len(data)
        return data


def _read_header(
    reader: _Reader, names: dict[str, int], shard: str, limit_bytes: int
) -> tuple[TensorInfo, ...]:
    if shard not in names:
        raise RKDeckError("hub.shard_missing", repo=reader.repo, file=shard)
    data = reader.read_range(shard, 0, _FIRST_BYTES)
    needed = needed_header_bytes(data[:LENGTH_BYTES])
    if reader.bytes_read + needed - len(data) > limit_bytes:
        raise RefusedError("hub.headers_too_large", repo=reader.repo, limit_bytes=_MAX_HEADERS_BYTES)
    if needed > len(data):
        data += reader.read_range(shard, len(data), needed - len(data))
    return parse_safetensors_header(data, names[shard])
