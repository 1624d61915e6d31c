"""A model's facts without its weights: config.json and safetensors headers by range request, all bounded."""

from core.base.errors import RefusedError, RKDeckError
from core.estimate.facts import (
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
from core.estimate.headers import LENGTH_BYTES, TensorInfo, needed_header_bytes, parse_safetensors_header
from core.hub.client import HubClient
from core.hub.records import ModelDetail

_MAX_SHARDS = 512
# 512 first requests make 32 MiB; padded headers of a hostile repository would make gigabytes.
_MAX_HEADERS_BYTES = 96 << 20
# Most headers fit into the first request; the rest takes one more.
_FIRST_BYTES = 64 << 10


def fetch_model_facts(client: HubClient, repo: str, revision: str | None = None) -> ModelFacts:
    """Read what the estimate needs: one details request, config.json, and the header of each weight file.

    Raises:
        RKDeckError: as `HubClient` does; `hub.no_config` when there is no config.json; `hub.shard_missing`;
            the estimate's errors for files that are damaged or hostile.
        RefusedError: `hub.too_many_files`, `hub.headers_too_large`.
    """
    before = client.bytes_fetched
    detail = client.details(repo, revision)
    names = {file.path: file.size_bytes for file in detail.files}
    if CONFIG_NAME not in names:
        raise RKDeckError("hub.no_config", repo=repo)
    config = parse_config(client.read_file(repo, detail.commit, CONFIG_NAME, MAX_CONFIG_BYTES))
    if INDEX_NAME in names:
        shards = parse_index(client.read_file(repo, detail.commit, INDEX_NAME, MAX_INDEX_BYTES))
    else:
        shards = choose_weight_files(names)
    if len(shards) > _MAX_SHARDS:
        raise RefusedError("hub.too_many_files", repo=repo, count=len(shards))
    limit = client.bytes_fetched + _MAX_HEADERS_BYTES
    tensors = join_shards(_read_header(client, detail, names, shard, limit) for shard in shards)
    return ModelFacts(
        model=repo,
        config=config,
        tensors=tensors,
        bytes_fetched=client.bytes_fetched - before,
        quantization=detect_quantization(config, tensors),
    )


def _read_header(
    client: HubClient, detail: ModelDetail, names: dict[str, int], shard: str, limit_bytes: int
) -> tuple[TensorInfo, ...]:
    if shard not in names:
        raise RKDeckError("hub.shard_missing", repo=detail.repo, file=shard)
    data = client.read_range(detail.repo, detail.commit, shard, 0, _FIRST_BYTES)
    needed = needed_header_bytes(data[:LENGTH_BYTES])
    if client.bytes_fetched + needed - len(data) > limit_bytes:
        raise RefusedError("hub.headers_too_large", repo=detail.repo, limit_bytes=_MAX_HEADERS_BYTES)
    if needed > len(data):
        data += client.read_range(detail.repo, detail.commit, shard, len(data), needed - len(data))
    return parse_safetensors_header(data, names[shard])
