"""What is known of a model before anything heavy: its config.json and its tensors' names and shapes."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.base.errors import JsonValue, RKDeckError
from core.base.names import safe_relative_path
from core.model.headers import (
    LENGTH_BYTES,
    TensorInfo,
    needed_header_bytes,
    parse_safetensors_header,
)

CONFIG_NAME = "config.json"
INDEX_NAME = "model.safetensors.index.json"
SINGLE_NAME = "model.safetensors"
MAX_CONFIG_BYTES = 4 << 20
MAX_INDEX_BYTES = 16 << 20
MAX_SHARDS = 1000
MAX_TENSORS = 400_000

# Files beside a model that are not the model: adapters, and the same weights in their author's own layout.
_NOT_THE_MODEL = ("adapter_", "consolidated", "optimizer", "training_")
_TENSOR_SUFFIXES = {
    "qweight": "gptq or awq",
    "qzeros": "gptq or awq",
    "weight_scale_inv": "fp8",
    "weight_packed": "compressed-tensors",
    "absmax": "bitsandbytes",
    "SCB": "bitsandbytes",
}


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Everything the estimate knows of a model.

    Attributes:
        model: what the user asked for: a Hub id or a path.
        config: the parsed config.json.
        tensors: all tensors of all files; empty when no header could be read (config only, less certain).
        bytes_fetched: bytes that came over the network to learn this; 0 for a local folder.
        quantization: how the weights are already quantized (`gptq`, `awq`, `fp8`, ...), None when not.
    """

    model: str
    config: dict[str, JsonValue]
    tensors: tuple[TensorInfo, ...]
    bytes_fetched: int
    quantization: str | None


def load_local_facts(folder: Path) -> ModelFacts:
    """Read the facts of a model folder; a few hundred kB are read, never the weights.

    Raises:
        RKDeckError: `estimate.no_config` (no config.json), `estimate.unreadable`, `estimate.bad_config`,
            `estimate.bad_index`, `estimate.missing_shard`, `estimate.bad_file` and, from `names`,
            `names.unsafe_path` for a shard name that leaves the folder.
    """
    config_file = folder / CONFIG_NAME
    if not config_file.is_file():
        raise RKDeckError("estimate.no_config", folder=str(folder))
    config = parse_config(_read(config_file, MAX_CONFIG_BYTES))
    shards = [_shard_tensors(folder, name) for name in _shard_names(folder)]
    tensors = join_shards(shards)
    return ModelFacts(str(folder), config, tensors, 0, detect_quantization(config, tensors))


def parse_config(data: bytes) -> dict[str, JsonValue]:
    """Parse the bytes of a config.json.

    Raises:
        RKDeckError: `estimate.bad_config`.
    """
    if len(data) > MAX_CONFIG_BYTES:
        raise RKDeckError("estimate.bad_config", problem="larger than any real one")
    try:
        value = json.loads(data)
    except RecursionError as error:
        raise RKDeckError("estimate.bad_config", problem="nested too deeply") from error
    except ValueError as error:
        raise RKDeckError("estimate.bad_config", problem="not valid JSON") from error
    if not isinstance(value, dict):
        raise RKDeckError("estimate.bad_config", problem="not a JSON object")
    return value


def parse_index(data: bytes) -> tuple[str, ...]:
    """Return the shard names of a model.safetensors.index.json, sorted, each checked to stay in the folder.

    Raises:
        RKDeckError: `estimate.bad_index`, `names.unsafe_path`.
    """
    try:
        value = json.loads(data) if len(data) <= MAX_INDEX_BYTES else None
    except (ValueError, RecursionError):
        value = None
    weight_map = value.get("weight_map") if isinstance(value, dict) else None
    if not isinstance(weight_map, dict) or not weight_map:
        raise RKDeckError("estimate.bad_index", problem="no weight_map")
    names = set(weight_map.values()) if all(isinstance(name, str) for name in weight_map.values()) else set()
    if not 0 < len(names) <= MAX_SHARDS:
        raise RKDeckError("estimate.bad_index", problem="impossible shard names")
    return tuple(sorted(str(safe_relative_path(name)) for name in names))


def join_shards(shards: Iterable[tuple[TensorInfo, ...]]) -> tuple[TensorInfo, ...]:
    """Return all tensors of all shards.

    Raises:
        RKDeckError: `estimate.bad_index` when there are too many, or one name comes twice.
    """
    tensors: list[TensorInfo] = []
    for shard in shards:
        tensors.extend(shard)
        if len(tensors) > MAX_TENSORS:
            raise RKDeckError("estimate.bad_index", problem="more tensors than any real model")
    if len({tensor.name for tensor in tensors}) != len(tensors):
        raise RKDeckError("estimate.bad_index", problem="one tensor in two shards")
    return tuple(tensors)


def detect_quantization(config: Mapping[str, JsonValue], tensors: Iterable[TensorInfo]) -> str | None:
    """Return how the checkpoint is already quantized, or None.

    rkllm-toolkit takes float checkpoints; the names of quantized ones break it (rknn-llm issue 386).
    """
    for owner in (config, config.get("text_config")):
        stated = owner.get("quantization_config") if isinstance(owner, dict) else None
        if isinstance(stated, dict):
            method = stated.get("quant_method")
            return method[:40] if isinstance(method, str) and method else "unknown"
    for tensor in tensors:
        found = _TENSOR_SUFFIXES.get(tensor.name.rpartition(".")[2])
        if found is not None:
            return found
    return None


def choose_weight_files(names: Iterable[str]) -> tuple[str, ...]:
    """Return which files of a folder without an index hold the model: model.safetensors, else all others."""
    files = sorted(name for name in names if name.endswith(".safetensors") and "/" not in name)
    if SINGLE_NAME in files:
        return (SINGLE_NAME,)
    chosen = tuple(name for name in files if not name.startswith(_NOT_THE_MODEL))
    return chosen[:MAX_SHARDS]


def _shard_names(folder: Path) -> tuple[str, ...]:
    index = folder / INDEX_NAME
    if index.is_file():
        return parse_index(_read(index, MAX_INDEX_BYTES))
    return choose_weight_files(entry.name for entry in folder.iterdir())


def _shard_tensors(folder: Path, name: str) -> tuple[TensorInfo, ...]:
    path = folder / name
    if not path.is_file():
        raise RKDeckError("estimate.missing_shard", folder=str(folder), file=name)
    try:
        with path.open("rb") as file:
            first = file.read(LENGTH_BYTES)
            needed = needed_header_bytes(first)
            return parse_safetensors_header(first + file.read(needed - LENGTH_BYTES), path.stat().st_size)
    except OSError as error:
        raise RKDeckError("estimate.unreadable", file=str(path), problem=error.strerror or "") from error
    except RKDeckError as error:
        raise RKDeckError("estimate.bad_file", file=str(path), problem=_cause(error)) from error


def _cause(error: RKDeckError) -> str:
    problem, tensor = error.facts.get("problem"), error.facts.get("tensor")
    text = str(problem) if problem else error.code.partition(".")[2].replace("_", " ")
    return f"{text} ({tensor!r})" if tensor else text


def _read(path: Path, limit_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(limit_bytes + 1)
    except OSError as error:
        raise RKDeckError("estimate.unreadable", file=str(path), problem=error.strerror or "") from error
