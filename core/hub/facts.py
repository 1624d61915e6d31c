"""A model's facts without its weights: config.json and safetensors headers by range request, all bounded."""

from core.base.errors import RefusedError, RKDeckError
from core.estimate.facts import (
    ModelFacts,
    choose_weight_files,
    detect_quantization,
    join_shards,
    parse_config,
    parse_index,
)
from core.estimate.headers import TensorInfo, needed_header_bytes, parse_safetensors_header
from core.hub.client import HubClient
from core.hub.records import ModelDetail

_MAX_CONFIG_BYTES = 4 << 20
_MAX_INDEX_BYTES = 64 << 20
_MAX_SHARDS = 512
# Most headers fit into the first request; the rest takes one more.
_FIRST_BYTES = 64 << 10
_INDEX = "model.safetensors.index.json"


def fetch_model_facts(client: HubClient, repo: str, revision: str | None = None) -> ModelFacts:
    """Read what the estimate needs: one details request, config.json, and the header of each weight file.

    Raises:
        RKDeckError: as `HubClient` does; `hub.no_config` when there is no config.json; the estimate's errors
            for files that are damaged or hostile.
    """
    before = client.bytes_fetched
    detail = client.details(repo, revision)
    names = {file.path: file.size_bytes for file in detail.files}
    if "config.json" not in names:
        raise RKDeckError("hub.no_config", repo=repo)
    config = parse_config(client.read_file(repo, detail.commit, "config.json", _MAX_CONFIG_BYTES))
    if _INDEX in names:
        shards = parse_index(client.read_file(repo, detail.commit, _INDEX, _MAX_INDEX_BYTES))
    else:
        shards = choose_weight_files(names)
    if len(shards) > _MAX_SHARDS:
        raise RefusedError("hub.too_many_files", repo=repo, count=len(shards))
    tensors = join_shards(_read_header(client, detail, names, shard) for shard in shards)
    return ModelFacts(
        model=repo,
        config=config,
        tensors=tensors,
        bytes_fetched=client.bytes_fetched - before,
        quantization=detect_quantization(config, tensors),
    )


def _read_header(
    client: HubClient, detail: ModelDetail, names: dict[str, int], shard: str
) -> tuple[TensorInfo, ...]:
    if shard not in names:
        raise RKDeckError("hub.shard_missing", repo=detail.repo, file=shard)
    data = client.read_range(detail.repo, detail.commit, shard, 0, _FIRST_BYTES)
    needed = needed_header_bytes(data[:8])
    if needed > len(data):
        data += client.read_range(detail.repo, detail.commit, shard, len(data), needed - len(data))
    return parse_safetensors_header(data, names[shard])
